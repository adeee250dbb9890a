"""Programming whole arrays by the gradient of their measured outputs, so that they compensate what their wires do.

All rows are driven at once, with patterns of signs that are orthogonal to each other (two reads each, one a sign). The gradient
of the squared error of the outputs with respect to the conductances, taken as if wires were ideal, is the outer product of inputs
and errors; over all patterns it is the error of every effective conductance. It is turned into pulses, and the arrays are
measured anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jax import Array
from jaxtyping import Float

from xbar_cli.chip.programming.rule import ProgrammedDevices, ProgrammingRule, quantised
from xbar_cli.device.switching.model import SwitchingDevices, pulsed, train_joules
from xbar_cli.device.switching.plan import planned
from xbar_cli.numerics import stream

DEVIATIONS = 4.0
"""Full scale of the converters: so many standard deviations of the output that the largest conductances give on random signs."""


class _Underway(NamedTuple):
    """A layer: conductances, and pulses, joules and seconds so far."""

    g: Array
    up: Array
    down: Array
    joules: Array
    seconds: Array


def patterns(height: int) -> Float[np.ndarray, "patterns height"]:
    """Sign patterns for so many rows whose columns are orthogonal: rows of a Hadamard matrix, at least as many."""
    size = 1 << max(height - 1, 0).bit_length()
    return scipy.linalg.hadamard(size)[:, :height].astype(np.float32)


def measured_error(
    key: Array,
    target: Float[Array, "rows cols"],
    effective: Float[Array, "rows cols"],
    noise: Float[Array, "rows cols"] | None,
    *,
    height: int,
    rule: ProgrammingRule,
) -> Float[Array, "rows cols"]:
    """The gradient of a layer's outputs at each device [S]: `Xᵀ(X T − Y)/n`, array by array.

    Args:
        key: random key: of the signs of the patterns' columns, and of read noise.
        target: conductances that the array should act as [S].
        effective: those that it acts as [S].
        noise: standard deviation of each device at a read [S]; None for none.
        height: rows of an array.
        rule: resolution of the reads.
    """
    rows, cols = target.shape
    bands = -(-rows // height)
    flips = jax.random.rademacher(stream(key, "signs"), (height,), target.dtype)
    x = jnp.asarray(patterns(height), target.dtype) * flips[None, :]
    wanted, acting = (
        jnp.pad(m, ((0, bands * height - rows), (0, 0))).reshape(bands, height, cols) for m in (target, effective)
    )
    y = jnp.einsum("nh,bhc->bnc", x, acting)
    if noise is not None:
        power = (
            jnp.pad(jnp.square(noise), ((0, bands * height - rows), (0, 0))).reshape(bands, 1, height, cols).sum(axis=2)
        )
        y = y + jnp.sqrt(power) * jax.random.normal(stream(key, "read"), y.shape, y.dtype)
    full = DEVIATIONS * rule.g_max * height**0.5
    y = jnp.clip(quantised(y, full_scale=2 * full, bits=rule.adc_bits), -full, full)
    error = jnp.einsum("nh,bnc->bhc", x, jnp.einsum("nh,bhc->bnc", x, wanted) - y) / len(x)
    return error.reshape(-1, cols)[:rows]


@dataclass(frozen=True)
class MeasuredArrays:
    """What the gradient is measured on.

    Attributes:
        targets: conductances that the layers should act as [S].
        devices: what differs between the devices of each layer.
        effective: from conductances to those that arrays act as [S], all layers at once.
        noise: standard deviation of devices at a read [S], from conductances and targets; None for none.
        height: rows of an array.
        row_seconds: how long trains of pulses, one for each device of a layer, take [s].
    """

    targets: Mapping[str, Array]
    devices: Mapping[str, SwitchingDevices]
    effective: Callable[[Mapping[str, Array]], Mapping[str, Array]]
    noise: Callable[[Array, Array], Array] | None
    height: int
    row_seconds: Callable[[str, Array], Array]

    def errors(self, key: Array, g: Mapping[str, Array], *, rule: ProgrammingRule) -> dict[str, Array]:
        """The measured error of every effective conductance [S], by layer."""
        acting = self.effective(g)
        found: dict[str, Array] = {}
        for name, target in self.targets.items():
            noise = None if self.noise is None else self.noise(g[name], target)
            tall = min(self.height, target.shape[0])
            found[name] = measured_error(stream(key, name), target, acting[name], noise, height=tall, rule=rule)
        return found


def descend(
    key: Array, arrays: MeasuredArrays, *, rule: ProgrammingRule
) -> tuple[dict[str, ProgrammedDevices], dict[str, Array]]:
    """Program all layers by their measured outputs, from the lower ends of their devices' windows.

    A device gets pulses where its share of the gradient is beyond the accepted distance. A target of 0 is no device.

    Args:
        key: random key of the chip.
        arrays: that are programmed.
        rule: how.

    Returns:
        What it left by layer (its reads are those of all columns of the arrays, 0 a device), and how long pulses took [s].
    """
    targets, devices = arrays.targets, arrays.devices

    def step(number: Array, states: dict[str, _Underway]) -> dict[str, _Underway]:
        of_round = jax.random.fold_in(key, number)
        g = {name: state.g for name, state in states.items()}
        errors = arrays.errors(stream(of_round, "measure"), g, rule=rule)
        return {
            name: _pulse(stream(of_round, name), states[name], error, name, arrays=arrays, rule=rule)
            for name, error in errors.items()
        }

    began = {name: _begin(target, devices[name]) for name, target in targets.items()}
    ended = jax.lax.fori_loop(0, rule.rounds, step, began)
    last = arrays.errors(stream(key, "last"), {name: state.g for name, state in ended.items()}, rule=rule)
    found: dict[str, ProgrammedDevices] = {}
    for name, s in ended.items():
        missed = ((jnp.abs(last[name]) > rule.accepted) & (targets[name] != 0)).astype(s.g.dtype)
        found[name] = ProgrammedDevices(s.g, s.up, s.down, jnp.zeros_like(s.g), s.joules, missed)
    return found, {name: state.seconds for name, state in ended.items()}


def _begin(target: Array, devices: SwitchingDevices) -> _Underway:
    none = jnp.zeros_like(target)
    return _Underway(jnp.where(target != 0, devices.low, 0), none, none, none, jnp.zeros((), target.dtype))


def _pulse(
    key: Array, now: _Underway, error: Array, name: str, *, arrays: MeasuredArrays, rule: ProgrammingRule
) -> _Underway:
    """One update of a layer: the gradient as pulses of the nominal curve."""
    model, target, left = rule.model, arrays.targets[name], rule.most - now.up - now.down
    beyond = (jnp.abs(error) > rule.accepted) & (target != 0)
    seen = target - error
    wanted = planned(seen, seen + rule.rate * error, model=model, g_min=rule.g_min, g_max=rule.g_max)
    size = jnp.minimum(jnp.maximum(jnp.round(jnp.abs(wanted)), 1), left)
    n = jnp.where(beyond, jnp.sign(error) * size, 0)
    g = pulsed(key, now.g, n, model=model, devices=arrays.devices[name])
    joules = now.joules + train_joules(now.g, g, n, model=model)
    up, down = now.up + jnp.maximum(n, 0), now.down + jnp.maximum(-n, 0)
    return _Underway(g, up, down, joules, now.seconds + arrays.row_seconds(name, n))
