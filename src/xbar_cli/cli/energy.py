"""`xbar energy`."""

from pathlib import Path
from typing import Any

import click

from .console import print_table
from .options import common, setting, with_config


def _config() -> Any:
    from xbar_cli.config.hardware import EnergyConfig

    return EnergyConfig


@click.command(
    epilog="Example: xbar energy runs/mapped --model resparc",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.argument("run", metavar="RUN")
@setting("--model", "model", type=click.Choice(["resparc"]), help="Cost model (default resparc).")
@setting("--images", "images", metavar="N", help="Test images whose activations are averaged (default 256).")
@setting("--data-dir", "data_dir", metavar="DIR", help="Where imported data sets are.")
@common
@with_config(_config, argument="run")
def energy(config: Any, out: Path | None, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Energy, area and latency of a map run for one image, from measured activations and the cell's SPICE table."""
    from xbar_cli.workflows.energy import run

    from .running import execute

    execute("energy", config, workflow=run, show=show, out=out, overwrite=overwrite, as_json=as_json, quiet=quiet)


def show(summary: dict[str, Any]) -> None:
    """Print the summary as a table."""
    total = summary["energy_joule"]
    rows = [
        (
            name, f"{layer['cells_joule'] * 1e9:.4g}", f"{layer['gate_lines_joule'] * 1e9:.4g}",
            f"{(layer['cells_joule'] + layer['gate_lines_joule']) / total:.1%}",
            f"{layer['latency_seconds'] * 1e6:.4g}", f"{layer['area_m2'] * 1e12:.4g}",
        )
        for name, layer in summary["breakdown"]["layers"].items()
    ]  # fmt: skip
    breakdown = summary["breakdown"]
    rows.append(
        (
            "total", f"{breakdown['cells_joule'] * 1e9:.4g}", f"{breakdown['gate_lines_joule'] * 1e9:.4g}", "100.0%",
            f"{summary['latency_seconds'] * 1e6:.4g}", f"{summary['area_m2'] * 1e12:.4g}",
        )
    )  # fmt: skip
    print_table(
        f"{summary['model']}: {total * 1e9:.4g} nJ per image, mean of {summary['images']} images",
        ["layer", "cells [nJ]", "gate lines [nJ]", "share", "latency [µs]", "cell area [µm²]"], rows,
    )  # fmt: skip
