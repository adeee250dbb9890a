"""Hard faults: devices stuck on, stuck off or disconnected, alone, in clusters, or with a whole line of their array."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float

from xbar_cli.device import draws
from xbar_cli.numerics import stream


class Faults(NamedTuple):
    """Which devices are stuck, and at what.

    Attributes:
        stuck: whether a device is.
        held: the conductance at which it is [S]; of no meaning where it is not.
    """

    stuck: Bool[Array, "*shape"]
    held: Float[Array, "*shape"]

    def applied(self, g: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """What the faults make of conductances `g` [S]."""
        return jnp.where(self.stuck, self.held, g)


def fault_map(
    key: Array,
    g: Float[Array, "*shape"],
    *,
    rate_on: ArrayLike,
    rate_off: ArrayLike,
    rate_open: ArrayLike,
    g_on: ArrayLike,
    g_off: ArrayLike,
    rate_row: ArrayLike = 0.0,
    rate_column: ArrayLike = 0.0,
    cluster: int = 1,
    tile_rows: int | None = None,
    tile_columns: int | None = None,
) -> Faults:
    """The faults of devices: three exclusive kinds with their rates, and open lines of arrays.

    One uniform number per device (cluster, line) decides: with one key, a chip with a higher `rate_on` (`rate_off`, `rate_row`
    …) has every stuck-on device of the chip with a lower one.

    Args:
        key: random key of the chip.
        g: conductances of the shape and dtype of the devices [… rows columns] [S]; their values are not looked at.
        rate_on: share of devices stuck at `g_on`.
        rate_off: share of devices stuck at `g_off`.
        rate_open: share of devices without connection.
        g_on: conductance of a stuck-on device [S], and g_off of a stuck-off one.
        rate_row: share of the rows of arrays that are cut off, all their devices open; rate_column of their columns.
        cluster: side of the squares of devices that share their fate; they start anywhere, another place on every chip.
        tile_rows: rows of one array, and tile_columns its columns; those of the layer when None.

    Raises:
        ValueError: a rate that is a plain number is negative, or those of the kinds add up to more than 1.

    References:
        Chen et al., RRAM defect modeling and failure analysis, IEEE Trans. Computers 64, 180 (2015): stuck-at faults of
        a 4-Mb HfO2 chip, single cells and whole word and bit lines.
    """
    _require_rates((rate_on, rate_off, rate_open), (rate_row,), (rate_column,))
    on, off, opened = jnp.asarray(rate_on, g.dtype), jnp.asarray(rate_off, g.dtype), jnp.asarray(rate_open, g.dtype)
    u = draws.uniform(key, g) if cluster == 1 else _in_squares(key, g, side=cluster)
    held = jnp.where(u < on, jnp.asarray(g_on, g.dtype), 0)  # on from below, open above it, off from above
    held = jnp.where(u >= 1 - off, jnp.asarray(g_off, g.dtype), held)
    stuck = (u < on + opened) | (u >= 1 - off)
    for rate, name, axis, length in ((rate_row, "row", -1, tile_columns), (rate_column, "column", -2, tile_rows)):
        if not (isinstance(rate, int | float) and rate == 0):
            cut_off = _lines(stream(key, name), g, axis=axis, length=length) < jnp.asarray(rate, g.dtype)
            stuck, held = stuck | cut_off, jnp.where(cut_off, 0, held)
    return Faults(stuck, held)


def stuck_at(key: Array, g: Float[Array, "*shape"], **of_map: ArrayLike) -> Float[Array, "*shape"]:
    """Conductances `g` [S] with the faults of the chip of `key`: arguments as for `fault_map`."""
    return fault_map(key, g, **of_map).applied(g)  # pyright: ignore[reportArgumentType]


def _require_rates(*apart: tuple[ArrayLike, ...]) -> None:
    """Raise ValueError unless the rates of what excludes each other are shares together, where they are plain numbers."""
    for rates in apart:
        plain = [float(rate) for rate in rates if isinstance(rate, (int, float))]
        if len(plain) == len(rates) and (min(plain) < 0 or sum(plain) > 1):
            raise ValueError(
                f"rate_on, rate_off and rate_open, and those of lines, must be >= 0 and add up to at most 1, got {plain}"
            )


def _in_squares(key: Array, g: Array, *, side: int) -> Array:
    """One uniform number for every square of devices, which start at a random place."""
    *batch, rows, columns = g.shape
    many = jnp.zeros((*batch, -(-rows // side) + 1, -(-columns // side) + 1), g.dtype)
    u = draws.uniform(key, many).repeat(side, axis=-2).repeat(side, axis=-1)
    down, right = jax.random.randint(stream(key, "start of the squares"), (2,), 0, side)
    start = (*(0 for _ in batch), down, right)
    return jax.lax.dynamic_slice(u, start, g.shape)


def _lines(key: Array, g: Array, *, axis: int, length: int | None) -> Array:
    """One uniform number for every line of every array, which runs along `axis` over `length` devices."""
    size = g.shape[axis]
    length = size if length is None else length
    shape = list(g.shape)
    shape[axis] = -(-size // length)
    u = draws.uniform(key, jnp.zeros(shape, g.dtype)).repeat(length, axis=axis)
    return jax.lax.slice_in_dim(u, 0, size, axis=axis)
