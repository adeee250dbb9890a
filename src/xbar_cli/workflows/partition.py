"""`xbar partition`: which layers of a trained network to keep digital."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from xbar_cli.chip.floating import floating_value
from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.chip.partition import MadeDigital, greedy, make_accuracies, pattern_of
from xbar_cli.chip.prepare import make_sampler
from xbar_cli.config.chips.evaluate import EvaluateConfig, PartitionConfig
from xbar_cli.config.effect_list import steps_of
from xbar_cli.config.load import write_toml
from xbar_cli.figures import drawing
from xbar_cli.nn.score import ACCURACY as RIGHT
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.opening import open_run
from xbar_cli.runs.results import RESULTS, field, write_fields
from xbar_cli.statistics import ACCURACY, estimate
from xbar_cli.trained import build
from xbar_cli.trained.opening import Trained
from xbar_cli.trained.parts import held_out
from xbar_cli.workflows import evaluate

TAKEN = ("ideal_accuracy", "accuracy_mean", "accuracy_std", "accuracy_ci95", "images")
"""Keys of an evaluation that the summary repeats, with `test_` before them."""


def run(config: PartitionConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Search a partition as `config` says into `run`; returns the summary."""
    open_run(Path(config.run), commands=("train",), use="xbar partition")
    if (unusual := environment.drawing_note(config.seed)) is not None:
        reporter.note(unusual)
    opened, trained, network = evaluate.open_network(evaluation_of(config), reporter)
    build.metric_of(trained.data, "accuracy", key="the metric of a partition")
    write_toml(run.path / CONFIG, config)
    ideal, images, steps = search(config, opened, trained, network, reporter=reporter)
    left = [name for name in network.layers if name not in {step.layer for step in steps}]
    pattern = pattern_of(trained.layers, left)
    tested = on_test_images(config, pattern)
    loss = ideal - float(steps[-1].accuracies.mean())
    if not (reached := loss < config.partition.loss):
        reporter.note(f"layer {left[0]} alone on arrays still costs {loss:.4f}: partition.loss is not reached")
    found = {
        "command": "partition",
        "network": trained.network,
        "dataset": trained.dataset,
        "dataset_note": trained.data.note,
        "wanted_loss": config.partition.loss,
        "per": config.partition.per,
        "held_out_images": images,
        "samples": len(steps[0].accuracies),
        "ideal_accuracy": ideal,
        "steps": steps_told(steps, ideal=ideal, network=network),
        "reached": reached,
        "layers": pattern,
        "on_arrays": left,
        "digital": [name for name in trained.layers if name not in left],
        **{f"test_{key}": tested[key] for key in TAKEN},
        "test_loss": tested["ideal_accuracy"] - tested["accuracy_mean"],
    }
    write_results(run, steps, tested["accuracy_samples"])
    draw(run.figures / "partition.png", found)
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    return found | {"out": str(run.final)}


def evaluation_of(config: PartitionConfig, **mapping: Any) -> EvaluateConfig:
    """The evaluation that a partition is of, with some of its mapping's keys replaced."""
    sections: dict[str, Any] = {name: getattr(config, name) for name in EvaluateConfig.model_fields}
    sections["mapping"] = config.mapping.model_copy(update=mapping)
    sections["monte_carlo"] = config.monte_carlo.model_copy(update={"metric": "accuracy"})
    return EvaluateConfig(**sections)


def search(
    config: PartitionConfig, opened: EvaluateConfig, trained: Trained, network: MappedNetwork, *, reporter: Reporter
) -> tuple[float, int, list[MadeDigital]]:
    """The accuracy in floating point on the held-out images, how many there are, and the layers made digital in turn.

    `opened` is the evaluation with what the run fixed of it.
    """
    pictures, labels = held_out(trained, images=config.partition.images)
    parts = evaluate.batched(pictures, labels, size=config.monte_carlo.batch_size)
    hardware = evaluate.build_hardware(opened, trained, network, reporter=reporter)
    ideal = floating_value(trained, parts, RIGHT)
    effects = steps_of(opened.variation.on_devices(), network)
    chips = (config.monte_carlo.samples or 1) if opened.differing else 1
    sampler, _ = make_sampler(opened, trained, hardware, effects, parts, most=chips)
    costs = costs_of(trained, network, per=config.partition.per)
    most = len(costs) * (len(costs) + 1) // 2 - 1
    accuracies = make_accuracies(sampler, list(network.layers), chips)
    steps = greedy(
        accuracies,
        costs,
        ideal=ideal,
        loss=config.partition.loss,
        told=lambda done: reporter.progress("choices", done, most),
    )
    reporter.progress("choices", most, most)
    return ideal, len(labels), steps


def costs_of(trained: Trained, network: MappedNetwork, *, per: str) -> dict[str, float]:
    """What the return of each layer on arrays costs: its devices, or its multiplications of an image."""
    if per == "device":
        return {name: float(network.devices(name)) for name in network.layers}
    shapes = build.shapes_of(trained.net, trained.data)
    return {shape.name: float(shape.macs) for shape in shapes if shape.name in network.layers}


def on_test_images(config: PartitionConfig, pattern: str) -> dict[str, Any]:
    """What `xbar evaluate` finds with the layers of a pattern on arrays."""
    opened, trained, network = evaluate.open_network(evaluation_of(config, layers=pattern), SILENT)
    return evaluate.measure(opened, trained, evaluate.build_hardware(opened, trained, network), reporter=SILENT)[0]


def steps_told(steps: Sequence[MadeDigital], *, ideal: float, network: MappedNetwork) -> list[dict[str, Any]]:
    """The steps as the summary holds them, with 95 % intervals over chips."""
    told: list[dict[str, Any]] = []
    devices = sum(network.devices(name) for name in network.layers)
    for step in steps:
        devices -= 0 if step.layer is None else network.devices(step.layer)
        accuracy, gain = estimate(step.accuracies.tolist(), within=ACCURACY), estimate(step.gains.tolist())
        ci95 = accuracy.ci95
        told.append(
            {
                "layer": step.layer,
                "devices": devices,
                "accuracy_mean": accuracy.mean,
                "accuracy_ci95": None if ci95 is None else list(ci95),
                "loss": ideal - accuracy.mean,
                "loss_ci95": None if ci95 is None else [ideal - ci95[1], ideal - ci95[0]],
                "gain": None if step.layer is None else gain.mean,
                "gain_ci95": None if step.layer is None or gain.ci95 is None else list(gain.ci95),
                "gain_per_cost": step.gain_per_cost,
            }
        )
    return told


def write_results(run: Run, steps: Sequence[MadeDigital], tested: Sequence[float]) -> None:
    """results.nc: the accuracy of every chip at every step, and on the test images at the end."""
    accuracies = np.stack([step.accuracies for step in steps])
    names = np.asarray([step.layer or "" for step in steps], object)
    fields = {
        "step": field(("step",), np.arange(len(steps)), unit="1", long_name="layers made digital"),
        "chip": field(("chip",), np.arange(accuracies.shape[1]), unit="1", long_name="chip"),
        "layer": field(("step",), names, unit="", long_name="layer made digital"),
        "accuracy": field(("step", "chip"), accuracies, unit="1", long_name="accuracy on held-out training images"),
        "test_accuracy": field(("sample",), tested, unit="1", long_name="accuracy on the test images at the end"),
    }
    write_fields(run.path / RESULTS, fields, attributes={"xbar_kind": "partition"})


def draw(path: Path, summary: Mapping[str, Any]) -> None:
    """Accuracy lost against the devices that are left, step by step."""
    steps = summary["steps"]
    devices = [step["devices"] for step in steps]
    losses = np.asarray([step["loss"] for step in steps]) * 100
    ends = np.asarray([step["loss_ci95"] or [step["loss"]] * 2 for step in steps]).T * 100

    def curve(figure: Figure) -> None:
        axes = figure.subplots()
        axes.errorbar(devices, losses, yerr=np.abs(ends - losses), marker="o", capsize=2)
        axes.axhline(summary["wanted_loss"] * 100, color="0.4", linestyle=":")
        for step, loss in zip(steps, losses, strict=True):
            if step["layer"] is not None:
                axes.annotate(
                    f"−{step['layer']}",
                    (step["devices"], loss),
                    fontsize="small",
                    xytext=(3, 3),
                    textcoords="offset points",
                )
        axes.set(xlabel="devices on arrays", ylabel="accuracy lost (%)")

    images = f"{summary['held_out_images']} held-out images"
    caption = f"{summary['network']} on {summary['dataset']}, {images}; bars: 95 % intervals over chips"
    drawing.save(path, curve, caption=caption)
