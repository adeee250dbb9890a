"""Operators as networks use them, against onnxruntime or the reference of `onnx`; scripts/onnx_conformance.py has the rest."""

import jax
import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import helper  # noqa: E402

from tests.onnx_models import error, expected, save  # noqa: E402
from xbar_cli.graph.model import read_graph  # noqa: E402

F = np.float32


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(F)


def ints(*numbers):
    return np.asarray(numbers, np.int64)


# operator, attributes, shapes of inputs in floating point, weights, opset
CASES = [
    ("Gemm", {"transB": 1, "alpha": 0.5, "beta": 2.0}, [(3, 5)], [values(4, 5), values(4)], 13),
    ("Gemm", {"transA": 1}, [(5, 3)], [values(5, 4), values(3, 1)], 9),
    ("MatMul", {}, [(2, 3, 5)], [values(5, 4)], 13),
    ("MatMul", {}, [(2, 3, 5)], [values(2, 5, 4)], 13),
    ("MatMul", {}, [(3, 5), (2, 5, 4)], [], 13),
    ("Einsum", {"equation": "btd, dhk -> bhtk"}, [(2, 3, 4)], [values(4, 2, 5)], 12),
    (
        "Conv",
        {"strides": [2, 1], "pads": [1, 0, 2, 1], "dilations": [1, 2]},
        [(2, 3, 9, 8)],
        [values(4, 3, 3, 2), values(4)],
        11,
    ),
    ("Conv", {"group": 2, "auto_pad": "SAME_LOWER", "strides": [2]}, [(1, 4, 9)], [values(6, 2, 3)], 11),
    ("Conv", {"group": 3}, [(1, 3, 4, 4, 4)], [values(3, 1, 2, 2, 2)], 11),
    (
        "ConvTranspose",
        {"strides": [2, 3], "output_padding": [1, 0], "pads": [1, 0, 0, 1]},
        [(1, 4, 4, 3)],
        [values(4, 2, 3, 3), values(2)],
        11,
    ),
    ("ConvTranspose", {"group": 2, "dilations": [2]}, [(1, 4, 5)], [values(4, 3, 3)], 11),
    ("BatchNormalization", {"epsilon": 1e-3}, [(2, 3, 4)], [values(3), values(3), values(3), abs(values(3)) + 0.1], 15),
    ("LayerNormalization", {"axis": -2}, [(2, 3, 4)], [values(3, 4), values(3, 4)], 17),
    ("InstanceNormalization", {}, [(2, 3, 4)], [values(3), values(3)], 13),
    ("LRN", {"size": 3, "alpha": 0.1}, [(1, 5, 2, 2)], [], 13),
    ("Softmax", {"axis": 1}, [(2, 3, 4)], [], 11),
    ("Softmax", {"axis": 1}, [(2, 3, 4)], [], 13),
    ("LogSoftmax", {}, [(2, 3, 4)], [], 13),
    (
        "MaxPool",
        {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1], "ceil_mode": 1},
        [(1, 2, 7, 8)],
        [],
        12,
    ),
    ("AveragePool", {"kernel_shape": [3], "strides": [2], "pads": [1, 1], "ceil_mode": 1}, [(1, 2, 8)], [], 19),
    ("AveragePool", {"kernel_shape": [2, 2], "pads": [0, 0, 1, 1], "count_include_pad": 1}, [(1, 2, 4, 4)], [], 11),
    ("GlobalAveragePool", {}, [(2, 3, 4, 5)], [], 9),
    ("GlobalLpPool", {"p": 3}, [(2, 3, 4, 5)], [], 9),
    ("Clip", {"min": -0.5, "max": 0.5}, [(3, 4)], [], 9),
    ("Pow", {}, [(3, 4)], [np.asarray(2, F)], 13),
    ("PRelu", {}, [(2, 3, 4)], [values(3, 1)], 16),
    ("Gelu", {"approximate": "tanh"}, [(3, 4)], [], 20),
    ("Erf", {}, [(3, 4)], [], 13),
    ("HardSigmoid", {"alpha": 0.1}, [(3, 4)], [], 13),
    ("ReduceMean", {"axes": [1, -1], "keepdims": 0}, [(2, 3, 4)], [], 13),
    ("ReduceL2", {}, [(2, 3, 4)], [ints(1)], 18),
    ("Transpose", {"perm": [2, 0, 1]}, [(2, 3, 4)], [], 13),
    ("Reshape", {}, [(2, 3, 4)], [ints(0, -1)], 14),
    ("Slice", {}, [(5, 6)], [ints(-1, 1), ints(-(2**62), 2**62), ints(0, 1), ints(-2, 3)], 13),
    ("Slice", {"starts": [1], "ends": [-1], "axes": [1]}, [(5, 6)], [], 9),
    ("Gather", {"axis": 1}, [(3, 4, 2)], [ints(-1, 0)], 13),
    ("Gather", {"axis": 0}, [(3, 4)], [np.asarray(-1)], 13),
    ("GatherND", {"batch_dims": 1}, [(2, 3, 4)], [np.asarray([[[1]], [[2]]])], 13),
    ("Expand", {}, [(3, 1)], [ints(2, 1, 4)], 13),
    ("Tile", {}, [(2, 3)], [ints(2, 1)], 13),
    ("Pad", {"mode": "reflect"}, [(3, 4)], [ints(1, 0, 0, 2)], 13),
    ("Pad", {}, [(3, 4)], [ints(1, -1, 0, 2), np.asarray(3, F)], 13),
    ("Trilu", {"upper": 0}, [(3, 4)], [np.asarray(1)], 14),
    ("DepthToSpace", {"blocksize": 2, "mode": "CRD"}, [(1, 8, 2, 3)], [], 13),
    ("CumSum", {"exclusive": 1, "reverse": 1}, [(3, 4)], [np.asarray(1)], 14),
    ("Resize", {"mode": "linear"}, [(1, 2, 4, 5)], [np.zeros(0, F), np.asarray([1, 1, 2, 1.6], F)], 13),
    (
        "Resize",
        {"mode": "cubic", "coordinate_transformation_mode": "align_corners"},
        [(1, 1, 4, 5)],
        [np.zeros(0, F), np.zeros(0, F), ints(1, 1, 7, 3)],
        13,
    ),
    (
        "Resize",
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        [(1, 2, 4, 5)],
        [np.zeros(0, F), np.asarray([1, 1, 2, 2], F)],
        11,
    ),
    ("Upsample", {"mode": "nearest"}, [(1, 2, 3, 3)], [np.asarray([1, 1, 2, 2], F)], 9),
    (
        "LSTM",
        {"hidden_size": 3, "direction": "bidirectional"},
        [(4, 2, 5)],
        [values(2, 12, 5), values(2, 12, 3), values(2, 24)],
        14,
    ),
    (
        "GRU",
        {"hidden_size": 3, "linear_before_reset": 1},
        [(4, 2, 5)],
        [values(1, 9, 5), values(1, 9, 3), values(1, 18)],
        14,
    ),
    ("GRU", {"hidden_size": 3, "direction": "reverse"}, [(4, 2, 5)], [values(1, 9, 5), values(1, 9, 3)], 14),
    (
        "RNN",
        {"hidden_size": 3, "activations": ["Relu"]},
        [(4, 2, 5)],
        [values(1, 3, 5), values(1, 3, 3), values(1, 6)],
        14,
    ),
]


def case_name(case):
    return f"{case[0]}-{case[4]}"


@pytest.mark.parametrize("case", CASES, ids=map(case_name, CASES))
def test_an_operator_computes_what_onnx_says(case, tmp_path):
    operator, attributes, shapes, weights, opset = case
    inputs = {f"x{n}": (shape, F) for n, shape in enumerate(shapes)}
    constants = {f"w{n}": value for n, value in enumerate(weights)}
    node = helper.make_node(operator, [*inputs, *constants], ["y"], name="one", **attributes)
    path = save(tmp_path, [node], inputs, {"y": (None, F)}, constants, opset=opset)
    given = [values(*shape, seed=n + 1) for n, shape in enumerate(shapes)]
    graph = read_graph(path)
    (found,) = jax.jit(graph)(graph.params, *given)
    assert error(found, expected(path, given)[0]) < 2e-6


def test_dynamically_quantised_products_are_those_of_floating_weights(tmp_path):
    whole = np.random.default_rng(0).integers(-128, 128, (5, 4)).astype(np.int8)
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
        helper.make_node("MatMulInteger", ["q", "w", "zero"], ["sums"]),
        helper.make_node("Cast", ["sums"], ["floating"], to=1),
        helper.make_node("Mul", ["floating", "scale"], ["y"]),
    ]
    path = save(tmp_path, nodes, {"x": ((3, 5), F)}, {"y": ((3, 4), F)}, {"w": whole})
    graph = read_graph(path)
    (weight,) = graph.params.values()
    np.testing.assert_array_equal(weight, whole.astype(F))
    x = values(3, 5)
    (found,) = graph(graph.params, x)
    assert error(found, expected(path, [x])[0]) < 0.02  # one step of a rounded half


def test_a_quantised_convolution_has_its_kernel_as_a_parameter(tmp_path):
    rng = np.random.default_rng(0)
    weights = {
        "x_scale": np.asarray(0.05, F),
        "x_zero": np.asarray(3, np.uint8),
        "w": rng.integers(-128, 128, (4, 3, 2, 2)).astype(np.int8),
        "w_scale": (0.01 + rng.random(4)).astype(F),
        "w_zero": np.zeros(4, np.int8),
        "y_scale": np.asarray(2.0, F),
        "y_zero": np.asarray(100, np.uint8),
        "b": rng.integers(-500, 500, 4).astype(np.int32),
    }
    node = helper.make_node(
        "QLinearConv", ["x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero", "b"], ["y"]
    )
    path = save(tmp_path, [node], {"x": ((1, 3, 5, 5), np.uint8)}, {"y": (None, np.uint8)}, weights)
    graph = read_graph(path)
    kernel = weights["w"].astype(F) * weights["w_scale"][:, None, None, None]
    assert any(value.shape == kernel.shape and np.array_equal(value, kernel) for value in graph.params.values())
    x = rng.integers(0, 256, (1, 3, 5, 5)).astype(np.uint8)
    (found,) = graph(graph.params, jax.numpy.asarray(x))
    wanted = expected(path, [x])[0].astype(int)
    assert wanted.std() > 20
    assert np.abs(np.asarray(found).astype(int) - wanted).max() <= 1
