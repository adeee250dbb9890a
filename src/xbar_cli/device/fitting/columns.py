"""The columns of a CSV of measured devices: what each is, and its unit, from the words of its head."""

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted

CONDUCTANCES = {"S": 1.0, "s": 1.0, "siemens": 1.0, "mS": 1e-3, "ms": 1e-3, "millisiemens": 1e-3, "uS": 1e-6, "us": 1e-6,
                "\u03bcS": 1e-6, "microsiemens": 1e-6, "nS": 1e-9, "ns": 1e-9, "nanosiemens": 1e-9}  # fmt: skip
RESISTANCES = {"ohm": 1.0, "Ohm": 1.0, "\u03a9": 1.0, "kohm": 1e3, "kOhm": 1e3, "k\u03a9": 1e3, "Mohm": 1e6, "MOhm": 1e6,
               "M\u03a9": 1e6}  # fmt: skip
COLUMNS = ("target_siemens", "measured_siemens")
DEVICE = ("device", "device_id")
"""Heads of a column that says which device a line is of."""
_HEAD = re.compile(r"(target|measured)[\s_]*[\[(]?\s*(\w+)\s*[\])]?")


@dataclass(frozen=True)
class MeasuredColumn:
    """A column of conductances or resistances.

    Attributes:
        name: its head.
        place: its number.
        factor: from its numbers to siemens, or to ohm where it `inverts`.
        inverts: whether it holds resistances.
    """

    name: str
    place: int
    factor: float
    inverts: bool

    def siemens(self, where: str, value: float) -> float:
        """A number of the column as a conductance [S]; ConfigError, `where` first, for one that is none."""
        if math.isnan(value) or (math.isinf(value) and not (self.inverts and value > 0)):
            raise ConfigError(f"{where}: {self.name} is {value}, not a finite conductance")
        if not self.inverts:
            return value * self.factor
        if value == 0:
            raise ConfigError(f"{where}: {self.name} is 0: a resistance of 0 has no conductance")
        return 1 / (value * self.factor)


def column(header: Sequence[str], kind: str, *, where: str) -> MeasuredColumn:
    """The column of a `kind`, target or measured, among the heads of a table: `target_siemens`, `target_uS`, `measured [kΩ]`.

    ConfigError, `where` first, where there is none, or its unit is not known.
    """
    for place, name in enumerate(header):
        found = _HEAD.fullmatch(name.strip())
        if found is None or found[1] != kind:
            continue
        unit = unicodedata.normalize("NFKC", found[2])  # of the two signs that there are for micro and ohm, one
        if unit in CONDUCTANCES or unit in RESISTANCES:
            inverts = unit in RESISTANCES
            return MeasuredColumn(name, place, (RESISTANCES if inverts else CONDUCTANCES)[unit], inverts)
        raise ConfigError(f"{where}: {quoted(name)}: {quoted(unit)} is no unit; write S, mS, uS, nS, ohm, kohm or Mohm")
    raise ConfigError(
        f"{where}: no column {kind}_siemens; the first line must name {', '.join(COLUMNS)}, or the same in another unit, "
        "such as target_uS or measured_kohm"
    )


def device_place(header: Sequence[str]) -> int | None:
    """The number of the column that says which device a line is of; None without one."""
    return next((place for place, name in enumerate(header) if name.strip() in DEVICE), None)
