"""A table in CSV: rows of numbers, and the columns that hold what is asked for."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xbar_cli.data.own.raw import Ingest, Raw, Rows
from xbar_cli.errors import DataError
from xbar_cli.outside import MEGABYTE, quoted, read_text

MOST_BYTES = 512 * MEGABYTE
DELIMITERS = ",;\t"


def read_table(file: Path, wanted: Ingest) -> Raw:
    """The rows of a CSV file (separated by commas, semicolons or tabs).

    Raises:
        DataError: rows of other lengths, a column that is not there, text or nothing where a number should be.
    """
    names, rows, first = _rows(file, header=wanted.header)
    labels = [_column(file, names, label) for label in wanted.label] or [len(names) - 1]
    inputs = [_column(file, names, column) for column in wanted.columns] or [
        k for k in range(len(names)) if k not in labels
    ]
    if both := set(inputs) & set(labels):
        raise DataError(f"{file}: column {quoted(names[both.pop()])} is among `columns` and is `label` too")
    if not inputs:
        raise DataError(f"{file}: no column is left for the inputs besides {quoted(names[labels[0]])}")
    x = _numbers(file, names, rows, inputs, first)
    facts = {"columns": [names[k] for k in inputs], "label": [names[k] for k in labels]}
    numeric = wanted.task == "regression" or (wanted.task is None and len(labels) > 1)
    if numeric:
        return Raw(Rows(x, _numbers(file, names, rows, labels, first)), None, facts=facts)
    if len(labels) > 1:
        raise DataError(f"{file}: task {wanted.task} of a table has one column `label`, got {len(labels)}")
    texts = [row[labels[0]].strip() for row in rows]
    for number, text in enumerate(texts):
        if not text:
            raise DataError(f"{file} line {first + number}, column {quoted(names[labels[0]])} (label): empty")
    if wanted.task is None and len(set(texts)) > max(20, len(rows) // 2) and all(map(_is_number, texts)):
        raise DataError(
            f"{file}: column {quoted(names[labels[0]])} has {len(set(texts))} different numbers in {len(rows)} rows: "
            "give task = regression, or task = classification"
        )
    return Raw(Rows(x, np.asarray(texts)), None, named=True, facts=facts)


def _rows(file: Path, *, header: bool) -> tuple[list[str], list[list[str]], int]:
    """Names of the columns, the rows, and the line of the first row."""
    text = read_text(file, most=MOST_BYTES)
    first = text.split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=first.count)
    try:
        found = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise DataError(f"{file}: not CSV ({error})") from None
    while found and not any(map(str.strip, found[-1])):
        found.pop()
    names = [name.strip() for name in found[0]] if found and header else []
    rows = found[1:] if header else found
    if not rows:
        raise DataError(f"{file}: no rows{' below the header' if header else ''}")
    names = names or [str(k + 1) for k in range(len(rows[0]))]
    start = 2 if header else 1
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise DataError(f"{file} line {start + number}: {len(row)} fields; {len(names)} are wanted, as in line 1")
    if header and all(map(_is_number, names)):
        raise DataError(f"{file}: line 1 holds numbers, not names of columns; give header = false")
    return names, rows, start


def _column(file: Path, names: Sequence[str], asked: str) -> int:
    """The place of a column by its name, or by its number from 1."""
    if asked in names:
        if names.count(asked) > 1:
            raise DataError(f"{file}: several columns are called {quoted(asked)}; give the column's number")
        return names.index(asked)
    if asked.isdecimal() and 1 <= int(asked) <= len(names):
        return int(asked) - 1
    raise DataError(f"{file}: no column {quoted(asked)}; there are {quoted(', '.join(names))}, numbered from 1")


def _numbers(
    file: Path, names: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[int], first: int
) -> np.ndarray:
    """Columns as float32 [rows columns]."""
    try:
        return np.asarray([[float(row[k]) for k in columns] for row in rows], np.float32)
    except ValueError:
        for number, row in enumerate(rows):
            for k in columns:
                if not _is_number(row[k]):
                    what = f"{quoted(row[k])} is no number" if row[k].strip() else "empty"
                    raise DataError(
                        f"{file} line {first + number}, column {quoted(names[k])}: {what}; inputs are numbers (`columns` "
                        "chooses them), text can be the label"
                    ) from None
        raise


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
