"""`xbar fit`."""

from typing import Any

import click

from xbar_cli.config.devices import FitConfig

from .shared.console import print_table
from .shared.options import options
from .shared.running import execute


@click.command(
    epilog="Example: xbar fit devices.csv --out runs/stats, then xbar eval runs/net --technology runs/stats --effect states"
)
@click.argument("file", metavar="DEVICES.csv")
@options(FitConfig, argument="file")
def fit(config: FitConfig, **output: Any) -> None:
    """Statistics of measured devices, from a CSV with columns target_siemens and measured_siemens.

    Units stand in the heads (target_uS, measured_kohm too). With a column device the spread between devices and that between the
    writes of one are told apart. The run is a device technology for --technology: its range, and of states its levels.
    """
    from xbar_cli.workflows.fit import run

    execute("fit", config, workflow=run, show=show, **output)


PARTS = {"sigma_device": "devices", "sigma_cycle": "writes"}
"""Parts of a spread, and between what they are."""


def show(summary: dict[str, Any]) -> None:
    """Print the summary as a table."""
    parts = [name for name in PARTS if f"{name}_siemens" in summary]
    names = ("target", "mean", "sigma", *parts)
    columns = [[f"{value * 1e6:.4g}" for value in summary[f"{name}_siemens"]] for name in names]
    rows = list(zip(*columns, strict=True))
    devices = f" of {summary['devices']} devices" if summary["devices"] else ""
    title = f"{summary['measurements']} measurements{devices}, {summary['kind']}"
    head = ["target [µS]", "mean [µS]", "σ [µS]", *(f"σ between {PARTS[name]} [µS]" for name in parts)]
    print_table(title, head, rows if len(rows) <= 16 else rows[:: len(rows) // 8])
    if len(rows) > 16:
        click.echo(f"every {len(rows) // 8}th of {len(rows)} knots; all of them are in statistics.toml")
