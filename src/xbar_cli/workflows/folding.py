"""Arrays to layers: a chip's conductances under an array model, as what computes the network.

Two paths. *Folded*: currents of tiles add up exactly, so that an array becomes effective weights (or K products of cells).
*Tiled*: a converter at every column of every tile stands between, and every tile is computed on its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from xbar_cli.array.converters import Adc, Dac, draw_errors
from xbar_cli.array.ideal import LinearLayer
from xbar_cli.array.lumped import lumped, published
from xbar_cli.array.nodal import nodal
from xbar_cli.array.tiling import Fold, fold_layers
from xbar_cli.array.wired import Wired, require_solved
from xbar_cli.config.converters import ConvertersSection
from xbar_cli.config.effects import ReadNoise
from xbar_cli.config.hardware import ArraySection
from xbar_cli.device.read_noise import read_sigma
from xbar_cli.device.transistor import BitLineSeparable, Separable
from xbar_cli.errors import ConfigError, ModelError
from xbar_cli.nn.noise import ColumnNoise, gated_noise, linear_noise
from xbar_cli.nn.program import DrivenLayer, MeanCell, Scale, gated_layer, linear_layer, mean_cell, one_voltage
from xbar_cli.nn.reading import Circuit, ProgrammedLayer
from xbar_cli.nn.shapes import parameters, set_parameters
from xbar_cli.nn.tiled import TiledLayer, split_rows
from xbar_cli.nn.wired import Trust, WiredLayer, Wires
from xbar_cli.numerics import stream
from xbar_cli.workflows.mapped import LayerMapping, MappedNetwork, drive_of, surrogates

Residuals = dict[str, Array]
"""Of each layer's arrays."""
Folder = Callable[..., tuple[Circuit, Residuals]]
"""`(conductances by layer [S], key of the chip, full scale of the ADCs by layer [S]) -> circuit, residuals`, jitted."""

LARGEST_RESIDUAL = 1e-6
"""Of Kirchhoff's law in a folded array; float64 leaves about 1e-14."""


@dataclass(frozen=True)
class Hardware:
    """What the devices of a network are built into.

    Attributes:
        network: the mapped network; its `full_scale` activations are the range of the row drive.
        array: resistances.
        model: array model.
        converters: row drive and converters.
        noises: read noise.
    """

    network: MappedNetwork
    array: ArraySection
    model: str
    converters: ConvertersSection = field(default_factory=ConvertersSection)
    noises: tuple[ReadNoise, ...] = ()

    @property
    def single(self) -> bool:
        """Whether rows see one voltage or none, so that 1T-1R cells are linear."""
        return self.converters.input != "amplitude"

    @property
    def serial(self) -> bool:
        """Whether rows are driven bit by bit."""
        return self.converters.input == "bitserial"

    @property
    def curved(self) -> bool:
        """Whether the currents of cells are no straight line in the input, and take K products."""
        return self.model == "gated" and not self.single

    @property
    def wired(self) -> bool:
        """Whether arrays of cells have resistances, and are solved at every read."""
        return self.model == "gated" and self.array.wired

    @property
    def v_read(self) -> float:
        """The one voltage [V]."""
        assert self.network.cell is not None
        largest = float(self.network.cell.vin[-1])
        v = self.converters.v_read_volt or largest
        if v > largest:
            raise ConfigError(f"--v-read {v:g} V is beyond the cell's table, which ends at {largest:g} V")
        return v

    def dac(self, layer: LayerMapping) -> Dac:
        """What drives a layer's rows."""
        bits = self.converters.dac_bits
        return Dac(
            full_scale=jnp.asarray(layer.full_scale, jnp.float32),
            signed=layer.signed,
            bits=bits,
            limited=bits is not None or self.model == "gated",
        )


def make_folder(hardware: Hardware) -> Folder:
    """The jitted function from a chip's devices to its circuit and residuals."""
    network = hardware.network
    cells = surrogates(network, "current") if network.cell is not None else {}
    linear = {} if hardware.curved else linear_cells(hardware, cells)
    lines = bit_lines(hardware) if hardware.wired else {}
    tile_fold = tile_model(hardware.array, model=hardware.model)
    build = tiled_layer if hardware.converters.path == "tiled" else folded_layer

    @jax.jit
    def fold(
        conductances: dict[str, Array], key: Array, full_scales: dict[str, Array], cells: Any, linear: Any, lines: Any
    ) -> tuple[Circuit, Residuals]:
        wanted = {name: linear[name](g) if name in linear else g for name, g in conductances.items()}
        residuals: Residuals = {}
        if hardware.model in ("lumped", "published", "nodal"):
            folded = fold_layers(wanted, tile_fold, tile=network.tile)
            wanted = {name: g for name, (g, _) in folded.items()}
            residuals = {name: residual for name, (_, residual) in folded.items()}
        layers: dict[str, ProgrammedLayer] = {}
        noises: dict[str, ColumnNoise] = {}
        for name, g in conductances.items():
            if name in lines:
                layers[name] = wired_layer(hardware, network.layers[name], g, lines[name])
            else:
                layers[name] = build(hardware, network.layers[name], wanted[name], g, cells.get(name))
            if hardware.noises:
                noises[name] = read_noise(hardware, network.layers[name], g, cells.get(name), linear.get(name))
        adcs = {name: draw_adc(hardware, name, full_scale, key) for name, full_scale in full_scales.items()}
        return Circuit(layers, adcs, noises), residuals

    def folder(conductances: Mapping[str, Array], key: Array, full_scales: Mapping[str, float]) -> Any:
        scales = {name: jnp.asarray(value, jnp.float32) for name, value in full_scales.items()}
        return fold(dict(conductances), key, scales, cells, linear, lines)

    return folder


def folded_layer(hardware: Hardware, layer: LayerMapping, wanted: Array, g: Array, cell: Separable | None) -> Any:
    """A layer whose tiles' currents add up exactly.

    Args:
        hardware: what its devices are built into.
        layer: its mapping.
        wanted: effective conductances of a linear array [S].
        g: conductances of its memristors [S].
        cell: its 1T-1R cell; None on resistive arrays.
    """
    driven = hardware.converters.dac_bits is not None or hardware.converters.dac_range is not None
    if hardware.curved and cell is not None:
        curved = gated_layer(g, scale=layer.scale, surrogate=cell, drive=drive_of(layer))
        return DrivenLayer(curved, hardware.dac(layer)) if driven else curved
    straight = linear_layer(wanted, scale=layer.scale, cell=None)
    leakage = None
    if hardware.model == "gated" and cell is not None and not layer.signed:
        leakage = layer.scale.weights(cell.at_zero(g)).sum(axis=0) * (layer.full_scale / hardware.v_read)
    return DrivenLayer(straight, hardware.dac(layer), leakage, hardware.serial) if driven else straight


def wired_layer(hardware: Hardware, layer: LayerMapping, g: Array, cell: BitLineSeparable) -> WiredLayer:
    """A layer of 1T-1R cells whose arrays have resistances; arguments as for `folded_layer`."""
    array, network = hardware.array, hardware.network
    assert network.cell is not None
    both = array.r_wire_ohm or 0.0
    wires = Wires(
        r_word=array.r_wire_word_ohm or both,
        r_bit=array.r_wire_bit_ohm or both,
        r_source=array.r_source_ohm or 0.0,
        r_neuron=array.r_neuron_ohm or 0.0,
    )
    v_max = jnp.asarray(network.cell.v_max, jnp.float32)
    return WiredLayer(g, cell, layer.scale, drive_of(layer), v_max, signed=layer.signed, tile=network.tile, wires=wires)


def bit_lines(hardware: Hardware) -> dict[str, BitLineSeparable]:
    """Each layer's cell with the bit line's voltage as an axis.

    Raises:
        ConfigError: the table has no such axis, or inputs that these arrays are not read by.
    """
    cell, converters = hardware.network.cell, hardware.converters
    if cell is None or cell.bit_line is None:
        raise ConfigError("--array gated with resistances needs a cell characterized with a bit-line axis: --vbl 60m")
    if converters.input != "amplitude" or converters.dac_bits is not None or converters.adc_bits is not None:
        raise ConfigError(
            "--array gated with resistances takes amplitude inputs without converters: leave out --input, --dac-bits, --adc-bits"
        )
    layers = hardware.network.layers.items()
    return {name: cell.bit_line[cell.index(layer.vg)] for name, layer in layers if layer.vg is not None}


def require_trust(circuit: Circuit, trusts: Mapping[str, Trust], *, chip: int | None = None) -> None:
    """Raise ModelError where the wired arrays of a layer were not solved, with the tile's name."""
    for name, trust in trusts.items():
        layer = circuit.layers[name]
        assert isinstance(layer, WiredLayer)
        zero = jnp.zeros(())
        for number in range(trust.residual.shape[0]):
            where = f"layer {name}, {layer.tile_name(number)}" + ("" if chip is None else f", chip {chip}")
            found = Wired(zero, trust.residual[number], zero, trust.beyond[number])
            require_solved(found, tile=where, surrogate=layer.surrogate)


def tiled_layer(hardware: Hardware, layer: LayerMapping, wanted: Array, g: Array, cell: Separable | None) -> TiledLayer:
    """A layer with converters at every tile; arguments as for `folded_layer`."""
    height = min(hardware.network.tile[0], g.shape[0])
    bands = -(-g.shape[0] // height)
    factors, leakage = wanted[None], jnp.zeros((bands, g.shape[1]), g.dtype)
    if hardware.model == "gated" and cell is not None:
        if hardware.curved:
            factors = jnp.moveaxis(cell.in_g(g), -1, 0)
        leakage = split_rows(cell.at_zero(g)[None], height).sum(axis=(1, 2)) / full_voltage(hardware, cell)
    return TiledLayer(
        factors=split_rows(factors, height),
        leakage=leakage,
        scale=converted_scale(hardware, layer),
        dac=hardware.dac(layer),
        surrogate=cell if hardware.curved else None,
        serial=hardware.serial,
    )


def full_voltage(hardware: Hardware, cell: Separable) -> Array | float:
    """Voltage of the full row drive of cells [V]."""
    return cell.v_max if hardware.curved else hardware.v_read


def converted_scale(hardware: Hardware, layer: LayerMapping) -> Scale:
    """How codes are decoded: what the converters' baseline took off is added digitally."""
    base = baseline(hardware, layer)
    if base == 0:
        return layer.scale
    columns = np.full((1, layer.conductance.shape[1]), base)
    digital = layer.digital + np.asarray(layer.readout.combine(columns)) / layer.slope
    return Scale(layer.readout, layer.kernel, jnp.asarray(layer.slope, jnp.float32), jnp.asarray(digital, jnp.float32))


def baseline(hardware: Hardware, layer: LayerMapping) -> float:
    """Conductance whose current the converters leave out [S]: that of the lowest level where they count levels."""
    return layer.bottom if hardware.converters.adc_range == "levels" else 0.0


def draw_adc(hardware: Hardware, name: str, full_scale: Array, key: Array) -> Adc:
    """The converters of a layer of one chip."""
    layer, converters = hardware.network.layers[name], hardware.converters
    assert converters.adc_bits is not None
    rows, columns = layer.conductance.shape
    gain, offset = draw_errors(
        stream(stream(key, "adc"), name),
        bands=-(-rows // min(hardware.network.tile[0], rows)),
        columns=columns,
        gain_error=converters.adc_gain_error or 0.0,
        offset_error=converters.adc_offset_error or 0.0,
    )
    base = jnp.asarray(baseline(hardware, layer), jnp.float32)
    return Adc(full_scale=full_scale, gain=gain, offset=offset, baseline=base, bits=converters.adc_bits)


def judge(residuals: Residuals, *, chip: int | None = None) -> None:
    """Raise ModelError where a layer's fold did not solve Kirchhoff's law, or met a NaN."""
    for name, residual in residuals.items():
        if not float(residual) <= LARGEST_RESIDUAL:
            where = f"layer {name}" if chip is None else f"layer {name} of chip {chip}"
            raise ModelError(f"{where}: the array was not solved (residual {float(residual):.1e})")


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


def linear_cells(hardware: Hardware, cells: Mapping[str, Separable]) -> dict[str, MeanCell]:
    """Each layer's cell as a linear conductance: on average over the input voltages, or exactly at the one there is."""
    if hardware.network.cell is None:
        return {}
    vin = jnp.asarray(hardware.network.cell.vin, jnp.float32)
    if hardware.model == "gated":
        v_read = jnp.asarray(hardware.v_read, jnp.float32)
        return {name: one_voltage(surrogate, v_read) for name, surrogate in cells.items()}
    if hardware.single:
        vin = jnp.asarray([hardware.v_read], jnp.float32)
    return {name: mean_cell(surrogate, vin) for name, surrogate in cells.items()}


def read_noise(
    hardware: Hardware, layer: LayerMapping, g: Array, cell: Separable | None, linear: MeanCell | None
) -> ColumnNoise:
    """Read noise of a layer.

    Args:
        hardware: what its devices are built into.
        layer: its mapping.
        g: conductances of its memristors [S].
        cell: its 1T-1R cell; None on resistive arrays.
        linear: the cell as a linear conductance; None where there is none.
    """
    span = hardware.network.g_on - hardware.network.g_off
    parts = [read_sigma(g, sigma_siemens=n.sigma * span, sigma_relative=n.relative) for n in hardware.noises]
    sigma = jnp.sqrt(sum(jnp.square(part) for part in parts))
    if hardware.curved and cell is not None:
        return gated_noise(g, sigma, scale=layer.scale, surrogate=cell, drive=drive_of(layer))
    if linear is not None:  # the spread of the cell that its memristor's spread makes
        _, slope = jax.jvp(linear, (g,), (jnp.ones_like(g),))
        sigma = jnp.abs(slope) * sigma
    return linear_noise(sigma, scale=layer.scale)


def fold_network(net: nnx.Module, hardware: Hardware, *, conductances: Mapping[str, Array] | None = None) -> nnx.Module:
    """The same network with the effective weights of its arrays: dense layers and convolutions, any linear array model.

    1T-1R arrays are linear in the activations where rows see one voltage (`--input pwm` or `bitserial`); the quantisation of
    the inputs is not part of the weights, and what cells leak at no drive goes to the biases.

    Args:
        net: the network; it is not changed.
        hardware: its devices and what they are built into.
        conductances: of the chip by layer [S]; the nominal ones when absent.

    Returns:
        A copy of `net` whose kernels (and biases, with leakage) stand for the arrays.

    Raises:
        ConfigError: arrays that are not linear in the activations, or converters at every tile.
        ModelError: an array that could not be solved.
    """
    if hardware.curved:
        raise ConfigError("1T-1R arrays with amplitude inputs are not linear: they have no effective weights")
    if hardware.converters.path == "tiled":
        raise ConfigError("converters at every tile leave no effective weights: leave out --adc-bits")
    nominal = {name: jnp.asarray(layer.conductance) for name, layer in hardware.network.layers.items()}
    circuit, residuals = make_folder(hardware)(conductances or nominal, jax.random.key(0), {})
    judge(residuals)
    values = dict(parameters(net))
    for name, layer in circuit.layers.items():
        leakage = layer.leakage if isinstance(layer, DrivenLayer) else None
        straight = layer.layer if isinstance(layer, DrivenLayer) else layer
        assert isinstance(straight, LinearLayer)
        values[f"{name}.kernel"] = np.asarray(straight.kernel)
        if leakage is not None:
            values[f"{name}.bias"] = values[f"{name}.bias"] + np.asarray(leakage)
    folded = nnx.clone(net)
    set_parameters(folded, values)
    return folded
