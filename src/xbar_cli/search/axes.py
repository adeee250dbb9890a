"""The axes of a table `[search]`, checked: bounds, steps, choices, conditions."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xbar_cli.config.base import parse_quantity, require
from xbar_cli.experiment.file import label
from xbar_cli.outside import quoted
from xbar_cli.search.conditions import parse_condition
from xbar_cli.search.space import Dimension, Listed, Real, Whole, rising

OF_AXIS = {
    "low": "The least value: a number, with an SI suffix where it is in quotes.",
    "high": "The greatest value; the axis is of whole numbers where both are.",
    "step": "Between one value and the next, from `low` on.",
    "log": "`true`: even on a logarithmic scale.",
    "choices": "A list of values in place of bounds; rising or falling numbers keep their order.",
    "also": "A list of further dotted keys that have the same value.",
    "when": "Counts only where other axes are so: `KEY == VALUE` (`!=`, `<`, `<=`, `>`, `>=`, `in [A, B]`), joined by `and`.",
}
"""What an axis may say, and what it means."""
FORM = "an axis is {low = A, high = B}, with log = true or step = S, or {choices = [...]}"
MOST_CHOICES = 10_000


def axes_in(tables: Mapping[str, Any], where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The axes in nested tables by dotted key: the tables that say anything of an axis."""
    for name, value in tables.items():
        require(isinstance(value, Mapping), f"{where}.{name} = {quoted(value)}: {FORM}")
        if not value or any(key in OF_AXIS and not isinstance(inner, Mapping) for key, inner in value.items()):
            yield f"{where}.{name}", value
        else:
            yield from axes_in(value, f"{where}.{name}")


def parse_axes(tables: Mapping[str, Any], *, file: object) -> tuple[Dimension, ...]:
    """The axes below the stages' names. ConfigError says in one line what is wrong, where, and what is allowed."""
    found: list[Dimension] = []
    for dotted, table in axes_in(tables, f"{file}: search"):
        where, key = dotted, dotted.removeprefix(f"{file}: search.")
        unknown = [quoted(name) for name in table if name not in OF_AXIS]
        require(not unknown, f"{where}: unknown {', '.join(unknown)}; {FORM}")
        also = table.get("also", [])
        require(isinstance(also, list) and all(isinstance(name, str) for name in also),
                f"{where}: also = {quoted(also)} must be a list of dotted keys that have the same value")  # fmt: skip
        when = parse_condition(table["when"], where=where) if "when" in table else ()
        found.append(Dimension((key, *also), _values(table, 1 + len(also), where), when))
    return tuple(found)


def _values(table: Mapping[str, Any], keys: int, where: str) -> Real | Whole | Listed:
    if "choices" in table:
        bounds = [name for name in ("low", "high", "step", "log") if name in table]
        require(not bounds, f"{where}: choices and {', '.join(bounds)}: {FORM}")
        return _choices(table["choices"], keys, where)
    missing = [name for name in ("low", "high") if name not in table]
    require(not missing, f"{where}: {' and '.join(missing)} missing: {FORM}")
    numbers = {name: _number(table[name], f"{where}.{name}") for name in ("low", "high", "step") if name in table}
    low, high, step, log = numbers["low"], numbers["high"], numbers.get("step"), table.get("log", False)
    require(isinstance(log, bool), f"{where}.log = {quoted(log)} must be true or false")
    require(low <= high, f"{where}: low = {low:g} is above high = {high:g}")
    require(not log or low > 0, f"{where}: low = {low:g}: a logarithmic axis begins above 0")
    require(step is None or step > 0, f"{where}.step = {step} must be above 0")
    require(not (log and step), f"{where}: log and step: give one of them")
    if all(isinstance(n, int) for n in numbers.values()):
        return Whole(int(low), int(high - (high - low) % (step or 1)), log=log, step=int(step or 1))
    if step is not None:  # the last step that is within the bounds
        high = low + step * math.floor((high - low) / step + 1e-9)
    return Real(float(low), float(high), log=log, step=None if step is None else float(step))


def _number(value: Any, where: str) -> int | float:
    try:
        found = parse_quantity(value)
    except ValueError as error:
        require(False, f"{where}: {error}")
        raise
    require(
        isinstance(found, int | float) and not isinstance(found, bool) and abs(found) < 1e30,
        f"{where} = {quoted(value)} must be a number",
    )
    return found


def _choices(values: Any, keys: int, where: str) -> Listed:
    require(isinstance(values, list) and bool(values), f"{where}.choices = {quoted(values)} must be a list of values")
    require(
        len(values) <= MOST_CHOICES, f"{where}.choices has {len(values)} values; at most {MOST_CHOICES} are allowed"
    )
    names = [label(value) for value in values]
    require(len(set(names)) == len(names), f"{where}.choices: a value is listed twice")
    rows = tuple((value,) * keys for value in values)
    return Listed(rows, ordered=rising(rows))


def check_axes(dimensions: Sequence[Dimension], stages: Mapping[str, Any], *, file: object) -> None:
    """Raise ConfigError where keys are of no stage or set twice, or conditions are of no axis or go round."""
    where = f"{file}: search"
    keys = [key for d in dimensions for key in d.keys]
    for key in keys:
        stage, _, rest = key.partition(".")
        require(stage in stages, f"{where}.{key}: there is no stage {quoted(stage)}; stages: {', '.join(stages)}")
        require(bool(rest) and rest != "command", f"{where}.{key}: name a key of the stage, such as {stage}.seed")
        require(keys.count(key) == 1, f"{where}.{key}: two axes set this key")
    owner = {key: d for d in dimensions for key in d.keys}

    def visit(dimension: Dimension, path: tuple[str, ...]) -> None:
        require(dimension.name not in path, f"{where}.{dimension.name}: `when` goes round in a circle")
        for term in dimension.when:
            require(term.key in owner, f"{where}.{dimension.name}: when: {quoted(term.key)} is no axis; "
                    f"axes: {', '.join(owner)}")  # fmt: skip
            visit(owner[term.key], (*path, dimension.name))

    for dimension in dimensions:
        visit(dimension, ())
