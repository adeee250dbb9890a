"""The points of an experiment's grid, each with the resolved configuration of every stage and the names of its runs."""

import copy
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from xbar_cli.config.known.started import config_of, with_start
from xbar_cli.config.load import put, validate
from xbar_cli.errors import ConfigError, XbarError
from xbar_cli.experiment.file import MODELS, Experiment, label, references
from xbar_cli.experiment.inputs import check_inputs
from xbar_cli.experiment.naming import short_name, short_names, telling


@dataclass(frozen=True)
class StageRun:
    """One stage at one point: what one run directory holds.

    Attributes:
        stage: its name.
        command: its command.
        key: name of its directory: the stage and a hash of what determines the run.
        config: the resolved configuration; inputs are written `@key`.
        needs: keys of the runs that it reads.
    """

    stage: str
    command: str
    key: str
    config: dict[str, Any]
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """One point of the grid.

    Attributes:
        name: the swept values, `key=value` joined by commas; the experiment's name without a grid.
        index: its position along each axis.
        values: the swept values by dotted key.
        runs: the run of each stage.
    """

    name: str
    index: tuple[int, ...]
    values: dict[str, Any]
    runs: dict[str, StageRun]


def expand(experiment: Experiment) -> list[Point]:
    """The points of the grid, each with the resolved configuration of every stage; ConfigError where two are one and the same."""
    known: dict[str, StageRun] = {}
    points: list[Point] = []
    owners: dict[tuple[str, ...], str] = {}
    short = short_names([key for axis in experiment.axes for key in axis.keys])
    for index in product(*(range(len(axis.rows)) for axis in experiment.axes)):
        values: dict[str, Any] = {}
        for axis, position in zip(experiment.axes, index, strict=True):
            values.update(zip(axis.keys, axis.rows[position], strict=True))
        name = ",".join(f"{key}={label(value)}" for key, value in values.items()) or experiment.name
        runs: dict[str, StageRun] = {}
        for stage in experiment.stages:
            try:
                runs[stage] = _stage_run(experiment, stage, values, runs, known)
            except XbarError as error:
                at = f"point {short_name(values, names=short)}: " if values else ""
                raise ConfigError(f"{experiment.file}: {at}stages.{stage}: {error}") from None
        identity = tuple(run.key for run in runs.values())
        if identity in owners:
            raise ConfigError(
                f"{experiment.file}: sweep: points {owners[identity]} and {name} are one and the same run"
            )
        owners[identity] = name
        points.append(Point(name=name, index=index, values=values, runs=runs))
    return points


def _stage_run(
    experiment: Experiment, stage: str, values: Mapping[str, Any], runs: Mapping[str, StageRun], known: dict[str, StageRun]
) -> StageRun:  # fmt: skip
    """The run of a stage at the point with these values; equal ones are checked once."""
    tree = copy.deepcopy(experiment.stages[stage])
    for key in sorted(values, key=lambda key: key.count(".")):  # a table before what reaches into it
        name, _, rest = key.partition(".")
        if name == stage:
            put(tree, rest, copy.deepcopy(values[key]), where=f"sweep.{key}")
    needs = tuple(dict.fromkeys(runs[name].key for name in references(tree)))
    tree = renamed(tree, lambda name: f"@{runs[name].key}")
    command = experiment.commands[stage]
    inputs = {run.key: run for run in runs.values()}
    if command == "train":
        tree = with_start(tree, lambda run: inputs[run[1:]].config if run[:1] == "@" else config_of(run))
    signature = json.dumps([stage, tree], sort_keys=True, default=str)
    if signature not in known:
        config = validate(MODELS[command], tree, {}).in_use()
        check_inputs(command, config, inputs)
        content = json.dumps({"command": command, "config": config}, sort_keys=True, default=str)
        digest = hashlib.sha256(content.encode()).hexdigest()[:12]
        known[signature] = StageRun(stage, command, f"{stage}-{digest}", config, needs)
    return known[signature]


def renamed(tree: Any, name_of: Callable[[str], str]) -> Any:
    """The tree with every input `@NAME` replaced by what `name_of` makes of NAME."""
    if isinstance(tree, Mapping):
        return {key: renamed(value, name_of) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [renamed(value, name_of) for value in tree]
    return name_of(tree[1:]) if isinstance(tree, str) and tree.startswith("@") else tree


def shared_values(points: Sequence[Point]) -> dict[str, dict[str, Any]]:
    """Every run's swept values that all of its points have in common, by dotted key."""
    shared: dict[str, dict[str, Any]] = {}
    for point in points:
        for run in point.runs.values():
            before = shared.setdefault(run.key, dict(point.values))
            shared[run.key] = {key: value for key, value in before.items() if point.values.get(key) == value}
    return shared


def run_names(points: Sequence[Point]) -> dict[str, str]:
    """Every run by its stage and those swept values that all of its points have in common: `evaluate r_wire=1`."""
    names, shared = short_names(telling([point.values for point in points])), shared_values(points)
    stages = {run.key: run.stage for point in points for run in point.runs.values()}
    return {key: f"{stage} {short_name(shared[key], names=names)}".strip() for key, stage in stages.items()}
