"""In-situ training: weights are devices, and every step pulses them where bit streams of inputs and errors coincide.

A weight is its device's conductance less that of a reference in the middle of the window, in units of weight. Inputs, errors and
digital biases are exact; arrays are ideal, or read through wires (`arrays`). What the pulses do is the switching model's, with
the spreads of its devices.

Tiki-Taka v2 pulses fast devices instead, whose distance from their symmetry points gathers the gradient. A row of them is read at
every step into a digital buffer, and weights get a pulse for every whole unit that stands there.

References:
    Gokmen and Vlasov, Front. Neurosci. 10 (2016) 333: the stochastic update.
    Gokmen, Front. Artif. Intell. 4 (2021) 699148: Tiki-Taka v2.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from xbar_cli.config.arrays import ArraySection, tile_fold
from xbar_cli.config.chips.insitu import InsituMethod
from xbar_cli.config.hardware import MappingSection
from xbar_cli.config.train import TrainConfig
from xbar_cli.device.switching.model import Switching, SwitchingDevices, draw_devices, mean_step, pulsed, symmetry_point
from xbar_cli.device.switching.presets import load_switching
from xbar_cli.errors import ConfigError
from xbar_cli.nn.layers import Product
from xbar_cli.nn.loops import one_by_one
from xbar_cli.nn.shapes import LayerShape
from xbar_cli.numerics import straight_through, stream
from xbar_cli.train.forward import Forward
from xbar_cli.train.insitu.arrays import RATIO, ReadArrays, make_read, make_renewal, make_room, make_settle, make_solve
from xbar_cli.train.insitu.pulses import PulsedProduct
from xbar_cli.train.session import Conclusion, Ended, Method, Phase, Session
from xbar_cli.trained.fixed import Fixed, TrainedArrays

TALLY = "tally"
"""Variable of a layer whose gradient is how many pulses its devices get, up and down together."""
TRANSFER_RATE = 0.1
"""Of Tiki-Taka, unless given."""


@dataclass(frozen=True)
class Pulsing:
    """How weights are pulsed.

    Attributes:
        model: how devices switch.
        limit: weight at the upper end of a nominal window; minus that is at the lower end.
        bits: of a stream.
        transfer: pulses of a weight for a pulse's step of its fast device at every read of it; None: weights are pulsed.
        weights: the devices of the weights, by layer.
        fast: the fast devices of Tiki-Taka, by layer.
        seed: of what pulses draw.
        arrays: that devices are read in; None for ideal ones.
        kept: share of its distance from the middle of the window that a device keeps over a step, the rest being lost to drift.
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
            gain = jnp.asarray(rate / rule.step, x.dtype)
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
        fast = {} if rule.transfer is None else {n: symmetry_point(d, rule.model) for n, d in rule.fast.items()}
        return PulseState(jnp.zeros((), jnp.int32), fast, {name: jnp.zeros_like(a) for name, a in fast.items()})

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, PulseState]:
        key = jax.random.fold_in(stream(jax.random.key(rule.seed), "insitu"), state.steps)
        net, both = _named(updates, "kernel"), _named(updates, TALLY)
        fast, buffer, moved = dict(state.fast), dict(state.buffer), {}
        for name, w in _named(params, "kernel").items():
            if name not in rule.weights:
                continue
            own, up, down = stream(key, name), (both[name] + net[name]) / 2, (both[name] - net[name]) / 2
            if rule.transfer is None:
                moved[name] = rule.drifted(_both_ways(rule, own, w, up, down, rule.weights[name], state.steps)) - w
            else:
                fast[name] = _both_ways(rule, own, fast[name], up, down, rule.fast[name], state.steps)
                away, buffer[name] = _transfer(rule, name, fast[name], buffer[name], state.steps)
                moved[name] = rule.drifted(rule.pulse(stream(own, "weights"), w, away, rule.weights[name])) - w
                fast[name] = rule.drifted(fast[name])

        def one(path: tuple[object, ...], value: Array) -> Array:
            name, kind = _place(path)
            if name in rule.weights and kind in ("kernel", TALLY):
                return moved[name] if kind == "kernel" else jnp.zeros_like(value)
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


def _transfer(rule: Pulsing, name: str, fast: Array, buffer: Array, count: Array) -> tuple[Array, Array]:
    """Pulses for the weights, and the buffer, after the next row of fast devices was read into it."""
    assert rule.transfer is not None
    rows = fast.size // fast.shape[-1]
    away = (fast - symmetry_point(rule.fast[name], rule.model)).reshape(rows, -1) / rule.step
    row = count % rows
    filled = buffer.reshape(rows, -1).at[row].add(rule.transfer * away[row])
    pulses = jnp.trunc(filled)
    return pulses.reshape(fast.shape), (filled - pulses).reshape(fast.shape)


def _place(path: tuple[object, ...]) -> tuple[str, str]:
    """Layer and variable of a place in a tree of parameters."""
    names = [str(getattr(part, "key", getattr(part, "name", part))) for part in path]
    kind = next((kind for kind in ("kernel", TALLY) if kind in names), "")
    return (names[names.index(kind) - 1], kind) if kind else ("", "")


def _named(tree: Any, kind: str) -> dict[str, Array]:
    """The arrays of one variable, by layer."""
    places = [(_place(path), leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]]
    return {name: leaf for (name, found), leaf in places if found == kind}


def method(
    section: InsituMethod, config: TrainConfig, net: nnx.Module, shapes: Sequence[LayerShape], plain: Phase
) -> Method:
    """Devices trained by pulses, from the network's own first weights."""
    if grouped := [layer.name for layer in shapes if layer.groups > 1]:
        raise ConfigError(f"{grouped[0]}: a grouped product cannot be trained in place; use another method")
    model, limit = load_switching(section.switching), section.weight_range
    key = stream(jax.random.key(config.seed), "insitu devices")
    draw = partial(draw_devices, model=model, g_min=-limit, g_max=limit, floor=-jnp.inf)
    kernels = {layer.name: jnp.zeros(layer.kernel) for layer in shapes}
    tiki = section.algorithm == "tiki-taka"
    rule = Pulsing(
        model=model,
        limit=limit,
        bits=section.bit_length,
        transfer=(section.transfer_rate or TRANSFER_RATE) if tiki else None,
        weights={name: draw(stream(key, name), like) for name, like in kernels.items()},
        fast={name: draw(stream(stream(key, "fast"), name), like) for name, like in kernels.items()} if tiki else {},
        seed=config.seed,
        arrays=read_arrays(config, limit=limit),
        kept=1.0 if section.lifetime is None else math.exp(-1 / section.lifetime),
    )
    for name, devices in rule.weights.items():
        layer = getattr(net, name)
        layer.kernel = nnx.Param(jnp.clip(layer.kernel[...], devices.low, devices.high))
        setattr(layer, TALLY, nnx.Param(jnp.zeros_like(devices.low)))
    names, renewal, read = list(rule.weights), None, dict
    if rule.arrays is not None:
        make_room(net, names, rule.arrays)
        solve = make_solve(rule.arrays)
        renewal, read = make_renewal(names, solve, every=section.refold), make_read(rule.arrays, solve)
    return Method(
        (plain,),
        pulsed_forward(rule, rate=plain.learning_rate),
        settle=make_settle(net, names, limit=limit, read=read),
        renewal=renewal,
        optimizer=pulsed_sgd(rule, rate=plain.learning_rate),
        conclude=partial(conclude, rule),
    )


def read_arrays(config: TrainConfig, *, limit: float) -> ReadArrays | None:
    """The arrays that the configuration reads devices in; None for ideal ones."""
    array, mapping = config.array, config.mapping
    if array.model is None:
        return None
    fold = tile_fold(array.known(array.model))
    assert fold is not None
    devices = MappingSection(technology=mapping.technology).resistive()
    return ReadArrays(fold, mapping.array_size, devices.g_off, devices.g_on, limit)


def conclude(rule: Pulsing, session: Session, ended: Ended) -> Conclusion:
    """The network without what only training needs, and its devices, 0 … 1 of the nominal window, with their reference."""
    net, mapping = session.network(ended.final), session.config.mapping
    shares: dict[str, np.ndarray] = {}
    beyond: list[float] = []
    for name in session.layers:
        layer = getattr(net, name)
        for kept in (TALLY, RATIO):
            if hasattr(layer, kept):
                delattr(layer, kept)
        share = (np.asarray(layer.kernel[...]) / rule.limit + 1) / 2
        beyond.append(float(np.mean((share < 0) | (share > 1))))
        share = np.clip(share, 0, 1)
        shares[name] = np.concatenate([share, np.full_like(share[..., :1], 0.5)], axis=-1).astype(np.float32)
        layer.kernel = nnx.Param(jnp.asarray((2 * share - 1) * rule.limit, jnp.float32))
    fixed = Fixed(
        scheme="bc",
        m_max=dict.fromkeys(session.layers, 2 * rule.limit),
        devices=shares,
        activation_bits=0,
        input_ranges={},
        technology=mapping.technology,
        arrays=rule.arrays
        and TrainedArrays(
            ArraySection(**session.config.array.model_dump(exclude_none=True)), "{}x{}".format(*rule.arrays.tile)
        ),
    )
    return Conclusion(net, fixed, {"switching": rule.model.name, "beyond_window_fraction": beyond})
