"""`xbar import`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .shared.console import print_table
from .shared.settings import common, network_settings, setting, with_config


def _config() -> Any:
    from xbar_cli.config.devices import ImportConfig

    return ImportConfig


@click.command(
    name="import",
    epilog="Example: xbar import model.safetensors --network lenet5 --dataset mnist --out runs/net",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.argument("file", metavar="MODEL.safetensors|INDEX.json")
@setting("--network", "network.name", metavar="NAME", help="As in xbar train (default lenet5).")
@setting("--width", "network.width", metavar="X", help="Multiplies hidden units and channels (default 1).")
@setting("--hidden", "network.hidden", metavar="N", help="Hidden units of mlp (default 500).")
@setting("--dataset", "dataset.name", metavar="NAME", help="Data set (default fashion_mnist_mini).")
@setting("--data-dir", "dataset.data_dir", metavar="DIR", help="Where imported data sets are.")
@setting(
    "--layout", "layout", type=click.Choice(["auto", "torch", "xbar"]),
    help="Names and axes of the tensors: a torch state_dict, or our own (default by the names).",
)  # fmt: skip
@setting(
    "--pair", "pairs", multiple=True, metavar="OURS=THEIRS",
    help="Source of one layer of ours, or of the batch norm behind it as LAYER_norm, where names do not tell; repeatable.",
)  # fmt: skip
@network_settings(padding="torch for torch's tensors, else same")
@common
@with_config(_config, argument="file")
def import_(config: Any, out: Path | None, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Make a train run of a network trained elsewhere, from a safetensors file or the index of its shards.

    Layers are matched by name if all names are ours, else by shape and by the numbers in their names; the table shows how.
    """
    from xbar_cli.workflows.importing import run

    from .shared.running import execute

    execute("import", config, workflow=run, show=show, out=out, overwrite=overwrite, as_json=as_json, quiet=quiet)


def show(summary: dict[str, Any]) -> None:
    """Print the summary as a table."""
    norms = summary["norm_sources"]
    columns = ["layer", "source", *(["batch norm"] if norms else []), "weights"]
    rows = [
        (layer, summary["sources"][layer], *([norms.get(layer, "")] if norms else []), count)
        for layer, count in zip(summary["layers"], summary["weights"], strict=True)
    ]
    title = f"{summary['network']} from {summary['file']} ({summary['layout']}), matched by {summary['matched_by']}"
    print_table(title, columns, rows)
    click.echo(f"pixels: {pixels(summary['mean'], summary['std'])}")
    if summary["padding"] is not None:
        click.echo(f"padding of stride 2: {summary['padding']}")
    if summary["norm_epsilon"] is not None:
        click.echo(f"batch norm's epsilon: {summary['norm_epsilon']:g}")
    click.echo(f"test accuracy on {summary['dataset']}: {summary['test_accuracy']:.4f}")


def pixels(mean: Sequence[float] | None, std: Sequence[float] | None) -> str:
    """What the network's pixels are, in words."""
    if mean is None and std is None:
        return "0 to 1 as they are (--mean and --std where it was trained on normalised ones)"
    text = [", ".join(f"{x:g}" for x in values or default) for values, default in ((mean, (0,)), (std, (1,)))]
    return (
        f"(x - {text[0]}) / {text[1]}"
        if len(mean or ()) < 2 and len(std or ()) < 2
        else f"mean {text[0]}, std {text[1]}"
    )
