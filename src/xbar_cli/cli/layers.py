"""`xbar layers`."""

from pathlib import Path
from typing import Any

import click

from .shared.console import print_json, print_table


@click.command(epilog="Example: xbar layers runs/net --tile 128x128")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
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
    click.echo("reads: of its arrays, for one input")
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
