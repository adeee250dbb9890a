"""Cost of a network on ideal arrays over its own jitted pass: flax modules put there by tracing; ratios in one run.

    OPENBLAS_NUM_THREADS=1 python benchmarks/any_network.py [--json] [--repeats 20] [--images 256]

An LSTM, whose arrays are read at every step of a scan, LeNet-5 and ResNet-20, as a user writes them. Passes of the two are
timed in turn; weights of pairs of devices stand in the place of the kernels. Random images: what they show does not matter.
"""

import argparse
import os
import sys
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

CASES = {"LSTM": "LSTM", "LeNet-5": "LeNet", "ResNet-20": "ResNet-20"}
TARGET = 1.25


def row(name: str, case: Case, *, images: int, repeats: int) -> dict[str, Any]:
    """One network."""
    own, net = case.network()
    x, _ = case.data(images)
    graphdef, state = nnx.split(own)
    circuit, key, first = on_ideal_arrays(net), jax.random.key(0), jnp.asarray(0)
    plain = jax.jit(lambda state, x: nnx.merge(graphdef, state, copy=True)(x))
    arrays = jax.jit(lambda circuit, x: net(x, on_arrays(circuit, key=key, first=first)))
    passes = {"ideal arrays": lambda: arrays(circuit, x), "plain": lambda: plain(state, x)}
    found, wanted = (np.asarray(run()) for run in passes.values())
    seconds: dict[str, list[float]] = {which: [] for which in passes}
    for _ in range(repeats):
        for which, run in passes.items():
            seconds[which] += timed(run, 1)
    ours, theirs = (seconds[which] for which in passes)
    ratio = min(ours) / min(theirs)
    return {
        "name": name,
        "images": images,
        "ratio": ratio,
        "ratio_median": float(np.median(np.asarray(ours) / np.asarray(theirs))),
        "target": TARGET,
        "passed": ratio <= TARGET,
        "max_difference": float(np.abs(found - wanted).max() / np.abs(wanted).max()),
        "arrays": statistics(ours),
        "plain": statistics(theirs),
    }


def main() -> None:
    """Run and print; exit 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--images", type=int, default=256)
    given = parser.parse_args()
    rows = [row(name, FULL[case], images=given.images, repeats=given.repeats) for name, case in CASES.items()]
    if given.json:
        print_json({"rows": rows, "passed": all(r["passed"] for r in rows)})
    else:
        print_table(
            f"Passes of {given.images} images on ideal arrays over plain ones (best of {given.repeats}; median of the pairs)",
            ["", "ms", "plain ms", "ratio", "median", "target", "difference"],
            [
                (r["name"], f"{r['arrays']['best_seconds'] * 1e3:.2f}", f"{r['plain']['best_seconds'] * 1e3:.2f}",
                 f"{r['ratio']:.2f}", f"{r['ratio_median']:.2f}", f"{r['target']:g}", f"{r['max_difference']:.1e}")
                for r in rows
            ],
        )  # fmt: skip
    raise SystemExit(0 if all(r["passed"] for r in rows) else 1)


if __name__ == "__main__":
    main()
