"""`xbar map`."""

from pathlib import Path
from typing import Any

import click

from .console import print_table
from .options import common, mapping_settings, setting, with_config


def _config() -> Any:
    from xbar_cli.config.hardware import MapConfig

    return MapConfig


@click.command(
    epilog="Example: xbar map runs/net --tile 128x128 --out runs/mapped",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.argument("run", metavar="RUN")
@mapping_settings
@setting("--data-dir", "data_dir", metavar="DIR", help="Where imported data sets are.")
@common
@with_config(_config, argument="run")
def map(config: Any, out: Path | None, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Put the weights of a train run on devices: conductances, tiles, scales."""
    from xbar_cli.workflows.map import run

    from .running import execute

    execute("map", config, workflow=run, show=show, out=out, overwrite=overwrite, as_json=as_json, quiet=quiet)


def show(summary: dict[str, Any]) -> None:
    """Print the summary as a table."""
    rows = [
        (
            layer["name"], f"{layer['rows']}×{layer['cols']}", layer["devices"], layer["tiles"],
            None if layer["vg_volt"] is None else f"{layer['vg_volt']:g}", f"{layer['weight_rmse']:.2e}",
            f"{layer['clipped_fraction']:.2%}",
        )
        for layer in summary["layers"]
    ]  # fmt: skip
    rows.append(("total", "", summary["devices"], summary["tiles"], "", f"{summary['weight_rmse']:.2e}", ""))
    tile = "×".join(str(n) for n in summary["tile"])
    print_table(
        f"Scheme {summary['scheme']}, tiles of {tile}, utilisation {summary['utilisation']:.1%}",
        ["layer", "array", "devices", "tiles", "V_g [V]", "weight RMSE", "clipped"], rows,
    )  # fmt: skip
