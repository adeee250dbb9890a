"""`xbar reproduce`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xbar_cli.interruption import unwinding

from .shared.console import print_json, print_table
from .shared.typed import way_on
from .sweeps.table import SweepTable

if TYPE_CHECKING:
    from xbar_cli.reproduce.sections import Preset


@click.command(epilog="Example: xbar reproduce neat --preset smoke --only fig8")
@click.argument("paper", type=click.Choice(["neat", "tat", "acm", "biased", "all"]))
@click.option(
    "--preset",
    type=click.Choice(["smoke", "desk", "full"]),
    default="smoke",
    show_default=True,
    help="smoke: bundled data, minutes; desk: hours on two processors; full: the paper's own sizes.",
)
@click.option("--only", metavar="ITEM", help="One item, such as fig8 or table1.")
@click.option("--workers", type=click.IntRange(1, 1024), metavar="N", help="Processes here (default one a processor).")
@click.option("--dry-run", is_flag=True, help="List the items and what of them is there; compute nothing.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of runs and report (default runs/reproduce-PRESET); what is there stays.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else.")
@click.option("--quiet", is_flag=True, help="No progress table, no notes.")
def reproduce(
    paper: str, preset: "Preset", only: str | None, workers: int | None, dry_run: bool, out: Path | None, as_json: bool,
    quiet: bool,
) -> None:  # fmt: skip
    """Reproduce a paper's figures and tables: run what is missing, judge ours against theirs, write one report."""
    from xbar_cli.reproduce.items import experiments_folder, find_items
    from xbar_cli.reproduce.running import plans_of

    items = find_items(paper, preset, folder=experiments_folder(), only=only)
    folder = out or Path("runs") / f"reproduce-{preset}"
    plans = plans_of(items, folder)
    if dry_run:
        summary = {
            "command": "reproduce",
            "dry_run": True,
            "items": [plan.state() for plan in plans],
            "out": str(folder),
        }
        print_json(summary) if as_json else show_state(summary)
        return
    from xbar_cli.reproduce.report import reproduce_items

    with unwinding(way_on("with what is missing")), SweepTable(quiet=quiet) as table:
        name = paper if only is None else f"{paper}-{only}"
        summary = reproduce_items(
            plans, preset=preset, out=folder, name=name, workers=workers, watcher=table,
            command_of=lambda item: f"xbar reproduce {item.paper} --preset {preset} --only {item.name}",
        )  # fmt: skip
    print_json(summary) if as_json else show(summary)


def show_state(summary: dict[str, Any]) -> None:
    """Print what of each item is there."""
    rows = [(s["paper"], s["item"], s["points"], s["runs"], s["runs_cached"], s["reason"]) for s in summary["items"]]
    print_table(f"Items, in {summary['out']}", ["paper", "item", "points", "runs", "there", "not run for"], rows)


def show(summary: dict[str, Any]) -> None:
    """Print the verdicts."""
    rows = [(item["paper"], item["figure"], item["verdict"], item["why"]) for item in summary["items"]]
    print_table(f"Verdicts, of the sizes of preset {summary['preset']}", ["paper", "item", "verdict", "why"], rows)
    counts = ", ".join(f"{count} {name}" for name, count in summary["verdicts"].items())
    click.echo(f"{counts}; report: {summary['report']}")
