"""Sign flips: of each pair of columns of a tile, the two change roles where that suits their faults better."""

import jax
import jax.numpy as jnp
from jax import Array

from xbar_cli.chip.repair.code import band_of_rows
from xbar_cli.chip.repair.grid import TileGrid, at_places
from xbar_cli.chip.repair.units import Units
from xbar_cli.device.faults import Faults


def flipped(target: Array, faults: Faults, places: Array, grid: TileGrid, units: Units) -> tuple[Array, Array]:
    """The places of devices where pairs that are better the other way round hold their weights negated.

    What such a pair of one tile puts out is negated digitally: a sign for each output of each tile.

    Args:
        target: conductances [rows columns] [S].
        faults: of the built array.
        places: of the devices in it, before.
        grid: the tiles.
        units: pairs.

    Returns:
        The places, and the share of the pairs that were flipped.

    References:
        Zhang et al., Handling stuck-at-faults in memristor crossbar arrays using matrix transformations, ASP-DAC 2019:
        row flipping, here of the columns that a layer's outputs come from.
    """
    wanted, stuck, held = (
        units.split(values) for values in (target, at_places(faults.stuck, places), at_places(faults.held, places))
    )
    band = band_of_rows(grid)

    def cost(stuck: Array, held: Array) -> Array:
        return jax.ops.segment_sum(units.error(wanted, stuck, held), band, num_segments=len(grid.bands))

    better = cost(stuck[..., ::-1], held[..., ::-1]) < cost(stuck, held)  # [bands units]
    pairs = units.split(places)
    turned = jnp.where(better[band][..., None], pairs[..., ::-1], pairs)
    return turned.reshape(places.shape), better.mean(dtype=target.dtype)
