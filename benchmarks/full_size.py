"""VGG-11 and ResNet-18 at full size on CIFAR-shaped images: one training step, one evaluation batch, memory, projection.

    OPENBLAS_NUM_THREADS=1 python benchmarks/full_size.py [--json] [--batch 64] [--repeats 3] [--only NETWORK]

Each network runs in a process of its own, whose peak memory is reported. The projection is what plain training of 45 000
images takes for 100 epochs; random images.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import jax.numpy as jnp
import numpy as np
from _timing import statistics, timed
from flax import nnx

from xbar_cli.cli.shared.console import print_json, print_table
from xbar_cli.config.train import TrainConfig
from xbar_cli.nn.shapes import layer_shapes, parameters
from xbar_cli.train.loop import make_counter, make_optimizer, make_step
from xbar_cli.train.optimizers import chain

CIFAR = (32, 32, 3)
IMAGES, EPOCHS = 45_000, 100


def measure(name: str, *, batch: int, repeats: int) -> dict[str, Any]:
    """One network: sizes, seconds of a step and of an evaluation batch, peak memory of this process."""
    config = TrainConfig.model_validate({"network": {"name": name}})
    net = config.network.build(shape=CIFAR, outputs=10, seed=0)
    shapes = layer_shapes(net, shape=CIFAR)
    images, labels = jax.random.uniform(jax.random.key(0), (batch, *CIFAR)), jnp.arange(batch) % 10
    graphdef, state = nnx.split((net, make_optimizer(net, chain("adam", rate=1e-3))))
    step, count = make_step(graphdef), make_counter(nnx.split(net)[0])
    start = time.perf_counter()
    state, first = jax.block_until_ready(step(state, images, labels))
    compiled = time.perf_counter() - start
    losses = [float(first)]

    def take() -> Any:
        nonlocal state
        state, loss = jax.block_until_ready(step(state, images, labels))
        losses.append(float(loss))

    seconds = statistics(timed(take, repeats))
    nnx.update((net,), nnx.state((nnx.merge(graphdef, state)[0],)))
    trained, weight = nnx.state(net), jnp.ones(batch)
    jax.block_until_ready(count(trained, images, labels, weight))
    evaluated = statistics(timed(lambda: count(trained, images, labels, weight), repeats))
    assert np.isfinite(losses).all()
    return {
        "network": name, "batch": batch, "parameters": int(sum(v.size for v in parameters(net).values())),
        "macs": int(sum(layer.macs for layer in shapes)), "layers": len(shapes), "compile_seconds": compiled,
        "step": seconds, "evaluation": evaluated, "losses": losses,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "projected_hours": seconds["mean_seconds"] * IMAGES / batch * EPOCHS / 3600,
    }  # fmt: skip


def main() -> None:
    """Measure each network in its own process, and print."""
    parser = argparse.ArgumentParser(description="full-size networks")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", metavar="NETWORK")
    given = parser.parse_args()
    if given.only is not None:
        print(json.dumps(measure(given.only, batch=given.batch, repeats=given.repeats)))
        return
    rows = []
    for name in ("vgg11", "resnet18"):
        words = ["--only", name, "--batch", str(given.batch), "--repeats", str(given.repeats)]
        done = subprocess.run([sys.executable, __file__, *words], check=True, capture_output=True, text=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    if given.json:
        print_json({"rows": rows})
        return
    print_table(
        f"One training step and one evaluation batch of {given.batch} images, full size",
        ["network", "parameters", "MACs an image", "step [s]", "evaluation [s]", "compiled in [s]", "memory [GiB]",
         f"{EPOCHS} epochs of {IMAGES} images [h]"],
        [
            (r["network"], f"{r['parameters'] / 1e6:.2f} M", f"{r['macs'] / 1e6:.0f} M",
             f"{r['step']['mean_seconds']:.2f} ± {r['step']['std_seconds']:.2f}",
             f"{r['evaluation']['mean_seconds']:.2f} ± {r['evaluation']['std_seconds']:.2f}", f"{r['compile_seconds']:.0f}",
             f"{r['peak_memory_bytes'] / 2**30:.1f}", f"{r['projected_hours']:.0f}")
            for r in rows
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
