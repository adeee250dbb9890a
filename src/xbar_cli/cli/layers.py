"""`xbar layers` and `xbar partition`: what sits on arrays, and what should."""

from pathlib import Path
from typing import Any

import click

from xbar_cli.config.chips.evaluate import PARTITION_WITHOUT, PartitionConfig

from .shared.completion import runs
from .shared.console import print_json, print_table, say
from .shared.groups import Grouped
from .shared.options import options


@click.command(epilog="Example: xbar layers runs/net --tile 128x128")
@click.argument("run", metavar="RUN", shell_complete=runs("train", "map"), type=click.Path(path_type=Path))
@click.option(
    "--layers", default="all", show_default=True, metavar="all|dense|PATTERN[,...]", help="Layers that are on arrays."
)
@click.option(
    "--scheme", type=click.Choice(["de", "bc", "acm"]), default="de", show_default=True, help="Of the columns."
)
@click.option("--tile", default="128x128", show_default=True, metavar="ROWSxCOLS", help="Size of one array.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else.")
def layers(run: Path, layers: str, scheme: str, tile: str, as_json: bool) -> None:
    """What of a trained network sits on arrays: every product with its devices and reads, and what stays digital and why."""
    from xbar_cli.config.hardware import parse_tile
    from xbar_cli.workflows.layers import run as find

    found = find(run, layers=layers, scheme=scheme, tile=parse_tile(tile))
    if as_json:
        print_json(found)
        return
    show(found)


def show(found: dict[str, Any]) -> None:
    """Print the tables."""
    rows = [
        (
            row["name"], row["kind"], shape_text(row["kernel"]), row["groups"] if row["groups"] > 1 else "",
            row["reads"], row["devices"] if row["on_arrays"] else "digital", row["tiles"] if row["on_arrays"] else "",
        )
        for row in found["layers"]
    ]  # fmt: skip
    total = found["total"]
    rows.append(("total", "", "", "", "", total["devices"], total["tiles"]))
    print_table(
        f"{found['network']} on {found['dataset']}: scheme {found['scheme']}, tiles of {shape_text(found['tile'])}",
        ["layer", "product", "kernel", "groups", "reads", "devices", "tiles"],
        rows,
    )
    say("reads: of its arrays, for one input")
    if found["digital_products"]:
        print_table(
            "products that stay digital",
            ["product", "operands", "times", "why"],
            [
                (p["kind"], " · ".join(map(shape_text, p["shapes"])), p["times"], p["reason"])
                for p in found["digital_products"]
            ],
        )
    if found["digital_parameters"]:
        print_table(
            "parameters that stay digital",
            ["parameter", "shape", "read by"],
            [(p["name"], shape_text(p["shape"]), ", ".join(p["used_by"])) for p in found["digital_parameters"]],
        )


def shape_text(shape: list[int]) -> str:
    """Sizes as `3×3×16`."""
    return "×".join(map(str, shape)) or "1"


@click.command(cls=Grouped, epilog="Example: xbar partition runs/net --variation 0.2 --loss 0.01")
@click.argument("run", metavar="RUN", shell_complete=runs("train", "map"))
@options(PartitionConfig, argument="run", without=PARTITION_WITHOUT)
def partition(config: PartitionConfig, **output: Any) -> None:
    """Which layers of a train run to keep digital, so that the arrays of the others cost no more than --loss.

    Layers are made digital one by one, each time the one whose return wins back most accuracy a device (--per), on held-out
    training images and the same chips throughout. The last line is the --layers for xbar map and xbar eval.
    """
    from xbar_cli.workflows.partition import run

    from .shared.running import execute

    execute("partition", config, workflow=run, show=show_partition, **output)


def show_partition(summary: dict[str, Any]) -> None:
    """Print the steps, and what is left."""
    rows = [
        (
            number or "", step["layer"] or "–", step["devices"], percent(step["loss"], step["loss_ci95"]),
            "" if step["gain"] is None else percent(step["gain"], step["gain_ci95"]),
        )
        for number, step in enumerate(summary["steps"])
    ]  # fmt: skip
    print_table(
        f"Mean of {summary['samples']} chips on {summary['held_out_images']} held-out images; floating point: "
        f"{summary['ideal_accuracy']:.1%}. What wins back most a {summary['per']} is made digital",
        ["", "made digital", "devices left", "lost [%]", "won back [%]"],
        rows,
    )
    say("in brackets: 95 % intervals over chips, the same ones throughout")
    if not summary["reached"]:
        say(f"a loss below {summary['wanted_loss']:g} is not reached with any layer on arrays")
    say(
        f"on the {summary['test_images']} test images: {summary['test_accuracy_mean']:.4f}, lost "
        f"{summary['test_loss'] * 100:.2f} % of {summary['test_ideal_accuracy']:.4f} in floating point"
    )
    click.echo(f"--layers '{summary['layers']}'")


def percent(value: float, ci: list[float] | None) -> str:
    """A share with its interval [%]."""
    return f"{value * 100:.1f}" + ("" if ci is None else f" ({ci[0] * 100:.1f} … {ci[1] * 100:.1f})")
