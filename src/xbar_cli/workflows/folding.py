"""Arrays to layers: a chip's conductances under an array model, folded into what computes the network."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from xbar_cli.array.ideal import Contract
from xbar_cli.array.lumped import lumped, published
from xbar_cli.array.nodal import nodal
from xbar_cli.array.tiling import Fold, fold_tiles
from xbar_cli.config.effects import ReadNoise
from xbar_cli.config.hardware import ArraySection
from xbar_cli.device.read_noise import read_sigma
from xbar_cli.errors import ModelError
from xbar_cli.nn.noise import ColumnNoise, gated_noise, linear_noise
from xbar_cli.nn.program import MeanCell, gated_layer, linear_layer, mean_cell
from xbar_cli.numerics import stream
from xbar_cli.workflows.mapped import MappedNetwork, drive_of, surrogates

Layers = dict[str, Any]
"""What computes every layer, by name."""
Folder = Callable[[dict[str, Array]], tuple[Layers, dict[str, Array]]]
"""From a chip's conductances by layer [S] to its layers, and the residual of each one's arrays."""

LARGEST_RESIDUAL = 1e-6
"""Of Kirchhoff's law in a folded array; float64 leaves about 1e-14."""


def make_folder(network: MappedNetwork, array: ArraySection, *, model: str) -> Folder:
    """The jitted function from a chip's conductances to its layers, ready to compute, and their residuals."""
    cells = surrogates(network, "current") if network.cell is not None else {}
    means = mean_cells(network, cells)
    tile_fold = tile_model(array, model=model)

    @jax.jit
    def fold(conductances: dict[str, Array]) -> tuple[Layers, dict[str, Array]]:
        layers: Layers = {}
        residuals: dict[str, Array] = {}
        for name, g in conductances.items():
            layer = network.layers[name]
            if model == "gated":
                layers[name] = gated_layer(g, scale=layer.scale, surrogate=cells[name], drive=drive_of(layer))
                continue

            def folded(g: Array, name: str = name) -> Array:
                g_eff, residuals[name] = fold_tiles(g, tile_fold, tile=network.tile)
                return g_eff

            wired = None if model == "ideal" else folded
            layers[name] = linear_layer(g, scale=layer.scale, cell=means.get(name), fold=wired)
        return layers, residuals

    return fold


def judge(residuals: dict[str, Array], *, chip: int) -> None:
    """Raise ModelError where a layer's fold did not solve Kirchhoff's law, or met a NaN."""
    for name, residual in residuals.items():
        if not float(residual) <= LARGEST_RESIDUAL:
            raise ModelError(f"layer {name} of chip {chip}: the array was not solved (residual {float(residual):.1e})")


def tile_model(array: ArraySection, *, model: str) -> Fold:
    """How one tile of a linear array folds: its model with its resistances [ohm]."""
    ends = {"r_source": array.r_source_ohm or 0.0, "r_neuron": array.r_neuron_ohm or 0.0}
    both = array.r_wire_ohm or 0.0
    wires = {"r_word": array.r_wire_word_ohm or both, "r_bit": array.r_wire_bit_ohm or both}
    match model:
        case "lumped":
            return lambda g: (lumped(g, **ends), jnp.zeros((), g.dtype))
        case "published":
            return lambda g: (published(g, **ends), jnp.zeros((), g.dtype))
        case "nodal":
            return lambda g: nodal(g, **ends, **wires)
        case _:
            return lambda g: (g, jnp.zeros((), g.dtype))


def mean_cells(network: MappedNetwork, cells: dict[str, Any]) -> dict[str, MeanCell]:
    """Each layer's cell as a linear conductance."""
    if network.cell is None:
        return {}
    vin = jnp.asarray(network.cell.vin, jnp.float32)
    return {name: mean_cell(surrogate, vin) for name, surrogate in cells.items()}


def make_noise(
    network: MappedNetwork, noises: list[ReadNoise], *, model: str
) -> Callable[[dict[str, Array]], dict[str, ColumnNoise]]:
    """The jitted function from a chip's conductances to the read noise of its layers; empty without noise."""
    cells = surrogates(network, "current") if network.cell is not None else {}
    means = mean_cells(network, cells)
    span = network.g_on - network.g_off

    @jax.jit
    def noise(conductances: dict[str, Array]) -> dict[str, ColumnNoise]:
        if not noises:
            return {}
        found: dict[str, ColumnNoise] = {}
        for name, g in conductances.items():
            scale = network.layers[name].scale
            parts = [read_sigma(g, sigma_siemens=n.sigma * span, sigma_relative=n.relative) for n in noises]
            sigma = jnp.sqrt(sum(jnp.square(part) for part in parts))
            if model == "gated":
                drive = drive_of(network.layers[name])
                found[name] = gated_noise(g, sigma, scale=scale, surrogate=cells[name], drive=drive)
                continue
            if name in means:  # the spread of the cell that its memristor's spread makes
                _, slope = jax.jvp(means[name], (g,), (jnp.ones_like(g),))
                sigma = jnp.abs(slope) * sigma
            found[name] = linear_noise(sigma, scale=scale)
        return found

    return noise


def noise_of(
    noises: dict[str, ColumnNoise], key: Array, first: Array
) -> Callable[[str, Array, Contract], Array] | None:
    """The read noise of one batch, whose first image has the number `first` in the test set."""
    if not noises:
        return None
    return lambda name, x, contract: noises[name](stream(key, name), x, contract, first=first)
