"""Configuration of `xbar advise`."""

from typing import Annotated

from xbar_cli.config.base import Option, Section, require
from xbar_cli.config.monte_carlo import MonteCarloSection

from .evaluate import EvaluateConfig


class AdviseSection(Section):
    """What is tried."""

    train: Annotated[bool, Option("--try-training")] = False
    """Train the network against variation too (--robust), which takes as long as a training; else that is only named."""


ADVISE_WITHOUT = (
    "monte_carlo.ci_width", "monte_carlo.max_samples", "monte_carlo.yield_at", "monte_carlo.per_layer", "ageing.at",
    "ageing.recalibrate",
)  # fmt: skip
"""Keys of an evaluation that say nothing here."""


class AdviseConfig(EvaluateConfig):
    """An evaluation, and what might be done about what it costs."""

    advise: AdviseSection = AdviseSection()

    def check(self) -> None:
        """What says nothing here is an error."""
        for key in ADVISE_WITHOUT:
            section, _, name = key.partition(".")
            fields = MonteCarloSection.model_fields if section == "monte_carlo" else type(self.ageing).model_fields
            given = getattr(getattr(self, section), name)
            require(given == fields[name].default, f"{key} belongs to xbar evaluate: leave it out")
        require(self.repair.remedies is None, "repair.remedies belongs to xbar evaluate: leave it out")

    def evaluation(self) -> EvaluateConfig:
        """The evaluation that is to become better."""
        return EvaluateConfig(**{name: getattr(self, name) for name in EvaluateConfig.model_fields})
