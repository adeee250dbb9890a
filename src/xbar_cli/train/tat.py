"""Technology aware training: weights on levels, behind non-ideal arrays that every forward pass goes through (tat).

Arrays that cost much are solved every so often; in between, a device conducts what a closed form says times its part of that
in the last solution (`transforms.OnArrays`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from xbar_cli.array.lumped import lumped, lumped_dual
from xbar_cli.array.pairs import halves, interleaved
from xbar_cli.array.published import published_columns, published_signed
from xbar_cli.array.tiling import fold_pairs
from xbar_cli.config.arrays import AnyArrayModel, ArraySection, LumpedArray, NeuronSection, tile_fold
from xbar_cli.config.base import parse_quantity
from xbar_cli.config.effects import ChipCorner
from xbar_cli.config.hardware import MappingSection
from xbar_cli.config.methods import TatMethod
from xbar_cli.config.train import TrainConfig
from xbar_cli.device.levels import LIMIT_SHARES, weight_limit
from xbar_cli.device.technologies import load_technology
from xbar_cli.errors import ConfigError
from xbar_cli.nn.layers import groups_in
from xbar_cli.nn.score import Measure
from xbar_cli.nn.shapes import LayerShape, chosen_layers, kernels, parameters
from xbar_cli.numerics import quick_compilation
from xbar_cli.tasks import MetricName
from xbar_cli.train.forward import make_forward
from xbar_cli.train.loop import Renewal, State, make_counter
from xbar_cli.train.session import Conclusion, Counter, Ended, Method, Phase, Session, measured, start_from
from xbar_cli.train.transforms import DualFold, OnArrays, Transform
from xbar_cli.trained.fixed import Fixed, TrainedArrays
from xbar_cli.trained.opening import kernel_measure
from xbar_cli.trained.parts import Part

Solve = Callable[[Array, int], Array]


def method(
    section: TatMethod,
    config: TrainConfig,
    net: nnx.Module,
    shapes: Sequence[LayerShape],
    plain: Phase,
    noise: Transform | None,
    parts: Mapping[str, Part],
    metric: MetricName,
) -> Method:
    """Discretised weights on arrays in every forward pass, injected noise between the levels and the arrays.

    The weight limit `auto` is chosen on the validation part.
    """
    rule = replace(on_arrays(section, config.array, config.mapping, shapes), noise=noise)
    if section.start is not None:
        start_from(net, section.start, config)
    if config.mapping.weight_limit == "auto":
        rule = replace(rule, share=limit_share(net, rule, parts["validation"], metric))
    if rule.kept:
        keep_fold_ratios(net, shapes, rule)
    layers, solve = [layer.name for layer in shapes], make_solve(rule)
    return Method(
        (plain,),
        make_forward(rule, precision=config.training.precision),
        settle=make_settle(nnx.split(net)[0], layers, rule, solve),
        renewal=make_renewal(layers, rule, solve, every=section.refold) if rule.kept else None,
        conclude=partial(conclude, section, rule),
    )


def on_arrays(
    section: TatMethod, array: ArraySection, mapping: MappingSection, layers: Sequence[LayerShape]
) -> OnArrays:
    """The arrays that tat trains through, and the levels of their devices."""
    device = load_technology(str(mapping.technology))
    assert array.model is not None
    assert mapping.bits is not None
    tile = None if mapping.tile is None else (mapping.array_size[0], mapping.array_size[1] // 2)
    exact, cheap = dual_folds(array.known(array.model), tile=tile)
    fixed_limit = mapping.weight_limit not in ("max", "auto")
    return OnArrays(
        bits=mapping.bits,
        ratio=device.ratio,
        limit=float(parse_quantity(mapping.weight_limit)) if fixed_limit else None,
        g_on=device.g_on,
        arrays=exact,
        stepped=quick_arrays(array.known(array.model), tile=tile),
        cheap=cheap,
        corner=corner_of(section, device.name, device.sigma_chip_relative),
        layers=None if mapping.layers in (None, "all") else frozenset(chosen_layers(layers, mapping.layers)),
        kept=array.model != "published" and section.refold != 1,
    )


def corner_of(section: TatMethod, technology: str, sigma_chip: float | None) -> float:
    """How far off every device of the chip is, relative to its conductance; ConfigError where nothing says how chips differ."""
    sigma = sigma_chip if section.sigma_chip is None else section.sigma_chip
    if sigma is None and section.corner != 0:
        raise ConfigError(f"technology {technology} says nothing of chips; give tat.sigma_chip")
    corner = section.corner * (sigma or 0.0)
    if corner <= -1:
        raise ConfigError(f"tat.corner = {section.corner:g} at a chip-to-chip sigma of {sigma:g} leaves no conductance")
    return corner


def dual_folds(array: AnyArrayModel, *, tile: tuple[int, int] | None) -> tuple[DualFold, DualFold]:
    """The pairs of arrays of a layer, and their closed form; they are the same where the array model is that form.

    `tile` is [rows outputs] of one pair; None for arrays as large as the layer.
    """
    shared = isinstance(array, NeuronSection) and array.neuron == "shared"
    cheap = partial(published_signed if shared else published_columns, wires=array.wires(), tile=tile)
    if array.model == "published":
        return cheap, cheap
    fold = tile_fold(array)
    assert fold is not None
    return lambda g: fold_pairs(g, lambda part: interleaved(fold, *halves(part)), tile=tile).g_eff, cheap


def quick_arrays(array: AnyArrayModel, *, tile: tuple[int, int] | None) -> DualFold | None:
    """The pairs of arrays of a layer in the precision of the training, where that is enough for a step; else None."""
    if not isinstance(array, LumpedArray):
        return None
    known = {"wires": array.wires(), "float64": False}
    dual = partial(lumped_dual, **known) if array.neuron == "shared" else partial(interleaved, partial(lumped, **known))
    return lambda g: fold_pairs(g, lambda part: dual(*halves(part)), tile=tile).g_eff


def make_solve(rule: OnArrays) -> Solve:
    """The jitted `(kernel [rows out] or [h w in out], groups) -> kernel` that the arrays act as; compiled once for a shape."""
    return jax.jit(rule.solved, static_argnums=1, compiler_options=quick_compilation())


def make_settle(graphdef: Any, layers: Sequence[str], rule: OnArrays, solve: Solve) -> Callable[[State], State]:
    """`network state -> state` whose kernels are what the arrays act as."""

    def settle(state: State) -> State:
        net = nnx.merge(graphdef, state, copy=True)
        for name in filter(rule.applies, layers):
            layer = getattr(net, name)
            layer.kernel[...] = solve(layer.kernel[...], groups_in(layer))
        return nnx.state(net)

    return settle


def make_renewal(layers: Sequence[str], rule: OnArrays, solve: Solve, *, every: int | None) -> Renewal:
    """Every so many steps the layers on arrays keep anew what these conduct of their approximation."""
    ratio = jax.jit(rule.fold_ratio, static_argnums=2)

    def renew(net: Any) -> None:
        for name in filter(rule.applies, layers):
            layer = getattr(net, name)
            kernel = layer.kernel[...]
            groups = groups_in(layer)
            layer.fold_ratio[...] = ratio(kernel, solve(kernel, groups), groups)

    return Renewal(every, renew)


def keep_fold_ratios(net: nnx.Module, shapes: Sequence[LayerShape], rule: OnArrays) -> None:
    """Give every layer on arrays the room for what these conduct of their closed form [rows out]."""
    for layer in shapes:
        if rule.applies(layer.name):
            getattr(net, layer.name).fold_ratio = nnx.BatchStat(jnp.ones((layer.rows, layer.outputs)))


def limit_share(net: nnx.Module, rule: OnArrays, held: Part, metric: MetricName) -> float:
    """The share of each layer's largest weight at which the levels alone cost the least of the metric.

    References:
        Chakraborty, Roy, Roy (tat), section III-C.
    """
    measure = Measure.of(metric, held[1])
    reached = kernel_measure(net, *held, measure=measure)
    own = {name: jnp.asarray(w) for name, w in kernels(parameters(net)).items() if rule.applies(name)}

    def score(share: float) -> float:
        levels = replace(rule, share=share)
        return measure.sign * reached(
            {name: np.asarray(levels.discretised(w, levels.limit_of(w))) for name, w in own.items()}
        )

    return weight_limit(jnp.ones(1), rule="auto", score=score, shares=LIMIT_SHARES)


def conclude(section: TatMethod, rule: OnArrays, session: Session, ended: Ended) -> Conclusion:
    """The arrays, limits other than the largest weight, and the accuracy that the weights have without arrays."""
    net, mapping = session.network(ended.final), session.config.mapping
    for name in session.layers:
        if hasattr(getattr(net, name), "fold_ratio"):
            delattr(getattr(net, name), "fold_ratio")
    graphdef, state = nnx.split(net)
    plain = Counter(make_counter(graphdef, measure=Measure(session.metric)))
    fixed = Fixed(
        weight_limits=None if mapping.weight_limit == "max" else weight_limits(net, rule, session.layers),
        technology=mapping.technology,
        levels=mapping.levels,
        bits=mapping.bits,
        layers=None if mapping.layers == "all" else mapping.layers,
        arrays=trained_arrays(section, session, rule),
    )
    figures = {
        "limit_share": rule.share if mapping.weight_limit == "auto" else None,
        f"test_{session.metric}_without_arrays": measured(session, plain, state, part="test"),
    }
    return Conclusion(net, fixed, figures)


def trained_arrays(section: TatMethod, session: Session, rule: OnArrays) -> TrainedArrays:
    """The arrays of the training: as large as its largest layer where no size was given."""
    shapes = [shape for shape in session.shapes if rule.applies(shape.name)]
    rows, outputs = max(shape.rows for shape in shapes), max(shape.outputs for shape in shapes)
    corner = {"k": section.corner} | ({} if section.sigma_chip is None else {"sigma": section.sigma_chip})
    return TrainedArrays(
        session.config.array,
        session.config.mapping.tile or f"{rows}x{2 * outputs}",
        ChipCorner(model="chip_corner", **corner) if section.corner else None,
    )


def weight_limits(net: nnx.Module, rule: OnArrays, layers: Sequence[str]) -> dict[str, float]:
    """The weight at the highest level of each layer; the largest weight in layers that are on no arrays."""
    found = kernels(parameters(net))
    own = replace(rule, limit=None, share=1.0)
    return {name: float((rule if rule.applies(name) else own).limit_of(jnp.asarray(found[name]))) for name in layers}
