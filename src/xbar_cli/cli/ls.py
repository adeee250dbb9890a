"""`xbar ls`."""

from pathlib import Path
from typing import Any

import click

from .shared.console import HEADS, note, print_fitting, print_json


@click.command(epilog="Example: xbar ls runs --where 'accuracy>0.8' --sort=-accuracy --columns r_wire,tile,accuracy")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("runs"))
@click.option(
    "--where", multiple=True, metavar="TERM", help="Only runs of which it is true, as 'accuracy>0.8'; may be repeated."
)
@click.option("--sort", metavar="[-]KEY", help="In the order of a key, falling with a minus.")
@click.option("--columns", metavar="KEY[,...]", help="These columns instead: any keys and figures, or their ends.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else.")
def ls(folder: Path, where: tuple[str, ...], sort: str | None, columns: str | None, as_json: bool) -> None:
    """List the runs in a folder (default runs) with the keys and figures that tell them apart.

    A sweep is one line; its runs are listed by its own folder, and by --where.
    """
    from xbar_cli.runs import listing

    found = listing.listing(folder, where=where, sort=sort)
    if columns is not None and found["runs"]:
        names = [name.strip() for name in columns.split(",") if name.strip()]
        chosen = listing.columns(folder, names, of=[run["path"] for run in found["runs"]])
        always = ("path", "command")
        found["runs"] = [{k: run[k] for k in always} | chosen[run["path"]] for run in found["runs"]]
    if as_json:
        print_json(found)
        return
    show(found, whole=columns is not None)


def show(found: dict[str, Any], *, whole: bool = False) -> None:
    """Print a table for each command; what all of its runs share stands in the title, unless the `whole` of it is asked for."""
    from xbar_cli.runs.listing import SWEEPS

    folder = Path(found["out"])
    commands = dict.fromkeys(run["command"] for run in found["runs"])
    for command in commands:
        show_command(command, [run for run in found["runs"] if run["command"] == command], folder, whole=whole)
    if not commands:
        click.echo(f"no runs in {folder}")
    below = [run["path"] for run in found["runs"] if run["command"] in SWEEPS and Path(run["path"]) != folder]
    if below:
        click.echo(f"runs of sweeps: xbar ls {below[0]}" + (", …" if len(below) > 1 else ""))
    for damaged in found["damaged"]:
        note(f"damaged: {damaged['path']}: {damaged['reason']}")


def show_command(command: str | None, runs: list[dict[str, Any]], folder: Path, *, whole: bool) -> None:
    """Print the runs of one command; columns that the terminal has no room for are named below."""
    runs = [{**run, **run.get("differs", {})} for run in runs]
    names = list(dict.fromkeys(n for run in runs for n in run if n not in ("path", "command", "differs")))
    shared = [n for n in names if len(runs) > 1 and len({str(run.get(n)) for run in runs}) == 1 and not whole]
    titled = [f"{n} {_cell(runs[0], n)}" for n in shared if n != "state" and runs[0].get(n) is not None]
    plain = runs[0].get("state") == "done" and len(runs) == 1
    chosen = [n for n in names if n not in shared and not (n == "state" and plain)]
    # figures last, as in every table
    chosen.sort(key=lambda n: n in FIGURES and not whole)
    rows = [(_short(run["path"], folder), *(_cell(run, n) for n in chosen)) for run in runs]
    heads = ["run", *_heads(chosen)]
    title = ", ".join([command or "interrupted, or at work", *titled])
    least = [HEADS.get(n, n) for n in ("state", "effects", *FIGURES)]
    print_fitting(title, heads, rows, least=least, hint="--columns chooses", longest=ASKED if whole else LONGEST)


FIGURES = ("accuracy", "accuracy_std", "energy_joule", "difference", "p_value")
LONGEST, ASKED = 18, 28
"""Characters of a cell at 80 columns: of those that are chosen here, and of those that are asked for."""


def _heads(names: list[str]) -> list[str]:
    """Heads of columns: dotted keys by their last word, where that is enough."""
    short = [name.rpartition(".")[2] for name in names]
    return [HEADS.get(n, n if short.count(s) > 1 else s) for n, s in zip(names, short, strict=True)]


def _short(path: str, folder: Path) -> str:
    return str(Path(path).relative_to(folder)) if Path(path) != folder else "."


def _cell(run: dict[str, Any], name: str) -> str | None:
    value = run.get(name)
    return f"{value:.4g}" if isinstance(value, float) else value
