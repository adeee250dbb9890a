"""Weights on 1T-1R cells while they are trained: what `xbar map` makes of them, and another chip of cells at every step."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from xbar_cli.device.cell import Cell
from xbar_cli.mapping.encode import encode
from xbar_cli.mapping.placing import DeviceRange, span_of
from xbar_cli.mapping.readout import Readout
from xbar_cli.nn.program import Scale
from xbar_cli.train.transforms import Site, Transform

CURVE = 2049
"""Points of the curve from memristor to mean conductance."""


@dataclass(frozen=True)
class CellCurve:
    """How the weights of one layer are cells.

    Attributes:
        memristor: conductances between the ends of the device [S], ascending.
        mean: mean conductance that the cell shows at each [S].
        reach: all conductances of the table, and 0 before them [S]: where noise may take a memristor.
        seen: mean conductance that the cell shows at each of these [S].
        bottom: mean conductance of a weight of 0 [S].
        top: the highest there is [S].
        slope: mean conductance per unit of weight [S].
    """

    memristor: Float[Array, " points"]
    mean: Float[Array, " points"]
    reach: Float[Array, " all"]
    seen: Float[Array, " all"]
    bottom: float
    top: float
    slope: float

    @classmethod
    def of(cls, cell: Cell, *, vg: float, w_max: float) -> "CellCurve":
        """A layer at gate voltage `vg` [V], `w_max` at the top of the scale, as `xbar map` puts it there."""
        span = span_of(DeviceRange(cell.g_off, cell.g_on, cell=cell), "de", vg=vg, w_max=w_max)
        memristor = np.linspace(cell.g_off, cell.g_on, CURVE)
        known = np.linspace(cell.g[0], cell.g[-1], CURVE)
        mean, seen = (cell.effective(cell.index(vg), g, volt=None) for g in (memristor, known))
        curves = memristor, mean, np.append(0.0, known), np.append(0.0, seen)
        single = (jnp.asarray(values, jnp.float32) for values in curves)
        return cls(*single, bottom=span.bottom, top=span.top, slope=float(span.slope))

    def memristors(self, kernel: Array) -> Float[Array, "rows cols"]:
        """The memristors of the weights, in pairs of columns [S]."""
        w = kernel.reshape(-1, kernel.shape[-1])
        wanted = encode("de", w, g_min=self.bottom, g_max=self.top, scale=jnp.asarray(self.slope, w.dtype)).g
        return jnp.interp(jnp.asarray(wanted), self.mean, self.memristor)

    def mean_of(self, g: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The mean conductance that memristors show [S], wherever noise took them."""
        return jnp.interp(g, self.reach, self.seen)

    def scale(self, kernel: tuple[int, ...]) -> Scale:
        """How columns are decoded to a kernel of this shape."""
        return Scale(Readout("de"), kernel, jnp.asarray(self.slope, jnp.float32))


@dataclass(frozen=True)
class OnCells:
    """Another chip of 1T-1R cells at every step, of arrays without resistances: a `Transform`.

    Gradients are those of the weights without noise.

    Attributes:
        curves: of the layers.
        noise: on memristors [S], at sites whose limit is 1.
    """

    curves: Mapping[str, CellCurve]
    noise: Transform

    def __call__(self, site: Site, kernel: Array) -> Array:
        """The kernel that the cells of this step's chip stand for; as it is without a key."""
        if site.key is None:
            return kernel
        curve, still = self.curves[site.name], jax.lax.stop_gradient(kernel)
        g = self.noise(replace(site, limit=1.0), curve.memristors(still))
        found = curve.scale(kernel.shape).weights(curve.mean_of(g)).reshape(kernel.shape)
        return kernel + jax.lax.stop_gradient(found - still)
