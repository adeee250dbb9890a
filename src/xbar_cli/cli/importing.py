"""`xbar import`."""

from collections.abc import Sequence
from typing import Any

import click

from xbar_cli.config.devices import ImportConfig

from .shared.console import print_table
from .shared.groups import Grouped
from .shared.options import options
from .shared.running import execute


@click.command(
    cls=Grouped,
    name="import",
    epilog="Example: xbar import model.safetensors --network lenet5 --dataset mnist --out runs/net",
)
@click.argument("file", metavar="MODEL.safetensors|INDEX.json|MODEL.onnx")
@options(
    ImportConfig, argument="file", without=("network.activation", "network.bias", "dataset.train_images"), draws=False
)
def import_(config: ImportConfig, **output: Any) -> None:
    """Make a train run of a network trained elsewhere, from a safetensors file, the index of its shards, or an ONNX file.

    Layers are matched by name if all names are ours, else by shape and by the numbers in their names; the table shows how.
    """
    from xbar_cli.workflows.importing import run

    execute("import", config, workflow=run, show=show, **output)


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
    click.echo(f"test {summary['metric']} on {summary['dataset']}: {summary['metric_value']:.4f}")


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
