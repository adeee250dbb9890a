"""What points of a sweep are called: by the swept keys, as short as tells them apart, and their values."""

from collections.abc import Mapping, Sequence
from typing import Any

from xbar_cli.config.load import EFFECTS
from xbar_cli.experiment.file import label
from xbar_cli.outside import cut

UNIT_WORDS = ("ohm", "volt", "siemens", "joule", "m2", "m", "nm", "seconds", "celsius", "ampere", "watt", "farad")
"""Last words of keys that are units, and are left out."""
LONGEST_VALUE = 40
"""Characters of a value in a name."""


PLAIN_WORDS = ("model", "name", "run", "amount")
"""Last parts of keys that say less than the part before: `array` of `array.model`."""


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Each dotted key by the shortest end of it that no other one has, without its unit: `r_wire` of `…r_wire_ohm`.

    A parameter of an effect keeps the effect's name: `drift.t`.
    """
    found = {key: _shortest(key, keys) for key in keys}
    names = list(found.values())
    return {key: _end(key, 2) if names.count(name) > 1 else name for key, name in found.items()}


def telling(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """The swept keys that tell points apart: of those that differ in their stage alone, and never in value, the first.

    So of the seeds of three stages that are swept together there is one.
    """
    kept: list[str] = []
    for key in dict.fromkeys(key for values in points for key in values):
        own = key.partition(".")[2]
        alike = (k for k in kept if k.partition(".")[2] == own)
        if not any(all(values.get(k) == values.get(key) for values in points) for k in alike):
            kept.append(key)
    return kept


def _end(key: str, count: int) -> str:
    return ".".join(key.split(".")[-count:])


def _shortest(key: str, keys: Sequence[str]) -> str:
    """The shortest name of one of the keys."""
    parts = key.split(".")
    if parts[-1] in PLAIN_WORDS and len(parts) > 2 and EFFECTS not in parts:
        return parts[-2]
    for count in range(2 if EFFECTS in parts[:-2] else 1, len(parts)):
        end = _end(key, count)
        if sum(f".{other}".endswith(f".{end}") for other in keys) == 1:
            return _bare(end)
    return key


def _bare(name: str) -> str:
    """A name without its unit."""
    stem, _, unit = name.rpartition("_")
    return stem if stem and unit in UNIT_WORDS else name


def short_name(values: Mapping[str, Any], *, names: Mapping[str, str] | None = None) -> str:
    """`r_wire=1, tile=64x64`: the values of a point, those that have names; empty without any."""
    names = names or short_names(list(values))
    return ", ".join(f"{names[key]}={cut(said(value), LONGEST_VALUE)}" for key, value in values.items() if key in names)


def said(value: Any) -> str:
    """A swept value as names and tables have it: of a list what is in it."""
    return ", ".join(map(str, value)) if value and isinstance(value, list | tuple) else label(value)
