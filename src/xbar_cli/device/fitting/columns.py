"""The columns of a CSV of measured devices: what each is, and its unit, from the words of its head."""

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted, read_text
from xbar_cli.tables import check_point, header_cells, row_cells

CONDUCTANCES = {"S": 1.0, "s": 1.0, "siemens": 1.0, "mS": 1e-3, "ms": 1e-3, "millisiemens": 1e-3, "uS": 1e-6, "us": 1e-6,
                "\u03bcS": 1e-6, "microsiemens": 1e-6, "nS": 1e-9, "ns": 1e-9, "nanosiemens": 1e-9}  # fmt: skip
RESISTANCES = {"ohm": 1.0, "Ohm": 1.0, "\u03a9": 1.0, "kohm": 1e3, "kOhm": 1e3, "k\u03a9": 1e3, "Mohm": 1e6, "MOhm": 1e6,
               "M\u03a9": 1e6}  # fmt: skip
COLUMNS = ("target_siemens", "measured_siemens")
DEVICE = ("device", "device_id")
"""Heads of a column that says which device a line is of."""
_HEAD = re.compile(r"(target|measured|conductance)[\s_]*[\[(]?\s*(\w+)\s*[\])]?")


@dataclass(frozen=True)
class MeasuredTable:
    """The cells of a CSV, each line with where it stands.

    Attributes:
        where: the first line, as `file:line`.
        header: its names.
        lines: those below, each with `file:line`.
    """

    where: str
    header: list[str]
    lines: list[tuple[str, list[str]]]

    def text(self, line: int, place: int) -> str:
        """A cell; ConfigError where it is empty or not there."""
        where, cells = self.lines[line]
        if place >= len(cells) or not cells[place].strip():
            raise ConfigError(f"{where}: no value of {self.header[place]}")
        return cells[place].strip()

    def number(self, line: int, place: int) -> float:
        """A cell that is a number; else ConfigError."""
        text, where = self.text(line, place), self.lines[line][0]
        check_point(where, text)
        try:
            return float(text)
        except ValueError:
            raise ConfigError(f"{where}: {self.header[place]} is {quoted(text)}, not a number") from None

    def siemens(self, found: "MeasuredColumn") -> np.ndarray:
        """A column of conductances or resistances as conductances [S]."""
        numbers = range(len(self.lines))
        return np.array([found.siemens(self.lines[n][0], self.number(n, found.place)) for n in numbers], np.float64)

    def named(self, place: int) -> tuple[list[str], Int[np.ndarray, " lines"]]:
        """The names in a column, ascending, and which of them stands in each line."""
        names, which = np.unique([self.text(n, place) for n in range(len(self.lines))], return_inverse=True)
        return names.tolist(), which


def read_table(path: Path, *, wanted: str) -> MeasuredTable:
    """Read a CSV whose first line names its columns. Empty lines and lines that begin with # are skipped.

    ConfigError for a file that is none, or that holds nothing; it says then what is `wanted` of the first line.
    """
    rows = [(n, line) for n, line in enumerate(read_text(path).splitlines(), start=1)]
    rows = [(n, line) for n, line in rows if line.strip() and not line.lstrip().startswith("#")]
    if not rows:
        raise ConfigError(f"{path}: holds no measurements; the first line must name {wanted}")
    where = f"{path}:{rows[0][0]}"
    header = header_cells(where, rows[0][1])
    lines = [(f"{path}:{n}", row_cells(f"{path}:{n}", line, columns=len(header))) for n, line in rows[1:]]
    if not lines:
        raise ConfigError(f"{where}: holds no measurements below its first line")
    return MeasuredTable(where, header, lines)


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
    """The column of a `kind`, such as target or measured, among the heads of a table: `target_siemens`, `measured [kΩ]`.

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
    wanted = COLUMNS if f"{kind}_siemens" in COLUMNS else (f"{kind}_siemens",)
    raise ConfigError(
        f"{where}: no column {kind}_siemens; the first line must name {', '.join(wanted)}, or the same in another unit, "
        f"such as {wanted[0].replace('siemens', 'uS')} or {wanted[-1].replace('siemens', 'kohm')}"
    )


def device_place(header: Sequence[str]) -> int | None:
    """The number of the column that says which device a line is of; None without one."""
    return next((place for place, name in enumerate(header) if name.strip() in DEVICE), None)
