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

from xbar_cli.array.lumped import lumped, published
from xbar_cli.array.nodal import nodal
from xbar_cli.array.tiling import Fold, fold_tiles
from xbar_cli.config.hardware import (
    ArraySection,
    CalibrationSection,
    CellReference,
    EvaluateConfig,
    MappingSection,
    VariationSection,
)
from xbar_cli.config.load import write_toml
from xbar_cli.data.batches import eval_batches
from xbar_cli.device.variation import normal_additive, normal_proportional, resolve_negative
from xbar_cli.errors import ConfigError, ModelError
from xbar_cli.nn.layers import digital
from xbar_cli.nn.program import MeanCell, gated_layer, linear_layer, mean_cell, on_arrays
from xbar_cli.numerics import stream
from xbar_cli.runs import environment, figures
from xbar_cli.runs.directory import CONFIG, Run, open_run
from xbar_cli.runs.results import RESULTS, variable, write_dataset
from xbar_cli.train.losses import correct
from xbar_cli.workflows.map import ORIGIN
from xbar_cli.workflows.mapped import MappedNetwork, drive_of, load_mapped, map_network, surrogates
from xbar_cli.workflows.models import Trained, open_trained
from xbar_cli.workflows.reporter import SILENT, Reporter
from xbar_cli.workflows.statistics import estimate

Layers = dict[str, Any]


@dataclass(frozen=True)
class Chip:
    """One sample of the devices.

    Attributes:
        conductances: of every layer [S].
        clamped: share of the devices that variation pushed below 0 and that were set to 0.
        off_table: share of the devices above the conductances that the cell's table covers.
    """

    conductances: dict[str, Array]
    clamped: Array
    off_table: Array


jax.tree_util.register_dataclass(Chip, ["conductances", "clamped", "off_table"], [])

LARGEST_RESIDUAL = 1e-6
"""Of Kirchhoff's law in a folded array; float64 leaves about 1e-14."""


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
    parts = [
        (jnp.asarray(x), jnp.asarray(y), jnp.asarray(w))
        for x, y, w in eval_batches(images, labels, batch_size=min(config.monte_carlo.batch_size, len(labels)))
    ]
    graphdef, state = nnx.split(trained.net)
    fabricate = make_fabricator(network, config.variation)
    fold = make_folder(network, config.array, model=model)

    @jax.jit
    def count(state: Any, layers: Layers | None, x: Array, y: Array, weight: Array) -> Array:
        product = digital if layers is None else on_arrays(layers)
        return correct(nnx.merge(graphdef, state)(x, product), y, weight)

    ideal = sum(float(count(state, None, *part)) for part in parts) / len(labels)
    root = stream(jax.random.key(config.seed), "chip")
    # without variation every chip is the same: one is enough
    n = config.monte_carlo.samples if config.variation.amount > 0 else 1
    warm = fold(fabricate(root).conductances)
    jax.block_until_ready(count(state, warm[0], *parts[0]))
    accuracies: list[float] = []
    chips: list[tuple[float, float]] = []
    seconds = folding = 0.0
    for i in range(n):
        reporter.progress("chips", i, n)
        began = time.perf_counter()
        chip = jax.block_until_ready(fabricate(jax.random.fold_in(root, i)))
        made = time.perf_counter()
        layers, residual = jax.block_until_ready(fold(chip.conductances))
        folded = time.perf_counter()
        judge(residual, chip=i)
        accuracies.append(sum(float(count(state, layers, *part)) for part in parts) / len(labels))
        folding += folded - made
        seconds += time.perf_counter() - folded + made - began
        chips.append((float(chip.clamped), float(chip.off_table)))
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
        "clamped_fraction": float(np.mean([clamped for clamped, _ in chips])),
        "off_table_fraction": float(np.mean([off_table for _, off_table in chips])),
        "vg_volt": [layer.vg for layer in network.layers.values()],
        "seconds_per_sample": seconds / n,
        "fold_seconds": folding / n,
    }


def test_part(trained: Trained, images: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The test images and labels used: the first `images`, or all."""
    data = trained.data
    if images is not None and images > len(data.test_labels):
        raise ConfigError(
            f"monte_carlo.images = {images} is more than the {len(data.test_labels)} test images there are"
        )
    return data.test_images[:images], data.test_labels[:images]


def judge(residuals: dict[str, Array], *, chip: int) -> None:
    """Raise ModelError where a layer's fold did not solve Kirchhoff's law, or met a NaN."""
    for name, residual in residuals.items():
        if not float(residual) <= LARGEST_RESIDUAL:
            raise ModelError(f"layer {name} of chip {chip}: the array was not solved (residual {float(residual):.1e})")


def make_fabricator(network: MappedNetwork, variation: VariationSection) -> Callable[[Array], Chip]:
    """The jitted function from a chip's key to its devices."""
    nominal = {name: jnp.asarray(layer.conductance) for name, layer in network.layers.items()}
    top = float(network.cell.g[-1]) if network.cell is not None else np.inf

    @jax.jit
    def fabricate(key: Array, nominal: dict[str, Array]) -> Chip:
        varied: dict[str, Array] = {}
        clamped = off_table = jnp.zeros((), jnp.float32)
        devices = sum(g.size for g in nominal.values())
        for name, g in nominal.items():
            drawn = vary(stream(key, name), g, variation, span=network.g_on - network.g_off)
            varied[name], share, _ = resolve_negative(drawn, policy="clamp")
            clamped = clamped + share * (g.size / devices)
            off_table = off_table + jnp.sum((varied[name] > top).astype(jnp.float32)) / devices
        return Chip(conductances=varied, clamped=clamped, off_table=off_table)

    return lambda key: fabricate(key, nominal)


def make_folder(network: MappedNetwork, array: ArraySection, *, model: str) -> Callable[[dict[str, Array]], Any]:
    """The jitted function from a chip's conductances to its layers, ready to compute, and their residuals."""
    cells = surrogates(network, "current") if network.cell is not None else {}
    means = mean_cells(network, cells)
    tile_fold = tile_model(array, model=model)

    @jax.jit
    def fold(conductances: dict[str, Array]) -> tuple[Layers, dict[str, Array]]:
        layers: Layers = {}
        residuals: dict[str, Array] = {}
        for name, g in conductances.items():
            layer = network.layers[name]
            given = {"scheme": network.scheme, "slope": jnp.asarray(layer.slope, jnp.float32), "kernel": layer.kernel}
            if model == "gated":
                layers[name] = gated_layer(g, **given, surrogate=cells[name], drive=drive_of(layer))
                continue

            def folded(g: Array, name: str = name) -> Array:
                g_eff, residuals[name] = fold_tiles(g, tile_fold, tile=network.tile)
                return g_eff

            wired = None if model == "ideal" else folded
            layers[name] = linear_layer(g, **given, cell=means.get(name), fold=wired)
        return layers, residuals

    return fold


def tile_model(array: ArraySection, *, model: str) -> Fold:
    """How one tile of a linear array folds: its model with its resistances [ohm]."""
    ends = {"r_source": array.r_source_ohm or 0.0, "r_neuron": array.r_neuron_ohm or 0.0}
    both = array.r_wire_ohm or 0.0
    wires = {"r_word": array.r_wire_word_ohm or both, "r_bit": array.r_wire_bit_ohm or both}
    match model:
        case "lumped":
            return lambda g: (lumped(g, **ends), jnp.zeros((), g.dtype))
        case "published":
            return lambda g: (published(g, **ends), jnp.zeros((), g.dtype))
        case "nodal":
            return lambda g: nodal(g, **ends, **wires)
        case _:
            return lambda g: (g, jnp.zeros((), g.dtype))


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


def to_dataset(samples: list[float]) -> xr.Dataset:
    """results.nc: the accuracy of every chip."""
    return xr.Dataset(
        {"accuracy": variable(("sample",), samples, unit="1", long_name="accuracy on the test images")},
        coords={"sample": variable(("sample",), np.arange(len(samples)), unit="1", long_name="chip")},
        attrs={"xbar_kind": "accuracy"},
    )
