"""`xbar map`."""

from typing import Any

import click

from xbar_cli.config.hardware import MapConfig

from .shared.completion import runs
from .shared.console import print_table, say
from .shared.groups import Grouped
from .shared.options import options
from .shared.running import execute


@click.command(cls=Grouped, epilog="Example: xbar map runs/net --tile 128x128 --out runs/mapped")
@click.argument("run", metavar="RUN", shell_complete=runs("train"))
@options(MapConfig, argument="run")
def map(config: MapConfig, **output: Any) -> None:
    """Put the weights of a train run on devices: conductances, tiles, scales."""
    from xbar_cli.workflows.map import run

    execute("map", config, workflow=run, show=show, **output)


def show(summary: dict[str, Any]) -> None:
    """Print the summary as a table."""
    layers = summary["layers"]
    gated = any(layer["vg_volt"] is not None for layer in layers)
    shrunk = any(layer["scale_kept"] < 1 for layer in layers)
    absent = any(layer["absent_fraction"] for layer in layers)
    head = [
        "layer", "array", "devices", "tiles", "used", *["V_g"] * gated, "µS", *["kept"] * shrunk, "RMSE", "clip",
        *["absent"] * absent,
    ]  # fmt: skip
    rows = [
        (
            layer["name"], f"{layer['rows']}×{layer['cols']}", layer["devices"], layer["tiles"], f"{layer['utilisation']:.0%}",
            *[layer["vg_volt"]] * gated, scale(layer["slope_siemens"]), *[f"{layer['scale_kept']:.2f}"] * shrunk,
            f"{layer['weight_rmse']:.1e}", f"{layer['clipped_fraction']:.1%}", *[f"{layer['absent_fraction']:.0%}"] * absent,
        )
        for layer in layers
    ]  # fmt: skip
    total = ("total", "", summary["devices"], summary["tiles"], f"{summary['utilisation']:.0%}", *[""] * gated, "")
    rows.append((*total, *[""] * shrunk, f"{summary['weight_rmse']:.1e}", "", *[""] * absent))
    tile = "×".join(str(n) for n in summary["tile"])
    span = f"{summary['g_off_siemens'] * 1e6:.3g} … {summary['g_on_siemens'] * 1e6:.3g} µS"
    of = f", {summary['technology']}" if summary["technology"] else ""
    print_table(f"Scheme {summary['scheme']}{of}, {span}, tiles of {tile}", head, rows)
    notes = ["µS: conductance per unit of weight"] + ["kept: of the scale, so that running sums fit"] * shrunk
    say("; ".join([*notes, "RMSE: of the decoded weights"]))


def scale(slope: float | list[float]) -> str:
    """Conductance per unit of weight [µS], or its range over the columns."""
    values = slope if isinstance(slope, list) else [slope]
    low, high = (f"{value * 1e6:.4g}" for value in (min(values), max(values)))
    return low if low == high else f"{low}…{high}"
