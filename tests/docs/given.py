"""Files that a reader of the pages has already: blocks use them by these names."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tests.onnx_models import save


def network(path: Path) -> None:
    """A small network of grey pictures, channels first, as PyTorch exports it."""
    from onnx import helper

    rng = np.random.default_rng(0)
    weights = {
        "conv.weight": rng.normal(0, 0.3, (4, 1, 3, 3)).astype(np.float32),
        "conv.bias": np.zeros(4, np.float32),
        "fc.weight": rng.normal(0, 0.1, (10, 4 * 14 * 14)).astype(np.float32),
        "fc.bias": np.zeros(10, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MaxPool", ["b"], ["c"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "fc.weight", "fc.bias"], ["y"], transB=1),
    ]
    x, y = {"x": (["n", 1, 28, 28], np.float32)}, {"y": (["n", 10], np.float32)}
    save(path.parent, nodes, x, y, weights, name=path.name)


def table(path: Path) -> None:
    """Measurements of two kinds of wells: 60 rows of three columns, and their kind."""
    rng = np.random.default_rng(0)
    rows = [f"{d:.1f},{p:.2f},{t:.1f},{kind}" for kind, shift in (("dry", 0), ("wet", 1))
            for d, p, t in rng.normal((80 + 40 * shift, 2.1 - shift, 11 + shift), (12, 0.4, 1.5), (30, 3))]  # fmt: skip
    path.write_text("\n".join(["depth,pressure,temperature,kind", *rows, ""]), encoding="utf-8")


GIVEN: Mapping[str, Callable[[Path], None]] = {"model.onnx": network, "wells.csv": table}
"""What makes each file."""
