"""Training through arrays of 1T-1R cells with wires: every product goes through their fold (`array.wired.fold`).

The fold is made anew every so many steps. In between, what the fold says of a cell is scaled by its mean conductance now over
that at the fold, so that a step costs a few products. With a renewal at every step gradients pass through the fold itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from xbar_cli.array.gated import Drive
from xbar_cli.array.ideal import Contract
from xbar_cli.array.wired.fold import Basis, Products
from xbar_cli.array.wires import Wires
from xbar_cli.config.arrays import ArraySection
from xbar_cli.config.base import require
from xbar_cli.device.cell import Cell
from xbar_cli.device.transistor import BitLineSeparable
from xbar_cli.nn.layers import Product
from xbar_cli.nn.shapes import LayerShape, layer_inputs
from xbar_cli.nn.wired.folded import FoldedWiredLayer, fold_wired_layers, of_products, wired_products
from xbar_cli.nn.wired.solved import WiredLayer
from xbar_cli.train.cells import CellCurve
from xbar_cli.train.loop import Renewal, State
from xbar_cli.train.transforms import Site, Transform


class KeptFold(nnx.Module):
    """What a layer keeps of its last fold.

    Attributes:
        currents: A over the mean conductance of each cell at the fold, `[phi rows cols]` [V].
        slopes: D over it, `[psi rows cols]`.
        mode: u of the bit lines, `[rows]`.
        strength: λ of each band [ohm].
        phi: coefficients of the functions of the row voltage for currents.
        psi: for slopes.
        full_scale: activation of the full drive.
    """

    def __init__(self, values: Mapping[str, Array]) -> None:
        """From the values of the attributes, by name."""
        for name, value in values.items():
            setattr(self, name, nnx.BatchStat(value))

    def take(self, values: Mapping[str, Array]) -> None:
        """Other values, in place."""
        for name, value in values.items():
            getattr(self, name)[...] = value

    def at(self, mean: Float[Array, "rows cols"], v_max: Array) -> tuple[Basis, Products]:
        """The fold of cells with the mean conductances `mean` [S], of one group."""
        kept = {name: value[...] for name, value in vars(self).items() if isinstance(value, nnx.BatchStat)}
        products = Products(kept["currents"] * mean[None], kept["slopes"] * mean[None], kept["mode"], kept["strength"])
        return Basis(kept["phi"], kept["psi"], v_max), jax.tree.map(lambda leaf: leaf[None], products)


@dataclass(frozen=True)
class CellLayer:
    """One layer on cells.

    Attributes:
        kernel: shape of its kernel.
        curve: how its weights are cells.
        surrogate: the cell at the gate voltage of the layer, with the bit line's voltage as an axis.
        signed: whether activations have both signs.
    """

    kernel: tuple[int, ...]
    curve: CellCurve
    surrogate: BitLineSeparable
    signed: bool


@dataclass(frozen=True)
class WiredCells:
    """The arrays that a network is trained through.

    Attributes:
        layers: by name.
        v_max: largest row voltage [V].
        wires: resistances of an array.
        tile: its rows and columns.
        images: by which the full drive of every layer is chosen.
        noise: on the memristors of every step; None for nothing.
        kept: whether steps take the last fold, scaled.
    """

    layers: Mapping[str, CellLayer]
    v_max: float
    wires: Wires
    tile: tuple[int, int]
    images: Array
    noise: Transform | None = None
    kept: bool = True

    def forward(self, net: Any, key: Array | None, step: Array | None) -> Product:
        """The products of a step, or of a measurement: a `forward.Forward`."""
        layers = {name: self.chip_layer(name, net, key, step) for name in self.layers}
        if self.kept or step is None:
            folds = {name: self.by_last_fold(name, layer, getattr(net, name).fold) for name, layer in layers.items()}
        else:
            folds = fold_wired_layers(layers)

        def product(name: str, x: Array, kernel: Array, contract: Contract) -> Array:
            return folds[name](x, contract) if name in folds else contract(x, kernel)

        return product

    def chip_layer(self, name: str, net: Any, key: Array | None, step: Array | None) -> WiredLayer:
        """A layer of the network on cells, those of this step's chip where there is noise."""
        layer = getattr(net, name)
        g = self.layers[name].curve.memristors(layer.kernel[...])
        if self.noise is not None:
            g = self.noise(Site(name, key=key, step=step, limit=1.0), g)
        return self.array(name, g, layer.fold.full_scale[...])

    def array(self, name: str, g: Array, full_scale: Array) -> WiredLayer:
        """A layer of these memristors [S], whose rows are driven in full at an activation of `full_scale`."""
        layer = self.layers[name]
        drive = Drive(full_scale=full_scale, signed=jnp.asarray(float(layer.signed), jnp.float32))
        return WiredLayer(
            g, layer.surrogate, layer.curve.scale(layer.kernel), drive, jnp.asarray(self.v_max, jnp.float32), signed=layer.signed,
            tile=self.tile, wires=self.wires,
        )  # fmt: skip

    def by_last_fold(self, name: str, layer: WiredLayer, fold: KeptFold) -> FoldedWiredLayer:
        """The layer by what is kept of its last fold."""
        return of_products(layer, *fold.at(self.layers[name].curve.mean_of(layer.g), layer.v_max))

    def fold(self, kernels: Mapping[str, Array], full_scales: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
        """What layers keep of the fold of their weights without noise."""
        g = {name: layer.curve.memristors(kernels[name]) for name, layer in self.layers.items()}
        folds = wired_products({name: self.array(name, g[name], full_scales[name]) for name in self.layers})
        found: dict[str, dict[str, Array]] = {}
        for name, (basis, grouped) in folds.items():
            products, mean = jax.tree.map(lambda leaf: leaf[0], grouped), self.layers[name].curve.mean_of(g[name])
            found[name] = {
                "currents": products.currents / mean[None], "slopes": products.slopes / mean[None],
                "mode": products.mode, "strength": products.strength, "phi": basis.currents, "psi": basis.slopes,
                "full_scale": full_scales[name],
            }  # fmt: skip
        return found

    def full_scales(self, net: Any, images: Array) -> dict[str, Array]:
        """The largest activation of every layer over the images, in floating point."""
        inputs = layer_inputs(net, images)
        return {name: jnp.maximum(jnp.abs(inputs[name][0]).max(), 1e-6) for name in self.layers}


def make_room(net: nnx.Module, cells: WiredCells) -> None:
    """Give every layer the room for its fold."""
    kernels = {name: jax.ShapeDtypeStruct(layer.kernel, jnp.float32) for name, layer in cells.layers.items()}
    scales = dict.fromkeys(cells.layers, jax.ShapeDtypeStruct((), jnp.float32))
    for name, shapes in jax.eval_shape(cells.fold, kernels, scales).items():
        getattr(net, name).fold = KeptFold({key: jnp.zeros(shape.shape, shape.dtype) for key, shape in shapes.items()})


def clear(net: nnx.Module, names: Sequence[str]) -> None:
    """Take the folds away again: a network is saved without them."""
    for name in names:
        layer = getattr(net, name)
        if hasattr(layer, "fold"):
            del layer.fold


def make_renewal(cells: WiredCells, *, every: int | None) -> Renewal:
    """Folds the weights as they are, and sees anew how far their activations go."""
    fold, full_scales = jax.jit(cells.fold), nnx.jit(cells.full_scales)

    def renew(net: Any) -> None:
        kernels = {name: getattr(net, name).kernel[...] for name in cells.layers}
        for name, values in fold(kernels, full_scales(net, cells.images)).items():
            getattr(net, name).fold.take(values)

    return Renewal(every, renew)


def make_settle(graphdef: Any, renewal: Renewal) -> Callable[[State], State]:
    """`network state -> state` with the folds of its weights; the last one is remembered, several parts being measured in it."""
    last: list[tuple[State, State]] = []

    def settle(state: State) -> State:
        if not last or last[0][0] is not state:
            net = nnx.merge(graphdef, state, copy=True)
            renewal.renew(net)
            last[:] = [(state, nnx.state(net))]
        return last[0][1]

    return settle


def cell_layer(cell: Cell, shape: LayerShape, *, vg: float, w_max: float, signed: bool) -> CellLayer:
    """A layer on cells at gate voltage `vg` [V], `w_max` at the top of the scale."""
    assert cell.bit_line is not None
    surrogate = cell.bit_line[cell.index(vg)].astype(jnp.float32)
    return CellLayer(shape.kernel, CellCurve.of(cell, vg=vg, w_max=w_max), surrogate, signed)


def wired_cells(
    net: nnx.Module,
    cell: Cell,
    shapes: Sequence[LayerShape],
    *,
    vg: Mapping[str, float],
    w_max: Mapping[str, float],
    arrays: ArraySection,
    tile: tuple[int, int],
    images: Array,
    noise: Transform | None,
    refold: int | None,
) -> WiredCells:
    """The arrays that a network is trained through.

    Raises:
        ConfigError: the cell knows no voltage of its bit line, no resistance is given, or a layer has groups.
    """
    wires = arrays.wires()
    require(
        cell.bit_line is not None,
        "array.model = gated needs a cell characterized up to a bit-line voltage, such as 60 mV",
    )
    require(
        wires.any,
        "array.model = gated trains through resistances: give array.r_wire_ohm, array.r_source_ohm or array.r_neuron_ohm",
    )
    grouped = [shape.name for shape in shapes if shape.groups > 1]
    require(not grouped, f"array.model = gated trains no layers in groups: {', '.join(grouped)}")
    inputs = layer_inputs(net, images)
    layers = {
        shape.name: cell_layer(
            cell, shape, vg=vg[shape.name], w_max=w_max[shape.name], signed=bool(inputs[shape.name][0].min() < 0)
        )
        for shape in shapes
    }
    return WiredCells(layers, cell.v_max, wires, tile, images, noise, kept=refold != 1)
