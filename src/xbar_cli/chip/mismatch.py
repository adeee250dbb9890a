"""The spread of access transistors: from the effect and the cell's samples to what layers are drawn from."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy

from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.config.effects import Mismatch
from xbar_cli.device.cell import Cell
from xbar_cli.device.mismatch import GateShift, gate_per_threshold, nearest_nodes
from xbar_cli.errors import ConfigError

REACH = 1.5
"""The table must go down to so many standard deviations below a layer's gate voltage."""


def gate_shifts(effect: Mismatch | None, network: MappedNetwork) -> dict[str, GateShift] | None:
    """By layer, how its access transistors differ; None where they are alike. ConfigError where that cannot be known."""
    if effect is None:
        return None
    cell = network.cell
    if cell is None:
        raise ConfigError(
            "mismatch is of the access transistors of 1T-1R cells, and resistive arrays have none: give cell.run"
        )
    sigma = spread(effect, cell)
    voltages = {name: layer.vg for name, layer in network.layers.items() if layer.vg is not None}
    shifts = {vg: gate_shift(cell, vg, sigma) for vg in set(voltages.values())}
    return {name: shifts[vg] for name, vg in voltages.items()} if sigma > 0 else None


def spread(effect: Mismatch, cell: Cell) -> float:
    """Standard deviation of the threshold voltage [V]."""
    sigma = effect.sigma
    if sigma is None:
        if cell.sampled is None:
            raise ConfigError(
                "mismatch: the cell was characterized without a spread of thresholds; give mismatch:sigma=VOLT, or characterize "
                "it with one"
            )
        sigma = cell.sampled.sigma
    return sigma * effect.scale


def gate_shift(cell: Cell, vg: float, sigma: float) -> GateShift:
    """The spread `sigma` [V] of thresholds at gate voltage `vg` [V] as one of gate voltages."""
    index = cell.index(vg)
    usable = np.array([place for place in range(cell.vg.size) if place not in cell.marked])
    if usable.size < 3:
        raise ConfigError(
            f"mismatch interpolates between gate voltages, and the cell has {usable.size} with a surrogate: "
            "characterize 3 or more"
        )
    places = nearest_nodes(usable, index)
    nodes = tuple(float(cell.vg[place]) for place in places)
    widened = sigma * threshold_to_gate(cell, index, places)
    lowest = cell.vg[usable[0]]
    if vg - REACH * widened < lowest - 1e-9 and sigma > 0:
        raise ConfigError(
            f"mismatch: at V_g {vg:g} V thresholds that spread by {sigma:g} V reach below the {lowest:g} V at which "
            f"the cell's table begins: characterize it from {vg - REACH * widened:.3g} V on"
        )
    return GateShift(vg=float(cell.vg[index]), sigma=widened, nodes=nodes, index=places)


def threshold_to_gate(cell: Cell, index: int, places: tuple[int, ...]) -> float:
    """κ at gate voltage number `index`, fitted to the cell's samples; 1 where it has none."""
    sampled = cell.sampled
    if sampled is None or not np.any(sampled.shift):
        return 1.0
    inside = (sampled.g >= cell.g_off * (1 - 1e-9)) & (sampled.g <= cell.g_on * (1 + 1e-9))
    table = scipy.interpolate.CubicSpline(cell.g, cell.mean_effective[list(places)], axis=1)(sampled.g[inside])
    return gate_per_threshold(
        float(cell.vg[index]), [float(cell.vg[p]) for p in places], table,
        shift=sampled.shift, sampled=sampled.effective[index][:, inside],
    )  # fmt: skip


def cells_at(network: MappedNetwork, shifts: dict[str, GateShift]) -> dict[str, Any]:
    """The surrogates of the current at the nodes of each layer, in float32."""
    assert network.cell is not None
    with jax.enable_x64(True):
        return {
            name: tuple(network.cell.current[place].astype(jnp.float32) for place in shift.index)
            for name, shift in shifts.items()
        }
