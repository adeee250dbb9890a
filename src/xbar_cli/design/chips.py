"""Chips of a design: their arrays, converters and answers as functions of its parameters and of a key."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array

from xbar_cli.array.converters import Adc
from xbar_cli.array.ideal import Contract
from xbar_cli.array.tiling import fold_layers
from xbar_cli.array.wires import WiredFold
from xbar_cli.chip.conversion.drawn import Range, draw_adc
from xbar_cli.chip.fabricate import make_fabricator
from xbar_cli.chip.full_scales import share_of_most
from xbar_cli.chip.hardware import Hardware, linear_cells, straightened
from xbar_cli.chip.layers import driven_wired_layer, folded_layer, read_noise, read_scale, tiled_layer
from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.effect_list import steps_of
from xbar_cli.config.effects import read_spread_of
from xbar_cli.config.hardware import R_OFF_OHM, R_ON_OHM
from xbar_cli.mapping.placing import Placement
from xbar_cli.nn.loops import one_by_one
from xbar_cli.nn.reading import Circuit, on_arrays
from xbar_cli.nn.shapes import kernels
from xbar_cli.numerics import stream
from xbar_cli.train.losses import loss_of
from xbar_cli.trained.opening import Trained

from .converting import SmoothAdc, passed
from .parameters import DesignValues
from .placing import Gated, ScaleEnds, lay, resistive
from .weights import FullScale, in_use, with_values
from .wired import HeldFold, NodeWeights, Ratios, Taken, held_folds, ratios_of, wired_layers

WIDTH_OF = {"word": "wire_width", "bit": "wire_width"}
ENDS_OF = {"source": "r_source", "neuron": "r_neuron"}
LayerArrays = Mapping[str, Array]
TileArrays = Mapping[str, LayerArrays]
"""By size of tile, what arrays of it act as, by layer [S]."""


@dataclass(frozen=True, eq=False)
class Bench:
    """What a design does not change, and chips of it.

    Attributes:
        config: the evaluation where it starts.
        trained: the network.
        hardware: of the start.
        placement: how weights are put on devices there.
        kernels: the weights of the layers.
        w_max: weight at full scale of each layer, where the limit is 1.
        scaled: how that follows the weights; None where it is a number.
        gated: the cell; None on resistive arrays.
        split: the network's graph and its arrays, in the precision of the process.
    """

    config: EvaluateConfig
    trained: Trained
    hardware: Hardware
    placement: Placement
    kernels: Mapping[str, Any]
    w_max: Mapping[str, Any]
    scaled: FullScale | None
    gated: Gated | None
    split: tuple[Any, Any]

    @property
    def network(self) -> MappedNetwork:
        """As it was mapped at the start."""
        return self.hardware.network

    @property
    def converted(self) -> bool:
        """Whether there are converters behind every tile."""
        return self.hardware.converters.path == "tiled"

    def size(self, tile: int | None) -> tuple[int, int]:
        """Rows and columns of arrays of that size; those of the start without one."""
        return self.network.tile if tile is None else (tile, tile)

    @property
    def unvaried(self) -> "Bench":
        """The same whose chips do not vary."""
        return replace(self, config=self.config.model_copy(update={"variation": type(self.config.variation)()}))

    def with_weights(self, weights: Mapping[str, Any]) -> "Bench":
        """The same with other parameters of the network, by dotted name; with none of them, itself."""
        if not weights:
            return self
        graphdef, state = self.split
        own = {name: kernels(weights)[name] for name in self.kernels}
        w_max = self.w_max if self.scaled is None else self.scaled(own)
        return replace(self, kernels=own, w_max=w_max, split=(graphdef, with_values(state, weights)))

    def gate(self, values: DesignValues, name: str) -> Array:
        """The gate voltage of a layer [V]."""
        own = values.get("vg", values.get(f"vg:{name}"))
        return jnp.asarray(self.network.layers[name].vg if own is None else own, float)

    def cell(self, values: DesignValues) -> Gated | None:
        """The cell as it is read; None on resistive arrays."""
        return self.gated.read_at(values["v_read"]) if self.gated and "v_read" in values else self.gated

    def ends(self, values: DesignValues, name: str, cell: Gated | None) -> ScaleEnds:
        """The ends of a layer's scale on a `cell`, or on resistive devices."""
        if cell is not None:
            return cell.ends(cell.weights(self.gate(values, name)))
        mapping = self.config.mapping
        if mapping.technology is not None:
            return resistive(1 / self.network.g_on, 1 / self.network.g_off, self.network.scheme)
        r_on = values.get("r_on", mapping.r_on_ohm or R_ON_OHM)
        return resistive(r_on, values.get("r_off", mapping.r_off_ohm or R_OFF_OHM), self.network.scheme)

    def mapped(self, values: DesignValues, *, tile: int | None = None) -> MappedNetwork:
        """The network on the devices of a design, on arrays of `tile` rows and columns where it is given."""
        found: dict[str, Any] = {}
        limit, cell = values.get("weight_limit", 1.0), self.cell(values)
        for name, layer in self.network.layers.items():
            ends = self.ends(values, name, cell)
            w_max = limit * jnp.asarray(self.w_max[name], float)
            kernel = jnp.asarray(self.kernels[name], float)
            bits = self.placement.devices.bits if cell is not None else self.config.mapping.bits
            wanted, placed = lay(layer, kernel, ends, w_max, bits=bits)
            if cell is not None:
                wanted = cell.memristors(wanted, cell.weights(self.gate(values, name)))
            found[name] = replace(placed, conductance=wanted)
        if cell is not None:
            return replace(self.network, layers=found, tile=self.size(tile))
        ends: Any = self.ends(values, next(iter(found)), None)
        return replace(self.network, layers=found, tile=self.size(tile), g_off=ends.bottom, g_on=ends.top)

    def built(self, values: DesignValues, *, tile: int | None = None) -> Hardware:
        """What the devices of a design are built into."""
        network, start = self.mapped(values, tile=tile), self.hardware
        fold = start.fold
        if fold is not None:
            ohm = dict(fold.ohm)
            for name in ohm:
                if name in WIDTH_OF:
                    ohm[name] = jnp.asarray(ohm[name], float) / values.get(WIDTH_OF[name], 1.0)
                else:
                    ohm[name] = jnp.asarray(values.get(ENDS_OF[name], ohm[name]), float)
            fold = WiredFold(fold.model, ohm)
        noises = tuple(read_spread_of(noise, network) for noise in self.config.variation.read_noises())
        wires = replace(start.wires, **{name: values[key] for name, key in ENDS_OF.items() if key in values})
        return replace(start, network=network, fold=fold, wires=wires, noises=noises, volt=values.get("v_read"))

    def devices(self, values: DesignValues, key: Array) -> LayerArrays:
        """The devices of the chip of a key, by layer [S]: the same on arrays of any size."""
        network = self.mapped(values)
        steps = steps_of(self.config.variation.on_devices(), network)
        return make_fabricator(network, steps, negative=self.config.variation.negative)(key).conductances

    def unfolded(self, values: DesignValues, key: Array) -> tuple[LayerArrays, Mapping[str, Array]]:
        """What is folded of the chip of a key: by layer its devices, as linear ones [S]; and resistances by name [ohm]."""
        hardware = self.built(values)
        assert hardware.fold is not None
        devices = self.devices(values, key)
        linear = {} if hardware.curved else linear_cells(hardware, self.surrogates(values, devices))
        return straightened(linear, devices), hardware.fold.ohm

    def folded(self, wanted: LayerArrays, ohm: Mapping[str, Array], *, tile: int | None = None) -> LayerArrays:
        """What arrays of linear devices [S] with resistances [ohm] act as, by layer [S]."""
        fold, groups = self.hardware.fold, {name: layer.groups for name, layer in self.network.layers.items()}
        assert fold is not None
        found = fold_layers(wanted, WiredFold(fold.model, ohm), tile=self.size(tile), groups=groups)
        return {name: folded.g_eff for name, folded in found.items()}

    def circuit(
        self, values: DesignValues, key: Array, taken: Taken, *,
        tile: int | None = None, folded: LayerArrays | None = None,
    ) -> Circuit:  # fmt: skip
        """The circuit of the chip of a key, and of what its arrays act as, where that is known already."""
        hardware = self.built(values, tile=tile)
        network = hardware.network
        devices = self.devices(values, key)
        cells = self.surrogates(values, devices)
        linear = {} if hardware.curved else linear_cells(hardware, cells)
        wanted = straightened(linear, devices) if folded is None else folded
        if hardware.fold is not None and folded is None:
            wanted = self.folded(wanted, hardware.fold.ohm, tile=tile)
        build = tiled_layer if self.converted else folded_layer
        layers = self.products(values, hardware, devices, taken.folds)
        noises = {}
        for name, g in devices.items():
            layer = network.layers[name]
            if name not in layers:
                at = hardware.of(name)
                layers[name] = passed(build(at, layer, read_scale(at, layer), wanted[name], g, cells.get(name)))
            if hardware.noises:
                aimed = jnp.asarray(layer.conductance)
                noises[name] = read_noise(hardware, layer, layer.scale, g, aimed, cells.get(name), linear.get(name))
        adcs = {name: self.converters(values, hardware, name, found, key) for name, found in taken.ranges.items()}
        return Circuit(layers, adcs, noises)

    def folds(self, values: DesignValues, *, tile: int | None = None) -> dict[str, HeldFold]:
        """The folds of cells with resistances at a design; none of other arrays."""
        if not self.hardware.wired:
            return {}

        def ratios(values: DesignValues) -> Ratios:
            cell = self.cell(values)
            assert cell is not None
            return ratios_of(cell, self.counted(values, cell), self.built(values, tile=tile))

        return held_folds(ratios, values)

    def counted(self, values: DesignValues, cell: Gated) -> NodeWeights:
        """By layer, how much each gate voltage of a cell's table counts."""
        return {name: cell.weights(self.gate(values, name)) for name in self.network.layers}

    def products(
        self, values: DesignValues, hardware: Hardware, devices: LayerArrays, folds: Mapping[str, HeldFold]
    ) -> dict[str, Any]:
        """The layers of cells with resistances; none of other arrays."""
        if not hardware.wired or (cell := self.cell(values)) is None:
            return {}
        found = wired_layers(cell, self.counted(values, cell), hardware, devices, folds, values)
        own = {name: (hardware.of(name), layer) for name, layer in hardware.network.layers.items()}
        return {
            name: passed(driven_wired_layer(*own[name], read_scale(*own[name]), wired)) for name, wired in found.items()
        }

    def surrogates(self, values: DesignValues, devices: LayerArrays) -> dict[str, Any]:
        """The cells of every layer; none on resistive arrays."""
        if self.gated is None:
            return {}
        return {
            name: self.gated.surrogate("current", self.gated.weights(self.gate(values, name)), g.shape)
            for name, g in devices.items()
        }

    def converters(self, values: DesignValues, hardware: Hardware, name: str, found: Range, key: Array) -> Adc:
        """The converters of a layer, which gradients pass; of any number of bits where these are designed."""
        drawn = draw_adc(hardware.of(name), name, found, key)
        bits: Any = values.get("adc_bits", drawn.bits)
        full: Any = drawn.full_scale
        if "adc_range" in values:
            share: Any = values["adc_range"]
            full = share_of_most(share, hardware.of(name), hardware.network.layers[name])
        return SmoothAdc(full, drawn.gain, drawn.offset, drawn.baseline, bits, drawn.signed)

    def loss(
        self, values: DesignValues, folded: LayerArrays | None, key: Array, taken: Taken, images: Array, labels: Array, *,
        tile: int | None = None,
    ) -> Array:  # fmt: skip
        """The loss of a chip on some images.

        Args:
            values: parameters.
            folded: what its arrays act as; None where no array is folded.
            key: of the chip.
            taken: of the nominal chip.
            images: inputs of the network.
            labels: of the images.
            tile: rows and columns of its arrays; None for those of the start.
        """
        graphdef, state = self.split
        images = in_use(images)
        read = on_arrays(
            self.circuit(values, key, taken, tile=tile, folded=folded), key=stream(key, "read"), first=jnp.asarray(0)
        )

        def product(name: str, x: Array, kernel: Array, contract: Contract) -> Array:
            return read(name, in_use(x), kernel, contract)

        scores = nnx.merge(graphdef, state)(images, one_by_one(product))
        return loss_of(self.trained.data.task, scores, labels)
