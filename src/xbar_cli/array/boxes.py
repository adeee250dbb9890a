"""Admittance matrices of boxes with ports: joining two at a seam, sorting ports, dealing out a grid of boxes.

Each of the three has its pullback written out: automatic differentiation would turn every slice into a padded copy of
the whole, several times the work of the forward pass.
"""

import jax
import jax.numpy as jnp
import numpy as np

from xbar_cli.array.inverse import inverse
from xbar_cli.types import Array


def _join(a: Array, b: Array, n: int, order: tuple[slice, ...]) -> tuple[Array, Array]:
    """Make the last `n` ports of `a` and the first `n` of `b` one and eliminate them: `S = P − Cᵀ X`, `X = K⁻¹ C`.

    Args:
        a: admittance matrices [S].
        b: admittance matrices [S].
        n: how many ports they share.
        order: the outer ports, those of `a` and then those of `b`, in the parts and the order in which they come back;
            no part is of both.

    Returns:
        The admittance matrices of the outer ports [S] (their diagonal is not to be used), and X: the joined nodes stand
        at the voltages `−X v` when the outer ports stand at `v`.
    """
    return _join_push(a, b, n, order)[0]


def _join_push(
    a: Array, b: Array, n: int, order: tuple[slice, ...]
) -> tuple[tuple[Array, Array], tuple[Array, Array, int]]:
    split = a.shape[-1] - n

    def outer(y: Array, part: slice) -> slice:
        return part if y is a else slice(part.start - split + n, part.stop - split + n)

    owned = [(a if part.start < split else b, part) for part in order]
    seam = a[..., split:, split:] + b[..., :n, :n]
    joined = {True: slice(split, None), False: slice(n)}  # the ports at the seam, of `a` or not
    across = jnp.concatenate([y[..., joined[y is a], outer(y, part)] for y, part in owned], -1)
    back = jnp.concatenate([y[..., outer(y, part), joined[y is a]] for y, part in owned], -2)
    seam, across, back = jax.lax.optimization_barrier((seam, across, back))
    inverted = inverse(_balanced(seam, across))
    x = inverted @ across

    def block(y: Array, row: slice, other: Array, column: slice) -> Array:
        if y is other:
            return y[..., outer(y, row), outer(y, column)]
        return jnp.zeros((*y.shape[:-2], row.stop - row.start, column.stop - column.start), y.dtype)

    p = jnp.concatenate([jnp.concatenate([block(*one, *other) for other in owned], -1) for one in owned], -2)
    return (p - back @ x, x), (x, inverted, a.shape[-1])


def _join_pull(
    n: int, order: tuple[slice, ...], saved: tuple[Array, Array, int], cotangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    """With E = [1; −X] from the outer to all ports, the cotangent of both boxes' matrices is `E S̄ Eᵀ` (S̄ symmetric)."""
    (x, inverted, a_ports), (s_bar, x_bar) = saved, cotangents
    s_bar = 0.5 * (s_bar + jnp.swapaxes(s_bar, -1, -2))
    from_x = 0.5 * (inverted @ x_bar)
    across = from_x - x @ s_bar
    seam = -(across + from_x) @ jnp.swapaxes(x, -1, -2)
    seam = 0.5 * (seam + jnp.swapaxes(seam, -1, -2))
    s_bar, across = _sort(s_bar, unsorted(order)), take(across, unsorted(order), -1)
    back = jnp.swapaxes(across, -1, -2)
    s_bar, across, back, seam = jax.lax.optimization_barrier((s_bar, across, back, seam))
    split = a_ports - n

    def bordered(rows: list[list[Array]]) -> Array:
        return jnp.concatenate([jnp.concatenate(row, -1) for row in rows], -2)

    return (
        bordered([[s_bar[..., :split, :split], back[..., :split, :]], [across[..., :split], seam]]),
        bordered([[seam, across[..., split:]], [back[..., split:, :], s_bar[..., split:, split:]]]),
    )


join = jax.custom_vjp(_join, nondiff_argnums=(2, 3))
join.defvjp(_join_push, _join_pull)


def _balanced(seam: Array, across: Array) -> Array:
    """`seam` with the diagonal that makes the rows of `[seam across]` add up to zero."""
    outward = jnp.sum(across, -1, keepdims=True)
    if seam.shape[-1] == 1:
        return -outward
    diagonal = jnp.broadcast_to(jnp.eye(seam.shape[-1], dtype=bool), seam.shape)
    beside = jnp.where(diagonal, 0, seam)
    return jnp.where(diagonal, -(outward + jnp.sum(beside, -1, keepdims=True)), beside)


def take(y: Array, parts: tuple[slice, ...], axis: int) -> Array:
    """The given parts along the last axis or the last but one, one after the other."""
    return jnp.concatenate([y[..., part] if axis == -1 else y[..., part, :] for part in parts], axis)


def _sort(y: Array, parts: tuple[slice, ...]) -> Array:
    """The given parts of the rows and of the columns, one after the other; together they are all of them."""
    return take(take(y, parts, -2), parts, -1)


def unsorted(parts: tuple[slice, ...]) -> tuple[slice, ...]:
    """The parts that undo `_sort`."""
    starts = np.cumsum([0, *(part.stop - part.start for part in parts)]).tolist()
    return tuple(slice(starts[n], starts[n + 1]) for n in np.argsort([part.start for part in parts]))


sort_ports = jax.custom_vjp(_sort, nondiff_argnums=(1,))
sort_ports.defvjp(
    lambda y, parts: (_sort(y, parts), None),
    lambda parts, _, cotangent: (_sort(cotangent, unsorted(parts)),),
)


def _every(y: Array, axis: int, n: int) -> tuple[Array, ...]:
    """Every n-th box along an axis of the grid, `n` groups."""
    return tuple(y[:, i::n] if axis else y[i::n] for i in range(n))


def interleave(ys: tuple[Array, ...], axis: int) -> Array:
    """The inverse of `_every`."""
    shape = list(ys[0].shape)
    shape[axis] *= len(ys)
    return jnp.stack(ys, axis + 1).reshape(shape)


deal = jax.custom_vjp(_every, nondiff_argnums=(1, 2))
deal.defvjp(
    lambda y, axis, n: (_every(y, axis, n), None),
    lambda axis, n, _, cotangents: (interleave(cotangents, axis),),
)
