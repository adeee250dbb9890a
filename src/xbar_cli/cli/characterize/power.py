"""`xbar characterize power`."""

from typing import Any

import click

from xbar_cli.cli.shared.console import print_table
from xbar_cli.cli.shared.groups import Grouped
from xbar_cli.cli.shared.options import options
from xbar_cli.cli.shared.running import execute
from xbar_cli.config.characterize import PowerConfig

from .ranges import OF_RANGES


@click.command(cls=Grouped, epilog="Example: xbar characterize power --array 8x8 --weights normal:0,0.1 --samples 200")
@options(PowerConfig, without=("sweep.vbl_volt", *OF_RANGES))
def power(config: PowerConfig, **output: Any) -> None:
    """Monte Carlo of the mean power per synapse, for random weights and inputs, against the gate voltage."""
    from xbar_cli.workflows.characterize_power import run

    execute("characterize-power", config, workflow=run, show=show, **output)


def show(summary: dict[str, Any]) -> None:
    """Print the power against gate voltage."""
    powers = zip(summary["vg_volt"], summary["power_per_synapse_watt"], summary["power_ci95_watt"], strict=True)
    rows = [
        (f"{vg:g}", None, None)
        if mean is None
        else (f"{vg:g}", f"{mean * 1e6:.4g}", " … ".join(f"{end * 1e6:.4g}" for end in interval))
        for vg, mean, interval in powers
    ]
    size = "×".join(str(n) for n in summary["array"])
    title = f"Power per synapse, {summary['samples']} arrays {size}, weights {summary['weights']}"
    print_table(title, ["V_g [V]", "mean [µW]", "95 % interval [µW]"], rows)
