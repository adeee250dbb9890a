"""`xbar train`: train a network, plainly or by the method of one of the four papers."""

import dataclasses
import json
import shutil
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import nnx

from xbar_cli.config.load import write_toml
from xbar_cli.config.train import TrainConfig
from xbar_cli.nn.norm import fold_norms
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.checkpoint import Checkpoints
from xbar_cli.runs.directory import CONFIG, METRICS, Run
from xbar_cli.runs.results import MODEL
from xbar_cli.train.loop import State, make_optimizer, make_step, renewing, run_epoch
from xbar_cli.train.methods import method_of
from xbar_cli.train.optimizers import chain, learning_rate
from xbar_cli.train.session import (
    Phase,
    Progress,
    Session,
    accuracy,
    counter,
    shapes_of,
    snapshot,
)
from xbar_cli.trained import build
from xbar_cli.trained.opening import save_weights
from xbar_cli.trained.parts import split_parts


def run(config: TrainConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Train as `config` says into `run`, continuing from its newest checkpoint if it has one.

    Returns:
        The summary, as summary.json holds it.
    """
    start_time = time.perf_counter()
    if (unusual := environment.drawing_note(config.seed)) is not None:
        reporter.note(unusual)
    session = open_session(config, run, reporter=reporter)
    write_toml(run.path / CONFIG, config)
    checkpoints = Checkpoints(run.path / "checkpoints")
    try:
        for said in checkpoints.drop_damaged():
            reporter.note(f"{said}; resuming from checkpoint {checkpoints.latest()}")
        states, progress = train_phases(session, checkpoints)
    finally:
        checkpoints.close()
    summary = conclude(session, states, progress)
    shutil.rmtree(run.path / "checkpoints", ignore_errors=True)
    devices = [str(device) for device in jax.devices()]
    environment.write(run.path / "env.json", environment.describe(seed=config.seed, devices=devices))
    return summary | {"wall_seconds": time.perf_counter() - start_time, "out": str(run.final)}


def open_session(config: TrainConfig, run: Run, *, reporter: Reporter) -> Session:
    """Data, network and method of a run; files that the method depends on are copied into it."""
    data = build.dataset(config.dataset.name, data_dir=config.dataset.data_dir)
    parts = split_parts(config.dataset, data, seed=config.seed)
    net = build.network(config.network, shape=build.image_shape(data), n_classes=data.n_classes, seed=config.seed)
    shapes = shapes_of(net, data)
    method = method_of(config, run, net, shapes, parts)
    return Session(config, run, data, net, parts, shapes, method, reporter)


def train_phases(session: Session, checkpoints: Checkpoints) -> tuple[dict[str, State], Progress]:
    """All phases, from the newest checkpoint on.

    Returns:
        Network states: `final`, and `start` (what the last phase started from).
    """
    progress = Progress()
    net = session.net
    kept = snapshot(net)
    start = kept
    for number, phase in enumerate(session.method.phases):
        optimizer = make_optimizer(net, optimiser(session, phase))
        graphdef, state = nnx.split((net, optimizer))
        latest = checkpoints.latest()
        if latest is not None:
            record = checkpoints.record(latest)
            if record["phase"] > number:
                continue
            if record["phase"] == number:
                progress = Progress(**record)
                restored = checkpoints.restore(latest, {"state": state, "kept": kept, "start": start})
                state, kept, start = restored["state"], restored["kept"], restored["start"]
                nnx.update((net, optimizer), state)
                keep_metrics(session.run, lambda line, last=latest: line["step"] <= last)
        if progress.phase != number or latest is None:
            kept = start = snapshot(net)
            progress = dataclasses.replace(progress, phase=number, epoch=0, best_accuracy=-1.0, best_epoch=0)
        kept = train_one(session, phase, graphdef, state, (kept, start), progress, checkpoints)
        nnx.update(net, kept)
    return {"final": snapshot(net), "start": start}, progress


def optimiser(session: Session, phase: Phase) -> Any:
    """The optimiser of one phase."""
    training = session.config.training
    steps = phase.epochs * session.steps_per_epoch
    return chain(
        session.config.optimizer,
        rate=learning_rate(phase.schedule, rate=phase.learning_rate, steps=steps),
        momentum=training.momentum,
        weight_decay=training.weight_decay,
        decay=session.method.decay,
        clip_norm=training.clip_norm,
        after=session.method.after,
    )


def train_one(
    session: Session,
    phase: Phase,
    graphdef: Any,
    state: State,
    saved: tuple[State, State],
    progress: Progress,
    checkpoints: Checkpoints,
) -> State:
    """The epochs of one phase that are still to do; returns the network state it keeps."""
    training, method = session.config.training, session.method
    offset, steps = sum(p.epochs for p in method.phases[: progress.phase]), session.steps_per_epoch
    step = make_step(
        graphdef,
        forward=method.forward,
        seed=session.config.seed,
        before=offset * steps,
        label_smoothing=training.label_smoothing,
        augmentation=training.augment,
    )
    step = renewing(step, graphdef, method.renewal, epoch_steps=steps, taken=progress.epoch * steps)
    kept, start = saved
    net, optimizer = nnx.merge(graphdef, state)
    nnx.update(session.net, nnx.state(net))
    count = counter(session)
    if method.restrict is not None and phase.restrict_first and progress.epoch == 0:
        first = method.restrict(session, progress, offset)
        nnx.update(net, nnx.state(session.net))
        kept, state = snapshot(net), nnx.split((net, optimizer))[1]
        first[f"{phase.select}_accuracy"] = accuracy(session, count, nnx.state(net), part=phase.select)
        keep_metrics(session.run, lambda line: (line["phase"], line["epoch"]) != (phase.name, 0))
        session.run.append_metrics({"step": offset, "phase": phase.name, "epoch": 0, **first})
    for epoch in range(progress.epoch, phase.epochs):
        if training.early_stop and phase.keep == "best" and epoch - progress.best_epoch >= training.early_stop:
            session.reporter.note(f"stopped after epoch {epoch}: none better since epoch {progress.best_epoch}")
            break
        session.reporter.progress(phase.name, epoch, phase.epochs)
        began = time.perf_counter()
        state, loss = run_epoch(step, state, session.epoch_batches(offset + epoch), epoch=epoch)
        nnx.update((net, optimizer), state)
        record: dict[str, Any] = {"phase": phase.name, "epoch": epoch + 1, "loss": loss}
        if method.restrict is not None and phase.restrict_every and (epoch + 1) % phase.restrict_every == 0:
            nnx.update(session.net, nnx.state(net))
            record |= method.restrict(session, progress, offset + epoch)
            nnx.update(net, nnx.state(session.net))
            state = nnx.split((net, optimizer))[1]
        reached = accuracy(session, count, nnx.state(net), part=phase.select)
        record |= {f"{phase.select}_accuracy": reached, "seconds": time.perf_counter() - began}
        if phase.keep == "last" or reached > progress.best_accuracy:
            progress.best_accuracy, progress.best_epoch = reached, epoch + 1
            kept = snapshot(net)
        progress.epoch, progress.epochs = epoch + 1, progress.epochs + 1
        session.run.append_metrics({"step": offset + epoch + 1, **record})
        checkpoints.save(
            offset + epoch + 1, {"state": state, "kept": kept, "start": start}, dataclasses.asdict(progress)
        )
    session.reporter.progress(phase.name, phase.epochs, phase.epochs)
    return kept


def conclude(session: Session, states: dict[str, State], progress: Progress) -> dict[str, Any]:
    """Measure the finished network once on the test set, let the method sum up, and write the weights."""
    net, config = session.net, session.config
    count = counter(session)
    nnx.update(net, states["final"])
    if config.training.fold_norm:
        fold_norms(net)
        states["final"] = snapshot(net)
    summary: dict[str, Any] = {
        "command": "train",
        "method": config.method,
        "network": config.network.name,
        "dataset": config.dataset.name,
        "dataset_note": session.data.note,
        "layers": session.layers,
        "weights": [int(np.prod(layer.kernel)) for layer in session.shapes],
        "test_accuracy": accuracy(session, count, states["final"], part="test"),
        "train_accuracy": accuracy(session, count, states["final"], part="train"),
        "validation_accuracy": accuracy(session, count, states["final"], part="validation"),
        "epochs": progress.epochs,
        "best_epoch": progress.best_epoch,
        "vg_volt": None,
        "in_range_fraction": None,
        "metrics": METRICS,
    }
    if session.method.conclude is not None:
        summary |= session.method.conclude(session, states, progress)
    save_weights(session.run.path / MODEL, net)
    return summary


def keep_metrics(run: Run, wanted: Callable[[dict[str, Any]], bool]) -> None:
    """Forget the other lines of a run that goes on: they will be computed again."""
    path = run.path / METRICS
    if not path.exists():
        return
    kept: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if wanted(json.loads(line)):
                kept.append(line + "\n")
        except (ValueError, KeyError):
            break
    path.write_text("".join(kept), encoding="utf-8")
