"""`xbar train`: train a network, plainly or inside the linear range of a 1T-1R cell."""

import dataclasses
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from xbar_cli.config.base import parse_quantity
from xbar_cli.config.load import write_toml
from xbar_cli.config.train import NetworkSection, TrainConfig
from xbar_cli.data.batches import batches, eval_batches, validation_split
from xbar_cli.data.datasets import Dataset
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.window import cell_window, require_range
from xbar_cli.nn.shapes import kernels, layer_shapes, parameters, set_parameters
from xbar_cli.runs import environment
from xbar_cli.runs.checkpoint import Checkpoints
from xbar_cli.runs.directory import CONFIG, METRICS, Run
from xbar_cli.runs.results import MODEL
from xbar_cli.train.loop import State, make_counter, make_optimizer, make_step, run_epoch
from xbar_cli.train.neat import in_range_fraction, restrict_network
from xbar_cli.train.transforms import Transform
from xbar_cli.workflows import build
from xbar_cli.workflows.cells import copy_cell, load_cell
from xbar_cli.workflows.models import CELL, open_trained, save_weights, weight_maxima
from xbar_cli.workflows.reporter import SILENT, Reporter
from xbar_cli.workflows.train_arrays import transform_of

EVALUATION_BATCH = 1000
Part = tuple[np.ndarray, np.ndarray]
"""Images and labels."""


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs under one optimiser.

    Attributes:
        name: `train` or `retrain`.
        epochs: how many.
        learning_rate: of Adam.
        restrict_every: epochs between restrictions to ±W_cut; 0 for none.
    """

    name: str
    epochs: int
    learning_rate: float
    restrict_every: int = 0


@dataclass
class Progress:
    """Where a run stands besides its arrays: the JSON record of a checkpoint."""

    phase: int = 0
    epoch: int = 0
    best_validation: float = -1.0
    best_epoch: int = 0
    w_max: dict[str, float] = field(default_factory=dict)
    w_cut: dict[str, float] = field(default_factory=dict)
    in_range: dict[str, float] = field(default_factory=dict)
    """Share of weights in range before the last restriction."""


@dataclass(frozen=True)
class Session:
    """What stays the same while a run trains."""

    config: TrainConfig
    run: Run
    data: Dataset
    net: nnx.Module
    parts: dict[str, Part]
    phases: tuple[Phase, ...]
    transform: Transform | None
    reporter: Reporter

    def epoch_batches(self, epoch: int) -> Any:
        """The training batches of one epoch, in an order that (seed, epoch) alone decides."""
        images, labels = self.parts["train"]
        size = min(self.config.training.batch_size, len(labels))
        for x, y in batches(images, labels, batch_size=size, seed=self.config.seed, epoch=epoch):
            yield jnp.asarray(x), jnp.asarray(y)

    @property
    def layers(self) -> list[str]:
        """Names of the layers in the order they compute."""
        return [layer.name for layer in layer_shapes(self.net, shape=build.image_shape(self.data))]


def run(config: TrainConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Train as `config` says into `run`, continuing from its newest checkpoint if it has one.

    Returns:
        The summary, as summary.json holds it.
    """
    start_time = time.perf_counter()
    session = open_session(config, run, reporter=reporter)
    write_toml(run.path / CONFIG, config)
    checkpoints = Checkpoints(run.path / "checkpoints")
    try:
        best, progress = train_phases(session, checkpoints)
    finally:
        checkpoints.close()
    summary = conclude(session, best, progress)
    shutil.rmtree(run.path / "checkpoints", ignore_errors=True)
    devices = [str(device) for device in jax.devices()]
    environment.write(run.path / "env.json", environment.describe(seed=config.seed, devices=devices))
    return summary | {"wall_seconds": time.perf_counter() - start_time, "out": str(run.final)}


def open_session(config: TrainConfig, run: Run, *, reporter: Reporter) -> Session:
    """Data, network and phases of a run; the cell's file is copied into it."""
    data = build.dataset(config.dataset.name, data_dir=config.dataset.data_dir)
    net = build.network(config.network, shape=build.image_shape(data), n_classes=data.n_classes, seed=config.seed)
    train_index, validation_index = validation_split(
        len(data.train_labels), fraction=config.dataset.validation_fraction, seed=config.seed, labels=data.train_labels
    )
    parts = {
        "train": (data.train_images[train_index], data.train_labels[train_index]),
        "validation": (data.train_images[validation_index], data.train_labels[validation_index]),
        "test": (data.test_images, data.test_labels),
    }
    if config.method == "neat":
        copy_cell(Path(str(config.neat.cell)), run.path / CELL)
        require_range(load_cell(run.path / CELL), gate_voltage(config))
        if config.neat.start is not None:
            started = open_trained(Path(config.neat.start), use="--start", data_dir=config.dataset.data_dir)
            network, name = NetworkSection(**started.config["network"]), started.config["dataset"]["name"]
            if (network, name) != (config.network, config.dataset.name):
                raise ConfigError(f"--start {config.neat.start} trained {network.name} on {name}; ask for the same")
            set_parameters(net, parameters(started.net))
    return Session(config, run, data, net, parts, phases(config), transform_of(config, net, data), reporter)


def gate_voltage(config: TrainConfig) -> float:
    """The homogeneous gate voltage [V]."""
    try:
        return float(parse_quantity(config.neat.vg))
    except ValueError as error:
        raise ConfigError(f"neat.vg: {error}") from None


def phases(config: TrainConfig) -> tuple[Phase, ...]:
    """The stretches of training that the method asks for."""
    plain = Phase("train", config.training.epochs, config.training.learning_rate)
    if config.method != "neat":
        return (plain,)
    neat = config.neat
    retrain = Phase("retrain", neat.rounds * neat.epochs_per_round, neat.learning_rate, neat.epochs_per_round)
    return (retrain,) if neat.start is not None else (plain, retrain)


def train_phases(session: Session, checkpoints: Checkpoints) -> tuple[dict[str, State], Progress]:
    """All phases, from the newest checkpoint on.

    Returns:
        Network states: `final`, and `start` (before the first restriction; the same without retraining).
    """
    progress = Progress()
    net = session.net
    kept = snapshot(net)
    for number, phase in enumerate(session.phases):
        optimizer = make_optimizer(net, learning_rate=phase.learning_rate)
        graphdef, state = nnx.split((net, optimizer))
        latest = checkpoints.latest()
        if latest is not None:
            record = checkpoints.record(latest)
            if record["phase"] > number:
                continue
            if record["phase"] == number:
                progress = Progress(**record)
                restored = checkpoints.restore(latest, {"state": state, "kept": kept})
                state, kept = restored["state"], restored["kept"]
                nnx.update((net, optimizer), state)
                drop_metrics_after(session.run, step=latest)
        if progress.phase != number or latest is None:
            progress = dataclasses.replace(progress, phase=number, epoch=0)
        if phase.name == "retrain":
            if not progress.w_cut:
                kept = snapshot(net)
                progress.w_max, progress.w_cut = cut_offs(session)
            state = train_one(session, phase, graphdef, state, kept, progress, checkpoints)[0]
            nnx.update((net, optimizer), state)
            if phase.epochs == 0:
                progress.in_range = restrict_network(net, progress.w_cut)
        else:
            state, kept = train_one(session, phase, graphdef, state, kept, progress, checkpoints)
            nnx.update(net, kept)
    return {"final": snapshot(net), "start": kept}, progress


def snapshot(net: nnx.Module) -> State:
    """A copy of the network's state: `nnx.state` alone shares its variables with the network."""
    return jax.tree.map(lambda leaf: leaf, nnx.state(net))


def train_one(
    session: Session,
    phase: Phase,
    graphdef: Any,
    state: State,
    kept: State,
    progress: Progress,
    checkpoints: Checkpoints,
) -> tuple[State, State]:
    """The epochs of one phase that are still to do; returns the last state and the kept network state."""
    step = make_step(graphdef, transform=session.transform, seed=session.config.seed)
    net, optimizer = nnx.merge(graphdef, state)
    count = make_counter(nnx.split(net)[0], transform=session.transform)
    offset = sum(p.epochs for p in session.phases[: progress.phase])
    if phase.restrict_every and phase.epochs and progress.epoch == 0:
        progress.in_range = restrict_network(net, progress.w_cut)
        state = nnx.split((net, optimizer))[1]
    for epoch in range(progress.epoch, phase.epochs):
        session.reporter.progress(phase.name, epoch, phase.epochs)
        began = time.perf_counter()
        state, loss = run_epoch(step, state, session.epoch_batches(offset + epoch), epoch=epoch)
        nnx.update((net, optimizer), state)
        record: dict[str, Any] = {"phase": phase.name, "epoch": epoch + 1, "loss": loss}
        if phase.restrict_every and (epoch + 1) % phase.restrict_every == 0:
            progress.in_range = restrict_network(net, progress.w_cut)
            record["in_range_fraction"] = [progress.in_range[name] for name in session.layers]
            state = nnx.split((net, optimizer))[1]
        validation = accuracy(session, count, nnx.state(net), part="validation")
        record |= {"validation_accuracy": validation, "seconds": time.perf_counter() - began}
        if phase.name == "train" and validation > progress.best_validation:
            progress.best_validation, progress.best_epoch = validation, epoch + 1
            kept = snapshot(net)
        progress.epoch = epoch + 1
        session.run.append_metrics({"step": offset + epoch + 1, **record})
        checkpoints.save(offset + epoch + 1, {"state": state, "kept": kept}, dataclasses.asdict(progress))
    session.reporter.progress(phase.name, phase.epochs, phase.epochs)
    return state, kept


def cut_offs(session: Session) -> tuple[dict[str, float], dict[str, float]]:
    """W_max and W_cut of every layer at the homogeneous gate voltage, from the weights as they are."""
    cell = load_cell(session.run.path / CELL)
    vg = gate_voltage(session.config)
    values = kernels(parameters(session.net))
    found = weight_maxima({name: values[name] for name in session.layers}, scale=session.config.neat.weight_scale)
    w_max = {name: float(value) for name, value in found.items()}
    return w_max, {name: cell_window(cell, vg=vg, w_max=limit).w_cut for name, limit in w_max.items()}


def accuracy(session: Session, count: Callable[..., Any], state: State, *, part: str) -> float:
    """Share of correct answers on the `train`, `validation` or `test` part."""
    images, labels = session.parts[part]
    size = min(EVALUATION_BATCH, len(labels))
    hits = sum(float(count(state, x, y, weight)) for x, y, weight in eval_batches(images, labels, batch_size=size))
    return hits / len(labels)


def conclude(session: Session, states: dict[str, State], progress: Progress) -> dict[str, Any]:
    """Measure the finished network once on the test set, write its weights, and sum up."""
    net, config = session.net, session.config
    count = make_counter(nnx.split(net)[0], transform=session.transform)
    nnx.update(net, states["final"])
    save_weights(session.run.path / MODEL, net)
    summary: dict[str, Any] = {
        "command": "train",
        "method": config.method,
        "network": config.network.name,
        "dataset": config.dataset.name,
        "dataset_note": session.data.note,
        "layers": session.layers,
        "weights": [int(np.prod(layer.kernel)) for layer in layer_shapes(net, shape=build.image_shape(session.data))],
        "test_accuracy": accuracy(session, count, states["final"], part="test"),
        "train_accuracy": accuracy(session, count, states["final"], part="train"),
        "validation_accuracy": accuracy(session, count, states["final"], part="validation"),
        "epochs": sum(phase.epochs for phase in session.phases),
        "best_epoch": progress.best_epoch,
        "vg_volt": None,
        "in_range_fraction": None,
        "metrics": METRICS,
    }
    if config.method == "tat":
        plain = make_counter(nnx.split(net)[0])
        summary |= {
            "array": config.tat.array,
            "technology": config.tat.technology,
            "test_accuracy_without_arrays": accuracy(session, plain, states["final"], part="test"),
        }
    if config.method == "neat":
        summary |= conclude_neat(session, states["start"], progress, count)
    return summary


def conclude_neat(session: Session, start: State, progress: Progress, count: Callable[..., Any]) -> dict[str, Any]:
    """NEAT's own figures: gate voltages, cut-offs, shares in range, and the accuracy without retraining."""
    net = session.net
    final = snapshot(net)
    nnx.update(net, start)
    values = kernels(parameters(net))
    at_start = [in_range_fraction(jnp.asarray(values[n]), w_cut=progress.w_cut[n]) for n in session.layers]
    start_accuracy = accuracy(session, count, start, part="test")
    restrict_network(net, progress.w_cut)
    restricted_accuracy = accuracy(session, count, nnx.state(net), part="test")
    nnx.update(net, final)
    return {
        "vg_volt": [gate_voltage(session.config)] * len(session.layers),
        "in_range_fraction": [progress.in_range[name] for name in session.layers],
        "in_range_fraction_at_start": at_start,
        "w_max": [progress.w_max[name] for name in session.layers],
        "w_cut": [progress.w_cut[name] for name in session.layers],
        "weight_scale": session.config.neat.weight_scale,
        "start_accuracy": start_accuracy,
        "restricted_accuracy": restricted_accuracy,
    }


def drop_metrics_after(run: Run, *, step: int) -> None:
    """Forget the lines of epochs that the checkpoint does not hold: they will be computed again."""
    import json

    path = run.path / METRICS
    if not path.exists():
        return
    kept: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError):
            break
    path.write_text("".join(kept), encoding="utf-8")
