"""`xbar data`: which data sets are there, and how to get the others. Library imports stand inside the bodies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xbar_cli.cli.shared.console import STDERR, note, print_json, print_table
from xbar_cli.interruption import AGAIN, unwinding

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
    """Data sets: what is there, import official files, download."""


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
