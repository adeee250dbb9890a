"""The phases of a training run, each a stretch of epochs under one optimiser, from the newest checkpoint on."""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import jax
import optax
from flax import nnx

from xbar_cli.runs.checkpoint import Checkpoints
from xbar_cli.runs.directory import METRICS
from xbar_cli.runs.metrics import keep
from xbar_cli.runs.seal import RunNote
from xbar_cli.train.clipping import clipping
from xbar_cli.train.loop import State, TrainingStep, make_optimizer, make_step, renewing, run_epoch
from xbar_cli.train.optimizers import chain, learning_rate
from xbar_cli.train.session import Counter, Ended, Phase, Progress, Session, counter, measured

TOLD_EVERY = 0.2
"""Between two words on the steps of an epoch [s]."""


class Standing(NamedTuple):
    """Where a run stands: all that changes while it trains, and what a checkpoint holds.

    `state` is of (network, optimiser); `kept`, of the epoch kept so far, and `start`, before the phase, are of the network.
    """

    state: State
    kept: State
    start: State
    progress: Progress

    @property
    def arrays(self) -> dict[str, State]:
        """What a checkpoint holds besides the progress."""
        return {"state": self.state, "kept": self.kept, "start": self.start}


@dataclass(frozen=True)
class Stretch:
    """What stays the same during the phase of this number; `graphdef` is of (network, optimiser)."""

    session: Session
    phase: Phase
    number: int
    graphdef: Any

    @property
    def before(self) -> int:
        """Epochs of the phases before."""
        return sum(phase.epochs for phase in self.session.method.phases[: self.number])

    @cached_property
    def count(self) -> Counter:
        """Sums the metric."""
        return counter(self.session)

    def step(self, *, epoch: int) -> TrainingStep:
        """The training step, from this epoch on."""
        config, method, steps = self.session.config, self.session.method, self.session.steps_per_epoch
        step = make_step(
            self.graphdef,
            forward=method.forward,
            seed=config.seed,
            before=self.before * steps,
            label_smoothing=config.training.label_smoothing,
            augmentation=config.training.augment,
            task=self.session.data.task,
            project=clipping(self.session.layers, config.training.clip_weights, method.project),
        )
        return renewing(step, self.graphdef, method.renewal, epoch_steps=steps, taken=epoch * steps)

    def reached(self, state: State) -> dict[str, float]:
        """The metric on the part that chooses the epoch kept, of a state of the network."""
        part = self.phase.select
        return {f"{part}_{self.session.metric}": measured(self.session, self.count, state, part=part)}

    def restrict(self, here: Standing, epoch: int) -> tuple[Standing, dict[str, Any]]:
        """The method's restriction of the weights, and its metrics."""
        session, (net, optimizer) = self.session, (here.state[0], here.state[1])
        assert session.method.restrict is not None
        found = session.method.restrict(session, net, here.progress.method, self.before + epoch)
        net = session.with_values(session.with_values(net, found.kernels), found.columns, "important")
        state = nnx.State({0: net, 1: optimizer})
        return here._replace(state=state, progress=replace(here.progress, method=found.kept)), found.metrics


def train_phases(session: Session, checkpoints: Checkpoints) -> Ended:
    """All phases, from the newest checkpoint on."""
    kept = start = jax.tree.map(lambda leaf: leaf, nnx.state(session.net))
    progress = Progress()
    for number in range(len(session.method.phases)):
        found = begin(session, number, kept, progress, checkpoints)
        if found is not None:
            here = train_phase(*found, checkpoints)
            kept, start, progress = here.kept, here.start, here.progress
    return Ended(kept, start, progress)


def begin(
    session: Session, number: int, kept: State, progress: Progress, checkpoints: Checkpoints
) -> tuple[Stretch, Standing] | None:
    """A phase from the weights kept so far, or from its newest checkpoint; None where that is of a later phase."""
    phase = session.method.phases[number]
    net = session.network(kept)
    graphdef, state = nnx.split((net, make_optimizer(net, optimiser(session, phase))))
    stretch = Stretch(session, phase, number, graphdef)
    fresh = Standing(state, kept, kept, replace(progress, phase=number, epoch=0, best_value=None, best_epoch=0))
    latest = checkpoints.latest()
    record = None if latest is None else checkpoints.record(latest)
    if latest is None or record is None or record["phase"] < number:
        return stretch, fresh
    if record["phase"] > number:
        return None
    require_lines(session.run.path / METRICS, latest)
    return stretch, Standing(**checkpoints.restore(latest, fresh.arrays), progress=Progress(**as_now(record)))


def require_lines(path: Path, latest: int) -> None:
    """Keep the lines of the epochs up to a checkpoint, and say where some are lost: they are not computed again."""
    kept = keep(path, lambda line: line["step"] <= latest)
    lost = latest - len({line["step"] for line in kept if line["epoch"] > 0})
    if lost > 0:
        told = f"{path}: {lost} of {latest} epochs are lost or damaged; what is told by epoch lacks them"
        warnings.warn(RunNote(told), stacklevel=2)


def as_now(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a checkpoint, of an earlier version too: -1 was an accuracy before the first epoch."""
    now = dict(record)
    if "best_accuracy" in now:
        former = now.pop("best_accuracy")
        now["best_value"] = None if former < 0 else former
    return now


def optimiser(session: Session, phase: Phase) -> optax.GradientTransformation:
    """The optimiser of one phase."""
    training = session.config.training
    if session.method.optimizer is not None:
        return session.method.optimizer
    return chain(
        session.config.optimizer,
        rate=learning_rate(phase.schedule, rate=phase.learning_rate, steps=phase.epochs * session.steps_per_epoch),
        momentum=training.momentum,
        weight_decay=training.weight_decay,
        decay=session.method.decay,
        clip_norm=training.clip_norm,
        after=session.method.after,
    )


def train_phase(stretch: Stretch, here: Standing, checkpoints: Checkpoints) -> Standing:
    """The epochs of one phase that are still to do."""
    session, phase = stretch.session, stretch.phase
    step, said = stretch.step(epoch=here.progress.epoch), ""
    if phase.restrict_first and here.progress.epoch == 0:
        here = restrict_first(stretch, here)
    for epoch in range(here.progress.epoch, phase.epochs):
        if has_stalled(stretch, here.progress):
            session.reporter.note(f"stopped after epoch {epoch}: none better since epoch {here.progress.best_epoch}")
            break
        if epoch == here.progress.epoch and not said:
            session.reporter.doing(f"{phase.name}: compiling the training step")
        here, said = train_epoch(stretch, here, step, said)
        checkpoints.save(stretch.before + epoch + 1, here.arrays, asdict(here.progress))
        session.reporter.progress(phase.name, epoch + 1, phase.epochs, said)
    session.reporter.progress(phase.name, phase.epochs, phase.epochs, said)
    return here


def has_stalled(stretch: Stretch, progress: Progress) -> bool:
    """Whether so many epochs were none better that the phase stops."""
    patience = stretch.session.config.training.early_stop
    return (
        patience is not None
        and stretch.phase.keep == "best"
        and progress.epoch - progress.best_epoch >= patience
    )  # fmt: skip


def restrict_first(stretch: Stretch, here: Standing) -> Standing:
    """The restriction before the first epoch, which is what is kept so far."""
    session, phase = stretch.session, stretch.phase
    here, metrics = stretch.restrict(here, 0)
    metrics |= stretch.reached(here.state[0])
    keep(session.run.path / METRICS, lambda line: (line["phase"], line["epoch"]) != (phase.name, 0))
    session.run.append_metrics({"step": stretch.before, "phase": phase.name, "epoch": 0, **metrics})
    return here._replace(kept=here.state[0])


def train_epoch(stretch: Stretch, here: Standing, step: TrainingStep, said: str) -> tuple[Standing, str]:
    """One epoch: steps, the restriction where it is its turn, the metric, the line of metrics; and what came of it in words.

    `said` is what came of the epochs before.
    """
    session, phase, epoch = stretch.session, stretch.phase, here.progress.epoch
    began, images = time.perf_counter(), session.epoch_batches(stretch.before + epoch)
    state, loss = run_epoch(step, here.state, images, epoch=epoch, told=told_of(stretch, epoch, said))
    here, metrics = here._replace(state=state), {}
    if phase.restrict_every and (epoch + 1) % phase.restrict_every == 0:
        here, metrics = stretch.restrict(here, epoch)
    reached = stretch.reached(here.state[0])
    sign = session.measure(phase.select).sign
    here = judged(here, next(iter(reached.values())), sign=sign, keep=phase.keep)
    seconds = time.perf_counter() - began
    line = {"phase": phase.name, "epoch": epoch + 1, "loss": loss, **metrics, **reached, "seconds": seconds}
    session.run.append_metrics({"step": stretch.before + epoch + 1, **line})
    words = [f"{name.replace('_', ' ')} {value:.4f}" for name, value in reached.items()]
    return here, ", ".join([f"loss {loss:.4g}", *words])


def told_of(stretch: Stretch, epoch: int, said: str) -> Callable[[int], None]:
    """What tells the reporter of the steps of an epoch, a few times a second at most."""
    session, phase, last = stretch.session, stretch.phase, 0.0

    def told(steps: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last > TOLD_EVERY:
            last = now
            session.reporter.progress(phase.name, epoch + steps / session.steps_per_epoch, phase.epochs, said)

    return told


def judged(here: Standing, reached: float, *, sign: int, keep: str) -> Standing:
    """After one more epoch, which is kept if it is the best, or in any case where the last is; `sign` as `Measure.sign`."""
    progress = replace(here.progress, epoch=here.progress.epoch + 1, epochs=here.progress.epochs + 1)
    best = progress.best_value
    if keep != "last" and best is not None and sign * (reached - best) <= 0:
        return here._replace(progress=progress)
    progress = replace(progress, best_value=reached, best_epoch=progress.epoch)
    return here._replace(kept=here.state[0], progress=progress)
