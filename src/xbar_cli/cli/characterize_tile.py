"""`xbar characterize tile`."""

from pathlib import Path
from typing import Any

import click

from .shared.console import print_table
from .shared.options import common, setting, with_config


def _config() -> Any:
    from xbar_cli.config.tile import TileConfig

    return TileConfig


@click.command(
    epilog="Example: xbar characterize tile --size 64x64 --r-wire 2.5",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@setting("--map", "tile.run", metavar="RUN", help="Take the first tile of a map run's layer (default random).")
@setting("--layer", "tile.layer", metavar="NAME", help="That layer (default the first).")
@setting("--size", "tile.size", metavar="ROWSxCOLS", help="Size of a random array (default 64x64).")
@setting("--r-on", "tile.r_on_ohm", metavar="OHM", help="Its lowest resistance (default 30k).")
@setting("--r-off", "tile.r_off_ohm", metavar="OHM", help="Its highest resistance (default 300k).")
@setting("--v-max", "tile.v_max_volt", metavar="VOLT", help="Largest input voltage (default 0.5).")
@setting("--r-wire", "tile.r_wire_ohm", metavar="OHM", help="One segment of a wire (default 1).")
@setting("--r-source", "tile.r_source_ohm", metavar="OHM", help="Each source (default 0).")
@setting("--r-neuron", "tile.r_neuron_ohm", metavar="OHM", help="Each neuron (default 0).")
@common
@with_config(_config)
def tile(config: Any, out: Path | None, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Node voltages and device currents of one resistive array with wires, as maps."""
    from xbar_cli.workflows.characterize_tile import run

    from .shared.running import execute

    execute(
        "characterize-tile", config, workflow=run, show=show, out=out, overwrite=overwrite, as_json=as_json, quiet=quiet
    )


def show(summary: dict[str, Any]) -> None:
    """Print the summary as a table."""
    rows = [
        ("worst drop on a word line", f"{summary['worst_word_drop_volt'] * 1e3:.3g} mV"),
        ("worst rise on a bit line", f"{summary['worst_bit_rise_volt'] * 1e3:.3g} mV"),
        ("current lost, mean of the columns", f"{summary['mean_current_loss']:.2%}"),
        ("current lost, worst column", f"{summary['worst_current_loss']:.2%}"),
        ("power from the sources", f"{summary['power_watt'] * 1e6:.4g} µW"),
    ]
    print_table(f"{summary['conductances']}, {summary['tile'][0]}×{summary['tile'][1]}", ["", ""], rows)
