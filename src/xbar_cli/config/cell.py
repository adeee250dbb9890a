"""Configuration of a 1T-1R cell: the cell itself, its sweep in the simulator, its linear range and its surrogate."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from xbar_cli.outside import quoted

from .base import (
    DeviceResistance,
    Length,
    NonNegativeQuantity,
    Option,
    PositiveQuantity,
    Quantity,
    Section,
    Timeout,
    Voltage,
    in_unit,
    parse_quantity,
    text_of,
    within,
)
from .ranges import GateRange, InputRange

Current = Annotated[PositiveQuantity, within(1e-24, 1e3, "A"), in_unit("A")]
Spread = Annotated[PositiveQuantity, within(1e-9, 1, "V"), in_unit("V")]
"""Of threshold voltages [V]."""
MOST_VOLTAGES = 256


def voltage_list(text: str) -> tuple[float, ...]:
    """The voltages of a list such as `0.25,0.5` [V]; ValueError for what is no number above 0, not ascending, or too many."""
    parts = text.split(",")
    if len(parts) > MOST_VOLTAGES:
        raise ValueError(f"{quoted(text)} lists {len(parts)} voltages; at most {MOST_VOLTAGES} are allowed")
    volts = tuple(float(parse_quantity(part)) for part in parts)
    if not all(low > 0 for low in volts) or list(volts) != sorted(set(volts)):
        raise ValueError(f"{quoted(text)} is not an ascending list of voltages above 0, such as 0.25,0.5")
    return volts


def _list_text(value: Any) -> Any:
    return ",".join(str(text_of(item)) for item in value) if isinstance(value, (list, tuple)) else text_of(value)


def _checked_list(text: str) -> str:
    voltage_list(text)
    return text


VoltageList = Annotated[str, BeforeValidator(_list_text), AfterValidator(_checked_list)]


class CellSection(Section):
    """The 1T-1R cell: transistor card and geometry, resistance range of the memristor (neat, Section II)."""

    card: Annotated[str, Option(metavar="NAME|FILE")] = "lp"
    """Transistor card: lp, hp, bulk, pdk45nvth, pdk45nvtg, or a file with a .model."""
    model: Annotated[str | None, Option(metavar="NAME")] = None
    """Name of the .model or .subckt in the file, when it holds several."""
    section: Annotated[str | None, Option(metavar="NAME")] = None
    """The .lib section of the file."""
    nominal: Annotated[bool, Option()] = False
    """Take random functions of the file, such as agauss(x, …), at their nominal value x; else a file with one is refused."""
    table: Annotated[str | None, Option("--cell-table", metavar="FILE.csv")] = None
    """Measured currents in place of a simulation: columns G,V,I[,V_g] in SI units."""
    width_m: Annotated[Length, Option()] = 90e-9
    """Gate width."""
    length_m: Annotated[Length, Option()] = 45e-9
    """Gate length."""
    temperature_celsius: Annotated[Quantity, in_unit("C"), Field(ge=-100, le=300), Option()] = 27.0
    """Temperature of the cell."""
    topology: Annotated[Literal["drain", "source"], Option()] = "drain"
    """The terminal of the transistor that the memristor sits on."""
    r_on_ohm: Annotated[DeviceResistance, Option()] = 30e3
    """Low-resistance state of the memristor."""
    r_off_ohm: Annotated[DeviceResistance, Option()] = 300e3
    """High-resistance state of the memristor."""


class SweepSection(Section):
    """The SPICE sweep: gate voltages × memristor conductances × input voltages."""

    vg_range: Annotated[GateRange, Option(metavar="START:STOP:STEP")] = "0.7:1.0:0.05"
    """Gate voltages [V]."""
    vin_range: Annotated[InputRange, Option(metavar="START:STOP:COUNT")] = "0.01:0.5:51"
    """Input voltages [V], also of both signs, such as -0.5:0.5:101."""
    g_points: Annotated[int, Field(ge=8, le=4096), Option()] = 64
    """Conductances of the table, from 0.1 G_off to 1.75 G_on so that varied devices stay on it."""
    g_spacing: Annotated[Literal["linear", "log"] | None, Option()] = None
    """Conductances at even steps, or their logarithms (default linear; log with the memristor at the source, whose currents
    bend at low conductances). The surrogate's cubics follow."""
    vbl_volt: Annotated[NonNegativeQuantity, in_unit("V"), Field(le=1), Option()] = 0.0
    """Highest voltage of a bit line that a second surrogate follows, such as 60m; to ± this where V_in has both signs
    (default 0: no second surrogate)."""
    jobs: Annotated[int, Field(ge=1, le=64), Option()] = 1
    """Simulator processes that share the gate voltages."""
    backend: Annotated[Literal["auto", "ctypes", "ngspyce"], Option()] = "auto"
    """Binding of ngspice."""
    timeout_seconds: Timeout = 300.0
    """Longest time of one simulation."""
    cache: Annotated[bool, Option("--no-cache")] = True
    """Keep simulated tables in $XBAR_CACHE_DIR, or else the user's cache folder, and take them from there; with --no-cache
    all are simulated and none is kept."""


class RangeSection(Section):
    """The linear range: the tolerance metric tm(G; V_g) and its bound (neat, Section II-C)."""

    tolerance: Annotated[Quantity, Field(gt=0, lt=1), Option(metavar="SHARE")] = 0.025
    """Bound of the tolerance metric."""
    metric: Annotated[Literal["spread", "deviation", "std"], Option("--tolerance-metric")] = "spread"
    """Tolerance metric."""
    second_tolerance: Annotated[Quantity, Field(gt=0, lt=1)] = 0.05
    """A second bound for the figure of G_cut against V_g (neat, Fig. 5)."""
    vin_min_volt: Voltage = 0.01
    """Points with |V_in| below this enter neither tm nor the mean of G_eff = I / V_in, which leakage makes diverge."""
    vdd: Annotated[VoltageList | None, Option(metavar="LIST")] = None
    """Supply voltages at which the range is computed besides, such as 0.25,0.5: tm over |V_in| up to each."""
    leakage_limit_ampere: Annotated[Current | None, Option()] = None
    """Most current that a bit line may carry at V_in = 0 (neat, Section II-D)."""
    rows: Annotated[int | None, Field(ge=1, le=1_000_000), Option()] = None
    """Cells on that bit line."""


class SurrogateSection(Section):
    """The separable surrogate: its rank is the smallest whose measured error is below `error`."""

    error: Annotated[Quantity, Field(gt=0, lt=1), Option("--surrogate-error", metavar="SHARE")] = 1e-3
    """Largest relative error of the surrogate."""
    line_error: Annotated[Quantity, Field(gt=0, lt=1)] = 5e-3
    """Of the surrogate that follows the bit line: at V_g 0.7 V a bit line at 60 mV all but switches the transistor off."""
    max_rank: Annotated[int, Field(ge=1, le=12)] = 12
    """Largest rank that is tried."""


class MismatchSection(Section):
    """Monte Carlo of the transistor's threshold voltage."""

    vth_sigma_volt: Annotated[Spread | None, Option()] = None
    """Standard deviation of the threshold voltage: transistors are drawn, and the range of each is computed."""
    samples: Annotated[int, Field(ge=2, le=100_000), Option("--mismatch-samples")] = 100
    """Transistors drawn."""
    g_points: Annotated[int, Field(ge=8, le=512)] = 24
    """Conductances of each sampled transistor's table."""
