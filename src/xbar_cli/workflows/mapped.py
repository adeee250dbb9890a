"""Networks on devices: programmed conductances of every layer with the scale they are decoded by."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xbar_cli.array.gated import Drive
from xbar_cli.config.base import parse_quantity
from xbar_cli.config.hardware import CellReference, MappingSection
from xbar_cli.config.ranges import parse_tile
from xbar_cli.data.batches import to_float
from xbar_cli.device.cell import Cell
from xbar_cli.errors import ConfigError, RunError
from xbar_cli.mapping.encode import encode
from xbar_cli.mapping.window import Window, cell_window, program, resistive_window
from xbar_cli.nn.shapes import layer_inputs
from xbar_cli.runs.directory import open_run
from xbar_cli.runs.results import RESULTS, read_dataset, variable
from xbar_cli.workflows.cells import load_cell
from xbar_cli.workflows.models import CELL, Trained, weight_maxima
from xbar_cli.workflows.reporter import Reporter

R_ON_OHM, R_OFF_OHM = 30e3, 300e3
"""Resistance range of arrays without a cell, unless given (neat)."""


@dataclass(frozen=True)
class LayerMapping:
    """One layer on its devices.

    Attributes:
        conductance: programmed memristor conductances [rows devices] [S].
        kernel: shape of the layer's kernel.
        slope: nominal conductance per unit of weight [S].
        bottom: nominal effective conductance of a zero weight [S].
        full_scale: activation that gives the largest row voltage.
        signed: whether activations have both signs and take two phases.
        vg: gate voltage [V]; None on resistive arrays.
        clipped_fraction: share of the weights beyond what the devices reach.
    """

    conductance: NDArray[np.float32]
    kernel: tuple[int, ...]
    slope: float
    bottom: float
    full_scale: float
    signed: bool
    vg: float | None
    clipped_fraction: float


@dataclass(frozen=True)
class MappedNetwork:
    """Every layer of a network on devices.

    Attributes:
        layers: by name, in the order they compute.
        scheme: mapping scheme.
        cell: the 1T-1R cell; None on resistive arrays.
        g_off: memristor conductance of the high-resistance state [S].
        g_on: memristor conductance of the low-resistance state [S].
        tile: rows and columns of one array.
    """

    layers: dict[str, LayerMapping]
    scheme: str
    cell: Cell | None
    g_off: float
    g_on: float
    tile: tuple[int, int]

    def tiles(self, name: str) -> int:
        """Arrays that a layer takes; remainder tiles count whole."""
        rows, cols = self.layers[name].conductance.shape
        return -(-rows // self.tile[0]) * -(-cols // self.tile[1])

    def devices(self, name: str) -> int:
        """Devices that a layer takes."""
        return self.layers[name].conductance.size

    def effective(self, name: str) -> NDArray[np.float64]:
        """Mean effective conductances of a layer [rows devices] [S]."""
        layer = self.layers[name]
        g = layer.conductance.astype(np.float64)
        return g if self.cell is None or layer.vg is None else self.cell.effective(self.cell.index(layer.vg), g)


def map_network(
    trained: Trained, mapping: MappingSection, reference: CellReference, *, calibration_images: int, reporter: Reporter
) -> tuple[MappedNetwork, Path | None]:
    """Put the weights of a train run on devices.

    Args:
        trained: the run.
        mapping: scheme, weight scale, resistances, tile size.
        reference: the cell; a neat run brings its own, with its gate voltages.
        calibration_images: training images whose activations set the row voltages' full scale.
        reporter: is told of gate voltages without a linear range.

    Returns:
        The mapped network, and the file of the cell it uses.

    Raises:
        ConfigError: options that exclude each other.
    """
    cell_file, gates = resolve_cell(trained, reference)
    cell = load_cell(cell_file) if cell_file else None
    if cell is None:
        if mapping.map_target != "effective":
            raise ConfigError("mapping.map_target = 'memristor' needs a 1T-1R cell (--cell RUN)")
        g_on, g_off = 1 / (mapping.r_on_ohm or R_ON_OHM), 1 / (mapping.r_off_ohm or R_OFF_OHM)
    else:
        if mapping.r_on_ohm is not None or mapping.r_off_ohm is not None:
            raise ConfigError("--r-on and --r-off are the cell's own when there is one; characterize it with others")
        g_on, g_off = cell.g_on, cell.g_off
        for vg in sorted({*gates, float(cell.vg[-1])}):
            if not cell.has_range(cell.index(vg)):
                reporter.note(f"the cell has no linear range at V_g {vg:g} V: weights span G_off … G_on there")
    maxima = maxima_of(trained, mapping, gated=cell is not None)
    ranges = activation_ranges(trained, images=calibration_images)
    layers: dict[str, LayerMapping] = {}
    for index, (name, kernel) in enumerate(trained.kernels.items()):
        vg = gates[index] if cell is not None else None
        low, high = ranges[name]
        conductance, window, clipped = program_layer(
            mapping, kernel.reshape(-1, kernel.shape[-1]), cell=cell, vg=vg, w_max=maxima[name], g_off=g_off, g_on=g_on
        )
        layers[name] = LayerMapping(
            conductance=conductance.astype(np.float32),
            kernel=tuple(kernel.shape),
            slope=window.slope,
            bottom=window.bottom,
            full_scale=max(high, -low) or 1.0,
            signed=low < 0,
            vg=vg,
            clipped_fraction=clipped,
        )
    network = MappedNetwork(
        layers=layers, scheme=mapping.scheme, cell=cell, g_off=g_off, g_on=g_on, tile=parse_tile(mapping.tile)
    )
    return network, cell_file


def program_layer(
    mapping: MappingSection,
    weights: NDArray[np.float32],
    *,
    cell: Cell | None,
    vg: float | None,
    w_max: float,
    g_off: float,
    g_on: float,
) -> tuple[NDArray[np.float64], Window, float]:
    """Memristor conductances [rows devices] [S] of weights [rows out], their scale, and the share clipped."""
    if cell is None or vg is None:
        window = resistive_window(g_off=g_off, g_on=g_on, w_max=w_max)
        top = g_on
    else:
        window = cell_window(cell, vg=vg, w_max=w_max)
        top = float(cell.effective(cell.index(vg), np.asarray(g_on)))
    encoded = encode(mapping.scheme, jnp.asarray(weights), g_min=window.bottom, g_max=top, scale=window.slope)
    wanted = np.asarray(encoded.g, dtype=np.float64)
    if cell is not None and vg is not None:
        wanted = program(cell, wanted, vg=vg, target=mapping.map_target)
    return wanted, window, float(encoded.clipped_share)


def resolve_cell(trained: Trained, reference: CellReference) -> tuple[Path | None, list[float]]:
    """The cell's file and each layer's gate voltage [V]."""
    own = trained.run.path / CELL
    count = len(trained.summary["layers"])
    asked = None if reference.vg is None else gate_voltage(reference.vg)
    if reference.run is not None:
        run, _ = open_run(Path(reference.run), commands=("characterize",), use="--cell")
        if asked is None and trained.summary["vg_volt"] is None:
            raise ConfigError("--cell needs --vg VOLT, a gate voltage of the cell's table")
        file = run.path / RESULTS
    elif own.exists():
        file = own
    elif asked is not None:
        raise ConfigError("--vg needs --cell RUN: this network was trained without a cell")
    else:
        return None, []
    return file, [asked] * count if asked is not None else list(trained.summary["vg_volt"])


def gate_voltage(text: str) -> float:
    """A gate voltage [V] from its text."""
    try:
        return float(parse_quantity(text))
    except ValueError as error:
        raise ConfigError(f"--vg: {error}") from None


def maxima_of(trained: Trained, mapping: MappingSection, *, gated: bool) -> dict[str, float]:
    """W_max of each layer: what neat fixed before it restricted the weights, else from the weights themselves."""
    names = trained.summary["layers"]
    fixed = trained.summary.get("w_max")
    if fixed is not None and mapping.weight_scale in (None, trained.summary["weight_scale"]):
        return dict(zip(names, fixed, strict=True))
    if fixed is not None:
        raise ConfigError(
            f"--weight-scale {mapping.weight_scale}: this run was restricted with scale {trained.summary['weight_scale']!r}; "
            "another one would move its weights out of the linear range"
        )
    return weight_maxima(trained.kernels, scale=mapping.weight_scale or ("network" if gated else "layer"))


def activation_ranges(trained: Trained, *, images: int) -> dict[str, tuple[float, float]]:
    """Smallest and largest activation that enters each layer, over the first training images, in floating point."""
    picked = trained.data.train_images[:images]
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    for start in range(0, len(picked), 500):
        inputs = layer_inputs(trained.net, jnp.asarray(to_float(picked[start : start + 500])))
        for name, (x, _) in inputs.items():
            low[name] = min(low.get(name, 0.0), float(x.min()))
            high[name] = max(high.get(name, 0.0), float(x.max()))
    return {name: (low[name], high[name]) for name in low}


def to_dataset(network: MappedNetwork) -> xr.Dataset:
    """results.nc of a map run: for each layer its conductances, with scale and tile of every device."""
    data: dict[str, xr.Variable] = {}
    for name, layer in network.layers.items():
        rows, cols = f"{name}_row", f"{name}_col"
        array = variable((rows, cols), layer.conductance, unit="S", long_name=f"memristor conductances of {name}")
        array.attrs |= {
            "kernel_shape": np.asarray(layer.kernel),
            "slope_siemens": layer.slope,
            "bottom_siemens": layer.bottom,
            "full_scale_activation": layer.full_scale,
            "signed_activation": int(layer.signed),
            "clipped_fraction": layer.clipped_fraction,
            "tiles": network.tiles(name),
        }
        if layer.vg is not None:
            array.attrs["vg_volt"] = layer.vg
        data[f"{name}_conductance"] = array
    attributes: dict[str, Any] = {
        "xbar_kind": "mapping",
        "scheme": network.scheme,
        "layers": " ".join(network.layers),
        "g_off_siemens": network.g_off,
        "g_on_siemens": network.g_on,
        "tile": np.asarray(network.tile),
    }
    return xr.Dataset(data, attrs=attributes)


def load_mapped(path: Path) -> MappedNetwork:
    """The mapped network of a map run.

    Raises:
        RunError: its results are missing or damaged.
    """
    dataset = read_dataset(path / RESULTS)
    try:
        layers = dict(_layers(dataset))
        attributes = dataset.attrs
        return MappedNetwork(
            layers=layers,
            scheme=attributes["scheme"],
            cell=load_cell(path / CELL) if (path / CELL).exists() else None,
            g_off=float(attributes["g_off_siemens"]),
            g_on=float(attributes["g_on_siemens"]),
            tile=(int(attributes["tile"][0]), int(attributes["tile"][1])),
        )
    except KeyError as error:
        raise RunError(f"{path / RESULTS} holds no mapping ({error} is missing)") from None


def _layers(dataset: xr.Dataset) -> Iterator[tuple[str, LayerMapping]]:
    for name in dataset.attrs["layers"].split():
        array = dataset[f"{name}_conductance"]
        attributes = array.attrs
        yield (
            name,
            LayerMapping(
                conductance=array.values,
                kernel=tuple(int(n) for n in np.atleast_1d(attributes["kernel_shape"])),
                slope=float(attributes["slope_siemens"]),
                bottom=float(attributes["bottom_siemens"]),
                full_scale=float(attributes["full_scale_activation"]),
                signed=bool(attributes["signed_activation"]),
                vg=float(attributes["vg_volt"]) if "vg_volt" in attributes else None,
                clipped_fraction=float(attributes["clipped_fraction"]),
            ),
        )


def surrogates(network: MappedNetwork, quantity: str) -> dict[str, Any]:
    """The surrogate of `current` or `power` at each layer's gate voltage, in float32."""
    assert network.cell is not None
    table = getattr(network.cell, quantity)
    with jax.enable_x64(True):
        return {
            name: table[network.cell.index(layer.vg)].astype(jnp.float32)
            for name, layer in network.layers.items()
            if layer.vg is not None
        }


def drive_of(layer: LayerMapping) -> Drive:
    """How the layer's activations become row voltages."""
    return Drive(
        full_scale=jnp.asarray(layer.full_scale, jnp.float32), signed=jnp.asarray(float(layer.signed), jnp.float32)
    )
