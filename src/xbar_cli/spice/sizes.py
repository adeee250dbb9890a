"""The sizes of transistors that a card is for: lmin, lmax, wmin and wmax of its models."""

import math
import re
from dataclasses import dataclass

SCALES = {"t": 1e12, "g": 1e9, "meg": 1e6, "k": 1e3, "mil": 25.4e-6, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15,
          "a": 1e-18, "": 1.0}  # fmt: skip
"""SPICE's scale factors; letters after one are a unit."""
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(meg|mil|[tgkmunpfa]|)[a-z]*")


def spice_number(text: str) -> float | None:
    """A number as SPICE reads it (`45n`, `0.18um`, `1meg`); None where it is an expression."""
    found = _NUMBER.fullmatch(text.lower())
    return None if found is None else float(found[1]) * SCALES[found[2]]


@dataclass(frozen=True)
class Size:
    """Lengths and widths that a model is for [m], ends included; a bin's upper ends are the next one's."""

    length: tuple[float, float]
    width: tuple[float, float]

    def holds(self, *, width_m: float, length_m: float) -> bool:
        """Whether a transistor lies within; ends to rounding."""
        pairs = ((self.length, length_m), (self.width, width_m))
        return all(low * (1 - 1e-9) <= value <= high * (1 + 1e-9) for (low, high), value in pairs)

    def __str__(self) -> str:
        return " and ".join(f"{name} {_span(ends)}" for name, ends in (("L", self.length), ("W", self.width)))


def _span(ends: tuple[float, float]) -> str:
    low, high = (f"{end * 1e9:.6g}" for end in ends)
    return f"{low} … {high} nm" if math.isfinite(ends[1]) else f"from {low} nm"


def model_size(text: str) -> Size:
    """The geometry that the .model line `text` is for; ends that it does not give as a number are open."""

    def end(name: str, default: float) -> float:
        found = re.search(rf"\b{name}\s*=\s*([^\s)]+)", text, re.IGNORECASE)
        value = None if found is None else spice_number(found[1])
        return default if value is None else value

    return Size((end("lmin", 0.0), end("lmax", math.inf)), (end("wmin", 0.0), end("wmax", math.inf)))
