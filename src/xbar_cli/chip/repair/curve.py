"""The conductance that an array computes with, of a memristor's, and back: what repair is reckoned in."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from xbar_cli.chip.mapped import LayerMapping, MappedNetwork

POINTS = 4097


class Curve(NamedTuple):
    """A table of memristor conductances and of the effective ones of their cells [S]; empty of resistive devices."""

    g: Array
    g_eff: Array

    def effective(self, g: Array) -> Array:
        """Effective conductances [S] of memristors at `g` [S]; an open one has none."""
        return g if not self.g.size else jnp.where(g > 0, jnp.interp(g, self.g, self.g_eff), 0)

    def memristor(self, g_eff: Array) -> Array:
        """Conductances of the memristors [S] whose cells have `g_eff` [S]; none is open where none is wanted."""
        return g_eff if not self.g.size else jnp.where(g_eff > 0, jnp.interp(g_eff, self.g_eff, self.g), 0)


def curve_of(network: MappedNetwork, layer: LayerMapping) -> Curve:
    """The curve of a layer's cells at its gate voltage, as its rows are read."""
    cell = network.cell
    if cell is None or layer.vg is None:
        return Curve(jnp.zeros(0), jnp.zeros(0))
    g = np.linspace(cell.g_off, cell.g_on, POINTS)
    g_eff = cell.effective(cell.index(layer.vg), g, volt=network.read_volt)
    return Curve(jnp.asarray(g, jnp.float32), jnp.asarray(g_eff, jnp.float32))
