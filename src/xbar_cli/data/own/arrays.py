"""Arrays of a NumPy archive, and the sequences of a text."""

import zipfile
from pathlib import Path

import numpy as np

from xbar_cli.data.npz import DAMAGED, member
from xbar_cli.data.own.raw import LARGEST_BYTES, Ingest, Raw, Rows
from xbar_cli.errors import DataError
from xbar_cli.outside import quoted, read_text, require_file

WHOLE, SPLIT = ("x", "y"), ("x_train", "y_train", "x_test", "y_test")
DEFAULT_LENGTH = 64
MOST_CHARACTERS = 1024
"""Different characters of a text: a vocabulary of more is none of characters."""


def read_npz(file: Path, wanted: Ingest) -> Raw:
    """`x` and `y`, or `x_train`, `y_train`, `x_test`, `y_test`. Nothing is unpickled.

    Raises:
        DataError: no NumPy archive, other arrays, or pickled objects.
    """
    require_file(file, most=LARGEST_BYTES)
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST_BYTES:
            raise DataError(f"{file}: unpacks to {size} bytes; at most {LARGEST_BYTES} are read")
        with np.load(file, allow_pickle=False) as stored:
            names = set(stored.files)
            known = {name: _array(file, stored, name) for name in (*WHOLE, *SPLIT) if name in names}
    except DAMAGED as error:
        raise DataError(f"{file}: no NumPy archive (.npz), or a damaged one ({quoted(str(error))})") from None
    labelled = wanted.task != "next_token"
    if "x_train" in names or "x_test" in names:
        needed = [name for name in SPLIT if labelled or name.startswith("x")]
        _require(file, names, needed)
        train, test = (Rows(known[f"x_{part}"], known.get(f"y_{part}")) for part in ("train", "test"))
        return Raw(train, test)
    _require(file, names, ["x", "y"] if labelled else ["x"])
    return Raw(Rows(known["x"], known.get("y")), None)


def _require(file: Path, names: set[str], needed: list[str]) -> None:
    if missing := [name for name in needed if name not in names]:
        found = ", ".join(sorted(names)) or "nothing"
        raise DataError(
            f"{file}: no array {missing[0]}; x and y are wanted, or {', '.join(SPLIT)} (it holds {quoted(found)})"
        )


def _array(file: Path, stored: "np.lib.npyio.NpzFile", name: str) -> np.ndarray:
    try:
        return member(stored, name)
    except (ValueError, MemoryError, RecursionError):
        raise DataError(f"{file}: {name} holds pickled objects, or is damaged; save plain arrays of numbers") from None


def read_text_file(file: Path, wanted: Ingest) -> Raw:
    """A text in UTF-8 as sequences of characters, the last of them for the test.

    Raises:
        DataError: too short, or of too many different characters.
    """
    text, length = read_text(file), wanted.length or DEFAULT_LENGTH
    characters = sorted(set(text))
    if len(characters) > MOST_CHARACTERS:
        raise DataError(
            f"{file}: {len(characters)} different characters; at most {MOST_CHARACTERS} are taken as tokens"
        )
    codes = {character: code for code, character in enumerate(characters)}
    tokens = np.fromiter((codes[character] for character in text), np.int32, len(text))
    n = (len(tokens) - 1) // length
    tested = max(1, round(n * wanted.test_fraction))
    if n - tested < 1:
        raise DataError(
            f"{file}: {len(tokens)} characters make {n} sequences of {length} (`length`); two or more are wanted"
        )
    starts = np.arange(n) * length
    windows = tokens[starts[:, None] + np.arange(length + 1)]
    facts = {"vocabulary": characters, "length": length}
    train, test = Rows(windows[: n - tested], None), Rows(windows[n - tested :], None)
    return Raw(train, test, class_names=tuple(characters), facts=facts)
