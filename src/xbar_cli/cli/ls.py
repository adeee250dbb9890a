"""`xbar ls`."""

from pathlib import Path
from typing import Any

import click

from .shared.console import note, print_json, print_table


@click.command(epilog="Example: xbar ls runs")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("runs"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else.")
def ls(folder: Path, as_json: bool) -> None:
    """List the runs in a folder (default runs) with the keys and figures that tell them apart."""
    from xbar_cli.runs.listing import listing

    found = listing(folder)
    if as_json:
        print_json(found)
        return
    show(found)


def show(found: dict[str, Any]) -> None:
    """Print a table for each command; what all of its runs share stands in the title."""
    folder = Path(found["out"])
    commands = dict.fromkeys(run["command"] for run in found["runs"])
    for command in commands:
        show_command(command, [run for run in found["runs"] if run["command"] == command], folder)
    if not commands:
        click.echo(f"no runs in {folder}")
    for damaged in found["damaged"]:
        note(f"damaged: {damaged['path']}: {damaged['reason']}")


def show_command(command: str | None, runs: list[dict[str, Any]], folder: Path) -> None:
    """Print the runs of one command."""
    columns = list(dict.fromkeys(name for run in runs for name in run if name not in ("path", "command")))
    shared = [name for name in columns if len(runs) > 1 and len({str(run.get(name)) for run in runs}) == 1]
    named = [f"{name} {_cell(runs[0], name)}" for name in shared if name != "state" and runs[0].get(name) is not None]
    shown = [
        name
        for name in columns
        if name not in shared and not (name == "state" and runs[0]["state"] == "done" and len(runs) == 1)
    ]
    rows = [(_short(run["path"], folder), *(_cell(run, name) for name in shown)) for run in runs]
    heads = [HEADS.get(name, name) for name in shown]
    print_table(", ".join([command or "interrupted, or at work", *named]), ["run", *heads], rows)


HEADS = {"energy_joule": "energy [J]", "accuracy_std": "std", "train_seed": "train seed"}


def _short(path: str, folder: Path) -> str:
    return str(Path(path).relative_to(folder)) if Path(path) != folder else "."


def _cell(run: dict[str, Any], name: str) -> str | None:
    value = run.get(name)
    return f"{value:.4g}" if isinstance(value, float) else value
