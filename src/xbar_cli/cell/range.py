"""Linear ranges of a table: at the full supply, at lower supplies, and within a bit line's leakage limit (neat, II-C, II-D)."""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from xbar_cli.config.cell import voltage_list
from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.device.linear_range import linear_range, scale_top, tolerance_metric
from xbar_cli.spice.sweep import CellTable
from xbar_cli.vectors import Matrix, Vector


@dataclass(frozen=True)
class Ranges:
    """Linear ranges at every gate voltage [S]; NaN where there is none.

    Attributes:
        g_lo: lower edges [vg].
        g_cut: upper edges [vg].
    """

    g_lo: Vector
    g_cut: Vector


def readable(vin: Vector, vin_min: float) -> NDArray[np.bool_]:
    """The input voltages at which G_eff = I / V_in is read: |V_in| of at least `vin_min`."""
    return np.abs(vin) >= vin_min * (1 - 1e-9)


def effective_conductance(table: CellTable, vin_min: float) -> tuple[Vector, NDArray[np.float64]]:
    """The input voltages that count [V], and G_eff [vg g vin] [S] at them."""
    used = readable(table.vin_volt, vin_min)
    vin = table.vin_volt[used]
    return vin, table.plain_current[..., used] / vin


def ranges(g: Vector, tm: Matrix, *, tolerance: float, g_off: float, g_on: float) -> Ranges:
    """The linear range at each gate voltage, of the metric `tm` [vg g]."""
    found = [linear_range(g, row, tolerance=tolerance, g_off=g_off, g_on=g_on) for row in tm]
    return Ranges(
        g_lo=np.array([r.g_lo if r else np.nan for r in found]),
        g_cut=np.array([r.g_cut if r else np.nan for r in found]),
    )


def edges(config: CharacterizeConfig, g: Vector, tm: Matrix, *, tolerance: float) -> Ranges:
    """The linear range at each gate voltage, between the states of the memristor."""
    return ranges(g, tm, tolerance=tolerance, g_off=1 / config.cell.r_off_ohm, g_on=1 / config.cell.r_on_ohm)


def cut_share(
    config: CharacterizeConfig, table: CellTable, mean: Matrix, linear: Ranges, fits: NDArray[np.bool_]
) -> Vector:
    """W_cut / W_max at each gate voltage, from the mean effective conductances [vg g]; NaN where there is no range.

    The weights span `Ḡ(G_cut) − Ḡ(G_lo)`; that at the scale's top is W_max (`mapping.window.cell_window`).
    """
    has_range = np.isfinite(linear.g_cut)

    def span(index: int) -> float:
        ends = (linear.g_lo[index], linear.g_cut[index])
        ends = ends if has_range[index] else (1 / config.cell.r_off_ohm, 1 / config.cell.r_on_ohm)
        low, high = scipy.interpolate.CubicSpline(table.g_siemens, mean[index])(ends)
        return float(high - low)

    spans = np.array([span(index) if has else np.nan for index, has in enumerate(has_range)])
    return spans / span(scale_top(has_range, fits))


def supply_ranges(config: CharacterizeConfig, table: CellTable) -> tuple[Vector, list[Ranges], NDArray[np.float64]]:
    """The supplies asked for [V], the ranges at each, and tm [vdd vg g] over |V_in| up to each.

    The current is interpolated (cubic spline over V_in) at as many evenly spaced voltages as the table has.
    """
    volts = np.array(voltage_list(config.range.vdd) if config.range.vdd else ())
    metrics = [tolerance_metric(_resampled(config, table, vdd), metric=config.range.metric) for vdd in volts]
    found = [edges(config, table.g_siemens, tm, tolerance=config.range.tolerance) for tm in metrics]
    return volts, found, np.array(metrics).reshape(volts.size, table.vg_volt.size, table.g_siemens.size)


def _resampled(config: CharacterizeConfig, table: CellTable, vdd: float) -> NDArray[np.float64]:
    """G_eff [vg g vin] over V_min … vdd, and over −vdd … −V_min where the table has negative inputs."""
    vin_min, vin = config.range.vin_min_volt, table.vin_volt
    count = int(readable(vin, vin_min).sum())
    volts = np.linspace(vin_min, vdd, count)
    if vin[0] <= -vin_min:
        low = min(vdd, -float(vin[0]))
        volts = np.concatenate([-np.linspace(low, vin_min, count // 2), volts[::2]])
    volts = volts[volts >= vin[0] - 1e-12]
    return scipy.interpolate.CubicSpline(vin, table.plain_current, axis=-1)(volts) / volts


def leakage_ranges(config: CharacterizeConfig, table: CellTable, linear: Ranges) -> tuple[Ranges, Vector]:
    """What a limit on a bit line's current at V_in = 0 leaves of the linear ranges, and that current [vg] [A].

    `rows` cells of equal conductance share the bit line. The current is the largest over the linear range (over
    G_off … G_on where there is none).

    References:
        neat, Section II-D: the sensing device bounds the leakage, and so V_g and the range.
    """
    g_off, g_on = 1 / config.cell.r_off_ohm, 1 / config.cell.r_on_ohm
    limit, rows = config.range.leakage_limit_ampere, config.range.rows
    assert limit is not None
    assert rows is not None
    leakage = rows * np.abs(table.plain_leakage)
    allowed = edges(config, table.g_siemens, leakage, tolerance=limit)
    g_lo, g_cut = np.fmax(linear.g_lo, allowed.g_lo), np.fmin(linear.g_cut, allowed.g_cut)
    left = np.isfinite(linear.g_lo) & np.isfinite(allowed.g_lo) & (g_cut > g_lo)
    worst = []
    for row, low, high in zip(leakage, linear.g_lo, linear.g_cut, strict=True):
        inside = np.linspace(*((low, high) if np.isfinite(low) else (g_off, g_on)), 201)
        worst.append(scipy.interpolate.CubicSpline(table.g_siemens, row)(inside).max())
    return Ranges(np.where(left, g_lo, np.nan), np.where(left, g_cut, np.nan)), np.array(worst)
