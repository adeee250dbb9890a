"""What stands between a trained weight and the product it enters: technology, noise. Gradients pass through.

A transform is `(site, kernel) -> kernel`. The site's key and step are None where nothing is random and nothing is kept:
when the network is measured.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from xbar_cli.array.pairs import halves
from xbar_cli.device.chip import Step, fabricate
from xbar_cli.device.levels import discretise_ratio_straight_through
from xbar_cli.device.variation import chip_to_chip, lognormal, normal_additive, normal_proportional
from xbar_cli.mapping.bitslice import Sliced, SliceFormat, cut, join, to_conductances, to_integers, to_levels
from xbar_cli.numerics import stream


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
Layers = frozenset[str] | None
"""The layers that a transform applies to; None for all."""


@dataclass(frozen=True)
class Technology:
    """Discretised weights on dual arrays with source, neuron and wire resistance (tat, Sections II-D and III).

    Attributes:
        bits: of a weight's magnitude: 2^bits levels, 0 among them.
        ratio: largest over smallest magnitude, R_off/R_on.
        limit: the weight at the highest level; None for `share` of the largest of the layer.
        g_on: conductance of the highest level [S].
        arrays: the dual arrays of a layer.
        cheap: an approximation of them that costs next to nothing, for the steps between two solutions.
        corner: every device at `1 + corner` times its conductance (chip-to-chip, k·σ).
        layers: on arrays; the others stay as they are.
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
    layers: Layers
    kept: bool = False
    noise: Transform | None = None
    share: float = 1.0

    def __call__(self, site: Site, kernel: Array) -> Array:
        """The kernel that the arrays act as, decoded at the nominal scale: solved now, or by the last solution."""
        if not self.applies(site.name):
            return kernel
        if not self.kept or site.step is None:
            return self._through(self.arrays, kernel, site)
        ratio = site.layer.fold_ratio[...]
        return self._through(lambda g: self.cheap(g) * ratio, kernel, site)

    def applies(self, name: str) -> bool:
        """Whether the layer of this name is on arrays."""
        return self.layers is None or name in self.layers

    def solved(self, kernel: Array) -> Array:
        """The kernel that the arrays act as, without noise."""
        return self._through(self.arrays, kernel)

    def fold_ratio(self, kernel: Array, solved: Array) -> Array:
        """What the arrays conduct of what `cheap` says, device by device [rows out]; `solved` is what they act as.

        A device that is absent has none: it gets the mean of its row times that of its column over that of all, in case
        training brings it back. What the arrays conduct past absent devices is left out.
        """
        near, exact = (w.reshape(-1, kernel.shape[-1]) for w in (self._through(self.cheap, kernel), solved))
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

    def _through(self, arrays: DualFold, kernel: Array, site: Site | None = None) -> Array:
        """The kernel that these arrays act as."""
        w = kernel.reshape(-1, kernel.shape[-1])
        limit = self.limit_of(w)
        w = self.discretised(w, limit)
        if self.noise is not None and site is not None:
            noisy, sign = self.noise(replace(site, limit=limit), w), jnp.sign(w)
            w = jnp.where(w == 0, w, sign * jnp.maximum(sign * noisy, 0))  # a device conducts 0 at least
        per_weight, per_siemens = self.g_on / limit, limit / self.g_on
        return (arrays(per_weight * (1 + self.corner) * w) * per_siemens).reshape(kernel.shape)


@dataclass(frozen=True)
class Injection:
    """Noise on the weights of every step: the baseline that robust training is compared with.

    Attributes:
        model: `additive` in units of the layer's largest weight; `proportional` and `lognormal` of each weight;
            `chip_to_chip`, one relative draw for all weights of the network; `stuck`, a share of the weights at 0.
        sigma: relative standard deviation, or the share.
        floor: lowest value of a kernel of devices; None for signed weights.

    References:
        Joshi et al., Nature Communications 11, 2473 (2020): additive, sigma in units of the largest weight.
    """

    model: str
    sigma: float
    floor: float | None = None

    def __call__(self, site: Site, kernel: Array) -> Array:
        """The kernel with noise; as it is without a key."""
        if site.key is None:
            return kernel
        noisy = self._noisy(site, kernel)
        return noisy if self.floor is None else jnp.maximum(noisy, self.floor)

    def _noisy(self, site: Site, kernel: Array) -> Array:
        assert site.key is not None
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


@dataclass(frozen=True)
class Fabrication:
    """Another chip at every step: what programming, fabrication, faults and age make of the devices that hold the weights.

    Attributes:
        steps: the effects, in physical order.
        top: conductance of the largest weight [S].
        bottom: conductance of a weight of 0 [S]; 0 where its devices are absent.
        paired: whether a weight is the difference of two devices (double element); else every value is a device itself.
        fmt: how weights are cut into slices, each a device (biased); None for one device or two.

    The largest weight of the layer stands at the top, unless the site has a limit or there are slices. Gradients are those
    of the weights without noise.
    """

    steps: tuple[Step, ...]
    top: float
    bottom: float
    paired: bool
    fmt: SliceFormat | None = None

    def __call__(self, site: Site, kernel: Array) -> Array:
        """The kernel as the chip of this step has it; as it is without a key."""
        key = site.key
        if key is None:
            return kernel
        still = jax.lax.stop_gradient(kernel)
        if self.fmt is not None:
            return kernel + jax.lax.stop_gradient(self._in_slices(site.name, key, still, self.fmt))
        limit = jnp.abs(still).max() if site.limit is None else jnp.asarray(site.limit, still.dtype)
        per_weight = (self.top - self.bottom) / jnp.maximum(limit, jnp.finfo(still.dtype).tiny)

        def devices(column: str, w: Array) -> Array:
            g = self.bottom + per_weight * w
            return fabricate(key, g, layer=f"{site.name} {column}", steps=self.steps, negative="clamp")[0]

        if self.paired:
            plus, minus = halves(still)
            noisy = devices("+", plus) - devices("-", minus)
        else:
            noisy = devices("", still) - self.bottom
        return kernel + jax.lax.stop_gradient(noisy / per_weight - still)

    def _in_slices(self, name: str, key: Array, w: Array, fmt: SliceFormat) -> Array:
        """What the devices of every slice add to the weights."""
        integers, _ = to_integers(w, fmt)
        sliced, ends = cut(integers, fmt), {"g_min": self.bottom, "g_max": self.top}
        g, _ = fabricate(
            key, jnp.asarray(to_conductances(sliced.levels, fmt, **ends)), layer=name, steps=self.steps, negative="clamp"
        )  # fmt: skip
        noisy = join(Sliced(to_levels(g, fmt, **ends), sliced.negative), fmt)
        return jnp.asarray((noisy - integers.astype(noisy.dtype)) * 2.0**-fmt.fraction_bits)
