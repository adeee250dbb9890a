"""Answers of a network on 1T-1R arrays with wires, picture by picture: products and sweeps against Newton's method.

    OPENBLAS_NUM_THREADS=1 NPROC=1 python benchmarks/wired_answers.py [RUN CELL] [--images 100] [--timed 1000] [--json]

Without a train run and a cell with a bit-line voltage, LeNet-5 is trained for 8 epochs on the bundled images and a cell
simulated.
The chip is the one without variation, arrays of 64×64 with 1 ohm a segment, at V_g 0.8 V unless told otherwise. An answer of
which Newton's method leaves two scores closer than 1e-5 of the largest is a tie. Times are of a pass over the first `--timed`
pictures, once it is compiled, over the pass of the ideal array of the same cells in the same process (of Newton's method:
over `--images`); at most 20 and 200 times as long are allowed.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NPROC", "1")

import jax
import jax.numpy as jnp
import numpy as np

from xbar_cli.chip.fold import make_folder, require_trust
from xbar_cli.cli.main import guarded
from xbar_cli.cli.shared.console import print_json, print_table
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.nn.reading import on_arrays
from xbar_cli.workflows.evaluate import build_hardware, open_network

ALLOWED = {"fold": 20, "sweep": 200}
TIE, BATCH = 1e-5, 100


def passes(options: argparse.Namespace, array: dict[str, Any], images: int) -> tuple[np.ndarray, float]:
    """Scores of the first `images` pictures, and the seconds that they took once all was compiled [s]."""
    asked = {
        "run": options.run,
        "cell": {"run": options.cell, "vg": str(options.vg)},
        "mapping": {"tile": options.tile},
    }
    config, trained, network = open_network(
        EvaluateConfig.model_validate(asked | {"array": {"model": "gated", **array}})
    )
    hardware = build_hardware(config, trained, network)
    nominal = {name: jnp.asarray(layer.conductance, jnp.float32) for name, layer in network.layers.items()}
    circuit, _ = make_folder(hardware)(nominal, jax.random.key(0), {})

    @jax.jit
    def scores(circuit: Any, x: jax.Array) -> Any:
        trusts: dict[str, Any] = {}
        return trained.net(x, on_arrays(circuit, key=jax.random.key(0), first=jnp.asarray(0), trusts=trusts)), trusts

    pictures = jnp.asarray(trained.data.test_images[:images], jnp.float32) / 255
    parts = [pictures[n : n + BATCH] for n in range(0, len(pictures), BATCH)]
    jax.block_until_ready(scores(circuit, parts[0]))
    found, seconds = [], []
    for part in parts:
        began = time.perf_counter()
        values, trusts = jax.block_until_ready(scores(circuit, part))
        seconds.append(time.perf_counter() - began)
        require_trust(circuit, trusts)
        found.append(np.asarray(values))
    return np.concatenate(found), sum(seconds)


def compared(scores: np.ndarray, exact: np.ndarray) -> dict[str, Any]:
    """Answers that differ, ties among all, and the largest difference of a score over the largest score."""
    two = np.sort(exact, axis=1)[:, -2:]
    ties = two[:, 1] - two[:, 0] < TIE * np.abs(exact).max()
    differ = scores.argmax(axis=1) != exact.argmax(axis=1)
    return {
        "different": int(differ.sum()), "different_ties": int((differ & ties).sum()), "ties": int(ties.sum()),
        "largest": float(np.abs(scores - exact).max() / np.abs(exact).max()),
    }  # fmt: skip


def main() -> int:
    """Read the words, make what is missing, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", help="train run")
    parser.add_argument("cell", nargs="?", help="characterize run with a bit-line voltage")
    parser.add_argument("--vg", type=float, default=0.8, help="gate voltage [V]")
    parser.add_argument("--r-wire", type=float, default=1.0, help="of a segment [ohm]")
    parser.add_argument("--tile", default="64x64", help="rows and columns of an array")
    parser.add_argument("--images", type=int, default=100, help="pictures that are compared")
    parser.add_argument("--timed", type=int, default=1000, help="pictures that are timed")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.cell is None:
            options.run, options.cell = options.run or f"{folder}/net", f"{folder}/cell"
            prepare(options)
        return measured(options)


def prepare(options: argparse.Namespace) -> None:
    """Make the train run and the cell that are not there."""
    swept = f"{options.vg}:{options.vg}:0.05"
    assert guarded(["characterize", "--vg-range", swept, "--vbl", "60m", "--out", options.cell, "--quiet"]) == 0
    if not Path(options.run).exists():
        assert guarded(["train", "--network", "lenet5", "--epochs", "8", "--out", options.run, "--quiet"]) == 0


def measured(options: argparse.Namespace) -> int:
    """Measure and print; 1 where an answer differs that is no tie, or a pass takes longer than allowed."""
    wires = {"r_wire_ohm": options.r_wire}
    _, ideal = passes(options, {}, options.timed)
    exact, newton = passes(options, {**wires, "wired": "exact"}, options.images)
    cases = [{"way": "exact", "images": options.images, "of_ideal": newton / options.images / (ideal / options.timed)}]
    for way, allowed in ALLOWED.items():
        scores, seconds = passes(options, {**wires, "wired": way}, max(options.images, options.timed))
        ratio = seconds / len(scores) / (ideal / options.timed)
        cases.append({"way": way, "images": len(scores), "of_ideal": ratio, "allowed": allowed}
                     | compared(scores[: options.images], exact))  # fmt: skip
    report = {"compared": len(exact), "ideal_milliseconds_a_picture": 1e3 * ideal / options.timed, "cases": cases}
    if options.json:
        print_json(report)
    else:
        columns = ("way", "pictures", "over the ideal pass", "allowed", "different", "ties of them", "ties", "largest")
        keys = ("way", "images", "of_ideal", "allowed", "different", "different_ties", "ties", "largest")
        rows = [
            [f"{case[key]:.3g}" if isinstance(case.get(key), float) else case.get(key, "") for key in keys]
            for case in cases
        ]
        print_table(f"{len(exact)} answers against Newton's method", columns, rows)
    return int(
        any(case["different"] > case["different_ties"] or case["of_ideal"] > case["allowed"] for case in cases[1:])
    )


if __name__ == "__main__":
    sys.exit(main())
