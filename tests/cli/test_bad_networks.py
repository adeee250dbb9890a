"""ONNX files that cannot be used, and layers that are not there, on the command line: one line each, and no run."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def model(folder, *, op="MatMul", outputs=2, weights=True):
    """A network of one product for the 30 numbers of breast_cancer."""
    weight = np.ones((30, outputs), np.float32)
    tensor = numpy_helper.from_array(weight, "w")
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])
        for name, size in (("x", 30), ("y", outputs))
    ]
    node = helper.make_node(op, ["x", "w"] if weights else ["x"], ["y"], name="last")
    graph = helper.make_graph([node], "net", ports[:1], ports[1:], [tensor] if weights else [])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = folder / "model.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def truncated(folder):
    path = model(folder)
    path.write_bytes(path.read_bytes()[:-40])
    return path


def foreign(folder):
    path = folder / "model.onnx"
    path.write_bytes(b"%PDF-1.7\n" + bytes(range(256)))
    return path


def outside(folder):
    """Its weights lie beside its folder."""
    path = model(folder)
    made = onnx.load(path)
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../weights.bin")
    path.write_bytes(made.SerializeToString())
    return path


BAD = {
    "truncated": (truncated, "model.onnx: "),
    "foreign": (foreign, "model.onnx: "),
    "unknown operator": (lambda folder: model(folder, op="Einsum2"), "operator 'Einsum2'"),
    "data outside": (outside, "in the folder of the model"),
    "other classes": (lambda folder: model(folder, outputs=7), "wanted are 2 of 2 numbers each"),
    "no parameters": (lambda folder: model(folder, op="Relu", outputs=30, weights=False), "nothing to put on arrays"),
    "missing": (lambda folder: folder / "none.onnx", "none.onnx"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_network_that_cannot_be_imported_is_one_line(name, xbar, tmp_path):
    make, said = BAD[name]
    found = xbar("import", make(tmp_path), "--dataset", "breast_cancer", "--out", tmp_path / "run")
    assert (found.code, found.err.count("\n")) == (1, 1), found.err
    assert found.err.startswith("Error: ")
    assert said in found.err
    assert not (tmp_path / "run").exists()


def test_layers_that_match_nothing_are_one_line_with_those_that_are_there(xbar, tmp_path):
    run = tmp_path / "run"
    assert xbar("import", model(tmp_path), "--dataset", "breast_cancer", "--out", run, "--quiet").code == 0
    for command in ("map", "layers"):
        out = () if command == "layers" else ("--out", tmp_path / command)
        found = xbar(command, run, "--layers", "fc*", *out)
        assert (found.code, found.err.count("\n")) == (1, 1), found.err
        assert "fc*" in found.err
        assert "w" in found.err.split("fc*")[-1]
    own = tmp_path / "own.toml"
    own.write_text('[[mapping.per_layer]]\nlayers = "fc9"\nbits = 2\n')
    found = xbar("map", run, "--config", own, "--out", tmp_path / "map")
    assert (found.code, found.err.count("\n")) == (1, 1), found.err
    assert "fc9" in found.err
