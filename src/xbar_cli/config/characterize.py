"""Configuration of `xbar characterize`, `characterize power` and `characterize array`."""

import math
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from xbar_cli.outside import quoted

from .arrays import WiresSection
from .base import LineResistance, Magnitude, Option, RootSection, Section, Voltage, parse_quantity, require
from .cell import CellSection, MismatchSection, RangeSection, SurrogateSection, SweepSection, voltage_list
from .ranges import TileSize, gate_voltages, input_voltages, parse_tile

LARGEST_WEIGHT = 1e6
MAX_TABLE = 20_000_000
"""Most points of one table (G × V_in × V_g): about 5 GB of simulator memory."""


class CharacterizeConfig(RootSection):
    """Everything that determines a characterisation."""

    cell: CellSection = CellSection()
    sweep: SweepSection = SweepSection()
    range: RangeSection = RangeSection()
    surrogate: SurrogateSection = SurrogateSection()
    mismatch: MismatchSection = MismatchSection()

    @property
    def log_spaced(self) -> bool:
        """Whether the logarithms of the conductances are evenly spaced."""
        return (self.sweep.g_spacing or ("log" if self.cell.topology == "source" else "linear")) == "log"

    def check(self) -> None:
        """Rules that join several keys."""
        require(
            self.cell.r_on_ohm < self.cell.r_off_ohm,
            f"cell.r_on_ohm = {self.cell.r_on_ohm:g} must be below cell.r_off_ohm = {self.cell.r_off_ohm:g}",
        )
        if self.cell.table is not None:
            self._check_measured()
        else:
            self._check_sweep()
        self._check_range()

    def _check_sweep(self) -> None:
        sweep, mismatch = self.sweep, self.mismatch
        _, _, n_vin = input_voltages(sweep.vin_range)
        n_vg = gate_voltages(sweep.vg_range)[2]
        points = sweep.g_points * n_vin * n_vg * len(bit_line_voltages(self))
        require(
            points <= MAX_TABLE,
            f"the sweep has {points:.3g} points (sweep.g_points × sweep.vin_range × sweep.vg_range × V_bl); "
            f"at most {MAX_TABLE:.0e} are allowed",
        )
        if mismatch.vth_sigma_volt is None:
            require(
                mismatch == MismatchSection(),
                "mismatch.samples and mismatch.g_points need mismatch.vth_sigma_volt",
            )
        else:
            points = mismatch.samples * mismatch.g_points * n_vin * n_vg
            require(
                points <= MAX_TABLE,
                f"the mismatch has {points:.3g} points (mismatch.samples × {mismatch.g_points} conductances "
                f"× sweep.vin_range × sweep.vg_range); at most {MAX_TABLE:.0e} are allowed",
            )

    def _check_range(self) -> None:
        bounds = self.range
        require(
            (bounds.leakage_limit_ampere is None) == (bounds.rows is None),
            "range.leakage_limit_ampere and range.rows go together",
        )
        if self.cell.table is not None:
            return
        start, stop, count = input_voltages(self.sweep.vin_range)
        require(stop > 0, f"sweep.vin_range = {quoted(self.sweep.vin_range)} must end above 0 V")
        volts = [start + (stop - start) * k / (count - 1) for k in range(count)]
        usable = sum(abs(volt) >= bounds.vin_min_volt * (1 - 1e-9) for volt in volts)
        require(
            usable >= 5,
            f"sweep.vin_range = {quoted(self.sweep.vin_range)} has {usable} points with |V_in| of at least "
            f"{bounds.vin_min_volt:g} V (range.vin_min_volt), where G_eff = I / V_in is read; 5 are needed",
        )
        for vdd in voltage_list(bounds.vdd) if bounds.vdd else ():
            require(
                bounds.vin_min_volt < vdd <= stop * (1 + 1e-9),
                f"range.vdd: {vdd:g} V must lie above {bounds.vin_min_volt:g} V and within sweep.vin_range, up to {stop:g} V",
            )

    def _check_measured(self) -> None:
        """A measured table leaves most of the sweep without effect: say so where it was given."""
        unused = {
            "cell": ("card", "model", "section", "nominal", "temperature_celsius", "topology"),
            "sweep": ("vin_range", "vbl_volt", "jobs", "backend", "timeout_seconds", "cache"),
            "mismatch": ("vth_sigma_volt", "samples", "g_points"),
        }
        for section, names in unused.items():
            values = getattr(self, section)
            for name in names:
                value = getattr(values, name)
                require(
                    value == type(values).model_fields[name].default,
                    f"{section}.{name} = {quoted(value)} has no effect with a measured table, cell.table",
                )


def weight_distribution(text: str) -> tuple[float, float]:
    """(mean, standard deviation) of `normal:MU,SIGMA`; ValueError for another form, a SIGMA not above 0, or out of bounds."""
    kind, _, numbers = text.partition(":")
    parts = numbers.split(",")
    if kind != "normal" or len(parts) != 2:
        raise ValueError(f"{quoted(text)} is not a distribution; write normal:MU,SIGMA, such as normal:0,0.1")
    mean, sigma = (float(parse_quantity(part)) for part in parts)
    if not sigma > 0:
        raise ValueError(f"{quoted(text)}: the standard deviation must be above 0")
    if abs(mean) > LARGEST_WEIGHT or not 1 / LARGEST_WEIGHT <= sigma <= LARGEST_WEIGHT:
        raise ValueError(
            f"{quoted(text)}: weights from {1 / LARGEST_WEIGHT:g} to {LARGEST_WEIGHT:g} are allowed".replace("e+", "e")
        )
    return mean, sigma


def _checked_distribution(text: str) -> str:
    weight_distribution(text)
    return text


class PowerSection(Section):
    """Monte Carlo of an array's power (neat, Fig. 2): random weights, random inputs."""

    array: Annotated[TileSize, Option(metavar="ROWSxCOLS")] = "8x8"
    """Size of the array."""
    weights: Annotated[str, AfterValidator(_checked_distribution), Option(metavar="normal:MU,SIGMA")] = "normal:0,0.1"
    """Distribution of the weights."""
    w_max: Annotated[Magnitude | None, Option(metavar="W")] = None
    """The |weight| at the top of the scale (default |MU| + 3 SIGMA). Larger ones saturate at G_on."""
    samples: Annotated[int, Field(ge=2, le=1_000_000), Option()] = 200
    """Arrays drawn."""


class PowerConfig(CharacterizeConfig):
    """Everything that determines a Monte Carlo of an array's power."""

    power: PowerSection = PowerSection()

    def check(self) -> None:
        """Rules that join several keys."""
        super().check()
        rows, cols = parse_tile(self.power.array)
        require(
            rows * cols * self.power.samples <= MAX_TABLE,
            f"power.array × power.samples has {rows * cols * self.power.samples:.3g} cells; at most {MAX_TABLE:.0e} are allowed",
        )


class WiredSection(WiresSection):
    """A whole array in the simulator."""

    size: Annotated[TileSize, Option(metavar="ROWSxCOLS")] = "16x16"
    """Size of the array."""
    vg_volt: Annotated[Voltage, Option()] = 1.0
    """Gate voltage."""
    r_wire_ohm: Annotated[LineResistance | None, Option()] = 2.5
    """Every segment of word lines and bit lines, between two cells."""
    inputs: Annotated[int, Field(ge=1, le=1000), Option()] = 8
    """Random input vectors."""


MAX_CELLS = 128 * 128
"""Most cells of a whole array in the simulator: 64 × 64 takes it seconds, and the time grows with the square."""


class ArrayConfig(CharacterizeConfig):
    """Everything that determines a comparison with a whole array in the simulator."""

    array: WiredSection = WiredSection()

    def check(self) -> None:
        """Rules that join several keys."""
        super().check()
        rows, cols = parse_tile(self.array.size)
        require(
            rows * cols <= MAX_CELLS,
            f"array.size = {self.array.size}: at most {MAX_CELLS} cells are simulated",
        )
        require(self.cell.table is None, "a measured table has no transistor card, and the simulator needs one")
        require(
            self.sweep.vg_range == SweepSection().vg_range,
            "sweep.vg_range has no effect on one array: name its gate voltage with array.vg_volt",
        )

    def at_its_gate_voltage(self) -> Self:
        """The same with the array's gate voltage as the only one of the sweep."""
        return self.model_copy(update={"sweep": self.sweep.model_copy(update={"vg_range": repr(self.array.vg_volt)})})


def bit_line_voltages(config: CharacterizeConfig) -> tuple[float, ...]:
    """The bit-line voltages of the sweep [V]: 0 and four to `sweep.vbl_volt`, of both signs where V_in has both.

    Above 60 mV there is one for every 15 mV, 16 at most.
    """
    top = config.sweep.vbl_volt
    if top == 0 or config.cell.table is not None:
        return (0.0,)
    count = max(4, min(16, math.ceil(top / 0.015 - 1e-9)))
    above = tuple(top * k / count for k in range(1, count + 1))
    both = input_voltages(config.sweep.vin_range)[0] < 0
    return (*(-volt for volt in reversed(above) if both), 0.0, *above)
