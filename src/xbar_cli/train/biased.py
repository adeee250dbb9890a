"""Biased training: after each epoch the important columns move to weights whose top slice errs least (biased, III-B)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from xbar_cli.mapping.bitslice import SliceFormat
from xbar_cli.mapping.states import column_importance, is_favourable, nearest_favourable, select_columns, weight_mask

State = Any
Importance = Callable[[State, Iterable[tuple[Array, Array]]], dict[str, Array]]


@dataclass(frozen=True)
class Restriction:
    """Which weights move where.

    Attributes:
        fmt: how weights are cut into slices.
        favourable: states that the devices of the slice may be in.
        slice_index: the slice, −1 for the most significant.
        important: share m of the columns of each layer.
        tile_rows: rows of a crossbar.
        absolute: whether importance adds |SI_w|.
    """

    fmt: SliceFormat
    favourable: tuple[int, ...]
    slice_index: int
    important: float
    tile_rows: int
    absolute: bool

    def __call__(self, kernel: Float[Array, "*window out"], si: Float[Array, "*window out"]) -> Array:
        """The kernel with its important columns restricted."""
        w, s = (value.reshape(-1, value.shape[-1]) for value in (kernel, si))
        hi = column_importance(s, tile_rows=self.tile_rows, absolute=self.absolute)
        columns = select_columns(hi, percent=100 * self.important)
        chosen = weight_mask(columns, rows=w.shape[0], tile_rows=self.tile_rows)
        moved = nearest_favourable(
            w, self.fmt, favourable=self.favourable, slice_index=self.slice_index, restrict=chosen
        )
        return moved.reshape(kernel.shape)

    def favourable_fraction(self, kernel: Array) -> float:
        """Share of the weights whose slice is favourable."""
        good = is_favourable(kernel, self.fmt, favourable=self.favourable, slice_index=self.slice_index)
        return float(good.astype(jnp.float32).mean())


def make_importance(graphdef: Any, layers: list[str]) -> Importance:
    """The function `(network state, batches) -> SI_w by layer`, `SI_w = ∂Q/∂w`, `Q = Σ_batch Σ_classes P·L`.

    P are the scores before the softmax, L the one-hot labels.

    References:
        Diware et al. (biased), eq. (1).
    """

    @jax.jit
    def gradient(state: State, images: Array, labels: Array) -> dict[str, Array]:
        def q(net: nnx.Module) -> Array:
            scores = net(images)  # type: ignore[operator]
            return jnp.take_along_axis(scores, labels[:, None], axis=1).sum()

        found = nnx.grad(q)(nnx.merge(graphdef, state))
        return {name: found[name]["kernel"][...] for name in layers}

    def importance(state: State, batches: Iterable[tuple[Array, Array]]) -> dict[str, Array]:
        total: dict[str, Array] = {}
        for images, labels in batches:
            part = gradient(state, images, labels)
            total = {name: part[name] + total[name] if total else part[name] for name in layers}
        return total

    return importance


def restrict_columns(net: nnx.Module, si: Mapping[str, Array], rule: Restriction) -> dict[str, float]:
    """Restrict every layer in place; the share of its weights that were favourable before, by layer."""
    before: dict[str, float] = {}
    for name, importance in si.items():
        kernel = getattr(net, name).kernel
        before[name] = rule.favourable_fraction(kernel[...])
        kernel[...] = rule(kernel[...], importance)
    return before
