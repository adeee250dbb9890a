"""Networks that nobody here wrote, from packages of the registry, against onnxruntime in floating point."""

from importlib import util
from pathlib import Path

import jax
import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, numpy_helper  # noqa: E402

from tests.onnx_models import error, expected  # noqa: E402
from xbar_cli.graph.model import read_graph  # noqa: E402

CLOSE = 1e-4
"""Largest difference to onnxruntime over the largest output."""
LIGHT = "backend/test/data/light"


def packaged(package, file):
    """A file of an installed package, which is not imported; the test is skipped where it is absent."""
    spec = util.find_spec(package)
    path = spec and spec.submodule_search_locations and Path(spec.submodule_search_locations[0]) / file
    if not path or not path.is_file():
        pytest.skip(f"needs the package {package}")
    return path


def noise(*shape, seed=0, scale=0.1):
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def differs(path, inputs, *, static=()):
    """The largest difference of an output to onnxruntime's; inputs of the places in `static` are static."""
    graph = read_graph(path)
    moving = [value for place, value in enumerate(inputs) if place not in static]

    def function(params, *values):
        rest = iter(values)
        return graph(params, *(value if place in static else next(rest) for place, value in enumerate(inputs)))

    found = jax.jit(function)(graph.params, *moving)
    return max(error(a, b) for a, b in zip(found, expected(path, inputs), strict=True))


@pytest.mark.parametrize(
    ("file", "shape"),
    [
        ("ch_PP-OCRv4_rec_infer.onnx", (2, 3, 48, 96)),
        ("ch_PP-OCRv4_det_infer.onnx", (1, 3, 160, 224)),
        ("ch_ppocr_mobile_v2.0_cls_infer.onnx", (2, 3, 48, 192)),
    ],
)
def test_text_recognition_detection_and_orientation(file, shape):
    assert differs(packaged("rapidocr_onnxruntime", f"models/{file}"), [noise(*shape, scale=1)]) < CLOSE


def test_the_recogniser_is_read_and_traced_in_five_seconds():
    import time

    path = packaged("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx")
    start = time.process_time()
    graph = read_graph(path)
    traced = jax.make_jaxpr(graph)(graph.params, noise(1, 3, 48, 320))
    assert time.process_time() - start < 5
    names = [one.primitive.name for one in traced.jaxpr.eqns]
    assert names.count("conv_general_dilated") == graph.operators["Conv"]


def test_file_types():
    tokens = np.random.default_rng(0).integers(0, 257, (2, 2048)).astype(np.int32)
    assert differs(packaged("magika", "models/standard_v3_3/model.onnx"), [tokens]) < CLOSE


@pytest.mark.parametrize("place", [(), (2,)], ids=["traced", "static"])
def test_voice_detection_with_branches(place):
    path = packaged("silero_vad", "data/silero_vad_16k_op15.onnx")
    inputs = [noise(2, 576), noise(2, 2, 128), np.asarray(16000)]
    assert differs(path, inputs, static=place) < CLOSE


def test_voice_detection_at_two_rates():
    path = packaged("silero_vad", "data/silero_vad.onnx")
    for rate, samples in ((16000, 576), (8000, 288)):
        assert differs(path, [noise(1, samples), noise(2, 1, 128), np.asarray(rate)], static=(2,)) < CLOSE


def test_voice_detection_over_a_sequence():
    path = packaged("silero_vad", "data/silero_vad_16k_sequence.onnx")
    assert differs(path, [noise(5, 576), noise(1, 1, 128), noise(1, 1, 128)]) < CLOSE


def drawn(path, folder):
    """A light classic, whose weights are one number everywhere, with weights that are drawn instead (He), as logits."""
    model, rng = onnx.load(path), np.random.default_rng(0)
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        shape = shapes.get(node.input[0]) if node.op_type == "ConstantOfShape" else None
        if shape is None:
            kept.append(node)
            continue
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 0
        value = rng.normal(size=shape) * np.sqrt(2 / fan_in) if fan_in else rng.uniform(0.5, 1.0, shape)
        model.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), node.output[0]))
    if kept[-1].op_type == "Softmax":  # of such weights it gives 0 and 1 whatever is before it
        kept[-1].op_type = "Identity"
        del kept[-1].attribute[:]
    model.ir_version = 8  # from 4 on, weights need not be inputs
    del model.graph.node[:]
    model.graph.node.extend(kept)
    target = folder / path.name
    target.write_bytes(model.SerializeToString())
    assert any(one.data_type == TensorProto.FLOAT for one in model.graph.initializer)
    return target


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet"])
def test_small_classics_with_drawn_weights(name, tmp_path):
    path = drawn(packaged("onnx", f"{LIGHT}/light_{name}.onnx"), tmp_path)
    assert differs(path, [noise(1, 3, 224, 224, scale=1)]) < CLOSE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "densenet121", "inception_v1", "inception_v2", "bvlc_alexnet", "vgg19"])
def test_large_classics_with_drawn_weights(name, tmp_path):
    path = drawn(packaged("onnx", f"{LIGHT}/light_{name}.onnx"), tmp_path)
    assert differs(path, [noise(1, 3, 224, 224, scale=1)]) < CLOSE


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["resnet50", "densenet121", "inception_v1", "inception_v2", "shufflenet", "bvlc_alexnet", "vgg19"]
)
def test_classics_as_they_are(name):
    assert differs(packaged("onnx", f"{LIGHT}/light_{name}.onnx"), [noise(1, 3, 224, 224)]) < CLOSE
