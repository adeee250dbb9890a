"""The figures of a characterisation: neat's Figures 3, 4 and 5 for the cell at hand."""

from pathlib import Path

import numpy as np

from xbar_cli.cell import plots
from xbar_cli.cell.results import Fields
from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.runs.directory import Run

PANELS = 3
LINES = 6


def caption(config: CharacterizeConfig, fields: Fields) -> str:
    """The parameters of the run in one line."""
    cell = config.cell
    if cell.table is not None:
        made = f"measured: {Path(cell.table).name}"
    else:
        made = (
            f"{Path(cell.card).name}, W {cell.width_m * 1e9:g} nm, L {cell.length_m * 1e9:g} nm, "
            f"{cell.temperature_celsius:g} °C, memristor at the {cell.topology}"
        )
    vin = fields["vin"].values
    ohm = f"R {cell.r_on_ohm / 1e3:g} kΩ … {cell.r_off_ohm / 1e3:g} kΩ"
    return f"{made}; {ohm}; V_in {vin[0]:g} … {vin[-1]:g} V, {vin.size} points"


def draw(config: CharacterizeConfig, run: Run, fields: Fields) -> None:
    """Write the three figures."""
    text, bounds = caption(config, fields), config.range
    vg, g = fields["vg"].values, fields["g"].values
    g_on, g_off = float(fields["g_on"].values), float(fields["g_off"].values)
    panels = sorted({round(k) for k in np.linspace(0, len(vg) - 1, PANELS)})
    lines = sorted({int(np.argmin(np.abs(g - want))) for want in np.linspace(g_off, g_on, LINES)})
    g_eff = fields["effective_conductance"].values
    plots.effective_conductance(
        run.figures / "effective_conductance.png", vin=fields["vin_used"].values, g=g[lines], vg=vg[panels],
        g_eff=g_eff[panels][:, lines], caption=text,
    )  # fmt: skip
    inside = (g >= g_off / 2) & (g <= 1.05 * g_on)
    plots.tolerance(
        run.figures / "tolerance.png", g=g[inside], vg=vg, tm=fields["tolerance_metric"].values[:, inside],
        span=np.stack([g_eff.min(axis=-1), g_eff.max(axis=-1)])[:, :, inside], bound=bounds.tolerance,
        metric=bounds.metric, caption=text,
    )  # fmt: skip
    plots.linear_range(
        run.figures / "linear_range.png", vg=vg, g_lo=fields["g_lo"].values, g_cut=fields["g_cut"].values,
        g_cut_second=fields["g_cut_second"].values, g_off=g_off, g_on=g_on,
        bounds=(f"{bounds.metric} ≤ {bounds.tolerance:.3g}", f"{bounds.metric} ≤ {bounds.second_tolerance:.3g}"),
        caption=text,
    )  # fmt: skip
