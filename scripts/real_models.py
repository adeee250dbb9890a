"""Networks that nobody here wrote, from registry packages: outputs against onnxruntime, in floating point and on ideal arrays.

    python scripts/real_models.py [NAME …]

Needs `onnx`, `onnxruntime` and, for their models, `rapidocr-onnxruntime`, `silero-vad` and `magika` (without their
dependencies: `pip install --no-deps`). The classics of `onnx`, whose weights are one number everywhere, get drawn weights.
Prints a row for each model as Markdown: products on arrays, weights, multiply-accumulates of an input, products that stay
digital, and the largest difference from onnxruntime over the largest output.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.graph.test_graph_packages import drawn
from xbar_cli.graph.model import Graph, read_graph
from xbar_cli.mapping.placing import Span, place
from xbar_cli.nn.layers import Product, digital
from xbar_cli.nn.shapes import layer_shapes
from xbar_cli.nn.sites.crossbar import Crossbar, to_crossbar

G_OFF, G_ON = 1 / 300e3, 1 / 30e3


@dataclass(frozen=True)
class Model:
    """A model of a package.

    Attributes:
        package: that has it.
        file: in the package's folder.
        shape: of one input, as the network sees it.
        tokens: number of different tokens; None where inputs are numbers.
        strokes: whether inputs are pictures with strokes as of text, without which its outputs are 0.
        more: inputs besides the first, for a batch of so many.
    """

    package: str
    file: str
    shape: tuple[int, ...]
    tokens: int | None = None
    strokes: bool = False
    more: Callable[[int], tuple[Any, ...]] = lambda count: ()


def light(name: str) -> Model:
    """One of the light models of `onnx`, whose weights are made as they are read."""
    return Model("onnx", f"backend/test/data/light/light_{name}.onnx", (3, 224, 224))


MODELS = {
    "text recognition": Model("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx", (3, 48, 160)),
    "text detection": Model("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx", (3, 160, 160), strokes=True),
    "text orientation": Model("rapidocr_onnxruntime", "models/ch_ppocr_mobile_v2.0_cls_infer.onnx", (3, 48, 192)),
    "voice activity": Model(
        "silero_vad", "data/silero_vad_16k_op15.onnx", (576,),
        more=lambda count: (np.zeros((2, count, 128), np.float32), np.asarray(16000)),
    ),
    "file types": Model("magika", "models/standard_v3_3/model.onnx", (2048,), tokens=257),
    **{name: light(name) for name in (
        "resnet50", "densenet121", "shufflenet", "squeezenet", "inception_v1", "inception_v2", "bvlc_alexnet", "vgg19",
    )},
}  # fmt: skip


def file_of(model: Model) -> Path | None:
    """The model's file; None where its package is not installed."""
    spec = find_spec(model.package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / model.file
    return path if path.exists() else None


def inputs_of(model: Model, count: int) -> np.ndarray:
    """Random inputs [count …]."""
    rng = np.random.default_rng(0)
    if model.tokens is not None:
        return rng.integers(0, model.tokens, (count, *model.shape)).astype(np.int32)
    if model.strokes:
        ink = np.ones((count, 1, *model.shape[1:]), np.float32)
        for left in range(20, 140, 8):
            ink[:, :, 60:84, left : left + 1 + rng.integers(4)] = -1
            ink[:, :, 60 + rng.integers(24), left : left + 6] = -1
        return np.repeat(2 * ink, 3, axis=1)
    return (rng.normal(size=(count, *model.shape)) * (1 if model.package == "onnx" else 0.1)).astype(np.float32)


def network(graph: Graph, model: Model) -> Crossbar:
    """The graph, its products on arrays where they can be."""
    one = graph.inputs[0].shape is not None and graph.inputs[0].shape[0] == 1

    def function(params: Any, x: jax.Array) -> jax.Array:
        if one:
            return jax.vmap(lambda v: graph(params, v[None])[0][0])(x)
        return graph(params, x, *model.more(x.shape[0]))[0]

    return to_crossbar(function, shape=model.shape, dtype=inputs_of(model, 1).dtype, parameters=graph.params)


def on_ideal_arrays(net: Crossbar) -> Product:
    """Every kernel as what pairs of devices between G_off and G_on stand for."""

    def decoded(name: str, kernel: np.ndarray) -> jax.Array:
        weights = kernel.reshape(-1, kernel.shape[-1])
        largest = float(np.abs(weights).max()) or 1.0
        placed = place("de", weights, Span(None, G_OFF, G_ON, np.asarray((G_ON - G_OFF) / largest)))
        return jnp.asarray(placed.decoded().reshape(kernel.shape), jnp.float32)

    kernels = {name: decoded(name, np.asarray(getattr(net, name).kernel[...])) for name in net.names.values()}
    return lambda name, x, kernel, contract: contract(x, kernels[name])


def difference(found: Any, wanted: np.ndarray) -> float:
    """Largest difference over the largest output."""
    return float(np.abs(np.asarray(found, np.float64) - wanted).max() / max(np.abs(wanted).max(), 1e-30))


def compared(model: Model, path: Path) -> dict[str, Any]:
    """One model beside onnxruntime."""
    import onnxruntime

    start = time.process_time()
    graph = read_graph(path)
    net = network(graph, model)
    seconds = time.process_time() - start
    one = graph.inputs[0].shape is not None and graph.inputs[0].shape[0] == 1
    count = 1 if one else 2
    x = inputs_of(model, count)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = zip([port.name for port in graph.inputs], (x, *model.more(count)), strict=True)
    wanted = session.run(None, dict(given))[0]
    shapes = layer_shapes(net, shape=model.shape, dtype=x.dtype)
    product = on_ideal_arrays(net)
    left = net.left()
    return {
        "products": len(shapes),
        "grouped": sum(shape.groups > 1 for shape in shapes),
        "weights": sum(int(np.prod(shape.kernel)) for shape in shapes),
        "macs": sum(shape.macs for shape in shapes),
        "left": len(left),
        "why": "; ".join(dict.fromkeys(product.reason for product in left)) or "–",
        "digital": difference(jax.jit(lambda x: net(x, digital))(x), wanted),
        "ideal": difference(jax.jit(lambda x: net(x, product))(x), wanted),
        "seconds": seconds,
    }


def main(names: list[str]) -> int:
    """The table; 1 where a difference is above 1e-4 in floating point or 1e-3 on ideal arrays."""
    print(
        "| model | products (grouped) | weights | MACs | digital products, why | floating point | ideal arrays | read [s] |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    missed = 0
    for name in names or MODELS:
        path = file_of(MODELS[name])
        if path is None:
            print(f"| {name} | not installed: {MODELS[name].package} |")
            continue
        with tempfile.TemporaryDirectory() as folder:
            row = compared(MODELS[name], drawn(path, Path(folder)) if MODELS[name].package == "onnx" else path)
        missed |= not (row["digital"] <= 1e-4 and row["ideal"] <= 1e-3)
        print(
            f"| {name} | {row['products']} ({row['grouped']}) | {row['weights']:.3g} | {row['macs']:.3g} | {row['left']}: "
            f"{row['why']} | {row['digital']:.1e} | {row['ideal']:.1e} | {row['seconds']:.1f} |",
            flush=True,
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
