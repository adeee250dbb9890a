"""`xbar search`."""

import functools
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.live import Live
from rich.text import Text

from xbar_cli.cli.shared.console import HEADS, STDERR, note, print_fitting, print_json, print_table, say
from xbar_cli.cli.shared.reporter import EVERY
from xbar_cli.cli.shared.typed import way_on
from xbar_cli.interruption import unwinding

from .cluster import cluster_options, require_one
from .run import untrusted

if TYPE_CHECKING:
    from xbar_cli.runs.sweep import Outcome
    from xbar_cli.search.asked import Search
    from xbar_cli.search.trial import Trial


@click.command(epilog="Example: xbar search experiments/search_lenet5.toml --workers 2")
@click.argument("experiment", metavar="EXPERIMENT.toml", type=click.Path(path_type=Path))
@cluster_options
@click.option("--dry-run", is_flag=True, help="Say what the space and the budget are; compute nothing.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="STAGE.KEY=VALUE",
    help="Set one key of a stage, or of the search, such as search.seed=1.",
)
@click.option("--seed", metavar="N", help="Seed of every stage.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the search (default runs/NAME-search).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else.")
@click.option("--quiet", is_flag=True, help="No progress, no notes.")
def search(
    experiment: Path, workers: int | None, scheduler: str | None, retries: int, timeout: float | None, dry_run: bool,
    settings: tuple[str, ...], seed: str | None, out: Path | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Search designs for the best in several figures at once: stages from a file, axes and objectives from its [search].

    Every design gets few chips first; those that another one beats on the same chips are dropped.
    """
    require_one(workers, scheduler)
    from xbar_cli.search import outcome
    from xbar_cli.search.asked import load_search
    from xbar_cli.search.engine import Cluster
    from xbar_cli.search.run import run

    asked = load_search(experiment, settings=settings, seed=seed)
    folder = out or Path("runs") / f"{asked.experiment.name}-search"
    if dry_run:
        summary = outcome.dry_run(asked, out=folder)
    else:
        with unwinding(way_on("where the search stands")), SearchLine(quiet=quiet, notice=untrusted(scheduler)) as line:
            engine = functools.partial(
                Cluster, asked.experiment, folder, workers, scheduler, retries, timeout, watcher=line
            )
            summary = run(asked, out=folder, engine=engine, watcher=line)
    if as_json:
        print_json(summary)
    elif dry_run:
        show_space(summary)
    else:
        show(summary)
    if not dry_run:
        fail(summary)


def fail(summary: dict[str, Any]) -> None:
    """Raise XbarError where every trial failed: what the first said."""
    from xbar_cli.errors import RunError

    if summary["failed"] and summary["failed"] + summary["repeated"] == summary["trials"]:
        first = next(entry for entry in summary["list"] if entry["state"] == "failed")
        raise RunError(f"all {summary['failed']} trials failed; trial {first['trial']}: {first['reason']}")


def show(summary: dict[str, Any]) -> None:
    """Print the front, or what comes nearest to meeting the constraints."""
    from xbar_cli.experiment.naming import short_names

    entries = summary["front"] or ([summary["nearest"]] if summary["nearest"] else [])
    keys = [key for key in summary["axes"] if any(key in entry["values"] for entry in entries)]
    figures = list(dict.fromkeys(name for entry in entries for name in entry["figures"]))
    rows = [
        (entry["trial"], *(entry["values"].get(key) for key in keys), *(f"{entry['figures'][f]:.4g}" for f in figures))
        for entry in entries
    ]
    counts = ", ".join(
        f"{summary[s]} {s}" for s in ("complete", "dropped", "infeasible", "failed", "repeated") if summary[s]
    )
    title = f"{summary['experiment']}: {summary['trials']} trials ({counts}), {summary['chips']} evaluations of a chip"
    named = [str(HEADS.get(name, name.replace("_", " "))) for name in figures]
    sought = [named[n] for n, name in enumerate(figures) if any(name in o.split() for o in summary["objectives"])]
    head = ["trial", *short_names(keys).values(), *named]
    print_fitting(title, head, rows, least=["trial", *sought], hint="--json has all")
    if not summary["front"]:
        bounds = " and ".join(summary["constraints"]) or "all chips"
        say(f"no design meets {bounds}" + ("; the nearest is shown" if entries else ""))
    if summary["reference"]:
        ends = ", ".join(f"{name} {value:.4g}" for name, value in summary["reference"].items())
        say(f"front: {len(summary['front'])} designs, hypervolume {summary['hypervolume']:.4g} up to {ends}")
    if summary["disagreement"]:
        note(f"figures of a design are of two kinds of hardware: {summary['disagreement']}")
    first = next((entry for entry in summary["list"] if entry["state"] == "failed"), None)
    if first is not None:
        note(f"{summary['failed']} trials failed; trial {first['trial']}: {first['reason']}")
    click.echo(f"trials: {summary['csv']}")
    click.echo(f"search: {summary['out']}")


def show_space(summary: dict[str, Any]) -> None:
    """Print the axes."""
    rows = [(", ".join(axis["keys"]), values_of(axis), axis["count"], axis["when"]) for axis in summary["axes"]]
    designs = "without end" if summary["designs"] is None else summary["designs"]
    print_table(f"{summary['experiment']}: designs {designs}", ["axis", "values", "count", "when"], rows)
    budget = ", ".join(f"{n} {what}" for what, n in summary["budget"].items() if n is not None)
    say(f"objectives: {', '.join(summary['objectives'])}")
    if summary["constraints"]:
        say(f"constraints: {', '.join(summary['constraints'])}")
    click.echo(f"budget: {budget}; sampler: {summary['sampler']}, seed {summary['seed']}")
    if summary["chips_per_design"]:
        click.echo(f"chips of a design: {', then '.join(map(str, summary['rungs']))}")


def values_of(axis: dict[str, Any]) -> str:
    """The values of an axis in few words."""
    if axis["values"] is not None:
        return ", ".join(map(str, axis["values"]))
    return f"{axis['low']} … {axis['high']}{' (log)' if axis['log'] else ''}"


class SearchLine:
    """A watcher of a search and its runs that keeps a line on the terminal; a context manager.

    Where stderr is no terminal it notes what fails, and says once a minute how it stands.
    """

    def __init__(self, *, quiet: bool, notice: str | None = None) -> None:
        """`quiet` silences all; `notice` is said first."""
        self._quiet, self._notice = quiet, notice
        self._live: Live | None = None
        self._running: dict[str, None] = {}
        self._said, self._told, self._since = "", time.monotonic(), 0

    def __enter__(self) -> "SearchLine":
        """Say the notice."""
        if self._notice is not None and not self._quiet:
            note(self._notice)
        if not self._quiet and STDERR.is_terminal:
            self._live = Live(Text(), console=STDERR, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the line."""
        if self._live is not None:
            self._live.stop()

    def standing(self, trials: "Sequence[Trial]", search: "Search") -> None:
        """These trials have ended."""
        budget = search.section.budget
        of_trials = f" of {budget.trials}" if budget.trials else ""
        of_chips = f" of {budget.chips}" if budget.chips else ""
        tried = sum(trial.state != "repeated" for trial in trials)
        self._said = f"designs: {tried}{of_trials}, chips: {sum(t.spent for t in trials)}{of_chips}"
        self._since = 0
        self.tick()

    def started(self, key: str) -> None:
        """A worker begins with a run."""
        self._running[key] = None
        self.tick()

    def ended(self, key: str, outcome: "Outcome") -> None:
        """A run is done or has failed."""
        self._running.pop(key, None)
        self._since += outcome.ok
        if not outcome.ok and not self._quiet and outcome.attempts:
            note(f"failed: {key}: {outcome.reason}")
        self.tick()

    def tick(self) -> None:
        """Draw the line again; where stderr is no terminal, say it once a minute."""
        counts = Counter(key.rpartition("-")[0] for key in self._running)
        running = ", ".join(stage if count == 1 else f"{stage} ({count})" for stage, count in counts.items())
        since = f", runs of the next ones: {self._since}" if self._since else ""
        line, now = self._said + since + (f"; running: {running}" if running else ""), time.monotonic()
        if self._live is not None:
            self._live.update(Text(line), refresh=True)
        elif not self._quiet and self._said and now - self._told >= EVERY:
            self._told = now
            note(line)
