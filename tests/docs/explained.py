"""Whether a summary has words for each of its keys in docs/reference/json.md."""

from collections.abc import Mapping
from typing import Any

from scripts.reference.summaries import unexplained, words


def require_words(summary: Mapping[str, Any], command: str | None = None) -> None:
    """Raise AssertionError where a summary of a command has keys without words; those that tests make up are let be."""
    name = command or str(summary.get("command"))
    odd = unexplained(summary, name) if name in words() else []
    assert not odd, f"xbar {name}: {', '.join(odd)}: no words in scripts/reference/summaries.toml"
