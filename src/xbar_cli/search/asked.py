"""What a search is of: an experiment, the space of its designs, what is wanted of them; read from a file and checked."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from xbar_cli.config.base import require
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.load import described, flatten, parse_setting, put
from xbar_cli.errors import ConfigError
from xbar_cli.experiment.file import REPRODUCE, SEARCH, Axis, Experiment, parse_experiment
from xbar_cli.experiment.grid import Point, expand
from xbar_cli.outside import quoted, read_toml
from xbar_cli.search.axes import check_axes, parse_axes
from xbar_cli.search.objectives import Constraint, Goal, parse_constraint, parse_objective
from xbar_cli.search.section import SearchSection
from xbar_cli.search.space import Listed, Space, joined, listed

EVALUATE = "evaluate"


@dataclass(frozen=True)
class Search:
    """A search, checked.

    Attributes:
        experiment: its stages, as they are where no axis says otherwise.
        space: of the designs.
        section: budget, sampler, batch, race.
        objectives: what is to be large or small.
        constraints: bounds.
        chips: most chips that a design takes.
        tables: the table `[search]`, for the record.
    """

    experiment: Experiment
    space: Space
    section: SearchSection
    objectives: tuple[Goal, ...]
    constraints: tuple[Constraint, ...]
    chips: int
    tables: Mapping[str, Any]

    @property
    def identity(self) -> str:
        """A hash of everything that designs and their values follow from; the budget and the reference do not count."""
        section = self.section.model_dump(exclude={"budget", "reference"})
        said = [self.experiment.tree(), repr(self.space), section]
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]

    def point(self, values: Mapping[str, Any]) -> Point:
        """The runs of a design; ConfigError where a stage refuses it."""
        axes = tuple(Axis((key,), ((value,),)) for key, value in values.items())
        return expand(replace(self.experiment, axes=axes))[0]


def load_search(file: Path, *, settings: Sequence[str] = (), seed: Any = None) -> Search:
    """Read and check an experiment file for a search. ConfigError says in one line what is wrong, where, and what is allowed.

    `settings` are `stage.section.key=value` texts, or `search.key=value`; `seed` is of every stage.
    """
    tree = {key: value for key, value in read_toml(file).items() if key != REPRODUCE}
    tables = tree.pop(SEARCH, None)
    require(isinstance(tables, dict), f"{file}: a search needs a table [search] with objectives")
    assert isinstance(tables, dict)
    own = [text for text in settings if text.strip().startswith(f"{SEARCH}.")]
    for key, value in map(parse_setting, own):
        put(tables, key.removeprefix(f"{SEARCH}."), value, where=f"{file}: search")
    others = [text for text in settings if text not in own]
    known = set(SearchSection.model_fields)
    stages = tree.get("stages")
    names = set(stages) if isinstance(stages, dict) else set[str]()
    unknown = [quoted(name) for name in tables if name not in known | names]
    require(not unknown, f"{file}: search: unknown key {', '.join(unknown)}; use a stage's dotted key, "
            f"{', '.join(SearchSection.model_fields)}")  # fmt: skip
    section = _section({k: v for k, v in tables.items() if k in known}, file)
    return _parsed(file, tree, tables, section, others, seed)


def _parsed(
    file: Path, tree: dict[str, Any], tables: dict[str, Any], section: SearchSection, settings: Sequence[str], seed: Any
) -> Search:  # fmt: skip
    where = f"{file}: search"
    own = parse_axes({k: v for k, v in tables.items() if k not in SearchSection.model_fields}, file=file)
    stages = tree.get("stages") if isinstance(tree.get("stages"), dict) else {}
    check_axes(own, stages or {}, file=file)
    sweep = parse_experiment(tree, file, most=None).axes if "sweep" in tree else ()
    space = joined(listed(sweep), own)
    require(
        bool(space.dimensions), f"{where}: no axis: give STAGE.key = {{low = A, high = B}} here, or lists in [sweep]"
    )
    check_axes(space.dimensions, stages or {}, file=file)
    # stages need what any value of an axis names; a bound stands for all between
    lists = {d.keys: d.values.rows if isinstance(d.values, Listed) else ((d.values.low,) * len(d.keys),)
             for d in space.dimensions}  # fmt: skip
    zipped = [list(keys) for keys in lists if len(keys) > 1]
    grid = {key: [row[n] for row in rows] for keys, rows in lists.items() for n, key in enumerate(keys)}
    bare = {k: v for k, v in tree.items() if k != "sweep"} | {"sweep": grid | ({"zip": zipped} if zipped else {})}
    experiment = replace(parse_experiment(bare, file, settings=settings, seed=seed, most=None), axes=())
    objectives = tuple(parse_objective(text, where=f"{where}.objectives") for text in section.objectives)
    constraints = tuple(parse_constraint(text, where=f"{where}.constraints") for text in section.constraints)
    figures = [o.figure for o in objectives]
    require(len(set(figures)) == len(figures), f"{where}.objectives: a figure is named twice")
    stray = [quoted(name) for name in section.reference if name not in figures]
    require(not stray, f"{where}.reference: {', '.join(stray)} is no objective; objectives: {', '.join(figures)}")
    require(section.sampler != "grid" or space.size() is not None,
            f"{where}.sampler = 'grid': an axis between bounds has no end of values; give it a step, or choices")  # fmt: skip
    made = Search(experiment, space, section, objectives, constraints, 0, tables)
    return replace(made, chips=most_chips(made))


def _section(tree: Mapping[str, Any], file: Path) -> SearchSection:
    try:
        return SearchSection.model_validate(tree)
    except ValidationError as error:
        found = described(error, {}, key_of=lambda loc: ".".join(map(str, loc)))
        raise ConfigError(f"{file}: search: {found}") from None


def most_chips(search: Search) -> int:
    """Most chips of a design, over the ends of every axis. ConfigError where a stage refuses one, or chips cannot be raced."""
    racing = search.section.race is not None
    if racing:
        _require_races(search)
    return max(chips_of(search, search.space.design(positions)) for positions in search.space.corners())


def chips_of(search: Search, values: Mapping[str, Any]) -> int:
    """Chips of a design, over its evaluations; 0 without any."""
    return sum(len(chips) for chips in chips_in(search.point(values)).values())


def chips_in(point: Point) -> dict[str, range]:
    """Numbers of the chips that each evaluation of a point draws: one where all are the same."""
    found: dict[str, range] = {}
    for stage, run in point.runs.items():
        if run.command == EVALUATE:
            config = EvaluateConfig.model_validate(run.config)
            most = config.monte_carlo.samples or config.monte_carlo.max_samples or 1
            found[stage] = range(config.first_chip, config.first_chip + (most if config.differing else 1))
    return found


def _require_races(search: Search) -> None:
    """Raise ConfigError where the chips of an evaluation cannot be drawn in parts."""
    off = "write search.race = false"
    where = search.experiment.file
    for stage, command in search.experiment.commands.items():
        if command != EVALUATE:
            continue
        swept = {key for d in search.space.dimensions for key in d.keys}
        keys = {f"{stage}.{key}" for key, _ in flatten(search.experiment.stages[stage])} | swept
        require(f"{stage}.monte_carlo.ci_width" not in keys,
                f"{where}: stage {stage} draws chips until an interval is narrow: no race can cut that short; {off}")  # fmt: skip
        user = next((name for name, needs in search.experiment.needs.items() if stage in needs), None)
        require(user is None, f"{where}: stage {user} reads the run of {stage}, which a race makes in parts; {off}")


def rungs(search: Search) -> list[int]:
    """Chips after which designs are judged, for the design with the most of them."""
    race = search.section.race
    if race is None or search.chips == 0:
        return [search.chips]
    found = [min(race.first, search.chips)]
    while found[-1] < search.chips:
        found.append(min(found[-1] * race.factor, search.chips))
    return found
