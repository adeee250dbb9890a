"""What every configuration section shares: frozen, strict, numbers that may carry an SI suffix."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function

from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted

SUFFIXES = {"f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "meg": 6, "G": 9}
"""Powers of ten."""
LONGEST_NUMBER = 64
"""Characters of a number."""
_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(f|p|n|u|µ|meg|m|k|M|G|)\s*", re.ASCII)


@dataclass(frozen=True)
class Option:
    """Marks a field that is also an option of the command line: `Annotated[PositiveQuantity, Option()]`.

    The first paragraph of the field's docstring is the help, with its default unless it speaks of one; its Literal gives the
    choices, and a bool makes a flag that turns its default round.
    """

    name: str | None = None
    """Spelling such as `--vg`; the key without its unit when absent: `--r-source` of `r_source_ohm`."""
    metavar: str | None = None
    """What stands for the value in the help; by unit or type when absent: OHM of `r_source_ohm`, N of an int."""
    repeatable: bool = False
    """The option may be given several times: the field takes the list of its texts."""


@dataclass(frozen=True)
class Apart:
    """Marks a tagged union whose variants are tables by their tag: `method = "neat"` with `[neat]`, not `method.name`."""


class Section(BaseModel):
    """Base of the configuration sections: immutable, and an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
        defer_build=True,
    )

    shares: ClassVar[tuple[str, ...]] = ()
    """Of a variant of a union: the dotted keys of sections beside the union that are its own too."""

    @model_validator(mode="before")
    @classmethod
    def _no_booleans(cls, given: Any) -> Any:
        """Where a number or a text is wanted, `true` is a mistake and not 1."""
        for name, value in given.items() if isinstance(given, Mapping) else ():
            field = cls.model_fields.get(name)
            if isinstance(value, bool) and field is not None and not _holds(field.annotation, bool):
                raise ValueError(f"{name} = {str(value).lower()} is a yes or no; wanted is a value")
        return given

    def in_use(self) -> dict[str, Any]:
        """Every key with a value, without sections that the configuration does not use."""
        return self.model_dump(exclude_none=True)


class RootSection(Section):
    """Everything that determines what a command computes."""

    seed: Annotated[int, Field(ge=0, lt=2**32), Option()] = 0
    """Seed of everything random."""

    def check(self) -> None:
        """Rules that join several keys."""

    @classmethod
    def stands_for(cls, given: Mapping[str, Any]) -> Mapping[str, str]:
        """The dotted keys that top-level keys stand for, `given` being known: none."""
        return {}

    @classmethod
    def key_of(cls, loc: tuple[int | str, ...]) -> str:
        """The dotted key of the place where pydantic found something; an effect in a list is at its name."""
        return ".".join(str(part) for n, part in enumerate(loc) if loc[n - 1 : n] != ("effects",) or n + 1 == len(loc))


def _holds(annotation: Any, kind: type) -> bool:
    """Whether a type is one of those that an annotation is made of, or it takes anything."""
    parts = get_args(annotation)
    return annotation is kind or annotation is Any or any(_holds(part, kind) for part in parts)


def parse_quantity(value: Any) -> Any:
    """A number from a text with an optional SI suffix: `90n` is 9e-8, `30k` is 3e4, `2meg` and `2M` are 2e6.

    Anything but a text is returned as it is, for pydantic to judge; a text that is no finite number is a ValueError.
    """
    if not isinstance(value, str):
        return value
    match = _NUMBER.fullmatch(value) if len(value) <= LONGEST_NUMBER else None
    if match is None or not math.isfinite(float(match[1])):
        one = "a finite one" if value.strip().lower().lstrip("+-") in ("inf", "infinity", "nan") else "one"
        raise ValueError(f"{quoted(value)} is not a number; write {one} such as 500, 9e-8, 90n or 30k")
    mantissa, _, exponent = match[1].lower().partition("e")
    # the exponents are added as whole numbers, so that 90n and 9e-8 are the same float
    return float(f"{mantissa}e{int(exponent or 0) + SUFFIXES[match[2]]}")


_UNITS = {"ohm": "ohm", "Ω": "ohm", "V": "V", "A": "A", "S": "S", "J": "J", "K": "K", "eV": "eV", "°C": "C", "C": "C", "m": "m",
          "nm": "nm"}  # fmt: skip
"""Units that a number may end in."""


def in_unit(unit: str) -> BeforeValidator:
    """A number that may end in its unit, with an SI suffix or not: `5ohm`, `1.5kΩ`, `0.8V`; a length behind one alone, `90nm`."""
    names = [name for name, of in _UNITS.items() if of == unit]
    before = "[fpnuµ]" if unit == "m" else "[^a-zA-Z]|[fpnuµmkMG]|meg"
    pattern = re.compile(rf"(.*(?:{before}))\s*(?:{'|'.join(names)})\s*", re.DOTALL)

    def without(value: Any) -> Any:
        found = pattern.fullmatch(value) if isinstance(value, str) and len(value) <= LONGEST_NUMBER else None
        return value if found is None else found[1]

    return BeforeValidator(without)


_TIME = re.compile(r"(.*?)\s*(min|s|h|d|y)", re.ASCII | re.DOTALL)
_MINUTES = re.compile(r"\s*([\d.]+)\s*m\s*", re.ASCII)
TIMES = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "y": 365.25 * 86400.0}
"""Units of time [s]."""


def parse_time(value: Any) -> Any:
    """Seconds as `parse_seconds` reads them, but that `5m` are minutes: the age of a chip, or a limit, is none in ms."""
    if isinstance(value, str) and len(value) <= LONGEST_NUMBER and (minutes := _MINUTES.fullmatch(value)):
        return parse_quantity(minutes[1]) * TIMES["min"]
    return parse_seconds(value)


def parse_seconds(value: Any) -> Any:
    """Seconds from a text that may end in a unit: `90ns`, `20s`, `5min`, `1h`, `30d`, `1y`; else as `parse_quantity`."""
    match = _TIME.fullmatch(value) if isinstance(value, str) and len(value) <= LONGEST_NUMBER else None
    if match is None:
        return parse_quantity(value)
    return parse_quantity(match[1]) * TIMES[match[2]]


def parse_share(value: Any) -> Any:
    """A share, or a text such as `2%`; anything else as `parse_quantity` has it."""
    if isinstance(value, str) and value.strip().endswith("%"):
        found = parse_quantity(value.strip()[:-1])
        return found / 100 if isinstance(found, float) else found
    return parse_quantity(value)


def asks_percent(value: Any) -> Any:
    """A share as it is; ValueError, with what may be meant, for a number above 1 that looks like one of per cent."""
    found = parse_share(value)
    if isinstance(found, (int, float)) and not isinstance(found, bool) and 1 < found <= 100:
        raise ValueError(f"{found:g} is {100 * found:g} %: is {found:g} % meant? write {found / 100:g} or {found:g}%")
    return value


def parse_resistance(value: Any) -> Any:
    """A number as `parse_quantity` reads it, or `inf`: a device that is not there."""
    if isinstance(value, str) and value.strip().lower() in ("inf", "infinity"):
        return math.inf
    return parse_quantity(value)


def text_of(value: Any) -> Any:
    """A number as its text, so that `vg = 0.8` and `vg = "0.8"` mean the same; anything else as it is."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) > 10**LONGEST_NUMBER:
        raise ValueError(f"{quoted(value)} is no number that can be meant")
    return repr(value)


Text = Annotated[str, BeforeValidator(text_of)]
VoltText = Annotated[str, in_unit("V"), BeforeValidator(text_of)]
"""A voltage, or a word in its place."""
Quantity = Annotated[float, BeforeValidator(parse_quantity)]
PositiveQuantity = Annotated[float, BeforeValidator(parse_quantity), Field(gt=0)]
NonNegativeQuantity = Annotated[float, BeforeValidator(parse_quantity), Field(ge=0)]


@dataclass(frozen=True)
class Bounds:
    """That a number lies from `low` to `high`, or is one of `besides`; `unit` is said with them."""

    low: float
    high: float
    unit: str = ""
    besides: tuple[float, ...] = ()

    def __str__(self) -> str:
        """What is allowed: `0 or from 1e-9 to 1e12 ohm`."""
        span = f"from {self.low:g} to {self.high:g} {self.unit}".replace("e+", "e").strip()
        return "".join(f"{x:g} or " for x in self.besides) + span

    def __call__(self, value: float) -> float:
        """The number; ValueError where it is out of bounds."""
        if value in self.besides or self.low <= value <= self.high:
            return value
        raise ValueError(f"{value:g} is out of bounds: {self} is allowed")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A field with these bounds is checked by them."""
        return no_info_after_validator_function(self, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The pages say them."""
        inner = {key: value for key, value in handler(schema).items() if not key.startswith("exclusive")}
        return inner | {"minimum": self.low, "maximum": self.high, "besides": list(self.besides)}


def within(low: float, high: float, unit: str = "", *, besides: tuple[float, ...] = ()) -> Bounds:
    """That a number lies from `low` to `high`, or is one of `besides`.

    Bounds are wide enough for any study; beyond them single precision, memory or time end.
    """
    return Bounds(low, high, unit, besides)


DeviceResistance = Annotated[PositiveQuantity, within(1e-12, 1e12, "ohm"), in_unit("ohm")]
"""Of a device: single precision holds it with squares and sums [ohm]."""
OpenResistance = Annotated[
    float,
    Field(gt=0, allow_inf_nan=True),
    BeforeValidator(parse_resistance),
    within(1e-12, 1e15, "ohm", besides=(math.inf,)),
    in_unit("ohm"),
]
"""A resistance that may be infinite [ohm]."""
LineResistance = Annotated[NonNegativeQuantity, within(1e-9, 1e12, "ohm", besides=(0,)), in_unit("ohm")]
"""Of a source, a neuron or a wire [ohm]."""
Voltage = Annotated[PositiveQuantity, within(1e-9, 100, "V"), in_unit("V")]
"""Above 0 [V]."""
Length = Annotated[PositiveQuantity, within(1e-9, 1e-3, "m"), in_unit("m")]
"""Of a gate [m]."""
Timeout = Annotated[PositiveQuantity, within(1e-3, 1e7, "s"), BeforeValidator(parse_time)]
"""From a millisecond to four months [s]."""
LearningRate = Annotated[PositiveQuantity, within(1e-20, 1e4)]
"""A learning rate."""
Magnitude = Annotated[PositiveQuantity, within(1e-12, 1e12)]
"""Of weights, activations, gradients, in their own units."""


def _layer_choice(text: str) -> str:
    """`all`, `dense`, or patterns of names with commas between them."""
    if not re.fullmatch(r"!?[\w*?\[\]-]+(\s*,\s*!?[\w*?\[\]-]+)*", text):
        raise ValueError(f"{quoted(text)} is neither all nor dense nor names or patterns such as fc*,!fc3")
    return text


LayerChoice = Annotated[str, Field(max_length=2000), AfterValidator(_layer_choice)]
"""Which layers: see `nn.shapes.chosen_layers`."""


def split_numbers(text: str, form: str) -> tuple[float, float, float]:
    """The three numbers of a range `A:B:C` of voltages, with or without their unit; `form` names what is wanted in the error."""
    parts = text.split(":")
    if len(parts) != 3:
        raise ValueError(f"{quoted(text)} is not a range; write {form}")
    start, stop, third = (float(parse_quantity(part.strip().removesuffix("V"))) for part in parts)
    return start, stop, third


def require(condition: bool, message: str) -> None:
    """Raise ConfigError with `message` unless `condition` holds: for rules that join several keys."""
    if not condition:
        raise ConfigError(message)


def duration(seconds: float) -> str:
    """A time in the largest unit of which it is one or more."""
    unit = next((unit for unit in reversed(TIMES) if seconds >= TIMES[unit] * (1 - 1e-9)), None)
    return f"{seconds:g} s" if unit is None else f"{seconds / TIMES[unit]:.4g} {unit}"
