"""What the commands print: one JSON object, or Rich tables on stdout; progress and notes on stderr."""

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from xbar_cli.outside import cut

STDERR = Console(stderr=True, highlight=False)
HEADS = {
    "energy_joule": "energy [J]", "accuracy_std": "std", "train_seed": "train seed", "area_m2": "area [m²]",
    "latency_seconds": "latency [s]",
}  # fmt: skip
"""Heads of columns of figures that say more than their keys."""
WIDE = 1000
"""Characters of a line that has no end."""


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: NumPy scalars and arrays become Python's, NaN and infinities become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def print_json(summary: Mapping[str, Any]) -> None:
    """Print exactly one JSON object on stdout."""
    sys.stdout.write(json.dumps(plain(summary), allow_nan=False) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print one table on stdout; every cell is shown as its string, None as a dash. Columns of figures stand right."""
    cells = [[shown(cell) for cell in row] for row in rows]
    table = Table(header_style="bold", show_header=any(columns))
    for index, column in enumerate(columns):
        figures = index > 0 and all(row[index] == "–" or _is_figure(row[index]) for row in cells)
        table.add_column(Text(column), justify="right" if figures else "left", overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    console = Console(highlight=False, width=None if _has_width() else WIDE)
    console.print(Text(title, style="italic"))
    console.print(table)


def print_fitting(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, least: Sequence[str] = (), hint: str = "",
    longest: int | None = None,
) -> None:  # fmt: skip
    """Print a table without its empty columns, and without those that the terminal has no room for, which it names below.

    `least` are columns that are wanted before others; `hint` is what else shows those that are left out; cells but for the first
    are cut where lines have an end, at 80 columns to the `longest`, and to more of wider ones.
    """
    if longest is not None and _has_width():
        longest = longest * max(80, Console().width) // 80
        rows = [[row[0], *(cut(c, longest) if isinstance(c, str) else c for c in row[1:])] for row in rows]
    full = [n for n in range(len(columns)) if n == 0 or any(row[n] not in (None, "") for row in rows)]
    columns, rows = [columns[n] for n in full], [[row[n] for n in full] for row in rows]
    kept = fitting(columns, rows, least=least)
    print_table(title, [columns[n] for n in kept], [[row[n] for n in kept] for row in rows])
    if left := [columns[n] for n in range(len(columns)) if n not in kept]:
        say(f"no room for {', '.join(left)}" + (f" ({hint})" if hint else ""))


def _has_width() -> bool:
    """Whether lines have an end: in a file or a pipe they have none, unless it is given."""
    return Console().is_terminal or "COLUMNS" in os.environ


def _is_figure(cell: str) -> bool:
    return cell.lstrip("+-−±<>≤≥~ ")[:1].isdigit()


def shown(cell: object) -> str:
    """A cell of a table."""
    return "–" if cell is None else str(cell)


def fitting(columns: Sequence[str], rows: Sequence[Sequence[object]], *, least: Sequence[str]) -> list[int]:
    """The columns that fit without breaking a cell: the first, those of `least` wanted, then those that differ most.

    Where stdout is no terminal all are.
    """
    if not _has_width():
        return list(range(len(columns)))
    console = Console()
    widths = [max(len(name), *(len(shown(row[n])) for row in rows)) + 3 for n, name in enumerate(columns)]
    room, chosen = console.width - 1 - widths[0], [0]
    kinds = [len({shown(row[n]) for row in rows}) for n in range(len(columns))]  # what tells rows apart is wanted first
    for n in sorted(range(1, len(columns)), key=lambda n: (columns[n] not in least, -kinds[n], n)):
        if widths[n] <= room:
            chosen.append(n)
            room -= widths[n]
    return sorted(chosen)


def note(message: str) -> None:
    """Say something on stderr, so that stdout stays machine-readable."""
    say(message, console=STDERR)


def say(message: str, *, console: Console | None = None) -> None:
    """A line of text, on stdout if on no other console; a terminal has it broken between words where it is longer."""
    console = console or Console()
    console.print(message, markup=False, highlight=False, soft_wrap=not console.is_terminal)
