"""Lines of tables written by hand or by a spreadsheet: what is wrong with separators, in one line."""

import csv
import re

from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted

LONGEST_LINE = 100_000
"""Characters of a line."""
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")


def header_cells(where: str, line: str) -> list[str]:
    """The cells of a first line, which names columns between commas; ConfigError, `where` first, for other separators."""
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if mark in line and "," not in line:
            raise ConfigError(f"{where}: columns are separated by {name}; separate them by commas, with decimal points")
    return cells_of(where, line)


def cells_of(where: str, line: str) -> list[str]:
    """The cells of a line between commas; ConfigError, beginning with `where`, for no line of such a table."""
    if len(line) > LONGEST_LINE:
        raise ConfigError(f"{where}: the line has {len(line)} characters; at most {LONGEST_LINE} are read")
    try:
        return [cell.strip() for cell in next(csv.reader([line]), [])]
    except csv.Error as error:
        raise ConfigError(f"{where}: no line of a table ({error})") from None


def row_cells(where: str, line: str, *, columns: int) -> list[str]:
    """The cells of a line below, empty ones behind left out; ConfigError for semicolons, or more cells than columns."""
    cells = cells_of(where, line)
    if ";" in line and len(cells) != columns:
        raise ConfigError(
            f"{where}: {quoted(line.strip())} has semicolons; separate columns by commas, with decimal points"
        )
    while len(cells) > columns and not cells[-1]:
        del cells[-1]
    if len(cells) > columns:
        raise ConfigError(
            f"{where}: {len(cells)} values in {columns} columns; if commas are decimal points here, write points"
        )
    return cells


def check_point(where: str, cell: str) -> None:
    """Raise ConfigError for a number with a decimal comma; `where` begins the message."""
    if _DECIMAL_COMMA.fullmatch(cell.strip()):
        raise ConfigError(
            f"{where}: {quoted(cell.strip())} has a decimal comma; write {quoted(cell.strip().replace(',', '.'))[1:-1]}"
        )
