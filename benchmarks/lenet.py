"""Cost of exact wires for a network: LeNet-5, 1 ohm wires, 128×128 tiles, 10 000 images; ratios in one run.

    OPENBLAS_NUM_THREADS=1 python benchmarks/lenet.py [RUN] [--json] [--images 10000] [--repeats 5]

The passes of the folded network are timed in turn with those of the ideal array and of the floating-point network: the
same products, with other numbers in them. Folding is paid once a chip; its compilation is stated apart. RUN is a train
run of LeNet-5; without one its weights are as they are drawn, which takes as long. The bundled test images are repeated.
"""

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import jax.numpy as jnp
import numpy as np
from _timing import statistics, timed

from xbar_cli.chip.floating import make_counter
from xbar_cli.chip.fold import judge, make_folder
from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.place import map_network
from xbar_cli.cli.shared.console import print_json, print_table
from xbar_cli.config.arrays import NodalArray, tile_fold
from xbar_cli.config.hardware import MappingSection
from xbar_cli.config.train import TrainConfig
from xbar_cli.data.batches import eval_batches
from xbar_cli.runs.directory import new_run
from xbar_cli.trained.opening import Trained, open_trained
from xbar_cli.workflows import train

BATCH, WIRE_OHM, TILE = 1000, 1.0, "128x128"


def benchmark(trained: Trained, *, images: int, repeats: int) -> dict[str, Any]:
    """Timings of folding and of the passes."""
    network = map_network(trained, MappingSection(tile=TILE).placement(), images=500)
    nominal = {name: jnp.asarray(layer.conductance) for name, layer in network.layers.items()}
    key = jax.random.key(0)
    ideal, _ = make_folder(Hardware(network))(nominal, key, {})
    fold = make_folder(Hardware(network, "nodal", tile_fold(NodalArray(r_wire_ohm=WIRE_OHM))))
    (first,) = timed(lambda: fold(nominal, key, {}), 1)
    circuit, residuals = fold(nominal, key, {})
    judge(residuals)
    folds = timed(lambda: fold(nominal, key, {}), repeats)
    data = trained.data
    pick = np.arange(images) % len(data.test_labels)
    parts = [
        tuple(map(jnp.asarray, part))
        for part in eval_batches(data.test_images[pick], data.test_labels[pick], batch_size=BATCH)
    ]
    count = make_counter(trained)

    def passes(chosen: Any) -> list[Any]:
        return [count(chosen, key, jnp.asarray(0), *part) for part in parts]

    circuits = {"floating point": None, "ideal array": ideal, "folded, 1 ohm wires": circuit}
    seconds: dict[str, list[float]] = {name: [] for name in circuits}
    accuracy = {name: float(sum(found.totals[0] for found in passes(c))) / images for name, c in circuits.items()}
    for _ in range(repeats):
        for name, chosen in circuits.items():
            seconds[name] += timed(lambda chosen=chosen: passes(chosen), 1)
    ratios = np.asarray(seconds["folded, 1 ohm wires"]) / np.asarray(seconds["ideal array"])
    return {
        "images": images,
        "tiles": sum(network.tiles(name) for name in network.layers),
        "device": str(jax.devices()[0]),
        "passes": {name: statistics(values) | {"accuracy": accuracy[name]} for name, values in seconds.items()},
        "ratio_best": min(seconds["folded, 1 ohm wires"]) / min(seconds["ideal array"]),
        "ratio_mean": float(ratios.mean()),
        "ratio_std": float(ratios.std(ddof=1)) if repeats > 1 else 0.0,
        "fold": statistics(folds) | {"compile_seconds": first - min(folds)},
    }


def opened(path: Path | None, folder: Path) -> Trained:
    """The train run at `path`, or a network as it is drawn."""
    if path is None:
        config = TrainConfig.model_validate({"network": {"name": "lenet5"}, "training": {"epochs": 0}})
        path = folder / "lenet"
        with new_run(path, overwrite=False) as run:
            run.finish(train.run(config, run), overwrite=False)
    return open_trained(path, use="benchmarks/lenet.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = benchmark(opened(options.run, Path(folder)), images=options.images, repeats=options.repeats)
    if options.json:
        print_json(found)
        return
    rows = [
        (name, f"{v['best_seconds']:.3f}", f"{v['mean_seconds']:.3f} ± {v['std_seconds']:.3f}", f"{v['accuracy']:.4f}")
        for name, v in found["passes"].items()
    ]
    fold = found["fold"]
    rows.append(
        ("folding a chip", f"{fold['best_seconds']:.3f}", f"{fold['mean_seconds']:.3f} ± {fold['std_seconds']:.3f}", "")
    )
    rows.append(("compiling the fold", f"{fold['compile_seconds']:.1f}", "", ""))
    rows.append(
        ("folded / ideal", f"{found['ratio_best']:.3f}", f"{found['ratio_mean']:.3f} ± {found['ratio_std']:.3f}", "")
    )
    title = f"LeNet-5, {found['images']} images, {found['tiles']} tiles, n = {fold['n']}, {found['device']}"
    print_table(title, ["", "best [s]", "mean ± std [s]", "accuracy"], rows)


if __name__ == "__main__":
    main()
