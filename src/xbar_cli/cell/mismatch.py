"""Monte Carlo of the access transistor's threshold voltage: the spread of G_eff and of the cut-off."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xbar_cli.cell.range import edges, effective_conductance
from xbar_cli.cell.tables import arguments, simulated
from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.device.linear_range import tolerance_metric
from xbar_cli.vectors import Vector

BEYOND = 0.1
"""The sampled tables reach this share beyond G_off and G_on, so that the range's edges are not the spline's."""


@dataclass(frozen=True)
class SampledCells:
    """Sampled transistors.

    Attributes:
        sigma: standard deviation that the shifts are drawn with [V].
        shift: of the threshold voltage [sample] [V].
        g: memristor conductances [S].
        g_eff: mean effective conductance [vg sample g] [S].
        g_lo: lower edge of each sample's linear range [vg sample] [S]; NaN where there is none.
        g_cut: its upper edge.
    """

    sigma: float
    shift: Vector
    g: Vector
    g_eff: NDArray[np.float64]
    g_lo: NDArray[np.float64]
    g_cut: NDArray[np.float64]


def mismatch(config: CharacterizeConfig) -> SampledCells | None:
    """Simulate `samples` transistors whose threshold is shifted by N(0, σ²) (BSIM4 `delvto`); None where none are asked for.

    Sample i's shift depends on (seed, i) alone. All cells of all samples stand in one netlist.
    """
    sigma, count = config.mismatch.vth_sigma_volt, config.mismatch.samples
    if sigma is None:
        return None
    g_off, g_on = 1 / config.cell.r_off_ohm, 1 / config.cell.r_on_ohm
    shift = sigma * np.array([np.random.default_rng((config.seed, i)).standard_normal() for i in range(count)])
    g = np.linspace(g_off * (1 - BEYOND), g_on * (1 + BEYOND), config.mismatch.g_points)
    asked = arguments(config, off_grid=False)
    asked |= {"g_siemens": np.tile(g, count), "bit_line_volt": (0.0,), "vth_shift_volt": np.repeat(shift, g.size)}
    _, g_eff = effective_conductance(simulated(config, asked), config.range.vin_min_volt)
    tm = tolerance_metric(g_eff, metric=config.range.metric).reshape(-1, count, g.size)
    found = [edges(config, g, rows, tolerance=config.range.tolerance) for rows in tm]
    return SampledCells(
        sigma=sigma,
        shift=shift,
        g=g,
        g_eff=g_eff.mean(axis=-1).reshape(tm.shape),
        g_lo=np.stack([r.g_lo for r in found]),
        g_cut=np.stack([r.g_cut for r in found]),
    )
