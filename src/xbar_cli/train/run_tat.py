"""Technology aware training in a training run: the arrays that every forward pass goes through."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from xbar_cli.array.lumped import lumped_dual
from xbar_cli.array.nodal import nodal
from xbar_cli.array.pairs import halves, interleaved
from xbar_cli.array.published import published_columns, published_signed
from xbar_cli.array.tiling import fold_pairs
from xbar_cli.array.wires import Wires
from xbar_cli.config.base import parse_quantity
from xbar_cli.config.methods import TatSection
from xbar_cli.config.ranges import parse_tile
from xbar_cli.config.train import TrainConfig
from xbar_cli.device.levels import LIMIT_SHARES, weight_limit
from xbar_cli.device.technologies import load_technology
from xbar_cli.errors import ConfigError
from xbar_cli.nn.shapes import LayerShape, kernels, parameters
from xbar_cli.train.arrays import make_renewal, make_settle, make_solve
from xbar_cli.train.forward import make_forward
from xbar_cli.train.loop import State, make_counter
from xbar_cli.train.session import Counter, Method, Phase, Progress, Session, accuracy, start_from
from xbar_cli.train.transforms import DualFold, Technology, Transform
from xbar_cli.trained.opening import kernel_accuracy
from xbar_cli.trained.parts import Part


def method(
    config: TrainConfig,
    net: nnx.Module,
    shapes: Sequence[LayerShape],
    plain: Phase,
    noise: Transform | None,
    parts: Mapping[str, Part],
) -> Method:
    """Discretised weights on arrays in every forward pass, injected noise between the levels and the arrays.

    The weight limit `auto` is chosen on the validation part.
    """
    technology = replace(technology_of(config.tat, shapes), noise=noise)
    if config.tat.start is not None:
        start_from(net, config.tat.start, config)
    if config.tat.weight_limit == "auto":
        technology = replace(technology, share=limit_share(net, technology, parts["validation"]))
    if technology.kept:
        keep_fold_ratios(net, shapes, technology)
    forward = make_forward(technology, precision=config.training.precision)
    layers, solve = [layer.name for layer in shapes], make_solve(technology)
    settle = make_settle(nnx.split(net)[0], layers, technology, solve)
    renewal = make_renewal(layers, technology, solve, every=config.tat.refold) if technology.kept else None
    return Method((plain,), forward, settle=settle, renewal=renewal, conclude=partial(conclude, technology))


def limit_share(net: nnx.Module, technology: Technology, held: Part) -> float:
    """The share of each layer's largest weight at which the levels alone cost the least accuracy.

    References:
        Chakraborty, Roy, Roy (tat), section III-C.
    """
    accuracy = kernel_accuracy(net, *held)
    own = {name: jnp.asarray(w) for name, w in kernels(parameters(net)).items() if technology.applies(name)}

    def score(share: float) -> float:
        levels = replace(technology, share=share)
        return accuracy({name: np.asarray(levels.discretised(w, levels.limit_of(w))) for name, w in own.items()})

    return weight_limit(jnp.ones(1), rule="auto", score=score, shares=LIMIT_SHARES)


def keep_fold_ratios(net: nnx.Module, shapes: Sequence[LayerShape], technology: Technology) -> None:
    """Give every layer on arrays the room for what these conduct of their closed form [rows out]."""
    for layer in shapes:
        if technology.applies(layer.name):
            getattr(net, layer.name).fold_ratio = nnx.BatchStat(jnp.ones((layer.rows, layer.outputs)))


def conclude(technology: Technology, session: Session, states: dict[str, State], progress: Progress) -> dict[str, Any]:
    """The arrays, the accuracy that the weights have without them, and limits other than the largest weight."""
    del states, progress
    for name in session.layers:
        if hasattr(getattr(session.net, name), "fold_ratio"):
            delattr(getattr(session.net, name), "fold_ratio")
    plain = Counter(make_counter(nnx.split(session.net)[0]))
    return {
        "array": session.config.tat.array,
        "technology": session.config.tat.technology,
        "evaluate": evaluate_options(session.config.tat, [s for s in session.shapes if technology.applies(s.name)]),
        "limit_share": technology.share if session.config.tat.weight_limit == "auto" else None,
        "weight_limits": None if session.config.tat.weight_limit == "max" else weight_limits(session.net, technology),
        "test_accuracy_without_arrays": accuracy(session, plain, nnx.state(session.net), part="test"),
    }


def evaluate_options(section: TatSection, shapes: Sequence[LayerShape]) -> str:
    """The options of `xbar evaluate` that build the arrays of the training; the devices it knows from the run."""
    rows, outputs = (
        parse_tile(section.tile) if section.tile else (max(s.rows for s in shapes), max(s.outputs for s in shapes))
    )
    words = ["--array", section.array, *(["--neuron", "shared"] if section.array != "nodal" else [])]
    for option, ohm in (
        ("source", section.r_source_ohm),
        ("neuron", section.r_neuron_ohm),
        ("wire", section.r_wire_ohm),
    ):
        words += [f"--r-{option}", f"{ohm:g}"] if ohm else []
    words += ["--tile", f"{rows}x{2 * outputs}"]
    if section.corner:
        sigma = "" if section.sigma_chip is None else f",sigma={section.sigma_chip:g}"
        words += ["--effect", f"chip_corner:k={section.corner:g}{sigma}"]
    return " ".join(map(str, words))


def weight_limits(net: nnx.Module, technology: Technology) -> dict[str, float]:
    """The weight at the highest level of each layer; the largest weight in layers that are on no arrays."""
    found = kernels(parameters(net))
    own = replace(technology, limit=None, share=1.0)
    return {
        name: float((technology if technology.applies(name) else own).limit_of(jnp.asarray(w)))
        for name, w in found.items()
    }


def technology_of(config: TatSection, layers: Sequence[LayerShape]) -> Technology:
    """The arrays that tat trains through."""
    device = load_technology(str(config.technology))
    sigma = device.sigma_chip_relative if config.sigma_chip is None else config.sigma_chip
    if sigma is None and config.corner != 0:
        raise ConfigError(f"technology {device.name} says nothing of chips; give --set tat.sigma_chip=X")
    corner = config.corner * (sigma or 0.0)
    if corner <= -1:
        raise ConfigError(f"tat.corner = {config.corner:g} at a chip-to-chip sigma of {sigma:g} leaves no conductance")
    arrays, cheap = tat_arrays(config)
    dense = frozenset(layer.name for layer in layers if layer.dense)
    return Technology(
        bits=config.magnitude_bits,
        ratio=device.ratio,
        limit=None if config.weight_limit in ("max", "auto") else float(parse_quantity(config.weight_limit)),
        g_on=device.g_on,
        arrays=arrays,
        cheap=cheap,
        corner=corner,
        layers=dense if config.layers == "dense" else None,
        kept=not config.every_step,
    )


def tat_arrays(config: TatSection) -> tuple[DualFold, DualFold]:
    """The dual arrays of a layer, sharing neurons or with wires and neurons of their own, and their published form."""
    wires = Wires(config.r_wire_ohm, config.r_wire_ohm, config.r_source_ohm, config.r_neuron_ohm)
    tile = None if config.tile is None else parse_tile(config.tile)
    cheap = partial(published_signed, wires=wires, tile=tile)
    if config.array == "published":
        return cheap, cheap
    if config.array == "lumped":
        dual = partial(lumped_dual, wires=wires)
    else:
        dual = partial(interleaved, partial(nodal, wires=wires))
        cheap = partial(published_columns, wires=wires, tile=tile)
    return lambda g: fold_pairs(g, lambda part: dual(*halves(part)), tile=tile).g_eff, cheap
