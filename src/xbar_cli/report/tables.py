"""Tables of a report: texts from values, what rows share said once, CSV and Markdown."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xbar_cli.config.load import flatten
from xbar_cli.runs.listing import KEYS

MAX_ROWS = 1000
"""Longest table of a page; of longer ones every nth row is shown."""
HEADLINES = (
    "accuracy_mean",
    "accuracy_std",
    "accuracy_ci95_low",
    "accuracy_ci95_high",
    "test_accuracy",
    "metric",
    "metric_value",
    "energy_joule",
)
"""Figures that stand first in a table."""
MANY = 12
"""Columns that a page has room for."""
FEW = 4
"""Rows of a table that may stand upright."""
SHORT = 12
"""Longest list that is written out."""


@dataclass(frozen=True)
class Table:
    """A table of texts and numbers; `folded` ones open when asked."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    folded: bool = False
    note: str = ""


def pairs(tree: Any) -> list[tuple[str, str]]:
    """Nested tables as rows of dotted key and value."""
    return [(key, text(value)) for key, value in flatten(tree)] if isinstance(tree, Mapping) else [("", text(tree))]


def tables_within(name: str, tree: Mapping[str, Any]) -> list[Table]:
    """The tables in a nested part of a summary."""
    rows = [{"": key, **value} for key, value in tree.items() if isinstance(value, Mapping) and not _nested(value)]
    deeper = [(key, value) for key, value in tree.items() if isinstance(value, Mapping) and _nested(value)]
    leaves = [(key, text(value)) for key, value in tree.items() if not isinstance(value, Mapping)]
    tables = [Table(name, ["", "value"], leaves)] if leaves else []
    tables += [records(name, rows)] if rows else []
    return tables + [table for key, value in deeper for table in tables_within(f"{name}: {key}", value)]


def _nested(tree: Mapping[str, Any]) -> bool:
    return any(isinstance(value, Mapping) for value in tree.values())


def records(title: str, items: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each mapping."""
    head = list(dict.fromkeys(key for item in items for key in item))
    return shortened(Table(title.replace("_", " "), head, [[text(item.get(key)) for key in head] for item in items]))


def comparing(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """A table of what differs between its rows, headline figures first; what they share stands below it."""
    texts = [[text(value) for value in row] for row in rows]
    same = [i for i in range(len(head)) if len(rows) > 1 and len({row[i] for row in texts}) == 1]
    kept = [i for i in range(len(head)) if i not in same]
    kept.sort(
        key=lambda i: (
            (HEADLINES.index(head[i]) if head[i] in HEADLINES else len(HEADLINES)) if i >= _swept(head) else -1
        )
    )
    table = shortened(Table(title, [head[i] for i in kept], [[row[i] for i in kept] for row in texts]))
    shared = ", ".join(f"{head[i]} {texts[0][i]}" for i in same if texts[0][i] != "–")
    notes = [note for note in (table.note, f"the same in all: {shared}" if shared else "") if note]
    return Table(title, table.head, table.rows, note="; ".join(notes))


def by_command(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Table]:
    """A table for the runs of each command, without what none of them has; of many runs the headline figures alone."""
    at = list(head).index("command")
    tables: list[Table] = []
    for command in dict.fromkeys(row[at] for row in rows):
        own = [row for row in rows if row[at] == command]
        full = [i for i in range(len(head)) if i != at and any(row[i] is not None for row in own)]
        found = comparing(str(command), [head[i] for i in full], [[row[i] for i in full] for row in own])
        tables.append(headlines(upright(found) if found.head[0] == "run" else found))
    return tables


def headlines(table: Table) -> Table:
    """A table that is not upright with its keys and the headline figures, where it has many columns."""
    if table.head[:1] == ["figure"] or len(table.head) <= MANY:
        return table
    kept = [i for i, name in enumerate(table.head) if i < _swept(table.head) or name in HEADLINES]
    rows = [[row[i] for i in kept] for row in table.rows]
    return Table(table.title, [table.head[i] for i in kept], rows, folded=table.folded, note=table.note)


def upright(table: Table) -> Table:
    """A table of few rows and many columns stands upright: a column for each row, named by its first cell."""
    if len(table.rows) > FEW or len(table.head) < len(table.rows) + FEW:
        return table
    head = ["figure", *(str(row[0]) for row in table.rows)]
    rows = [[name, *(row[i] for row in table.rows)] for i, name in enumerate(table.head) if i]
    return Table(table.title, head, rows, folded=table.folded, note=table.note)


def _swept(head: Sequence[str]) -> int:
    """How many columns at the head of a table name a run or a point rather than a figure."""
    return next(
        (i for i, name in enumerate(head) if "." not in name and name not in ("run", "command", *KEYS)), len(head)
    )


def shortened(table: Table) -> Table:
    """At most MAX_ROWS rows: every nth, and the last."""
    count = len(table.rows)
    if count <= MAX_ROWS:
        return table
    step = math.ceil(count / (MAX_ROWS - 1))
    rows = [*table.rows[::step], *([table.rows[-1]] if (count - 1) % step else [])]
    return Table(table.title, table.head, rows, folded=table.folded, note=f"every {step}th of {count} rows")


def text(value: Any) -> str:
    """A value as a page shows it: numbers to six digits, long lists as their ends and mean."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        numbers = [v for v in value if isinstance(v, (int, float)) and not isinstance(v, bool)]
        if len(value) > SHORT and len(numbers) == len(value):
            return (
                f"{len(value)} values, {min(numbers):.6g} … {max(numbers):.6g}, mean {sum(numbers) / len(numbers):.6g}"
            )
        return ", ".join(text(item) for item in value)
    return str(value)


def as_csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The table as CSV, numbers in full, what is missing empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_full(value) for value in row] for row in rows)
    return buffer.getvalue()


def _full(value: Any) -> Any:
    return "" if value is None or (isinstance(value, float) and not math.isfinite(value)) else value


def in_markdown(tables: Sequence[Table]) -> str:
    """Tables as Markdown, each under its title."""
    parts = (f"## {table.title}\n\n{as_markdown(table.head, table.rows)}\n{table.note}".rstrip() for table in tables)
    return "\n\n".join(parts) + "\n"


def as_markdown(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The table as Markdown."""
    lines = [head, ["---"] * len(head), *([text(value) for value in row] for row in rows)]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)
