"""`xbar evaluate`: Monte-Carlo accuracy of a network on non-ideal arrays."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
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
from xbar_cli.nn.reading import Circuit, Correction, Counts, on_arrays, share_beyond
from xbar_cli.nn.wired import Trust
from xbar_cli.numerics import stream
from xbar_cli.runs import environment, figures
from xbar_cli.runs.directory import CONFIG, Run, open_run
from xbar_cli.runs.results import RESULTS, variable, write_dataset
from xbar_cli.train.losses import correct
from xbar_cli.workflows.calibration import adc_full_scales, held_out, make_calibrator, with_drive_range
from xbar_cli.workflows.chips import describe, make_fabricator
from xbar_cli.workflows.folding import Folder, Hardware, Residuals, judge, make_folder, require_trust
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
    hardware = build_hardware(config, trained, network)
    result, corrections = measure(config, trained, hardware, reporter=reporter)
    write_dataset(run.path / RESULTS, to_dataset(result["accuracy_samples"], corrections))
    figures.sample_accuracies(
        run.figures / "accuracy.png",
        samples=result["accuracy_samples"],
        reference=result["ideal_accuracy"],
        caption=f"{trained.summary['network']} on {trained.summary['dataset']}, {hardware.model} array, "
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
        if (config.mapping, config.cell) != (MappingSection(), CellReference()):
            raise ConfigError(f"{path} is mapped already: mapping and cell options apply to train runs")
        if config.calibration != CalibrationSection() and not config.observes:
            raise ConfigError(
                f"{path} is mapped already: without converters or --calibrate no images calibrate anything"
            )
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


def build_hardware(config: EvaluateConfig, trained: Trained, network: MappedNetwork) -> Hardware:
    """What the network's devices are built into, the range of the row drive with it."""
    model = array_model(config, network)
    config.converters.check(model=model, scheme=network.scheme, cell=network.cell is not None)
    network = with_drive_range(trained, network, config.converters.dac_range, images=config.calibration.images)
    return Hardware(
        network, config.array, model=model, converters=config.converters, noises=tuple(config.variation.read_noises())
    )


@dataclass
class Tally:
    """What the chips add up to.

    Attributes:
        accuracies: of each.
        beyond: ADC conversions beyond the range and all of them, and the same of the DAC.
        devices: share of devices below 0, mean shift [S] and share off the table, of each.
        corrections: what each was calibrated to.
        seconds: of the passes, sampling with them.
        fold_seconds: of folding and calibrating.
    """

    accuracies: list[float] = field(default_factory=list)
    beyond: np.ndarray = field(default_factory=lambda: np.zeros(4))
    devices: list[tuple[float, float, float]] = field(default_factory=list)
    corrections: list[dict[str, Correction]] = field(default_factory=list)
    seconds: float = 0.0
    fold_seconds: float = 0.0


def measure(
    config: EvaluateConfig, trained: Trained, hardware: Hardware, *, reporter: Reporter
) -> tuple[dict[str, Any], list[dict[str, Correction]]]:
    """Accuracy of every sampled chip and of the network in floating point, and what each chip was calibrated to."""
    images, labels = test_part(trained, config.monte_carlo.images)
    size = min(config.monte_carlo.batch_size, len(labels))
    parts = [tuple(map(jnp.asarray, part)) for part in eval_batches(images, labels, batch_size=size)]
    count = make_counter(trained)
    order = describe(config.variation, hardware.network)
    if len(order) > 2:
        reporter.note("effects in order: " + "; ".join(order))

    def hits(circuit: Circuit | None, key: Array, chip: int | None = None) -> np.ndarray:
        found = [count(circuit, key, jnp.asarray(n * size), *part) for n, part in enumerate(parts)]
        for _, trusts in found:
            if circuit is not None:
                require_trust(circuit, trusts, chip=chip)
        return np.sum(np.asarray([counts for counts, _ in found], np.float64), axis=0)

    root = stream(jax.random.key(config.seed), "chip")
    ideal = float(hits(None, root)[0]) / len(labels)
    make_circuit, fitted_to = make_preparer(config, trained, hardware)
    # without variation every chip is the same: one is enough
    differ = config.variation.all_effects() or config.converters.adc_gain_error or config.converters.adc_offset_error
    n = config.monte_carlo.samples if differ else 1
    fabricate = make_fabricator(hardware.network, config.variation)
    if not hardware.wired:  # compiled before the clock runs; wired arrays take so long that this is lost in it
        warm = make_circuit(fabricate(root).conductances, root)[0]
        jax.block_until_ready(count(warm, root, jnp.asarray(0), *parts[0]))
    tally = Tally()
    for i in range(n):
        reporter.progress("chips", i, n)
        began = time.perf_counter()
        key = jax.random.fold_in(root, i)
        chip = jax.block_until_ready(fabricate(key))
        made = time.perf_counter()
        circuit, residuals = jax.block_until_ready(make_circuit(chip.conductances, key))
        folded = time.perf_counter()
        judge(residuals, chip=i)
        right, *beyond = hits(circuit, stream(key, "read"), i)
        tally.accuracies.append(float(right) / len(labels))
        tally.beyond += beyond
        tally.fold_seconds += folded - made
        tally.seconds += time.perf_counter() - folded + made - began
        tally.devices.append((float(chip.negative), float(chip.mean_shift), float(chip.off_table)))
        tally.corrections.append(circuit.corrections)
    reporter.progress("chips", n, n)
    summary = {
        "command": "evaluate",
        "array": hardware.model,
        "path": config.converters.path,
        "scheme": hardware.network.scheme,
        "variation": config.variation.amount,
        "variation_model": config.variation.model,
        "effects": order,
        "images": len(labels),
        "dataset_note": trained.data.note,
        "ideal_accuracy": ideal,
    }
    return summary | summarise(config, hardware, tally, fitted_to=fitted_to), tally.corrections


def make_preparer(
    config: EvaluateConfig, trained: Trained, hardware: Hardware
) -> tuple[Callable[[dict[str, Array], Array], tuple[Circuit, Residuals]], int]:
    """The function from a chip's devices and key to its circuit, calibrated if asked for, and the images it is fitted to."""
    fold = make_folder(hardware)
    full_scales: dict[str, float] = {}
    if config.converters.path == "tiled":
        nominal = {name: jnp.asarray(layer.conductance) for name, layer in hardware.network.layers.items()}

        def unvaried() -> Circuit:
            # the scales are not known yet; they are no part of the layers
            circuit, residuals = fold(nominal, jax.random.key(0), dict.fromkeys(nominal, 1.0))
            judge(residuals)
            return circuit

        full_scales = adc_full_scales(trained, hardware, unvaried, images=config.calibration.images)
    if config.decoding.calibrate is None:
        return partial(_prepare, fold, None, full_scales), 0
    pictures = held_out(trained, images=config.calibration.images)
    calibrate = make_calibrator(trained, config.decoding, pictures=pictures)
    return partial(_prepare, fold, calibrate, full_scales), len(pictures)


def _prepare(
    fold: Folder,
    calibrate: Callable[[Circuit, Array], dict[str, Correction]] | None,
    full_scales: dict[str, float],
    conductances: dict[str, Array],
    key: Array,
) -> tuple[Circuit, Residuals]:
    circuit, residuals = fold(conductances, key, full_scales)
    return circuit if calibrate is None else replace(circuit, corrections=calibrate(circuit, key)), residuals


def summarise(config: EvaluateConfig, hardware: Hardware, tally: Tally, *, fitted_to: int) -> dict[str, Any]:
    """What the summary says of the chips and their converters."""
    n = len(tally.accuracies)
    samples = tally.accuracies * (config.monte_carlo.samples // n)
    found = estimate(samples)
    negative, mean_shift, off_table = (float(value) for value in np.mean(tally.devices, axis=0))
    adc_beyond, adc_all, dac_beyond, dac_all = (float(value) for value in tally.beyond)
    converters = config.converters
    return {
        "samples": len(samples),
        "accuracy_mean": found.mean,
        "accuracy_std": found.std,
        "accuracy_ci95": list(found.ci95) if found.ci95 else None,
        "accuracy_samples": samples,
        "negative_policy": config.variation.negative,
        "negative_fraction": negative,
        "negative_mean_shift_siemens": mean_shift,
        "clamped_fraction": negative if config.variation.negative == "clamp" else 0.0,
        "off_table_fraction": off_table,
        "vg_volt": [layer.vg for layer in hardware.network.layers.values()],
        "input": converters.input,
        "v_read_volt": hardware.v_read if hardware.single and hardware.network.cell is not None else None,
        "dac_bits": converters.dac_bits,
        "adc_bits": converters.adc_bits,
        "dac_saturated_fraction": dac_beyond / dac_all if dac_all else None,
        "adc_saturated_fraction": adc_beyond / adc_all if adc_all else None,
        "calibration": calibration(config, tally.corrections, images=fitted_to),
        "seconds_per_sample": tally.seconds / n,
        "fold_seconds": tally.fold_seconds / n,
    }


def calibration(
    config: EvaluateConfig, corrections: list[dict[str, Correction]], *, images: int
) -> dict[str, Any] | None:
    """What outputs were corrected by: gain and offset of each layer, means over chips and columns; None without."""
    if config.decoding.calibrate is None:
        return None

    def mean(what: str) -> list[float]:
        return [float(np.mean([getattr(chip[name], what) for chip in corrections])) for name in corrections[0]]

    fitted = {"gain": mean("gain")} | ({"offset": mean("offset")} if config.decoding.calibrate == "affine" else {})
    return {"fit": config.decoding.calibrate, "per": config.decoding.per or "layer", "images": images, **fitted}


def make_counter(trained: Trained) -> Callable[..., tuple[Array, dict[str, Trust]]]:
    """The function from a circuit (None for floating point), key, number of the first image and a batch to five counts.

    With them comes how well arrays with wires were solved. The counts are the right answers, the ADC's conversions beyond
    its range and all of them, and the same of the DAC.
    """
    graphdef, state = nnx.split(trained.net)

    @jax.jit
    def count(
        state: Any, circuit: Circuit | None, key: Array, first: Array, *batch: Array
    ) -> tuple[Array, dict[str, Trust]]:
        x, y, weight = batch
        counts: dict[str, Counts] = {}
        trusts: dict[str, Trust] = {}
        given = {"key": key, "first": first, "counts": counts, "trusts": trusts}
        product = digital if circuit is None else on_arrays(circuit, **given)
        right = correct(nnx.merge(graphdef, state)(x, product), y, weight)
        return jnp.stack([right, *share_beyond(counts, "adc", weight), *share_beyond(counts, "dac", weight)]), trusts

    return partial(count, state)


def test_part(trained: Trained, images: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The test images and labels used: the first `images`, or all."""
    data = trained.data
    if images is not None and images > len(data.test_labels):
        raise ConfigError(
            f"monte_carlo.images = {images} is more than the {len(data.test_labels)} test images there are"
        )
    return data.test_images[:images], data.test_labels[:images]


def to_dataset(samples: list[float], corrections: list[dict[str, Correction]]) -> xr.Dataset:
    """results.nc: the accuracy of every chip, and the gains and offsets that it was calibrated to."""
    data = {"accuracy": variable(("sample",), samples, unit="1", long_name="accuracy on the test images")}
    for name in corrections[0]:
        for what in ("gain", "offset"):
            values = np.stack([np.asarray(getattr(chip[name], what)) for chip in corrections])
            dims = ("chip", f"{name}_out")[: values.ndim]
            data[f"{name}_{what}"] = variable(
                dims, values, unit="1", long_name=f"{what} of the decoded outputs of {name}"
            )
    return xr.Dataset(
        data,
        coords={"sample": variable(("sample",), np.arange(len(samples)), unit="1", long_name="chip")},
        attrs={"xbar_kind": "accuracy"},
    )
