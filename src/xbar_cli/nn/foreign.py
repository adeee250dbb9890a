"""Tensors of a network trained elsewhere, brought into the names, order and layout of one of ours."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .pairing import NORM, How, Paired, natural, pair

Layout = Literal["torch", "xbar"]
Tensors = Mapping[str, np.ndarray]
KERNEL = {"torch": "weight", "xbar": "kernel"}
NORMS = {
    "torch": {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"},
    "xbar": {"scale": "scale", "bias": "bias", "mean": "mean", "var": "var"},
}
"""Names of a batch norm's parts."""
QUANTISED = re.compile(r"(weight_scale|weight_scale_inv|zero_points?|qweight|qzeros|absmax|_packed_params.*)$")
"""Names that quantised checkpoints have beside their weights."""
REPARAMETRISED = re.compile(r"(weight_[guv]|parametrizations\..*)$")
"""Names of torch's weight norm, spectral norm and other parametrizations."""


@dataclass(frozen=True)
class Adopted:
    """What became of the tensors.

    Attributes:
        parameters: by our names, `LAYER.kernel` and `LAYER.bias`.
        sources: the source's layer name by ours, in the order of the layers.
        norms: the source's batch norm by the layer of ours that it follows.
        how: whether all names were the same, or shapes and the numbers in the names decided.
        without_bias: our layers whose source has no bias: theirs is 0.
    """

    parameters: dict[str, NDArray[np.float32]]
    sources: dict[str, str]
    norms: dict[str, str]
    how: How
    without_bias: list[str]


def layout_of(tensors: Tensors) -> Layout:
    """The layout that the names speak of: `….kernel` is ours, `….weight` is torch's. Raises ValueError for neither, or both."""
    found = [layout for layout, name in KERNEL.items() if any(key.endswith("." + name) for key in tensors)]
    if len(found) != 1:
        raise ValueError(
            "its names end neither all in .weight (torch) nor all in .kernel (xbar); say which by `layout`"
        )
    return "torch" if found[0] == "torch" else "xbar"


def plain(tensors: Tensors) -> dict[str, np.ndarray]:
    """The tensors with pruned weights masked: `weight_orig` times `weight_mask`, as torch's pruning computes them.

    Raises:
        ValueError: weights that are not stored as they are: quantised, reparametrised, not floating point, not finite.
    """
    found = {name: value for name, value in tensors.items() if not re.search(r"(weight|bias)_(orig|mask)$", name)}
    for name, value in tensors.items():
        if match := re.search(r"(weight|bias)_orig$", name):
            mask = tensors.get(f"{name.removesuffix('_orig')}_mask")
            if mask is None or mask.shape != value.shape:
                raise ValueError(f"{name} has no {match[1]}_mask of its shape: it is not torch's pruning")
            found[name.removesuffix("_orig")] = value * mask.astype(value.dtype)
    for name, value in found.items():
        if QUANTISED.search(name):
            raise ValueError(f"{name}: the checkpoint is quantised; save its weights in floating point first")
        if REPARAMETRISED.search(name):
            raise ValueError(
                f"{name}: the weights are reparametrised; take that off (torch.nn.utils.parametrize.remove_parametrizations, "
                "or remove_weight_norm) and save again"
            )
        if name.endswith("num_batches_tracked"):
            continue
        if value.dtype.kind != "f":
            raise ValueError(
                f"{name} holds {value.dtype}, not floating point: quantised weights must be saved as floats"
            )
        if not np.isfinite(value).all():
            raise ValueError(f"{name} holds values that are not finite")
    return found


def as_named(tensors: Tensors, wanted: Mapping[str, tuple[int, ...]], *, layers: Sequence[str]) -> Adopted | None:
    """Tensors with just the names and shapes of a network that has some beside its layers, as a network file; else None."""
    own = [name for name in wanted if not name.endswith((".kernel", ".bias")) and f"{NORM}." not in name]
    if not own or {name: value.shape for name, value in tensors.items()} != dict(wanted):
        return None
    return unmatched(layers, {name: value.astype(np.float32) for name, value in tensors.items()})


def unmatched(layers: Sequence[str], parameters: Mapping[str, NDArray[np.float32]] | None = None) -> Adopted:
    """Parameters that are ours already, each layer its own source."""
    return Adopted(dict(parameters or {}), {layer: layer for layer in layers}, {}, "names", [])


def adopt(
    tensors: Tensors,
    wanted: Mapping[str, tuple[int, ...]],
    *,
    layers: Sequence[str],
    layout: Layout,
    channels: int,
    given: Mapping[str, str],
) -> Adopted:
    """Tensors in the names and layout of our network.

    Layers are matched as `pairing.pair` says. A dense layer that flattens a picture sees torch's [c h w] as our [h w c].

    Args:
        tensors: by name, as `plain` gives them, kernels as `layout` says.
        wanted: shapes of our parameters by name.
        layers: our layers in the order they compute.
        layout: of the source.
        channels: of the images.
        given: sources that the user names, by our layer or `LAYER_norm`.

    Raises:
        ValueError: a layer without a source of its shape, one that could have several, or a tensor without a layer.
    """
    suffix = "." + KERNEL[layout]
    kernels = {n.removesuffix(suffix): v for n, v in tensors.items() if n.endswith(suffix) and v.ndim > 1}
    paired = _pair(tensors, kernels, wanted, layers, layout, given)
    flattened = _channels(wanted, layers, channels)
    parameters: dict[str, NDArray[np.float32]] = {}
    without_bias: list[str] = []
    used: set[str] = set()
    for layer, source in paired.layers.items():
        kernel, bias = kernels[source].astype(np.float32), tensors.get(f"{source}.bias")
        parameters[f"{layer}.kernel"] = _kernel(kernel, layout, flattened.get(layer))
        outputs = wanted[f"{layer}.kernel"][-1]
        if bias is not None and bias.shape != (outputs,):
            raise ValueError(f"{source}.bias must have shape [{outputs}], has {list(bias.shape)}")
        if f"{layer}.bias" in wanted:
            without_bias += [layer] if bias is None else []
            parameters[f"{layer}.bias"] = np.zeros(outputs, np.float32) if bias is None else bias.astype(np.float32)
        elif bias is not None and layer not in paired.norms:
            raise ValueError(f"{layer} has a bias, which the network has not")
        used |= {f"{source}{suffix}", f"{source}.bias"}
        if layer in paired.norms:
            norm, names = _norm(tensors, paired.norms[layer], outputs=outputs, layout=layout, shift=bias)
            parameters |= {f"{layer}{NORM}.inner.{part}": value for part, value in norm.items()}
            used |= names
    if unused := sorted(set(tensors) - used, key=natural):
        raise ValueError(f"the network has no layer for {', '.join(unused)}")
    return Adopted(parameters, paired.layers, paired.norms, paired.how, without_bias)


def _pair(
    tensors: Tensors,
    kernels: Tensors,
    wanted: Mapping[str, tuple[int, ...]],
    layers: Sequence[str],
    layout: Layout,
    given: Mapping[str, str],
) -> Paired:
    """The source of every layer and batch norm."""
    mean = "." + NORMS[layout]["mean"]
    scales = {layer: wanted.get(f"{layer}{NORM}.inner.scale") for layer in layers}
    return pair(
        {layer: wanted[f"{layer}.kernel"] for layer in layers},
        {layer: shape[0] for layer, shape in scales.items() if shape is not None},
        their_layers={name: _shape(value.shape, layout) for name, value in kernels.items()},
        their_norms={n.removesuffix(mean): v.size for n, v in tensors.items() if n.endswith(mean)},
        given=given,
    )


def _norm(
    tensors: Tensors, source: str, *, outputs: int, layout: Layout, shift: np.ndarray | None
) -> tuple[dict[str, NDArray[np.float32]], set[str]]:
    """The parts of a batch norm by our names, and the names of the source's tensors.

    A bias of the layer before (`shift`), which ours does not have, is taken off the running mean. A norm without scale and
    bias (torch's `affine=False`) has 1 and 0.
    """
    parts: dict[str, NDArray[np.float32]] = {}
    for part, theirs in NORMS[layout].items():
        value = tensors.get(f"{source}.{theirs}")
        if value is None and part == "var":
            raise ValueError(f"{source}.{theirs} is missing")
        if value is not None and value.shape != (outputs,):
            raise ValueError(f"{source}.{theirs} must have shape [{outputs}], has {list(value.shape)}")
        parts[part] = (
            np.full(outputs, float(part == "scale"), np.float32) if value is None else value.astype(np.float32)
        )
    if (parts["var"] < 0).any():
        raise ValueError(f"{source}.{NORMS[layout]['var']} holds negative variances")
    if shift is not None:
        parts["mean"] = parts["mean"] - shift.astype(np.float32)
    return parts, {f"{source}.{theirs}" for theirs in NORMS[layout].values()} | {f"{source}.num_batches_tracked"}


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


def _channels(wanted: Mapping[str, tuple[int, ...]], layers: Sequence[str], channels: int) -> dict[str, int]:
    """Channels of the picture that a dense layer flattens, the image or what a convolution right before it makes, by its name."""
    first = wanted[f"{layers[0]}.kernel"]
    found = {layers[0]: channels} if len(first) == 2 and channels > 1 else {}
    for before, after in itertools.pairwise(layers):
        convolution, dense = wanted[f"{before}.kernel"], wanted[f"{after}.kernel"]
        pixels, rest = divmod(dense[0], convolution[-1])
        if len(convolution) == 4 and len(dense) == 2 and rest == 0 and int(np.sqrt(pixels)) ** 2 == pixels:
            found[after] = convolution[-1]
    return found
