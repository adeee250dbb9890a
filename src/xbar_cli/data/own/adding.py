"""A file or folder becomes a data set of one's own: read, checked, and kept beside the imported ones."""

import hashlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xbar_cli.data.catalogue import names
from xbar_cli.data.own import stored
from xbar_cli.data.own.arrays import read_npz, read_text_file
from xbar_cli.data.own.checked import Checked, checked
from xbar_cli.data.own.folders import read_folder
from xbar_cli.data.own.raw import Ingest, Raw
from xbar_cli.data.own.table import read_table
from xbar_cli.data.prepared import default_data_dir
from xbar_cli.data.staging import install, staged_in
from xbar_cli.errors import ConfigError, DataError
from xbar_cli.outside import clean_path, quoted

READERS: dict[str, Callable[[Path, Ingest], Raw]] = {
    ".npz": read_npz,
    ".csv": read_table,
    ".tsv": read_table,
    ".txt": read_text_file,
}
USES = {
    ".npz": {"classes", "test_fraction", "seed", "standardise"},
    ".csv": {"label", "columns", "header", "test_fraction", "seed", "standardise"},
    ".tsv": {"label", "columns", "header", "test_fraction", "seed", "standardise"},
    ".txt": {"length", "test_fraction"},
    "": {"length", "size", "rate", "test_fraction", "seed"},
}
"""What of `Ingest` besides the task says something of a file of each kind; of folders where there is no suffix."""


@dataclass(frozen=True)
class Added:
    """What was added: what `set.json` says of it, and where it is kept."""

    facts: dict[str, Any]
    out: Path


def add(name: str, file: Path, wanted: Ingest, *, data_dir: Path | None, overwrite: bool) -> Added:
    """Read, check and keep a data set: train, map, evaluate and energy find it by its name from then on.

    Raises:
        DataError: a name that is taken or none, a file that cannot be read or does not hold what is wanted.
    """
    folder = data_dir or default_data_dir()
    _require_name(name, folder, overwrite=overwrite)
    try:
        file = clean_path(file).expanduser()
        kind = "" if file.is_dir() else file.suffix.lower()
        _require_used(file, kind, wanted)
        raw = read_folder(file, wanted) if file.is_dir() else READERS[kind](file, wanted)
    except ConfigError as error:  # what is wrong with any file from outside
        raise DataError(str(error)) from None
    found = checked(raw, wanted, where=str(file))
    facts = described(name, file, found, wanted)
    target = stored.folder_of(name, folder)
    try:
        with staged_in(folder) as staging:
            stored.write(staging / name, facts, arrays_of(found))
            install(staging / name, target, aside=staging / "replaced")
    except OSError as error:
        raise DataError(f"cannot write to {folder}: {error.strerror or error}; nothing was kept") from error
    return Added(facts, target)


def arrays_of(found: Checked) -> dict[str, Any]:
    """The arrays by the names that they are kept under."""
    parts = (found.train, found.test)
    return dict(zip(stored.KEYS, (array for part in parts for array in (part.x, part.y)), strict=True))


def described(name: str, file: Path, found: Checked, wanted: Ingest) -> dict[str, Any]:
    """What `set.json` says."""
    note = None
    if found.identical:
        note = f"{found.identical} of {len(found.test.x)} test inputs are training inputs too"
    return {
        "name": name,
        "task": found.task,
        "train": len(found.train.x),
        "test": len(found.test.x),
        "shape": list(found.train.x.shape[1:]),
        "dtype": found.train.x.dtype.name,
        "outputs": len(found.class_names),
        "class_names": list(found.class_names),
        "identical": found.identical,
        "standardised": wanted.standardise,
        "note": note,
        "source": file.name,
        "source_sha256": None if file.is_dir() else _sha256(file),
        "written_by": f"xbar-cli {importlib.metadata.version('xbar-cli')}",
        **found.facts,
    }


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def digest_of(path: Path) -> str:
    """SHA-256 of what a file holds, or of the names and contents of the files in a folder. ConfigError where there is none."""
    path = clean_path(path).expanduser()
    try:
        if not path.is_dir():
            return _sha256(path)
        files = sorted(file for file in path.rglob("*") if file.is_file())
        lines = [f"{file.relative_to(path)} {_sha256(file)}" for file in files]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _require_name(name: str, folder: Path, *, overwrite: bool) -> None:
    if stored.NAME.fullmatch(name) is None:
        raise DataError(
            f"{quoted(name)} is no name of a data set: take letters, digits, _ . -, 64 at most, the first no sign"
        )
    if name in (*names(), *stored.bundled()):
        raise DataError(f"{name} is the name of a data set that xbar knows; take another")
    if stored.folder_of(name, folder).exists() and not overwrite:
        raise DataError(
            f"data set {name} is there already, in {stored.folder_of(name, folder)}; `overwrite` replaces it"
        )


def _require_used(file: Path, kind: str, wanted: Ingest) -> None:
    """Refuse a file of another kind, and what says nothing of this one."""
    if kind not in USES:
        known = ", ".join(READERS)
        if not file.exists():
            raise DataError(f"{file}: no such file or folder")
        raise DataError(
            f"{file}: {quoted(file.suffix)} is none of {known}, nor a folder of pictures or wav files a class"
        )
    plain = Ingest()
    for key in ("label", "columns", "header", "length", "size", "rate", "classes", "standardise", "seed"):
        if key not in USES[kind] and getattr(wanted, key) != getattr(plain, key):
            what = "a folder" if not kind else f"a {kind} file"
            raise DataError(f"{file}: {key} says nothing of {what}")
    if not 0 < wanted.test_fraction < 1:
        raise DataError(f"test_fraction = {wanted.test_fraction:g} must lie between 0 and 1")
