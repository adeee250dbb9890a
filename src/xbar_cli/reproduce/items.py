"""The items of the papers: experiment files with a table `[reproduce]`, read at one of three sizes and checked whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from xbar_cli.config.base import require
from xbar_cli.config.load import described, flatten
from xbar_cli.errors import ConfigError
from xbar_cli.experiment.file import REPRODUCE, Experiment, parse_experiment
from xbar_cli.experiment.grid import Point, expand
from xbar_cli.outside import quoted, read_toml
from xbar_cli.reproduce.checks import check_item
from xbar_cli.reproduce.sections import ItemSection, Preset

PAPERS = ("neat", "tat", "acm", "biased")


@dataclass(frozen=True)
class Item:
    """An item of a paper at one size.

    Attributes:
        paper: its short name.
        name: of the file, such as `fig8`.
        file: where it was read.
        about: its table `[reproduce]`.
        experiment: stages and grid at this size.
        points: of the grid.
        smaller: what this size has in place of the paper's: `net.training.epochs = 2, in full 20`.
    """

    paper: str
    name: str
    file: Path
    about: ItemSection
    experiment: Experiment
    points: tuple[Point, ...]
    smaller: tuple[str, ...]


def experiments_folder() -> Path:
    """Where the papers' items are: in the package (installed wheel) or at the top of the repository (editable)."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "experiments", package.parents[1] / "experiments"):
        if any((folder / paper).is_dir() for paper in PAPERS):
            return folder
    raise ConfigError("the folder experiments is missing: the installation is incomplete, install the package again")


def find_items(paper: str, preset: Preset, *, folder: Path, only: str | None = None) -> list[Item]:
    """The items of a paper, or of `all`, in the order of their names; ConfigError where there is none of the name `only`."""
    papers = PAPERS if paper == "all" else (paper,)
    files = {
        (name, file.stem): file for name in papers for file in sorted((folder / name).glob("*.toml"), key=in_order)
    }
    items = [key for key, file in files.items() if REPRODUCE in read_toml(file)]
    wanted = [key for key in items if only in (None, key[1])]
    if not wanted:
        names = ", ".join(dict.fromkeys(name for _, name in items)) or "none"
        raise ConfigError(f"{paper} has no item {quoted(only)}; there are {names}")
    return [read_item(files[key], preset) for key in wanted]


def in_order(file: Path) -> tuple[str, int, str]:
    """Tables and figures by their number: fig8 before fig10."""
    word = file.stem.rstrip("0123456789abcdefgh")
    digits = "".join(c for c in file.stem[len(word) :] if c.isdigit())
    return word, int(digits or 0), file.stem


def read_item(file: Path, preset: Preset) -> Item:
    """The item of a file at one size. ConfigError says in one line what is wrong, where, and what is allowed."""
    tree = read_toml(file)
    require(REPRODUCE in tree, f"{file}: no item of a paper: a table [reproduce] is missing")
    about = item_section(tree.pop(REPRODUCE), file)
    at_size = replaced(tree, about.replaced(preset), where=f"{file}: reproduce.{preset}")
    experiment = parse_experiment(at_size, file)
    points = tuple(expand(experiment))
    check_item(about, experiment, points, preset=preset)
    full = replaced(tree, about.full, where=f"{file}: reproduce.full")
    return Item(file.parent.name, file.stem, file, about, experiment, points, differences(at_size, full))


def item_section(tree: Any, file: Path) -> ItemSection:
    """The table `[reproduce]`."""
    require(isinstance(tree, Mapping), f"{file}: reproduce = {quoted(tree)} must be a table")
    try:
        return ItemSection.model_validate(tree)
    except ValidationError as error:
        found = described(error, {}, key_of=lambda loc: ".".join(map(str, loc)))
        raise ConfigError(f"{file}: reproduce: {found}") from None


def replaced(tree: Mapping[str, Any], keys: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """The tables of an experiment, flat below each stage and in the sweep, with the keys of a size replaced."""
    stages = {name: dict(flatten(table)) if isinstance(table, Mapping) else table
              for name, table in tree.get("stages", {}).items()}  # fmt: skip
    sweep = dict(flatten({k: v for k, v in tree.get("sweep", {}).items() if k != "zip"}))
    groups = [list(group) for group in tree.get("sweep", {}).get("zip", [])]
    for key, value in flatten(keys):
        stage, _, rest = key.partition(".")
        require(stage in stages and bool(rest) and rest != "command",
                f"{where}: {quoted(key)}: write STAGE.key; stages: {', '.join(stages)}")  # fmt: skip
        if key in sweep and isinstance(value, list):
            sweep[key] = value
            continue
        sweep.pop(key, None)
        groups = [[member for member in group if member != key] for group in groups]
        stages[stage][rest] = value
    found = {**tree, "stages": stages}
    found.pop("sweep", None)
    kept = [group for group in groups if len(group) > 1]
    return found | ({"sweep": sweep | ({"zip": kept} if kept else {})} if sweep else {})


def differences(ours: Mapping[str, Any], full: Mapping[str, Any]) -> tuple[str, ...]:
    """What one size has in place of another: the keys of stages and of the grid that are not the same."""
    here, there = (dict(flatten(tree.get("stages", {}))) | tree.get("sweep", {}) for tree in (ours, full))
    keys = [key for key in {**here, **there} if here.get(key) != there.get(key) and key != "zip"]
    return tuple(f"{key} = {_shown(here.get(key))}, in full {_shown(there.get(key))}" for key in keys)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return "as usual" if value is None else str(value)
