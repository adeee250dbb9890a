"""Small ONNX models in files, and what `onnx` itself or onnxruntime says of them."""

from collections.abc import Mapping, Sequence
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np

Shape = Sequence[int | str | None]


def save(
    folder: Path,
    nodes: Sequence[Any],
    inputs: Mapping[str, tuple[Shape, Any]],
    outputs: Mapping[str, tuple[Shape | None, Any]],
    weights: Mapping[str, np.ndarray] | None = None,
    *,
    opset: int = 17,
    name: str = "model.onnx",
) -> Path:
    """A file with a model of these nodes; inputs and outputs as name: (shape, type)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def value(name: str, shape: Shape | None, dtype: Any) -> Any:
        code = TensorProto.BOOL if dtype is bool else helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return helper.make_tensor_value_info(name, code, shape)

    graph = helper.make_graph(
        list(nodes),
        "graph",
        [value(name, *kind) for name, kind in inputs.items()],
        [value(name, *kind) for name, kind in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="tests")
    model.ir_version = 8
    path = folder / name
    onnx.save(model, path)
    return path


def expected(path: Path, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What onnxruntime computes where it is installed, else the reference of `onnx`."""
    if util.find_spec("onnxruntime"):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_inputs()]
        return session.run(None, dict(zip(names, inputs, strict=True)))
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(str(path))
    return list(evaluator.run(None, dict(zip(evaluator.input_names, inputs, strict=True))))


def error(found: Any, wanted: np.ndarray) -> float:
    """The largest difference over the largest value wanted."""
    assert found.shape == wanted.shape
    scale = max(float(np.abs(wanted).max(initial=0)), 1e-30)
    return float(np.abs(np.asarray(found, np.float64) - wanted).max(initial=0)) / scale
