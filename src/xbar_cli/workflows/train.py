"""`xbar train`: train a network, plainly or by the method of one of the four papers."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from flax import nnx

from xbar_cli.config.chips.robust import said_of
from xbar_cli.config.load import flatten, write_toml
from xbar_cli.config.train import TrainConfig
from xbar_cli.errors import ModelError
from xbar_cli.figures import kinds
from xbar_cli.nn.norm import fold_norms
from xbar_cli.nn.shapes import LayerShape
from xbar_cli.numerics import require_memory
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.checkpoint import Checkpoints
from xbar_cli.runs.directory import CONFIG, METRICS, Run
from xbar_cli.runs.results import MODEL
from xbar_cli.train.methods import method_of
from xbar_cli.train.phases import train_phases
from xbar_cli.train.session import Conclusion, Ended, Session, counter, measured
from xbar_cli.train.tasks import require_fit
from xbar_cli.trained import build
from xbar_cli.trained.fixed import Fixed
from xbar_cli.trained.network_file import keep_network_file
from xbar_cli.trained.opening import save_weights
from xbar_cli.trained.parts import split_parts

CHECKPOINTS = "checkpoints"
TRIALS = "rates"
"""Folder of the trainings at each of several learning rates, while they last."""


def run(config: TrainConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Train as `config` says into `run`, continuing from its newest checkpoint if it has one; returns the summary."""
    start_time = time.perf_counter()
    if (unusual := environment.drawing_note(config.seed)) is not None:
        reporter.note(unusual)
    if config.robust:
        reporter.note(said_of(config.method.name, dict(flatten(config.in_use()))))
    chosen: dict[str, Any] = {}
    if config.training.rates is None:
        session = open_session(config, run, reporter=reporter)
        write_toml(run.path / CONFIG, config)
        ended = trained(session)
    else:
        write_toml(run.path / CONFIG, config)
        session, ended, chosen = best_of_rates(config, config.training.rates, run, reporter=reporter)
    summary = conclude(session, ended) | chosen
    for folder in (CHECKPOINTS, TRIALS):
        shutil.rmtree(run.path / folder, ignore_errors=True)
    kinds.learning(
        run.figures / "learning.png", lines=run.read_metrics(), metric=session.metric,
        percent=session.measure("validation").is_share,
        caption=f"{config.network.name} on {config.dataset.name}, method {config.method.name}, seed {config.seed}",
    )  # fmt: skip
    devices = [str(device) for device in jax.devices()]
    environment.write(run.path / "env.json", environment.describe(seed=config.seed, devices=devices))
    return summary | {"wall_seconds": time.perf_counter() - start_time, "out": str(run.final)}


def trained(session: Session) -> Ended:
    """All phases of a training, from the newest whole checkpoint in its run on."""
    checkpoints = Checkpoints(session.run.path / CHECKPOINTS)
    try:
        for said in checkpoints.drop_damaged():
            session.reporter.note(f"{said}; resuming from checkpoint {checkpoints.latest()}")
        return train_phases(session, checkpoints)
    finally:
        checkpoints.close()


def best_of_rates(
    config: TrainConfig, rates: Sequence[float], run: Run, *, reporter: Reporter
) -> tuple[Session, Ended, dict[str, Any]]:
    """The training that reaches most on the validation part, each rate having been trained in full in a folder of its own.

    Returns its session in `run`, how it ended, and for the summary its learning rate with what every rate reached (None where
    it diverged). Of equal ones the first is taken.

    Raises:
        ModelError: all diverge.
    """
    best: tuple[float, float, Session, Ended] | None = None
    reached: dict[str, float | None] = {}
    for rate in rates:
        folder = run.path / TRIALS / f"{rate:g}"
        folder.mkdir(parents=True, exist_ok=True)
        one = config.training.model_copy(update={"rates": None, "learning_rate": rate})
        session = open_session(config.model_copy(update={"training": one}), Run(folder, folder), reporter=reporter)
        try:
            ended = trained(session)
        except ModelError:
            reached[f"{rate:g}"] = None
            continue
        value = measured(session, counter(session), ended.final, part="validation")
        reached[f"{rate:g}"] = value
        score = value * session.measure("validation").sign
        if best is None or score > best[0]:
            best = score, rate, session, ended
    if best is None:
        raise ModelError(
            f"training diverges at every learning rate of training.rates, {', '.join(reached)}: list lower ones"
        )
    _, rate, session, ended = best
    for file in session.run.path.iterdir():
        if file.is_file():
            shutil.copyfile(file, run.path / file.name)
    at_end = rate in (min(rates), max(rates))
    found = {"learning_rate": rate, "learning_rates": reached, "learning_rate_at_an_end": at_end}
    return replace(session, run=run), ended, found


def open_session(config: TrainConfig, run: Run, *, reporter: Reporter) -> Session:
    """Data, network and method of a run; files that the method depends on are copied into it."""
    reporter.doing(f"reading data set {config.dataset.name}")
    data = build.dataset(config.dataset.name, data_dir=config.dataset.data_dir)
    parts = split_parts(config.dataset, data, seed=config.seed)
    keep_network_file(config.network, run.path)
    reporter.doing(f"building network {config.network.name}")
    net = build.network(config.network, data, seed=config.seed)
    shapes = tuple(build.shapes_of(net, data))
    require_step_memory(config, shapes, images=len(parts["train"][1]))
    metric = build.metric_of(data, config.training.metric, key="training.metric")
    require_fit(config, data, net)
    method = method_of(config, run, net, shapes, parts, metric)
    return Session(config, run, data, net, parts, shapes, metric, method, reporter)


def require_step_memory(config: TrainConfig, shapes: Sequence[LayerShape], *, images: int) -> None:
    """Raise where the outputs of all layers for one batch, which a gradient keeps, do not fit into memory.

    Args:
        config: of the run.
        shapes: of the layers.
        images: of the training part.

    Raises:
        ConfigError: they do not.
    """
    batch = min(config.training.batch_size, images)
    outputs = sum(layer.positions * layer.outputs for layer in shapes)
    require_memory(
        float(batch) * outputs * np.dtype(np.float32).itemsize,
        of=f"a step of training.batch_size = {batch} images with {outputs} outputs of layers each",
        less="training.batch_size or the width of the network",
    )


def conclude(session: Session, ended: Ended) -> dict[str, Any]:
    """Measure the finished network once on the test set, let the method sum up, and write the weights."""
    config, run = session.config, session.run
    session.reporter.doing("measuring the network on all parts of the data")
    if config.training.fold_norm:
        net = session.network(ended.final)
        fold_norms(net)
        ended = ended._replace(final=nnx.state(net))
    count = counter(session)
    reached = {part: measured(session, count, ended.final, part=part) for part in ("test", "train", "validation")}
    finish = session.method.conclude or as_it_is
    concluded = finish(session, ended)
    save_weights(run.path / MODEL, concluded.net)
    concluded.fixed.save(run.path)
    return {
        "command": "train",
        "method": config.method.name,
        "network": config.network.name,
        "dataset": config.dataset.name,
        "dataset_note": session.data.note,
        "layers": session.layers,
        "weights": [int(np.prod(layer.kernel)) for layer in session.shapes],
        **{f"{part}_{session.metric}": value for part, value in reached.items()},
        "task": session.data.task,
        "metric": session.metric,
        "metric_value": reached["test"],
        "epochs": ended.progress.epochs,
        "metric_by_epoch": by_epoch(session),
        "best_epoch": ended.progress.best_epoch,
        "in_range_fraction": None,
        "metrics": METRICS,
        **concluded.fixed.summary(),
        **concluded.figures,
    }


def by_epoch(session: Session) -> list[float]:
    """The metric after every epoch, of all phases, on the part that chooses the epoch kept."""
    keys = [f"{part}_{session.metric}" for part in ("validation", "test")]
    lines = [line for line in session.run.read_metrics() if line["epoch"] > 0]
    return [line[key] for line in lines for key in keys if key in line]


def as_it_is(session: Session, ended: Ended) -> Conclusion:
    """What becomes of a network that was trained plainly: nothing is fixed of its devices."""
    return Conclusion(session.network(ended.final), Fixed(), {})
