"""How good answers are, by the metric of the task: summed input by input, so that batches and chips add up."""

import math
from dataclasses import dataclass
from typing import assert_never

import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jaxtyping import Float, Shaped

from xbar_cli.errors import ModelError
from xbar_cli.tasks import MetricName, Task


def metrics_of(task: Task) -> tuple[MetricName, ...]:
    """The metrics that a task can be measured by; the first one is taken where none is asked for."""
    match task:
        case "classification" | "labelling":
            return ("accuracy", "top5", "cross_entropy")
        case "regression":
            return ("mse", "r2")
        case "next_token":
            return ("perplexity", "cross_entropy", "accuracy", "top5")
        case _:
            assert_never(task)


def scores_of(
    metric: MetricName, scores: Float[Array, "n *places outputs"], labels: Shaped[Array, "n *rest"]
) -> Float[Array, "n *rest"]:
    """What each answer counts: 1 or 0, a squared error, or minus the logarithm of the right class's probability.

    Args:
        metric: of the task.
        scores: of every class, or the numbers themselves.
        labels: the right class of each input or place; of regression the right numbers.
    """
    match metric:
        case "accuracy":
            return (jnp.argmax(scores, axis=-1) == labels).astype(jnp.float32)
        case "top5":
            own = jnp.take_along_axis(scores, labels[..., None], axis=-1)
            return (jnp.sum(scores > own, axis=-1) < 5).astype(jnp.float32)
        case "mse" | "r2":
            return jnp.square(scores.astype(jnp.float32) - labels)
        case "cross_entropy" | "perplexity":
            return optax.softmax_cross_entropy_with_integer_labels(scores, labels)
        case _:
            assert_never(metric)


@dataclass(frozen=True)
class Measure:
    """A metric of some inputs: `total` of each batch, `value` of what they add up to.

    Attributes:
        metric: what is measured.
        spread: of the labels of all these inputs about their mean, squared: what r2 compares with.
    """

    metric: MetricName
    spread: float = 1.0

    @classmethod
    def of(cls, metric: MetricName, labels: np.ndarray) -> "Measure":
        """The measure of inputs with these labels."""
        return cls(metric, float(np.var(labels, axis=0, dtype=np.float64).mean()) if metric == "r2" else 1.0)

    @property
    def is_share(self) -> bool:
        """Whether it lies from 0 to 1: a share of right answers."""
        return self.metric in ("accuracy", "top5")

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.is_share or self.metric == "r2" else -1

    def each(
        self, scores: Float[Array, "n *outputs"], labels: Shaped[Array, "n *rest"], weight: Float[Array, " n"]
    ) -> Float[Array, " n"]:
        """What each input counts, the mean over its places or numbers; `weight` is 0 for padding.

        NaN where the scores of an input that counts are not finite: they name no class, not the first one.
        """
        finite = jnp.isfinite(scores).all(axis=tuple(range(1, scores.ndim))) | (weight == 0)
        counted = scores_of(self.metric, scores, labels).reshape(len(weight), -1).mean(axis=1)
        return jnp.where(finite, jnp.where(weight == 0, 0.0, counted * weight), jnp.nan)

    def total(
        self, scores: Float[Array, "n *outputs"], labels: Shaped[Array, "n *rest"], weight: Float[Array, " n"]
    ) -> Float[Array, ""]:
        """Sum of `each`."""
        return jnp.sum(self.each(scores, labels, weight))

    def value(self, total: float, samples: float | int, *, of: str) -> float:
        """The metric that a total of `samples` inputs makes.

        Args:
            total: sums of `each`.
            samples: that were asked.
            of: what answered, for the error.

        Raises:
            ModelError: some scores were not finite, or a perplexity is beyond all numbers.
        """
        if not math.isfinite(total):
            raise ModelError(
                f"{of}: scores are not finite, so that no class is the highest; look for weights that overflow"
            )
        mean = total / samples
        match self.metric:
            case "accuracy" | "top5" | "mse" | "cross_entropy":
                return mean
            case "r2":
                return 1 - mean / self.spread if self.spread else -math.inf if mean else 1.0
            case "perplexity":
                return math.exp(min(mean, 700.0))
            case _:
                assert_never(self.metric)

    def loss(self, value: float, reference: float) -> float:
        """By how much a value is worse than a reference."""
        return self.sign * (reference - value)


ACCURACY = Measure("accuracy")
