"""`xbar evaluate`: Monte-Carlo accuracy of a network on non-ideal arrays."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from flax import nnx
from jax import Array

from xbar_cli.config.hardware import CalibrationSection, CellReference, EvaluateConfig, MappingSection
from xbar_cli.config.load import write_toml
from xbar_cli.data.batches import eval_batches
from xbar_cli.errors import ConfigError
from xbar_cli.nn.layers import digital
from xbar_cli.nn.noise import ColumnNoise
from xbar_cli.nn.program import on_arrays
from xbar_cli.numerics import stream
from xbar_cli.runs import environment, figures
from xbar_cli.runs.directory import CONFIG, Run, open_run
from xbar_cli.runs.results import RESULTS, variable, write_dataset
from xbar_cli.train.losses import correct
from xbar_cli.workflows.chips import describe, make_fabricator
from xbar_cli.workflows.folding import Layers, judge, make_folder, make_noise, noise_of
from xbar_cli.workflows.map import ORIGIN
from xbar_cli.workflows.mapped import MappedNetwork, load_mapped
from xbar_cli.workflows.models import Trained, open_trained
from xbar_cli.workflows.placement import map_network
from xbar_cli.workflows.reporter import SILENT, Reporter
from xbar_cli.workflows.statistics import estimate


def run(config: EvaluateConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Evaluate as `config` says into `run`; returns the summary."""
    trained, network = open_network(config, reporter)
    write_toml(run.path / CONFIG, config)
    model = array_model(config, network)
    result = measure(config, trained, network, model=model, reporter=reporter)
    write_dataset(run.path / RESULTS, to_dataset(result["accuracy_samples"]))
    figures.sample_accuracies(
        run.figures / "accuracy.png",
        samples=result["accuracy_samples"],
        reference=result["ideal_accuracy"],
        caption=f"{trained.summary['network']} on {trained.summary['dataset']}, {model} array, "
        f"{config.variation.amount * 100:g} % {config.variation.model} variation",
    )
    devices = [str(device) for device in jax.devices()]
    environment.write(run.path / "env.json", environment.describe(seed=config.seed, devices=devices))
    return result | {"out": str(run.final)}


def open_network(config: EvaluateConfig, reporter: Reporter = SILENT) -> tuple[Trained, MappedNetwork]:
    """The trained network and its devices: what was mapped, or mapped on the fly from a train run."""
    path = Path(config.run)
    _, summary = open_run(path, commands=("train", "map"), use="xbar evaluate")
    if summary["command"] == "map":
        given = (config.mapping, config.cell, config.calibration)
        if given != (MappingSection(), CellReference(), CalibrationSection()):
            raise ConfigError(f"{path} is mapped already: mapping, cell and calibration options apply to train runs")
        return open_trained(path / ORIGIN, use="xbar evaluate", data_dir=config.data_dir), load_mapped(path)
    trained = open_trained(path, use="xbar evaluate", data_dir=config.data_dir)
    network, _ = map_network(
        trained, config.mapping, config.cell, calibration_images=config.calibration.images, reporter=reporter
    )
    return trained, network


def array_model(config: EvaluateConfig, network: MappedNetwork) -> str:
    """The array model: the one asked for, else `gated` where there is a cell."""
    model = config.array.model or ("gated" if network.cell is not None else "ideal")
    if model == "gated" and network.cell is None:
        raise ConfigError(
            "--array gated needs a 1T-1R cell: --cell RUN --vg VOLT, or a network trained or mapped with one"
        )
    config.array.check(model)
    return model


def measure(
    config: EvaluateConfig, trained: Trained, network: MappedNetwork, *, model: str, reporter: Reporter
) -> dict[str, Any]:
    """Accuracy of every sampled chip, and of the network in floating point."""
    images, labels = test_part(trained, config.monte_carlo.images)
    size = min(config.monte_carlo.batch_size, len(labels))
    parts = [tuple(map(jnp.asarray, part)) for part in eval_batches(images, labels, batch_size=size)]
    count = make_counter(trained)
    fabricate = make_fabricator(network, config.variation)
    fold = make_folder(network, config.array, model=model)
    noise = make_noise(network, config.variation.read_noises(), model=model)
    order = describe(config.variation, network)
    if len(order) > 2:
        reporter.note("effects in order: " + "; ".join(order))

    def hits(layers: Layers | None, noises: dict[str, ColumnNoise], key: Array) -> float:
        return sum(float(count(layers, noises, key, jnp.asarray(n * size), *part)) for n, part in enumerate(parts))

    root = stream(jax.random.key(config.seed), "chip")
    ideal = hits(None, {}, root) / len(labels)
    # without variation every chip is the same: one is enough
    n = config.monte_carlo.samples if config.variation.all_effects() else 1
    warm = fabricate(root).conductances
    jax.block_until_ready(count(fold(warm)[0], noise(warm), root, jnp.asarray(0), *parts[0]))
    accuracies: list[float] = []
    chips: list[tuple[float, float, float]] = []
    seconds = folding = 0.0
    for i in range(n):
        reporter.progress("chips", i, n)
        began = time.perf_counter()
        key = jax.random.fold_in(root, i)
        chip = jax.block_until_ready(fabricate(key))
        made = time.perf_counter()
        layers, residual = jax.block_until_ready(fold(chip.conductances))
        folded = time.perf_counter()
        judge(residual, chip=i)
        accuracies.append(hits(layers, noise(chip.conductances), stream(key, "read")) / len(labels))
        folding += folded - made
        seconds += time.perf_counter() - folded + made - began
        chips.append((float(chip.negative), float(chip.mean_shift), float(chip.off_table)))
    reporter.progress("chips", n, n)
    samples = accuracies * (config.monte_carlo.samples // n)
    found = estimate(samples)
    negative, mean_shift, off_table = (float(value) for value in np.mean(chips, axis=0))
    return {
        "command": "evaluate",
        "array": model,
        "scheme": network.scheme,
        "variation": config.variation.amount,
        "variation_model": config.variation.model,
        "effects": order,
        "samples": len(samples),
        "images": len(labels),
        "dataset_note": trained.data.note,
        "ideal_accuracy": ideal,
        "accuracy_mean": found.mean,
        "accuracy_std": found.std,
        "accuracy_ci95": list(found.ci95) if found.ci95 else None,
        "accuracy_samples": samples,
        "negative_policy": config.variation.negative,
        "negative_fraction": negative,
        "negative_mean_shift_siemens": mean_shift,
        "clamped_fraction": negative if config.variation.negative == "clamp" else 0.0,
        "off_table_fraction": off_table,
        "vg_volt": [layer.vg for layer in network.layers.values()],
        "seconds_per_sample": seconds / n,
        "fold_seconds": folding / n,
    }


def make_counter(trained: Trained) -> Callable[..., Array]:
    """The function from layers (None for floating point), noise and a batch to its number of correct answers."""
    graphdef, state = nnx.split(trained.net)

    @jax.jit
    def count(
        state: Any, layers: Layers | None, noises: dict[str, ColumnNoise], key: Array, first: Array, *batch: Array
    ) -> Array:
        x, y, weight = batch
        product = digital if layers is None else on_arrays(layers, noise_of(noises, key, first))
        return correct(nnx.merge(graphdef, state)(x, product), y, weight)

    return partial(count, state)


def test_part(trained: Trained, images: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The test images and labels used: the first `images`, or all."""
    data = trained.data
    if images is not None and images > len(data.test_labels):
        raise ConfigError(
            f"monte_carlo.images = {images} is more than the {len(data.test_labels)} test images there are"
        )
    return data.test_images[:images], data.test_labels[:images]


def to_dataset(samples: list[float]) -> xr.Dataset:
    """results.nc: the accuracy of every chip."""
    return xr.Dataset(
        {"accuracy": variable(("sample",), samples, unit="1", long_name="accuracy on the test images")},
        coords={"sample": variable(("sample",), np.arange(len(samples)), unit="1", long_name="chip")},
        attrs={"xbar_kind": "accuracy"},
    )
