"""Whether docs/reference has words for every key of a summary, and for every file of a run."""

import re
from collections.abc import Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from scripts.reference.summaries import unexplained, words

FILES = Path(__file__).resolve().parents[2] / "docs" / "reference" / "files.md"


def require_words(summary: Mapping[str, Any], command: str | None = None) -> None:
    """Raise AssertionError where a summary of a command has keys without words; those that tests make up are let be."""
    name = command or str(summary.get("command"))
    odd = unexplained(summary, name) if name in words() else []
    assert not odd, f"xbar {name}: {', '.join(odd)}: no words in scripts/reference/summaries.toml"


@cache
def known_files() -> tuple[str, ...]:
    """The files that docs/reference/files.md tells of, as patterns."""
    table = FILES.read_text(encoding="utf-8").partition("## What lies in it")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    return tuple(name for cell in cells for name in re.findall(r"`([^`]+)`", cell))


def require_files(folder: Path) -> None:
    """Raise AssertionError where a run holds a file that the page does not tell of; what is hidden is gone at its end."""
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    odd = [
        name for name in names if not name.startswith(".") and not any(fnmatch(name, known) for known in known_files())
    ]
    assert not odd, f"{', '.join(odd)}: no words in docs/reference/files.md"
