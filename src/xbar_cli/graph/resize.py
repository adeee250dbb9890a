"""Images of another size: each axis alone, by weights of a few neighbours that are known while tracing."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from .node import GraphNode
from .values import axes_of, integers, static, traced


def resize(node: GraphNode, x: Any, roi: Any = None, scales: Any = None, sizes: Any = None) -> Any:
    """An image in another size, by the nearest element, linearly or by cubics."""
    if node.opset < 11:
        roi, scales, sizes = None, roi, None
    x = traced(x)
    chosen = node.get("axes")
    axes = list(range(x.ndim)) if chosen is None else axes_of(node, chosen, x.ndim)
    if scales is not None and scales.size:
        factors = [float(one) for one in static(node, scales, "scales").reshape(-1)]
        out = [math.floor(x.shape[axis] * factor) for axis, factor in zip(axes, factors, strict=True)]
    else:
        out = integers(node, sizes, "sizes")
        factors, out = kept_ratio(node, [x.shape[axis] for axis in axes], out)
    legacy = node.opset < 11
    how = "asymmetric" if legacy else node.get("coordinate_transformation_mode", "half_pixel")
    node.ignore("keep_aspect_ratio_policy", "extrapolation_value")
    areas = [0.0] * len(axes) + [1.0] * len(axes)
    if how == "tf_crop_and_resize":
        areas = static(node, roi, "roi").reshape(-1).tolist()
    outside = []
    for n, axis in enumerate(axes):
        if out[n] != x.shape[axis] or factors[n] != 1 or how == "tf_crop_and_resize":
            places = coordinates(node, how, x.shape[axis], out[n], factors[n], (areas[n], areas[n + len(axes)]))
            outside.append((axis, (places < 0) | (places > x.shape[axis] - 1)))
            x = along_axis(x, axis, *taps(node, places, x.shape[axis], factors[n]))
    if how == "tf_crop_and_resize":
        for axis, gone in outside:
            gone = gone.reshape([-1 if a == axis else 1 for a in range(x.ndim)])
            x = jnp.where(gone, jnp.asarray(node.get("extrapolation_value", 0.0), x.dtype), x)
    return x


def upsample(node: GraphNode, x: Any, scales: Any = None) -> Any:
    """`Resize` of opset 9 and before."""
    return resize(node, x, np.asarray(node.get("scales")) if scales is None else scales)


def kept_ratio(node: GraphNode, sizes: list[int], wanted: list[int]) -> tuple[list[float], list[int]]:
    """Factors and sizes, with one factor for all axes where the ratio of the image is to be kept."""
    factors = [out / n for out, n in zip(wanted, sizes, strict=True)]
    policy = node.get("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return factors, wanted
    factor = min(factors) if policy == "not_larger" else max(factors)
    return [factor] * len(sizes), [math.floor(factor * n + 0.5) for n in sizes]


def coordinates(node: GraphNode, how: str, n: int, out: int, factor: float, area: tuple[float, float]) -> np.ndarray:
    """Where each element of the output lies on the input's axis [out]."""
    y = np.arange(out, dtype=np.float64)
    exact = factor * n
    match how:
        case "half_pixel":
            return (y + 0.5) / factor - 0.5
        case "pytorch_half_pixel":
            return (y + 0.5) / factor - 0.5 if exact != 1 else np.full(out, -0.5)
        case "half_pixel_symmetric":
            return n / 2 * (1 - out / exact) + (y + 0.5) / factor - 0.5
        case "align_corners":
            return y * (n - 1) / (exact - 1) if exact != 1 else np.zeros(out)
        case "asymmetric":
            return y / factor
        case "tf_crop_and_resize":
            low, high = area
            if exact == 1:
                return np.full(out, (low + high) * (n - 1) / 2)
            return low * (n - 1) + y * (high - low) * (n - 1) / (exact - 1)
    raise node.refusal(f"coordinate_transformation_mode = {how} is not supported")


def taps(node: GraphNode, places: np.ndarray, n: int, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """The neighbours of each place and their weights, both [out, taps]."""
    mode = node.get("mode", "nearest")
    outside, smooth = bool(node.get("exclude_outside", 0)), bool(node.get("antialias", 0))
    cubic, rounding = node.get("cubic_coeff_a", -0.75), node.get("nearest_mode", "round_prefer_floor")
    if mode == "nearest":
        if node.opset < 11:
            rounding = "floor"
        return nearest(node, places, rounding)[:, None].clip(0, n - 1), np.ones((len(places), 1))
    if mode not in ("linear", "cubic"):
        raise node.refusal(f"mode = {mode} is not supported (nearest, linear, cubic)")
    width = 1 if mode == "linear" else 2
    narrow = min(factor, 1.0) if smooth else 1.0
    reach = math.ceil(width / narrow)
    near = np.floor(places)[:, None] + np.arange(1 - reach, reach + 1)
    away = np.abs(near - places[:, None]) * narrow
    weights = np.maximum(1 - away, 0) if mode == "linear" else cubics(away, cubic)
    if outside:
        weights = np.where((near < 0) | (near > n - 1), 0, weights)
    if outside or smooth:
        total = weights.sum(axis=1, keepdims=True)
        weights = weights / np.where(total == 0, 1, total)
    return near.clip(0, n - 1).astype(int), weights


def nearest(node: GraphNode, places: np.ndarray, rounding: str) -> np.ndarray:
    """The element that each place is rounded to."""
    match rounding:
        case "round_prefer_floor":
            return np.ceil(places - 0.5).astype(int)
        case "round_prefer_ceil":
            return np.floor(places + 0.5).astype(int)
        case "floor":
            return np.floor(places).astype(int)
        case "ceil":
            return np.ceil(places).astype(int)
    raise node.refusal(f"nearest_mode = {rounding} is not supported")


def cubics(away: np.ndarray, a: float) -> np.ndarray:
    """Weights of elements at a distance.

    References:
        Keys (1981), IEEE TASSP 29(6), equation 15 with a general `a`.
    """
    close = ((a + 2) * away - (a + 3)) * away**2 + 1
    far = ((a * away - 5 * a) * away + 8 * a) * away - 4 * a
    return np.where(away <= 1, close, np.where(away < 2, far, 0))


def along_axis(x: Any, axis: int, near: np.ndarray, weights: np.ndarray) -> Any:
    """Sums of neighbours along an axis: [… n …] to [… out …]."""
    total = None
    for tap in range(near.shape[1]):
        part = jnp.take(x, traced(near[:, tap]), axis=axis, mode="clip")
        if near.shape[1] > 1:
            weight = weights[:, tap].reshape([-1 if a == axis else 1 for a in range(x.ndim)])
            part = part * jnp.asarray(weight, x.dtype)
        total = part if total is None else total + part
    return total


def grid_sample(node: GraphNode, x: Any, grid: Any) -> Any:
    """Values of `x` [N, C, H, W] at places of `grid` [N, H', W', 2] (x, y from −1 to 1)."""
    mode, padding, corners = node.get("mode", "linear"), node.get("padding_mode", "zeros"), node.get("align_corners", 0)
    x, grid = traced(x), traced(grid)
    if x.ndim != 4 or mode not in ("linear", "bilinear", "nearest") or padding not in ("zeros", "border"):
        raise node.refusal("only images with mode linear or nearest and padding_mode zeros or border are supported")
    size = np.asarray(x.shape[:1:-1], grid.dtype).reshape(1, 1, 1, 2)
    places = (grid + 1) / 2 * (size - 1) if corners else ((grid + 1) * size - 1) / 2
    places = jnp.clip(places, 0, size - 1) if padding == "border" else places
    if mode == "nearest":
        return picked(x, jnp.round(places))
    low = jnp.floor(places)
    share = places - low
    out = jnp.zeros((), x.dtype)
    for step in np.ndindex(2, 2):
        offset = np.asarray(step).reshape(1, 1, 1, 2)
        weight = jnp.prod(jnp.where(offset.astype(bool), share, 1 - share), axis=-1)
        out = out + picked(x, low + offset.astype(grid.dtype)) * weight[:, None].astype(x.dtype)
    return out


def picked(x: Any, places: Any) -> Any:
    """Elements of `x` [N, C, H, W] at whole places [N, H', W', 2] (x, y), 0 outside."""
    column, row = places[..., 0].astype(jnp.int32), places[..., 1].astype(jnp.int32)
    inside = (column >= 0) & (column < x.shape[3]) & (row >= 0) & (row < x.shape[2])
    sample = jnp.arange(x.shape[0])[:, None, None]
    found = x[sample, :, jnp.clip(row, 0, x.shape[2] - 1), jnp.clip(column, 0, x.shape[3] - 1)]
    return jnp.where(inside[:, None], jnp.moveaxis(found, -1, 1), jnp.zeros((), x.dtype))
