"""Configuration of Monte Carlo: how many chips, on which images, and what is asked of them."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from .base import Quantity, Section, require

DEFAULT_SAMPLES, DEFAULT_MAX_SAMPLES = 25, 1000


class MonteCarloSection(Section):
    """Chips drawn, and images seen by each."""

    samples: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Chips; 25 without `ci_width`, which decides their number instead."""
    ci_width: Annotated[Quantity, Field(gt=0, le=1)] | None = None
    """Draw chips until the 95 % interval of their mean accuracy, which holds whatever their distribution is, is no wider
    than this: 3.7 / ci_width of them or more, and 20 or more,"""
    max_samples: Annotated[int, Field(ge=20, le=1_000_000)] | None = None
    """and at most so many: 1000 unless given."""
    yield_at: Annotated[Quantity, Field(gt=0, le=1)] | None = None
    """Accuracy that a chip must reach to count as good."""
    per_layer: bool = False
    """Whether each layer is evaluated alone on arrays besides, the others in floating point."""
    batch_size: Annotated[int, Field(ge=1, le=65536)] = 1000
    images: Annotated[int, Field(ge=1)] | None = None
    """Test images used; all when absent."""

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
            self.ci_width is not None or self.max_samples is None,
            "monte_carlo.max_samples limits monte_carlo.ci_width; without it monte_carlo.samples is the number of chips",
        )
        return self
