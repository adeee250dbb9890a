"""Converters in the forward pass whose ranges are learned with the weights: before every layer, and behind its tiles.

Rounding is straight-through. What is trained is the logarithm of a range, so that it stays above 0 and a step of the optimiser
is a share of it.

References:
    Choi et al. (2018), PACT, arXiv 1805.06085: the gradient of a clip level is that of what is clipped.
    Esser et al. (ICLR 2020), Learned step size quantization: that of what is rounded too, times `1/√(N·top)`; where it starts.
    Jain et al. (2019), Trained quantization thresholds, arXiv 1903.08066: logarithms of ranges as parameters.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jaxtyping import Float

from xbar_cli.array.ideal import Contract
from xbar_cli.array.tiling import row_groups
from xbar_cli.config.chips.learned import TrainConverters
from xbar_cli.config.train import TrainConfig
from xbar_cli.data.batches import network_inputs
from xbar_cli.nn.contracts import rows_of
from xbar_cli.nn.shapes import LayerShape, layer_inputs
from xbar_cli.numerics import straight_through
from xbar_cli.train.forward import Exact, make_forward
from xbar_cli.train.optimizers import layer_of
from xbar_cli.train.session import Conclusion, Ended, Method, Phase, Session
from xbar_cli.train.transforms import Transform
from xbar_cli.trained.fixed import Fixed
from xbar_cli.trained.learned import LearnedRanges
from xbar_cli.trained.parts import Part

PROBED = 256
"""Training images that show where ranges start, and whether a layer's inputs have both signs."""
INPUTS, OUTPUTS = "log_input_range", "log_output_range"
"""Parameters of a layer."""


@dataclass(frozen=True)
class LearnedConverters:
    """The converters of every layer.

    Attributes:
        dac_bits: of inputs; None for any value.
        adc_bits: of the differences of the two columns of a weight, behind every tile; None for exact sums.
        gradient: of a range, `lsq` or `pact`.
        height: rows of a tile.
        signed: layers whose inputs have both signs: each of their products is two reads.
    """

    dac_bits: int | None
    adc_bits: int | None
    gradient: Literal["lsq", "pact"]
    height: int
    signed: frozenset[str] = frozenset()

    @property
    def adc_top(self) -> int:
        """The highest code of a difference; the lowest is as far below 0."""
        assert self.adc_bits is not None
        return 2 ** (self.adc_bits - 1) - 1

    def __call__(
        self, name: str, layer: Any, x: Float[Array, "*batch"], kernel: Array, contract: Contract, exact: Exact
    ) -> Array:
        """The layer's outputs before any bias, as arrays of ideal devices between these converters have them."""
        if self.dac_bits is not None:
            low, top = (-1 if name in self.signed else 0), 2**self.dac_bits - 1
            x = quantised(x, getattr(layer, INPUTS)[...], top=top, low=low, gradient=self.gradient)
        if self.adc_bits is None:
            return exact(contract, x, kernel)
        log_range = getattr(layer, OUTPUTS)[...]
        converted = partial(quantised, log_range=log_range, top=self.adc_top, low=-1, gradient=self.gradient)
        reads = self.reads(name, x)
        sums = [converted(tile_sums(each, kernel, contract, height=self.height, exact=exact)) for each in reads]
        return (sums[0] if len(sums) == 1 else sums[0] - sums[1]).sum(axis=-2)

    def reads(self, name: str, x: Array) -> list[Array]:
        """What rows are driven with, in one read or in two that are subtracted: x⁺ and x⁻."""
        return [jnp.maximum(x, 0), jnp.maximum(-x, 0)] if name in self.signed else [x]


def quantised(
    v: Float[Array, "*shape"], log_range: Float[Array, ""], *, top: int, low: int, gradient: Literal["lsq", "pact"]
) -> Float[Array, "*shape"]:
    """Values on steps of `range / top`, from `low` (0 or -1) to 1 times the range; `v` is [images …].

    Inside the range the gradient of `v` passes, outside it does not. That of the range is, of a value in steps u,
    `round(u) - u` over top inside (lsq) or 0 (pact), and the end that `v` is cut at outside, in units of the range.
    """
    if gradient == "pact":
        full = jnp.exp(log_range)
        step = full / top
        return straight_through(lambda cut: jnp.round(cut / step) * step, jnp.clip(v, low * full, full))
    scale = (v[0].size * top) ** -0.5
    full = jnp.exp(log_range * scale + jax.lax.stop_gradient(log_range * (1 - scale)))
    full = full + jax.lax.stop_gradient(jnp.exp(log_range) - full)  # to the last bit the range that is saved
    steps = jnp.clip(v / full, low, 1) * top
    return straight_through(jnp.round, steps) * (full / top)


def tile_sums(
    x: Array, kernel: Array, contract: Contract, *, height: int, exact: Exact
) -> Float[Array, "*place bands out"]:
    """The sums of a layer's products over the rows of each tile of so many rows."""
    rows = math.prod(kernel.shape[:-1])
    if rows <= height:
        return exact(contract, x, kernel)[..., None, :]
    bands, groups = row_groups(rows, height=height), int(getattr(contract, "groups", 1))
    seen = rows_of(contract, x, tuple(kernel.shape))
    seen = bands.spread(seen.reshape(*seen.shape[:-1], groups, rows))
    parts = bands.split(kernel.reshape(1, rows, -1)).reshape(bands.count, bands.each, groups, -1)

    def of_bands(x: Array, w: Array) -> Array:
        return jnp.einsum("...gbi,bigo->...bgo", x, w)

    y = exact(of_bands, seen.reshape(*seen.shape[:-1], bands.count, bands.each), parts)
    return y.reshape(*y.shape[:-2], -1)


def plainly(
    config: TrainConfig,
    net: nnx.Module,
    shapes: Sequence[LayerShape],
    plain: Phase,
    noise: Transform | None,
    part: Part,
) -> Method:
    """Plain training, between converters where the configuration has some; `part` are the images that are fitted."""
    section, precision = config.converters, config.training.precision
    if not section.used:
        return Method((plain,), make_forward(noise, precision=precision))
    converters = install(net, section, [layer.name for layer in shapes], part, height=config.mapping.array_size[0])
    return Method(
        (plain,),
        make_forward(noise, precision=precision, converters=converters),
        decay=range_decay if section.gradient == "pact" else None,
        conclude=partial(conclude, converters),
    )


def install(
    net: nnx.Module, section: TrainConverters, layers: Sequence[str], part: Part, *, height: int
) -> LearnedConverters:
    """The converters of the layers of `net`, which get parameters for their ranges: what some training images show.

    They start at `2·mean|v|·√top` (LSQ), or the largest |v| where that is less or pact is to bring it down.
    """
    inputs = layer_inputs(net, jnp.asarray(network_inputs(part[0][:PROBED])))
    converters = LearnedConverters(
        section.dac_bits,
        section.adc_bits,
        section.gradient,
        height=height,
        signed=frozenset(name for name in layers if float(inputs[name][0].min()) < 0),
    )
    for name in layers:
        layer, (x, contract) = getattr(net, name), inputs[name]
        if section.dac_bits is not None:
            setattr(layer, INPUTS, nnx.Param(start_of(x, top=2**section.dac_bits - 1, gradient=section.gradient)))
        if section.adc_bits is not None:
            sums = [
                tile_sums(each, layer.kernel[...], contract, height=converters.height, exact=lambda c, x, w: c(x, w))
                for each in converters.reads(name, x)
            ]
            start = start_of(jnp.stack(sums), top=converters.adc_top, gradient=section.gradient)
            setattr(layer, OUTPUTS, nnx.Param(start))
    return converters


def start_of(v: Array, *, top: int, gradient: str) -> Float[Array, ""]:
    """The logarithm of the range that values begin with; of 1 where all of them are 0."""
    largest = jnp.abs(v).max()
    full = largest if gradient == "pact" else jnp.minimum(largest, 2 * jnp.abs(v).mean() * top**0.5)
    return jnp.log(jnp.where(full > 0, full, 1.0))


def range_decay(rate: float) -> optax.GradientTransformation:
    """L2 on kernels, and on ranges as PACT has it: `rate` times a range squared is added to the gradient of its logarithm."""

    def update(updates: optax.Updates, params: optax.Params | None = None) -> optax.Updates:
        def one(path: tuple[object, ...], value: Array, param: Array) -> Array:
            if layer_of(path) is not None:
                return value + rate * param
            names = {str(getattr(part, "key", getattr(part, "name", part))) for part in path}
            return value + rate * jnp.exp(2 * param) if names & {INPUTS, OUTPUTS} else value

        return jax.tree_util.tree_map_with_path(one, updates, params)

    return optax.stateless(update)


def conclude(converters: LearnedConverters, session: Session, ended: Ended) -> Conclusion:
    """The network as `nn` makes it, and the ranges that it learned."""
    net = session.network(ended.final)
    tile = "x".join(map(str, session.config.mapping.array_size))
    return Conclusion(net, Fixed(learned=uninstall(net, converters, session.layers, tile=tile)), {})


def uninstall(net: nnx.Module, converters: LearnedConverters, layers: Sequence[str], *, tile: str) -> LearnedRanges:
    """Take the ranges of the layers out of `net` again; `tile` is what its converters stood behind."""
    ranges: dict[str, dict[str, float]] = {INPUTS: {}, OUTPUTS: {}}
    for name in layers:
        layer = getattr(net, name)
        for kind in [kind for kind in ranges if hasattr(layer, kind)]:
            ranges[kind][name] = float(jnp.exp(getattr(layer, kind)[...]))
            delattr(layer, kind)
    return LearnedRanges(
        dac_bits=converters.dac_bits,
        inputs=ranges[INPUTS],
        adc_bits=converters.adc_bits,
        outputs=ranges[OUTPUTS],
        tile=None if converters.adc_bits is None else tile,
    )
