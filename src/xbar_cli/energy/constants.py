"""Constants of the models: a TOML each, every constant with its value, unit, source and year.

A constant is a table `{ value, unit, source, year }`; source and year may stand once for the section it is in::

    [adc]
    source = "Shafiee et al., ISAAC, ISCA 2016, Table I"
    year = 2016
    energy_joule = { value = 1.5625e-12, unit = "J" }

Values are SI, and a name ends in its unit.
"""

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from xbar_cli.errors import ConfigError
from xbar_cli.outside import MEGABYTE, parse_toml, read_text

MODELS = ("resparc", "neurosim", "isaac")
NODE = "node_"
"""Prefix of the sections that hold a technology node, `node_14` for 14 nm."""
_COSTS = ("J", "m2", "W", "F/m", "F/m2", "F")
"""Units of constants that may be 0: what costs nothing."""


@dataclass(frozen=True)
class Constant:
    """One constant.

    Attributes:
        value: in `unit`.
        unit: SI; `1` for a pure number.
        source: where the value is from.
        year: of the source.
    """

    value: float
    unit: str
    source: str
    year: int


@dataclass(frozen=True)
class Constants(Mapping[str, float]):
    """The constants of a model by dotted key, such as `adc.energy_joule`.

    Attributes:
        table: every constant with its source.
        where: the file that they are from, for messages.
    """

    table: Mapping[str, Constant]
    where: str

    def __getitem__(self, key: str) -> float:
        """The value of a constant. Raises ConfigError where it is missing."""
        if key not in self.table:
            raise ConfigError(f"{self.where}: the constant {key} is missing")
        return self.table[key].value

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)

    def node(self, node_nm: float | int) -> dict[str, float]:
        """The constants of a technology node by their own names. Raises ConfigError for a node without data."""
        prefix = f"{NODE}{node_nm:g}."
        found = {key.removeprefix(prefix): c.value for key, c in self.table.items() if key.startswith(prefix)}
        if not found:
            known = sorted({int(key.split(".")[0].removeprefix(NODE)) for key in self.table if key.startswith(NODE)})
            raise ConfigError(
                f"no data for a node of {node_nm:g} nm in {self.where}; there are {', '.join(map(str, known))} nm"
            )
        return found

    def as_toml(self) -> dict[str, Any]:
        """The tables of a file that holds these constants."""
        tree: dict[str, Any] = {}
        for key, c in self.table.items():
            section, name = key.split(".")
            entry = {"value": c.value, "unit": c.unit, "source": c.source, "year": c.year}
            tree.setdefault(section, {})[name] = entry
        return tree


def load(model: str, *, file: Path | None = None, overrides: Mapping[str, float] | None = None) -> Constants:
    """The constants of a model.

    Args:
        model: one of `MODELS`.
        file: the user's own file in place of the shipped one; it must hold every constant that the shipped one holds,
            technology nodes apart.
        overrides: values by dotted key, in the units of the file.

    Raises:
        ConfigError: one line: the file is not readable, a constant is missing, unknown, negative, or without a source.
    """
    name = f"{model}.toml"
    shipped = _read(name, (resources.files("xbar_cli.energy") / "data" / name).read_text(encoding="utf-8"))
    found = shipped
    if file is not None:
        found = _read(str(file), read_text(file, most=MEGABYTE))
        missing = [key for key in shipped.table if key not in found.table and not key.startswith(NODE)]
        unknown = [key for key in found.table if key not in shipped.table and not key.startswith(NODE)]
        if missing:
            raise ConfigError(f"{file}: the constant {missing[0]} of the model {model} is missing")
        if unknown:
            raise ConfigError(f"{file}: the model {model} has no constant {unknown[0]}")
    table = dict(found.table)
    for key, value in (overrides or {}).items():
        if key not in table:
            raise ConfigError(f"energy.{key}: the model {model} has no such constant; {_alike(key, table)}")
        table[key] = _checked(key, replace(table[key], value=float(value), source="given by the user"), "energy")
    return Constants(table, found.where)


def figures(name: str) -> Constants:
    """The figures of a shipped file that is of no model."""
    where = f"{name}.toml"
    return _read(where, (resources.files("xbar_cli.energy") / "data" / where).read_text(encoding="utf-8"))


def preset(name: str) -> dict[str, Any]:
    """The tables of a shipped preset, as they stand in its file."""
    path = resources.files("xbar_cli.energy") / "data" / "presets" / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8-sig"))


def _read(where: str, text: str) -> Constants:
    tree = parse_toml(text, where=where)
    table: dict[str, Constant] = {}
    for section, entries in tree.items():
        if not isinstance(entries, dict):
            raise ConfigError(f"{where}: {section} is no section of constants")
        shared = {key: entries[key] for key in ("source", "year") if not isinstance(entries.get(key), dict | None)}
        for name, entry in entries.items():
            if name not in shared:
                key = f"{section}.{name}"
                table[key] = _constant(key, entry, shared, where)
    return Constants(table, where)


def _constant(key: str, entry: Any, shared: Mapping[str, Any], where: str) -> Constant:
    given = {**shared, **entry} if isinstance(entry, dict) else {}
    for wanted, kinds in (("value", (int, float)), ("unit", (str,)), ("source", (str,)), ("year", (int,))):
        if not isinstance(given.get(wanted), kinds) or isinstance(given.get(wanted), bool) or given[wanted] == "":
            raise ConfigError(f"{where}: {key} needs value, unit, source and year; {wanted} is missing")
    return _checked(key, Constant(float(given["value"]), given["unit"], given["source"], given["year"]), where)


def _checked(key: str, constant: Constant, where: str) -> Constant:
    free = constant.unit in _COSTS
    if not math.isfinite(constant.value) or constant.value < 0 or (constant.value == 0 and not free):
        bound = "at least 0" if free else "above 0"
        raise ConfigError(f"{where}: {key} = {constant.value:g} {constant.unit} must be {bound}")
    return constant


def _alike(key: str, table: Mapping[str, Constant]) -> str:
    section = key.split(".")[0]
    near = [known for known in table if known.startswith(section + ".")]
    if near:
        return f"[{section}] has {', '.join(known.split('.')[1] for known in near)}"
    return f"it has the sections {', '.join(dict.fromkeys(known.split('.')[0] for known in table))}"
