"""Configuration of `xbar run`: stages whose inputs name earlier stages, and a grid of values over their keys.

An experiment is a TOML file::

    name = "schemes"
    [stages.net]
    command = "train"
    training.epochs = 5
    [stages.map]
    command = "map"
    run = "@net"
    [sweep]
    net.seed = [0, 1, 2]
    map.mapping.bits = [1, 3]
    map.mapping.scheme = ["de", "acm"]
    zip = [["map.mapping.bits", "map.mapping.scheme"]]
"""

import copy
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xbar_cli.config.base import RootSection, require
from xbar_cli.config.characterize import ArrayConfig, CharacterizeConfig, PowerConfig
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.devices import DataConfig, FitConfig
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.config.hardware import MapConfig
from xbar_cli.config.load import SEED, SET, flatten, parse_setting, put, read_toml
from xbar_cli.config.tile import TileConfig
from xbar_cli.config.train import TrainConfig
from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted

MODELS: dict[str, type[RootSection]] = {
    "data add": DataConfig,
    "fit": FitConfig,
    "characterize": CharacterizeConfig,
    "characterize power": PowerConfig,
    "characterize array": ArrayConfig,
    "characterize tile": TileConfig,
    "train": TrainConfig,
    "map": MapConfig,
    "evaluate": EvaluateConfig,
    "energy": EnergyConfig,
}
"""The configuration of each command that a stage can be."""
REPRODUCE = "reproduce"
"""The table of a file that says what of a paper it reproduces."""
SEARCH = "search"
"""The table of a file that says what a search over its stages is for."""
JOURNAL = "search.journal"
"""The file of a search's folder that keeps its trials."""
MAX_POINTS = 10_000
"""Most points of one grid: more is a mistake, and is refused before anything is expanded."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_RUNS = ("run", "start", "cell", "data_dir")
"""Keys that name a run, or the folder of a data set, which is the run of a stage `data add`."""


@dataclass(frozen=True)
class Axis:
    """One dimension of the grid: a key, the stage first, with its values, or several that vary together, a row a position."""

    keys: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Experiment:
    """An experiment file, checked but for the stages' own keys.

    Attributes:
        name: of the experiment; its default folder is called so.
        file: where it was read, for messages.
        stages: configuration of each stage as written, `command` apart, in an order in which they can run.
        commands: the command of each stage.
        needs: the stages that each stage's inputs may name.
        axes: the grid; none for a single point.
    """

    name: str
    file: Path
    stages: dict[str, dict[str, Any]]
    commands: dict[str, str]
    needs: dict[str, tuple[str, ...]]
    axes: tuple[Axis, ...]

    @property
    def last(self) -> tuple[str, ...]:
        """The stages that no other one needs: their figures are the experiment's results."""
        needed = {name for needs in self.needs.values() for name in needs}
        return tuple(stage for stage in self.stages if stage not in needed)

    def tree(self) -> dict[str, Any]:
        """The experiment as the tables of a TOML file."""
        stages = {name: {"command": self.commands[name], **tree} for name, tree in self.stages.items()}
        found: dict[str, Any] = {"name": self.name, "stages": stages}
        if self.axes:
            sweep: dict[str, Any] = {
                key: [row[index] for row in axis.rows] for axis in self.axes for index, key in enumerate(axis.keys)
            }
            zipped = [list(axis.keys) for axis in self.axes if len(axis.keys) > 1]
            found["sweep"] = sweep | ({"zip": zipped} if zipped else {})
        return found


def load_experiment(file: Path, *, settings: Sequence[str] = (), seed: Any = None) -> Experiment:
    """Read and check an experiment file. ConfigError says in one line what is wrong, where, and what is allowed.

    `settings` are `stage.section.key=value` texts that replace what the file says; `seed` is of every stage. A table
    `[reproduce]`, which makes the file an item of `xbar reproduce`, or `[search]`, of `xbar search`, changes nothing here.
    """
    tree = {key: value for key, value in read_toml(file).items() if key not in (REPRODUCE, SEARCH)}
    return parse_experiment(tree, file, settings=settings, seed=seed)


def parse_experiment(
    tree: Mapping[str, Any],
    file: Path,
    *,
    settings: Sequence[str] = (),
    seed: Any = None,
    most: int | None = MAX_POINTS,
) -> Experiment:
    """The experiment that the tables of `file` make, of at most so many points; see `load_experiment`."""
    unknown = sorted(set(tree) - {"name", "stages", "sweep"})
    require(not unknown, f"{file}: unknown key {', '.join(unknown)}; an experiment has name, [stages.NAME] and [sweep]")
    name = tree.get("name", file.stem)
    require(isinstance(name, str) and bool(re.fullmatch(r"[\w.-]+", name)) and name.strip(".") != "",
            f"{file}: name = {quoted(name)} must be of letters, digits, '-', '_' and '.'")  # fmt: skip
    stages, commands = _stages(tree.get("stages"), file)
    axes = _axes(tree["sweep"], stages, file, most) if "sweep" in tree else ()
    _apply(stages, axes, settings, seed)
    needs = _needs(stages, axes, file)
    order = _order(needs, file)
    return Experiment(name, file, {s: stages[s] for s in order}, commands, needs, axes)


def _stages(tables: Any, file: Path) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    require(
        isinstance(tables, dict) and bool(tables),
        f"{file}: an experiment needs at least one [stages.NAME] table with a command",
    )
    stages: dict[str, dict[str, Any]] = {}
    commands: dict[str, str] = {}
    for name, table in tables.items():
        where = f"{file}: stages.{name}"
        require(
            bool(_NAME.fullmatch(name)) and name != "zip",
            f"{where}: a stage's name is of letters, digits, '-' and '_', not zip",
        )
        require(isinstance(table, dict), f"{where} must be a table with a command")
        command = table.get("command")
        require(
            isinstance(command, str) and command in MODELS,
            f"{where}: command = {quoted(command)}; use one of {', '.join(MODELS)}",
        )
        # a dotted key may be written in quotes: the same as without
        stage: dict[str, Any] = {}
        for key, value in flatten({k: v for k, v in table.items() if k != "command"}):
            put(stage, key, copy.deepcopy(value), where=where)
        stages[name], commands[name] = stage, str(command)
    return stages, commands


def _axes(sweep: Any, stages: Mapping[str, Any], file: Path, most: int | None) -> tuple[Axis, ...]:
    require(
        isinstance(sweep, dict) and bool(sweep),
        f"{file}: sweep: the grid is empty; list values of a key, or leave the table out",
    )
    groups = sweep.get("zip", [])
    lists = dict(flatten({k: v for k, v in sweep.items() if k != "zip"}))
    for key, values in lists.items():
        _check_list(key, values, stages, file)
    require(
        isinstance(groups, list) and all(isinstance(g, list) and len(g) > 1 for g in groups),
        f'{file}: sweep.zip must be a list of groups of swept keys, such as [["a.x", "b.y"]]',
    )
    members = [key for group in groups for key in group]
    for key in members:
        require(key in lists, f"{file}: sweep.zip: {quoted(key)} is not swept; swept are {', '.join(lists)}")
        require(members.count(key) == 1, f"{file}: sweep.zip: {quoted(key)} is named twice")
    axes: list[Axis] = []
    for key in lists:
        group = next((group for group in groups if key in group), [key])
        if key != group[0]:
            continue
        lengths = {len(lists[k]) for k in group}
        require(len(lengths) == 1, f"{file}: sweep.zip: {', '.join(f'{k} has {len(lists[k])} values' for k in group)}")
        rows = list(zip(*(lists[k] for k in group), strict=True))
        seen: set[str] = set()
        for row in rows:
            text = ", ".join(f"{k}={label(v)}" for k, v in zip(group, row, strict=True))
            require(text not in seen, f"{file}: sweep: {text} is listed twice: two points would have one name")
            seen.add(text)
        axes.append(Axis(tuple(group), tuple(rows)))
    points = math.prod(len(axis.rows) for axis in axes)
    require(most is None or points <= most, f"{file}: sweep has {points} points; at most {most} are allowed")
    return tuple(axes)


def _check_list(key: str, values: Any, stages: Mapping[str, Any], file: Path) -> None:
    stage, _, rest = key.partition(".")
    require(stage in stages, f"{file}: sweep.{key}: there is no stage {quoted(stage)}; stages: {', '.join(stages)}")
    require(bool(rest) and rest != "command", f"{file}: sweep.{key}: name a key of the stage, such as {stage}.seed")
    require(isinstance(values, list), f"{file}: sweep.{key} = {quoted(values)} must be a list of values")
    require(bool(values), f"{file}: sweep.{key}: the grid is empty; list at least one value")


def _apply(stages: dict[str, dict[str, Any]], axes: Sequence[Axis], settings: Sequence[str], seed: Any) -> None:
    """Replace keys of the stages by what the command line says."""
    swept = {key for axis in axes for key in axis.keys}
    given = [(key, value, SET) for key, value in map(parse_setting, settings)]
    given += [(f"{stage}.seed", seed, SEED) for stage in stages if seed is not None]
    for key, value, where in given:
        stage, _, rest = key.partition(".")
        require(stage in stages and bool(rest), f"{where} {key}: write STAGE.key=value; stages: {', '.join(stages)}")
        require(rest != "command", f"{where} {key}: the command of a stage is the file's")
        require(key not in swept, f"{where} {key}: the file's [sweep] lists this key")
        put(stages[stage], rest, value, where=where)


def references(tree: Any) -> Iterator[str]:
    """The names behind `@` in a table or value."""
    if isinstance(tree, Mapping):
        for value in tree.values():
            yield from references(value)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            yield from references(value)
    elif isinstance(tree, str) and tree.startswith("@"):
        yield tree[1:]


def _needs(stages: Mapping[str, Any], axes: Sequence[Axis], file: Path) -> dict[str, tuple[str, ...]]:
    needs: dict[str, tuple[str, ...]] = {}
    for stage, tree in stages.items():
        for key, value in flatten(tree):
            bare = key.rpartition(".")[2] in _RUNS and isinstance(value, str) and value in stages
            require(
                not bare,
                f"{file}: stages.{stage}: {key} = {quoted(value)} is a path; the run of that stage is {quoted(f'@{value}')}",
            )
        swept = [row[i] for axis in axes for i, key in enumerate(axis.keys) for row in axis.rows
                 if key.partition(".")[0] == stage]  # fmt: skip
        names = tuple(dict.fromkeys([*references(tree), *references(swept)]))
        for name in names:
            require(
                name in stages,
                f"{file}: stages.{stage}: input '@{name}': there is no stage {quoted(name)}; stages: {', '.join(stages)}",
            )
        needs[stage] = names
    return needs


def _order(needs: Mapping[str, tuple[str, ...]], file: Path) -> list[str]:
    """The stages, each after what it needs."""
    order: list[str] = []

    def visit(stage: str, path: tuple[str, ...]) -> None:
        if stage in path:
            circle = [*path[path.index(stage) :], stage]
            raise ConfigError(f"{file}: stages {' → '.join(circle)} form a cycle: a stage needs itself")
        if stage not in order:
            for need in needs[stage]:
                visit(need, (*path, stage))
            order.append(stage)

    for stage in needs:
        visit(stage, ())
    return order


def label(value: Any) -> str:
    """A swept value as it stands in names and tables."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
