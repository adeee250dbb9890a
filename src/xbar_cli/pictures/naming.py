"""What a user calls a key or a figure, and the one that is meant."""

import contextlib
import difflib
from collections.abc import Iterable, Mapping, Sequence

from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted
from xbar_cli.pictures.grid import SweepGrid
from xbar_cli.runs.listing import FIGURES, KEYS

UNIT_WORDS = ("ohm", "volt", "siemens", "joule", "m2", "m", "seconds", "celsius", "ampere", "watt", "farad", "mean")
"""Last words of keys and figures that may be left out."""


def key_called(name: str, grid: SweepGrid, *, where: str) -> str:
    """The swept key that a name means: the key, the end of it, without its unit, or as `xbar ls` calls it."""
    return meant(name, {key: spellings(key, KEYS) for key in grid.keys}, grid, what=f"{where} = ", kind="swept")


def figure_called(name: str, grid: SweepGrid) -> str:
    """The figure that a name means, likewise: `accuracy` is that of the chips before any other."""
    for figure in FIGURES.get(name, ()):
        if figure in grid.figures:
            return figure
    names = {figure: spellings(figure, FIGURES) for figure in grid.figures}
    return meant(name, names, grid, what="y = ", kind="there")


def spellings(key: str, short: Mapping[str, Sequence[str]]) -> list[str]:
    """The names of a key, from the whole one to the shortest."""
    parts = key.split(".")
    ends = [".".join(parts[start:]) for start in range(len(parts))]
    bare = [end.rpartition("_")[0] for end in ends if end.rpartition("_")[2] in UNIT_WORDS]
    listed = [name for name, keys in short.items() if any(f".{key}".endswith(f".{other}") for other in keys)]
    return [name for name in (*ends, *bare, *listed) if name]


def meant(name: str, spelled: Mapping[str, Sequence[str]], grid: SweepGrid, *, what: str, kind: str) -> str:
    """The key with this name; ConfigError for none, with the nearest, or several that are not one axis."""
    if name in spelled:
        return name
    found = [key for key, names in spelled.items() if name in names]
    if not found:
        raise ConfigError(f"{what}{quoted(name)} is not {kind}; {nearest(name, spelled)}")
    axes = {grid.axis_of(key) if key in grid.keys else key for key in found}
    if len(axes) > 1:
        raise ConfigError(f"{what}{quoted(name)} may mean {' or '.join(found)}: write it in full")
    return found[0]


def nearest(name: str, spelled: Mapping[str, Sequence[str]]) -> str:
    """What was probably meant, and all that there is, by their shortest names."""
    every = {spelling: key for key, names in spelled.items() for spelling in names}
    near = difflib.get_close_matches(name, every, n=1)
    return (f"did you mean {near[0]}? " if near else "") + f"there are {listed(map(shortest, spelled.values()))}"


def shortest(names: Sequence[str]) -> str:
    """The shortest name of a key."""
    return min(names, key=len)


def listed(names: Iterable[str], *, most: int = 12) -> str:
    """Names beside each other, not too many."""
    found = list(dict.fromkeys(names))
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")


def selected(grid: SweepGrid, conditions: Sequence[str]) -> SweepGrid:
    """The part of a grid where `KEY=VALUE` holds; several of one key let any of them through."""
    wanted: dict[int, set[int]] = {}
    for condition in conditions:
        name, equals, text = condition.partition("=")
        if not equals:
            raise ConfigError(f"where = {quoted(condition)}: write KEY=VALUE")
        key = key_called(name.strip(), grid, where="where")
        axis = grid.axis_of(key)
        values = grid.axes[axis].by(key).values[0]
        places = {i for i, value in enumerate(values) if is_value(value, text.strip())}
        if not places:
            raise ConfigError(f"where = {quoted(condition)}: {key} has the values {listed(map(str, values))}")
        wanted[axis] = wanted.get(axis, set()) | places
    for axis, places in wanted.items():
        grid = grid.at(axis, sorted(places))
    return grid


def is_value(value: object, text: str) -> bool:
    """Whether a swept value is what a text says, as a number or to the letter."""
    from xbar_cli.config.base import parse_quantity, parse_time

    if isinstance(value, str):
        return value == text
    for parse in (parse_quantity, parse_time):
        with contextlib.suppress(TypeError, ValueError):
            if abs(float(value) - float(parse(text))) <= 1e-9 * abs(float(value)):  # type: ignore[arg-type]
                return True
    return False
