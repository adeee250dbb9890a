"""What stands between a trained weight and the product it enters. Gradients pass through.

A transform is `(site, kernel) -> kernel`. The site's key and step are None where nothing is random and nothing is kept:
when the network is measured.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from xbar_cli.device.levels import discretise_ratio_straight_through
from xbar_cli.nn.layers import groups_in


@dataclass(frozen=True)
class Site:
    """Where a kernel is used.

    Attributes:
        name: of the layer.
        layer: the layer itself, for what it keeps from step to step.
        key: of the step, the same for all layers; None when the network is measured.
        step: number of the step; None when the network is measured.
        limit: the weight that a device at the top of its range stands for; None for the largest of the layer.
    """

    name: str
    layer: Any = None
    key: Array | None = None
    step: Array | None = None
    limit: Array | float | None = None


Transform = Callable[[Site, Array], Array]
DualFold = Callable[[Array], Array]
"""Signed conductances of a layer [rows out] [S], positive in one array and negative in the other, to those they act as."""


def apart(arrays: DualFold, groups: int) -> DualFold:
    """The fold of a layer whose outputs are `groups` equal parts on arrays of their own."""
    if groups == 1:
        return arrays
    return lambda g: jnp.concatenate([arrays(part) for part in jnp.split(g, groups, axis=1)], axis=1)


@dataclass(frozen=True)
class OnArrays:
    """Discretised weights on dual arrays with source, neuron and wire resistance (tat, Sections II-D and III).

    Attributes:
        bits: of a weight's magnitude: 2^bits levels, 0 among them.
        ratio: largest over smallest magnitude, R_off/R_on.
        limit: the weight at the highest level; None for `share` of the largest of the layer.
        g_on: conductance of the highest level [S].
        arrays: the dual arrays of a layer.
        stepped: the same in every step that solves them, where less precision costs less; None for `arrays`.
        cheap: an approximation of them that costs next to nothing, for the steps between two solutions.
        corner: every device at `1 + corner` times its conductance (chip-to-chip, k·σ).
        layers: on arrays, the others staying as they are; None for all.
        kept: whether a step takes what `cheap` says of every device times what the arrays conducted of that when they
            were solved last, which the layer keeps as `fold_ratio` [rows out] (`fold_ratio`). Gradients are those of
            this product. Else every step solves the arrays, and gradients pass through the solution.
        noise: on every device that is there, after it was discretised and before the arrays; None for nothing.
        share: of the largest weight of a layer that stands at the highest level; larger ones are cut there.

    References:
        Chakraborty, Roy, Roy (tat), sections II-D, III-C, V; weights are discretised in every forward pass, and the
        gradient of the discretisation is taken as 1.
    """

    bits: int
    ratio: float
    limit: float | None
    g_on: float
    arrays: DualFold
    cheap: DualFold
    corner: float
    layers: frozenset[str] | None
    kept: bool = False
    noise: Transform | None = None
    share: float = 1.0
    stepped: DualFold | None = None

    def __call__(self, site: Site, kernel: Array) -> Array:
        """The kernel that the arrays act as, decoded at the nominal scale: solved now, or by the last solution."""
        if not self.applies(site.name):
            return kernel
        if not self.kept or site.step is None:
            arrays = self.arrays if site.step is None else self.stepped or self.arrays
            return self._through(arrays, kernel, site, groups=groups_in(site.layer))
        ratio = site.layer.fold_ratio[...]
        cheap = apart(self.cheap, groups_in(site.layer))
        return self._through(lambda g: cheap(g) * ratio, kernel, site)

    def applies(self, name: str) -> bool:
        """Whether the layer of this name is on arrays."""
        return self.layers is None or name in self.layers

    def solved(self, kernel: Array, groups: int = 1) -> Array:
        """The kernel that the arrays act as, without noise; `groups` of its outputs are on arrays of their own."""
        return self._through(self.arrays, kernel, groups=groups)

    def fold_ratio(self, kernel: Array, solved: Array, groups: int = 1) -> Array:
        """What the arrays conduct of what `cheap` says, device by device [rows out]; `solved` is what they act as.

        A device that is absent has none: it gets the mean of its row times that of its column over that of all, in case
        training brings it back. What the arrays conduct past absent devices is left out.
        """
        near = self._through(self.cheap, kernel, groups=groups)
        near, exact = (w.reshape(-1, kernel.shape[-1]) for w in (near, solved))
        there = near != 0
        ratio = jnp.where(there, exact / jnp.where(there, near, 1), 0)

        def mean(axis: int | None) -> Array:
            count = jnp.sum(there, axis, keepdims=True, dtype=ratio.dtype)
            return jnp.where(count > 0, jnp.sum(ratio, axis, keepdims=True) / jnp.maximum(count, 1), 1)

        usual = mean(1) * mean(0) / jnp.where(mean(None) == 0, 1, mean(None))
        return jnp.where(there, ratio, usual)

    def limit_of(self, w: Array) -> Array:
        """The weight at the highest level, above 0."""
        largest = self.share * jax.lax.stop_gradient(jnp.abs(w).max())
        limit = largest if self.limit is None else jnp.asarray(self.limit, w.dtype)
        return jnp.maximum(limit, jnp.finfo(w.dtype).tiny)

    def discretised(self, w: Array, limit: Array) -> Array:
        """The levels of the weights."""
        return discretise_ratio_straight_through(w, limit=limit, bits=self.bits, ratio=self.ratio)

    def _through(self, arrays: DualFold, kernel: Array, site: Site | None = None, *, groups: int = 1) -> Array:
        """The kernel that these arrays act as."""
        w = kernel.reshape(-1, kernel.shape[-1])
        limit = self.limit_of(w)
        w = self.discretised(w, limit)
        if self.noise is not None and site is not None:
            noisy, sign = self.noise(replace(site, limit=limit), w), jnp.sign(w)
            w = jnp.where(w == 0, w, sign * jnp.maximum(sign * noisy, 0))  # a device conducts 0 at least
        per_weight, per_siemens = self.g_on / limit, limit / self.g_on
        arrays = apart(arrays, groups)
        return (arrays(per_weight * (1 + self.corner) * w) * per_siemens).reshape(kernel.shape)
