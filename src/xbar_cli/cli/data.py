"""`xbar data`: which data sets are there, and how to get the others. Library imports stand inside the bodies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xbar_cli.cli.shared.console import STDERR, note, print_json, print_table
from xbar_cli.interruption import AGAIN, unwinding
from xbar_cli.outside import quoted

if TYPE_CHECKING:
    from xbar_cli.data.importers import Imported

_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="TFDS data directory. Default: $XBAR_DATA_DIR, else $TFDS_DATA_DIR, else ~/tensorflow_datasets.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog="Example: xbar data ls")
def data() -> None:
    """Data sets: what is there, your own, official files."""


@data.command("ls", epilog="Example: xbar data ls --json")
@_data_dir
@_json
def ls(data_dir: Path | None, as_json: bool) -> None:
    """List the data sets and say what to do about those that are not there."""
    from dataclasses import asdict, replace

    from xbar_cli.data.datasets import default_data_dir, status

    folder = data_dir or default_data_dir()
    rows = status(folder)
    for index, row in enumerate(rows):
        if row.note == f"xbar data import {row.name}":
            rows[index] = replace(row, note=f"{row.note} --from DIR")
    if as_json:
        print_json({"datasets": [asdict(row) for row in rows], "data_dir": str(folder)})
        return
    columns = ("data set", "there", "train", "test", "note")
    table = [(row.name, "yes" if row.available else "no", row.train, row.test, row.note) for row in rows]
    print_table(f"Data sets in {folder}", columns, table)


data.add_command(ls, "list")


@data.command("show", epilog="Example: xbar data show jargon")
@click.argument("name")
@_data_dir
@_json
def show_(name: str, data_dir: Path | None, as_json: bool) -> None:
    """Tell of the data set NAME: task, shape, classes, and what is kept with it."""
    from xbar_cli.data.datasets import describe

    facts = describe(name, data_dir=data_dir)
    if as_json:
        print_json(facts)
        return
    print_table(f"Data set {name}", ("what", "value"), [(key, _short(value)) for key, value in facts.items()])


def _short(value: object) -> str:
    """A value of a table; of long lists the first ones and their number."""
    if not isinstance(value, (list, tuple)):
        return "–" if value is None else str(value)
    shown = ", ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in value[:8])
    return shown if len(value) <= 8 else f"{shown}, … ({len(value)})"


@data.command("add", epilog="Example: xbar data add wine wine.csv --label class --standardise")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--task",
    type=click.Choice(["classification", "regression", "labelling", "next_token"]),
    help="What is asked for (default: as the labels look).",
)
@click.option(
    "--label", metavar="COLUMN[,COLUMN...]", help="csv: column of the labels, by name or number (default last)."
)
@click.option("--columns", metavar="COLUMN[,COLUMN...]", help="csv: columns of the inputs (default all others).")
@click.option("--no-header", is_flag=True, help="csv: the first row is data; columns are called 1, 2, 3 and so on.")
@click.option("--length", type=click.IntRange(1, 10**6), help="txt: characters of a sequence (64); wav: samples.")
@click.option("--size", metavar="HxW", help="Pictures: bring all to this size.")
@click.option(
    "--rate", type=click.IntRange(1, 10**7), metavar="HZ", help="wav: rate that all must have (default the first's)."
)
@click.option(
    "--classes",
    type=click.IntRange(2, 100_000),
    help="npz: outputs of the network that the set is for, where it has rows of some classes alone.",
)
@click.option("--test-fraction", type=float, default=0.2, help="Share that tests, where the file has no parts (0.2).")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, help="Draws the test part (0).")
@click.option(
    "--standardise", is_flag=True, help="Numbers to mean 0 and deviation 1 over the training part; kept with the set."
)
@click.option("--overwrite", is_flag=True, help="Replace a data set of this name.")
@_data_dir
@_json
def add_(name: str, file: Path, data_dir: Path | None, as_json: bool, overwrite: bool, **asked: Any) -> None:
    """Add your own data set NAME from FILE: npz, csv, txt, or a folder with pictures or wav files in a folder a class."""
    from xbar_cli.data.own.adding import add
    from xbar_cli.data.own.raw import Ingest

    header, size = not asked.pop("no_header"), _size(asked.pop("size"))
    label, columns = (_columns(asked.pop(key)) for key in ("label", "columns"))
    wanted = Ingest(**asked, label=label, columns=columns, header=header, size=size)
    added = add(name, file, wanted, data_dir=data_dir, overwrite=overwrite)
    summary = {"name": name, "out": str(added.out), **{key: added.facts[key] for key in _TOLD}}
    if added.facts["note"]:
        note(added.facts["note"])
    if as_json:
        print_json(summary)
        return
    print_table(f"Data set {name}", ("what", "value"), [(key, _short(value)) for key, value in summary.items()])


_TOLD = ("task", "train", "test", "shape", "dtype", "outputs", "class_names", "identical", "standardised")


def _columns(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",")) if text else ()


def _size(text: str | None) -> tuple[int, int] | None:
    """Height and width of `28x28`."""
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal() and 1 <= int(height) <= 4096 and 1 <= int(width) <= 4096):
        raise click.BadParameter(f"{quoted(text)} is no size such as 28x28, of 1 to 4096", param_hint="--size")
    return int(height), int(width)


@data.command("import", epilog="Example: xbar data import mnist --from ~/downloads/mnist")
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help="Directory with the official files (idx, idx.gz, CIFAR binary, tar.gz, EMNIST's zip), or the archive. "
    "fashion_mnist needs none where Debian's package dataset-fashion-mnist is installed.",
)
@click.option("--allow-partial", is_flag=True, help="Take fewer images than the official set; every result says so.")
@_data_dir
@_json
def import_(name: str, source: Path | None, allow_partial: bool, data_dir: Path | None, as_json: bool) -> None:
    """Import the data set NAME from official files: contents are verified, a failed import changes nothing."""
    from xbar_cli.data.importers import import_dataset

    with unwinding(lambda: AGAIN), _progress() as progress:
        made = import_dataset(name, source=source, data_dir=data_dir, allow_partial=allow_partial, progress=progress)
    if source is None:
        note(f"taken from Debian's package dataset-fashion-mnist: {made.source}")
    _report(made, as_json)


@data.command("prepare", epilog="Example: xbar data prepare cifar10")
@click.argument("name")
@_data_dir
@_json
def prepare_(name: str, data_dir: Path | None, as_json: bool) -> None:
    """Download the data set NAME and prepare it; without a network this says which files to import."""
    from xbar_cli.data.importers import prepare

    with unwinding(lambda: AGAIN), _progress() as progress:
        made = prepare(name, data_dir=data_dir, progress=progress)
    _report(made, as_json)


def _report(made: "Imported", as_json: bool) -> None:
    """Print what was made, as JSON or as a table."""
    summary = {
        "name": made.name,
        "train": made.train,
        "test": made.test,
        "official_checksums": made.official_checksums,
        "out": str(made.out),
        "partial": made.partial,
    }
    if as_json:
        print_json(summary)
        return
    print_table(f"Data set {made.name}", ("what", "value"), summary.items())


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """A progress bar on stderr; None when stderr is no terminal. A total of 0 stands for an unknown one."""
    if not STDERR.is_terminal:
        yield None
        return
    from rich.progress import Progress

    with Progress(console=STDERR, transient=True) as bar:
        tasks = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=None)
            bar.update(tasks[what], completed=done, total=total or None)

        yield show
