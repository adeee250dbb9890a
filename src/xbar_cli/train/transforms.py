"""What stands between a trained weight and the product it enters: technology, noise. Gradients pass through.

A transform is `(site, kernel) -> kernel`. The site's key and step are None where nothing is random and nothing is kept:
when the network is measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from xbar_cli.device.levels import discretise_ratio_straight_through
from xbar_cli.device.variation import chip_to_chip, lognormal, normal_additive, normal_proportional
from xbar_cli.numerics import stream


@dataclass(frozen=True)
class Site:
    """Where a kernel is used.

    Attributes:
        name: of the layer.
        layer: the layer itself, for what it keeps from step to step.
        key: of the step, the same for all layers; None when the network is measured.
        step: number of the step; None when the network is measured.
    """

    name: str
    layer: Any = None
    key: Array | None = None
    step: Array | None = None


Transform = Callable[[Site, Array], Array]
DualFold = Callable[[Array], Array]
"""Signed conductances of a layer [rows out] [S], positive in one array and negative in the other, to those they act as."""
Layers = frozenset[str] | None
"""The layers that a transform applies to; None for all."""


def compose(transforms: Sequence[Transform]) -> Transform | None:
    """One transform of several, the first first; None of none."""
    if not transforms:
        return None

    def all_of(site: Site, kernel: Array) -> Array:
        for number, transform in enumerate(transforms):
            own = site if site.key is None else replace(site, key=jax.random.fold_in(site.key, number))
            kernel = transform(own, kernel)
        return kernel

    return all_of


@dataclass(frozen=True)
class Technology:
    """Discretised weights on dual arrays with source, neuron and wire resistance (tat, Sections II-D and III).

    Attributes:
        bits: of a weight's magnitude: 2^bits levels, 0 among them.
        ratio: largest over smallest magnitude, R_off/R_on.
        limit: the weight at the highest level; None for the largest of the layer.
        g_on: conductance of the highest level [S].
        arrays: the dual arrays of a layer.
        cheap: an approximation of them that costs next to nothing, for the steps between two solutions.
        corner: every device at `1 + corner` times its conductance (chip-to-chip, k·σ).
        layers: on arrays; the others stay as they are.
        refold: steps between two solutions of the arrays. A layer is what `cheap` says, corrected by how far that was
            from the arrays when they were solved last, which the layer keeps as `fold_error` [rows out] (`error`);
            gradients are those of `cheap`. With 1 the arrays are solved at every step, and gradients pass through the
            solution.

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
    layers: Layers
    refold: int = 1

    def __call__(self, site: Site, kernel: Array) -> Array:
        """The kernel that the arrays act as, decoded at the nominal scale: solved now, or corrected by the last solution."""
        if not self.applies(site.name):
            return kernel
        if self.refold == 1 or site.step is None:
            return self.solved(kernel)
        error = site.layer.fold_error[...] * self.g_on
        return self._through(lambda g: self.cheap(g) + error, kernel)

    def applies(self, name: str) -> bool:
        """Whether the layer of this name is on arrays."""
        return self.layers is None or name in self.layers

    def solved(self, kernel: Array) -> Array:
        """The kernel that the arrays act as."""
        return self._through(self.arrays, kernel)

    def error(self, kernel: Array, solved: Array) -> Array:
        """How far the arrays are from their approximation [rows out], in units of the highest level; `solved` is theirs."""
        return ((solved - self._through(self.cheap, kernel)) / self._limit(kernel)).reshape(-1, kernel.shape[-1])

    def _limit(self, kernel: Array) -> Array:
        limit = (
            jax.lax.stop_gradient(jnp.abs(kernel).max())
            if self.limit is None
            else jnp.asarray(self.limit, kernel.dtype)
        )
        return jnp.maximum(limit, jnp.finfo(kernel.dtype).tiny)

    def _through(self, arrays: DualFold, kernel: Array) -> Array:
        """The kernel that these arrays act as."""
        limit = self._limit(kernel)
        w = kernel.reshape(-1, kernel.shape[-1])
        w = discretise_ratio_straight_through(w, limit=limit, bits=self.bits, ratio=self.ratio)
        per_weight = self.g_on / limit
        return (arrays(per_weight * (1 + self.corner) * w) / per_weight).reshape(kernel.shape)


@dataclass(frozen=True)
class Injection:
    """Noise on the weights of every step: the baseline that robust training is compared with.

    Attributes:
        model: `additive` in units of the layer's largest weight; `proportional` and `lognormal` of each weight;
            `chip_to_chip`, one relative draw for all weights of the network; `stuck`, a share of the weights at 0.
        sigma: relative standard deviation, or the share.

    References:
        Joshi et al., Nature Communications 11, 2473 (2020): additive, sigma in units of the largest weight.
    """

    model: str
    sigma: float

    def __call__(self, site: Site, kernel: Array) -> Array:
        """The kernel with noise; as it is without a key."""
        if site.key is None:
            return kernel
        key = stream(site.key, site.name)
        match self.model:
            case "additive":
                largest = jax.lax.stop_gradient(jnp.abs(kernel).max())
                return normal_additive(key, kernel, sigma_siemens=self.sigma * largest)
            case "proportional":
                return normal_proportional(key, kernel, sigma_relative=self.sigma)
            case "lognormal":
                return lognormal(key, kernel, sigma_log=self.sigma)
            case "chip_to_chip":
                return chip_to_chip(site.key, kernel, sigma_relative=self.sigma)
            case "stuck":
                return jnp.where(jax.random.bernoulli(key, self.sigma, kernel.shape), 0.0, kernel)
            case _:
                raise ValueError(f"model must be a model of injected noise, got {self.model!r}")
