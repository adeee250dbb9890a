"""A network's pass, and that of a chip with wires, against PyTorch's digital pass and aihwkit's analogue one, in one sitting.

    python -m venv V; V/bin/pip install torch==2.10.0 aihwkit==1.1.0
    OPENBLAS_NUM_THREADS=1 python benchmarks/torch_pass.py --with V/bin/python [--repeats 5] [--busy] [--json]

LeNet-5 on 10 000 pictures of 28×28 and ResNet-20 on 1000 of 32×32×3, random weights: what is computed takes as long. The
other libraries run in a process of their own environment, in turn with this one, at the batch size of 100, 250 or 1000 that is
fastest for each; this one at its evaluation's. `--busy` keeps one core busy with other work meanwhile. At most 1.2 times
PyTorch's time for the plain pass, and 1.1 times the plain pass for a chip with 1 ohm wires; at most 1/7 of aihwkit's inference
for it. Without `--with`, or `TORCH_PYTHON` in its place for `make bench`, a line says that nothing was measured. Neither library
is a dependency.
"""

# pyright: reportMissingImports=false

import argparse
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

SHAPES = {"lenet5": (10_000, 28, 28, 1), "resnet20": (1000, 32, 32, 3)}
ALLOWED = {"plain / PyTorch": 1.2, "chip / plain": 1.1, "chip / aihwkit": 1 / 7}
BATCHES = (100, 250, 1000)
SHARES = {"aihwkit": 10}
"""aihwkit computes a tenth of the pictures, and its time is taken ten times: ResNet-20 takes it minutes."""
SPIN = "while True: pass"


def theirs(name: str, kind: str) -> Any:
    """The network as a module of PyTorch, on aihwkit's tiles where `kind` says so."""
    import torch
    from torch import nn

    def conv(n_in: int, n_out: int, stride: int = 1, size: int = 3) -> list[Any]:
        made = nn.Conv2d(n_in, n_out, size, stride=stride, padding=size // 2, bias=False)
        return [made, nn.BatchNorm2d(n_out)]

    class Block(nn.Module):
        """Two convolutions beside a shortcut."""

        def __init__(self, n_in: int, n_out: int, stride: int) -> None:
            super().__init__()
            self.body = nn.Sequential(*conv(n_in, n_out, stride), nn.ReLU(), *conv(n_out, n_out))
            self.way = nn.Sequential(*conv(n_in, n_out, stride, 1)) if n_in != n_out else nn.Identity()

        def forward(self, x: Any) -> Any:
            """The outputs."""
            return torch.relu(self.body(x) + self.way(x))

    if name == "lenet5":
        net = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
        )  # fmt: skip
    else:
        blocks = [Block(a, b, s) for a, b, s in ((16, 16, 1), (16, 32, 2), (32, 64, 2))
                  for a, b, s in [(a, b, s), (b, b, 1), (b, b, 1)]]  # fmt: skip
        net = nn.Sequential(*conv(3, 16), nn.ReLU(), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    if kind == "aihwkit":
        from aihwkit.nn.conversion import convert_to_analog
        from aihwkit.simulator.configs import InferenceRPUConfig

        net = convert_to_analog(net, InferenceRPUConfig())
    return net.eval()


def serve() -> None:
    """The other environment's side: a line names network and kind, the answer is the seconds of one pass."""
    import torch

    kinds = ["PyTorch"] + (["aihwkit"] if importlib.util.find_spec("aihwkit") else [])
    print(json.dumps({"kinds": kinds, "torch": torch.__version__}), flush=True)
    ready: dict[tuple[str, str], tuple[Any, Any, int]] = {}

    def once(net: Any, pictures: Any, batch: int) -> float:
        began = time.perf_counter()
        with torch.no_grad():
            for part in pictures.split(batch):
                net(part)
        return time.perf_counter() - began

    for line in sys.stdin:
        name, kind = json.loads(line)
        share = SHARES.get(kind, 1)
        if (name, kind) not in ready:
            n, *shape, channels = SHAPES[name]
            net, pictures = theirs(name, kind), torch.rand(n // share, channels, *shape)
            once(net, pictures[:10], 10)
            best = min(BATCHES, key=lambda batch: once(net, pictures[: BATCHES[-1]], batch))
            ready[name, kind] = (net, pictures, best)
        weights = sum(leaf.numel() for leaf in ready[name, kind][0].parameters())
        print(
            json.dumps(
                {"weights": weights, "seconds": share * once(*ready[name, kind]), "batch": ready[name, kind][2]}
            ),
            flush=True,
        )


def ours(name: str, folder: Path) -> tuple[int, dict[str, Callable[[], Any]]]:
    """How many weights the network has, and the plain pass and that of a folded chip."""
    import jax
    import jax.numpy as jnp
    from flax import nnx

    from xbar_cli.chip.floating import make_counter
    from xbar_cli.chip.fold import judge, make_folder
    from xbar_cli.chip.hardware import Hardware
    from xbar_cli.chip.place import map_network
    from xbar_cli.cli.main import guarded
    from xbar_cli.config.arrays import NodalArray, tile_fold
    from xbar_cli.config.chips.evaluate import MonteCarloSection
    from xbar_cli.config.hardware import MappingSection
    from xbar_cli.trained.opening import open_trained
    from xbar_cli.workflows.evaluate import batched

    rng, run = np.random.default_rng(0), str(folder / name)
    pictures, labels = rng.integers(0, 256, SHAPES[name], np.uint8), np.arange(SHAPES[name][0]) % 10
    training = rng.integers(0, 256, (500, *SHAPES[name][1:]), np.uint8)
    np.savez(folder / f"{name}.npz", x_train=training, y_train=np.arange(500) % 10, x_test=pictures, y_test=labels)
    data, known = str(folder / f"{name}.npz"), ["--data-dir", str(folder / "data")]
    with redirect_stdout(io.StringIO()):
        assert guarded(["data", "add", f"noise_{name}", data, *known]) == 0
        words = ["train", "--network", name, "--epochs", "0", "--dataset", f"noise_{name}", "--out", run]
        assert guarded([*words, "--quiet", *known]) == 0
    trained = open_trained(Path(run), use="benchmarks/torch_pass.py")
    network = map_network(trained, MappingSection(tile="64x64").placement(), images=100)
    nominal = {layer: jnp.asarray(found.conductance) for layer, found in network.layers.items()}
    key, wires = jax.random.key(0), tile_fold(NodalArray(r_wire_ohm=1.0))
    circuit, residuals = make_folder(Hardware(network, "nodal", wires))(nominal, key, {})
    judge(residuals)
    parts = batched(pictures, labels, size=MonteCarloSection().batch_size)
    count = make_counter(trained)
    chosen = {"plain": None, "chip": circuit}
    passes = {what: lambda c=c: [count(c, key, jnp.asarray(0), *part) for part in parts] for what, c in chosen.items()}
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(trained.net, nnx.Param))), passes


@contextmanager
def busy(wanted: bool) -> Iterator[None]:
    """Keeps one core busy meanwhile."""
    spinning = subprocess.Popen([sys.executable, "-c", SPIN]) if wanted else None
    try:
        yield
    finally:
        if spinning is not None:
            spinning.kill()
            spinning.wait()


def compared(name: str, ask: Callable[[str, str], dict[str, Any]], kinds: list[str], repeats: int) -> dict[str, Any]:
    """Seconds of all passes of a network, in turn."""
    import jax
    from _timing import statistics, timed

    with tempfile.TemporaryDirectory() as folder:
        weights, passes = ours(name, Path(folder))
        found: dict[str, list[float]] = {what: [] for what in (*passes, *kinds)}
        for what in passes:
            jax.block_until_ready(passes[what]())
        first = {kind: ask(name, kind) for kind in kinds}
        batches = {kind: answer["batch"] for kind, answer in first.items()}
        assert first["PyTorch"]["weights"] == weights, "the networks are not the same"
        for _ in range(repeats):
            for what, function in passes.items():
                found[what] += timed(function, 1)
            for kind in kinds:
                found[kind].append(ask(name, kind)["seconds"])
    pairs = [pair.split(" / ") for pair in ALLOWED]
    ratios = {f"{a} / {b}": min(found[a]) / min(found[b]) for a, b in pairs if a in found and b in found}
    return {
        "network": name, "images": SHAPES[name][0], "batches": batches, "ratios": ratios,
        "passes": {what: statistics(values) for what, values in found.items()},
    }  # fmt: skip


def show(cases: list[dict[str, Any]], title: str) -> None:
    """The same numbers as tables."""
    from xbar_cli.cli.shared.console import print_table

    rows = [
        (case["network"], what, v["n"], *(f"{v[key + '_seconds']:.3f}" for key in ("best", "mean", "std")))
        for case in cases
        for what, v in case["passes"].items()
    ]
    print_table(title, ("network", "pass", "n", "best [s]", "mean [s]", "std [s]"), rows)
    rows = [
        (case["network"], pair, f"{ratio:.2f}", f"{ALLOWED[pair]:.2f}")
        for case in cases
        for pair, ratio in case["ratios"].items()
    ]
    print_table("ratios of the best", ("network", "ratio", "", "at most"), rows)


def main() -> int:
    """Measure and print; 1 where a ratio is larger than allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    own = os.environ.get("TORCH_PYTHON")
    parser.add_argument("--with", dest="python", default=own, metavar="PYTHON", help="of one with PyTorch, and aihwkit")
    parser.add_argument("--repeats", type=int, default=5, help="timed passes of each")
    parser.add_argument("--busy", action="store_true", help="keep one core busy with other work")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return 0
    if options.python is None:
        print("no other environment was named (--with, TORCH_PYTHON): nothing was measured")
        return 0
    command = [options.python, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        stdin, stdout = other.stdin, other.stdout
        there = json.loads(stdout.readline())

        def ask(*what: str) -> dict[str, Any]:
            stdin.write(json.dumps(what) + "\n")
            stdin.flush()
            return json.loads(stdout.readline())

        with busy(options.busy):
            cases = [compared(name, ask, there["kinds"], options.repeats) for name in SHAPES]
        stdin.close()
    report = there | {"busy": options.busy, "cases": cases}
    if options.json:
        print(json.dumps(report))
    else:
        show(cases, f"PyTorch {there['torch']}, {'one core busy' if options.busy else 'idle'}")
    return int(any(ratio > ALLOWED[pair] for case in cases for pair, ratio in case["ratios"].items()))


if __name__ == "__main__":
    sys.exit(main())
