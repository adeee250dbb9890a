"""Networks on devices: programmed conductances of every layer with the scale they are decoded by."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from xbar_cli.array.gated import Drive
from xbar_cli.cell.file import load_cell
from xbar_cli.chip.activity import LayerActivity, from_values, to_field
from xbar_cli.config.converters import ReadSection
from xbar_cli.device.cell import Cell
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.readout import Readout
from xbar_cli.nn.program import Scale
from xbar_cli.runs.results import RESULTS, numbers, opened, variable
from xbar_cli.trained.opening import CELL

if TYPE_CHECKING:
    import xarray as xr

TECHNOLOGY = "technology.toml"
"""A user's own technology, copied into the map run that uses it."""
ORIGIN = "train"
"""Folder of a map run that holds the train run's summary, configuration and weights: the run stays whole when moved."""
READ = tuple(ReadSection.model_fields)


@dataclass(frozen=True)
class LayerMapping:
    """One layer on its devices.

    Attributes:
        conductance: programmed memristor conductances [rows columns] [S].
        kernel: shape of the layer's kernel.
        readout: the digital side behind the columns.
        slope: nominal conductance per unit of weight [S], one number or one per output.
        digital: weight that the digital side adds: one number, or one per weight [rows out].
        bottom: nominal effective conductance of the lowest level [S].
        top: nominal effective conductance of the highest level [S].
        scale_kept: scale over the one asked for; below 1 where ACM's running sums did not fit.
        full_scale: activation that gives the largest row voltage.
        signed: whether activations have both signs and take two phases.
        vg: gate voltage [V]; None on resistive arrays.
        clipped_fraction: share of the weights beyond what the devices reach.
        beyond_fraction: share of the devices wanted beyond the conductances that a memristor has.
    """

    conductance: NDArray[np.float32]
    kernel: tuple[int, ...]
    readout: Readout
    slope: NDArray[np.float64]
    digital: NDArray[np.float64]
    bottom: float
    top: float
    scale_kept: float
    full_scale: float
    signed: bool
    vg: float | None
    clipped_fraction: float
    beyond_fraction: float = 0.0

    @property
    def groups(self) -> int:
        """Equal parts of its outputs that see other inputs, each on arrays of its own."""
        return self.readout.groups

    @property
    def stacked(self) -> NDArray[np.float32]:
        """Its conductances [groups · rows, columns of a group] [S]: every row that is driven on its own, in order."""
        rows, columns = self.conductance.shape
        parts = self.conductance.reshape(rows, self.groups, columns // self.groups)
        return np.moveaxis(parts, 1, 0).reshape(self.groups * rows, -1)

    @property
    def scale(self) -> Scale:
        """How the columns are decoded, in float32; a slope that is an array of JAX keeps its precision."""
        digital = jnp.asarray(self.digital, jnp.float32) if self.digital.any() else None
        slope = self.slope if isinstance(self.slope, jax.Array) else jnp.asarray(self.slope, jnp.float32)
        return Scale(self.readout, self.kernel, slope, digital)


@dataclass(frozen=True)
class MappedNetwork:
    """Every layer of a network on devices.

    Attributes:
        layers: by name, in the order they compute.
        scheme: mapping scheme.
        technology: name or file of the device technology; None where only its resistances were given.
        cell: the 1T-1R cell; None on resistive arrays.
        g_off: memristor conductance of the high-resistance state [S].
        g_on: memristor conductance of the low-resistance state [S].
        tile: rows and columns of one array.
        read: how rows are read, which the devices were programmed for.
        activity: how calibration images drive the rows of each layer; empty where that was not kept.
    """

    layers: dict[str, LayerMapping]
    scheme: str
    technology: str | None
    cell: Cell | None
    g_off: float
    g_on: float
    tile: tuple[int, int]
    read: ReadSection = field(default_factory=ReadSection)
    activity: dict[str, LayerActivity] = field(default_factory=dict)

    @property
    def read_volt(self) -> float | None:
        """The one voltage of driven rows that cells are programmed for [V]; None: all input voltages, or no cells."""
        return None if self.cell is None else read_voltage(self.cell, self.read)

    @property
    def clipped_fraction(self) -> float:
        """Share of the weights on arrays that lie beyond what the devices reach."""
        counts = [np.prod(layer.kernel) for layer in self.layers.values()]
        return float(np.average([layer.clipped_fraction for layer in self.layers.values()], weights=counts))

    @property
    def scale_kept(self) -> float:
        """Of the scale asked for, in the layer that keeps least of it."""
        return min(layer.scale_kept for layer in self.layers.values())

    def tiles(self, name: str) -> int:
        """Arrays that a layer takes, those of its groups apart; remainder tiles count whole."""
        layer = self.layers[name]
        rows, cols = layer.conductance.shape[0], layer.conductance.shape[1] // layer.groups
        return layer.groups * -(-rows // self.tile[0]) * -(-cols // self.tile[1])

    def devices(self, name: str) -> int:
        """Devices that a layer takes."""
        return self.layers[name].conductance.size

    def decoded(self, name: str) -> NDArray[np.float32]:
        """Weights [rows out] that a layer's devices stand for without variation, read as they were programmed for."""
        layer = self.layers[name]
        signed = np.asarray(layer.readout.combine(self.effective(name)))
        return (signed / layer.slope + layer.digital).astype(np.float32)

    def effective(self, name: str) -> NDArray[np.float64]:
        """Effective conductances of a layer, as its rows are read [rows devices] [S]."""
        layer = self.layers[name]
        g = layer.conductance.astype(np.float64)
        if self.cell is None or layer.vg is None:
            return g
        return self.cell.effective(self.cell.index(layer.vg), g, volt=self.read_volt)


def read_voltage(cell: Cell, read: ReadSection) -> float | None:
    """The one voltage of driven rows of 1T-1R cells [V]: as given, or the largest of the table; None where they see all."""
    if read.input == "amplitude":
        return None
    v = read.v_read_volt or cell.v_max
    if v > cell.v_max:
        raise ConfigError(f"rows read at {v:g} V are beyond the cell's table, which ends at {cell.v_max:g} V")
    return v


def seen(volt: float | None) -> str:
    """The voltages that rows see, in words."""
    return "all input voltages" if volt is None else f"{volt:g} V or none"


BEYOND = 10
"""Times G_on, above which a conductance is no device's: it is damage."""


def to_dataset(network: MappedNetwork) -> "xr.Dataset":
    """results.nc of a map run: for each layer its conductances, with scale and tile of every device."""
    import xarray as xr

    data: dict[str, xr.Variable] = {}
    for name, layer in network.layers.items():
        rows, cols = f"{name}_row", f"{name}_col"
        array = variable((rows, cols), layer.conductance, unit="S", long_name=f"memristor conductances of {name}")
        array.attrs |= {
            "kernel_shape": np.asarray(layer.kernel),
            "slope_siemens": layer.slope,
            "bottom_siemens": layer.bottom,
            "top_siemens": layer.top,
            "scale_kept": layer.scale_kept,
            "full_scale_activation": layer.full_scale,
            "signed_activation": int(layer.signed),
            "clipped_fraction": layer.clipped_fraction,
            "beyond_fraction": layer.beyond_fraction,
            "tiles": network.tiles(name),
        }
        array.attrs |= layer.readout.attributes()
        if layer.vg is not None:
            array.attrs["vg_volt"] = layer.vg
        data[f"{name}_conductance"] = array
        digital = (rows, f"{name}_out")[2 - layer.digital.ndim :]
        data[f"{name}_digital"] = variable(digital, layer.digital, unit="1", long_name=f"digital weight of {name}")
    for name, seen in network.activity.items():
        data[f"{name}_activity"] = xr.Variable(*to_field(name, seen, groups=network.layers[name].groups))
    attributes: dict[str, Any] = {
        "xbar_kind": "mapping",
        "scheme": network.scheme,
        "technology": Path(network.technology).stem if network.technology else "",
        "layers": " ".join(network.layers),
        "g_off_siemens": network.g_off,
        "g_on_siemens": network.g_on,
        "tile": np.asarray(network.tile),
        **{f"read_{key}": value for key, value in network.read.in_use().items()},
    }
    return xr.Dataset(data, attrs=attributes)


def load_mapped(path: Path) -> MappedNetwork:
    """The mapped network of a map run. Raises RunError where its results are missing or damaged."""
    with opened(path / RESULTS, kind="mapping") as dataset:
        layers = dict(_layers(dataset))
        attributes = dataset.attrs
        return MappedNetwork(
            layers=layers,
            scheme=attributes["scheme"],
            technology=str(path / TECHNOLOGY) if (path / TECHNOLOGY).exists() else attributes["technology"] or None,
            cell=load_cell(path / CELL) if (path / CELL).exists() else None,
            g_off=float(attributes["g_off_siemens"]),
            g_on=float(attributes["g_on_siemens"]),
            tile=(int(attributes["tile"][0]), int(attributes["tile"][1])),
            read=ReadSection(**{key: attributes[f"read_{key}"] for key in READ if f"read_{key}" in attributes}),
            activity=_activity(dataset, layers),
        )


def _layers(dataset: "xr.Dataset") -> Iterator[tuple[str, LayerMapping]]:
    for name in dataset.attrs["layers"].split():
        conductance = numbers(dataset, f"{name}_conductance", f"{name}_row", f"{name}_col")
        if (
            conductance.size
            and not 0 <= conductance.min() <= conductance.max() <= BEYOND * dataset.attrs["g_on_siemens"]
        ):
            raise ValueError(f"conductances of {name} are beyond what its devices can have")
        attributes, digital = dataset[f"{name}_conductance"].attrs, f"{name}_digital"
        yield (
            name,
            LayerMapping(
                conductance=conductance,
                kernel=tuple(int(n) for n in np.atleast_1d(attributes["kernel_shape"])),
                readout=Readout.of(dataset.attrs["scheme"], attributes),
                slope=np.asarray(attributes["slope_siemens"], np.float64),
                digital=numbers(dataset, digital, *dataset[digital].dims),
                bottom=float(attributes["bottom_siemens"]),
                top=float(attributes["top_siemens"]),
                scale_kept=float(attributes["scale_kept"]),
                full_scale=float(attributes["full_scale_activation"]),
                signed=bool(attributes["signed_activation"]),
                vg=float(attributes["vg_volt"]) if "vg_volt" in attributes else None,
                clipped_fraction=float(attributes["clipped_fraction"]),
                beyond_fraction=float(attributes.get("beyond_fraction", 0.0)),
            ),
        )


def _activity(dataset: "xr.Dataset", layers: Iterable[str]) -> dict[str, LayerActivity]:
    """The activity of every layer; empty where the run was made before it was kept."""
    kept = {name: dataset[f"{name}_activity"] for name in layers if f"{name}_activity" in dataset}
    return {name: from_values(stored.values, stored.attrs) for name, stored in kept.items()}


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
