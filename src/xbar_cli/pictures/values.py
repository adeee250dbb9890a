"""What the values along an axis are: numbers or names, how they are spaced, how they are written."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xbar_cli.config.chips.ageing import time_of
from xbar_cli.figures.labels import Label, label_of_key, prefixed, safe

Spacing = Literal["linear", "log", "broken", "names"]
"""`broken`: logarithmic, with 0 drawn apart at the left; `names`: places beside each other."""
MOST_TICKS = 8
"""Values that are ticks of their own."""
LETTER_SHARE = 0.028
"""Width of a letter of a tick, as a share of an axis."""
GEOMETRIC_RATIO, DECADE = 4.0, 10.0
"""Largest over smallest from which an exactly, or a roughly, geometric list is drawn logarithmically."""
UNEVEN = 0.4
"""Spread of the steps of the logarithms, over their mean, up to which a list is roughly geometric."""
BROKEN_RATIO = 30.0
"""The same of a list with 0 in it: below, a linear axis shows all of it."""
CLOCK = {"y": 365.25 * 86400.0, "d": 86400.0, "h": 3600.0, "min": 60.0}
"""Units of time [s]."""
_SIZE = re.compile(r"(\d+)x(\d+)")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.%])")
_PARAMETER = re.compile(r"(?:(\w+):[^:]*?)?(\w+)=$")


@dataclass(frozen=True)
class Along:
    """An axis as it is drawn.

    Attributes:
        label: what stands on it, with the unit that `places` are in.
        scale: how places are spaced.
        places: of the positions, in the order of `order`; 0, 1, … for names.
        names: of the positions, as ticks and legends write them, in the same order.
        order: the positions of the sweep from left to right.
        whole: whether all places are whole numbers.
        ranked: whether names have an order of their own, as sizes have.
    """

    label: Label
    scale: Spacing
    places: tuple[float, ...]
    names: tuple[str, ...]
    order: tuple[int, ...]
    whole: bool
    ranked: bool

    @property
    def numeric(self) -> bool:
        """Whether places are values."""
        return self.scale != "names"

    @property
    def seen(self) -> tuple[float, ...]:
        """Places as the eye has them: logarithms where they are drawn so, 0 of a broken axis one step left of the smallest."""
        if self.scale not in ("log", "broken"):
            return self.places
        logs = [math.log10(place) for place in self.places if place > 0]
        step = max(0.35, 0.12 * (logs[-1] - logs[0]))
        return (*[logs[0] - step] * (len(self.places) - len(logs)), *logs)

    @property
    def ticks(self) -> tuple[int, ...]:
        """The positions that are ticks of their own; none where round numbers serve better.

        Names all are. Numbers are where they are few and have room; times, and places of a broken axis, as far as they have it.
        """
        count = len(self.places)
        if self.scale == "names":
            return tuple(range(count))
        room = (LETTER_SHARE * max(len(name) for name in self.names) + 0.02) * (self.seen[-1] - self.seen[0])
        kept = [count - 1]
        for at in range(count - 2, -1, -1):
            if self.seen[kept[-1]] - self.seen[at] >= room:
                kept.append(at)
        if self.scale == "broken" or self.label.clock:
            return tuple(sorted({*kept, 0} if self.scale == "broken" else kept))
        return tuple(sorted(kept)) if len(kept) == count <= MOST_TICKS else ()


def along(key: str, values: NDArray[Any], *, unit: str = "1") -> Along:
    """The axis that a swept key makes; seeds are names."""
    if key.rpartition(".")[2] == "seed":
        return _names(label_of_key(key), [str(value) for value in values], order=range(len(values)), ranked=False)
    if values.dtype.kind in "iuf":
        return _numbers(label_of_key(key, unit=unit), np.asarray(values, np.float64))
    texts = [str(value) for value in values]
    label = label_of_key(key, unit=unit)
    if all(_SIZE.fullmatch(text) for text in texts):
        ranked = sorted(range(len(texts)), key=lambda i: tuple(map(int, texts[i].split("x"))))
        return _names(label, [texts[i] for i in ranked], order=ranked, ranked=True)
    times = clock_times(texts) if label.clock else None
    if times is not None:
        return _numbers(label, times)
    found = one_number(texts)
    if found is not None:
        parameter, numbers = found
        return _numbers(label_of_key(parameter) if parameter else label, numbers)
    return _names(label, texts, order=range(len(texts)), ranked=False)


def together(keys: Sequence[str], values: Sequence[NDArray[Any]], units: Sequence[str]) -> Along:
    """The axis of keys that vary together: of the first where that tells all positions apart, else named by others too."""
    texts = [
        [written(float(value)) if own.dtype.kind in "iuf" else plain_text(str(value)) for value in own]
        for own in values
    ]
    taken = [0]
    told = len(set(texts[0]))
    for at in range(1, len(keys)):
        more = len(set(zip(*(texts[i] for i in (*taken, at)), strict=True)))
        if more > told:
            taken, told = [*taken, at], more
    if len(taken) == 1:
        return along(keys[0], values[0], unit=units[0])
    words = dict.fromkeys(label_of_key(keys[at]).words for at in taken)
    names = ["; ".join(row) for row in zip(*(texts[at] for at in taken), strict=True)]
    return _names(Label(", ".join(words)), names, order=range(len(names)), ranked=False)


def one_number(texts: Sequence[str]) -> tuple[str, NDArray[np.float64]] | None:
    """Where texts differ in one number alone: the parameter that it is (`stuck.on`), and the numbers; else None.

    The number may stand at several places of a text: `stuck:on=0.1,off=0.1` is `stuck.on=off`.
    """
    if len(set(texts)) < 2 or len({_NUMBER.sub("#", text) for text in texts}) != 1:
        return None
    rows = [_NUMBER.findall(text) for text in texts]
    varied = [at for at in range(len(rows[0])) if len({row[at] for row in rows}) > 1]
    if not varied or any(len({row[at] for at in varied}) > 1 for row in rows):
        return None
    places = list(_NUMBER.finditer(texts[0]))
    named = [_PARAMETER.search(texts[0][: places[at].start()]) for at in varied]
    model = next((part[1] for part in named if part and part[1]), None)
    names = "=".join(part[2] for part in named if part)
    numbers = np.asarray([float(row[varied[0]]) for row in rows])
    return f"{model}.{names}" if model else names, numbers


def clock_times(texts: Sequence[str]) -> NDArray[np.float64] | None:
    """Times such as `1h` and `30d` [s]; None where a text is none, or they are not all apart."""
    try:
        times = np.asarray([time_of(text) for text in texts])
    except ValueError:
        return None
    return times if len(np.unique(times)) == len(texts) else None


def _numbers(label: Label, values: NDArray[np.float64]) -> Along:
    order = np.argsort(values, kind="stable")
    shown = prefixed(label, float(np.max(np.abs(values), initial=0.0)) * label.factor)
    places = values[order] * shown.factor
    whole = bool(np.all(np.abs(places - np.round(places)) < 1e-9))
    names = tuple((written_time if shown.clock else written)(place) for place in places)
    return Along(shown, scale_of(places), tuple(places.tolist()), names, tuple(order.tolist()), whole, True)


def _names(label: Label, texts: Sequence[str], *, order: Sequence[int], ranked: bool) -> Along:
    names = tuple(safe(plain_text(text)) for text in texts)
    return Along(label, "names", tuple(map(float, range(len(texts)))), names, tuple(order), True, ranked)


def plain_text(text: str) -> str:
    """A swept text for a reader: a list of effects without its brackets, sizes with a cross, a stage without its @."""
    if text[:1] == "[":
        try:
            items = json.loads(text)
        except ValueError:
            return text
        return ", ".join(str(item) for item in items) or "none"
    return text.replace("x", "×") if _SIZE.fullmatch(text) else text.removeprefix("@")


def written(value: float) -> str:
    """A number as ticks and legends have it: whole, or of four digits, or rounded to three."""
    rounded = float(f"{value:.6g}")
    if rounded != 0 and not 1e-4 <= abs(rounded) < 1e6:
        return _powered(rounded)
    exact = rounded == round(rounded) or rounded == float(f"{rounded:.4g}")
    return f"{rounded:.6g}" if exact else f"{rounded:.3g}"


def written_time(seconds: float) -> str:
    """A time in the largest unit that it is a whole or half number of; else in seconds."""
    for unit, length in CLOCK.items():
        count = seconds / length
        if count >= 1 and abs(2 * count - round(2 * count)) < 1e-3:
            return f"{round(2 * count) / 2:g} {unit}"
    return f"{written(seconds)} s"


def _powered(value: float) -> str:
    """A very small or large number with a power of ten."""
    digits, _, exponent = f"{value:.3e}".partition("e")
    digits = digits.rstrip("0").rstrip(".")
    power = rf"10^{{{int(exponent)}}}"
    return f"${power}$" if digits == "1" else rf"${digits}\times {power}$"


def scale_of(values: Sequence[float] | NDArray[np.float64]) -> Spacing:
    """How numbers are spaced best: logarithmically where their list is geometric, with 0 apart where it has one.

    A list with 0 stays linear unless it spans so much that its first values would lie on each other.
    """
    found = np.unique(np.asarray(values, np.float64))
    positive = found[found > 0]
    if np.any(found < 0) or len(positive) < 3:
        return "linear"
    ratio = positive[-1] / positive[0]
    logs, steps = np.diff(np.log(positive)), np.diff(positive)
    uneven = (float(np.std(part) / np.mean(part)) for part in (logs, steps))
    even, linear = next(uneven), next(uneven)
    if len(positive) < len(found):
        return "broken" if ratio >= BROKEN_RATIO and even < linear else "linear"
    exact = even < 0.05 and ratio >= GEOMETRIC_RATIO
    return "log" if exact or (ratio >= DECADE and even < min(linear, UNEVEN)) else "linear"
