"""`xbar run`."""

import time
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import click
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from xbar_cli.cli.shared.console import STDERR, note, print_json, print_table
from xbar_cli.interruption import unwinding

from .cluster import cluster_options, require_one

if TYPE_CHECKING:
    from xbar_cli.experiment.grid import StageRun
    from xbar_cli.runs.sweep import Outcome

GOES_ON = "the same command goes on with what is missing"
STATES = ("there", "done", "running", "failed", "waiting")


@click.command(epilog="Example: xbar run experiments/schemes.toml --workers 2")
@click.argument("experiment", metavar="EXPERIMENT.toml", type=click.Path(path_type=Path))
@cluster_options
@click.option("--dry-run", is_flag=True, help="List the points and what of them is there; compute nothing.")
@click.option("--only", metavar="STAGE", help="Compute this stage, and what it needs, at every point; no results.")
@click.option(
    "--figure-format", "formats", default="png", show_default=True, metavar="FORMAT[,...]", help="png, pdf, svg."
)
@click.option("--set", "settings", multiple=True, metavar="STAGE.KEY=VALUE", help="Set one key of a stage.")
@click.option("--seed", metavar="N", help="Seed of every stage.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the runs (default runs/NAME); what is there stays."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else.")
@click.option("--quiet", is_flag=True, help="No progress table, no notes.")
def run(
    experiment: Path, workers: int | None, scheduler: str | None, retries: int, timeout: float | None, dry_run: bool,
    only: str | None, formats: str, settings: tuple[str, ...], seed: str | None, out: Path | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Run a pipeline, or a sweep of one, from a file: what is complete stays, what is missing or failed is computed."""
    require_one(workers, scheduler)
    from xbar_cli.experiment.file import load_experiment
    from xbar_cli.figures.formats import formats_of
    from xbar_cli.workflows import run as workflow

    loaded = load_experiment(experiment, settings=settings, seed=seed)
    folder, ends = out or Path("runs") / loaded.name, formats_of(formats)
    if dry_run:
        summary = workflow.dry_run(loaded, out=folder, only=only)
    else:
        with unwinding(lambda: GOES_ON), SweepTable(quiet=quiet, notice=untrusted(scheduler)) as table:
            summary = workflow.run(loaded, out=folder, workers=workers, scheduler=scheduler, retries=retries,
                                   timeout=timeout, formats=ends, only=only, watcher=table)  # fmt: skip
    print_json(summary) if as_json else show(summary)
    fail(summary)


def untrusted(scheduler: str | None) -> str | None:
    """The note on a cluster that takes work from anybody; None where there is nothing to say."""
    if scheduler is None or scheduler.startswith("tls://"):
        return None
    return (
        f"{scheduler} is reached without TLS: whoever reaches that port can run code as its workers do (docs/trust.md)"
    )


def fail(summary: dict[str, Any]) -> None:
    """Raise XbarError where points failed: what the first said, and where its log is."""
    from xbar_cli.errors import RunError

    if summary["failed"]:
        first = next(entry for entry in summary["list"] if entry["state"] == "failed")
        raise RunError(
            f"{summary['failed']} of {summary['points']} points failed; {first['name']}, stage {first['stage']}: "
            f"{first['reason']} (log: {first['log']}); the same command tries them again"
        )


def show(summary: dict[str, Any]) -> None:
    """Print the points as a table."""
    keys = list(summary["list"][0]["values"])
    short = [key.rpartition(".")[2] for key in keys]
    head = [name if short.count(name) == 1 else key for name, key in zip(short, keys, strict=True)]
    figures = list(dict.fromkeys(name for entry in summary["list"] for name in entry["figures"]))
    failed = bool(summary["failed"])
    rows = []
    for entry in summary["list"]:
        numbers = (f"{entry['figures'][name]:.4g}" if name in entry["figures"] else None for name in figures)
        run = Path(next(reversed(entry["runs"].values()))).name
        row = (entry["state"], *entry["values"].values(), *numbers, run)
        rows.append((*row, f"{entry['reason']} ({entry['log']})" if entry["reason"] else "") if failed else row)
    counts = f"{summary['done']} done ({summary['cached']} of them before), {summary['failed']} failed"
    title = f"{summary['experiment']}: {summary['points']} points, {counts}"
    print_table(title, ["state", *head, *figures, "last run", *["reason"] * failed], rows)
    if summary["results"]:
        click.echo(f"results: {summary['results']}")
    for picture in summary.get("pictures", ()):
        files = " ".join(picture["files"])
        click.echo(f"picture: {files}: {picture['caption']}" if files else f"{picture['figure']}: {picture['caption']}")
    click.echo(f"runs: {summary['out']}")


class SweepTable:
    """A `workflows.run.SweepWatcher` that keeps a table on the terminal; a context manager.

    Where stderr is no terminal it only notes what fails.
    """

    def __init__(self, *, quiet: bool, notice: str | None = None) -> None:
        """`quiet` silences table and notes; `notice` is said before the first run starts."""
        self._quiet, self._notice = quiet, notice
        self._live: Live | None = None
        self._stages: dict[str, str] = {}
        self._states: dict[str, str] = {}
        self._seconds: dict[str, list[float]] = {}
        self._running: dict[str, float] = {}
        self._workers = 1

    def __enter__(self) -> "SweepTable":
        """Nothing to draw yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the table."""
        if self._live is not None:
            self._live.stop()

    def begin(self, runs: "Mapping[str, StageRun]", *, cached: Collection[str], workers: int | None) -> None:
        """Draw the table for the first time."""
        if self._notice is not None and not self._quiet:
            note(self._notice)
        self._stages = {key: run.stage for key, run in runs.items()}
        self._states = {key: "there" if key in cached else "waiting" for key in runs}
        self._seconds = {stage: [] for stage in self._stages.values()}
        self._workers = workers or 1
        if not self._quiet and STDERR.is_terminal:
            self._live = Live(self._draw(), console=STDERR, auto_refresh=False, transient=True)
            self._live.start()

    def started(self, key: str) -> None:
        """A worker begins with a run."""
        self._states[key], self._running[key] = "running", time.monotonic()
        self.tick()

    def ended(self, key: str, outcome: "Outcome") -> None:
        """A run is done or has failed."""
        self._running.pop(key, None)
        self._states[key] = "done" if outcome.ok else "failed"
        if outcome.ok:
            self._seconds[self._stages[key]].append(outcome.seconds)
        elif not self._quiet and outcome.attempts:
            note(f"failed: {key}: {outcome.reason}")
        self.tick()

    def tick(self) -> None:
        """Draw the table again."""
        if self._live is not None:
            self._live.update(self._draw(), refresh=True)

    def remaining_seconds(self) -> float | None:
        """How long the rest takes at the mean time of each stage so far; None before anything is known."""
        known = [seconds for of_stage in self._seconds.values() for seconds in of_stage]
        if not known:
            return None
        means = {stage: fmean(of_stage or known) for stage, of_stage in self._seconds.items()}
        now = time.monotonic()
        gone = sum(min(now - began, means[self._stages[key]]) for key, began in self._running.items())
        left = sum(means[self._stages[key]] for key, state in self._states.items() if state in ("running", "waiting"))
        return max(left - gone, 0.0) / max(self._workers, len(self._running), 1)

    def _draw(self) -> Group:
        table = Table(header_style="bold")
        for column in ("stage", "runs", *STATES):
            table.add_column(column, justify="left" if column == "stage" else "right")
        counts = Counter((self._stages[key], state) for key, state in self._states.items())
        for stage in self._seconds:
            own = [counts[stage, state] for state in STATES]
            table.add_row(stage, str(sum(own)), *map(str, own))
        now = time.monotonic()
        names = ", ".join(f"{key} ({now - began:.0f} s)" for key, began in list(self._running.items())[:8])
        rest = self.remaining_seconds()
        eta = "" if rest is None else f"about {rest / 60:.0f} min left" if rest > 90 else f"about {rest:.0f} s left"
        return Group(table, Text(f"running: {names}" if names else ""), Text(eta))
