"""Cost of a network on ideal arrays over its own jitted pass: flax modules put there by tracing; ratios in one run.

    OPENBLAS_NUM_THREADS=1 python benchmarks/any_network.py [--json] [--repeats 20] [--images 256]

An LSTM, whose arrays are read at every step of a scan, LeNet-5 and ResNet-20, as a user writes them; and, where
rapidocr-onnxruntime is installed, its text recogniser as `xbar import` reads it, of a sixteenth as many lines, and how long
that takes.
Passes of the two are timed in turn; weights of pairs of devices stand in the place of the kernels. Random images: what they
show does not matter.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import jax
import jax.numpy as jnp
import numpy as np
from _timing import statistics, timed
from flax import nnx

from tests.architectures import FULL, Case, on_ideal_arrays
from xbar_cli.cli.shared.console import print_json, print_table
from xbar_cli.nn.reading import on_arrays
from xbar_cli.nn.sites.crossbar import Crossbar

CASES = {"LSTM": "LSTM", "LeNet-5": "LeNet", "ResNet-20": "ResNet-20"}
TARGET = 1.25
IMPORT_SECONDS = 5.0
"""In which the recogniser is to be read and ready for arrays, of one processor's time."""
LINE, CHARACTERS = (48, 160, 3), 6625
FEWER = 16
"""As many times fewer lines of text than images."""


def row(name: str, case: Case, *, images: int, repeats: int) -> dict[str, Any]:
    """One network."""
    own, net = case.network()
    x, _ = case.data(images)
    graphdef, state = nnx.split(own)
    plain = jax.jit(lambda state, x: nnx.merge(graphdef, state, copy=True)(x))
    return compared(name, net, lambda: plain(state, x), x, repeats=repeats)


def recogniser(*, images: int, repeats: int) -> dict[str, Any] | None:
    """The text recogniser of PP-OCRv4; None where its package is not installed."""
    spec = find_spec("rapidocr_onnxruntime")
    if spec is None or spec.origin is None:
        return None
    from xbar_cli.graph.model import read_graph
    from xbar_cli.nn.sites.graph_file import graph_network

    file = Path(spec.origin).parent / "models" / "ch_PP-OCRv4_rec_infer.onnx"
    start = time.process_time()
    net = graph_network(file, shape=LINE, outputs=CHARACTERS)
    seconds = time.process_time() - start
    graph = read_graph(file)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(max(2, images // FEWER), *LINE)), jnp.float32)
    plain = jax.jit(lambda params, x: graph(params, x.transpose(0, 3, 1, 2))[0])
    params = {key: jnp.asarray(value) for key, value in graph.params.items()}
    found = compared("recogniser", net, lambda: plain(params, x), x, repeats=repeats)
    return found | {"import_seconds": seconds, "passed": found["passed"] and seconds <= IMPORT_SECONDS}


def compared(name: str, net: Crossbar, plain: Callable[[], jax.Array], x: jax.Array, *, repeats: int) -> dict[str, Any]:
    """A network's passes on ideal arrays, in turn with plain ones."""
    circuit, key, first = on_ideal_arrays(net), jax.random.key(0), jnp.asarray(0)
    arrays = jax.jit(lambda circuit, x: net(x, on_arrays(circuit, key=key, first=first)))
    passes = {"ideal arrays": lambda: arrays(circuit, x), "plain": plain}
    found, wanted = (np.asarray(run()) for run in passes.values())
    seconds: dict[str, list[float]] = {which: [] for which in passes}
    for _ in range(repeats):
        for which, run in passes.items():
            seconds[which] += timed(run, 1)
    ours, theirs = (seconds[which] for which in passes)
    ratio = min(ours) / min(theirs)
    return {
        "name": name,
        "images": len(x),
        "ratio": ratio,
        "ratio_median": float(np.median(np.asarray(ours) / np.asarray(theirs))),
        "target": TARGET,
        "passed": ratio <= TARGET,
        "max_difference": float(np.abs(found - wanted).max() / np.abs(wanted).max()),
        "arrays": statistics(ours),
        "plain": statistics(theirs),
        "import_seconds": None,
    }


def main() -> None:
    """Run and print; exit 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--images", type=int, default=256)
    given = parser.parse_args()
    rows = [row(name, FULL[case], images=given.images, repeats=given.repeats) for name, case in CASES.items()]
    rows += filter(None, [recogniser(images=given.images, repeats=given.repeats)])
    if given.json:
        print_json({"rows": rows, "passed": all(r["passed"] for r in rows)})
    else:
        print_table(
            f"Passes on ideal arrays over plain ones (best of {given.repeats}; median of the pairs)",
            ["", "inputs", "ms", "plain ms", "ratio", "median", "target", "difference", "read [s]"],
            [
                (r["name"], r["images"], f"{r['arrays']['best_seconds'] * 1e3:.2f}", f"{r['plain']['best_seconds'] * 1e3:.2f}",
                 f"{r['ratio']:.2f}", f"{r['ratio_median']:.2f}", f"{r['target']:g}", f"{r['max_difference']:.1e}",
                 "" if r["import_seconds"] is None else f"{r['import_seconds']:.1f}")
                for r in rows
            ],
        )  # fmt: skip
    raise SystemExit(0 if all(r["passed"] for r in rows) else 1)


if __name__ == "__main__":
    main()
