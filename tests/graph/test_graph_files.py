"""Bad .onnx files: one line each, and nothing outside of the folder is read."""

import os
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import helper, numpy_helper  # noqa: E402
from onnx.external_data_helper import set_external_data  # noqa: E402

from tests.onnx_models import error, expected, save  # noqa: E402
from xbar_cli.errors import ConfigError  # noqa: E402
from xbar_cli.graph.model import read_graph  # noqa: E402

F = np.float32
X, Y = {"x": (("N", 4), F)}, {"y": (None, F)}
WEIGHT = np.random.default_rng(0).normal(size=(4, 3)).astype(F)
DATA = WEIGHT.tobytes()


def refused(path):
    """The one line that the file is refused with."""
    with pytest.raises(ConfigError) as caught:
        read_graph(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert len(text) < len(str(path)) + 300
    return text


def product(folder, **options):
    """A file with one product."""
    return save(folder, [helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")], X, Y, {"w": WEIGHT}, **options)


def one_node(folder, *inputs, operator, opset=17, **attributes):
    """A file with one node."""
    node = helper.make_node(operator, ["x", *inputs], ["y"], name="one", **attributes)
    return save(folder, [node], X, Y, {"w": WEIGHT}, opset=opset)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
def test_a_truncated_file(tmp_path, share):
    path = product(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert "ONNX model" in refused(path)


@pytest.mark.parametrize(
    "content", [b"", b"not a model", b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(64), b"PK\x03\x04" * 30]
)
def test_a_foreign_file(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert "no ONNX model" in refused(path)


def test_flipped_bytes_are_one_line_or_another_model(tmp_path):
    path = product(tmp_path)
    data, rng = path.read_bytes(), np.random.default_rng(0)
    lines = []
    for _ in range(150):
        changed = bytearray(data)
        changed[rng.integers(len(data))] = rng.integers(256)
        path.write_bytes(bytes(changed))
        try:
            read_graph(path)
        except ConfigError as caught:
            lines.append(str(caught))
    assert len(lines) > 20
    assert not any("\n" in line for line in lines)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_graph(tmp_path / "absent.onnx")
    with pytest.raises(ConfigError, match="it is a folder"):
        read_graph(tmp_path)


def test_an_unknown_operator_is_named_with_its_node_and_opset(tmp_path):
    path = one_node(tmp_path, operator="NonMaxSuppression")
    assert refused(path).endswith("node 'one': the operator 'NonMaxSuppression' is not supported (opset 17)")
    path = one_node(tmp_path, operator="FusedConv", domain="com.microsoft")
    assert "node 'one': the operator 'com.microsoft.FusedConv' is not supported" in refused(path)


def test_an_unknown_operator_inside_a_branch_is_found_while_reading(tmp_path):
    body = helper.make_graph(
        [helper.make_node("Bernoulli", ["x"], ["b"], name="inner")],
        "g",
        [],
        [helper.make_tensor_value_info("b", 1, None)],
    )
    node = helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)
    path = save(tmp_path, [node], {**X, "c": ((), bool)}, Y)
    assert "node 'inner': the operator 'Bernoulli' is not supported" in refused(path)


def test_an_attribute_that_the_operator_does_not_have(tmp_path):
    assert "Unrecognized attribute" in refused(one_node(tmp_path, operator="Relu", sharpness=2))


def test_an_attribute_that_is_not_supported(tmp_path):
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], name="to", axis=0)
    path = save(
        tmp_path, [node], X, {"q": (None, np.uint8)}, {"s": np.ones((2, 2), F), "z": np.zeros((2, 2), np.uint8)}
    )
    graph = read_graph(path)
    with pytest.raises(ConfigError, match=r"node 'to' \(QuantizeLinear, opset 17\): a scale of several axes"):
        graph(graph.params, np.ones((2, 4), F))


@pytest.mark.parametrize("opset", [5, 99])
def test_an_opset_out_of_range(tmp_path, opset):
    assert f"opset {opset}; 6 to" in refused(product(tmp_path, opset=opset))


def test_inputs_of_texts(tmp_path):
    node = helper.make_node("Identity", ["x"], ["y"])
    value = [helper.make_tensor_value_info(name, onnx.TensorProto.STRING, (2,)) for name in "xy"]
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(helper.make_graph([node], "g", value[:1], value[1:]), ir_version=8), path)
    assert "'x' is no tensor of numbers" in refused(path)


def test_nodes_in_the_wrong_order_and_values_from_nowhere(tmp_path):
    path = one_node(tmp_path, "nowhere", operator="Add")
    assert "no valid ONNX model" in refused(path)


def test_a_tensor_with_fewer_numbers_than_its_shape_says(tmp_path):
    path = product(tmp_path)
    model = onnx.load(path)
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]
    path.write_bytes(model.SerializeToString())
    assert "the initialiser 'w' cannot be read" in refused(path)


def test_a_small_file_that_describes_a_huge_constant(tmp_path):
    node = helper.make_node("ConstantOfShape", ["s"], ["y"], name="huge")
    path = save(tmp_path, [node], {}, Y, {"s": np.asarray([2**20, 2**20])})
    assert "node 'huge' (ConstantOfShape, opset 17): a constant of more than" in refused(path)


def external(folder, location, *, offset=None, length=None, data=DATA):
    """A file whose weight lies elsewhere; what is at `location` below the folder is written too, where it is one."""
    path = product(folder)
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    tensor.raw_data = b""
    tensor.data_location = onnx.TensorProto.EXTERNAL
    set_external_data_entries(tensor, location, offset, length)
    path.write_bytes(model.SerializeToString())
    if data is not None:
        (folder / "weights.bin").write_bytes(data)
    return path


def set_external_data_entries(tensor, location, offset, length):
    """What `onnx` writes, whatever the location."""
    tensor.raw_data = b"0"
    set_external_data(tensor, location, offset=offset, length=length)
    tensor.ClearField("raw_data")


def test_external_data_of_the_folder_is_read(tmp_path):
    path = external(tmp_path, "weights.bin", offset=8, length=48, data=bytes(8) + WEIGHT.tobytes())
    graph = read_graph(path)
    np.testing.assert_array_equal(graph.params["w"], WEIGHT)
    x = np.ones((2, 4), F)
    assert error(graph(graph.params, x)[0], expected(path, [x])[0]) < 1e-6


@pytest.mark.parametrize(
    "location",
    ["/etc/hostname", "../weights.bin", "a/../../weights.bin", "C:\\weights.bin", "..\\weights.bin", "", "\0"],
)
def test_external_data_outside_of_the_folder_is_refused(tmp_path, location):
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(WEIGHT.tobytes())
    text = refused(external(folder, location))
    assert "the external data of 'w'" in text
    assert "in the folder of the model" in text or "NUL" in text


@pytest.mark.skipif(sys.platform == "win32", reason="links")
@pytest.mark.parametrize("linked", ["file", "folder"])
def test_external_data_through_a_link_is_refused(tmp_path, linked):
    folder, outside = tmp_path / "inner", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "weights.bin").write_bytes(WEIGHT.tobytes())
    location = "link.bin" if linked == "file" else "sub/weights.bin"
    os.symlink(outside / "weights.bin" if linked == "file" else outside, folder / location.split("/")[0])
    assert "goes through a link" in refused(external(folder, location))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"offset": 10**6}, "are not in 'weights.bin'"),
        ({"length": 10**6}, "are not in 'weights.bin'"),
        ({"offset": -4}, "are not in 'weights.bin'"),
        ({"length": 8}, "cannot be read"),
    ],
)
def test_external_data_that_is_not_there(tmp_path, options, text):
    assert text in refused(external(tmp_path, "weights.bin", **options))


def test_a_missing_file_of_external_data(tmp_path):
    path = external(tmp_path, "absent.bin", data=None)
    with pytest.raises(ConfigError, match=r"absent\.bin: cannot be read"):
        read_graph(path)


def test_without_the_package_one_line_says_what_to_install(tmp_path, monkeypatch):
    path = product(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'xbar-cli\[onnx\]'"):
        read_graph(path)


def test_functions_of_the_model_are_put_in_place(tmp_path):
    function = helper.make_function(
        "mine", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    node = helper.make_node("Twice", ["x"], ["y"], domain="mine")
    value = [helper.make_tensor_value_info(name, 1, ("N",)) for name in "xy"]
    model = helper.make_model(
        helper.make_graph([node], "g", value[:1], value[1:]),
        functions=[function],
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)],
        ir_version=8,
    )
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    graph = read_graph(path)
    assert graph.operators == {"Add": 1}
    np.testing.assert_array_equal(np.asarray(graph({}, np.ones(3, F))[0]), [2, 2, 2])


def test_weights_of_two_bytes_keep_their_type(tmp_path):
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    half = WEIGHT.astype(np.float16)
    path = save(tmp_path, [node], {"x": (("N", 4), np.float16)}, {"y": (None, np.float16)}, {"w": half})
    graph = read_graph(path)
    assert graph.params["w"].dtype == np.float16
    assert numpy_helper.to_array(onnx.load(path).graph.initializer[0]).tobytes() == graph.params["w"].tobytes()
    (y,) = graph(graph.params, np.ones((2, 4), np.float16))
    assert y.dtype == np.float16
