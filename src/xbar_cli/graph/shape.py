"""Operators that arrange elements: sizes, axes, pieces and copies. Static values stay static."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from .node import GraphNode
from .values import alike, axes_of, axis_of, element_type, integers, is_static, space, static, traced


def shape(node: GraphNode, x: Any) -> np.ndarray:
    """Its sizes, or those between two axes."""
    start, end = node.get("start", 0), node.get("end")
    return np.asarray(x.shape[start:end], np.int64)


def size(node: GraphNode, x: Any) -> np.ndarray:
    """How many elements it has."""
    return np.asarray(math.prod(x.shape), np.int64)


def reshape(node: GraphNode, x: Any, sizes: Any = None) -> Any:
    """Other sizes; 0 is the size that was there, −1 what is left."""
    keep_zeros = node.get("allowzero", 0)
    wanted = integers(node, node.get("shape") if sizes is None else sizes, "shape")
    if not keep_zeros:
        wanted = [x.shape[axis] if one == 0 and axis < x.ndim else one for axis, one in enumerate(wanted)]
    return x.reshape(wanted)


def flatten(node: GraphNode, x: Any) -> Any:
    """Two axes: those before `axis` and the others."""
    axis = node.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), -1 if x.size else math.prod(x.shape[axis:]))


def transpose(node: GraphNode, x: Any) -> Any:
    """Axes in another order, turned around where none is given."""
    return space(x).transpose(x, node.get("perm"))


def given_axes(node: GraphNode, axes: Any) -> list[int] | None:
    """Axes of an input, or of the attribute of earlier opsets; None where neither is there."""
    if axes is not None:
        return integers(node, axes, "axes")
    found = node.get("axes")
    return None if found is None else list(found)


def squeeze(node: GraphNode, x: Any, axes: Any = None) -> Any:
    """Without axes of one element."""
    chosen = given_axes(node, axes)
    ones = [axis for axis, n in enumerate(x.shape) if n == 1] if chosen is None else axes_of(node, chosen, x.ndim)
    if any(x.shape[axis] != 1 for axis in ones):
        raise node.refusal(f"the axes {ones} of a value of shape {x.shape} are not all of one element")
    return x.reshape([n for axis, n in enumerate(x.shape) if axis not in ones])


def unsqueeze(node: GraphNode, x: Any, axes: Any = None) -> Any:
    """With axes of one element added."""
    chosen = given_axes(node, axes) or []
    places = axes_of(node, chosen, x.ndim + len(chosen))
    sizes = iter(x.shape)
    return x.reshape([1 if axis in places else next(sizes) for axis in range(x.ndim + len(places))])


def concat(node: GraphNode, *values: Any) -> Any:
    """One after the other along an axis."""
    values = alike(*values)
    return space(*values).concatenate(values, axis=axis_of(node, node.get("axis", 1), values[0].ndim))


def split(node: GraphNode, x: Any, sizes: Any = None) -> tuple[Any, ...]:
    """Pieces along an axis: of given sizes, or of equal ones (the last smaller where that does not divide)."""
    axis = axis_of(node, node.get("axis", 0), x.ndim)
    node.ignore("num_outputs")
    given = node.get("split") if sizes is None else integers(node, sizes, "sizes")
    if given is None:
        each = -(-x.shape[axis] // len(node.outputs))
        given = [max(0, min(each, x.shape[axis] - n * each)) for n in range(len(node.outputs))]
    if sum(given) != x.shape[axis]:
        raise node.refusal(f"pieces of {list(given)} do not make up the {x.shape[axis]} of axis {axis}")
    ends = np.cumsum(given)
    return tuple(piece(x, axis, end - n, end) for n, end in zip(given, ends.tolist(), strict=True))


def piece(x: Any, axis: int, start: int, end: int, step: int = 1) -> Any:
    """A range of one axis."""
    return x[(slice(None),) * axis + (slice(start, end, step),)]


def cut(node: GraphNode, x: Any, *ranges: Any) -> Any:
    """A part: `starts`, `ends`, `axes`, `steps`, which are attributes before opset 10."""
    if node.opset < 10:
        given: list[Any] = [node.get("starts"), node.get("ends"), node.get("axes")]
    else:
        given = [None if one is None else integers(node, one, "range") for one in ranges]
    starts, ends, axes, steps = given + [None] * (4 - len(given))
    axes = axes_of(node, range(len(starts)) if axes is None else axes, x.ndim)
    chosen = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps or [1] * len(starts), strict=True):
        chosen[axis] = bounded(start, end, step, x.shape[axis])
    return x[tuple(chosen)]


def bounded(start: int, end: int, step: int, n: int) -> slice:
    """The range as Python says it: bounds far outside cut to the axis, `end` before its first element as None."""
    start = max(start, -n) + n if start < 0 else start
    end = end + n if end < 0 else end
    if step > 0:
        return slice(min(start, n), max(min(end, n), 0), step)
    return slice(min(start, n - 1), None if end < 0 else min(end, n - 1), step)


def expand(node: GraphNode, x: Any, sizes: Any) -> Any:
    """Repeated along axes of one element, without a copy of it where it can be."""
    wanted = np.broadcast_shapes(x.shape, tuple(integers(node, sizes, "shape")))
    if is_static(x):
        return np.broadcast_to(x, wanted)
    return jnp.broadcast_to(x.reshape((1,) * (len(wanted) - x.ndim) + x.shape), wanted)


def tile(node: GraphNode, x: Any, repeats: Any) -> Any:
    """Copies along each axis."""
    return space(x).tile(x, integers(node, repeats, "repeats"))


def constant_of_shape(node: GraphNode, sizes: Any) -> np.ndarray:
    """One number everywhere."""
    value = node.get("value", np.zeros(1, np.float32))
    return np.broadcast_to(value.reshape(()), integers(node, sizes, "shape"))


def constant(node: GraphNode) -> np.ndarray:
    """A tensor, a number or a list of numbers of the attributes."""
    for name, dtype in (("value_int", np.int64), ("value_ints", np.int64)):
        if node.get(name) is not None:
            return np.asarray(node.get(name), dtype)
    for name in ("value_float", "value_floats"):
        if node.get(name) is not None:
            return np.asarray(node.get(name), np.float32)
    value = node.get("value")
    if value is None:
        raise node.refusal("only tensors and numbers are supported as constants")
    return value


def numbers(node: GraphNode, start: Any, limit: Any, delta: Any) -> np.ndarray:
    """Numbers from start to limit in steps of delta."""
    first, last, step = (static(node, one, "range").reshape(()) for one in (start, limit, delta))
    count = max(math.ceil((float(last) - float(first)) / float(step)), 0)
    return (first + np.arange(count).astype(first.dtype) * step).astype(first.dtype)


def pad(node: GraphNode, x: Any, pads: Any = None, value: Any = None, axes: Any = None) -> Any:
    """Elements added or taken away at both ends of axes."""
    mode = node.get("mode", "constant")
    if node.opset < 11:
        pads, value = np.asarray(node.get("pads")), node.get("value", 0.0)
    amounts = integers(node, pads, "pads")
    chosen = list(range(x.ndim)) if axes is None else axes_of(node, integers(node, axes, "axes"), x.ndim)
    wide = [(0, 0)] * x.ndim
    for n, axis in enumerate(chosen):
        before, after = amounts[n], amounts[n + len(chosen)]
        x = piece(x, axis, max(-before, 0), x.shape[axis] - max(-after, 0))
        wide[axis] = (max(before, 0), max(after, 0))
    xp = space(x)
    if mode == "constant":
        filling = np.zeros((), x.dtype) if value is None else value
        filling = filling.reshape(()) if hasattr(filling, "reshape") else np.asarray(filling, x.dtype)
        x, filling = alike(x, filling)
        return xp.pad(x, wide, constant_values=filling) if xp is space(x) else jnp.pad(x, wide, constant_values=filling)
    if mode not in ("reflect", "edge", "wrap"):
        raise node.refusal(f"mode = {mode} is not supported (constant, reflect, edge, wrap)")
    return xp.pad(x, wide, mode=mode)


def depth_to_space(node: GraphNode, x: Any) -> Any:
    """Channels [N, C b², H, W] to blocks [N, C, H b, W b]."""
    n, c, h, w = x.shape
    b = node.get("blocksize")
    if node.get("mode", "DCR") == "DCR":
        return x.reshape(n, b, b, c // b**2, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, c // b**2, h * b, w * b)
    return x.reshape(n, c // b**2, b, b, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, c // b**2, h * b, w * b)


def space_to_depth(node: GraphNode, x: Any) -> Any:
    """Blocks [N, C, H b, W b] to channels [N, C b², H, W]."""
    n, c, h, w = x.shape
    b = node.get("blocksize")
    if node.get("mode", "DCR") != "DCR":
        raise node.refusal("mode is not supported (DCR)")
    return x.reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4).reshape(n, c * b**2, h // b, w // b)


def eye_like(node: GraphNode, x: Any) -> np.ndarray:
    """Ones on a diagonal, 0 elsewhere."""
    code = node.get("dtype")
    return np.eye(*x.shape, k=node.get("k", 0), dtype=x.dtype if code is None else element_type(node, code))


def triangle(node: GraphNode, x: Any, k: Any = None) -> Any:
    """The upper or lower triangle of matrices, 0 elsewhere."""
    function = "triu" if node.get("upper", 1) else "tril"
    return getattr(space(x), function)(x, 0 if k is None else integers(node, k, "diagonal")[0])


def center_crop_pad(node: GraphNode, x: Any, sizes: Any) -> Any:
    """Cut or filled with 0 on both sides to given sizes."""
    wanted = integers(node, sizes, "shape")
    axes = node.get("axes")
    for axis, n in zip(axes_of(node, range(x.ndim) if axes is None else axes, x.ndim), wanted, strict=True):
        gap = n - x.shape[axis]
        if gap < 0:
            start = -gap // 2
            x = piece(x, axis, start, start + n)
        else:
            wide = [(0, 0)] * x.ndim
            wide[axis] = (gap // 2, gap - gap // 2)
            x = space(x).pad(x, wide)
    return x


def reverse_sequence(node: GraphNode, x: Any, lengths: Any) -> Any:
    """The first elements of each sequence, as many as its length, turned around."""
    batch, time = node.get("batch_axis", 1), node.get("time_axis", 0)
    x, lengths = alike(x, lengths)
    xp = space(x)
    steps = xp.arange(x.shape[time])[:, None]
    many = lengths[None, :].astype(steps.dtype)
    places = xp.where(steps < many, many - 1 - steps, steps)
    moved = xp.moveaxis(x, (time, batch), (0, 1))
    turned = xp.take_along_axis(moved, places.reshape(places.shape + (1,) * (x.ndim - 2)), axis=0)
    return xp.moveaxis(turned, (0, 1), (time, batch))


def column_to_image(node: GraphNode, x: Any, image: Any, block: Any) -> Any:
    """Overlapping blocks [N, C n_block, L] added up in an image [N, C, *image]."""
    sizes, blocks = integers(node, image, "image shape"), integers(node, block, "block shape")
    rank = len(sizes)
    strides, dilations = node.get("strides", [1] * rank), node.get("dilations", [1] * rank)
    pads = node.get("pads", [0] * 2 * rank)
    counts = [
        (sizes[a] + pads[a] + pads[a + rank] - dilations[a] * (blocks[a] - 1) - 1) // strides[a] + 1
        for a in range(rank)
    ]
    channels = x.shape[1] // math.prod(blocks)
    parts = traced(x).reshape(x.shape[0], channels, math.prod(blocks), *counts)
    out = jnp.zeros((x.shape[0], channels, *(sizes[a] + pads[a] + pads[a + rank] for a in range(rank))), x.dtype)
    for number, offset in enumerate(np.ndindex(*blocks)):
        at = tuple(
            slice(offset[a] * dilations[a], offset[a] * dilations[a] + (counts[a] - 1) * strides[a] + 1, strides[a])
            for a in range(rank)
        )
        out = out.at[(slice(None), slice(None), *at)].add(parts[:, :, number])
    return out[(slice(None), slice(None), *(slice(pads[a], pads[a] + sizes[a]) for a in range(rank)))]
