"""Configuration of Monte Carlo: how many chips, on which images, and what is asked of them; the search for a partition."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from xbar_cli.tasks import MetricName

from .base import Option, Quantity, Section, require

DEFAULT_SAMPLES, DEFAULT_MAX_SAMPLES = 25, 1000


class MonteCarloSection(Section):
    """Chips drawn, and images seen by each."""

    metric: Annotated[MetricName | None, Option()] = None
    """What chips are measured by (default by the task: accuracy, mse of regression, perplexity of next_token)."""
    samples: Annotated[int | None, Field(ge=1, le=1_000_000), Option()] = None
    """Chips (default 25)."""
    first: Annotated[int | None, Field(ge=0, le=1_000_000)] = None
    """Number of the first chip (default 0): those before it are another run's, of the same seed."""
    ci_width: Annotated[Quantity | None, Field(gt=0, le=1), Option(metavar="W")] = None
    """Draw chips, instead of a number of them, until the 95 % interval of their mean accuracy, whatever its distribution, is
    no wider than this: 3.7/W of them or more, and 20 or more."""
    max_samples: Annotated[int | None, Field(ge=20, le=1_000_000), Option()] = None
    """Most chips that such an interval may take (default 1000)."""
    yield_at: Annotated[Quantity | None, Field(gt=0, le=1), Option(metavar="ACCURACY")] = None
    """Accuracy that a chip must reach to count as good: the share of such chips is the yield."""
    per_layer: Annotated[bool, Option()] = False
    """Evaluate each layer alone on arrays besides, the others in floating point: whose non-ideality costs the most."""
    batch_size: Annotated[int, Field(ge=1, le=65536)] = 1000
    """Images of one call; they go through the network in parts that stay in the caches of a processor."""
    images: Annotated[int | None, Field(ge=1, le=1_000_000_000), Option()] = None
    """Test images used (default all)."""

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, values: Any) -> Any:
        """The defaults that depend on how the number of chips is decided."""
        if not isinstance(values, dict):
            return values
        if values.get("ci_width") is None:
            return values if values.get("samples") is not None else {**values, "samples": DEFAULT_SAMPLES}
        return values if values.get("max_samples") is not None else {**values, "max_samples": DEFAULT_MAX_SAMPLES}

    @model_validator(mode="after")
    def rules(self) -> Self:
        """Rules that join several keys."""
        require(
            self.ci_width is None or self.samples is None,
            "monte_carlo.samples draws so many chips, monte_carlo.ci_width as many as its interval takes: give one of them",
        )
        require(
            self.ci_width is None or self.first is None,
            "monte_carlo.ci_width looks at all chips from chip 0 on: leave out monte_carlo.first",
        )
        require(
            self.ci_width is not None or self.max_samples is None,
            "monte_carlo.max_samples limits monte_carlo.ci_width; without it monte_carlo.samples is the number of chips",
        )
        return self


class PartitionSection(Section):
    """Which layers stay digital: how much the others may cost, and what a layer's return is weighed by."""

    loss: Annotated[Quantity, Field(gt=0, lt=1), Option(metavar="SHARE")] = 0.01
    """Accuracy that the arrays may cost against floating point, on held-out training images."""
    per: Annotated[Literal["device", "mac"], Option()] = "device"
    """What the accuracy that a layer's return to digital wins back is divided by: the devices that are lost with it, or the
    multiplications of an image that become digital."""
    images: Annotated[int | None, Field(ge=1), Option("--held-out", metavar="N")] = 1000
    """Held-out training images of the search, fewer where there are not so many."""
