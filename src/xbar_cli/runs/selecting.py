"""What listed runs are called by: every key of configuration and summary, which of them differ, and terms over them."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted

RunValues = dict[str, Any]
"""Of one run, by name: the listing's own columns, dotted keys of its configuration, figures of its summary."""

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, "!=": operator.ne, "==": operator.eq, ">": operator.gt, "<": operator.lt,
    "=": operator.eq,
}  # fmt: skip
_TERM = re.compile(r"\s*([\w.]+)\s*(>=|<=|!=|==|>|<|=)\s*(.*?)\s*", re.DOTALL)


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys of a table with their values; a list of tables (effects) is a text, as the command line writes it."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield f"{prefix}{key}", " ".join(map(_item, value))
        else:
            yield f"{prefix}{key}", value


def _item(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    rest = ",".join(f"{key}={item}" for key, item in value.items() if key != "model")
    return f"{value['model']}:{rest}" if "model" in value else rest


def values_of(described: Mapping[str, Any], config: Mapping[str, Any], summary: Mapping[str, Any]) -> RunValues:
    """Everything that a run can be called by; what the listing says of it first."""
    found = {key: value for key, value in summary.items() if isinstance(value, (str, int, float))}
    return {**dict(leaves(config)), **found, **described}


def named(name: str, known: Sequence[str]) -> str:
    """The key that a name or the end of one means: of several the one that all of them end with. ConfigError for others."""
    if name in known:
        return name
    ends = [key for key in known if key.endswith(f".{name}")]
    ends = ends or [key for key in known if key.endswith(f"_{name}") or key.removesuffix(f"_{_unit(key)}") == name]
    ends = ends or [key for key in known if key.rpartition(".")[2].removesuffix(f"_{_unit(key)}") == name]
    shortest = min(ends, key=len, default="")
    if ends and all(key == shortest or key.endswith(f".{shortest}") for key in ends):
        return shortest
    if ends:
        raise ConfigError(f"{quoted(name)} is {', '.join(ends[:6])}: write more of it")
    near = get_close_matches(name, known, n=3, cutoff=0.5) or sorted(known)[:12]
    raise ConfigError(f"{quoted(name)} is no key of these runs; near: {', '.join(near)}")


def _unit(key: str) -> str:
    return key.rpartition("_")[2]


@dataclass(frozen=True)
class RunTerm:
    """`accuracy>0.8`: a name, an operator and a value."""

    name: str
    operator: str
    value: Any

    def holds(self, values: RunValues, key: str) -> bool:
        """Whether it is true of a run; a run without the key is not of those."""
        found = values.get(key)
        if found is None:
            return False
        if isinstance(self.value, float) and isinstance(found, (int, float)) and not isinstance(found, bool):
            return OPERATORS[self.operator](float(found), self.value)
        if self.operator not in ("=", "==", "!="):
            raise ConfigError(f"{self.name} {self.operator} {quoted(self.value)}: {key} is {quoted(found)}, no number")
        return OPERATORS[self.operator](str(found).casefold(), str(self.value).casefold())


def parse_term(text: str) -> RunTerm:
    """The term that a text is; ConfigError for another."""
    found = _TERM.fullmatch(text)
    if found is None or not found[3]:
        raise ConfigError(
            f"{quoted(text)} is no term: write a key, one of {', '.join(OPERATORS)} and a value, as 'accuracy>0.8'"
        )
    try:
        return RunTerm(found[1], found[2], float(found[3]))
    except ValueError:
        return RunTerm(found[1], found[2], found[3])


def differing(values: Sequence[RunValues], *, besides: Sequence[str]) -> list[str]:
    """The dotted keys of configurations that are not the same in all runs, but for those that are said `besides` and places."""
    keys = dict.fromkeys(key for run in values for key in run if "." in key or key == "seed")
    skipped = {"run", "activity", "baseline", "out", "data_dir", *besides}
    return [
        key
        for key in keys
        if key not in skipped
        and key.rpartition(".")[2] not in skipped
        and len({str(run.get(key)) for run in values}) > 1
    ]
