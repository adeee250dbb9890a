"""A 1T-1R cell with a closed form: a square-law transistor in its linear region, for tests without a simulator."""

import numpy as np

from xbar_cli.device.bit_line import LineSamples, fit_line
from xbar_cli.device.cell import Cell
from xbar_cli.device.linear_range import linear_range, tolerance_metric
from xbar_cli.device.surrogate import Fit, Knots, Samples, choose_surrogate
from xbar_cli.spice.sweep import CellTable

G_OFF, G_ON = 1 / 300e3, 1 / 30e3
V_IN = np.linspace(0.01, 0.5, 51)
G = np.linspace(0.1 * G_OFF, 1.75 * G_ON, 64)
BETA, THRESHOLD, LEAKAGE = 6e-4, 0.35, 1e-12


def current(g, v, vg):
    """I = G (V − V_d) = β ((V_g − V_t) V_d − V_d²/2) for V_d ≤ V_g − V_t, the smaller root, plus a leakage; exact."""
    overdrive = vg - THRESHOLD
    b = overdrive + g / BETA
    drop = b - np.sqrt(b**2 - 2 * g * v / BETA)
    return np.where(drop <= overdrive, g * (v - drop), BETA * overdrive**2 / 2) + LEAKAGE


def samples(vg, *, shifted=False):
    """The table at one gate voltage, or the points between its points."""
    g, v = ((G[1:] + G[:-1]) / 2, (V_IN[1:] + V_IN[:-1]) / 2) if shifted else (G, V_IN)
    return Samples(g=g, v=v, value=current(g[:, None], v, vg), value_at_zero=np.full(g.size, LEAKAGE))


def fitted(vg, error=1e-3) -> Fit:
    """The surrogate at one gate voltage."""
    return choose_surrogate(samples(vg), samples(vg, shifted=True), error=error, max_rank=12)[0]


def cell(gates=(0.9, 1.0, 1.2, 1.5), error=1e-3) -> Cell:
    """A characterised analytic cell."""
    tables = [samples(vg) for vg in gates]
    g_eff = np.stack([table.value / V_IN for table in tables])
    ranges = [
        linear_range(G, tm, tolerance=0.025, g_off=G_OFF, g_on=G_ON) for tm in tolerance_metric(g_eff, metric="spread")
    ]
    surrogates = tuple(fitted(vg, error).to_jax() for vg in gates)
    return Cell(
        vg=np.array(gates),
        g=G,
        vin=V_IN,
        width_m=90e-9,
        length_m=45e-9,
        g_off=G_OFF,
        g_on=G_ON,
        mean_effective=g_eff.mean(axis=-1),
        g_lo=np.array([r.g_lo if r else np.nan for r in ranges]),
        g_cut=np.array([r.g_cut if r else np.nan for r in ranges]),
        current=surrogates,
        power=surrogates,
    )


def table(gates=(0.9, 1.2), vin=V_IN, g=G) -> CellTable:
    """The closed form as a sweep of ngspice would give it: one part in a hundred of the current enters at the gate."""
    out = np.stack([current(g[:, None], vin, vg) for vg in gates])[None]
    at_zero = np.full((1, len(gates), g.size), LEAKAGE)
    return CellTable(
        g_siemens=g,
        vin_volt=vin,
        vg_volt=np.array(gates),
        bit_line_volt=np.zeros(1),
        current_ampere=out,
        input_current_ampere=0.99 * out,
        leakage_ampere=at_zero,
        input_leakage_ampere=0.5 * at_zero,
        rest_ampere=at_zero,
        seconds=0.0,
        points=out.size,
        simulator="closed form",
    )


def on_a_bit_line(vg):
    """The surrogate of the same cell with the voltage of its bit line as an axis, up to 60 mV."""
    u, g, v = np.linspace(0.0, 0.06, 5), G, V_IN
    value = np.stack([current(g[:, None], v - shift, vg - shift) for shift in u])
    rest = np.full((u.size, g.size), LEAKAGE)
    table = LineSamples(u=u, g=g, v=v, value=value, at_rest=rest, v_floor=0.01, knots=Knots(g))
    return fit_line(table, rank=4, degree=8).to_jax()
