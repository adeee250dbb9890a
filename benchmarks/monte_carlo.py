"""Cost of a Monte-Carlo sample over one plain forward pass, strategies within a device, and memory; ratios in one run.

    OPENBLAS_NUM_THREADS=1 python benchmarks/monte_carlo.py [--json] [--samples 25] [--repeats 3] [--quick]

The plain pass is the network in floating point, jitted, over the same images in the same batches. A sample is all that
`xbar evaluate` does for one chip: its devices are drawn, folded, and all images pass. Both take turns, and every ratio is
of neighbours in time. LeNet-5 sees 10 000 pictures of 28×28, ResNet-20 1000 of 32×32×3; pictures and weights are random,
which takes as long as others. Peak memory is that of a process of its own with 10 and with 1000 samples.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from xbar_cli.chip.counting import Batch
from xbar_cli.chip.executor import Strategy, make_executor, strategy_here
from xbar_cli.chip.fabricate import make_fabricator
from xbar_cli.chip.floating import make_counter
from xbar_cli.chip.place import map_network
from xbar_cli.chip.prepare import make_preparer
from xbar_cli.chip.sample import Sampler, sample
from xbar_cli.cli.shared.console import print_json, print_table
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.effect_list import steps_of
from xbar_cli.config.hardware import MappingSection
from xbar_cli.config.network import NetworkSection
from xbar_cli.config.train import TrainConfig
from xbar_cli.data.batches import eval_batches
from xbar_cli.data.datasets import Dataset
from xbar_cli.nn.shapes import layer_shapes
from xbar_cli.numerics import stream
from xbar_cli.reporter import SILENT
from xbar_cli.runs.directory import Run
from xbar_cli.trained.opening import Trained
from xbar_cli.workflows.evaluate import build_hardware

CASES = {"lenet5": ((28, 28, 1), 10_000), "resnet20": ((32, 32, 3), 1000)}
VARIATION = 0.15
STRATEGIES = {
    "loop": Strategy("map", 1),
    "lax.map, 5 in a call": Strategy("map", 5),
    "vmap, 5 at once": Strategy("vmap", 5),
    "patches, 5 at once": Strategy("patches", 5),
}


def random_network(name: str, *, images: int) -> Trained:
    """A network as it is drawn, and random pictures."""
    shape = CASES[name][0]
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (images, *shape), dtype=np.uint8)
    labels = rng.integers(0, 10, images, dtype=np.int32)
    data = Dataset("random", pictures, labels, pictures, labels, 10, tuple("0123456789"), None)
    net = NetworkSection.model_validate({"name": name}).build(shape=shape, outputs=10, seed=0)
    names = [layer.name for layer in layer_shapes(net, shape=shape)]
    summary = {"layers": names, "network": name, "dataset": "random", "method": "ideal"}
    config = TrainConfig.model_validate({"network": {"name": name}})
    return Trained(Run(Path(), Path()), summary, config, net, data)


def make_sampler(trained: Trained, parts: list[Batch], *, samples: int, strategy: Strategy) -> Sampler:
    """The stages of an ideal array under additive variation."""
    config = EvaluateConfig.model_validate({"variation": {"amount": VARIATION}})
    network = map_network(trained, MappingSection().placement(), images=100)
    hardware = build_hardware(config, trained, network)
    return Sampler(
        make_executor(samples, strategy),
        trained.net,
        parts,
        root=stream(jax.random.key(0), "chip"),
        fabricate=make_fabricator(
            network, steps_of(config.variation.on_devices(), network), negative=config.variation.negative
        ),
        prepare=make_preparer(trained, hardware, config.decoding, images=config.calibration.images)[0],
    )


def seconds_of(sampler: Sampler, samples: int) -> float:
    """Wall time of one sample, drawing and folding with it [s]."""
    began = time.perf_counter()
    sample(sampler, samples, enough=lambda _: False, alone={}, warm=False, reporter=SILENT)
    return (time.perf_counter() - began) / samples


def batches(trained: Trained, size: int) -> list[Batch]:
    """The test images in batches."""
    data = trained.data
    return [jax.tree.map(jnp.asarray, p) for p in eval_batches(data.test_images, data.test_labels, batch_size=size)]


def ratios(name: str, *, samples: int, repeats: int, images: int, strategies: dict[str, Strategy]) -> dict[str, Any]:
    """Seconds of the plain pass and of a sample by strategy, and their ratios."""
    trained = random_network(name, images=images)
    parts = batches(trained, min(1000, images))
    count = make_counter(trained)
    key, zero = jax.random.key(0), jnp.asarray(0)
    plain_pass = lambda: jax.block_until_ready([count(None, key, zero, *part) for part in parts])  # noqa: E731
    samplers = {n: make_sampler(trained, parts, samples=samples, strategy=s) for n, s in strategies.items()}
    plain_pass()
    for sampler in samplers.values():
        seconds_of(sampler, sampler.executor.chunk)
    plain: list[float] = []
    found: dict[str, list[float]] = {n: [] for n in strategies}
    for _ in range(repeats):
        for n, sampler in samplers.items():
            passes = []
            for _ in range(2):
                began = time.perf_counter()
                plain_pass()
                passes.append(time.perf_counter() - began)
                if len(passes) == 1:
                    found[n].append(seconds_of(sampler, samples))
            plain.append(float(np.mean(passes)))  # before and after
    neighbours = np.asarray(plain).reshape(repeats, len(samplers))
    rows = {
        n: {"seconds_per_sample": spread(values), "ratio": spread(np.asarray(values) / neighbours[:, k])}
        for k, (n, values) in enumerate(found.items())
    }
    return {"images": images, "samples": samples, "plain_seconds": spread(plain), "strategies": rows}


def spread(values: Any) -> dict[str, float]:
    """n, mean, standard deviation and smallest."""
    array = np.asarray(values, np.float64)
    std = float(array.std(ddof=1)) if array.size > 1 else 0.0
    return {"n": array.size, "mean": float(array.mean()), "std": std, "min": float(array.min())}


def batch_invariance(name: str, *, images: int, sizes: tuple[int, ...]) -> dict[str, Any]:
    """How much the scores of the same pictures differ between batches of other sizes."""
    trained = random_network(name, images=images)
    graphdef, state = nnx.split(trained.net)
    forward = jax.jit(lambda state, x: nnx.merge(graphdef, state)(x))
    found = {}
    for size in sizes:
        scores = [np.asarray(forward(state, x)) for x, _, _ in batches(trained, size)]
        found[size] = np.concatenate(scores)[:images]
    reference = found[sizes[0]]
    worst = max(float(np.abs(scores - reference).max()) for scores in found.values())
    answers = max(int((scores.argmax(1) != reference.argmax(1)).sum()) for scores in found.values())
    return {
        "sizes": list(sizes),
        "largest_difference": worst / float(np.abs(reference).max()),
        "other_answers": answers,
    }


def peak_memory(samples: int) -> float:
    """Peak resident memory of a process that evaluates LeNet-5 with so many samples [bytes]."""
    words = [sys.executable, __file__, "--peak", str(samples)]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def own_peak(samples: int) -> float:
    """The same, of this process."""
    trained = random_network("lenet5", images=200)
    seconds_of(make_sampler(trained, batches(trained, 200), samples=samples, strategy=strategy_here()), samples)
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts in ru_maxrss what the parent was before it started this process
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return float(peak.split()[1]) * 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def measure(*, samples: int, repeats: int, quick: bool) -> dict[str, Any]:
    """Everything."""
    found: dict[str, Any] = {"device": str(jax.devices()[0]), "processors": os.cpu_count()}
    few, many = peak_memory(10), peak_memory(100 if quick else 1000)
    found |= {"peak_few_bytes": few, "peak_many_bytes": many, "peak_ratio": many / few}
    for name, (_, images) in CASES.items():
        chosen = {"as chosen": strategy_here()}
        whole = images // 10 if quick else images
        found[name] = told(name, ratios(name, samples=samples, strategies=chosen, repeats=repeats, images=whole))
        # a tenth of the images tells the strategies apart
        part = ratios(name, samples=5, strategies=STRATEGIES, repeats=repeats, images=images // 10)
        found[f"{name} strategies"] = told(f"{name} strategies", part)
        found[f"{name} batches"] = batch_invariance(name, images=500, sizes=(500, 250, 64, 7))
    return found


def told(name: str, part: dict[str, Any]) -> dict[str, Any]:
    """A part of the results, also told on stderr: the whole takes minutes."""
    print(f"{name}: {json.dumps(part)}", file=sys.stderr, flush=True)
    return part


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--samples", type=int, default=25)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the images and samples")
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.peak:
        print(own_peak(words.peak))
        return
    found = measure(samples=words.samples, repeats=words.repeats, quick=words.quick)
    if words.json:
        print_json(json.loads(json.dumps(found)))
        return
    rows = []
    for name in CASES:
        for part in (found[name], found[f"{name} strategies"]):
            for strategy, values in part["strategies"].items():
                seconds, ratio = values["seconds_per_sample"], values["ratio"]
                numbers = [f"{v['mean']:.3f} ± {v['std']:.3f}" for v in (part["plain_seconds"], seconds, ratio)]
                rows.append((f"{name}, {strategy}", f"{part['samples']} × {ratio['n']}", *numbers))
        invariance = found[f"{name} batches"]
        what = f"{name}: scores in batches of {', '.join(map(str, invariance['sizes']))}"
        rows.append((what, "", "", f"differ by {invariance['largest_difference']:.1e}",
                     f"{invariance['other_answers']} other answers"))  # fmt: skip
    megabytes = [f"{found[key] / 2**20:.0f} MiB" for key in ("peak_few_bytes", "peak_many_bytes")]
    rows.append(("peak memory, 10 and 1000 samples", "", *megabytes, f"{found['peak_ratio']:.3f} (wanted <= 1.1)"))
    head = ["", "samples × n", "plain pass [s]", "a sample [s]", "ratio (wanted <= 1.25)"]
    print_table(f"Monte Carlo on {found['device']}, {found['processors']} processors", head, rows)


if __name__ == "__main__":
    main()
