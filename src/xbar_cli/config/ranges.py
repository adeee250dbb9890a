"""What is written as text: ranges of voltages, tiles, weight limits, states of devices."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from .base import parse_quantity, split_numbers, text_of

MAX_POINTS = 4096
"""Most points one range may have: more is a mistake, and is refused before anything is allocated."""


def gate_voltages(text: str) -> tuple[float, float, int]:
    """(start, stop, count) of `START:STOP:STEP` [V], or of one gate voltage alone; ValueError for what is no such range."""
    form = "START:STOP:STEP in volts, such as 0.7:1.0:0.05"
    if ":" not in text:
        text = f"{text}:{text}:1"
    start, stop, step = split_numbers(text, form)
    if stop < start:
        raise ValueError(f"{text!r}: the stop is below the start; write {form}")
    if step <= 0:
        raise ValueError(f"{text!r}: the step must be above 0; write {form}")
    steps = (stop - start) / step
    if steps >= MAX_POINTS:
        raise ValueError(f"{text!r} has {steps:.3g} points; at most {MAX_POINTS} are allowed")
    count = round(steps) + 1
    if abs(steps - round(steps)) > 1e-6:
        raise ValueError(f"{text!r}: the step does not divide the span; write {form}")
    return start, stop, count


def input_voltages(text: str) -> tuple[float, float, int]:
    """(start, stop, count) of `START:STOP:COUNT` [V]; ValueError unless the count is a whole number from 5 to MAX_POINTS."""
    form = "START:STOP:COUNT in volts, such as 0.01:0.5:51"
    start, stop, number = split_numbers(text, form)
    if stop <= start:
        raise ValueError(f"{text!r}: the stop must be above the start; write {form}")
    if number != int(number) or not 5 <= number <= MAX_POINTS:
        raise ValueError(f"{text!r}: the count must be a whole number from 5 to {MAX_POINTS}; write {form}")
    return start, stop, int(number)


def _checked(parse: Any) -> AfterValidator:
    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


GateRange = Annotated[str, BeforeValidator(text_of), _checked(gate_voltages)]
InputRange = Annotated[str, BeforeValidator(text_of), _checked(input_voltages)]


def parse_tile(text: str) -> tuple[int, int]:
    """(rows, columns) of a tile written `128x128`.

    Raises:
        ValueError: not two whole numbers from 1 to 65536.
    """
    rows, _, cols = text.lower().partition("x")
    if not (rows.isdecimal() and cols.isdecimal() and 1 <= int(rows) <= 65536 and 1 <= int(cols) <= 65536):
        raise ValueError(f"{text!r} is not a tile size; write ROWSxCOLS, such as 128x128")
    return int(rows), int(cols)


TileSize = Annotated[str, BeforeValidator(text_of), _checked(parse_tile)]


def check_weight_limit(text: str) -> str:
    """`max`, `largest`, `auto` or a positive number, as it was written.

    Raises:
        ValueError: anything else.
    """
    if text not in ("max", "largest", "auto") and not float(parse_quantity(text)) > 0:
        raise ValueError(f"{text!r} is not a weight limit; write max, largest, auto or a number above 0")
    return text


def parse_weight_limit(text: str) -> float | Literal["max", "largest", "auto"]:
    """What a weight limit says: a number, or the name of a rule."""
    return text if text in ("max", "largest", "auto") else float(parse_quantity(text))


WeightLimit = Annotated[str, BeforeValidator(text_of), AfterValidator(check_weight_limit)]


def parse_states(value: object) -> object:
    """States written `0,1,3` or as a list of numbers, as text."""
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def check_states(text: str) -> str:
    """`text` itself if it is `best:N` or states between commas.

    Raises:
        ValueError: anything else.
    """
    rule, _, count = text.partition(":")
    good = count.isdecimal() and int(count) > 0 if rule == "best" else all(p.isdecimal() for p in text.split(","))
    if not good:
        raise ValueError(f"{text!r} names no states; write them between commas, such as 0,1,3, or best:N")
    return text


Bits = Annotated[int, Field(ge=1, le=16)]
FavourableStates = Annotated[str, BeforeValidator(parse_states), AfterValidator(check_states)]
