"""Convolutions in one to three dimensions, and where windows lie: strides, dilations, padding."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jax import lax

from .node import GraphNode
from .values import traced


@dataclass(frozen=True)
class Windows:
    """Where the windows of a convolution or pooling lie; each value has one element a spatial axis.

    Attributes:
        kernel: elements of a window.
        strides: from one window to the next.
        dilations: from one element of a window to the next.
        pads: elements added before and after.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    @property
    def extents(self) -> tuple[int, ...]:
        """From the first to the last element of a window, both counted."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))


def windows(node: GraphNode, sizes: Sequence[int], kernel: Sequence[int]) -> Windows:
    """The windows over an input of spatial `sizes`, by the attributes of the node.

    Raises:
        ConfigError: the attributes do not have one element a spatial axis.
    """
    rank = len(sizes)
    strides = tuple(node.get("strides", [1] * rank))
    dilations = tuple(node.get("dilations", [1] * rank))
    given = node.get("pads", [0] * 2 * rank)
    if not (len(kernel) == len(strides) == len(dilations) == rank and len(given) == 2 * rank):
        raise node.refusal(f"kernel_shape, strides, dilations and pads do not fit {rank} spatial axes")
    mode = node.get("auto_pad", "NOTSET")
    match mode:
        case "NOTSET":
            pads = tuple(zip(given[:rank], given[rank:], strict=True))
        case "VALID":
            pads = ((0, 0),) * rank
        case "SAME_UPPER" | "SAME_LOWER":
            pads = tuple(
                same(n, k, s, d, lower=mode == "SAME_LOWER")
                for n, k, s, d in zip(sizes, kernel, strides, dilations, strict=True)
            )
        case _:
            raise node.refusal(f"auto_pad = {mode} is not supported")
    return Windows(tuple(kernel), strides, dilations, pads)


def same(n: int, kernel: int, stride: int, dilation: int, *, lower: bool) -> tuple[int, int]:
    """Padding of an axis of `n` so that there are ⌈n / stride⌉ windows; an odd one more at the end, or the start."""
    total = max((-(-n // stride) - 1) * stride + dilation * (kernel - 1) + 1 - n, 0)
    small, large = total // 2, total - total // 2
    return (large, small) if lower else (small, large)


def layout(rank: int) -> tuple[str, str, str]:
    """Names of the axes: samples and channels first, output channels and input channels first."""
    axes = "XYZ"[:rank] if rank <= 3 else "".join(chr(ord("a") + n) for n in range(rank))
    return f"NC{axes}", f"OI{axes}", f"NC{axes}"


def with_bias(out: Any, bias: Any) -> Any:
    """Channels [N, C, …] with a number each added."""
    return out if bias is None else out + traced(bias).reshape((1, -1) + (1,) * (out.ndim - 2))


def conv(node: GraphNode, x: Any, w: Any, b: Any = None) -> Any:
    """A convolution of `x` [N, C, …] with kernels `w` [O, C/group, …]."""
    x, w = traced(x), traced(w)
    node.ignore("kernel_shape")
    at = windows(node, x.shape[2:], w.shape[2:])
    out = lax.conv_general_dilated(
        x,
        w,
        at.strides,
        at.pads,
        rhs_dilation=at.dilations,
        dimension_numbers=layout(x.ndim - 2),
        feature_group_count=node.get("group", 1),
    )
    return with_bias(out, b)


def transposed_pads(node: GraphNode, sizes: Sequence[int], at: Windows) -> tuple[list[tuple[int, int]], list[int]]:
    """What is cut off the full transposed convolution at both ends of each axis, and what is added at the end."""
    rank = len(sizes)
    extra = list(node.get("output_padding", [0] * rank))
    wanted = node.get("output_shape")
    mode = node.get("auto_pad", "NOTSET")
    if wanted is None and mode.startswith("SAME"):
        wanted = [n * s for n, s in zip(sizes, at.strides, strict=True)]
    if wanted is None:
        return list(at.pads), extra
    cuts = []
    for n, s, extent, more, out in zip(sizes, at.strides, at.extents, extra, list(wanted)[-rank:], strict=True):
        total = max(s * (n - 1) + more + extent - out, 0)
        small, large = total // 2, total - total // 2
        cuts.append((large, small) if mode != "SAME_UPPER" else (small, large))
        extra[len(cuts) - 1] = more + max(out - (s * (n - 1) + more + extent), 0)
    return cuts, extra


def conv_transpose(node: GraphNode, x: Any, w: Any, b: Any = None) -> Any:
    """The transpose of a convolution: `x` [N, C, …] with kernels `w` [C, O/group, …]."""
    x, w = traced(x), traced(w)
    node.ignore("kernel_shape")
    groups, rank = node.get("group", 1), x.ndim - 2
    at = windows(node, x.shape[2:], w.shape[2:])
    cuts, extra = transposed_pads(node, x.shape[2:], at)
    spatial = tuple(range(2, 2 + rank))
    kernel = lax.rev(w, spatial)
    if groups == 1:
        kernel = kernel.swapaxes(0, 1)
    else:
        kernel = kernel.reshape(groups, w.shape[0] // groups, *w.shape[1:]).swapaxes(1, 2)
        kernel = kernel.reshape(groups * w.shape[1], w.shape[0] // groups, *w.shape[2:])
    pads = [(e - 1 - low, e - 1 - high + more) for e, (low, high), more in zip(at.extents, cuts, extra, strict=True)]
    out = lax.conv_general_dilated(
        x,
        kernel,
        (1,) * rank,
        pads,
        lhs_dilation=at.strides,
        rhs_dilation=at.dilations,
        dimension_numbers=layout(rank),
        feature_group_count=groups,
    )
    return with_bias(out, b)
