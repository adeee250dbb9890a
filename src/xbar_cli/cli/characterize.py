"""`xbar characterize`."""

from pathlib import Path
from typing import Any

import click

from .console import print_table
from .options import common, setting, with_config


def _config() -> Any:
    from xbar_cli.config.characterize import CharacterizeConfig

    return CharacterizeConfig


@click.command(
    epilog="Example: xbar characterize --vg-range 0.7:1.0:0.05 --width 90n --out runs/cell",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@setting("--vg-range", "sweep.vg_range", metavar="START:STOP:STEP", help="Gate voltages [V] (default 0.7:1.0:0.05).")
@setting("--vin-range", "sweep.vin_range", metavar="START:STOP:COUNT", help="Input voltages [V] (default 0.01:0.5:51).")
@setting("--card", "cell.card", metavar="NAME|FILE", help="Transistor card: lp, or a file with a .model (default lp).")
@setting("--model", "cell.model", metavar="NAME", help="Name of the .model in the file.")
@setting("--width", "cell.width_m", metavar="METRE", help="Gate width (default 90n).")
@setting("--length", "cell.length_m", metavar="METRE", help="Gate length (default 45n).")
@setting("--temperature", "cell.temperature_celsius", metavar="CELSIUS", help="Temperature (default 27).")
@setting(
    "--topology", "cell.topology", type=click.Choice(["drain", "source"]), help="Memristor's side of the transistor."
)
@setting("--r-on", "cell.r_on_ohm", metavar="OHM", help="Low-resistance state (default 30k).")
@setting("--r-off", "cell.r_off_ohm", metavar="OHM", help="High-resistance state (default 300k).")
@setting("--g-points", "sweep.g_points", metavar="N", help="Conductances of the table (default 64).")
@setting("--tolerance", "range.tolerance", metavar="SHARE", help="Bound of the tolerance metric (default 0.025).")
@setting(
    "--tolerance-metric", "range.metric", type=click.Choice(["spread", "deviation", "std"]), help="Tolerance metric."
)
@setting("--surrogate-error", "surrogate.error", metavar="SHARE", help="Largest relative error (default 1e-3).")
@setting("--jobs", "sweep.jobs", metavar="N", help="Simulator processes (default 1).")
@setting("--backend", "sweep.backend", type=click.Choice(["auto", "ctypes", "ngspyce"]), help="Binding of ngspice.")
@common
@with_config(_config)
def characterize(config: Any, out: Path | None, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Simulate a 1T-1R cell in ngspice: its linear range at every gate voltage, and a differentiable surrogate."""
    from xbar_cli.workflows.characterize import run

    from .running import execute

    execute("characterize", config, workflow=run, show=show, out=out, overwrite=overwrite, as_json=as_json, quiet=quiet)


def show(summary: dict[str, Any]) -> None:
    """Print the summary as a table."""
    columns = ["vg_volt", "g_lo_siemens", "g_cut_siemens", "surrogate_rank", "surrogate_max_error"]
    rows = [
        (f"{vg:g}", _siemens(lo), _siemens(cut), rank, f"{error:.1e}")
        for vg, lo, cut, rank, error in zip(*(summary[name] for name in columns), strict=True)
    ]
    print_table("Linear range and surrogate", ["V_g [V]", "G_lo [µS]", "G_cut [µS]", "rank", "largest error"], rows)
    click.echo(f"{summary['points']} points at {summary['points_per_second']:.3g} points/s, {summary['simulator']}")


def _siemens(value: float | None) -> str:
    return "none" if value is None else f"{value * 1e6:.4g}"
