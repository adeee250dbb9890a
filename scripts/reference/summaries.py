"""docs/reference/json.md: what every key of a summary means, from summaries.toml; and whether a summary has others."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
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
    around = [pattern_of(step) for step in dict.fromkeys(step for key in known for step in steps_of(key)[:-1])]
    opened = {steps_of(key)[0] for key in known if len(steps_of(key)) > 1}
    return [path for path in dict.fromkeys(paths(summary)) if not explained(path, patterns, around, opened)]


def steps_of(path: str) -> list[str]:
    """A dotted key and all that it is in, from the outside in."""
    return [path[: mark.start()] for mark in re.finditer(r"\.|\[\]|$", path)]


def explained(
    path: str, patterns: Sequence[re.Pattern[str]], around: Sequence[re.Pattern[str]], opened: Collection[str]
) -> bool:
    """Whether a key has words, or what is around it has, or it is around what has words.

    Outermost keys whose insides have words do not speak for these.
    """
    steps = steps_of(path)
    counting = [step for step in steps if step == path or step != steps[0] or steps[0] not in opened]
    return any(pattern.fullmatch(step) for step in counting for pattern in patterns) or any(
        pattern.fullmatch(path) for pattern in around
    )


def unit_of(key: str) -> str:
    """The unit at the end of a key, that of a list of it too; empty for none."""
    return UNITS.get(re.split(r"[_.]", key)[-1], "")


def rows(keys: Mapping[str, str]) -> str:
    """A table of keys, with the unit before what each means."""
    lines = ["| key | meaning |", "| --- | --- |"]
    for key, text in keys.items():
        unit = f"[{unit_of(key)}] " if unit_of(key) else ""
        lines.append(f"| `{key}` | {unit}{text.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def page() -> str:
    """The page."""
    parts = [(HERE / "json_head.md").read_text(encoding="utf-8")]
    for command, keys in words().items():
        title = "Any command" if command == ANY else f"xbar {command}"
        parts.append(f"\n## {title}\n\n{rows(keys)}\n")
    return "".join(parts)
