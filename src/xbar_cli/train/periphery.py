"""Training conductances behind a fixed periphery matrix: `W = S·M`, M in [0, m_max] the trained parameter (acm).

A kernel of the network holds h, the hidden pulse count of every trained device in units of weight: `h = m_max·p/P`. In the
forward pass p is rounded and the device is at `m = m_max·c(p/P)`, c the curve of the weight update from 0 to 1. The
gradient that reaches h is that of m, so that plain SGD gives `Δp ∝ −∂L/∂m` and `Δm = −η·c′(p/P)·∂L/∂m`.

References:
    Kazemi et al. (acm), sections III and IV, Fig. 4a. The initial range of the conductances is not in the paper.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from xbar_cli.config.methods import PeripheryMethod
from xbar_cli.config.train import TrainConfig
from xbar_cli.device.update import conductance, pulse_count, slope
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.periphery import check_scheme, combine
from xbar_cli.nn.shapes import LayerShape
from xbar_cli.numerics import straight_through, stream
from xbar_cli.train.forward import add_input_ranges, drop_input_ranges, make_forward
from xbar_cli.train.optimizers import of_kernels
from xbar_cli.train.session import Conclusion, Ended, Method, Phase, Session
from xbar_cli.train.transforms import Site, Transform
from xbar_cli.trained.fixed import Fixed

LEAST_SLOPE = 1e-3
"""Least slope of a curve that a separate downward curve is compared with: near saturation the ratio would diverge."""

SPREAD_POINTS, BISECTIONS = 2048, 24
"""Quantiles that stand for a distribution of devices, and halvings of its centre and of its width."""


@dataclass(frozen=True)
class Periphery:
    """How trained devices stand for weights: a transform of every kernel.

    Attributes:
        scheme: `de`, `bc` or `acm`.
        bits: of a device; None for any conductance.
        nu: non-linearity of the conductance against pulses; 0 is linear.
        m_max: weight that a device at the top of its range stands for, by layer.
        noise: what every device's conductance goes through besides, in units of weight; None for nothing.
        initial: what devices begin about the middle of, `pulses` or `conductance`.
    """

    scheme: str
    bits: int | None
    nu: float
    m_max: Mapping[str, float]
    noise: Transform | None = None
    initial: str = "pulses"

    @property
    def begins(self) -> str:
        """What devices begin about the middle of; in a bias column, whose reference conducts half, their conductance."""
        return "conductance" if self.scheme == "bc" else self.initial

    def __post_init__(self) -> None:
        check_scheme(self.scheme)

    def __call__(self, site: Site, kernel: Float[Array, "*window trained"]) -> Float[Array, "*window out"]:
        """The signed weights of hidden pulse counts."""
        devices = self.devices(site.name, kernel)
        if self.noise is not None:
            devices = self.noise(replace(site, limit=self.m_max[site.name]), devices)
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
    """Hidden pulse counts whose weights, as the devices' levels have them, have mean 0 and standard deviation `sigma`.

    Pulses or conductances are drawn from a normal distribution that makes it so under every scheme (`spread`): single weights
    of two schemes then differ in the shape of their distribution alone. `kernel` is the shape [*window in out] of the signed
    weights.
    """
    top = rule.m_max[name]
    shape = (*kernel[:-1], trained_columns(rule.scheme, kernel[-1]))
    two = rule.scheme != "bc"
    centre, width = spread(sigma / top / (2**0.5 if two else 1.0), bits=rule.bits, nu=rule.nu, initial=rule.begins)
    return top * _drawn(jax.random.normal(key, shape), centre, width, rule.nu, rule.begins)


@partial(jax.jit, static_argnames=("bits", "nu", "initial"))
def spread(target: ArrayLike, *, bits: int | None, nu: float, initial: str = "conductance") -> tuple[Array, Array]:
    """Centre and width of the normal distribution whose draws, on the devices' levels, have deviation `target`.

    All in units of the range. `initial` conductances are drawn, of mean 1/2 on the levels, or pulses about the middle one.
    Where the levels are too far apart for `target`, the width is the least that has both neighbours of the middle.
    """
    z = jax.scipy.special.ndtri((jnp.arange(float(SPREAD_POINTS)) + 0.5) / SPREAD_POINTS)
    rule = Periphery(scheme="de", bits=bits, nu=nu, m_max={})

    def levels(centre: Array, width: Array) -> Array:
        return rule.curve(rule.rounded(_drawn(z, centre, width, nu, initial), 1.0), 1.0)

    def bisect(above: Callable[[Array], Array], low: float, high: float) -> Array:
        def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            middle = (ends[0] + ends[1]) / 2
            return jax.lax.cond(above(middle), lambda: (ends[0], middle), lambda: (middle, ends[1]))

        ends = jax.lax.fori_loop(0, BISECTIONS, halve, (jnp.asarray(low), jnp.asarray(high)))
        return (ends[0] + ends[1]) / 2

    def centred(width: Array) -> Array:
        if initial == "pulses":
            return jnp.asarray(1 / 2)
        return bisect(lambda centre: levels(centre, width).mean() > 1 / 2, 0.0, 1.0)

    width = bisect(lambda width: levels(centred(width), width).std() > target, 0.02, 2.0)
    return centred(width), width


def _drawn(z: Array, centre: ArrayLike, width: ArrayLike, nu: float, initial: str) -> Array:
    """Hidden pulse counts `centre + width·z`, or those of such conductances, cut to the range; in units of the range."""
    m = jnp.clip(centre + width * z, 0.0, 1.0)
    if not nu or initial == "pulses":
        return m
    return jnp.clip(pulse_count(m, pulses=1.0, nu=nu, g_min=0.0, g_max=1.0), 0.0, 1.0)


def install(
    net: nnx.Module, rule: Periphery, *, kernels: Mapping[str, tuple[int, ...]], seed: int, bias_rows: bool = False
) -> None:
    """Put trained devices in the place of the kernels of `net`, which have the shapes `kernels` by layer.

    With `bias_rows` the last row of every kernel holds biases, which begin at 0: all devices in the middle.
    """
    key = stream(jax.random.key(seed), "periphery")
    middle = _drawn(jnp.zeros(()), 1 / 2, 0.0, rule.nu, rule.begins)
    for name, shape in kernels.items():
        h = initial(stream(key, name), rule, name, kernel=shape, sigma=he_sigma(shape))
        h = h.at[-1].set(rule.m_max[name] * middle) if bias_rows else h
        getattr(net, name).kernel = nnx.Param(h)


def he_sigma(kernel: tuple[int, ...]) -> float:
    """Standard deviation of He-normal weights of shape [*window in out]."""
    return (2 / math.prod(kernel[:-1])) ** 0.5


def uninstall(net: nnx.Module, rule: Periphery) -> dict[str, Array]:
    """Put the signed weights back in the place of the trained devices; returns the devices [*window columns] by layer."""
    quiet = replace(rule, noise=None)
    devices: dict[str, Array] = {}
    for name in rule.m_max:
        layer = getattr(net, name)
        devices[name] = quiet.devices(name, layer.kernel[...])
        layer.kernel = nnx.Param(jnp.asarray(combine(rule.scheme, devices[name])))
    return devices


def weight_decay(rule: Periphery, rate: float) -> optax.GradientTransformation:
    """L2 on the signed weights: the gradient of `rate·|W|²/2` with respect to every trained device is added to its own."""

    def decayed(name: str, update: Array, h: Array) -> Array:
        w, back = jax.vjp(lambda m: jnp.asarray(combine(rule.scheme, m)), rule.devices(name, h))
        return update + rate * back(w)[0][..., : h.shape[-1]]

    return of_kernels(decayed)


def device_steps(rule: Periphery, *, nu_down: float | None) -> optax.GradientTransformation:
    """What devices do to a step of SGD: pulses down follow their own curve, and none leads beyond the range.

    A step down moves the conductance by the slope of the downward curve, of non-linearity `nu_down` (None: as up), where the
    device stands: in pulses of the upward curve, which h counts, that is the ratio of the two slopes.
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


def method(
    section: PeripheryMethod,
    config: TrainConfig,
    net: nnx.Module,
    shapes: Sequence[LayerShape],
    plain: Phase,
    noise: Transform | None,
) -> Method:
    """Conductances trained behind the periphery matrix, from the same distribution of weights under every scheme."""
    if grouped := [layer.name for layer in shapes if layer.groups > 1]:
        raise ConfigError(
            f"{grouped[0]}: a grouped product cannot be trained behind one periphery matrix; use another method"
        )
    rule = Periphery(
        scheme=section.scheme,
        bits=section.bits,
        nu=section.nonlinearity,
        m_max={layer.name: section.weight_limit * he_sigma(layer.kernel) for layer in shapes},
        noise=noise,
        initial=section.initial,
    )
    install(
        net, rule, kernels={layer.name: layer.kernel for layer in shapes}, seed=config.seed,
        bias_rows=config.network.bias == "row",
    )  # fmt: skip
    if section.activation_bits:
        add_input_ranges(net, [layer.name for layer in shapes])

    return Method(
        (plain,),
        make_forward(rule, activation_bits=section.activation_bits or None, precision=config.training.precision),
        decay=partial(weight_decay, rule),
        after=device_steps(rule, nu_down=section.nonlinearity_down),
        conclude=partial(conclude, section, rule),
    )


def conclude(section: PeripheryMethod, rule: Periphery, session: Session, ended: Ended) -> Conclusion:
    """The network with weights again, and the devices that it ends with, 0 … 1 of their range."""
    net = session.network(ended.final)
    shares = {name: np.asarray(m / rule.m_max[name], np.float32) for name, m in uninstall(net, rule).items()}
    fixed = Fixed(
        scheme=section.scheme,
        bits=rule.bits,
        m_max={name: rule.m_max[name] for name in session.layers},
        devices=shares,
        activation_bits=section.activation_bits,
        input_ranges=drop_input_ranges(net, session.layers),
    )
    figures = {
        "nonlinearity": rule.nu,
        "saturated_fraction": [float(jnp.mean((s <= 0) | (s >= 1))) for s in shares.values()],
    }
    return Conclusion(net, fixed, figures)
