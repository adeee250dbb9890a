"""`xbar evaluate`: Monte-Carlo accuracy of a network on non-ideal arrays."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from flax import nnx
from jax import Array

from xbar_cli.array.gated import Drive
from xbar_cli.config.hardware import CalibrationSection, CellReference, EvaluateConfig, MappingSection, VariationSection
from xbar_cli.config.load import write_toml
from xbar_cli.data.batches import eval_batches
from xbar_cli.device.variation import normal_additive, normal_proportional, resolve_negative
from xbar_cli.errors import ConfigError
from xbar_cli.nn.layers import digital
from xbar_cli.nn.program import MeanCell, gated_layer, linear_layer, mean_cell, on_arrays
from xbar_cli.numerics import stream
from xbar_cli.runs import environment, figures
from xbar_cli.runs.directory import CONFIG, Run, open_run
from xbar_cli.runs.results import RESULTS, variable, write_dataset
from xbar_cli.train.losses import correct
from xbar_cli.workflows.map import ORIGIN
from xbar_cli.workflows.mapped import MappedNetwork, load_mapped, map_network, surrogates
from xbar_cli.workflows.models import Trained, open_trained
from xbar_cli.workflows.reporter import SILENT, Reporter
from xbar_cli.workflows.statistics import estimate

Layers = dict[str, Any]


@dataclass(frozen=True)
class Chip:
    """One sample of the hardware.

    Attributes:
        layers: programmed layers by name.
        clamped: share of the devices that variation pushed below 0 and that were set to 0.
        off_table: share of the devices above the conductances that the cell's table covers.
    """

    layers: Layers
    clamped: Array
    off_table: Array


jax.tree_util.register_dataclass(Chip, ["layers", "clamped", "off_table"], [])


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
    return model


def measure(
    config: EvaluateConfig, trained: Trained, network: MappedNetwork, *, model: str, reporter: Reporter
) -> dict[str, Any]:
    """Accuracy of every sampled chip, and of the network in floating point."""
    images, labels = test_part(trained, config.monte_carlo.images)
    parts = [
        (jnp.asarray(x), jnp.asarray(y), jnp.asarray(w))
        for x, y, w in eval_batches(images, labels, batch_size=min(config.monte_carlo.batch_size, len(labels)))
    ]
    graphdef, state = nnx.split(trained.net)
    fabricate = make_fabricator(network, config.variation, model=model)

    @jax.jit
    def count(state: Any, layers: Layers | None, x: Array, y: Array, weight: Array) -> Array:
        product = digital if layers is None else on_arrays(layers)
        return correct(nnx.merge(graphdef, state)(x, product), y, weight)

    ideal = sum(float(count(state, None, *part)) for part in parts) / len(labels)
    root = stream(jax.random.key(config.seed), "chip")
    # without variation every chip is the same: one is enough
    n = config.monte_carlo.samples if config.variation.amount > 0 else 1
    warm = fabricate(root)
    jax.block_until_ready(count(state, warm.layers, *parts[0]))
    accuracies: list[float] = []
    clamped: list[float] = []
    off_table: list[float] = []
    began = time.perf_counter()
    for i in range(n):
        reporter.progress("chips", i, n)
        chip = fabricate(jax.random.fold_in(root, i))
        accuracies.append(sum(float(count(state, chip.layers, *part)) for part in parts) / len(labels))
        clamped.append(float(chip.clamped))
        off_table.append(float(chip.off_table))
    seconds = time.perf_counter() - began
    reporter.progress("chips", n, n)
    samples = accuracies * (config.monte_carlo.samples // n)
    found = estimate(samples)
    return {
        "command": "evaluate",
        "array": model,
        "variation": config.variation.amount,
        "variation_model": config.variation.model,
        "samples": len(samples),
        "images": len(labels),
        "dataset_note": trained.data.note,
        "ideal_accuracy": ideal,
        "accuracy_mean": found.mean,
        "accuracy_std": found.std,
        "accuracy_ci95": list(found.ci95) if found.ci95 else None,
        "accuracy_samples": samples,
        "clamped_fraction": float(np.mean(clamped)),
        "off_table_fraction": float(np.mean(off_table)),
        "vg_volt": [layer.vg for layer in network.layers.values()],
        "seconds_per_sample": seconds / n,
    }


def test_part(trained: Trained, images: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The test images and labels used: the first `images`, or all."""
    data = trained.data
    if images is not None and images > len(data.test_labels):
        raise ConfigError(
            f"monte_carlo.images = {images} is more than the {len(data.test_labels)} test images there are"
        )
    return data.test_images[:images], data.test_labels[:images]


def make_fabricator(network: MappedNetwork, variation: VariationSection, *, model: str) -> Callable[[Array], Chip]:
    """The jitted function from a chip's key to the chip: variation on every device, then each layer folded."""
    conductances = {name: jnp.asarray(layer.conductance) for name, layer in network.layers.items()}
    cells = surrogates(network, "current") if network.cell is not None else {}
    means = mean_cells(network, cells)
    top = float(network.cell.g[-1]) if network.cell is not None else np.inf

    @jax.jit
    def fabricate(key: Array, conductances: dict[str, Array]) -> Chip:
        layers: Layers = {}
        clamped = off_table = jnp.zeros((), jnp.float32)
        devices = sum(g.size for g in conductances.values())
        for name, g in conductances.items():
            varied = vary(stream(key, name), g, variation, span=network.g_on - network.g_off)
            varied, share, _ = resolve_negative(varied, policy="clamp")
            clamped = clamped + share * (g.size / devices)
            off_table = off_table + jnp.sum((varied > top).astype(jnp.float32)) / devices
            layers[name] = fold(network, name, varied, model=model, surrogate=cells.get(name), mean=means.get(name))
        return Chip(layers=layers, clamped=clamped, off_table=off_table)

    return lambda key: fabricate(key, conductances)


def mean_cells(network: MappedNetwork, cells: dict[str, Any]) -> dict[str, MeanCell]:
    """Each layer's cell as a linear conductance."""
    if network.cell is None:
        return {}
    vin = jnp.asarray(network.cell.vin, jnp.float32)
    return {name: mean_cell(surrogate, vin) for name, surrogate in cells.items()}


def vary(key: Array, g: Array, variation: VariationSection, *, span: float) -> Array:
    """Conductances [S] of one chip; `span` is G_on − G_off [S]."""
    if variation.amount == 0:
        return g
    match variation.model:
        case "additive":
            return normal_additive(key, g, sigma_siemens=variation.amount * span)
        case "proportional":
            return normal_proportional(key, g, sigma_relative=variation.amount)


def fold(network: MappedNetwork, name: str, g: Array, *, model: str, surrogate: Any, mean: MeanCell | None) -> Any:
    """One layer of a chip, ready to compute."""
    layer = network.layers[name]
    slope = jnp.asarray(layer.slope, jnp.float32)
    if model == "ideal":
        return linear_layer(g, scheme=network.scheme, slope=slope, kernel=layer.kernel, cell=mean)
    drive = Drive(
        full_scale=jnp.asarray(layer.full_scale, jnp.float32), signed=jnp.asarray(float(layer.signed), jnp.float32)
    )
    return gated_layer(g, scheme=network.scheme, slope=slope, kernel=layer.kernel, surrogate=surrogate, drive=drive)


def to_dataset(samples: list[float]) -> xr.Dataset:
    """results.nc: the accuracy of every chip."""
    return xr.Dataset(
        {"accuracy": variable(("sample",), samples, unit="1", long_name="accuracy on the test images")},
        coords={"sample": variable(("sample",), np.arange(len(samples)), unit="1", long_name="chip")},
        attrs={"xbar_kind": "accuracy"},
    )
