"""What a step does to devices: pulses where bit streams coincide, reads of fast devices and of residual tiles, drift."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from xbar_cli.device.switching.model import Switching, SwitchingDevices, mean_step, pulsed, symmetry_point
from xbar_cli.nn.layers import Product
from xbar_cli.nn.loops import one_by_one
from xbar_cli.numerics import straight_through, stream
from xbar_cli.train.forward import Forward
from xbar_cli.train.insitu.arrays import RATIO, ReadArrays
from xbar_cli.train.insitu.pulses import PulsedProduct
from xbar_cli.train.insitu.residual import TILES, Residual

TALLY = "tally"
"""Variable of a layer whose gradient is how many pulses its devices get, up and down together."""


@dataclass(frozen=True)
class Pulsing:
    """How weights are pulsed.

    Attributes:
        model: how devices switch.
        limit: weight at the upper end of a nominal window; minus that is at the lower end.
        bits: of a stream.
        transfer: pulses of a weight for a pulse's step of its fast device at every read of it; None: weights are pulsed.
        weights: the devices of the weights, by layer; those of residual tiles stand there.
        fast: the fast devices of Tiki-Taka, by layer.
        seed: of what pulses draw.
        arrays: that devices are read in; None for ideal ones.
        kept: share of its distance from the middle of the window that a device keeps over a step, the rest being lost to drift.
        residual: tiles that a weight is the sum of; None where it is one device.
    """

    model: Switching
    limit: float
    bits: int
    transfer: float | None
    weights: Mapping[str, SwitchingDevices]
    fast: Mapping[str, SwitchingDevices]
    seed: int
    arrays: ReadArrays | None = None
    kept: float = 1.0
    residual: Residual | None = None

    @property
    def finest(self) -> float:
        """What a pulse of those that learn does to a weight."""
        return self.step if self.residual is None else self.step * self.residual.factors[-1]

    @property
    def step(self) -> float:
        """What a pulse does to a nominal device in the middle of its window, mean of up and down, in units of weight."""
        return 2 * self.limit * mean_step(self.model)

    def pulse(self, key: Array, w: Array, n: Array, devices: SwitchingDevices) -> Array:
        """Weights after trains of pulses."""
        return pulsed(key, w, n, model=self.model, devices=devices)

    def drifted(self, w: Array) -> Array:
        """Weights at the end of a step."""
        return w if self.kept == 1 else w * jnp.asarray(self.kept, w.dtype)

    def read(self, layer: Any, kernel: Array) -> Array:
        """What a layer's kernel is read as: gradients are those of the kernel itself."""
        arrays = self.arrays
        if arrays is None:
            return kernel
        return straight_through(lambda w: arrays.by_ratio(w, getattr(layer, RATIO)[...]), kernel)


def pulsed_forward(rule: Pulsing, *, rate: float) -> Forward:
    """Products whose gradients are pulses; plain ones when the network is measured."""

    def forward(net: Any, key: Array | None, step: Array | None) -> Product:
        uses: dict[str, int] = {}

        def product(name: str, x: Array, kernel: Array, contract: Any) -> Array:
            if key is None or step is None or name not in rule.weights:
                return contract(x, kernel)
            use = uses[name] = uses.get(name, -1) + 1
            own = jax.random.fold_in(stream(stream(key, "pulses"), name), use)
            layer = getattr(net, name)
            gain = jnp.asarray(rate / rule.finest, x.dtype)
            return PulsedProduct(contract, rule.bits)(
                x, rule.read(layer, kernel), getattr(layer, TALLY)[...], own, gain
            )

        return one_by_one(product)

    return forward


class PulseState(NamedTuple):
    """Steps so far; of Tiki-Taka, the fast devices and the digital buffer of each layer."""

    steps: Array
    fast: dict[str, Array]
    buffer: dict[str, Array]


def pulsed_sgd(rule: Pulsing, *, rate: float) -> optax.GradientTransformation:
    """Pulses for devices, `−rate · gradient` for everything digital."""

    def init(params: Any) -> PulseState:
        del params
        fast = {name: symmetry_point(devices, rule.model) for name, devices in rule.fast.items()}
        return PulseState(jnp.zeros((), jnp.int32), fast, {name: jnp.zeros_like(a) for name, a in fast.items()})

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, PulseState]:
        key = jax.random.fold_in(stream(jax.random.key(rule.seed), "insitu"), state.steps)
        net, both, tiles = _named(updates, "kernel"), _named(updates, TALLY), _named(params, TILES)
        fast, buffer, moved, shifted = dict(state.fast), dict(state.buffer), {}, {}
        for name, w in _named(params, "kernel").items():
            if name not in rule.weights:
                continue
            own, up, down = stream(key, name), (both[name] + net[name]) / 2, (both[name] - net[name]) / 2
            if rule.residual is not None:
                found = _carried(rule, name, own, tiles[name], up, down, state.steps)
                shifted[name] = found - tiles[name]
                moved[name] = rule.residual.weights(found) - w
            elif rule.transfer is None:
                moved[name] = rule.drifted(_both_ways(rule, own, w, up, down, rule.weights[name], state.steps)) - w
            else:
                fast[name] = _both_ways(rule, own, fast[name], up, down, rule.fast[name], state.steps)
                away = fast[name] - symmetry_point(rule.fast[name], rule.model)
                away, buffer[name] = _transfer(rule, away, buffer[name], state.steps)
                moved[name] = rule.drifted(rule.pulse(stream(own, "weights"), w, away, rule.weights[name])) - w
                fast[name] = rule.drifted(fast[name])

        def one(path: tuple[object, ...], value: Array) -> Array:
            name, kind = _place(path)
            if name in rule.weights and kind in ("kernel", TALLY, TILES):
                return {"kernel": moved, TILES: shifted}.get(kind, {}).get(name, jnp.zeros_like(value))
            return -rate * value

        found = jax.tree_util.tree_map_with_path(one, updates)
        return found, PulseState(state.steps + 1, fast, buffer)

    return optax.GradientTransformation(init, update)


def _both_ways(
    rule: Pulsing, key: Array, w: Array, up: Array, down: Array, devices: SwitchingDevices, count: Array
) -> Array:
    """After pulses up and down, those up first at every other step."""
    odd = count % 2 == 1
    first, second = jax.random.split(key)
    w = rule.pulse(first, w, jnp.where(odd, up, -down), devices)
    return rule.pulse(second, w, jnp.where(odd, -down, up), devices)


def _transfer(rule: Pulsing, away: Array, buffer: Array, count: Array) -> tuple[Array, Array]:
    """Pulses for the weights, and the buffer, after the next row of fast devices, so far from symmetry, was read into it."""
    assert rule.transfer is not None
    rows = away.size // away.shape[-1]
    row = count % rows
    read = rule.transfer * away.reshape(rows, -1)[row] / rule.step
    filled = buffer.reshape(rows, -1).at[row].add(read)
    pulses = jnp.trunc(filled)
    return pulses.reshape(away.shape), (filled - pulses).reshape(away.shape)


def _carried(rule: Pulsing, name: str, key: Array, tiles: Array, up: Array, down: Array, count: Array) -> Array:
    """Residual tiles after a step: pulses on the finest, and carries."""
    assert rule.residual is not None
    tiles = tiles.at[-1].set(_both_ways(rule, key, tiles[-1], up, down, rule.residual.finest(name), count))
    pulses = rule.residual.carried(tiles, name, step=rule.step, limit=rule.limit, count=count)
    return rule.drifted(rule.pulse(stream(key, "weights"), tiles, pulses, rule.weights[name]))


def _place(path: tuple[object, ...]) -> tuple[str, str]:
    """Layer and variable of a place in a tree of parameters."""
    names = [str(getattr(part, "key", getattr(part, "name", part))) for part in path]
    kind = next((kind for kind in ("kernel", TALLY, TILES) if kind in names), "")
    return (names[names.index(kind) - 1], kind) if kind else ("", "")


def _named(tree: Any, kind: str) -> dict[str, Array]:
    """The arrays of one variable, by layer."""
    places = [(_place(path), leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]]
    return {name: leaf for (name, found), leaf in places if found == kind}
