"""Products of matrices: weights reach them as they are, or with axes in another order."""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from .node import GraphNode
from .values import is_static, space, traced


def matmul(node: GraphNode, a: Any, b: Any) -> Any:
    """Products of matrices, with leading axes that broadcast. A matrix of weights is not repeated for them."""
    if is_static(a, b):
        return np.matmul(a, b)
    a, b = traced(a), traced(b)
    if b.ndim <= 2:
        return lax.dot_general(a, b, (((a.ndim - 1,), (0,)), ((), ())))
    if a.ndim == 1:
        return jnp.moveaxis(lax.dot_general(b, a, (((b.ndim - 2,), (0,)), ((), ()))), 0, 0)
    if a.ndim == 2:
        return jnp.moveaxis(lax.dot_general(a, b, (((1,), (b.ndim - 2,)), ((), ()))), 0, -2)
    return jnp.matmul(*batched(a, b))


def batched(a: Any, b: Any) -> tuple[Any, Any]:
    """Two stacks of matrices with as many leading axes."""
    rank = max(a.ndim, b.ndim)
    return a.reshape((1,) * (rank - a.ndim) + a.shape), b.reshape((1,) * (rank - b.ndim) + b.shape)


def gemm(node: GraphNode, a: Any, b: Any, c: Any = None) -> Any:
    """`alpha A B + beta C`, either transposed."""
    a, b = traced(a), traced(b)
    if node.opset < 7:
        node.ignore("broadcast")
    rows, columns = (0 if node.get("transA", 0) else 1), (1 if node.get("transB", 0) else 0)
    out = lax.dot_general(a, b, (((rows,), (columns,)), ((), ())))
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    out = out if alpha == 1 else (alpha * out).astype(out.dtype)
    if c is None:
        return out
    c = traced(c).reshape((1,) * (2 - c.ndim) + c.shape)
    return out + (c if beta == 1 else (beta * c).astype(out.dtype))


def einsum(node: GraphNode, *values: Any) -> Any:
    """Sums of products by Einstein's convention."""
    equation = node.get("equation").replace(" ", "")
    return jnp.einsum(equation, *(traced(value) for value in values))


def determinant(node: GraphNode, x: Any) -> Any:
    """The determinant of square matrices."""
    return jnp.linalg.det(traced(x))


def attention_heads(node: GraphNode, x: Any, heads: str) -> tuple[Any, bool]:
    """A value [N, heads, T, D], made of [N, T, heads D] where it has three axes, and whether it had."""
    if x.ndim == 4:
        return x, False
    n = node.get(heads)
    return x.reshape(x.shape[0], x.shape[1], n, x.shape[2] // n).transpose(0, 2, 1, 3), True


def attention(
    node: GraphNode,
    q: Any,
    k: Any,
    v: Any,
    mask: Any = None,
    past_k: Any = None,
    past_v: Any = None,
    length: Any = None,
) -> tuple[Any, ...]:
    """softmax(Q Kᵀ scale + mask) V of heads; where there are fewer heads of keys, several of queries share one.

    References:
        ONNX operator set 25, `Attention`.
    """
    node.ignore("softmax_precision", "q_num_heads", "kv_num_heads")
    q, flat = attention_heads(node, traced(q), "q_num_heads")
    k, v = (attention_heads(node, traced(one), "kv_num_heads")[0] for one in (k, v))
    if past_k is not None:
        k, v = jnp.concatenate([traced(past_k), k], axis=2), jnp.concatenate([traced(past_v), v], axis=2)
    shared = q.shape[1] // k.shape[1]
    keys, values = (jnp.repeat(one, shared, axis=1) if shared > 1 else one for one in (k, v))
    scale = math.sqrt(node.get("scale", 1 / math.sqrt(q.shape[-1])))
    scores = jnp.einsum("nhtd,nhsd->nhts", q * jnp.asarray(scale, q.dtype), keys * jnp.asarray(scale, k.dtype))
    capped = bounded_scores(node, scores)
    masked = masked_scores(node, capped, mask, length, past=0 if past_k is None else past_k.shape[2])
    shares = softmax_rows(masked)
    out = jnp.einsum("nhts,nhsd->nhtd", shares.astype(values.dtype), values)
    if flat:
        out = out.transpose(0, 2, 1, 3).reshape(out.shape[0], out.shape[2], -1)
    return out, k, v, (scores, capped, masked, shares)[node.get("qk_matmul_output_mode", 0)]


def bounded_scores(node: GraphNode, scores: Any) -> Any:
    """Scores bounded smoothly: `cap tanh(scores / cap)`."""
    cap = node.get("softcap", 0.0)
    return cap * jnp.tanh(scores / cap) if cap else scores


def softmax_rows(scores: Any) -> Any:
    """Shares of each row; 0 where all of it is masked."""
    top = jnp.max(scores, axis=-1, keepdims=True)
    powers = jnp.exp(scores - jnp.where(jnp.isfinite(top), top, jnp.zeros((), top.dtype)))
    total = powers.sum(axis=-1, keepdims=True)
    return powers / jnp.where(total == 0, jnp.ones((), total.dtype), total)


def masked_scores(node: GraphNode, scores: Any, mask: Any, length: Any, *, past: int) -> Any:
    """Scores [N, heads, T, S] with what may not be looked at at −∞."""
    columns = scores.shape[-1]
    low = jnp.asarray(-np.inf, scores.dtype)
    if mask is not None:
        mask = traced(mask).reshape((1,) * (4 - mask.ndim) + mask.shape)
        if mask.shape[-1] < columns:
            filling = False if mask.dtype == bool else -np.inf
            mask = jnp.pad(mask, [(0, 0)] * 3 + [(0, columns - mask.shape[-1])], constant_values=filling)
        scores = jnp.where(mask, scores, low) if mask.dtype == bool else scores + mask.astype(scores.dtype)
    scores = jnp.where(in_reach(node, scores.shape, length, past=past), scores, low)
    if length is not None:
        inside = np.arange(columns)[None, None, None, :] < traced(length)[:, None, None, None]
        scores = jnp.where(inside, scores, low)
    return scores


def in_reach(node: GraphNode, shape: Sequence[int], length: Any, *, past: int) -> Any:
    """Whether a query may look at a key by how far apart their places are [N or 1, 1, T, S]."""
    rows, columns = shape[-2:]
    start = np.full((1, 1, 1, 1), past) if length is None else traced(length)[:, None, None, None] - rows
    ahead = np.arange(columns).reshape(1, 1, 1, -1) - np.arange(rows).reshape(1, 1, -1, 1) - start
    left, right = node.get("left_window_size", -1), node.get("right_window_size", -1)
    right = 0 if node.get("is_causal", 0) else right
    allowed = ahead <= (right if right >= 0 else 2 * columns + rows)
    return allowed & (ahead >= -left) if left >= 0 else allowed


def rotary_embedding(node: GraphNode, x: Any, cos: Any, sin: Any, places: Any = None) -> Any:
    """Pairs of a head's channels turned by angles that grow with the place.

    References:
        Su et al. (2021), arXiv 2104.09864; ONNX operator set 23, `RotaryEmbedding`.
    """
    x, cos, sin = traced(x), traced(cos), traced(sin)
    shape = x.shape
    heads = node.get("num_heads", 0)
    if x.ndim == 3:
        x = x.reshape(*shape[:2], heads, shape[2] // heads)
    else:
        x = x.transpose(0, 2, 1, 3)
    turned = node.get("rotary_embedding_dim", 0) or x.shape[-1]
    if places is not None:
        cos, sin = (jnp.take(one, traced(places), axis=0, mode="clip") for one in (cos, sin))
    cos, sin = (one[..., : turned // 2][:, :, None, :] for one in (cos, sin))
    part, rest = x[..., :turned], x[..., turned:]
    if node.get("interleaved", 0):
        a, b = part[..., 0::2], part[..., 1::2]
    else:
        a, b = part[..., : turned // 2], part[..., turned // 2 :]
    real, imaginary = a * cos - b * sin, a * sin + b * cos
    if node.get("interleaved", 0):
        part = jnp.stack([real, imaginary], axis=-1).reshape(part.shape)
    else:
        part = jnp.concatenate([real, imaginary], axis=-1)
    out = jnp.concatenate([part, rest], axis=-1)
    return out.reshape(shape) if len(shape) == 3 else space(out).transpose(out, (0, 2, 1, 3))
