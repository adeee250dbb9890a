"""Noise on the weights of every training step, or another chip at every step."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from xbar_cli.array.pairs import halves
from xbar_cli.config.base import require
from xbar_cli.config.effect_list import InjectSection, steps_of
from xbar_cli.config.hardware import R_OFF_OHM, R_ON_OHM
from xbar_cli.config.variation import VariationSection
from xbar_cli.device.chip import Step, fabricate
from xbar_cli.device.technologies import load_technology
from xbar_cli.device.variation import chip_to_chip, lognormal, normal_additive, normal_proportional
from xbar_cli.mapping.bitslice import Sliced, SliceFormat, cut, join, to_conductances, to_integers, to_levels
from xbar_cli.mapping.placing import DeviceRange
from xbar_cli.numerics import stream
from xbar_cli.train.transforms import Site, Transform


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
        key = stream(site.key, site.name)
        match self.model:
            case "additive":
                largest = jax.lax.stop_gradient(jnp.abs(kernel).max())
                noisy = normal_additive(key, kernel, sigma_siemens=self.sigma * largest)
            case "proportional":
                noisy = normal_proportional(key, kernel, sigma_relative=self.sigma)
            case "lognormal":
                noisy = lognormal(key, kernel, sigma_log=self.sigma)
            case "chip_to_chip":
                noisy = chip_to_chip(site.key, kernel, sigma_relative=self.sigma)
            case "stuck":
                noisy = jnp.where(jax.random.bernoulli(key, self.sigma, kernel.shape), 0.0, kernel)
            case _:
                raise ValueError(f"model must be a model of injected noise, got {self.model!r}")
        return noisy if self.floor is None else jnp.maximum(noisy, self.floor)


@dataclass(frozen=True)
class Fabrication:
    """Another chip at every step: what programming, fabrication, faults and age make of the devices that hold the weights.

    Attributes:
        steps: the effects, in physical order.
        top: conductance of the largest weight [S].
        bottom: conductance of a weight of 0 [S]; 0 where its devices are absent.
        paired: whether a weight is the difference of two devices (double element); else every value is a device itself.
        formats: how the weights of each layer are cut into slices, each a device (biased); None for one device or two.

    The largest weight of the layer stands at the top, unless the site has a limit or there are slices. Gradients are those
    of the weights without noise.
    """

    steps: tuple[Step, ...]
    top: float
    bottom: float
    paired: bool
    formats: Mapping[str, SliceFormat] | None = None

    def __call__(self, site: Site, kernel: Array) -> Array:
        """The kernel as the chip of this step has it; as it is without a key."""
        key = site.key
        if key is None:
            return kernel
        still = jax.lax.stop_gradient(kernel)
        if self.formats is not None:
            return kernel + jax.lax.stop_gradient(self._in_slices(site.name, key, still, self.formats[site.name]))
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


@dataclass(frozen=True)
class Ramped:
    """Noise that grows from none over the first steps of a phase: a `Transform`.

    Attributes:
        noise: that there is at the end.
        steps: until then.
    """

    noise: Transform
    steps: int

    def __call__(self, site: Site, kernel: Array) -> Array:
        """The kernel with as much of the noise as this step has."""
        if site.step is None:
            return kernel
        share = jnp.minimum(site.step / self.steps, 1).astype(kernel.dtype)
        return kernel + share * (self.noise(site, kernel) - kernel)


def ramped(noise: Transform | None, steps: int | None) -> Transform | None:
    """Noise that grows over so many steps; None: there from the first."""
    return noise if noise is None or steps is None else Ramped(noise, max(1, steps))


def injected(
    inject: InjectSection,
    *,
    technology: str | None = None,
    absent: bool = False,
    paired: bool = True,
    formats: Mapping[str, SliceFormat] | None = None,
    ramp: int | None = None,
) -> Transform | None:
    """The noise on the weights of every step as asked for; None without any. Biased cuts weights into slices by `formats`.

    `technology` is that of the devices where `inject` names none, None for 30 and 300 kohm; devices of a weight of 0 are
    `absent`; kernels are weights, each of a pair of devices (`paired`), or devices themselves. Over the first `ramp` steps
    it grows.
    """
    if not inject.effects:
        return ramped(_on_weights(inject, floor=None if paired else 0.0), ramp)
    name = inject.technology or technology
    if name is None:
        devices = DeviceRange(1 / R_OFF_OHM, 1 / R_ON_OHM)
    else:
        found = load_technology(name)
        devices = DeviceRange(found.g_off, found.g_on, technology=name)
    noise = Fabrication(
        steps=tuple(steps_of(VariationSection(effects=inject.effects).on_devices(), devices)),
        top=devices.g_on,
        bottom=0.0 if absent else devices.g_off,
        paired=paired,
        formats=formats,
    )
    return ramped(noise, ramp)


def _on_weights(inject: InjectSection, *, floor: float | None) -> Injection | None:
    """The noise that needs no devices; None without any."""
    return Injection(model=inject.model, sigma=inject.sigma, floor=floor) if inject.sigma > 0 else None


def on_cells(inject: InjectSection, *, g_off: float, g_on: float, ramp: int | None = None) -> Transform | None:
    """The same noise on the memristors of 1T-1R cells, `[rows cols]` [S] at sites whose limit is 1; None without any.

    Raises:
        ConfigError: a technology is named: cells have their own devices.
    """
    if not inject.effects:
        return ramped(_on_weights(inject, floor=0.0), ramp)
    require(inject.technology is None, "inject.technology names resistive devices; cells have memristors of their own")
    steps = steps_of(VariationSection(effects=inject.effects).on_devices(), DeviceRange(g_off, g_on))
    return ramped(Fabrication(steps=tuple(steps), top=1.0, bottom=0.0, paired=False), ramp)
