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
    A. George, "Nested dissection of a regular finite element mesh", SIAM J. Numer. Anal. 10 (1973);
    W. Grassmann, M. Taksar, D. Heyman, Operations Research 33 (1985), for the diagonal.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from xbar_cli.array.inverse import inverse
from xbar_cli.types import Array

LEFT, RIGHT, TOP, BOTTOM = range(4)
Sides = tuple[int, int, int, int]
Expand = Callable[[Array], Array]


class Box(NamedTuple):
    """Boxes of one size. `y` [S]: `[grid rows, grid columns, ports, ports]`; `sides`: how many ports each side has."""

    y: Array
    sides: Sides


class Joint(NamedTuple):
    """Which ports of one or two boxes become one and vanish (`joined`, a side per box) and which stay, in order."""

    sides: tuple[Sides, ...]
    joined: tuple[int, ...]
    outer: tuple[tuple[int, int], ...]

    def ports(self, box: int, side: int) -> slice:
        """Where the ports of one side stand in the matrix of `box`."""
        start = sum(self.sides[box][:side])
        return slice(start, start + self.sides[box][side])

    def spans(self) -> list[slice]:
        """Where each of the `outer` sides stands in the merged matrix."""
        ends = np.cumsum([self.sides[box][side] for box, side in self.outer]).tolist()
        return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def join(ys: tuple[Array, ...], joint: Joint) -> tuple[Array, Array]:
    """Eliminate the joined ports: `S = P − Cᵀ X`, `X = K⁻¹ C`.

    Returns:
        The admittance matrix of the merged box [S] (its diagonal is not to be used) and X: the joined nodes stand at the
        voltages `−X v` when the outer ports stand at `v`.
    """
    return _join(ys, joint)[0]


def _join(ys: tuple[Array, ...], joint: Joint) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    p, c, ct, k = jax.lax.optimization_barrier(_parts(ys, joint))
    inverted = inverse(_balanced(k, c))
    x = inverted @ c
    return (p - ct @ x, x), (x, inverted)


def _join_pull(joint: Joint, saved: tuple[Array, Array], cotangents: tuple[Array, Array]) -> tuple[tuple[Array, ...]]:
    """With E = [1; −X] from outer to all ports, the cotangent of the boxes' matrix is `E S̄ Eᵀ` (S̄ symmetric)."""
    (x, inverted), (s_bar, x_bar) = saved, cotangents
    xt = jnp.swapaxes(x, -1, -2)
    s_bar = 0.5 * (s_bar + jnp.swapaxes(s_bar, -1, -2))
    from_x = inverted @ x_bar
    cross = 0.5 * from_x - x @ s_bar
    inner = -(cross + 0.5 * from_x) @ xt
    inner = 0.5 * (inner + jnp.swapaxes(inner, -1, -2))
    cross_t = jnp.swapaxes(cross, -1, -2)
    s_bar, cross, cross_t, inner = jax.lax.optimization_barrier((s_bar, cross, cross_t, inner))
    spans = dict(zip(joint.outer, joint.spans(), strict=True))

    def block(box: int, a: int, b: int) -> Array:
        one, other = spans.get((box, a)), spans.get((box, b))
        if one is None:
            return inner if other is None else cross[..., other]
        return cross_t[..., one, :] if other is None else s_bar[..., one, other]

    def pulled(box: int) -> Array:
        sides = [side for side in range(4) if side == joint.joined[box] or (box, side) in spans]
        return jnp.concatenate([jnp.concatenate([block(box, a, b) for b in sides], -1) for a in sides], -2)

    return (tuple(pulled(box) for box in range(len(joint.sides))),)


join.defvjp(_join, _join_pull)


def _parts(ys: tuple[Array, ...], joint: Joint) -> tuple[Array, Array, Array, Array]:
    """Both boxes' matrices side by side, sorted into outer (P), joined × outer (C and its transpose) and joined (K)."""

    def block(one: tuple[int, int], other: tuple[int, int]) -> Array:
        (box, side), (box_b, side_b) = one, other
        if box == box_b:
            return ys[box][..., joint.ports(box, side), joint.ports(box_b, side_b)]
        return jnp.zeros((*ys[0].shape[:-2], joint.sides[box][side], joint.sides[box_b][side_b]), ys[0].dtype)

    seams = list(enumerate(joint.joined))
    p = jnp.concatenate([jnp.concatenate([block(a, b) for b in joint.outer], -1) for a in joint.outer], -2)
    c = jnp.concatenate([block(seams[a[0]], a) for a in joint.outer], -1)
    ct = jnp.concatenate([block(a, seams[a[0]]) for a in joint.outer], -2)
    return p, c, ct, sum((block(seam, seam) for seam in seams[1:]), start=block(seams[0], seams[0]))


def _balanced(k: Array, c: Array) -> Array:
    """`k` with the diagonal that makes the rows of `[k c]` add up to zero."""
    outward = jnp.sum(c, -1, keepdims=True)
    if k.shape[-1] == 1:
        return -outward
    diagonal = jnp.broadcast_to(jnp.eye(k.shape[-1], dtype=bool), k.shape)
    beside = jnp.where(diagonal, 0, k)
    return jnp.where(diagonal, -(outward + jnp.sum(beside, -1, keepdims=True)), beside)


def _together(boxes: Sequence[Box], joined: tuple[int, ...], outer: Sequence[tuple[int, int]]) -> tuple[Box, Expand]:
    """The merged box, and the map from the voltages of its ports to those of the given boxes, one behind the other."""
    outer = tuple((box, side) for box, side in outer if boxes[box].sides[side] > 0)
    joint = Joint(tuple(box.sides for box in boxes), joined, outer)
    y, x = join(tuple(box.y for box in boxes), joint)
    sides = [0, 0, 0, 0]
    for box, side in outer:
        sides[side] += boxes[box].sides[side]
    spans = dict(zip(outer, joint.spans(), strict=True))

    def expand(v: Array) -> Array:
        seam = -jnp.einsum("...jo,...o->...j", x, v)
        known = [
            seam if side == joined[box] else v[..., spans[box, side]]
            for box in range(len(boxes))
            for side in range(4)
            if side == joined[box] or (box, side) in spans
        ]
        return jnp.concatenate(known, -1)

    return Box(y, (sides[LEFT], sides[RIGHT], sides[TOP], sides[BOTTOM])), expand


def _beside(left: Box, right: Box) -> tuple[Box, Expand]:
    outer = ((0, LEFT), (1, RIGHT), (0, TOP), (1, TOP), (0, BOTTOM), (1, BOTTOM))
    return _together((left, right), (RIGHT, LEFT), outer)


def _above(upper: Box, lower: Box) -> tuple[Box, Expand]:
    outer = ((0, LEFT), (1, LEFT), (0, RIGHT), (1, RIGHT), (0, TOP), (1, BOTTOM))
    return _together((upper, lower), (BOTTOM, TOP), outer)


def _open(box: Box, side: int) -> tuple[Box, Expand]:
    """Nothing is connected on `side`: its ports carry no current and vanish."""
    return _together((box,), (side,), [(0, other) for other in range(4) if other != side])


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _deal(y: Array, axis: int, n: int) -> tuple[Array, ...]:
    """Every n-th box along an axis of the grid, `n` groups."""
    return tuple(y[:, i::n] if axis else y[i::n] for i in range(n))


def _interleave(ys: Sequence[Array], axis: int) -> Array:
    """The inverse of `_deal`."""
    stacked = jnp.stack(ys, axis + 1)
    shape = list(ys[0].shape)
    shape[axis] *= len(ys)
    return stacked.reshape(shape)


_deal.defvjp(
    lambda y, axis, n: (_deal(y, axis, n), None),
    lambda axis, n, _, cotangents: (_interleave(cotangents, axis),),
)


def _merge(box: Box, axis: int, n: int) -> tuple[Box, Expand]:
    """Merge groups of `n` neighbours along an axis of the grid: 0 one above the other, 1 side by side."""
    first, *others = (Box(y, box.sides) for y in _deal(box.y, axis, n))
    merged, steps = first, []
    for other in others:
        width = merged.y.shape[-1]
        merged, expand = (_beside if axis else _above)(merged, other)
        steps.append((expand, width))

    def undo(v: Array) -> Array:
        parts = []
        for expand, width in reversed(steps):
            both = expand(v)
            parts.insert(0, both[..., width:])
            v = both[..., :width]
        return _interleave([v, *parts], axis)

    return merged, undo


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
    """One box per device.

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
    box, undos = Box(y, (1, 1, 1, 1)), []
    for axis, n in plan(rows, cols):
        box, undo = _merge(box, axis, n)
        undos.append(undo)
    box, undo = _finish(box)
    n_left = box.sides[LEFT]
    g_eff = -0.5 * (box.y[0, 0, :n_left, n_left:] + box.y[0, 0, n_left:, :n_left].T)

    def expand(v: Array) -> Array:
        volts = undo(jnp.concatenate([v, jnp.zeros(cols, v.dtype)])[None, None])
        for step in reversed(undos):
            volts = step(volts)
        return volts

    return g_eff, expand


def _finish(box: Box) -> tuple[Box, Expand]:
    """From at most 2 × 2 boxes to one with ports left and bottom only, opening the other sides first."""
    height, width = box.y.shape[:2]
    bands, undo_bands = [], []
    for i, band in enumerate(_deal(box.y, 0, height)):
        merged, undo = _finish_band([Box(y, box.sides) for y in _deal(band, 1, width)], top=i == 0)
        bands.append(merged)
        undo_bands.append(undo)
    if height == 1:
        return bands[0], undo_bands[0]
    merged, expand = _above(*bands)
    split = bands[0].y.shape[-1]

    def undo_all(v: Array) -> Array:
        both = expand(v)
        return _interleave([undo_bands[0](both[..., :split]), undo_bands[1](both[..., split:])], 0)

    return merged, undo_all


def _finish_band(boxes: list[Box], *, top: bool) -> tuple[Box, Expand]:
    """One or two boxes side by side, the last one's right side open and, at the top of the array, their top sides."""
    undos: list[list[Expand]] = [[] for _ in boxes]
    for n in range(len(boxes)):
        for side in ([RIGHT] if n == len(boxes) - 1 else []) + ([TOP] if top else []):
            boxes[n], undo = _open(boxes[n], side)
            undos[n].insert(0, undo)

    def through(n: int, v: Array) -> Array:
        for undo in undos[n]:
            v = undo(v)
        return v

    if len(boxes) == 1:
        return boxes[0], partial(through, 0)
    split = boxes[0].y.shape[-1]
    merged, expand = _beside(*boxes)

    def undo_both(v: Array) -> Array:
        both = expand(v)
        return _interleave([through(0, both[..., :split]), through(1, both[..., split:])], 1)

    return merged, undo_both
