"""`xbar characterize array`."""

from typing import Any

import click

from xbar_cli.cli.shared.console import print_table, say
from xbar_cli.cli.shared.groups import Grouped
from xbar_cli.cli.shared.options import options
from xbar_cli.cli.shared.running import execute
from xbar_cli.config.characterize import ArrayConfig

from .ranges import OF_RANGES


@click.command(cls=Grouped, epilog="Example: xbar characterize array --size 16x16 --r-wire 2.5 --seed 1")
@options(ArrayConfig, without=("sweep.vg_range", "sweep.vbl_volt", "cell.table", *OF_RANGES))
def array(config: ArrayConfig, **output: Any) -> None:
    """Simulate a whole array of 1T-1R cells with its wires in ngspice, and compare the project's models with it."""
    from xbar_cli.workflows.characterize_array import run

    execute("characterize-array", config, workflow=run, show=show, **output)


def show(summary: dict[str, Any]) -> None:
    """Print each model's distance from the simulator."""
    rows = [
        (name, f"{d['nrmsd']:.3g}", f"{d['max_relative_error']:.3g}", f"{d['max_full_scale_error']:.3g}")
        for name, d in summary["models"].items()
    ]
    size = "×".join(str(n) for n in summary["array"])
    wires = "" if summary["r_wire_ohm"] is None else f"{summary['r_wire_ohm']:g} Ω a wire segment, "
    title = f"{size}, {wires}V_g {summary['vg_volt']:g} V, against ngspice"
    print_table(title, ["model", "NRMSD", "largest relative error", "of full scale"], rows)
    say(
        f"ngspice: {summary['oracle_seconds']:.3g} s for {summary['inputs']} inputs, "
        f"{summary['oracle_seconds_first_input']:.3g} s for the first"
    )
