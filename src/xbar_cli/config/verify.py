"""Configuration of `xbar verify`: which cases, and how the simulator runs."""

from typing import Annotated

from .base import Option, RootSection, Section, Timeout


class SimulatorSection(Section):
    """The simulations of the cells and arrays of 1T-1R cases."""

    timeout_seconds: Timeout = 300.0
    """Longest time of one simulation."""
    cache: Annotated[bool, Option("--no-cache")] = True
    """Keep simulated tables of cells in $XBAR_CACHE_DIR, or else the user's cache folder, and take them from there; with
    --no-cache all are simulated and none is kept."""


class VerifyConfig(RootSection):
    """Everything that determines a verification."""

    cases: Annotated[str | None, Option(metavar="FILE.json")] = None
    """Solve the arrays of this file in place of the verification pack."""
    sweep: SimulatorSection = SimulatorSection()
