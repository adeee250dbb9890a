"""The training loop: one jitted step for every method, epochs around it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from xbar_cli.errors import ModelError
from xbar_cli.nn.layers import Training
from xbar_cli.nn.score import ACCURACY, Measure
from xbar_cli.numerics import stream
from xbar_cli.tasks import Task

from .augment import augment
from .forward import PLAIN, Forward
from .losses import loss_of

State = Any
"""The arrays of network and optimiser: what a checkpoint holds."""
TrainingStep = Callable[[State, Array, Array], tuple[State, Array]]


RENEWAL = 256
"""Steps from one renewal to the next, unless given or an epoch is shorter."""


@dataclass(frozen=True)
class Renewal:
    """What a network keeps and computes anew, in place, every so many steps, being too dear for each of them.

    The first time is before the first step; `every` None is once an epoch, or every `RENEWAL` steps of a longer one.
    """

    every: int | None
    renew: Callable[[Any], None]


def make_optimizer(net: nnx.Module, transformation: optax.GradientTransformation) -> nnx.Optimizer:
    """The optimiser of the parameters of `net`, its moments at zero."""
    return nnx.Optimizer(net, transformation, wrt=nnx.Param)


def make_step(
    graphdef: Any,
    *,
    forward: Forward = PLAIN,
    seed: int = 0,
    before: int = 0,
    label_smoothing: float = 0.0,
    augmentation: str = "none",
    task: Task = "classification",
    project: Callable[[Any], None] | None = None,
) -> TrainingStep:
    """The jitted training step `(state, inputs [n …], labels [n …]) -> (state, loss)` of a split (network, optimiser).

    Args:
        graphdef: of (network, optimiser).
        forward: what the products go through; its key is made of `seed` and the step's number.
        seed: of what is random.
        before: steps of earlier optimisers of the same run, whose random numbers are others.
        label_smoothing: share of the target spread over all classes.
        augmentation: what happens to pictures, as `augment.augment` has it.
        task: what the loss is of.
        project: what happens to the network after every step, in place.
    """

    @jax.jit
    def step(state: State, images: Array, labels: Array) -> tuple[State, Array]:
        net, optimizer = nnx.merge(graphdef, state)
        key = jax.random.fold_in(jax.random.key(seed), optimizer.step[...] + before)
        seen = images if augmentation == "none" else augment(images, stream(key, "augment"), rule=augmentation)
        training = Training(stream(key, "dropout")) if isinstance(getattr(net, "dropout", None), float) else True

        def objective(net: Any) -> Array:
            scores = net(seen, forward(net, key, optimizer.step[...]), training=training)
            return loss_of(task, scores, labels, smoothing=label_smoothing)

        loss, gradients = nnx.value_and_grad(objective)(net)
        with jax.numpy_dtype_promotion("standard"):  # optax's bias correction mixes integer and floating types
            optimizer.update(net, gradients)
        if project is not None:
            project(net)
        return nnx.split((net, optimizer))[1], loss

    return step


def renewing(
    step: TrainingStep, graphdef: Any, renewal: Renewal | None, *, epoch_steps: int, taken: int = 0
) -> TrainingStep:
    """The step with a renewal before every so many of them. It counts its calls, from the `taken` steps on."""
    if renewal is None:
        return step
    every = renewal.every or max(1, min(RENEWAL, epoch_steps))

    def next_step(state: State, images: Array, labels: Array) -> tuple[State, Array]:
        nonlocal taken
        if taken % every == 0:
            net, optimizer = nnx.merge(graphdef, state, copy=True)
            renewal.renew(net)
            state = nnx.split((net, optimizer))[1]
        taken += 1
        return step(state, images, labels)

    return next_step


def run_epoch(
    step: TrainingStep,
    state: State,
    batches: Iterable[tuple[Array, Array]],
    *,
    epoch: int,
    told: Callable[[int], None] = lambda _: None,
) -> tuple[State, float]:
    """One epoch; the mean of the steps' losses. `told` hears how many steps are under way.

    ModelError, with epoch and step, for a loss or weights that are not finite.
    """
    losses: list[Array] = []
    for images, labels in batches:
        state, loss = step(state, images, labels)
        losses.append(loss)
        told(len(losses))
    values = np.asarray(jnp.stack(losses)) if losses else np.zeros(1)
    finite = np.isfinite(values)
    advice = "try a lower training.learning_rate in a new run"
    if not finite.all():
        raise ModelError(f"the loss is not finite at epoch {epoch + 1}, step {int(np.argmin(finite)) + 1}; {advice}")
    if not all_finite(state):
        raise ModelError(f"the weights are not finite after epoch {epoch + 1}, step {len(losses)}; {advice}")
    return state, float(values.mean())


@jax.jit
def all_finite(state: State) -> Array:
    """Whether every number of a network and its optimiser is finite."""
    numbers = [leaf for leaf in jax.tree.leaves(state) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return jnp.asarray([jnp.isfinite(leaf).all() for leaf in numbers] or [True]).all()


def make_counter(
    graphdef: Any, *, forward: Forward = PLAIN, measure: Measure = ACCURACY
) -> Callable[[State, Array, Array, Array], Array]:
    """The jitted sum of a metric `(network state, inputs, labels, weight) -> total` of a split network.

    Args:
        graphdef: of the network.
        forward: what the products go through, nothing being random.
        measure: of the answers.
    """

    @jax.jit
    def count(state: State, images: Array, labels: Array, weight: Array) -> Array:
        net = nnx.merge(graphdef, state)
        return measure.total(net(images, forward(net, None, None)), labels, weight)

    return count
