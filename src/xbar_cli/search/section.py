"""The table `[search]` of an experiment, but for its axes: what is wanted, how long, and how designs are chosen."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from xbar_cli.config.base import Quantity, Section

SamplerName = Literal["tpe", "nsga2", "random", "grid"]
DEFAULT_TRIALS = 100
Wish = Annotated[str, Field(max_length=300)]


class BudgetSection(Section):
    """When a search ends: at the first of these."""

    trials: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    """Designs that are tried (default 100 where no chips are given)."""
    chips: Annotated[int | None, Field(ge=1, le=1_000_000_000)] = None
    """Evaluations of one chip, those of dropped designs with them."""

    @model_validator(mode="before")
    @classmethod
    def _of_number(cls, given: Any) -> Any:
        """A number alone is one of trials; there is always an end."""
        if isinstance(given, int) and not isinstance(given, bool):
            return {"trials": given}
        return {"trials": DEFAULT_TRIALS} if given == {} else given


class RaceSection(Section):
    """How a design is dropped before all of its chips are evaluated."""

    first: Annotated[int, Field(ge=1, le=1_000_000)] = 2
    """Chips of every design."""
    factor: Annotated[int, Field(ge=2, le=100)] = 2
    """How many times as many chips a design that was not dropped has next."""
    margin: Annotated[Quantity, Field(ge=0, lt=1)] = 0.0
    """How much worse the mean of a design may be that drops a more expensive one, in the objective's own unit."""


class SearchSection(Section):
    """What is searched for, and how."""

    objectives: Annotated[tuple[Wish, ...], Field(min_length=1, max_length=8)]
    """`max FIGURE` or `min FIGURE`, a figure of the last stages."""
    constraints: Annotated[tuple[Wish, ...], Field(max_length=32)] = ()
    """`FIGURE >= NUMBER` or `FIGURE <= NUMBER`."""
    budget: BudgetSection = BudgetSection(trials=DEFAULT_TRIALS)
    """When the search ends; a number alone is of trials."""
    sampler: SamplerName = "tpe"
    """What proposes designs: a Parzen estimator, a genetic algorithm, chance, or every design of a finite space in turn."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of the designs; stages have their own."""
    batch: Annotated[int, Field(ge=1, le=1024)] = 8
    """Designs that are proposed together, whatever the workers: what the search finds depends on it."""
    race: RaceSection | None = RaceSection()
    """False evaluates all chips of every design."""
    reference: dict[str, Quantity] = Field(default_factory=dict)
    """Where the hypervolume ends, by figure (default the worst value of the designs with all of their chips)."""

    @model_validator(mode="before")
    @classmethod
    def _race(cls, given: Any) -> Any:
        """`race = true` and `race = false`."""
        if isinstance(given, dict) and isinstance(given.get("race"), bool):
            return {**given, "race": {} if given["race"] else None}
        return given

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError("objectives: one is given twice")
        return self
