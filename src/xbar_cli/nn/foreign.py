"""Tensors of a network trained elsewhere, brought into the names, order and layout of one of ours."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Layout = Literal["torch", "xbar"]
Tensors = Mapping[str, np.ndarray]
KERNEL = {"torch": "weight", "xbar": "kernel"}


@dataclass(frozen=True)
class Adopted:
    """What became of the tensors.

    Attributes:
        parameters: by our names, `LAYER.kernel` and `LAYER.bias`.
        sources: the source's layer name by ours, in the order of the layers.
        without_bias: our layers whose source has no bias: theirs is 0.
    """

    parameters: dict[str, NDArray[np.float32]]
    sources: dict[str, str]
    without_bias: list[str]


def layout_of(tensors: Tensors) -> Layout:
    """The layout that the names speak of: `….kernel` is ours, `….weight` is torch's.

    Raises:
        ValueError: neither, or both.
    """
    found = [layout for layout, name in KERNEL.items() if any(key.endswith("." + name) for key in tensors)]
    if len(found) != 1:
        raise ValueError(
            "its names end neither all in .weight (torch) nor all in .kernel (xbar); say which by --layout"
        )
    return "torch" if found[0] == "torch" else "xbar"


def adopt(tensors: Tensors, wanted: Mapping[str, tuple[int, ...]], *, layers: Sequence[str], layout: Layout) -> Adopted:
    """Tensors in the names and layout of our network.

    A source layer of the same name is taken if its shape fits; the others are matched by shape, in the natural order of
    their names (`fc2` before `fc10`). The first dense layer behind a convolution sees torch's flattened [c h w] as our [h w c].

    Args:
        tensors: by name, kernels as `layout` says.
        wanted: shapes of our parameters by name.
        layers: our layers in the order they compute.
        layout: of the source.

    Raises:
        ValueError: a layer without a source of its shape, a tensor without a layer, or a value that is not finite.
    """
    for name, value in tensors.items():
        if not np.isfinite(value).all():
            raise ValueError(f"{name} holds values that are not finite")
    kernels, channels = {}, _channels(wanted, layers)
    names = [n for n, value in tensors.items() if n.endswith("." + KERNEL[layout]) and value.ndim > 1]
    for name in sorted(names, key=_natural):
        kernels[name.removesuffix("." + KERNEL[layout])] = np.asarray(tensors[name], np.float32)
    sources: dict[str, str] = {}
    parameters: dict[str, NDArray[np.float32]] = {}
    without_bias: list[str] = []
    shifts: dict[str, NDArray[np.float32]] = {}
    for layer in layers:
        shape = wanted[f"{layer}.kernel"]
        free = [name for name in kernels if name not in sources.values()]
        fitting = [name for name in free if _shape(kernels[name].shape, layout) == shape]
        if not fitting:
            left = ", ".join(f"{name} {list(_shape(kernels[name].shape, layout))}" for name in free) or "nothing"
            raise ValueError(f"no tensor for layer {layer} {list(shape)}; left over: {left}")
        source = sources[layer] = layer if layer in fitting else fitting[0]
        parameters[f"{layer}.kernel"] = _kernel(kernels[source], layout, channels.get(layer))
        bias = tensors.get(f"{source}.bias")
        if bias is None and f"{layer}.bias" in wanted:
            without_bias.append(layer)
            bias = np.zeros(shape[-1], np.float32)
        elif bias is not None and bias.shape != (shape[-1],):
            raise ValueError(f"{source}.bias must have shape [{shape[-1]}], has {list(bias.shape)}")
        if f"{layer}.bias" in wanted:
            parameters[f"{layer}.bias"] = np.asarray(bias, np.float32)
        elif bias is not None:
            shifts[layer] = np.asarray(bias, np.float32)
    used = {f"{source}.{part}" for source in sources.values() for part in (KERNEL[layout], "bias")}
    used |= _adopt_norms(tensors, wanted, parameters, layers=layers, layout=layout, shifts=shifts)
    if unused := sorted(set(tensors) - used, key=_natural):
        raise ValueError(f"the network has no layer for {', '.join(unused)}")
    return Adopted(parameters, sources, without_bias)


NORMS = {
    "torch": {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"},
    "xbar": {"scale": "scale", "bias": "bias", "mean": "mean", "var": "var"},
}
"""Names of a batch norm's parts."""


def _adopt_norms(
    tensors: Tensors,
    wanted: Mapping[str, tuple[int, ...]],
    parameters: dict[str, NDArray[np.float32]],
    *,
    layers: Sequence[str],
    layout: Layout,
    shifts: Mapping[str, NDArray[np.float32]],
) -> set[str]:
    """Batch norms in the order of the layers they follow, put into `parameters`; returns the names that were used.

    A bias of the layer before (`shifts`), which ours does not have, is taken off the running mean.
    """
    parts = NORMS[layout]
    sources = sorted(
        (n.removesuffix("." + parts["mean"]) for n in tensors if n.endswith("." + parts["mean"])), key=_natural
    )
    used: set[str] = set()
    for layer in layers:
        name = f"{layer}_norm.inner"
        if f"{name}.scale" not in wanted:
            if layer in shifts:
                raise ValueError(f"{layer} has a bias, which the network has not")
            continue
        shape = wanted[f"{name}.scale"]
        fitting = [s for s in sources if tensors[f"{s}.{parts['mean']}"].shape == shape]
        if not fitting:
            raise ValueError(
                f"no batch norm of {shape[0]} outputs for layer {layer}; left over: {', '.join(sources) or 'none'}"
            )
        source = name if name in fitting else fitting[0]
        sources.remove(source)
        for part, theirs in parts.items():
            if f"{source}.{theirs}" not in tensors:
                raise ValueError(f"{source}.{theirs} is missing")
            parameters[f"{name}.{part}"] = np.asarray(tensors[f"{source}.{theirs}"], np.float32)
        if layer in shifts:
            parameters[f"{name}.mean"] = parameters[f"{name}.mean"] - shifts[layer]
        used |= {f"{source}.{theirs}" for theirs in parts.values()} | {f"{source}.num_batches_tracked"}
    return used


def _natural(name: str) -> list[tuple[int, str]]:
    """Order of names in which numbers count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _shape(shape: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    """A source kernel's shape in our layout."""
    if layout == "xbar":
        return shape
    return (*shape[2:], *shape[1::-1])


def _kernel(value: NDArray[np.float32], layout: Layout, channels: int | None) -> NDArray[np.float32]:
    """A source kernel in our layout."""
    if layout == "xbar":
        return value
    if value.ndim == 4:
        return value.transpose(2, 3, 1, 0)
    if channels is None:
        return value.T
    size = int(np.sqrt(value.shape[1] // channels))
    return value.reshape(-1, channels, size, size).transpose(2, 3, 1, 0).reshape(-1, value.shape[0])


def _channels(wanted: Mapping[str, tuple[int, ...]], layers: Sequence[str]) -> dict[str, int]:
    """Channels of the picture that a dense layer right behind a convolution flattens, by the dense layer's name."""
    found: dict[str, int] = {}
    for before, after in itertools.pairwise(layers):
        convolution, dense = wanted[f"{before}.kernel"], wanted[f"{after}.kernel"]
        pixels, rest = divmod(dense[0], convolution[-1])
        if len(convolution) == 4 and len(dense) == 2 and rest == 0 and int(np.sqrt(pixels)) ** 2 == pixels:
            found[after] = convolution[-1]
    return found
