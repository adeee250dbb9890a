"""In-situ training: weights are devices, and every step pulses them where bit streams of inputs and errors coincide.

A weight is its device's conductance less that of a reference in the middle of the window, in units of weight. Inputs, errors and
digital biases are exact; arrays are ideal, or read through wires (`arrays`). What the pulses do is the switching model's, with
the spreads of its devices.

Tiki-Taka v2 pulses fast devices instead, whose distance from their symmetry points gathers the gradient. A row of them is read at
every step into a digital buffer, and weights get a pulse for every whole unit that stands there. Residual tiles: `residual`.

References:
    Gokmen and Vlasov, Front. Neurosci. 10 (2016) 333: the stochastic update.
    Gokmen, Front. Artif. Intell. 4 (2021) 699148: Tiki-Taka v2.
"""

import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from xbar_cli.config.arrays import ArraySection, tile_fold
from xbar_cli.config.chips.insitu import InsituMethod
from xbar_cli.config.hardware import MappingSection
from xbar_cli.config.train import TrainConfig
from xbar_cli.device.switching.model import draw_devices, mean_step
from xbar_cli.device.switching.presets import load_switching
from xbar_cli.errors import ConfigError
from xbar_cli.nn.shapes import LayerShape
from xbar_cli.numerics import stream
from xbar_cli.train.insitu import residual
from xbar_cli.train.insitu.arrays import RATIO, ReadArrays, make_read, make_renewal, make_room, make_settle, make_solve
from xbar_cli.train.insitu.residual import TILES, Residual, shares_of
from xbar_cli.train.insitu.updates import TALLY, Pulsing, pulsed_forward, pulsed_sgd
from xbar_cli.train.session import Conclusion, Ended, Method, Phase, Session
from xbar_cli.trained.fixed import Fixed, TrainedArrays

TRANSFER_RATE = 0.1
"""Of Tiki-Taka, unless given."""


def method(
    section: InsituMethod, config: TrainConfig, net: nnx.Module, shapes: Sequence[LayerShape], plain: Phase
) -> Method:
    """Devices trained by pulses, from the network's own first weights."""
    if grouped := [layer.name for layer in shapes if layer.groups > 1]:
        raise ConfigError(f"{grouped[0]}: a grouped product cannot be trained in place; use another method")
    rule = pulsing(section, config, shapes)
    for name, devices in rule.weights.items():
        layer = getattr(net, name)
        if rule.residual is None:
            layer.kernel = nnx.Param(jnp.clip(layer.kernel[...], devices.low, devices.high))
        else:
            rule.residual.begin(layer, name, limit=rule.limit)
        setattr(layer, TALLY, nnx.Param(jnp.zeros_like(layer.kernel[...])))
    names, renewal, read = list(rule.weights), None, dict
    if rule.arrays is not None:
        make_room(net, names, rule.arrays)
        solve = make_solve(rule.arrays)
        renewal, read = make_renewal(names, solve, every=section.refold), make_read(rule.arrays, solve)
    settle = make_settle(net, names, limit=rule.limit, read=read)
    if rule.residual is not None:
        settle = residual.make_settle(net, names, rule.residual, limit=rule.limit)
    return Method(
        (plain,),
        pulsed_forward(rule, rate=plain.learning_rate),
        settle=settle,
        renewal=renewal,
        optimizer=pulsed_sgd(rule, rate=plain.learning_rate),
        conclude=partial(conclude, rule),
    )


def pulsing(section: InsituMethod, config: TrainConfig, shapes: Sequence[LayerShape]) -> Pulsing:
    """How weights are pulsed, with the devices of this chip. ConfigError where a residual tile would hold less than a pulse."""
    model, limit, factors = load_switching(section.switching), section.weight_range, section.factors()
    least = 2 * mean_step(model)
    if factors and factors[1] < least:
        raise ConfigError(
            f"insitu.residual_factor = {factors[1]:g}: a finer tile would hold less than a pulse of {model.name}; at least "
            f"{least:.2g} is needed"
        )
    key, tiki = stream(jax.random.key(config.seed), "insitu devices"), section.algorithm == "tiki-taka"
    draw = partial(draw_devices, model=model, g_min=-limit, g_max=limit, floor=-jnp.inf)
    shape = {layer.name: (len(factors), *layer.kernel) if factors else tuple(layer.kernel) for layer in shapes}
    weights = {name: draw(stream(key, name), jnp.zeros(own)) for name, own in shape.items()}
    return Pulsing(
        model=model,
        limit=limit,
        bits=section.bit_length,
        transfer=(section.transfer_rate or TRANSFER_RATE) if tiki else None,
        weights=weights,
        fast={name: draw(stream(stream(key, "fast"), name), jnp.zeros(own)) for name, own in shape.items()}
        if tiki
        else {},
        seed=config.seed,
        arrays=read_arrays(config, limit=limit),
        kept=1.0 if section.lifetime is None else math.exp(-1 / section.lifetime),
        residual=Residual(factors, weights, model) if factors else None,
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
    several = rule.residual
    for name in session.layers:
        layer = getattr(net, name)
        tiles = np.asarray(layer.kernel[...][None] if several is None else getattr(layer, TILES)[...])
        for kept in (TALLY, RATIO, TILES):
            if hasattr(layer, kept):
                delattr(layer, kept)
        beyond.append(float(np.mean(np.abs(tiles) > rule.limit)))
        share = shares_of(tiles, limit=rule.limit)
        shares[name] = np.concatenate([share, np.full_like(share[..., :1], 0.5)], axis=-1).astype(np.float32)
        cut = jnp.asarray(np.clip(tiles, -rule.limit, rule.limit))
        layer.kernel = nnx.Param((cut[0] if several is None else several.weights(cut)).astype(jnp.float32))
    fixed = Fixed(
        scheme="bc",
        m_max=dict.fromkeys(session.layers, 2 * rule.limit),
        devices=shares,
        factors=() if several is None else several.factors,
        activation_bits=0,
        input_ranges={},
        technology=mapping.technology,
        arrays=rule.arrays
        and TrainedArrays(
            ArraySection(**session.config.array.model_dump(exclude_none=True)), "{}x{}".format(*rule.arrays.tile)
        ),
    )
    return Conclusion(net, fixed, {"switching": rule.model.name, "beyond_window_fraction": beyond})
