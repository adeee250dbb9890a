"""From keyword arguments to a complete run: resolved as a command's options are, computed by the command's workflow."""

import difflib
import os
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from xbar_cli.cli.shared.declared import Declared, declared
from xbar_cli.cli.shared.reporter import TerminalReporter
from xbar_cli.config.base import RootSection
from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.config.chips.advise import ADVISE_WITHOUT, AdviseConfig
from xbar_cli.config.chips.design import DesignConfig
from xbar_cli.config.chips.evaluate import PARTITION_WITHOUT, EvaluateConfig, PartitionConfig
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.config.hardware import MapConfig
from xbar_cli.config.load import flatten, resolve, resume_config
from xbar_cli.config.train import TrainConfig
from xbar_cli.errors import ConfigError
from xbar_cli.figures.formats import also
from xbar_cli.runs.directory import default_out, new_run, reopened_run
from xbar_cli.runs.opening import open_run
from xbar_cli.runs.trackers.tracking import tracked

from .result import Result

SECTIONS: dict[str, type[RootSection]] = {
    "characterize": CharacterizeConfig, "train": TrainConfig, "map": MapConfig, "evaluate": EvaluateConfig,
    "partition": PartitionConfig, "advise": AdviseConfig, "design": DesignConfig, "energy": EnergyConfig,
}  # fmt: skip
"""The configuration of each command."""
WITHOUT = {"partition": PARTITION_WITHOUT, "advise": ADVISE_WITHOUT, "design": ADVISE_WITHOUT}
"""Keys of an evaluation that a command has no use for."""
ROOMS = {"advise": "advise.run", "design": "design.run"}
"""Where the workflows are that have a room of their own."""
WHERE = ("out", "overwrite", "quiet", "figure_format")
KEPT = (*WHERE, "config", "settings")
"""Keywords of every function: see `keywords.Kept`."""


def keywords_of(command: str) -> dict[str, Declared]:
    """The options of a command by the keyword that each is."""
    found = [option for option in declared(SECTIONS[command]) if option.key not in WITHOUT.get(command, ())]
    return {option.name.removeprefix("--").replace("-", "_"): option for option in found}


def call(command: str, run: Any, given: Mapping[str, Any]) -> Result:
    """What a command makes of the run that it is of, if it is of one, and of keywords.

    Raises:
        XbarError: a keyword that there is none of, a value that is not allowed, or what the command itself refuses.
    """
    kept = KEPT if command != "train" else (*KEPT, "resume")
    own = {name: value for name, value in given.items() if name in kept and value is not None}
    values, names = as_options(command, {name: value for name, value in given.items() if name not in kept})
    if run is not None:
        values["run"], names["run"] = plain(run), "run"
    for key, value in (own.get("settings") or {}).items():
        values[key], names[key] = plain(value), f"settings[{key!r}]"
    asked = {"options": values, "option_names": names, "settings": (), "config_file": None}
    if "config" in own:
        asked["config_file"] = Path(plain(own["config"]))
    model, resume = SECTIONS[command], Path(plain(own["resume"])) if "resume" in own else None
    config = resolve(model, **asked) if resume is None else resume_config(model, resume, **asked)
    where = {name: own[name] for name in WHERE if name in own}
    return computed(command, config, config.in_use(), resume=resume, **where)


def compared(a: Any, b: Any, given: Mapping[str, Any]) -> Result:
    """What `xbar compare` makes of two runs."""
    if odd := sorted(set(given) - set(WHERE)):
        raise ConfigError(f"compare has no keyword {odd[0]!r}; it has {', '.join(WHERE)}")
    runs = {"a": plain(a), "b": plain(b)}
    return computed("compare", runs, runs, **given)


def as_options(command: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Values by dotted key, and the keyword that each came by."""
    known = keywords_of(command)
    values, names = {}, {}
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, [*known, *KEPT], n=1)
            hint = f"did you mean {near[0]}?" if near else f"its keywords are the options of xbar {command}"
            raise ConfigError(f"{command} has no keyword {name!r}; {hint}")
        option = known[name]
        names[option.key] = name
        if value is not None:
            values[option.key] = value_of(option, value)
    return values, names


def value_of(option: Declared, value: Any) -> Any:
    """What an option is set to where its keyword has this value."""
    if option.flag is not None and isinstance(value, bool):
        return value == (option.flag == "true")
    if option.repeatable and isinstance(value, (str, bytes, Mapping)):
        value = [value]
    return plain(value)


def plain(value: Any) -> Any:
    """A value as a file could hold it: runs as their folders, NumPy's numbers as Python's."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def workflow_of(command: str, config: Any) -> Callable[..., dict[str, Any]]:
    """What computes a command."""
    if command == "energy" and config.preset is not None:
        return import_module("xbar_cli.energy.presets").run
    return import_module(f"xbar_cli.{ROOMS.get(command, f'workflows.{command}')}").run


def computed(
    command: str,
    config: Any,
    in_use: Mapping[str, Any],
    *,
    out: Any = None,
    overwrite: bool = False,
    quiet: bool = True,
    figure_format: str = "png",
    resume: Path | None = None,
) -> Result:
    """The run of a command, complete."""
    if resume is not None and (out is not None or overwrite):
        raise ConfigError("resume names the run directory itself; leave out and overwrite away")
    target = Path(plain(out)) if out is not None else default_out(command, in_use)
    new = partial(new_run, target, overwrite=overwrite, keep_partial=command == "train")
    opening = reopened_run(resume) if resume is not None else new()
    followed_by = partial(
        tracked, (), config=dict(flatten(in_use)), command=command
    )  # as it was before it was interrupted
    with (
        also(figure_format),
        opening as run,
        TerminalReporter(quiet=quiet) as reporter,
        followed_by(run=run, reporter=reporter) as (followed, tracking),
    ):
        summary = workflow_of(command, config)(config, followed, reporter=reporter)
        run.finish(summary, overwrite=overwrite)
        tracking.finish(summary)
    return Result(run.final, MappingProxyType(summary))


def opened(path: Path) -> Result:
    """A complete run of any command that the functions of this package have."""
    run, summary = open_run(path, commands=(*SECTIONS, "compare", "import"), use="open_result")
    return Result(run.path, MappingProxyType(summary))
