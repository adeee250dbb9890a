"""A switching model: what trains of equal pulses make of the conductances of devices that differ, each time a little differently.

In a device's own window, `s = (G − low)/(high − low)`, the mean step of a pulse up is `(1 − b s)·(1 − e^{−ρ})/b` with
`b = 1 − e^{−ν}` and `ρ = ν/P`: the curve of `device/update` (NeuroSim's), followed pulse by pulse. Pulses down take the same form
from the other end, with figures of their own. ν = 0 is a constant step, a large ν (10 or more) a soft bound, at which steps fade.
A step that is linear in s has a mean after n pulses in closed form, and so a train is one evaluation, whatever its length.

References:
    Chen, Peng, Yu, NeuroSim, IEEE TCAD 37 (2018) 3067: the curve, and noise of `√n` of the window.
    Gokmen and Vlasov, Front. Neurosci. 10 (2016) 333: spreads between devices and between pulses.
"""

import math
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike, DTypeLike
from jaxtyping import Float

from xbar_cli.device import draws
from xbar_cli.device.update import expm1_over
from xbar_cli.numerics import stream

NARROWEST = 0.1
"""Least width of a device's window, in units of the nominal one."""


@dataclass(frozen=True, kw_only=True)
class PulseBranch:
    """Pulses of one sign.

    Attributes:
        pulses: P, from one end of the window to the other.
        nonlinearity: ν; above 0 the first pulses from the end where they begin are the largest.
        volt: of a pulse [V].
        seconds: width of a pulse [s].
    """

    pulses: float
    nonlinearity: float
    volt: float
    seconds: float

    @property
    def joules_per_siemens(self) -> float:
        """Energy of a pulse in a device, over its conductance [J/S]."""
        return self.volt**2 * self.seconds


@dataclass(frozen=True, kw_only=True)
class Switching:
    """How devices of one kind switch. Their window is that of the levels which weights are mapped to.

    Attributes:
        name: of the preset or file.
        source: where the figures come from.
        up: pulses that raise the conductance.
        down: pulses that lower it.
        sigma_cycle: spread of every pulse's step over the step.
        sigma_cycle_window: spread of every pulse's step over the window, besides.
        sigma_step: spread of the steps between devices, relative.
        sigma_asymmetry: spread between devices of half the relative difference of steps up and down.
        sigma_window: spread of either end of the window between devices, over the window.
        volt_read: of a verify read [V].
        seconds_read: width of a verify read [s].
    """

    name: str
    source: str
    up: PulseBranch
    down: PulseBranch
    sigma_cycle: float = 0.0
    sigma_cycle_window: float = 0.0
    sigma_step: float = 0.0
    sigma_asymmetry: float = 0.0
    sigma_window: float = 0.0
    volt_read: float
    seconds_read: float

    @property
    def read_joules_per_siemens(self) -> float:
        """Energy of a read of a device, over its conductance [J/S]."""
        return self.volt_read**2 * self.seconds_read


@partial(jax.tree_util.register_dataclass, data_fields=["low", "high", "up", "down"], meta_fields=[])
@dataclass(frozen=True)
class SwitchingDevices:
    """What differs between the devices of a chip.

    Attributes:
        low: lower end of each window [S].
        high: upper end [S].
        up: steps up over those of the model.
        down: steps down over those of the model.
    """

    low: Float[Array, "*shape"]
    high: Float[Array, "*shape"]
    up: Float[Array, "*shape"]
    down: Float[Array, "*shape"]


def draw_devices(
    key: Array,
    like: Float[Array, "*shape"],
    *,
    model: Switching,
    g_min: ArrayLike,
    g_max: ArrayLike,
    floor: float = 0.0,
) -> SwitchingDevices:
    """The devices of a chip, in the shape and dtype of `like`.

    Args:
        key: random key of the chip and layer.
        like: an array of the devices' shape.
        model: how they switch.
        g_min: lower end of the nominal window [S].
        g_max: upper end of the nominal window [S].
        floor: what no window goes below [S]; minus infinity where conductances are counted from a reference.
    """
    bottom, top = jnp.asarray(g_min, like.dtype), jnp.asarray(g_max, like.dtype)
    width = top - bottom
    drawn = {name: draws.normal(stream(key, name), like) for name in ("low", "high", "step", "asymmetry")}
    low = jnp.maximum(bottom + model.sigma_window * width * drawn["low"], floor)
    high = jnp.maximum(top + model.sigma_window * width * drawn["high"], low + NARROWEST * width)
    step, skew = jnp.abs(1 + model.sigma_step * drawn["step"]), model.sigma_asymmetry * drawn["asymmetry"]
    return SwitchingDevices(low, high, step * jnp.maximum(1 + skew, 0), step * jnp.maximum(1 - skew, 0))


def _train(s: Array, n: Array, branch: PulseBranch, factor: Array) -> tuple[Array, Array, Array]:
    """Mean way of n pulses from `s` (0 where they begin), step of the last of them, and `√Σ r^2k` of the n steps.

    All in units of the window.
    """
    nu, rate = branch.nonlinearity, branch.nonlinearity / branch.pulses * factor
    gone = factor / branch.pulses * n * expm1_over(-rate * n) / expm1_over(jnp.asarray(-nu, s.dtype))
    left = 1 + jnp.expm1(jnp.asarray(-nu, s.dtype)) * s
    one = factor / branch.pulses * expm1_over(-rate) / expm1_over(jnp.asarray(-nu, s.dtype)) * left
    last = one * jnp.exp(-rate * jnp.maximum(n - 1, 0))
    gathered = jnp.sqrt(n * expm1_over(-2 * rate * n) / expm1_over(-2 * rate))
    return left * gone, last, gathered


def _first_step(branch: PulseBranch, factor: ArrayLike, dtype: DTypeLike) -> Array:
    """Mean step of a pulse at the end where pulses begin, over the window."""
    nu, each = branch.nonlinearity, jnp.asarray(factor, dtype) / branch.pulses
    return each * expm1_over(-nu * each) / expm1_over(jnp.asarray(-nu, dtype))


def mean_step(model: Switching) -> float:
    """Step of a pulse in the middle of a nominal window, mean of up and down, over the window."""

    def step(pulses: float, nu: float) -> float:
        first = math.expm1(-nu / pulses) / math.expm1(-nu) if nu else 1 / pulses
        return first * (1 + math.expm1(-nu) / 2)

    return sum(step(branch.pulses, branch.nonlinearity) for branch in (model.up, model.down)) / 2


def symmetry_point(devices: SwitchingDevices, model: Switching) -> Float[Array, "*shape"]:
    """Conductances at which a pulse up and one down cancel on average [S]; the middle where steps are constant."""
    up, down = (
        _first_step(branch, factor, devices.low.dtype)
        for branch, factor in ((model.up, devices.up), (model.down, devices.down))
    )
    fade_up, fade_down = (-math.expm1(-branch.nonlinearity) for branch in (model.up, model.down))
    slope = up * fade_up + down * fade_down
    s = jnp.where(slope > 0, (up - down + down * fade_down) / jnp.where(slope > 0, slope, 1), 0.5)
    return devices.low + jnp.clip(s, 0, 1) * (devices.high - devices.low)


def pulsed(
    key: Array,
    g: Float[Array, "*shape"],
    pulses: Float[Array, "*shape"],
    *,
    model: Switching,
    devices: SwitchingDevices,
) -> Float[Array, "*shape"]:
    """Conductances after trains of pulses: up where `pulses` is above 0, down where it is below, as they are where it is 0.

    The spread of a train is that of its pulses one by one: each step has its own, and the steps after it shrink what it left.
    So n pulses spread by `σ_cycle·√n` times the last step, and by `σ_window·√(Σ_k e^{−2ρk})` of the window.

    Args:
        key: random key of these trains.
        g: conductances [S].
        pulses: whole numbers of pulses, with their sign.
        model: how the devices switch.
        devices: what differs between them.

    Accuracy:
        Mean exact, spread to the order of `σ_cycle²` of itself, of a train that does not reach an end of the window; one that
        does is cut at the end of the train, not pulse by pulse.
    """
    width = devices.high - devices.low
    s, n = (g - devices.low) / width, jnp.abs(pulses)
    up, down = _train(s, n, model.up, devices.up), _train(1 - s, n, model.down, devices.down)
    way, last, gathered = (jnp.where(pulses > 0, one, other) for one, other in zip(up, down, strict=True))
    spread = jnp.hypot(model.sigma_cycle * jnp.sqrt(n) * last, model.sigma_cycle_window * gathered)
    moved = s + jnp.sign(pulses) * way + spread * draws.normal(key, g)
    return jnp.where(pulses == 0, g, devices.low + width * jnp.clip(moved, 0, 1))


def train_joules(
    before: Float[Array, "*shape"], after: Float[Array, "*shape"], pulses: Float[Array, "*shape"], *, model: Switching
) -> Float[Array, "*shape"]:
    """Energy of a train of pulses in each device [J]: V² t of every pulse times the mean conductance [S] of the train."""
    each = jnp.where(pulses > 0, model.up.joules_per_siemens, model.down.joules_per_siemens)
    return jnp.abs(pulses) * each * (before + after) / 2


def train_seconds(pulses: Float[Array, "*shape"], *, model: Switching) -> Float[Array, "*shape"]:
    """How long the pulses of a train take one after the other [s]."""
    return jnp.abs(pulses) * jnp.where(pulses > 0, model.up.seconds, model.down.seconds)
