"""`xbar import`."""

from pathlib import Path
from typing import Any

import click

from .console import print_table
from .options import common, setting, with_config


def _config() -> Any:
    from xbar_cli.config.devices import ImportConfig

    return ImportConfig


@click.command(
    name="import",
    epilog="Example: xbar import model.safetensors --network lenet5 --dataset mnist --out runs/net",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.argument("file", metavar="MODEL.safetensors")
@setting("--network", "network.name", metavar="NAME", help="As in xbar train (default lenet5).")
@setting("--dataset", "dataset.name", metavar="NAME", help="Data set (default fashion_mnist_mini).")
@setting("--data-dir", "dataset.data_dir", metavar="DIR", help="Where imported data sets are.")
@setting(
    "--layout", "layout", type=click.Choice(["auto", "torch", "xbar"]),
    help="Names and axes of the tensors: a torch state_dict, or our own (default by the names).",
)  # fmt: skip
@common
@with_config(_config, argument="file")
def import_(config: Any, out: Path | None, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Make a train run of a network trained elsewhere; layers are matched by name, else by shape and order."""
    from xbar_cli.workflows.importing import run

    from .running import execute

    execute("import", config, workflow=run, show=show, out=out, overwrite=overwrite, as_json=as_json, quiet=quiet)


def show(summary: dict[str, Any]) -> None:
    """Print the summary as a table."""
    rows = [
        (layer, summary["sources"][layer], count)
        for layer, count in zip(summary["layers"], summary["weights"], strict=True)
    ]
    print_table(
        f"{summary['network']} from {summary['file']} ({summary['layout']})", ["layer", "source", "weights"], rows
    )
    click.echo(f"test accuracy on {summary['dataset']}: {summary['test_accuracy']:.4f}")
