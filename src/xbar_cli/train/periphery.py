"""Training conductances behind a fixed periphery matrix: `W = S·M`, M in [0, m_max] the trained parameter (acm).

A kernel of the network holds h, the hidden pulse count of every trained device in units of weight: `h = m_max·p/P`. In the
forward pass p is rounded and the device is at `m = m_max·c(p/P)`, c the curve of the weight update from 0 to 1. The
gradient that reaches h is that of m, so that plain SGD gives `Δp ∝ −∂L/∂m` and `Δm = −η·c′(p/P)·∂L/∂m`.

References:
    Kazemi et al. (acm), sections III and IV, Fig. 4a. The initial range of the conductances is not in the paper.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jaxtyping import Float

from xbar_cli.device.update import conductance, pulse_count, slope
from xbar_cli.mapping.periphery import check_scheme, combine
from xbar_cli.numerics import straight_through, stream

from .optimizers import of_kernels
from .transforms import Site, Transform

LEAST_SLOPE = 1e-3
"""Least slope of a curve that a separate downward curve is compared with: near saturation the ratio would diverge."""


@dataclass(frozen=True)
class Periphery:
    """How trained devices stand for weights: a transform of every kernel.

    Attributes:
        scheme: `de`, `bc` or `acm`.
        bits: of a device; None for any conductance.
        nu: non-linearity of the conductance against pulses; 0 is linear.
        m_max: weight that a device at the top of its range stands for, by layer.
        noise: what every device's conductance goes through besides, in units of weight; None for nothing.
    """

    scheme: str
    bits: int | None
    nu: float
    m_max: Mapping[str, float]
    noise: Transform | None = None

    def __post_init__(self) -> None:
        check_scheme(self.scheme)

    def __call__(self, site: Site, kernel: Float[Array, "*window trained"]) -> Float[Array, "*window out"]:
        """The signed weights of hidden pulse counts."""
        devices = self.devices(site.name, kernel)
        if self.noise is not None:
            devices = self.noise(site, devices)
        return jnp.asarray(combine(self.scheme, devices))

    def devices(self, name: str, h: Float[Array, "*window trained"]) -> Float[Array, "*window columns"]:
        """What every device stands for, 0 … m_max, the bias column among them."""
        top = self.m_max[name]
        m = straight_through(lambda p: self.curve(self.rounded(p, top), top), h)
        if self.scheme != "bc":
            return m
        return jnp.concatenate([m, jnp.full_like(m[..., :1], top / 2)], axis=-1)

    def rounded(self, h: Array, top: float) -> Array:
        """Whole pulses, 0 … P = 2^bits − 1, in units of weight."""
        if self.bits is None:
            return h
        pulses = 2**self.bits - 1
        return jnp.round(h * (pulses / top)) * (top / pulses)

    def curve(self, h: Array, top: float) -> Array:
        """The device after h pulses."""
        return conductance(h, pulses=top, nu=self.nu, g_min=0.0, g_max=top) if self.nu else h


def trained_columns(scheme: str, n_out: int) -> int:
    """Columns of trained devices of `n_out` outputs; the bias column is fixed."""
    return {"de": 2 * n_out, "bc": n_out, "acm": n_out + 1}[check_scheme(scheme)]


def initial(
    key: Array, rule: Periphery, name: str, *, kernel: tuple[int, ...], sigma: float
) -> Float[Array, "*window trained"]:
    """Hidden pulse counts whose weights have standard deviation `sigma` under every scheme.

    Conductances are drawn about the middle of the range, with σ/√2 where a weight is the difference of two trained
    devices and σ where it is the distance from the bias column, so that single weights have the same distribution.

    Args:
        key: of the layer.
        rule: the scheme and its range.
        name: of the layer.
        kernel: shape [*window in out] of the signed weights.
        sigma: standard deviation of the signed weights.
    """
    top = rule.m_max[name]
    shape = (*kernel[:-1], trained_columns(rule.scheme, kernel[-1]))
    spread = sigma if rule.scheme == "bc" else sigma / 2**0.5
    m = jnp.clip(top / 2 + spread * jax.random.normal(key, shape), 0.0, top)
    return jnp.clip(pulse_count(m, pulses=top, nu=rule.nu, g_min=0.0, g_max=top), 0.0, top) if rule.nu else m


def install(net: nnx.Module, rule: Periphery, *, kernels: Mapping[str, tuple[int, ...]], seed: int) -> None:
    """Put trained devices in the place of the kernels of `net`.

    Args:
        net: a network whose layers are attributes with a `kernel`.
        rule: scheme, bits and range of every layer.
        kernels: shapes of the signed kernels by layer.
        seed: of the draw.
    """
    key = stream(jax.random.key(seed), "periphery")
    for name, shape in kernels.items():
        h = initial(stream(key, name), rule, name, kernel=shape, sigma=he_sigma(shape))
        getattr(net, name).kernel = nnx.Param(h)


def he_sigma(kernel: tuple[int, ...]) -> float:
    """Standard deviation of He-normal weights of shape [*window in out]."""
    rows = 1
    for n in kernel[:-1]:
        rows *= n
    return (2 / rows) ** 0.5


def uninstall(net: nnx.Module, rule: Periphery) -> dict[str, Array]:
    """Put the signed weights back in the place of the trained devices; returns the devices [*window columns] by layer."""
    quiet = replace(rule, noise=None)
    devices: dict[str, Array] = {}
    for name in rule.m_max:
        layer = getattr(net, name)
        devices[name] = quiet.devices(name, layer.kernel[...])
        layer.kernel = nnx.Param(jnp.asarray(combine(rule.scheme, devices[name])))
    return devices


def device_steps(rule: Periphery, *, nu_down: float | None) -> optax.GradientTransformation:
    """What devices do to a step of SGD: pulses down follow their own curve, and none leads beyond the range.

    A step down moves the conductance by the slope of the downward curve where the device stands: in pulses of the upward
    curve, which h counts, that is the ratio of the two slopes.

    Args:
        rule: scheme and range.
        nu_down: non-linearity of the downward curve; None for the same as up.
    """

    def step(name: str, update: Array, h: Array) -> Array:
        top = rule.m_max[name]
        if nu_down is not None:
            span = {"pulses": top, "g_min": 0.0, "g_max": top}
            down = pulse_count(rule.curve(h, top), nu=nu_down, **span)
            ratio = slope(down, nu=nu_down, **span) / jnp.maximum(slope(h, nu=rule.nu, **span), LEAST_SLOPE)
            update = jnp.where(update < 0, update * ratio, update)
        return jnp.clip(h + update, 0.0, top) - h

    return of_kernels(step)
