"""Equations of a traced program as products of layers: inputs `[images *place in]`, a kernel `[*window in out]`."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jax import Array
from jax.extend import core

from xbar_cli.array.ideal import Contract
from xbar_cli.nn.contracts import Convolution, MatrixProduct

from .known import shape_of


@dataclass(frozen=True)
class Form:
    """How an equation is the product of a layer.

    Attributes:
        layout: which axes of the operand make the kernel: equations that read one parameter alike share its arrays.
        contract: the layer's product.
        kernel: from the equation's operand to the layer's kernel.
        inputs: from the equation's other operand to the layer's inputs.
        outputs: from the layer's outputs to the equation's.
    """

    layout: tuple[Any, ...]
    contract: Contract
    kernel: Callable[[Array], Array]
    inputs: Callable[[Array], Array]
    outputs: Callable[[Array], Array]


@dataclass(frozen=True)
class ImageAxis:
    """Where the images of a batch are among the axes of an operand.

    Attributes:
        axis: their axis.
        each: elements of this axis that belong to one image.
    """

    axis: int
    each: int


def form_of(equation: core.JaxprEqn, *, kernel_first: bool, images: ImageAxis) -> Form:
    """The product that `equation` is.

    Args:
        equation: a `dot_general` or a `conv_general_dilated`.
        kernel_first: whether the kernel is its first operand.
        images: of the other operand.

    Raises:
        ValueError: arrays cannot hold it, with why.
    """
    if equation.primitive.name == "dot_general":
        return _matrix_form(equation, kernel_first=kernel_first, images=images)
    return _convolution_form(equation, kernel_first=kernel_first, images=images)


def images_of(shapes: tuple[tuple[int, ...], tuple[int, ...]], counts: tuple[int, int]) -> ImageAxis:
    """Where the images are, from the shapes of one operand in two traces with different `counts` of images.

    Raises:
        ValueError: no axis, or several, grow with the images.
    """
    grown = [axis for axis, sizes in enumerate(zip(*shapes, strict=True)) if sizes[0] != sizes[1]]
    if len(grown) == 1:
        (axis,) = grown
        each = [shape[axis] / count for shape, count in zip(shapes, counts, strict=True)]
        if each[0] == each[1] == int(each[0]):
            return ImageAxis(axis, int(each[0]))
    raise ValueError("its inputs do not belong to one image each")


def _matrix_form(equation: core.JaxprEqn, *, kernel_first: bool, images: ImageAxis) -> Form:
    contracted, batched = equation.params["dimension_numbers"]
    (k_in, x_in), (k_groups, x_groups) = (contracted, batched) if kernel_first else (contracted[::-1], batched[::-1])
    shapes = [shape_of(atom) for atom in equation.invars]
    k_shape, x_shape = shapes if kernel_first else shapes[::-1]
    k_free = [a for a in range(len(k_shape)) if a not in (*k_in, *k_groups)]
    x_free = [a for a in range(len(x_shape)) if a not in (*x_in, *x_groups)]
    if images.axis not in x_free:
        raise ValueError("its parameter differs from image to image")
    places = [a for a in x_free if a != images.axis]
    groups = math.prod(k_shape[a] for a in k_groups)
    n_in, n_out = (math.prod(k_shape[a] for a in axes) for axes in (k_in, k_free))

    def kernel(k: Array) -> Array:
        k = k.transpose(*k_in, *k_groups, *k_free)
        return k.reshape(n_in, groups * n_out)

    def inputs(x: Array) -> Array:
        x = x.transpose(images.axis, *places, *x_groups, *x_in)
        count = x.shape[0] // images.each
        each = () if images.each == 1 else (images.each,)
        return x.reshape(count, *each, *(x.shape[1 + n] for n in range(len(places))), groups * n_in)

    def outputs(y: Array) -> Array:
        sizes = {a: x_shape[a] for a in places} | {images.axis: y.shape[0] * images.each}
        now = [
            ("x", images.axis),
            *(("x", a) for a in places),
            *(("k", a) for a in k_groups),
            *(("k", a) for a in k_free),
        ]
        y = y.reshape([sizes[a] if side == "x" else k_shape[a] for side, a in now])
        x_part, k_part = [("x", a) for a in x_free], [("k", a) for a in k_free]
        wanted = [*(("k", a) for a in k_groups), *(k_part + x_part if kernel_first else x_part + k_part)]
        return y.transpose([now.index(part) for part in wanted])

    return Form((tuple(k_in), tuple(k_groups)), MatrixProduct(groups), kernel, inputs, outputs)


def _convolution_form(equation: core.JaxprEqn, *, kernel_first: bool, images: ImageAxis) -> Form:
    params = equation.params
    numbers = params["dimension_numbers"]
    if kernel_first:
        raise ValueError("its parameter is what is convolved")
    if params["batch_group_count"] != 1:
        raise ValueError("it has groups of images")
    if images.axis != numbers.lhs_spec[0]:
        raise ValueError("its images are not along its batch")
    ends = tuple((int(low), int(high)) for low, high in params["padding"])
    if any(end < 0 for pair in ends for end in pair):
        raise ValueError("its padding takes away inputs")
    contract = Convolution(
        padding=ends,
        stride=_plain(params["window_strides"]),
        dilation=_plain(params["rhs_dilation"]),
        spread=_plain(params["lhs_dilation"]),
        groups=params["feature_group_count"],
    )
    lhs, rhs, out = numbers.lhs_spec, numbers.rhs_spec, numbers.out_spec

    def inputs(x: Array) -> Array:
        x = x.transpose(lhs[0], *lhs[2:], lhs[1])
        return x if images.each == 1 else x.reshape(-1, images.each, *x.shape[1:])

    def outputs(y: Array) -> Array:
        y = y if images.each == 1 else y.reshape(-1, *y.shape[2:])
        now = (out[0], *out[2:], out[1])
        return y.transpose([now.index(axis) for axis in range(len(now))])

    layout = (*rhs, contract.groups)
    return Form(layout, contract, lambda k: k.transpose(*rhs[2:], rhs[1], rhs[0]), inputs, outputs)


def _plain(values: Any) -> int | tuple[int, ...]:
    """One number where all are equal."""
    found = tuple(int(v) for v in values)
    return found[0] if len(set(found)) == 1 else found
