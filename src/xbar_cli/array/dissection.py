"""Nested dissection of a crossbar: boxes with four sides of ports, merged in pairs until one box is left.

A box is a rectangle of the array seen from outside: the node at the left end of each of its word lines, the nodes at
their right ends, at the top and at the bottom of its bit lines, and the admittance between all these. One device is a
box of one port a side: word-line segment from left to right, device from right to top, bit-line segment from top to
bottom. Two neighbours share the ports between them; eliminating those leaves the box of both. All boxes of one size
are merged at once. The work is O(n³), where eliminating the n² nodes row by row is O(n⁴).

No box has a connection to ground, so the rows of its matrix add up to zero, and a diagonal is the sum of what stands
beside it. It is taken from there and never by subtraction (as in the algorithm of Grassmann, Taksar and Heyman): each
element keeps its relative precision however far wires and devices lie apart.

References:
    A. George, "Nested dissection of a regular finite element mesh", SIAM J. Num. Anal. 10 (1973);
    W. Grassmann, M. Taksar, D. Heyman, Operations Research 33 (1985), for the diagonal.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from xbar_cli.array.boxes import deal, interleave, join, sort_ports, take, unsorted
from xbar_cli.types import Array

LEFT, RIGHT, TOP, BOTTOM = range(4)
FACING = ((TOP, LEFT, RIGHT, BOTTOM), (LEFT, TOP, BOTTOM, RIGHT))
"""Order of the sides for merging along axis 0 (one above the other) and 1 (side by side): what joins stands outside."""

Expand = Callable[[Array], Array]
"""From the voltages at the ports of a merged box to those at the ports of what it was merged from."""


class Box(NamedTuple):
    """Boxes of one size. `y` [S]: `[grid rows, grid columns, ports, ports]`; `layout`: (side, how many) along the ports.

    The diagonal of `y` is not to be used: see `boxes.join`.
    """

    y: Array
    layout: tuple[tuple[int, int], ...]

    def count(self, side: int) -> int:
        """How many ports stand on a side."""
        return sum(n for which, n in self.layout if which == side)


def _order(layout: tuple[tuple[int, int], ...], axis: int) -> tuple[slice, ...]:
    """The parts of a layout in the order for a merge along `axis`."""
    ends = np.cumsum([n for _, n in layout]).tolist()
    chosen = [k for side in FACING[axis] for k, (which, n) in enumerate(layout) if which == side and n > 0]
    return tuple(slice(ends[k] - layout[k][1], ends[k]) for k in chosen)


def _ordered(layout: tuple[tuple[int, int], ...], axis: int) -> tuple[tuple[int, int], ...]:
    """The layout that results."""
    return tuple((side, sum(n for which, n in layout if which == side)) for side in FACING[axis])


def _facing(box: Box, axis: int) -> tuple[Box, Expand]:
    """The same box with its ports in the order for a merge along `axis`."""
    parts = _order(box.layout, axis)
    facing = Box(box.y, _ordered(box.layout, axis))
    if list(parts) == sorted(parts, key=lambda part: part.start):
        return facing, lambda v: v
    return facing._replace(y=sort_ports(box.y, parts)), lambda v: take(v, unsorted(parts), -1)


def _together(a: Box, b: Box, toward: int) -> tuple[Box, Expand]:
    """Two boxes, sorted for the axis along which they touch, become one, sorted for the axis `toward`.

    The voltages of the second follow those of the first.
    """
    n = a.layout[-1][1]
    split = a.y.shape[-1] - n
    layout = a.layout[:-1] + b.layout[1:]
    order = _order(layout, toward)
    y, x = join(a.y, b.y, n, order)

    def expand(v: Array) -> Array:
        seam = -jnp.einsum("...jo,...o->...j", x, v)
        v = take(v, unsorted(order), -1)
        return jnp.concatenate([v[..., :split], seam, seam, v[..., split:]], -1)

    return Box(y, _ordered(layout, toward)), expand


def _open(box: Box, side: int, toward: int) -> tuple[Box, Expand]:
    """Nothing is connected on `side` (right or top): its ports carry no current and vanish."""
    box, undo = _facing(box, 1 if side == RIGHT else 0)
    n = box.count(side)
    nothing = jnp.zeros((*box.y.shape[:-2], n, n), box.y.dtype)
    if side == RIGHT:
        merged, expand = _together(box, Box(nothing, ((LEFT, n),)), toward)
        return merged, lambda v: undo(expand(v)[..., :-n])
    merged, expand = _together(Box(nothing, ((BOTTOM, n),)), box, toward)
    return merged, lambda v: undo(expand(v)[..., n:])


def _chained(boxes: list[Box], axis: int, toward: int) -> tuple[Box, Callable[[Array], list[Array]]]:
    """Merge boxes that touch along an axis, from the first to the last, into one."""
    merged, steps = boxes[0], []
    for left, other in reversed(list(enumerate(reversed(boxes[1:])))):
        first, undo_first = _facing(merged, axis)
        second, undo_second = _facing(other, axis)
        merged, expand = _together(first, second, axis if left else toward)
        steps.append((expand, first.y.shape[-1], undo_first, undo_second))

    def undo(v: Array) -> list[Array]:
        parts = []
        for expand, width, undo_first, undo_second in reversed(steps):
            both = expand(v)
            parts.append(undo_second(both[..., width:]))
            v = undo_first(both[..., :width])
        return [v, *reversed(parts)]

    return merged, undo


def _merge(box: Box, axis: int, n: int, toward: int) -> tuple[Box, Expand]:
    """Merge groups of `n` neighbours along an axis of the grid."""
    box, undo_facing = _facing(box, axis)
    merged, undo = _chained([Box(y, box.layout) for y in deal(box.y, axis, n)], axis, toward)
    return merged, lambda v: undo_facing(interleave(tuple(undo(v)), axis))


def padded(count: int) -> int:
    """The next size for which there is a dissection: 1, 2 or 3 times a power of two. Few sizes, few compilations."""
    power = 1 << (count - 1).bit_length()
    return 3 * power // 4 if power >= 4 and 3 * power // 4 >= count else power


def plan(rows: int, cols: int) -> list[tuple[int, int]]:
    """The merges `(axis, how many)` that lead from `rows` × `cols` devices to at most 2 × 2 boxes, kept near square."""
    counts, size, steps = [rows, cols], [1, 1], []
    while max(counts) > 2:
        axis = 1 if counts[1] > 2 and (size[1] <= size[0] or counts[0] <= 2) else 0
        n = 3 if counts[axis] % 3 == 0 else 2
        counts[axis], size[axis] = counts[axis] // n, size[axis] * n
        steps.append((axis, n))
    return steps


def most_elements(rows: int, cols: int) -> int:
    """The number of matrix elements that the largest stage of the dissection holds."""
    counts, most = [rows, cols], 16 * rows * cols
    for axis, n in [*plan(rows, cols), (1, 2), (0, 2)]:
        counts[axis] = max(1, counts[axis] // n)
        ports = 2 * (rows // counts[0] + cols // counts[1])
        most = max(most, counts[0] * counts[1] * ports**2)
    return most


def leaves(
    g: Float[Array, "rows cols"], word: Float[Array, " cols"], bit: Float[Array, " rows"]
) -> Float[Array, "rows cols 4 4"]:
    """One box per device, its ports in the order left, right, top, bottom.

    Args:
        g: device conductances [S].
        word: conductance of the word-line segment before each column [S].
        bit: conductance of the bit-line segment after each row [S].
    """
    links = np.zeros((3, 4))
    links[[0, 1, 2], [LEFT, RIGHT, TOP]], links[[0, 1, 2], [RIGHT, TOP, BOTTOM]] = 1, -1
    shape = (*g.shape, 4, 4)
    values = (word[None, :, None, None], g[:, :, None, None], bit[:, None, None, None])
    terms = (
        jnp.broadcast_to(value, shape) * jnp.asarray(np.outer(link, link), g.dtype)[None, None]
        for value, link in zip(values, links, strict=True)
    )
    return sum(terms, start=jnp.zeros(shape, g.dtype))


def dissect(y: Float[Array, "rows cols 4 4"]) -> tuple[Float[Array, "rows cols"], Expand]:
    """The array between the left ends of its word lines and the bottom ends of its bit lines; both other ends are open.

    Args:
        y: one box per device, as `leaves` makes them; rows and cols as `padded` gives them.

    Returns:
        The currents into ground at the bottom for one volt at each left end [S], and the map from the voltages at
        the left ends [rows] to those at the four ports of each device [rows cols 4], the bottom ends at ground.
    """
    rows, cols = y.shape[:2]
    box, undos = Box(y, tuple((side, 1) for side in (LEFT, RIGHT, TOP, BOTTOM))), []
    steps = plan(rows, cols)
    for (axis, n), (toward, _) in zip(steps, [*steps[1:], (1, 1)], strict=False):
        box, undo = _merge(box, axis, n, toward)
        undos.append(undo)
    box, undo = _finish(box)
    undos.append(undo)
    g_eff = -0.5 * (box.y[0, 0, :rows, rows:] + box.y[0, 0, rows:, :rows].T)

    def expand(v: Array) -> Array:
        volts = jnp.concatenate([v, jnp.zeros(cols, v.dtype)])[None, None]
        for undo in reversed(undos):
            volts = undo(volts)
        return volts

    return g_eff, expand


def _finish(box: Box) -> tuple[Box, Expand]:
    """From at most 2 × 2 boxes to one with ports left and bottom only; what is open vanishes first, which saves most."""
    height, width = box.y.shape[:2]
    bands, undos = [], []
    for i, band in enumerate(deal(box.y, 0, height)):
        boxes = [Box(y, box.layout) for y in deal(band, 1, width)]
        merged, undo = _finish_band(boxes, top=i == 0)
        bands.append(merged)
        undos.append(undo)
    merged, undo_bands = _chained(bands, 0, 1)
    merged, undo_facing = _facing(merged, 1)

    def undo_all(v: Array) -> Array:
        parts = undo_bands(undo_facing(v))
        return interleave(tuple(undo(part) for undo, part in zip(undos, parts, strict=True)), 0)

    return merged, undo_all


def _finish_band(boxes: list[Box], *, top: bool) -> tuple[Box, Expand]:
    """Boxes side by side become one, open on the right and, at the top of the array, on the upper side."""
    opened, undos = [], []
    for n, box in enumerate(boxes):
        steps = []
        for side in ([RIGHT] if n == len(boxes) - 1 else []) + ([TOP] if top else []):
            box, undo = _open(box, side, 0 if top and side == RIGHT else 1)
            steps.append(undo)
        opened.append(box)
        undos.append(steps)
    merged, undo_chain = _chained(opened, 1, 0)

    def undo_all(v: Array) -> Array:
        parts = undo_chain(v)
        for n, steps in enumerate(undos):
            for undo in reversed(steps):
                parts[n] = undo(parts[n])
        return interleave(tuple(parts), 1)

    return merged, undo_all
