"""`xbar fit`."""

from typing import Any

import click

from xbar_cli.config.devices import FitConfig

from .shared.console import print_table, say
from .shared.options import options
from .shared.running import execute


@click.command(
    epilog="Example: xbar fit devices.csv --out runs/stats, then xbar eval runs/net --technology runs/stats --effect states"
)
@click.argument("file", metavar="DEVICES.csv")
@options(FitConfig, argument="file")
def fit(config: FitConfig, **output: Any) -> None:
    """Statistics of measured devices, from a CSV with columns target_siemens and measured_siemens; or how they switch.

    Units stand in the heads (target_uS, measured_kohm too). With a column device the spread between devices and that between the
    writes of one are told apart. The run is a device technology for --technology: its range, and of states its levels.

    --kind pulses makes a switching model of pulse trains, from columns conductance_siemens and direction (or volt), with a line
    after every pulse, and device, cycle, pulse, volt, width_ns where there are such. The run is one for --program-device and
    --switching (docs/guides/own_device.md).
    """
    from xbar_cli.workflows.fit import run

    execute("fit", config, workflow=run, show=show, **output)


PARTS = {"sigma_device": "devices", "sigma_cycle": "writes"}
"""Parts of a spread, and between what they are."""


FIGURES = {
    "pulses_up": "pulses up, end to end", "nonlinearity_up": "nonlinearity up", "first_step_up": "first step up, of the window",
    "pulses_down": "pulses down, end to end", "nonlinearity_down": "nonlinearity down",
    "first_step_down": "first step down, of the window", "sigma_cycle": "σ of a pulse, of the step",
    "sigma_cycle_window": "σ of a pulse, of the window", "sigma_step": "σ between devices, of steps",
    "sigma_asymmetry": "σ between devices, of asymmetry", "sigma_window": "σ between devices, of an end of the window",
}  # fmt: skip
"""Figures of a switching model, in words."""


def show_switching(summary: dict[str, Any]) -> None:
    """Print a switching model with its intervals."""
    low, high = (f"{summary[key] * 1e6:.4g}" for key in ("g_min_siemens", "g_max_siemens"))
    rows = []
    for key, words in FIGURES.items():
        value, ends = summary[key], summary[f"{key}_ci95"] or (None, None)
        rows.append((words, *(None if x is None else f"{x:.3g}" for x in (value, *ends))))
    title = f"{summary['measurements']} reads in {summary['trains']} trains of {summary['devices']} devices, {low} … {high} µS"
    print_table(title, ["", "fitted", "95 % from", "to"], rows)


def show(summary: dict[str, Any]) -> None:
    """Print the summary as a table."""
    if summary["kind"] == "pulses":
        show_switching(summary)
    else:
        show_statistics(summary)


def show_statistics(summary: dict[str, Any]) -> None:
    """Print mean and spread at every target."""
    parts = [name for name in PARTS if f"{name}_siemens" in summary]
    names = ("target", "mean", "sigma", *parts)
    columns = [[f"{value * 1e6:.4g}" for value in summary[f"{name}_siemens"]] for name in names]
    rows = list(zip(*columns, strict=True))
    devices = f" of {summary['devices']} devices" if summary["devices"] else ""
    title = f"{summary['measurements']} measurements{devices}, {summary['kind']}"
    head = ["target [µS]", "mean [µS]", "σ [µS]", *(f"σ between {PARTS[name]} [µS]" for name in parts)]
    print_table(title, head, rows if len(rows) <= 16 else rows[:: len(rows) // 8])
    if len(rows) > 16:
        say(f"every {len(rows) // 8}th of {len(rows)} knots; all of them are in statistics.toml")
