"""Configuration of `xbar characterize`: the cell, the sweep, the linear range and the surrogate."""

from typing import Annotated, Literal

from pydantic import Field

from .base import PositiveQuantity, Quantity, Section, require
from .ranges import GateRange, InputRange, gate_voltages, input_voltages

MAX_TABLE = 20_000_000
"""Most points of one table (G × V_in × V_g): about 5 GB of simulator memory."""


class CellSection(Section):
    """The 1T-1R cell: transistor card and geometry, resistance range of the memristor (neat, Section II)."""

    card: str = "lp"
    """Built-in transistor card, or the path of a file with one."""
    model: str | None = None
    """Name of the .model in the file, when it holds several."""
    width_m: PositiveQuantity = 90e-9
    length_m: PositiveQuantity = 45e-9
    temperature_celsius: Annotated[Quantity, Field(ge=-100, le=300)] = 27.0
    topology: Literal["drain", "source"] = "drain"
    """The terminal of the transistor that the memristor sits on."""
    r_on_ohm: PositiveQuantity = 30e3
    r_off_ohm: PositiveQuantity = 300e3


class SweepSection(Section):
    """The SPICE sweep: gate voltages × memristor conductances × input voltages."""

    vg_range: GateRange = "0.7:1.0:0.05"
    vin_range: InputRange = "0.01:0.5:51"
    g_points: Annotated[int, Field(ge=8, le=4096)] = 64
    """Conductances of the table, evenly spaced from 0.1 G_off to 1.75 G_on so that varied devices stay on it."""
    jobs: Annotated[int, Field(ge=1, le=64)] = 1
    backend: Literal["auto", "ctypes", "ngspyce"] = "auto"
    timeout_seconds: PositiveQuantity = 300.0


class RangeSection(Section):
    """The linear range: the tolerance metric tm(G; V_g) and its bound (neat, Section II-C)."""

    tolerance: Annotated[Quantity, Field(gt=0, lt=1)] = 0.025
    metric: Literal["spread", "deviation", "std"] = "spread"


class SurrogateSection(Section):
    """The separable surrogate: its rank is the smallest whose measured error is below `error`."""

    error: Annotated[Quantity, Field(gt=0, lt=1)] = 1e-3
    max_rank: Annotated[int, Field(ge=1, le=12)] = 12


class CharacterizeConfig(Section):
    """Everything that determines a characterisation."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    cell: CellSection = CellSection()
    sweep: SweepSection = SweepSection()
    range: RangeSection = RangeSection()
    surrogate: SurrogateSection = SurrogateSection()

    def check(self) -> None:
        """Rules that join several keys."""
        require(
            self.cell.r_on_ohm < self.cell.r_off_ohm,
            f"cell.r_on_ohm = {self.cell.r_on_ohm:g} must be below cell.r_off_ohm = {self.cell.r_off_ohm:g} "
            "(--r-on, --r-off)",
        )
        start, _, n_vin = input_voltages(self.sweep.vin_range)
        points = self.sweep.g_points * n_vin * gate_voltages(self.sweep.vg_range)[2]
        require(
            points <= MAX_TABLE,
            f"the sweep has {points:.3g} points (--g-points × --vin-range × --vg-range); at most {MAX_TABLE:.0e} are allowed",
        )
        require(
            start > 0,
            f"sweep.vin_range = {self.sweep.vin_range!r} must start above 0 V (V = 0 is simulated besides, for the leakage)",
        )
