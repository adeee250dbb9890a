"""Configuration of `xbar characterize`: the cell, the sweep, the linear range and the surrogate."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field

from .arrays import WiresSection
from .base import NonNegativeQuantity, PositiveQuantity, Quantity, Section, parse_quantity, require, text_of
from .ranges import GateRange, InputRange, TileSize, gate_voltages, input_voltages, parse_tile

MAX_TABLE = 20_000_000
"""Most points of one table (G × V_in × V_g): about 5 GB of simulator memory."""


def voltage_list(text: str) -> tuple[float, ...]:
    """The voltages of a list such as `0.25,0.5` [V], ascending.

    Raises:
        ValueError: not numbers above 0 in ascending order.
    """
    volts = tuple(float(parse_quantity(part)) for part in text.split(","))
    if not all(low > 0 for low in volts) or list(volts) != sorted(set(volts)):
        raise ValueError(f"{text!r} is not an ascending list of voltages above 0, such as 0.25,0.5")
    return volts


def _list_text(value: Any) -> Any:
    return ",".join(str(text_of(item)) for item in value) if isinstance(value, (list, tuple)) else text_of(value)


def _checked_list(text: str) -> str:
    voltage_list(text)
    return text


VoltageList = Annotated[str, BeforeValidator(_list_text), AfterValidator(_checked_list)]


class CellSection(Section):
    """The 1T-1R cell: transistor card and geometry, resistance range of the memristor (neat, Section II)."""

    card: str = "lp"
    """Built-in transistor card, or the path of a file with one."""
    model: str | None = None
    """Name of the .model or .subckt in the file, when it holds several."""
    section: str | None = None
    """The .lib section of the file."""
    nominal: bool = False
    """Take random functions of the file at their nominal value, `agauss(x, …)` at x; else a file with one is refused."""
    table: str | None = None
    """A CSV file of measured currents (columns G, V, I and perhaps V_g) in place of a simulation."""
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
    g_spacing: Literal["linear", "log"] | None = None
    """Evenly spaced conductances (default), or evenly spaced logarithms of them (default with the memristor at the source,
    whose currents bend at low conductances); the surrogate's cubics follow."""
    vbl_volt: Annotated[NonNegativeQuantity, Field(le=1)] = 0.0
    """Highest voltage of a bit line that a second surrogate follows (to ± this where V_in has both signs); 0: none."""
    jobs: Annotated[int, Field(ge=1, le=64)] = 1
    backend: Literal["auto", "ctypes", "ngspyce"] = "auto"
    timeout_seconds: PositiveQuantity = 300.0
    cache: bool = True
    """Keep simulated tables in $XBAR_CACHE_DIR (else the user's cache folder) and take them from there."""


class RangeSection(Section):
    """The linear range: the tolerance metric tm(G; V_g) and its bound (neat, Section II-C)."""

    tolerance: Annotated[Quantity, Field(gt=0, lt=1)] = 0.025
    metric: Literal["spread", "deviation", "std"] = "spread"
    second_tolerance: Annotated[Quantity, Field(gt=0, lt=1)] = 0.05
    """A second bound for the figure of G_cut against V_g (neat, Fig. 5)."""
    vin_min_volt: PositiveQuantity = 0.01
    """Points with |V_in| below this enter neither tm nor the mean of G_eff = I / V_in, which leakage makes diverge."""
    vdd: VoltageList | None = None
    """Supply voltages at which the range is computed besides: tm over |V_in| up to each."""
    leakage_limit_ampere: PositiveQuantity | None = None
    """Most current that a bit line may carry at V_in = 0 (neat, Section II-D)."""
    rows: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Cells on one bit line, for the leakage limit."""


class SurrogateSection(Section):
    """The separable surrogate: its rank is the smallest whose measured error is below `error`."""

    error: Annotated[Quantity, Field(gt=0, lt=1)] = 1e-3
    line_error: Annotated[Quantity, Field(gt=0, lt=1)] = 5e-3
    """Of the surrogate that follows the bit line: at V_g 0.7 V a bit line at 60 mV all but switches the transistor off."""
    max_rank: Annotated[int, Field(ge=1, le=12)] = 12


class MismatchSection(Section):
    """Monte Carlo of the transistor's threshold voltage."""

    vth_sigma_volt: PositiveQuantity | None = None
    samples: Annotated[int, Field(ge=2, le=100_000)] = 100
    g_points: Annotated[int, Field(ge=8, le=512)] = 24
    """Conductances of each sampled transistor's table."""


class CharacterizeConfig(Section):
    """Everything that determines a characterisation."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
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
            f"cell.r_on_ohm = {self.cell.r_on_ohm:g} must be below cell.r_off_ohm = {self.cell.r_off_ohm:g} "
            "(--r-on, --r-off)",
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
            f"the sweep has {points:.3g} points (--g-points × --vin-range × --vg-range × V_bl); "
            f"at most {MAX_TABLE:.0e} are allowed",
        )
        if mismatch.vth_sigma_volt is None:
            require(
                mismatch == MismatchSection(),
                "mismatch.samples and mismatch.g_points need mismatch.vth_sigma_volt (--vth-sigma)",
            )
        else:
            points = mismatch.samples * mismatch.g_points * n_vin * n_vg
            require(
                points <= MAX_TABLE,
                f"the mismatch has {points:.3g} points (--mismatch-samples × {mismatch.g_points} conductances "
                f"× --vin-range × --vg-range); at most {MAX_TABLE:.0e} are allowed",
            )

    def _check_range(self) -> None:
        bounds = self.range
        require(
            (bounds.leakage_limit_ampere is None) == (bounds.rows is None),
            "range.leakage_limit_ampere and range.rows go together (--leakage-limit, --rows)",
        )
        if self.cell.table is not None:
            return
        start, stop, count = input_voltages(self.sweep.vin_range)
        require(stop > 0, f"sweep.vin_range = {self.sweep.vin_range!r} must end above 0 V")
        volts = [start + (stop - start) * k / (count - 1) for k in range(count)]
        usable = sum(abs(volt) >= bounds.vin_min_volt * (1 - 1e-9) for volt in volts)
        require(
            usable >= 5,
            f"sweep.vin_range = {self.sweep.vin_range!r} has {usable} points with |V_in| of at least "
            f"{bounds.vin_min_volt:g} V (range.vin_min_volt), where G_eff = I / V_in is read; 5 are needed",
        )
        for vdd in voltage_list(bounds.vdd) if bounds.vdd else ():
            require(
                bounds.vin_min_volt < vdd <= stop * (1 + 1e-9),
                f"range.vdd: {vdd:g} V must lie above {bounds.vin_min_volt:g} V and within --vin-range, up to {stop:g} V",
            )

    def _check_measured(self) -> None:
        """A measured table leaves most of the sweep without effect: say so where it was given."""
        unused: list[tuple[Section, Section, tuple[str, ...]]] = [
            (self.cell, CellSection(), ("card", "model", "section", "nominal", "temperature_celsius", "topology")),
            (self.sweep, SweepSection(), ("vin_range", "vbl_volt", "jobs", "backend", "timeout_seconds", "cache")),
            (self.mismatch, MismatchSection(), ("vth_sigma_volt", "samples", "g_points")),
        ]
        for section, default, names in unused:
            for name in names:
                require(
                    getattr(section, name) == getattr(default, name),
                    f"{name} = {getattr(section, name)} has no effect with a measured table (--cell-table)",
                )


def weight_distribution(text: str) -> tuple[float, float]:
    """(mean, standard deviation) of `normal:MU,SIGMA`.

    Raises:
        ValueError: not of that form, or SIGMA is not above 0.
    """
    kind, _, numbers = text.partition(":")
    parts = numbers.split(",")
    if kind != "normal" or len(parts) != 2:
        raise ValueError(f"{text!r} is not a distribution; write normal:MU,SIGMA, such as normal:0,0.1")
    mean, sigma = (float(parse_quantity(part)) for part in parts)
    if not sigma > 0:
        raise ValueError(f"{text!r}: the standard deviation must be above 0")
    return mean, sigma


def _checked_distribution(text: str) -> str:
    weight_distribution(text)
    return text


class PowerSection(Section):
    """Monte Carlo of an array's power (neat, Fig. 2): random weights, random inputs."""

    array: TileSize = "8x8"
    weights: Annotated[str, AfterValidator(_checked_distribution)] = "normal:0,0.1"
    w_max: PositiveQuantity | None = None
    """The |weight| at the top of the scale; |MU| + 3 SIGMA when absent. Larger ones saturate at G_on."""
    samples: Annotated[int, Field(ge=2, le=1_000_000)] = 200


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

    size: TileSize = "16x16"
    vg_volt: PositiveQuantity = 1.0
    r_wire_ohm: NonNegativeQuantity | None = 2.5
    """Of each word-line and each bit-line segment, between two cells; or apart:"""
    inputs: Annotated[int, Field(ge=1, le=1000)] = 8
    """Random input vectors."""


MAX_CELLS = 128 * 128
"""Most cells of a whole array in the simulator: 64 × 64 takes it seconds, and the time grows with the square."""


class ArrayConfig(CharacterizeConfig):
    """Everything that determines a comparison with a whole array in the simulator."""

    array: WiredSection = WiredSection()

    def check(self) -> None:
        """Rules that join several keys."""
        super().check()
        require(
            math.prod(parse_tile(self.array.size)) <= MAX_CELLS,
            f"array.size = {self.array.size}: at most {MAX_CELLS} cells are simulated (--size)",
        )
        require(self.cell.table is None, "a measured table has no transistor card, and the simulator needs one")
        require(
            self.sweep.vg_range == SweepSection().vg_range,
            "sweep.vg_range has no effect on one array: name its gate voltage with --vg",
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
