"""metrics.jsonl: a line an epoch, each with a checksum, so that a damaged line is not taken for a figure."""

import json
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CHECKSUM = "crc32"


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Add one flushed line."""
    line = dict(record) | {CHECKSUM: checksum(record)}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def checksum(record: Mapping[str, Any]) -> int:
    """CRC-32 of a line without its checksum."""
    return zlib.crc32(json.dumps(dict(record), allow_nan=False).encode())


def lines_of(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The lines that hold, with what they say; none where the file is not there.

    Runs of earlier versions have no checksums: where no line has one, every line that can be read holds.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace").splitlines()
    found = [(line, record) for line in text for record in _parsed(line)]
    if not any(CHECKSUM in record for _, record in found):
        return found
    return [(line, rest) for line, record in found for rest in _intact(record)]


def _parsed(line: str) -> list[dict[str, Any]]:
    """The line's record, if it is one."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return []
    return [record] if isinstance(record, dict) and {"step", "phase", "epoch"} <= record.keys() else []


def _intact(record: dict[str, Any]) -> list[dict[str, Any]]:
    """What a line says without its checksum, if that is right."""
    rest = {key: value for key, value in record.items() if key != CHECKSUM}
    try:
        return [rest] if record.get(CHECKSUM) == checksum(rest) else []
    except ValueError:  # a number that is not finite
        return []


def keep(path: Path, wanted: Callable[[Mapping[str, Any]], bool]) -> list[dict[str, Any]]:
    """Forget the lines of a run that goes on but for those wanted, which are returned: the others are computed again."""
    from xbar_cli.runs.whole import write_whole

    kept = [(line, record) for line, record in lines_of(path) if wanted(record)]
    if path.exists():
        write_whole(path, "".join(f"{line}\n" for line, _ in kept))
    return [record for _, record in kept]
