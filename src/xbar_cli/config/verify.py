"""Configuration of `xbar verify`: which cases, and how the simulator runs."""

from typing import Annotated

from pydantic import Field

from .base import PositiveQuantity, Section


class SimulatorSection(Section):
    """The simulations of the cells and arrays of 1T-1R cases."""

    timeout_seconds: PositiveQuantity = 300.0
    cache: bool = True
    """Keep simulated tables of cells in $XBAR_CACHE_DIR (else the user's cache folder) and take them from there."""


class VerifyConfig(Section):
    """Everything that determines a verification."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of the random arrays of the verification pack."""
    cases: str | None = None
    """A JSON file of solved arrays; without it the verification pack."""
    sweep: SimulatorSection = SimulatorSection()

    def check(self) -> None:
        """No rule joins several keys."""
