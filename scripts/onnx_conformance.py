"""The conformance tests of the package `onnx` for every operator that is supported: how many run, and how many pass.

A test runs when all its operators are supported. It passes when every output has the shape and the values that `onnx`
expects, within the tolerance of the test (8-bit results of quantising within one step, bfloat16 within its last two
bits); it is refused when one line says what of it is not supported.
`--static` gives inputs as NumPy has them, so that what can be computed while tracing is; `--traced` compiles each test with
its inputs in floating point as arguments. Names of tests or operators after that choose among them.
"""

import argparse
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from onnx.backend.test.case.node import collect_testcases  # noqa: E402
from onnx.backend.test.loader import load_model_tests  # noqa: E402

import tests.conftest  # noqa: E402, F401 - XLA then compiles as for tests, quickly: every case is compiled anew
from xbar_cli.errors import XbarError  # noqa: E402
from xbar_cli.graph.evaluate import evaluate  # noqa: E402
from xbar_cli.graph.model import Graph, read_graph  # noqa: E402
from xbar_cli.graph.operators import SUPPORTED  # noqa: E402
from xbar_cli.graph.values import traced  # noqa: E402

FOLDERS = ("pytorch-converted", "pytorch-operator", "simple")
Pairs = list[tuple[list[Any], list[Any]]]


def cases() -> Iterator[tuple[str, onnx.ModelProto, Pairs, float, float]]:
    """Name, model, inputs and outputs, relative and absolute tolerance of each test."""
    for case in collect_testcases(None):
        pairs = [(list(map(plain, given)), list(map(plain, wanted))) for given, wanted in case.data_sets or []]
        yield case.name, case.model, pairs, case.rtol, case.atol
    for kind in FOLDERS:
        for case in load_model_tests(kind=kind):
            folder = Path(case.model_dir)
            sets = sorted(folder.glob("test_data_set*"))
            pairs = [(tensors(one, "input"), tensors(one, "output")) for one in sets]
            yield case.name, onnx.load(folder / "model.onnx"), pairs, case.rtol, case.atol


def plain(value: Any) -> Any:
    """An array, where the test has it as a message."""
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def tensors(folder: Path, kind: str) -> list[Any]:
    """The arrays of a folder's files `kind_0.pb`, `kind_1.pb`, …; None for what is no tensor."""
    found = []
    for number in range(len(list(folder.glob(f"{kind}_*.pb")))):
        tensor = onnx.TensorProto()
        tensor.ParseFromString((folder / f"{kind}_{number}.pb").read_bytes())
        found.append(numpy_helper.to_array(tensor))
    return found


def operators(graph: onnx.GraphProto) -> set[str]:
    """Operators of a graph and of those inside it, with the domain where it is not the standard one."""
    found = set()
    for node in graph.node:
        found.add(node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}")
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found |= operators(attribute.g)
    return found


def doubles(graph: onnx.GraphProto) -> bool:
    """Whether an input or output has 64 bits in floating point: JAX then computes with 64."""
    return any(one.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE for one in [*graph.input, *graph.output])


def computed(graph: Graph, inputs: Sequence[Any], how: str) -> Sequence[Any]:
    """The outputs of a graph for inputs given as `how` says."""
    params = {name: traced(value) for name, value in graph.params.items()}
    if how == "static":
        return evaluate(graph.body, params, [np.asarray(one) for one in inputs], {})
    if how == "eager":
        return graph(params, *inputs)
    places = [n for n, one in enumerate(inputs) if jnp.issubdtype(np.asarray(one).dtype, jnp.floating)]

    def function(floating: list[Any]) -> Sequence[Any]:
        given = [np.asarray(one) for one in inputs]
        for place, value in zip(places, floating, strict=True):
            given[place] = value
        return graph(params, *given)

    return jax.jit(function)([traced(inputs[place]) for place in places])


def difference(found: Any, wanted: Any, rtol: float, atol: float, *, steps: int) -> str | None:
    """What is wrong with an output; None where nothing is."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    if found.shape != wanted.shape:
        return f"shape {found.shape}, not {wanted.shape}"
    exact = wanted.dtype if wanted.dtype.kind in "iub" else np.float64
    if wanted.dtype in (np.int8, np.uint8):  # halves are rounded up or down by the last bit of a quotient
        exact, atol = np.int32, max(atol, steps)
    if wanted.dtype.name == "bfloat16":
        rtol = max(rtol, 2 * float(jnp.finfo(wanted.dtype).eps))
    try:
        np.testing.assert_allclose(found.astype(exact), wanted.astype(exact), rtol=rtol, atol=atol, equal_nan=True)
    except AssertionError as error:
        return " ".join(str(error).split())[:160]
    return None


def verdict(model: onnx.ModelProto, pairs: Pairs, rtol: float, atol: float, how: str) -> tuple[str, str]:
    """`passed`, `refused` or `failed`, and why."""
    steps = 1 if any("Quantize" in name or "QLinear" in name for name in operators(model.graph)) else 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(model.SerializeToString())
            graph = read_graph(path)
        for inputs, wanted in pairs:
            found = computed(graph, inputs, how)
            for one, other in zip(found, wanted, strict=True):
                wrong = difference(one, other, rtol, atol, steps=steps)
                if wrong:
                    return "failed", wrong
    except XbarError as error:
        return ("failed" if error.__cause__ else "refused"), str(error).split("model.onnx: ")[-1]
    except Exception as error:  # whatever it is, it is a finding of this script
        return "failed", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return "passed", ""


def main() -> int:
    """Run the tests, print what failed and what was counted; 1 where any failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--static", dest="how", action="store_const", const="static", default="eager")
    parser.add_argument("--traced", dest="how", action="store_const", const="traced")
    parser.add_argument("--x64", action="store_true")
    parser.add_argument("--refused", action="store_true", help="print what was refused too")
    given = parser.parse_args()
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    jax.config.update("jax_numpy_rank_promotion", "raise")
    warnings.simplefilter("ignore")
    counts, by_operator = Counter(), Counter()
    for name, model, pairs, rtol, atol in cases():
        inside = operators(model.graph)
        if given.names and not any(one in name or one in inside for one in given.names):
            continue
        counts["all"] += 1
        if not inside <= SUPPORTED or not pairs:
            counts["with operators that are not supported"] += 1
            continue
        with jax.enable_x64(given.x64 or doubles(model.graph)):
            found, why = verdict(model, pairs, rtol, atol, given.how)
        counts[found] += 1
        if found == "failed" or (found == "refused" and given.refused):
            print(f"{found} {name}: {why}", flush=True)
        by_operator.update(inside if found == "passed" else ())
    print(", ".join(f"{name} {count}" for name, count in counts.items()))
    print(
        f"operators with a passed test: {len(by_operator)} of {len(SUPPORTED)}; without: {sorted(SUPPORTED - set(by_operator))}"
    )
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
