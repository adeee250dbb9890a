"""A user's own NNX module on arrays: its `nnx.Linear` and `nnx.Conv` products go where the product says."""

import inspect
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from xbar_cli.array.ideal import Contract
from xbar_cli.numerics import along_last

from .layers import Convolution, Padding, Product, dense, digital

_RUNNING: ContextVar[tuple["Crossbar", Product]] = ContextVar("running")
"""The network whose call is running, and what computes its products."""


class Routed(nnx.Module):
    """A layer on arrays: its product goes where it is sent, its bias stays digital."""

    def __init__(self, name: str, layer: nnx.Linear | nnx.Conv) -> None:
        """Takes over kernel and bias of `layer`; `name` is its place in the module."""
        self.name = name
        self.contract: Contract = contract_of(name, layer)
        self.kernel = layer.kernel
        self.bias = layer.bias

    def __call__(self, x: Array, product: Product) -> Array:
        """Outputs `[*batch out]`."""
        y = product(self.name, x, self.kernel[...], self.contract)
        return y if self.bias is None else y + along_last(self.bias[...], y)


class Place(nnx.Module):
    """Where a layer stood in the user's module: it holds no parameter, and sends its inputs to the layer on arrays."""

    def __init__(self, name: str) -> None:
        """`name` is the layer's."""
        self.name = name

    def __call__(self, x: Array) -> Array:
        """Outputs `[*batch out]`."""
        net, product = _RUNNING.get()
        return getattr(net, self.name)(x, product)


class Crossbar(nnx.Module):
    """A module whose layers can sit on arrays, as the networks of this package can: each is an attribute by its name."""

    def __init__(self, module: nnx.Module) -> None:
        """Routes the layers of `module`, which is changed: use `to_crossbar`."""
        layers = _named(_layers(module))
        _replace(module, {id(layer): Place(name) for name, layer in layers.items()})
        for name, layer in layers.items():
            setattr(self, name, Routed(name, layer))
        self.module = module

    def __call__(self, images: Array, product: Product = digital, *, training: bool = False) -> Array:
        """What the module returns for `images`, its products taken over by `product`.

        A module that behaves differently in training must be put in that state (`nnx.Module.train`, `eval`).
        """
        del training
        token = _RUNNING.set((self, product))
        try:
            return self.module(images)
        finally:
            _RUNNING.reset(token)


def to_crossbar(module: nnx.Module) -> Crossbar:
    """A copy of `module` with every `nnx.Linear` and `nnx.Conv` on arrays.

    The layers are named by their place, `fc1` or `blocks_0_conv`; the networks of this package, `layer_shapes`, the
    training methods and folding take the result as they take their own. A layer used at several places has one name, that of
    the first, and the product is asked for it at each use; calibration sees the inputs of its last use.

    All else stays digital without a word: `nnx.ConvTranspose`, `nnx.LinearGeneral`, `nnx.Einsum`, attention (made of
    `nnx.LinearGeneral`), kernels that the module multiplies itself, and layers that it reaches only through a function (a
    closure, a `functools.partial`).

    Raises:
        ValueError: no such layer, or `module` is one itself; a convolution that arrays cannot hold (groups, dilation, other
            than two dimensions, unequal strides, circular padding, a mask); a subclass of the two layers; a dtype other than
            float32, or a product or promotion of the layer's own; two layers of one name, or a name that the result needs
            itself; a layer in a container that cannot be changed, such as a tuple.
    """
    if isinstance(module, nnx.Linear | nnx.Conv):
        raise ValueError("module is itself a layer; put it in a module")
    copy = nnx.clone(module)
    if not _layers(copy):
        raise ValueError("module must have an nnx.Linear or nnx.Conv to put on arrays")
    return Crossbar(copy)


def _layers(module: nnx.Module) -> list[tuple[tuple[Any, ...], nnx.Linear | nnx.Conv]]:
    found = [(path, node) for path, node in nnx.iter_graph(module) if isinstance(node, nnx.Linear | nnx.Conv)]
    return sorted(found, key=lambda item: tuple(map(str, item[0])))


def _named(layers: list[tuple[tuple[Any, ...], nnx.Linear | nnx.Conv]]) -> dict[str, nnx.Linear | nnx.Conv]:
    """The layers by the names of their places, which must differ from each other and from the result's own."""
    places: dict[str, str] = {}
    for path, _ in layers:
        name, place = "_".join(map(str, path)), ".".join(map(str, path))
        if name in places:
            raise ValueError(f"{places[name]} and {place} would both be called {name}: rename one of them")
        if name == "module" or hasattr(Crossbar, name):
            raise ValueError(f"{place} must have another name than module and the methods of nnx.Module, got {name}")
        places[name] = place
    return dict(zip(places, (layer for _, layer in layers), strict=True))


def _replace(module: nnx.Module, places: dict[int, Place]) -> None:
    """Puts a place, by the id of the layer that it stands for, wherever the layer is used."""
    for _, node in list(nnx.iter_graph(module)):
        for key, child in _children(node):
            if id(child) not in places:
                continue
            if isinstance(node, nnx.Pytree):
                setattr(node, key, places[id(child)])
            else:
                node[key] = places[id(child)]
    if left := _layers(module):
        raise ValueError(
            f"{'.'.join(map(str, left[0][0]))}: a layer on arrays must be held by a module, a list or a dict"
        )


def _children(node: Any) -> list[tuple[Any, Any]]:
    if isinstance(node, nnx.Pytree):
        return list(vars(node).items())
    if isinstance(node, dict):
        return list(node.items())
    return list(enumerate(node)) if isinstance(node, list) else []


def contract_of(name: str, layer: nnx.Linear | nnx.Conv) -> Contract:
    """How the layer's product contracts inputs with its kernel."""
    _check_plain(name, layer)
    if isinstance(layer, nnx.Linear):
        return dense
    strides, dilation = _pair(layer.strides), (*_pair(layer.kernel_dilation), *_pair(layer.input_dilation))
    rules = {
        "two dimensions": len(layer.kernel_size) == 2,
        "one group": layer.feature_group_count == 1,
        "no dilation": set(dilation) == {1},
        "equal strides": len(set(strides)) == 1,
        "padding SAME or VALID": layer.padding in ("SAME", "VALID"),
        "no mask": layer.mask is None,
    }
    if broken := [rule for rule, holds in rules.items() if not holds]:
        raise ValueError(f"{name}: a convolution on arrays must have {', '.join(broken)}")
    padding: Padding = layer.padding  # type: ignore[assignment]
    return Convolution(padding, strides[0])


def _check_plain(name: str, layer: nnx.Linear | nnx.Conv) -> None:
    """Raises where the layer is a subclass, or computes otherwise than flax's own product in float32."""
    kind = type(layer)
    if kind not in (nnx.Linear, nnx.Conv):
        raise ValueError(
            f"{name}: a layer on arrays must be an nnx.Linear or nnx.Conv itself, got its subclass {kind.__name__}"
        )
    for dtype in ("dtype", "preferred_element_type"):
        value = getattr(layer, dtype, None)
        if value is not None and jnp.dtype(value) != jnp.float32:
            raise ValueError(f"{name}: a layer on arrays must have {dtype} None or float32, got {jnp.dtype(value)}")
    defaults = inspect.signature(kind.__init__).parameters
    for hook in ("dot_general", "conv_general_dilated", "promote_dtype"):
        if hook in defaults and getattr(layer, hook) is not defaults[hook].default:
            raise ValueError(f"{name}: a layer on arrays must have flax's own {hook}")


def _pair(value: Any) -> tuple[int, ...]:
    if value is None:
        return 1, 1
    return (value, value) if isinstance(value, int) else tuple(jax.tree.leaves(value))
