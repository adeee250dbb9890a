"""What training goes through besides the network: injected noise, the arrays of technology aware training."""

from functools import partial

import jax.numpy as jnp
from flax import nnx

from xbar_cli.array.lumped import lumped_dual, of_pairs, published_dual
from xbar_cli.array.nodal import nodal
from xbar_cli.array.tiling import Fold
from xbar_cli.config.base import parse_quantity
from xbar_cli.config.ranges import parse_tile
from xbar_cli.config.train import TatSection, TrainConfig
from xbar_cli.data.datasets import Dataset
from xbar_cli.device.technologies import load_technology
from xbar_cli.errors import ConfigError
from xbar_cli.nn.shapes import LayerShape, layer_shapes
from xbar_cli.train.transforms import Injection, Technology, Transform, compose
from xbar_cli.workflows import build


def transform_of(config: TrainConfig, net: nnx.Module, data: Dataset) -> Transform | None:
    """What every kernel goes through in the forward pass: injected noise, then the arrays of tat."""
    transforms: list[Transform] = []
    if config.inject.sigma > 0:
        transforms.append(Injection(model=config.inject.model, sigma=config.inject.sigma))
    if config.method == "tat":
        transforms.append(technology_of(config.tat, layer_shapes(net, shape=build.image_shape(data))))
    return compose(transforms)


def technology_of(config: TatSection, layers: list[LayerShape]) -> Technology:
    """The arrays that tat trains through."""
    device = load_technology(str(config.technology))
    sigma = device.sigma_chip_relative if config.sigma_chip is None else config.sigma_chip
    if sigma is None and config.corner != 0:
        raise ConfigError(f"technology {device.name} says nothing of chips; give --set tat.sigma_chip=X")
    dense = frozenset(layer.name for layer in layers if len(layer.kernel) == 2)
    return Technology(
        bits=config.bits,
        ratio=device.ratio,
        limit=None if config.weight_limit == "max" else float(parse_quantity(config.weight_limit)),
        g_on=device.g_on,
        fold=tat_fold(config),
        tile=None if config.tile is None else parse_tile(config.tile),
        corner=config.corner * (sigma or 0.0),
        layers=dense if config.layers == "dense" else None,
    )


def tat_fold(config: TatSection) -> Fold:
    """How a tile of interleaved columns folds: sharing neurons, or with wires and neurons of their own."""
    ends = {"r_source": config.r_source_ohm, "r_neuron": config.r_neuron_ohm}
    if config.array == "nodal":
        return partial(nodal, **ends, r_word=config.r_wire_ohm, r_bit=config.r_wire_ohm)
    dual = partial(published_dual if config.array == "published" else lumped_dual, **ends)
    return lambda g: (of_pairs(dual, g), jnp.zeros((), g.dtype))
