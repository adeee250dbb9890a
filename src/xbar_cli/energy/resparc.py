"""Energy, area and latency of 1T-1R arrays from the cell's SPICE table and measured activity (neat, Section IV-C).

One read of a layer applies one input vector to all of its arrays at once, for `read_seconds`. Each cell then draws
`P(G, V) = V I_in + V_g I_g` from its input and its gate line, and each gate line is charged once, `C V_g²`. A layer reads once
for each output position of an image, twice where its activations have both signs.

References:
    Ankit et al., RESPARC, arXiv 1702.06064 (the breakdown; its constants are not given in neat).
    Dong et al., NVSim, IEEE TCAD 31 (2012) 994, eq. (1): area of a MOS-accessed cell, 3 (W/L + 1) F².
"""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.device.transistor import Separable


@dataclass(frozen=True)
class Constants:
    """Constants of the model, SI."""

    read_seconds: float
    cell_area_m2: float
    gate_capacitance_farad: float


def cell_area(*, width_m: float, length_m: float, feature_m: float) -> float:
    """Area of one 1T-1R cell [m²]: 3 (W/L + 1) F² (NVSim, eq. 1)."""
    return 3 * (width_m / length_m + 1) * feature_m**2


def gate_capacitance(
    *, width_m: float, length_m: float, pitch_m: float, oxide: float, overlap: float, wire: float
) -> float:
    """Capacitance of a gate line, one cell's share [F]: oxide over the channel, overlaps over the width, wire over the pitch.

    Args:
        width_m: gate width [m].
        length_m: gate length [m].
        pitch_m: length of gate line to each cell [m].
        oxide: oxide capacitance [F/m²].
        overlap: gate-source and gate-drain overlap capacitance [F/m].
        wire: wire capacitance [F/m].
    """
    return oxide * width_m * length_m + overlap * width_m + wire * pitch_m


def cell_power(
    power: Separable, g: Float[Array, "rows devices"], in_v_mean: Float[Array, "rows rank"], *, phases: int
) -> Float[Array, ""]:
    """Mean power of all cells of a layer during one read, summed over its phases [W].

    Args:
        power: surrogate of the power of one cell.
        g: memristor conductances [S].
        in_v_mean: mean over the data of the surrogate's voltage factors of each row's voltage, summed over phases.
        phases: reads of each input vector: a row idle in a phase still draws the power at V = 0.

    Accuracy:
        exact in the mean for a separable power: P is linear in the voltage factors.
    """
    factors = power.in_g(g).sum(axis=1)
    return jnp.sum(factors * in_v_mean) + phases * power.at_zero(g).sum()


@dataclass(frozen=True)
class LayerEnergy:
    """One layer, for one image.

    Attributes:
        cells_joule: drawn by the cells from inputs and gates.
        gate_lines_joule: to charge the gate lines.
        latency_seconds: reads one after the other.
        area_m2: of the cells.
    """

    cells_joule: float
    gate_lines_joule: float
    latency_seconds: float
    area_m2: float


def layer_energy(
    *, power_watt: float, devices: int, positions: int, phases: int, vg_volt: float, constants: Constants
) -> LayerEnergy:
    """Energy, latency and area of one layer for one image.

    Args:
        power_watt: `cell_power` [W], summed over phases.
        devices: number of cells.
        positions: output positions of an image.
        phases: reads of each input vector.
        vg_volt: gate voltage [V].
        constants: of the model.
    """
    gate = constants.gate_capacitance_farad * vg_volt**2
    return LayerEnergy(
        cells_joule=positions * power_watt * constants.read_seconds,
        gate_lines_joule=positions * phases * devices * gate,
        latency_seconds=positions * phases * constants.read_seconds,
        area_m2=devices * constants.cell_area_m2,
    )
