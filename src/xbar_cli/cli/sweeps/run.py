"""`xbar run`."""

from pathlib import Path
from typing import Any

import click

from xbar_cli.cli.shared.console import HEADS, print_fitting, print_json, say
from xbar_cli.cli.shared.reporter import time_said
from xbar_cli.cli.shared.tracking import track_option
from xbar_cli.cli.shared.typed import way_on
from xbar_cli.interruption import unwinding
from xbar_cli.runs.trackers.tracker import TrackerName

from .cluster import cluster_options, require_one
from .table import SweepTable

MOST_WAITING = 12
"""Points of a sweep of which nothing is there yet that are listed."""


@click.command(epilog="Example: xbar run experiments/schemes.toml --workers 2")
@click.argument("experiment", metavar="EXPERIMENT.toml", type=click.Path(path_type=Path))
@cluster_options
@click.option("--dry-run", is_flag=True, help="List the points and what of them is there; compute nothing.")
@click.option("--only", metavar="STAGE", help="Compute this stage, and what it needs, at every point; no results.")
@click.option(
    "--figure-format", "formats", default="png", show_default=True, metavar="FORMAT[,...]", help="png, pdf, svg."
)
@track_option
@click.option("--set", "settings", multiple=True, metavar="STAGE.KEY=VALUE", help="Set one key of a stage.")
@click.option("--seed", metavar="N", help="Seed of every stage.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the runs (default runs/NAME); what is there stays."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else.")
@click.option("--quiet", is_flag=True, help="No progress table, no notes.")
def run(
    experiment: Path, workers: int | None, scheduler: str | None, retries: int, timeout: float | None, dry_run: bool,
    only: str | None, formats: str, track: tuple[TrackerName, ...], settings: tuple[str, ...], seed: str | None, out: Path | None,
    as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Run a pipeline, or a sweep of one, from a file: what is complete stays, what is missing or failed is computed."""
    require_one(workers, scheduler)
    from xbar_cli.experiment.file import load_experiment
    from xbar_cli.figures.formats import formats_of
    from xbar_cli.runs.trackers.tracking import check_trackers
    from xbar_cli.workflows import run as workflow

    loaded = load_experiment(experiment, settings=settings, seed=seed)
    folder, ends = out or Path("runs") / loaded.name, formats_of(formats)
    check_trackers(track, folder)
    if dry_run:
        summary = workflow.dry_run(loaded, out=folder, only=only)
    else:
        with unwinding(way_on("with what is missing")), SweepTable(quiet=quiet, notice=untrusted(scheduler)) as table:
            summary = workflow.run(loaded, out=folder, workers=workers, scheduler=scheduler, retries=retries,
                                   timeout=timeout, formats=ends, only=only, track=track,
                                   watcher=table, notes=table)  # fmt: skip
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
            f"{summary['failed']} of {summary['points']} points failed; {point_name(first, summary)}, stage {first['stage']}: "
            f"{first['reason']} (log: {first['log']}); the same command tries them again"
        )


def point_name(entry: dict[str, Any], summary: dict[str, Any]) -> str:
    """A point by what it sweeps."""
    from xbar_cli.experiment.naming import short_name, short_names, telling

    names = short_names(telling([point["values"] for point in summary["list"]]))
    return short_name(entry["values"], names=names) or entry["name"]


def plain(value: Any) -> Any:
    """A swept value in a column: lists by what is in them, anything else as it is."""
    from xbar_cli.experiment.naming import said

    return said(value) if isinstance(value, list | tuple) else value


def show(summary: dict[str, Any]) -> None:
    """Print the points as a table."""
    from xbar_cli.experiment.naming import short_names, telling

    names = short_names(telling([entry["values"] for entry in summary["list"]]))
    head = names.values()
    found = dict.fromkeys(name for entry in summary["list"] for name in entry["figures"])
    # one chip has no spread
    figures = [n for n in found if not n.endswith("_std") or any(entry["figures"].get(n) for entry in summary["list"])]
    mixed = any(entry["state"] != "done" for entry in summary["list"])
    rows = []
    listed = (
        summary["list"] if summary["done"] or len(summary["list"]) <= MOST_WAITING else summary["list"][:MOST_WAITING]
    )
    for entry in listed:
        numbers = (f"{entry['figures'][name]:.4g}" if name in entry["figures"] else None for name in figures)
        run = Path(next(reversed(entry["runs"].values()))).name
        state = entry["state"] if mixed else None
        reason = f"{entry['reason']} ({entry['log']})" if entry["reason"] else None
        rows.append((*(plain(entry["values"][key]) for key in names), state, *numbers, run, reason))
    counts = f"{summary['done']} done ({summary['cached']} of them before), {summary['failed']} failed"
    title = f"{summary['experiment']}: {summary['points']} points, {counts}"
    named = [str(HEADS.get(name, name.replace("_", " "))) for name in figures]
    print_fitting(
        title,
        [*head, "state", *named, "last run", "reason"],
        rows,
        least=[*head, "state", *named],
        hint="--json has all",
    )
    if summary.get("left_cpu_seconds") is not None:
        say(f"left: about {time_said(summary['left_cpu_seconds'])} of a processor, by the runs that are there")
    if len(listed) < len(summary["list"]):
        click.echo(f"and {len(summary['list']) - len(listed)} more (--json has all)")
    if summary["results"]:
        click.echo(f"results: {summary['results']}")
    for picture in summary.get("pictures", ()):
        files = " ".join(picture["files"])
        say(f"{f'picture: {files}' if files else picture['figure']}: {picture['caption']}")
    click.echo(f"runs: {summary['out']}")
