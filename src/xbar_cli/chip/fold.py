"""Arrays to layers: a chip's conductances under an array model, as what computes the network.

Two paths. *Folded*: currents of tiles add up exactly, so that an array becomes effective weights (or K products of cells).
*Tiled*: a converter at every column of every tile stands between, and every tile is computed on its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from xbar_cli.array.tiling import fold_layers
from xbar_cli.array.wired.newton import Wired, require_solved
from xbar_cli.array.wired.sweep import require_swept
from xbar_cli.array.wires import WiredFold
from xbar_cli.chip.conversion.drawn import Range, draw_adc
from xbar_cli.chip.hardware import Hardware, bit_lines, linear_cells, straightened
from xbar_cli.chip.layers import driven_wired_layer, folded_layer, read_noise, read_scale, solved_layer, tiled_layer
from xbar_cli.chip.mapped import LayerMapping, surrogates
from xbar_cli.chip.mismatch import cells_at
from xbar_cli.chip.repair.fabricator import Built
from xbar_cli.chip.repair.grid import at_places
from xbar_cli.device.mismatch import MismatchedCell, mismatched
from xbar_cli.errors import ModelError
from xbar_cli.nn.noise import ColumnNoise
from xbar_cli.nn.program import DrivenLayer, Scale
from xbar_cli.nn.reading import Circuit, ProgrammedLayer
from xbar_cli.nn.wired.folded import fold_wired_layers
from xbar_cli.nn.wired.solved import Trust, WiredLayer
from xbar_cli.nn.wired.swept import SweptWiredLayer
from xbar_cli.numerics import kept, stream

Residuals = dict[str, Array]
"""Of each layer's arrays."""
Folder = Callable[..., tuple[Circuit, Residuals]]
"""`(conductances by layer [S], key of the chip, what the ADCs take by layer) -> circuit, residuals`, jitted; of a
repaired chip the copies of its layers' `Built` arrays."""

LARGEST_RESIDUAL = 1e-6
"""Of Kirchhoff's law in a folded array; float64 leaves about 1e-14."""


def make_folder(hardware: Hardware) -> Folder:
    """The jitted function from a chip's devices to its circuit and residuals."""
    network = hardware.network
    cells = surrogates(network, "current") if network.cell is not None else {}
    nodes = cells_at(network, dict(hardware.mismatch)) if hardware.mismatch else {}
    linear = {} if hardware.curved else linear_cells(hardware, cells)
    targets = {name: jnp.asarray(layer.conductance) for name, layer in network.layers.items() if hardware.noises}
    lines = bit_lines(hardware) if hardware.wired else {}
    build = tiled_layer if hardware.converters.path == "tiled" else folded_layer
    numbers = kept({name: scaling_of(hardware.of(name), layer) for name, layer in network.layers.items()})

    def fold(
        conductances: dict[str, Array], key: Array, ranges: dict[str, Range], of_tile: WiredFold | None,
        cells: Any, linear: Any, lines: Any, nodes: Any, targets: dict[str, Array], places: dict[str, Array],
        numbers: dict[str, Scaling],
    ) -> tuple[Circuit, Residuals]:  # fmt: skip
        if nodes:
            cells = differing(hardware, nodes, conductances, key)
            linear = {} if hardware.curved else linear_cells(hardware, cells)
        wanted = straightened(linear, conductances)
        residuals: Residuals = {}
        if of_tile is not None:
            groups = {name: layer.groups for name, layer in network.layers.items()}
            tile = hardware.built_tile if places else network.tile
            folded = fold_layers(wanted, of_tile, tile=tile, groups=groups)
            wanted = {name: found.g_eff for name, found in folded.items()}
            residuals = {name: found.residual for name, found in folded.items()}
        wanted, conductances = _at_home(wanted, places), _at_home(conductances, places)
        layers: dict[str, ProgrammedLayer] = {}
        noises: dict[str, ColumnNoise] = {}
        for name, g in conductances.items():
            own, cell = numbers[name], cells.get(name)
            layer = own.put(network.layers[name])
            if name in lines:
                layers[name] = solved_layer(hardware, layer, own.scale, g, lines[name])
            else:
                layers[name] = build(hardware.of(name), layer, own.read, wanted[name], g, cell)
            if hardware.noises:
                noises[name] = read_noise(hardware, layer, own.scale, g, targets[name], cell, linear.get(name))
        layers |= _read_wired(hardware, layers, numbers)
        adcs = {name: draw_adc(hardware.of(name), name, found, key) for name, found in ranges.items()}
        return Circuit(layers, adcs, noises), residuals

    compiled = jax.jit(fold)

    def one(g: dict[str, Array], key: Array, ranges: dict[str, Range], aimed: Any, places: dict[str, Array]) -> Any:
        return compiled(g, key, ranges, hardware.fold, cells, linear, lines, nodes, aimed, places, numbers())

    return _of_chips(one, targets)


class Scaling(NamedTuple):
    """What a mapping makes of one layer, beside its devices; arguments of a program, which serves every network of a shape.

    Attributes:
        scale: how conductances are decoded.
        read: how what the columns give is decoded, behind converters.
        full_scale: activation that gives the largest row voltage.
    """

    scale: Scale
    read: Scale
    full_scale: Array

    def put(self, layer: LayerMapping) -> LayerMapping:
        """The layer, driven as this says."""
        return replace(layer, full_scale=self.full_scale)


def scaling_of(hardware: Hardware, layer: LayerMapping) -> Scaling:
    """What the mapping makes of a layer."""
    return Scaling(layer.scale, read_scale(hardware, layer), jnp.asarray(layer.full_scale, jnp.float32))


def _read_wired(
    hardware: Hardware, layers: Mapping[str, ProgrammedLayer], numbers: Mapping[str, Scaling]
) -> dict[str, ProgrammedLayer]:
    """The layers of cells with wires as each is read: products, sweeps or solved, behind what drives its rows."""
    wired = {name: layer for name, layer in layers.items() if isinstance(layer, WiredLayer)}
    products = fold_wired_layers({name: layer for name, layer in wired.items() if name in hardware.folded})
    sweeps = {name: SweptWiredLayer(layer) for name, layer in wired.items() if name in hardware.swept}
    return {
        name: driven_wired_layer(
            hardware.of(name), numbers[name].put(hardware.network.layers[name]), numbers[name].read, read
        )
        for name, read in {**wired, **sweeps, **products}.items()
    }


def _of_chips(one: Callable[..., Any], targets: Mapping[str, Array]) -> Folder:
    """The folder of chips, whatever they are, from that of one copy of the layers and its places."""

    def folder(conductances: Any, key: Array, ranges: Mapping[str, Range | float]) -> tuple[Circuit, Residuals]:
        taken = {name: found if isinstance(found, Range) else Range(found) for name, found in ranges.items()}
        singles = kept(jax.tree.map(lambda value: np.asarray(value, np.float32), taken))()
        if isinstance(conductances, Mapping):
            return one(dict(conductances), key, singles, targets, {})
        made = []
        for number, copy in enumerate(conductances):
            own = key if number == 0 else stream(key, f"copy {number}")
            made.append(one(*_parts_of(copy, own, singles, targets)))
        return _averaging(made)

    return folder


def _at_home(values: dict[str, Array], places: Mapping[str, Array]) -> dict[str, Array]:
    """What stands at the places of layers' devices, of those that have moved."""
    return values | {name: at_places(values[name], found) for name, found in places.items()}


def _parts_of(
    copy: Mapping[str, Built], key: Array, ranges: dict[str, Range], targets: Mapping[str, Array]
) -> tuple[dict[str, Array], Array, dict[str, Range], dict[str, Array], dict[str, Array]]:
    """What folding takes of one copy of the layers; `targets` are empty where nothing depends on them."""
    g = {name: built.g for name, built in copy.items()}
    places = {name: built.places for name, built in copy.items() if built.places is not None}
    return g, key, ranges, {name: copy[name].target for name in targets}, places


def _averaging(made: list[tuple[Circuit, Residuals]]) -> tuple[Circuit, Residuals]:
    """The circuit whose layers' outputs are the means of those of copies, and the largest residuals."""
    circuits, residuals = zip(*made, strict=True)
    largest = jax.tree.map(lambda *of_copies: jnp.stack(of_copies).max(), *residuals)
    return replace(circuits[0], copies=circuits[1:]), largest


def differing(
    hardware: Hardware, nodes: Mapping[str, Any], conductances: Mapping[str, Array], key: Array
) -> dict[str, MismatchedCell]:
    """The cells of every layer of one chip, whose transistors differ."""
    assert hardware.mismatch is not None
    return {
        name: mismatched(stream(stream(key, "mismatch"), name), nodes[name], spread, g.shape, g.dtype)
        for name, spread in hardware.mismatch.items()
        for g in (conductances[name],)
    }


def judge(residuals: Residuals, *, chip: int | None = None) -> None:
    """Raise ModelError where a layer's fold did not solve Kirchhoff's law, or met a NaN."""
    for name, residual in residuals.items():
        if not float(residual) <= LARGEST_RESIDUAL:
            where = f"layer {name}" if chip is None else f"layer {name} of chip {chip}"
            raise ModelError(f"{where}: the array was not solved (residual {float(residual):.1e})")


def require_trust(circuit: Circuit, trusts: Mapping[str, Trust], *, chip: int | None = None) -> None:
    """Raise ModelError where the wired arrays of a layer were not solved, with the tile's name."""
    for name, trust in trusts.items():
        layer = circuit.layers[name]
        read = layer.layer if isinstance(layer, DrivenLayer) else layer
        assert isinstance(read, WiredLayer | SweptWiredLayer)
        layer, require = (read, require_solved) if isinstance(read, WiredLayer) else (read.layer, require_swept)
        zero, unknown = jnp.zeros(()), jnp.full((), jnp.nan)
        for number in range(trust.residual.shape[0]):
            where = f"layer {name}, {layer.tile_name(number)}" + ("" if chip is None else f", chip {chip}")
            found = Wired(zero, trust.residual[number], unknown, trust.beyond[number])
            require(found, tile=where, surrogate=layer.surrogate)
