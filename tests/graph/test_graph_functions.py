"""Graphs as functions: what is a parameter, what is static, and how control flow is traced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from jax.test_util import check_grads  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from tests.onnx_models import error, expected, save  # noqa: E402
from xbar_cli.errors import ConfigError  # noqa: E402
from xbar_cli.graph.model import read_graph  # noqa: E402

F = np.float32


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(F)


@pytest.fixture
def perceptron(tmp_path):
    """x [N, 4] to [N, 2], by a `Gemm`, a `Relu` and a `MatMul` whose weights come from a Constant."""
    nodes = [
        helper.make_node("Gemm", ["x", "fc1.weight", "fc1.bias"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["a"]),
        helper.make_node("Constant", [], ["fc2"], value=numpy_helper.from_array(values(3, 2, seed=1))),
        helper.make_node("MatMul", ["a", "fc2"], ["b"]),
        helper.make_node("Mul", ["b", "half"], ["y"]),
    ]
    weights = {"fc1.weight": values(3, 4), "fc1.bias": values(3), "half": np.asarray([0.5], F), "unused": values(7)}
    return save(tmp_path, nodes, {"x": (("N", 4), F)}, {"y": (("N", 2), F)}, weights)


def test_a_graph_says_what_it_is(perceptron):
    graph = read_graph(perceptron)
    assert {name: value.shape for name, value in graph.params.items()} == {
        "fc1.weight": (3, 4),
        "fc1.bias": (3,),
        "fc2": (3, 2),
    }
    (x,), (y,) = graph.inputs, graph.outputs
    assert (x.name, x.shape, x.dtype) == ("x", ("N", 4), F)
    assert (y.name, y.shape, y.dtype) == ("y", ("N", 2), F)
    assert (graph.opset, graph.producer) == (17, "tests")
    assert graph.operators == {"Gemm": 1, "Relu": 1, "Constant": 1, "MatMul": 1, "Mul": 1}


@pytest.mark.parametrize("samples", [1, 5])
def test_it_computes_the_same_compiled_and_for_any_free_size(perceptron, samples):
    graph, x = read_graph(perceptron), values(samples, 4, seed=2)
    (wanted,) = expected(perceptron, [x])
    assert error(graph(graph.params, x)[0], wanted) < 1e-6
    assert error(jax.jit(graph)(graph.params, x)[0], wanted) < 1e-6


def test_it_is_differentiated_by_weights_and_inputs(perceptron):
    graph, x = read_graph(perceptron), jnp.asarray(values(2, 4, seed=2))
    params = {name: jnp.asarray(value) for name, value in graph.params.items()}
    check_grads(lambda params, x: graph(params, x)[0], (params, x), order=1, modes=["rev"], atol=1e-2, rtol=1e-2)


def test_weights_enter_products_as_they_are(perceptron):
    graph = read_graph(perceptron)
    traced = jax.make_jaxpr(graph)(graph.params, values(2, 4))
    names = dict(zip(traced.jaxpr.invars, jax.tree.leaves({name: name for name in graph.params}), strict=False))
    products = [one for one in traced.jaxpr.eqns if one.primitive.name == "dot_general"]
    assert [names.get(one.invars[1]) for one in products] == ["fc1.weight", "fc2"]


def test_wrong_inputs_and_weights_are_one_line(perceptron):
    graph = read_graph(perceptron)
    with pytest.raises(ValueError, match="1 inputs are wanted"):
        graph(graph.params)
    with pytest.raises(ValueError, match=r"must have the shape \[N, 4\]; it has \[2, 5\]"):
        graph(graph.params, values(2, 5))
    with pytest.raises(ValueError, match="must be float32; it is int32"):
        graph(graph.params, jnp.zeros((2, 4), jnp.int32))
    with pytest.raises(ValueError, match="the weight 'fc2' is missing"):
        graph({name: value for name, value in graph.params.items() if name != "fc2"}, values(2, 4))
    with pytest.raises(ValueError, match="the weight 'fc2' must have the shape"):
        graph({**graph.params, "fc2": values(2, 3)}, values(2, 4))


def test_sizes_that_follow_from_shapes_are_computed_while_tracing(tmp_path):
    """[N, T, 6] to [N T, 2, 3] and back by `Shape`, `Gather`, `Concat`, `Mul`, `Cast`, as exporters write it."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Gather", ["s", "one"], ["t"]),
        helper.make_node("Mul", ["n", "t"], ["nt"]),
        helper.make_node("Unsqueeze", ["nt", "axis"], ["nt1"]),
        helper.make_node("Concat", ["nt1", "tail"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["r"]),
        helper.make_node("Range", ["zero", "nt", "one"], ["steps"]),
        helper.make_node("Cast", ["steps"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["floats", "column"], ["rows"]),
        helper.make_node("Add", ["r", "rows"], ["y"]),
    ]
    weights = {
        "zero": np.asarray(0), "one": np.asarray(1), "axis": np.asarray([0]), "tail": np.asarray([2, 3]),
        "column": np.asarray([-1, 1, 1]),
    }  # fmt: skip
    path = save(tmp_path, nodes, {"x": (("N", "T", 6), F)}, {"y": (None, F)}, weights)
    graph, x = read_graph(path), values(2, 3, 6)
    assert graph.params == {}
    (found,) = jax.jit(graph)({}, x)
    np.testing.assert_array_equal(np.asarray(found), expected(path, [x])[0])


def branches(tmp_path, *, condition):
    """y = x W or x V, by a condition that is an input, or that follows from a shape."""
    bodies = [
        helper.make_graph(
            [
                helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(values(4, 4, seed=seed))),
                helper.make_node("MatMul", ["x", "w"], [f"out{seed}"]),
            ],
            f"branch{seed}", [], [helper.make_tensor_value_info(f"out{seed}", TensorProto.FLOAT, None)],
        )
        for seed in (1, 2)
    ]  # fmt: skip
    choice = helper.make_node("If", ["c"], ["y"], then_branch=bodies[0], else_branch=bodies[1], name="choice")
    if condition == "input":
        return save(tmp_path, [choice], {"x": (("N", 4), F), "c": ((), bool)}, {"y": (None, F)})
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], end=1),
        helper.make_node("Squeeze", ["s"], ["n"]),
        helper.make_node("Equal", ["n", "two"], ["c"]),
        choice,
    ]
    return save(tmp_path, nodes, {"x": (("N", 4), F)}, {"y": (None, F)}, {"two": np.asarray(2)})


@pytest.mark.parametrize("samples", [2, 3])
def test_a_branch_on_a_shape_is_chosen_while_tracing(tmp_path, samples):
    path = branches(tmp_path, condition="shape")
    graph, x = read_graph(path), values(samples, 4)
    assert len(graph.params) == 2  # each branch its own `w`
    traced = jax.make_jaxpr(graph)(graph.params, x)
    assert [one.primitive.name for one in traced.jaxpr.eqns].count("cond") == 0
    assert error(graph(graph.params, x)[0], expected(path, [x])[0]) < 1e-6


@pytest.mark.parametrize("condition", [True, False])
def test_a_branch_on_an_input_is_static_or_a_cond(tmp_path, condition):
    path = branches(tmp_path, condition="input")
    graph, x = read_graph(path), values(2, 4)
    (wanted,) = expected(path, [x, np.asarray(condition)])
    static = jax.jit(lambda params, x: graph(params, x, np.asarray(condition)))
    assert error(static(graph.params, x)[0], wanted) < 1e-6
    assert error(jax.jit(graph)(graph.params, x, jnp.asarray(condition))[0], wanted) < 1e-6
    traced = jax.make_jaxpr(graph)(graph.params, x, jnp.asarray(condition))
    assert "cond" in [one.primitive.name for one in traced.jaxpr.eqns]


def looped(tmp_path, *, turns, growing=False):
    """h ← tanh(h W) over and over, each h an output; or h ← [h, h]."""
    step = (
        [helper.make_node("Concat", ["h", "h"], ["new"], axis=0)]
        if growing
        else [helper.make_node("MatMul", ["h", "w"], ["p"]), helper.make_node("Tanh", ["p"], ["new"])]
    )
    body = helper.make_graph(
        [
            *step,
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("ReduceSum", ["new"], ["row"], keepdims=0),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, ()),
            helper.make_tensor_value_info("go", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("h", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("new", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("row", TensorProto.FLOAT, ()),
        ],
    )
    node = helper.make_node("Loop", ["turns", "", "x"], ["y", "rows"], body=body)
    weights = {"w": values(4, 4), "turns": np.asarray(turns)}
    return save(tmp_path, [node], {"x": ((2, 4), F)}, {"y": (None, F), "rows": (None, F)}, weights)


@pytest.mark.parametrize(("growing", "primitive"), [(False, "scan"), (True, None)])
def test_a_loop_is_a_scan_or_laid_out_where_sizes_change(tmp_path, growing, primitive):
    path = looped(tmp_path, turns=3, growing=growing)
    graph, x = read_graph(path), values(2, 4)
    found, wanted = jax.jit(graph)(graph.params, x), expected(path, [x])
    assert max(error(a, b) for a, b in zip(found, wanted, strict=True)) < 1e-6
    names = [one.primitive.name for one in jax.make_jaxpr(graph)(graph.params, x).jaxpr.eqns]
    assert ("scan" in names) == (primitive == "scan")


def test_weights_of_a_recurrent_layer_are_constants_of_its_scan(tmp_path):
    weights = {"w": values(1, 12, 5), "r": values(1, 12, 3, seed=1), "b": values(1, 24, seed=2)}
    node = helper.make_node("LSTM", ["x", "w", "r", "b"], ["y"], hidden_size=3)
    path = save(tmp_path, [node], {"x": (("T", 2, 5), F)}, {"y": (None, F)}, weights)
    graph = read_graph(path)
    (scan,) = [
        one for one in jax.make_jaxpr(graph)(graph.params, values(4, 2, 5)).jaxpr.eqns if one.primitive.name == "scan"
    ]
    constants = scan.invars[: scan.params["num_consts"]]
    assert [one.aval.shape for one in constants] == [(12, 3)]


def test_sizes_that_depend_on_values_are_one_line(tmp_path):
    node = helper.make_node("Reshape", ["x", "s"], ["y"], name="odd")
    path = save(tmp_path, [node], {"x": ((4,), F), "s": ((2,), np.int64)}, {"y": (None, F)})
    graph = read_graph(path)
    assert graph({}, values(4), np.asarray([2, 2]))[0].shape == (2, 2)  # of NumPy, it is static
    with pytest.raises(
        ConfigError, match=r"node 'odd' \(Reshape, opset 17\): its shape depends on the values of an input"
    ):
        jax.jit(graph)({}, values(4), jnp.asarray([2, 2]))


def test_inputs_that_do_not_fit_a_node_are_one_line(tmp_path):
    node = helper.make_node("Add", ["a", "b"], ["y"], name="sum")
    path = save(tmp_path, [node], {"a": (("N",), F), "b": (("M",), F)}, {"y": (None, F)})
    graph = read_graph(path)
    with pytest.raises(ConfigError, match=r"node 'sum' \(Add, opset 17\): .*inputs of shapes \(2,\), \(3,\)") as caught:
        graph({}, values(2), values(3))
    assert "\n" not in str(caught.value)
