"""What resistances of the arrays make of the power of cells: some reads of every tile, solved."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from xbar_cli.array.tiling import common_shape
from xbar_cli.array.wires import Wires
from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.energy.dissipation import Dissipation, of_cells, of_resistive
from xbar_cli.errors import ConfigError, ModelError
from xbar_cli.reporter import Reporter

PARTS = ("cells", "wires", "sources", "neurons")
LARGEST_GAP = 1e-6
"""Between the power of the sources and what is dissipated, relative."""


def wire_shares(
    network: MappedNetwork,
    conductances: Mapping[str, NDArray[np.float32]],
    volts: Mapping[str, NDArray[np.float64]],
    wires: Wires,
    *,
    reporter: Reporter,
) -> tuple[dict[str, dict[str, float]], float]:
    """What each part of a layer's arrays dissipates over what its cells would without resistances, and the balance's gap.

    Layers have `conductances` of their devices [S], and `volts` of their rows in some reads [V]. Raises ConfigError for 1T-1R
    cells whose table has no bit-line axis, ModelError where power is not conserved: the arrays were not solved.
    """
    cell = network.cell
    if cell is not None and cell.bit_line is None:
        raise ConfigError(
            "resistances with 1T-1R arrays need a cell characterized up to a bit-line voltage, such as 60 mV"
        )
    shares: dict[str, dict[str, float]] = {}
    worst = 0.0
    shapes = [(layer.conductance.shape[0], layer.stacked.shape[1]) for layer in network.layers.values()]
    size = common_shape(shapes, network.tile)
    for number, (name, layer) in enumerate(network.layers.items()):
        reporter.progress("wires", number, len(network.layers))
        spent, ideal = np.zeros(len(PARTS)), 0.0
        surrogate = cell.bit_line[cell.index(layer.vg)] if cell and cell.bit_line and layer.vg is not None else None
        for g, v in tiles(conductances[name].astype(np.float64), volts[name], network.tile, layer.groups):
            if not v.any():  # rows that none of these reads drives: no power
                continue
            if surrogate is None:
                found = of_resistive(g, v, wires, size=size)
                ideal += float(np.sum(v**2 @ g))
            else:
                found = of_cells(surrogate, g, v, wires)
                ideal += float(of_cells(surrogate, g, v, Wires()).cells.sum())
            spent += [float(getattr(found, part).sum()) for part in PARTS]
            worst = max(worst, trusted(found, name))
        shares[name] = dict(zip(PARTS, spent / ideal if ideal > 0 else spent, strict=True))
    reporter.progress("wires", len(network.layers), len(network.layers))
    return shares, worst


def trusted(found: Dissipation, layer: str) -> float:
    """The gap in an array's balance of power. Raises ModelError where it is too large."""
    if not found.gap <= LARGEST_GAP:
        worst = int(np.argmax(np.abs(found.delivered - found.spent)))
        raise ModelError(
            f"layer {layer}: the sources deliver {found.delivered[worst]:.6g} W and {found.spent[worst]:.6g} W are "
            "dissipated: the arrays are not solved; their resistances may be too large or too small against the cells'"
        )
    return found.gap


def tiles(
    g: NDArray[np.float64], v: NDArray[np.float64], size: tuple[int, int], groups: int = 1
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Every array of a layer with the voltages of its rows: the rows of one group lie below those of another."""
    if groups > 1:
        parts = zip(np.split(g, groups), np.split(v, groups, axis=1), strict=True)
        return [array for part in parts for array in tiles(*part, size)]
    rows, cols = size
    return [
        (g[top : top + rows, left : left + cols], v[:, top : top + rows])
        for top in range(0, g.shape[0], rows)
        for left in range(0, g.shape[1], cols)
    ]
