"""Weights on devices as functions of the design: what `xbar map` makes of them, traced through every parameter.

Between the gate voltages of a cell's table the current is interpolated by the natural cubic through all of them,
`I(G, V; V_g) = Σ_m L_m(V_g) I(G, V; V_m)`: at those of the table it is the table's own, and what a linear range is at its ends
follows the same L_m.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jax import Array
from jaxtyping import Float

from xbar_cli.chip.mapped import LayerMapping
from xbar_cli.device.cell import Cell
from xbar_cli.device.mismatch import MismatchedCell
from xbar_cli.device.transistor import BitLineSeparable, mixed
from xbar_cli.mapping.encode import encode
from xbar_cli.mapping.placing import DeviceRange, span_of
from xbar_cli.mapping.readout import Readout
from xbar_cli.mapping.window import scale_top
from xbar_cli.nn.program import one_voltage
from xbar_cli.numerics import straight_through
from xbar_cli.types import AnyArray

CURVE = 2049
"""Points of the curve from memristor to effective conductance."""


class ScaleEnds(NamedTuple):
    """The ends of a layer's scale.

    Attributes:
        bottom: conductance of a weight of 0 [S].
        top: the highest there is [S].
        slope: conductance per unit of the weight at full scale [S].
    """

    bottom: Array
    top: Array
    slope: Array


@dataclass(frozen=True)
class Gated:
    """A cell between the gate voltages of its table.

    Attributes:
        devices: of the table, and the voltages that they are programmed for.
        scheme: mapping scheme.
        nodes: gate voltages that are interpolated over [V].
        coefficients: of the cubics that say how much each node counts, highest power first [4 segments nodes].
        memristor: conductances of the curves [S], ascending.
        curves: effective conductance at them, of each node [nodes points] [S].
        bottoms: of the scale at each node [S].
        tops: of the scale at each node [S].
        slope: of the scale, the same at all gate voltages, of a weight limit of 1 [S].
    """

    devices: DeviceRange
    scheme: str
    nodes: tuple[float, ...]
    coefficients: Float[np.ndarray, "4 segments nodes"]
    memristor: Float[np.ndarray, " points"]
    curves: Float[AnyArray, "nodes points"]
    bottoms: Float[AnyArray, " nodes"]
    tops: Float[AnyArray, " nodes"]
    slope: Float[AnyArray, ""]

    @classmethod
    def of(cls, devices: DeviceRange, scheme: str, nodes: Sequence[float]) -> "Gated":
        """The cell of devices as `xbar map` would use it at each of the `nodes`."""
        cell = devices.cell
        assert cell is not None
        spans = [span_of(devices, scheme, vg=vg, w_max=1.0) for vg in nodes]
        memristor = np.linspace(cell.g_off, cell.g_on, CURVE)
        curves = [cell.effective(cell.index(vg), memristor, volt=devices.volt) for vg in nodes]
        between = scipy.interpolate.CubicSpline(np.asarray(nodes), np.eye(len(nodes)), bc_type="natural")
        return cls(
            devices, scheme, tuple(nodes), between.c, memristor,
            np.stack(curves), np.array([s.bottom for s in spans]), np.array([s.top for s in spans]), spans[0].slope,
        )  # fmt: skip

    @property
    def cell(self) -> Cell:
        """The table."""
        assert self.devices.cell is not None
        return self.devices.cell

    def read_at(self, volt: Float[Array, ""]) -> "Gated":
        """The same programmed for, and read at, one voltage of the driven rows [V]: what `of` has there, traced."""
        cell, dtype = self.cell, jnp.result_type(float)

        def effective(index: int, g: Any) -> Array:
            with jax.enable_x64(True):
                current = cell.current[index].astype(dtype)
            return one_voltage(current, volt)(jnp.asarray(g, dtype))

        index = [cell.index(vg) for vg in self.nodes]
        lower, upper = zip(*(effective(n, cell.edges(n)) for n in index), strict=True)
        if self.devices.top == "device":
            upper = [effective(n, cell.g_on) for n in index]
        low, high = effective(scale_top(cell), cell.edges(scale_top(cell)))
        return replace(
            self,
            curves=jnp.stack([effective(n, self.memristor) for n in index]),
            bottoms=jnp.stack(lower),
            tops=jnp.stack(upper),
            slope=(high - low) / (2 if self.scheme == "bc" else 1),
        )

    def weights(self, vg: Float[Array, ""]) -> Float[Array, " nodes"]:
        """How much each node counts at the gate voltage `vg` [V]; they add up to 1."""
        knots = jnp.asarray(self.nodes, float)
        segment = jnp.clip(jnp.searchsorted(knots, vg, side="right") - 1, 0, len(self.nodes) - 2)
        t, c = vg - knots[segment], jnp.asarray(self.coefficients, float)[:, segment]
        return ((c[0] * t + c[1]) * t + c[2]) * t + c[3]

    def ends(self, weights: Float[Array, " nodes"]) -> ScaleEnds:
        """The ends of the scale where the nodes count so much."""
        bottom, top = (weights @ jnp.asarray(values, float) for values in (self.bottoms, self.tops))
        return ScaleEnds(bottom, top, jnp.asarray(self.slope, float))

    def memristors(
        self, wanted: Float[Array, "rows columns"], weights: Float[Array, " nodes"]
    ) -> Float[Array, "rows columns"]:
        """The memristors [S] of wanted effective conductances [S]."""
        curve = weights @ jnp.asarray(self.curves, float)
        return jnp.interp(wanted, curve, jnp.asarray(self.memristor, float))

    def surrogate(self, quantity: str, weights: Float[Array, " nodes"], shape: tuple[int, ...]) -> MismatchedCell:
        """The surrogate of `current` or `power` of devices of this shape."""
        table, dtype = getattr(self.cell, quantity), jnp.result_type(float)
        with jax.enable_x64(True):
            cells = tuple(table[self.cell.index(vg)].astype(dtype) for vg in self.nodes)
        return MismatchedCell(cells, jnp.broadcast_to(weights, (*shape, len(self.nodes))))

    def lines(self, weights: Float[Array, " nodes"]) -> BitLineSeparable:
        """The surrogate of the current into a bit line that is not at 0 V."""
        table, dtype = self.cell.bit_line, jnp.result_type(float)
        assert table is not None
        with jax.enable_x64(True):
            cells = [table[self.cell.index(vg)].astype(dtype) for vg in self.nodes]
        return mixed(cells, weights)


def resistive(r_on: Any, r_off: Any, scheme: str) -> ScaleEnds:
    """The ends of resistive devices between two resistances [ohm], which may be traced."""
    bottom, top = 1 / jnp.asarray(r_off, float), 1 / jnp.asarray(r_on, float)
    return ScaleEnds(bottom, top, (top - bottom) / (2 if scheme == "bc" else 1))


def lay(
    layer: LayerMapping, kernel: Array, ends: ScaleEnds, w_max: Any, *, bits: int | None
) -> tuple[Float[Array, "rows columns"], LayerMapping]:
    """Wanted conductances of a layer [S], and the layer with the scale that decodes them.

    Args:
        layer: as it was mapped: its scheme, its groups, its row drive.
        kernel: its weights, window first and outputs last.
        ends: of the scale.
        w_max: weight at full scale, one number or one per output.
        bits: of uniform levels, whose steps gradients pass straight through; None for any conductance.
    """
    scheme, groups = layer.readout.scheme, layer.readout.groups
    w = kernel.reshape(-1, kernel.shape[-1])
    span = ends.top - ends.bottom
    slope = jnp.broadcast_to(ends.slope / jnp.asarray(w_max, float), (w.shape[1],))
    parts, scales = [], []
    for part, own in zip(jnp.split(w, groups, axis=1), jnp.split(slope, groups), strict=True):
        found = encode(scheme, part, g_min=0.0, g_max=1.0, scale=own / span)
        parts.append(_levelled(jnp.asarray(found.g), bits, scheme))
        scales.append(jnp.asarray(found.scale) * span)
    readout: Readout = layer.readout
    share = jnp.concatenate(parts, axis=1)
    placed: Any = replace(layer, readout=readout, slope=jnp.concatenate(scales), bottom=ends.bottom, top=ends.top)
    return ends.bottom + span * share, placed


def _levelled(share: Array, bits: int | None, scheme: str) -> Array:
    """Shares of the range rounded to levels; the reference of bc is not (acm, section II)."""
    if bits is None:
        return share
    steps = 2**bits - 1
    rounded = straight_through(lambda x: jnp.round(x * steps) / steps, share)
    return jnp.concatenate([rounded[:, :-1], share[:, -1:]], axis=1) if scheme == "bc" else rounded
