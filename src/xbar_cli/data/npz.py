"""Archives of arrays as files of a cache or of the package: read without pickles, written whole or not at all."""

import os
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from xbar_cli.caches import discard

DAMAGED = (
    OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, MemoryError, RecursionError
)  # fmt: skip
"""What `read_npz` raises for a file that is missing or damaged."""


def read_npz(path: Path, names: Collection[str]) -> dict[str, np.ndarray]:
    """The arrays called `names` in the file at `path`. Raises one of `DAMAGED` where they are not there."""
    if not path.is_file():  # a pipe would be waited for
        raise FileNotFoundError(path)
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        return {name: member(stored, name) for name in names}


def member(stored: "np.lib.npyio.NpzFile", name: str) -> np.ndarray:
    """An array of an open archive. Raises one of `DAMAGED` where it is not there, or is something else."""
    try:
        found = stored[name]
    except (tokenize.TokenError, SyntaxError, TypeError, OverflowError) as error:  # of numpy's reader of headers
        raise ValueError(f"{name}: {error}") from None
    if not isinstance(found, np.ndarray):
        raise ValueError(f"{name} is no array")
    return found


def write_npz(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays so that no reader ever sees half of them. Raises OSError where there is no place."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.stem[:16]}-", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.chmod(temporary, 0o664)
        if path.is_dir():
            discard(path)
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            os.unlink(temporary)
