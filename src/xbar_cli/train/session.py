"""What a training run consists of: data in parts, network, phases, and what its method adds."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from xbar_cli.config.network import NetworkSection
from xbar_cli.config.train import TrainConfig
from xbar_cli.data.batches import batches, eval_batches
from xbar_cli.data.datasets import Dataset
from xbar_cli.errors import ConfigError
from xbar_cli.nn.score import Measure
from xbar_cli.nn.shapes import LayerShape, parameters, set_parameters
from xbar_cli.reporter import Reporter
from xbar_cli.runs.directory import Run
from xbar_cli.tasks import MetricName
from xbar_cli.train.forward import PLAIN, Forward, make_forward
from xbar_cli.train.loop import Renewal, State, make_counter
from xbar_cli.trained.fixed import Fixed
from xbar_cli.trained.opening import open_trained
from xbar_cli.trained.parts import Part

EVALUATION_BATCH = 1000


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs under one optimiser.

    Attributes:
        name: `train`, `retrain` or the method's.
        epochs: how many.
        learning_rate: at the start.
        schedule: of the learning rate.
        restrict_every: epochs between the method's restrictions; 0 for none.
        restrict_first: whether it restricts before the first epoch too.
        keep: `best` on `select`, or the `last`.
        select: the part that chooses the best epoch.
    """

    name: str
    epochs: int
    learning_rate: float
    schedule: str = "constant"
    restrict_every: int = 0
    restrict_first: bool = False
    keep: str = "best"
    select: str = "validation"


@dataclass(frozen=True)
class Progress:
    """Where a run stands besides its arrays: the JSON record of a checkpoint."""

    phase: int = 0
    epoch: int = 0
    best_value: float | None = None
    """Of the metric; None before the first epoch."""
    best_epoch: int = 0
    epochs: int = 0
    """Run so far, in all phases."""
    method: Mapping[str, Any] = field(default_factory=dict)
    """What the method keeps."""


@dataclass(frozen=True)
class Session:
    """What stays the same while a run trains.

    Attributes:
        config: of the run.
        run: its directory.
        data: the data set.
        net: the network before the first step, as the method left it: what a state is a state of.
        parts: of the data set.
        shapes: of the layers.
        metric: that answers are measured by.
        method: what it adds to the loop.
        reporter: is told.
    """

    config: TrainConfig
    run: Run
    data: Dataset
    net: nnx.Module
    parts: dict[str, Part]
    shapes: tuple[LayerShape, ...]
    metric: MetricName
    method: "Method"
    reporter: Reporter

    def measure(self, part: str) -> Measure:
        """The measure of a part."""
        return Measure.of(self.metric, self.parts[part][1])

    @cached_property
    def graphdef(self) -> Any:
        """The network but for its state."""
        return nnx.split(self.net)[0]

    def network(self, state: State) -> Any:
        """A network of its own in this state."""
        return nnx.merge(self.graphdef, state, copy=True)

    def kernels(self, state: State) -> dict[str, jax.Array]:
        """The kernels of a state of the network, by layer in the order they compute."""
        net = self.network(state)
        return {name: getattr(net, name).kernel[...] for name in self.layers}

    def with_values(self, state: State, values: Mapping[str, jax.Array], variable: str = "kernel") -> State:
        """The state with these values of a variable of some layers."""
        if not values:
            return state
        net = self.network(state)
        for name, value in values.items():
            getattr(getattr(net, name), variable)[...] = value
        return nnx.state(net)

    def epoch_batches(self, epoch: int, *, images: int | None = None) -> Iterator[tuple[jax.Array, jax.Array]]:
        """The training batches of one epoch, or those of its first `images`; (seed, epoch) alone decides the order."""
        x_all, y_all = self.parts["train"]
        size = min(self.config.training.batch_size, len(y_all))
        for number, (x, y) in enumerate(batches(x_all, y_all, batch_size=size, seed=self.config.seed, epoch=epoch)):
            if number == self.steps_per_epoch or (images is not None and number * size >= images):
                return
            yield jnp.asarray(x), jnp.asarray(y)

    @property
    def layers(self) -> list[str]:
        """Names of the layers in the order they compute."""
        return [layer.name for layer in self.shapes]

    @property
    def steps_per_epoch(self) -> int:
        """Training steps of one epoch."""
        return self.config.training.steps_of(len(self.parts["train"][1]))


class Restricted(NamedTuple):
    """Restricted kernels by layer, what the method keeps for its next restriction and its conclusion, the epoch's metrics.

    `columns` are the important ones of the steps to come, for layers that keep them as `important`.
    """

    kernels: Mapping[str, jax.Array]
    kept: Mapping[str, Any]
    metrics: dict[str, Any]
    columns: Mapping[str, jax.Array] = MappingProxyType({})


class Ended(NamedTuple):
    """The network's state with the weights that are kept, what the last phase started from, and where the run stands."""

    final: State
    start: State
    progress: Progress


class Conclusion(NamedTuple):
    """The network as it is saved, what the training fixed of its devices, and what else the summary holds of it."""

    net: nnx.Module
    fixed: Fixed
    figures: dict[str, Any]


Restrict = Callable[[Session, State, Mapping[str, Any], int], Restricted]
"""`(session, state of the network, what the method keeps, epoch) -> restricted kernels`."""
Conclude = Callable[[Session, Ended], Conclusion]


@dataclass(frozen=True)
class Method:
    """What a training method adds to the loop.

    Attributes:
        phases: stretches of epochs, in order.
        forward: what the products go through in training.
        settle: the network's state with its kernels as its products see them, for a forward whose kernels cost more than
            its products: measuring then settles once, and plain products do the rest.
        settled: what products go through in such a state, where they are not plain.
        renewal: what the network keeps from step to step and computes anew every so often.
        decay: what adds `training.weight_decay` to the gradients, where kernels are not weights.
        after: what happens to a finished step of the optimiser.
        optimizer: what takes the place of the configured one.
        project: what happens to the network after every step, in place.
        restrict: what happens to the weights between epochs, where a phase asks for it.
        conclude: what becomes of the finished network, and the method's part of the summary.
    """

    phases: tuple[Phase, ...]
    forward: Forward = PLAIN
    settle: Callable[[State], State] | None = None
    settled: Forward | None = None
    renewal: Renewal | None = None
    decay: Callable[[float], optax.GradientTransformation] | None = None
    after: optax.GradientTransformation | None = None
    optimizer: optax.GradientTransformation | None = None
    project: Callable[[Any], None] | None = None
    restrict: Restrict | None = None
    conclude: Conclude | None = None


def start_from(net: nnx.Module, start: str, config: TrainConfig) -> None:
    """Give `net` the weights of the train run `start`, or raise ConfigError.

    It must be of the same network on the same data, trained on no image that is held out here, with its batch norm.
    """
    started = open_trained(Path(start), use=f"{config.method.name}.start", data_dir=config.dataset.data_dir)
    theirs = started.config
    asked = {**network_of(config.network), "dataset.name": config.dataset.name}
    found = {**network_of(theirs.network), "dataset.name": theirs.dataset.name}
    require_same(asked, found, f"start = {start} is of another network or data set")
    if isinstance(theirs, TrainConfig):  # imported weights say nothing of it
        require_same(
            split_of(config), split_of(theirs), f"start = {start} was trained on images that are held out here"
        )
        if theirs.training.fold_norm:
            raise ConfigError(
                f"start = {start} was trained with training.fold_norm and has no batch norm left; take one without"
            )
    set_parameters(net, parameters(started.net))


def network_of(section: NetworkSection) -> dict[str, Any]:
    """The keys of a network and what they come to."""
    values = section.model_dump() | ({"hidden": section.hidden_units} if section.name == "mlp" else {})
    return {f"network.{key}": value for key, value in values.items()}


def split_of(config: TrainConfig) -> dict[str, Any]:
    """What decides which images are held out."""
    return {
        "dataset.train_images": config.dataset.train_images,
        "dataset.validation_fraction": config.dataset.validation_fraction,
        "`seed` or dataset.split_seed": config.dataset.drawn_by(config.seed),
    }


def require_same(asked: dict[str, Any], found: dict[str, Any], what: str) -> None:
    """Raise ConfigError at the first key in which a run that was `found` differs from what is `asked` for."""
    for key, value in found.items():
        if asked[key] != value:
            raise ConfigError(
                f"{what}: its {key} is {shown(value)} and here it is {shown(asked[key])}; ask for the same"
            )


def shown(value: Any) -> str:
    """A setting as it is written on the command line; `absent` where there is none."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return "absent" if value is None else str(value)


@dataclass(frozen=True)
class Counter:
    """Sums the metric: `count` of batches, for the state that `settle` makes of the network's."""

    count: Callable[..., jax.Array]
    settle: Callable[[State], State] | None = None


def counter(session: Session) -> Counter:
    """The jitted sum of the metric of the network as the method computes it."""
    method = session.method
    forward = method.settled or make_forward(precision=session.config.training.precision)
    if method.settle is None:
        forward = method.forward
    count = make_counter(session.graphdef, forward=forward, measure=Measure(session.metric))
    return Counter(count, method.settle)


def measured(session: Session, counter: Counter, state: State, *, part: str) -> float:
    """The metric on the `train`, `validation` or `test` part."""
    images, labels = session.parts[part]
    size = min(EVALUATION_BATCH, len(labels))
    if counter.settle is not None:
        state = counter.settle(state)
    total = sum(float(counter.count(state, *batch)) for batch in eval_batches(images, labels, batch_size=size))
    return session.measure(part).value(total, len(labels), of=f"the network on the {part} part")
