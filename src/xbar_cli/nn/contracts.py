"""How a layer contracts its inputs with its kernel: dense or a convolution, and what the rows of its arrays see."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from xbar_cli.array.ideal import Contract
from xbar_cli.numerics import namespace
from xbar_cli.types import AnyArray

Ends = tuple[tuple[int, int], ...]
"""Zeros before and after each axis of the place."""
Padding = Literal["SAME", "VALID"] | Ends
"""A rule, or the zeros before and after every axis of the place (the rows and the columns of an image)."""
Every = int | tuple[int, ...]
"""One number for all axes of the place, or one for each."""


FEW = 8
"""Outputs up to which a convolution of one channel is computed in blocks: 6 of 5×5 take a third of the time, 16 no less."""


@dataclass(frozen=True)
class MatrixProduct:
    """Matrix product over the last axis.

    Attributes:
        groups: equal parts of the inputs, each multiplied by its own part of the outputs: the kernel is `[in / groups, out]`.
    """

    groups: int = 1

    def __call__(self, x: Float[Array, "*batch in"], kernel: Float[Array, "_in out"]) -> Float[Array, "*batch out"]:
        """The outputs."""
        if self.groups == 1:
            return x @ kernel
        x, kernel = (v.reshape(*v.shape[:-1], self.groups, -1) for v in (x, kernel))
        return jnp.einsum("...gi,igo->...go", x, kernel).reshape(*x.shape[:-2], -1)

    def rows(self, x: Float[Array, "*batch in"], window: tuple[int, ...]) -> Float[Array, "*batch in"]:
        """What the rows of an array see: the inputs themselves, group after group."""
        del window
        return x


@dataclass(frozen=True)
class Convolution:
    """Convolution of inputs `[n *place in]` with kernels `[*window in/groups out]`; the place has an axis or more.

    Attributes:
        padding: SAME puts one zero more behind the image than before it where their number is odd; explicit pairs do not care.
        stride: from one output to the next.
        dilation: from one element of the window to the next.
        spread: from one input to the next, zeros between them: above 1 it is a transposed convolution.
        groups: equal parts of the input channels, each seen by its own part of the outputs; one channel each is depthwise.
    """

    padding: Padding
    stride: Every = 1
    dilation: Every = 1
    spread: Every = 1
    groups: int = 1

    def ends(self, size: tuple[int, ...], window: tuple[int, ...]) -> Sequence[tuple[int, int]]:
        """Zeros before and after each axis of places of a `size`, zeros between the inputs among them."""
        if not isinstance(self.padding, str):
            return self.padding
        n = len(window)
        reach = tuple((w - 1) * d + 1 for w, d in zip(window, _each(self.dilation, n), strict=True))
        return jax.lax.padtype_to_pads(size, reach, _each(self.stride, n), self.padding)

    def __call__(
        self, x: Float[Array, "*batch in"], kernel: Float[Array, "*window in_of_group out"]
    ) -> Float[Array, "*batch2 out"]:
        """The outputs; axes before those of the place are all of the batch.

        Places smaller than the window are multiplied as patches: XLA's convolution on the CPU takes ninety times as long
        there (2×2 pixels, 512 channels).
        """
        n = kernel.ndim - 2
        batch, place = x.shape[: -n - 1], x.shape[-n - 1 : -1]
        if self.groups == 1 and min(place) < max(kernel.shape[:n]):
            return self.rows(x, kernel.shape[:n]) @ kernel.reshape(-1, kernel.shape[-1])
        if self._narrow(kernel):
            ends = self.ends(place, kernel.shape[:n])
            y = convolved_in_blocks(x.reshape(-1, *x.shape[-n - 1 :]), kernel, tuple(map(tuple, ends)))
            return y.reshape(*batch, *y.shape[1:])
        letters = "XYZ"[:n] if n <= 3 else "ABDEFGH"[:n]
        y = jax.lax.conv_general_dilated(
            x.reshape(-1, *x.shape[-n - 1 :]),
            kernel,
            window_strides=_each(self.stride, n),
            padding=self.padding if isinstance(self.padding, str) else list(self.padding),
            lhs_dilation=_each(self.spread, n),
            rhs_dilation=_each(self.dilation, n),
            dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
            feature_group_count=self.groups,
        )
        return y.reshape(*batch, *y.shape[1:])

    def _narrow(self, kernel: Float[Array, "*window in_of_group out"]) -> bool:
        """Whether pictures of one channel become few channels, one window at every place; on a CPU."""
        *window, channels, outputs = kernel.shape
        plain = all(set(_each(every, len(window))) == {1} for every in (self.stride, self.dilation, self.spread))
        few = len(window) == 2 and min(window) >= 4 and channels == self.groups == 1 and outputs <= FEW
        return few and plain and jax.default_backend() == "cpu"

    def rows(self, x: Float[Array, "*batch in"], window: tuple[int, ...]) -> Float[Array, "*batch2 rows"]:
        """What the rows of an array see at every output position: the window, channels fastest, group after group.

        Strided slices laid side by side, in the order of a kernel's `reshape(rows, out)`. (XLA's own patches put channels
        slowest, and are a convolution with a unit kernel.)
        """
        seen = self.slices(x, window, axis=x.ndim - 1 - len(window))
        if self.groups == 1:
            return jnp.concatenate(seen, axis=-1)
        parts = jnp.stack([part.reshape(*part.shape[:-1], self.groups, -1) for part in seen], axis=-2)
        return parts.reshape(*seen[0].shape[:-1], -1)

    def slices(self, x: AnyArray, window: tuple[int, ...], *, axis: int) -> list[AnyArray]:
        """What each element of the window sees at every output position, of `x` with the place's axes from `axis` on."""
        n = len(window)
        x = self._spread(x, axis, n)
        ends = self.ends(x.shape[axis : axis + n], window)
        x = namespace(x).pad(x, [*[(0, 0)] * axis, *ends, *[(0, 0)] * (x.ndim - axis - n)])
        before = (slice(None),) * axis
        strides, dilation = _each(self.stride, n), _each(self.dilation, n)
        spans = [x.shape[axis + k] - (window[k] - 1) * dilation[k] for k in range(n)]
        return [
            x[
                (
                    *before,
                    *(
                        slice(i * d, i * d + span, s)
                        for i, d, span, s in zip(at, dilation, spans, strides, strict=True)
                    ),
                )
            ]
            for at in itertools.product(*map(range, window))
        ]

    def _spread(self, x: AnyArray, axis: int, n: int) -> AnyArray:
        """`x` with the zeros between its inputs."""
        for k, factor in enumerate(_each(self.spread, n)):
            if factor > 1:
                np = namespace(x)
                wide = np.stack([x, *[np.zeros_like(x)] * (factor - 1)], axis=axis + k + 1)
                shape = (*x.shape[: axis + k], x.shape[axis + k] * factor, *x.shape[axis + k + 1 :])
                keep = (slice(None),) * (axis + k)
                x = wide.reshape(shape)[(*keep, slice(0, shape[axis + k] - factor + 1))]
        return x


def _each(value: Every, n: int) -> tuple[int, ...]:
    return (value,) * n if isinstance(value, int) else value


dense = MatrixProduct()
"""The product of fully connected layers."""


def centred(size: int) -> Padding:
    """As many zeros on either side of the image as leave an odd window's middle on every pixel: torch's `padding=size // 2`."""
    return ((size // 2, size // 2), (size // 2, size // 2))


def rows_of(contract: Contract, x: Array, kernel: tuple[int, ...]) -> Float[Array, "*batch rows"]:
    """What the rows of the arrays of a layer see, for its inputs and the shape of its kernel `[*window in out]`.

    Raises:
        ValueError: the contract does not say; a product that the tiled path cannot split.
    """
    if not isinstance(contract, MatrixProduct | Convolution):
        raise ValueError(f"contract must be a MatrixProduct or a Convolution to be split over tiles, got {contract!r}")
    return contract.rows(x, kernel[:-2])


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def convolved_in_blocks(
    x: Float[Array, "n h w 1"], kernel: Float[Array, "kh kw 1 out"], ends: Ends
) -> Float[Array, "n h2 w2 out"]:
    """A convolution whose window goes two places at a time and gives the outputs of 2×2 of them as channels.

    XLA's convolution on a CPU is a product of patches; of one channel and few outputs most of the time goes into the patches, of
    which there are a quarter here. The numbers are those of the convolution itself, to the bit: what is added are zeros.
    Its derivatives are those of the convolution.
    """
    height, width = (x.shape[n + 1] + sum(ends[n]) - kernel.shape[n] + 1 for n in (0, 1))
    whole = [(low, high + size % 2) for (low, high), size in zip(ends, (height, width), strict=True)]
    moved = [[jnp.pad(kernel, ((i, 1 - i), (j, 1 - j), (0, 0), (0, 0))) for j in (0, 1)] for i in (0, 1)]
    blocks = jnp.stack([jnp.stack(row, 3) for row in moved], 3)
    y = _convolved(x, blocks.reshape(*blocks.shape[:3], -1), whole, stride=2)
    n, rows, columns, _ = y.shape
    apart = y.reshape(n, rows, columns, 2, 2, -1).transpose(0, 1, 3, 2, 4, 5)
    return apart.reshape(n, 2 * rows, 2 * columns, -1)[:, :height, :width]


@convolved_in_blocks.defjvp
def _convolved_in_blocks_jvp(
    ends: Ends, primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    plain = partial(_convolved, ends=ends)
    return convolved_in_blocks(*primals, ends), jax.jvp(plain, primals, tangents)[1]


def _convolved(x: Array, kernel: Array, ends: Sequence[tuple[int, int]], *, stride: int = 1) -> Array:
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), list(ends), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
