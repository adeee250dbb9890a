"""What is written as text: ranges of voltages, tiles, weight limits, states of devices; what some layers have of their own."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from xbar_cli.outside import clean_path, quoted

from .base import (
    LayerChoice,
    LearningRate,
    PositiveQuantity,
    Quantity,
    Section,
    in_unit,
    parse_quantity,
    split_numbers,
    text_of,
    within,
)

if TYPE_CHECKING:
    from xbar_cli.mapping.placing import WeightLimitRule

LARGEST_WEIGHT = 1e12
"""Of a weight limit; the inverse is the smallest."""
HIGHEST_VOLT = 100.0
"""Of gates and inputs, of either sign [V]."""
MAX_POINTS = 4096
"""Most points one range may have: more is a mistake, and is refused before anything is allocated."""


def gate_voltages(text: str) -> tuple[float, float, int]:
    """(start, stop, count) of `START:STOP:STEP` [V], or of one gate voltage alone; ValueError for what is no such range."""
    form = "START:STOP:STEP in volts, such as 0.7:1.0:0.05"
    if ":" not in text:
        text = f"{text}:{text}:1"
    start, stop, step = split_numbers(text, form)
    _require_volts(text, start, stop)
    if stop < start:
        raise ValueError(f"{quoted(text)}: the stop is below the start; write {form}")
    if step <= 0:
        raise ValueError(f"{quoted(text)}: the step must be above 0; write {form}")
    steps = (stop - start) / step
    if steps >= MAX_POINTS:
        raise ValueError(f"{quoted(text)} has {steps:.3g} points; at most {MAX_POINTS} are allowed")
    count = round(steps) + 1
    if abs(steps - round(steps)) > 1e-6:
        raise ValueError(f"{quoted(text)}: the step does not divide the span; write {form}")
    return start, stop, count


def input_voltages(text: str) -> tuple[float, float, int]:
    """(start, stop, count) of `START:STOP:COUNT` [V]; ValueError unless the count is a whole number from 5 to MAX_POINTS."""
    form = "START:STOP:COUNT in volts, such as 0.01:0.5:51"
    start, stop, number = split_numbers(text, form)
    _require_volts(text, start, stop)
    if stop <= start:
        raise ValueError(f"{quoted(text)}: the stop must be above the start; write {form}")
    if number != int(number) or not 5 <= number <= MAX_POINTS:
        raise ValueError(f"{quoted(text)}: the count must be a whole number from 5 to {MAX_POINTS}; write {form}")
    return start, stop, int(number)


def _require_volts(text: str, *volts: float) -> None:
    if any(abs(volt) > HIGHEST_VOLT for volt in volts):
        raise ValueError(f"{quoted(text)}: voltages from -{HIGHEST_VOLT:g} to {HIGHEST_VOLT:g} V are allowed")


def joined(value: Any) -> Any:
    """A list of a file as the text of an option; anything else as it is."""
    return ",".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else value


def checked(parse: Any) -> AfterValidator:
    """That `parse` takes a text, which stays as it is; `parse` raises ValueError for one that it does not."""

    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


GateRange = Annotated[str, BeforeValidator(text_of), checked(gate_voltages)]
InputRange = Annotated[str, BeforeValidator(text_of), checked(input_voltages)]


def parse_tile(text: str) -> tuple[int, int]:
    """(rows, columns) of a tile written `128x128`; ValueError unless they are whole numbers from 1 to 65536."""
    found = re.fullmatch(r"([0-9]{1,5})[xX]([0-9]{1,5})", text)
    rows, cols = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (1 <= rows <= 65536 and 1 <= cols <= 65536):
        raise ValueError(f"{quoted(text)} is not a tile size; write ROWSxCOLS, such as 128x128")
    return rows, cols


TileSize = Annotated[str, BeforeValidator(text_of), checked(parse_tile)]


def check_weight_limit(text: str) -> str:
    """`max`, `largest`, `auto`, a share such as `70%` or a positive number, as it was written; ValueError for anything else."""
    found = parse_weight_limit(text)
    if isinstance(found, float) and not 1 / LARGEST_WEIGHT <= found <= LARGEST_WEIGHT:
        raise ValueError(
            f"{quoted(text)} is not a weight limit; write max, largest, auto, a share such as 70% or a number from 1e-12 to 1e12"
        )
    return text


def parse_weight_limit(text: str) -> "WeightLimitRule":
    """What a weight limit says: a number, a share of the largest weight, or the name of a rule."""
    if text in ("max", "largest", "auto"):
        return text
    if not text.endswith("%"):
        return float(parse_quantity(text))
    from xbar_cli.mapping.placing import LimitShare

    percent = float(parse_quantity(text[:-1]))
    if not 1 <= percent <= 100:
        raise ValueError(f"{quoted(text)} is not a share of the largest weight; write 1% to 100%")
    return LimitShare(percent / 100)


WeightLimit = Annotated[str, BeforeValidator(text_of), AfterValidator(check_weight_limit)]


def parse_states(value: object) -> object:
    """States written `0,1,3` or as a list of numbers, as text."""
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def check_states(text: str) -> str:
    """`text` itself if it is `best:N` or states between commas; else ValueError."""
    rule = text.partition(":")[0]
    form = r"best:0*[1-9][0-9]{0,4}" if rule == "best" else r"[0-9]{1,5}(,[0-9]{1,5})*"
    good = re.fullmatch(form, text)
    if not good:
        raise ValueError(f"{quoted(text)} names no states; write them between commas, such as 0,1,3, or best:N")
    return text


def _place(file: str) -> AfterValidator:
    """A name or a file as it is; for the run of a fit, the file in it that is called so."""

    def place(text: str) -> str:
        inside = clean_path(text) / file
        return str(inside) if inside.is_file() else text

    return AfterValidator(place)


TechnologyName = Annotated[str, Field(min_length=1), _place("technology.toml")]
"""Of a device technology: a name, a TOML file, or the run of a fit."""
SwitchingName = Annotated[str, Field(min_length=1), _place("switching.toml")]
"""Of a switching model: a name, a TOML file, or the run of a fit of pulses."""
Bits = Annotated[int, Field(ge=1, le=16)]
FavourableStates = Annotated[str, BeforeValidator(parse_states), AfterValidator(check_states)]


def _numbers(value: Any) -> Any:
    """One number or several: `0.286`, `0.49,0.48,0.45`, or a list."""
    if isinstance(value, str):
        value = value.split(",")
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _in_unit_range(values: tuple[float, ...]) -> tuple[float, ...]:
    """The values, where they can be those of pixels in 0 … 1."""
    for value in values:
        if not 0 <= value <= 1:
            raise ValueError(f"{value:g} lies outside 0 … 1, the range of the pixels; divide one of 0 … 255 by 255")
    return values


def above_zero(values: tuple[float, ...]) -> tuple[float, ...]:
    """The values, where pixels can be divided by them."""
    if not all(value > 0 for value in values):
        raise ValueError("pixels cannot be divided by 0")
    return values


PixelValues = Annotated[
    tuple[Quantity, ...], BeforeValidator(_numbers), Field(min_length=1), AfterValidator(_in_unit_range)
]


def _different(values: tuple[float, ...]) -> tuple[float, ...]:
    """The values, where none is listed twice."""
    if len(set(values)) < len(values):
        raise ValueError(f"{', '.join(f'{value:g}' for value in values)}: list each of them once")
    return values


Rates = Annotated[
    tuple[LearningRate, ...], BeforeValidator(_numbers), Field(min_length=2, max_length=100), AfterValidator(_different)
]
"""Learning rates to choose from."""


class OwnSettings(Section):
    """What the layers that a pattern fits have of their own, in the place of the mapping's and the cell's."""

    layers: LayerChoice
    """Names or patterns, as `mapping.layers` has them."""
    bits: Bits | None = None
    """Bits of one device."""
    weight_limit: WeightLimit | None = None
    """|Weight| at full scale."""
    vg_volt: Annotated[PositiveQuantity, within(1e-12, HIGHEST_VOLT, "volt"), in_unit("V")] | None = None
    """Gate voltage of their cells."""
