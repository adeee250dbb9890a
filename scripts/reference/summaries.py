"""docs/reference/json.md: what every key of a summary means, from summaries.toml; and whether a summary has others."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

from xbar_cli.tasks import MetricName

HERE = Path(__file__).parent
ANY = "any command"
METRIC = f"(?:{'|'.join(get_args(MetricName))})"
UNITS = {
    "joule": "J", "seconds": "s", "siemens": "S", "volt": "V", "ohm": "Ω", "m2": "m²", "watt": "W", "ampere": "A", "nm": "nm",
    "fraction": "0–1",
}  # fmt: skip
"""Endings of keys, and the units that they are."""


@cache
def words() -> dict[str, dict[str, str]]:
    """What keys mean, by command; those of any command with them."""
    return tomllib.loads((HERE / "summaries.toml").read_text(encoding="utf-8"))


def paths(value: Any, prefix: str = "") -> Iterator[str]:
    """The dotted keys of a summary, those inside of tables and of lists of tables too."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield f"{prefix}{key}"
            yield from paths(inner, f"{prefix}{key}.")
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, Mapping):
                yield from paths(inner, f"{prefix.removesuffix('.')}[].")


@cache
def pattern_of(key: str) -> re.Pattern[str]:
    """What a documented key fits: METRIC is any metric, NAME any name."""
    return re.compile(re.escape(key).replace("METRIC", METRIC).replace("NAME", r"[^.\[\]]+"))


def unexplained(summary: Mapping[str, Any], command: str | None = None) -> list[str]:
    """The keys of a summary that have no words, and that no words on the key around them cover."""
    known = words()[ANY] | words().get(command or str(summary.get("command")), {})
    patterns = [pattern_of(key) for key in known]
    opened = {re.split(r"\.|\[\]", key)[0] for key in known if re.search(r"\.|\[\]", key)}
    found = []
    for path in dict.fromkeys(paths(summary)):
        around = re.split(r"\.|\[\]", path)[0]
        inside = path != around
        covered = inside and around not in opened
        # a name of its own, and what is two levels below words, has those of what is around it
        last = path.rpartition(".")[0]
        above = inside and any(pattern.fullmatch(last) for pattern in patterns) and last != around
        if not covered and not above and not named(path, known) and not any(p.fullmatch(path) for p in patterns):
            found.append(path)
    return found


def named(path: str, known: Mapping[str, str]) -> bool:
    """Whether a key is a name, such as a layer's, below which words begin."""
    return any(pattern_of(key.rpartition(".")[0]).fullmatch(path) for key in known if "NAME." in key)


def unit_of(key: str) -> str:
    """The unit at the end of a key, that of a list of it too; empty for none."""
    return UNITS.get(re.split(r"[_.]", key)[-1], "")


def rows(keys: Mapping[str, str]) -> str:
    """A table of keys."""
    lines = ["| key | unit | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{key}` | {unit_of(key)} | {text.replace('|', chr(92) + '|')} |" for key, text in keys.items()]
    return "\n".join(lines)


def page() -> str:
    """The page."""
    parts = [(HERE / "json_head.md").read_text(encoding="utf-8")]
    for command, keys in words().items():
        title = "Any command" if command == ANY else f"xbar {command}"
        parts.append(f"\n## {title}\n\n{rows(keys)}\n")
    return "".join(parts)
