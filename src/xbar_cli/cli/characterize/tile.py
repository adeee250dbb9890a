"""`xbar characterize tile`."""

from typing import Any

import click

from xbar_cli.cli.shared.console import print_table
from xbar_cli.cli.shared.groups import Grouped
from xbar_cli.cli.shared.options import options
from xbar_cli.cli.shared.running import execute
from xbar_cli.config.tile import TileConfig


@click.command(cls=Grouped, epilog="Example: xbar characterize tile --size 64x64 --r-wire 2.5")
@options(TileConfig)
def tile(config: TileConfig, **output: Any) -> None:
    """Node voltages and device currents of one resistive array with wires, as maps."""
    from xbar_cli.workflows.characterize_tile import run

    execute("characterize-tile", config, workflow=run, show=show, **output)


def show(summary: dict[str, Any]) -> None:
    """Print the summary as a table."""
    rows = [
        ("worst drop on a word line", f"{summary['worst_word_drop_volt'] * 1e3:.3g} mV"),
        ("worst rise on a bit line", f"{summary['worst_bit_rise_volt'] * 1e3:.3g} mV"),
        ("current lost, mean of the columns", f"{summary['mean_current_loss']:.2%}"),
        ("current lost, worst column", f"{summary['worst_current_loss']:.2%}"),
        ("power from the sources", f"{summary['power_watt'] * 1e6:.4g} µW"),
    ]
    rows += [(f"{name} from solved currents, NRMSD", f"{far['nrmsd']:.3g}") for name, far in summary["models"].items()]
    print_table(f"{summary['conductances']}, {summary['tile'][0]}×{summary['tile'][1]}", ["", ""], rows)
