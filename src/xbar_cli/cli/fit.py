"""`xbar fit`."""

from typing import Any

import click

from xbar_cli.config.devices import FitConfig

from .shared.console import print_table
from .shared.options import options
from .shared.running import execute


@click.command(
    epilog="Example: xbar fit devices.csv --out runs/stats, then xbar eval runs/net --effect states:file=runs/stats"
)
@click.argument("file", metavar="DEVICES.csv")
@options(FitConfig, argument="file")
def fit(config: FitConfig, **output: Any) -> None:
    """Statistics of measured devices, from a CSV with columns target_siemens and measured_siemens."""
    from xbar_cli.workflows.fit import run

    execute("fit", config, workflow=run, show=show, **output)


def show(summary: dict[str, Any]) -> None:
    """Print the summary as a table."""
    columns = [[f"{value * 1e6:.4g}" for value in summary[f"{name}_siemens"]] for name in ("target", "mean", "sigma")]
    rows = list(zip(*columns, strict=True))
    title = f"{summary['measurements']} measurements, {summary['kind']}"
    print_table(title, ["target [µS]", "mean [µS]", "σ [µS]"], rows if len(rows) <= 16 else rows[:: len(rows) // 8])
    if len(rows) > 16:
        click.echo(f"every {len(rows) // 8}th of {len(rows)} knots; all of them are in statistics.toml")
