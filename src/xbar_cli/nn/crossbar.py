"""A user's own NNX module on arrays: its `nnx.Linear` and `nnx.Conv` products go where the product says."""

from contextvars import ContextVar
from typing import Any

import jax
from flax import nnx
from jax import Array

from xbar_cli.array.ideal import Contract
from xbar_cli.numerics import along_last

from .layers import Padding, Product, convolution, dense, digital

_PRODUCT: ContextVar[Product] = ContextVar("product", default=digital)
"""What computes the products of the call that is running."""


class Routed(nnx.Module):
    """A layer of a user's module: its product goes through the one in force, its bias stays digital."""

    def __init__(self, name: str, layer: nnx.Linear | nnx.Conv) -> None:
        """Takes over kernel and bias of `layer`; `name` is its place in the module."""
        self.name = name
        self.contract: Contract = contract_of(name, layer)
        self.kernel = layer.kernel
        self.bias = layer.bias

    def __call__(self, x: Array) -> Array:
        """Outputs `[*batch out]`."""
        y = _PRODUCT.get()(self.name, x, self.kernel[...], self.contract)
        return y if self.bias is None else y + along_last(self.bias[...], y)


class Crossbar(nnx.Module):
    """A module whose layers can sit on arrays, as the networks of this package can: each is an attribute by its name."""

    def __init__(self, module: nnx.Module) -> None:
        """Routes the layers of `module`, which is changed: use `to_crossbar`."""
        for path, layer in list(_layers(module)):
            name = "_".join(str(part) for part in path)
            routed = Routed(name, layer)
            owner: Any = module
            for part in path[:-1]:
                owner = owner[part] if isinstance(part, int) or isinstance(owner, dict) else getattr(owner, part)
            if isinstance(path[-1], int) or isinstance(owner, dict):
                owner[path[-1]] = routed
            else:
                setattr(owner, path[-1], routed)
            setattr(self, name, routed)
        # after every layer in the order of names: the layers are found as attributes first
        self.zz_module = module

    def __call__(self, images: Array, product: Product = digital, *, training: bool = False) -> Array:
        """What the module returns for `images`, its products taken over by `product`.

        A module that behaves differently in training must be put in that state (`nnx.Module.train`, `eval`).
        """
        del training
        token = _PRODUCT.set(product)
        try:
            return self.zz_module(images)
        finally:
            _PRODUCT.reset(token)


def to_crossbar(module: nnx.Module) -> Crossbar:
    """A copy of `module` with every `nnx.Linear` and `nnx.Conv` on arrays.

    The layers are named by their place, `fc1` or `blocks_0_conv`; the networks of this package, `layer_shapes`, the
    training methods and folding take the result as they take their own.

    Raises:
        ValueError: no such layer, or a convolution that arrays cannot hold (groups, dilation, other than two dimensions,
            unequal strides, circular padding).
    """
    copy = nnx.clone(module)
    if not list(_layers(copy)):
        raise ValueError("module must have an nnx.Linear or nnx.Conv to put on arrays")
    return Crossbar(copy)


def _layers(module: nnx.Module) -> list[tuple[tuple[Any, ...], nnx.Linear | nnx.Conv]]:
    found = [(path, node) for path, node in nnx.iter_graph(module) if isinstance(node, nnx.Linear | nnx.Conv)]
    return sorted(found, key=lambda item: tuple(map(str, item[0])))


def contract_of(name: str, layer: nnx.Linear | nnx.Conv) -> Contract:
    """How the layer's product contracts inputs with its kernel."""
    if isinstance(layer, nnx.Linear):
        return dense
    strides, dilation = _pair(layer.strides), (*_pair(layer.kernel_dilation), *_pair(layer.input_dilation))
    rules = {
        "two dimensions": len(layer.kernel_size) == 2,
        "one group": layer.feature_group_count == 1,
        "no dilation": set(dilation) == {1},
        "equal strides": strides[0] == strides[1],
        "padding SAME or VALID": layer.padding in ("SAME", "VALID"),
    }
    if broken := [rule for rule, holds in rules.items() if not holds]:
        raise ValueError(f"{name}: a convolution on arrays must have {', '.join(broken)}")
    padding: Padding = layer.padding  # type: ignore[assignment]
    return convolution(padding=padding, stride=strides[0])


def _pair(value: Any) -> tuple[int, int]:
    if value is None:
        return 1, 1
    return (value, value) if isinstance(value, int) else tuple(jax.tree.leaves(value))  # type: ignore[return-value]
