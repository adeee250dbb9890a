"""Resolving a configuration: defaults < --config < options < --set, with errors that name the origin."""

import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack

import tomli_w
from pydantic import ValidationError

from xbar_cli.errors import ConfigError, RunError
from xbar_cli.outside import clean_text, did_you_mean, parse_toml, quoted, read_text
from xbar_cli.outside import read_toml as read_toml
from xbar_cli.runs.directory import CONFIG, partial
from xbar_cli.runs.seal import ANEW, RunNote
from xbar_cli.runs.whole import write_whole

from .base import RootSection
from .known.keys import names_in
from .known.started import config_of, with_start

C = TypeVar("C", bound=RootSection)
CHECKED = "# as written; crc32 of the above: "
"""Before the checksum that ends the configuration of a run."""


EFFECTS = "effects"
"""Key of a list whose tables have a model each, by which dotted keys reach into it: `variation.effects.drift.t`."""


class OriginError(ConfigError):
    """A value that is not allowed, with where it came from and its key as a file has it."""


class Asked(TypedDict):
    """What a command is asked for."""

    config_file: Path | None
    options: Mapping[str, Any]
    """Values of the command-line options by dotted key; None means not given."""
    option_names: Mapping[str, str]
    """The option's spelling by dotted key, for error messages."""
    settings: Sequence[str]
    """`section.key=value` texts of --set."""


def resolve(model: type[C], **asked: Unpack[Asked]) -> C:
    """The configuration of one command; ConfigError names the origin, the key and what is allowed."""
    given = list(_given(asked))
    tree, origin = collect(given, names=_names(model, given, {}))
    if "network" in model.model_fields:
        tree = with_start(tree, config_of)
    return validate(model, tree, origin)


def resume_config(model: type[C], run: Path, **asked: Unpack[Asked]) -> C:
    """The configuration of the interrupted run at `run`; ConfigError where what is given besides does not agree with it."""
    folder = run if run.name.endswith(".partial") else partial(run)
    if not folder.is_dir():
        state = "is complete; there is nothing to resume" if (run / "done").exists() else "no interrupted run to resume"
        raise ConfigError(f"{run}: {state}")
    config = stored(model, folder)
    tell_changed(folder)
    given = list(_given(asked))
    tree, origin = collect(given, names=_names(model, given, config.in_use()))
    _same(config, validate(model, overlay(config.in_use(), tree), origin), origin)
    return config


def _same(config: C, asked: C, origin: Mapping[str, str]) -> None:
    """Raise ConfigError for a key in which `asked` differs, one that was given if there is such a one."""
    before, after = (dict(flatten(c.in_use())) for c in (config, asked))
    differing = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    if differing:
        key = next((key for key in differing if source_of(key, origin)), differing[0])
        source = source_of(key, origin)
        where = f"{source}: " if source else ""
        raise OriginError(
            f"{where}{key} = {quoted(after.get(key))}, but the run to resume has {quoted(before.get(key))}"
        )


SET, SEED = "--set", "--seed"
"""Where values came from, as errors say it."""

Given = tuple[str, Any, str]
"""A dotted key as it was spelled, its value, and where it came from."""


def _given(asked: Asked) -> Iterator[Given]:
    """Everything given, in the order of precedence."""
    if (file := asked["config_file"]) is not None:
        yield from ((key, value, str(file)) for key, value in flatten(read_toml(file)))
    yield from (
        (key, value, asked["option_names"][key]) for key, value in asked["options"].items() if value is not None
    )
    for key, value in map(parse_setting, asked["settings"]):
        yield from ((leaf, part, SET) for leaf, part in flatten({key: value}))


def _names(model: type[C], given: Sequence[Given], stored: Mapping[str, Any]) -> Mapping[str, str]:
    """What top-level keys stand for, all that is given and `stored` being known; ConfigError for a key in both spellings."""
    names = model.stands_for({**stored, **{key: value for key, value, _ in given}})
    spelled = [(where, key) for key, _, where in given if where != "--set"]  # of --set, the last wins
    for where, key in spelled:
        if (where, names.get(key)) in spelled:
            raise OriginError(f"{where}: {key} and {names[key]} say the same: give one of them")
    return names


def collect(given: Sequence[Given], *, names: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What is given, later over earlier, as one tree, and where each dotted key came from; `names` as `stands_for` has them."""
    tree: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for spelled, value, where in given:
        require_clean(spelled, value, where=where)
        key = spelled if isinstance(value, Mapping) else names.get(spelled, spelled)
        below = [name for name in origin if name.startswith(f"{key}.")]
        if value == {} and below:
            continue  # an empty table takes nothing away
        put(tree, key, value, where=where)
        for name in below:
            del origin[name]
        origin[key] = where
    return tree, origin


def require_clean(key: str, value: Any, *, where: str) -> None:
    """Raise ConfigError for a text, in lists and tables too, that no file could hold."""
    try:
        for part in (key, value) if isinstance(value, str) else (key,):
            clean_text(part)
    except ValueError as error:
        raise OriginError(f"{where}: {quoted(key)[1:-1]}: {error}") from None
    for name, item in value.items() if isinstance(value, Mapping) else ():
        require_clean(f"{key}.{name}" if name else key, item, where=where)
    for item in value if isinstance(value, list) else ():
        require_clean(key, item, where=where)


def overlay(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `under`: tables merge, values replace."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = overlay(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def source_of(key: str, origin: Mapping[str, str]) -> str:
    """Where a dotted key came from, or else the table around it or a key inside it; empty when it was not given."""
    near = (
        where for name, where in origin.items() if f"{name}.".startswith(f"{key}.") or f"{key}.".startswith(f"{name}.")
    )
    return origin.get(key) or next(near, "")


def validate(model: type[C], tree: Mapping[str, Any], origin: Mapping[str, str]) -> C:
    """`tree` as a checked configuration; `origin` says where each dotted key came from."""
    try:
        config = model.model_validate(tree)
    except ValidationError as error:
        raise described(error, origin, key_of=model.key_of, known=lambda: names_in(model)) from None
    config.check()
    return config


def stored(model: type[C], run: Path) -> C:
    """The configuration that a run was made with, checked as one that is given would be; RunError where it is none."""
    try:
        return validate(model, read_toml(run / CONFIG), {})
    except ConfigError as error:
        said = str(error).removeprefix(f"{run / CONFIG}: ")
        raise RunError(f"{run}: {CONFIG} is damaged, or of another version of xbar ({said}); {ANEW}") from None


def described(
    error: ValidationError,
    origin: Mapping[str, str],
    *,
    key_of: Callable[[tuple[int | str, ...]], str],
    known: Callable[[], Iterable[str]] = tuple,
) -> ConfigError:
    """The first thing that pydantic found wrong, in one line; `known` are the keys that there are."""
    first = error.errors()[0]
    key = key_of(first["loc"])
    source = source_of(key, origin)
    where = f"{source}: " if source else ""
    if first["type"] == "extra_forbidden":
        return OriginError(f"{where}unknown key {quoted(key)}{did_you_mean(key, known())}")
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if first["type"] == "value_error":
        return OriginError(f"{where}{key}: {message}") if key else ConfigError(f"{where}{message}")
    return OriginError(f"{where}{key} = {quoted(first['input'])}: {message}")


def write_toml(path: Path, config: RootSection) -> None:
    """Write the resolved configuration, whole or not at all: what is in use and has a value (TOML has no null)."""
    text = tomli_w.dumps(config.in_use())
    write_whole(path, f"{text}\n{CHECKED}{_checksum(text)}\n")


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def tell_changed(folder: Path) -> None:
    """Warn where the configuration of an interrupted run, which no list of files vouches for yet, is not as it was written."""
    text, mark, checksum = read_text(folder / CONFIG).rpartition(f"\n{CHECKED}")
    if not mark or checksum.strip() != _checksum(text):
        warnings.warn(
            RunNote(f"{folder}: {CONFIG} is not as the run wrote it (changed, or cut): going on with what it says now"),
            stacklevel=2,
        )


def flatten(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """The leaves of nested tables as (dotted key, value); an empty table is a leaf."""
    leaves: list[tuple[str, Any]] = []
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            leaves += flatten(value, f"{prefix}{name}.")
        else:
            leaves.append((f"{prefix}{name}", value))
    return leaves


def put(tree: dict[str, Any], key: str, value: Any, *, where: str) -> None:
    """Set a dotted key in nested tables."""
    *sections, name = key.split(".")
    for depth, section in enumerate(sections):
        below = tree.setdefault(section, {})
        if section == EFFECTS and isinstance(below, list | tuple):
            tree[section] = with_parameter(below, [*sections[depth + 1 :], name], value, where=f"{where}: {key}")
            return
        tree = below
        if not isinstance(tree, dict):
            raise ConfigError(f"{where}: {key}: {quoted(section)} is a value, not a section")
    tree[name] = value


def with_parameter(effects: Sequence[Any], path: Sequence[str], value: Any, *, where: str) -> list[Any]:
    """A list of effects, texts or tables, with one parameter of one of them set: `path` is its model and the parameter.

    An effect that is not among them is added. ConfigError where two have the model.
    """
    if len(path) != 2:
        raise ConfigError(f"{where}: name an effect and one of its parameters, such as {EFFECTS}.drift.t")
    model, parameter = path
    found = list(effects)
    places = [n for n, effect in enumerate(found) if _model_of(effect) == model]
    if len(places) > 1:
        raise ConfigError(f"{where}: {len(places)} effects are {model}: which of them is meant is not said")
    if not places:
        return [*found, {"model": model, parameter: value}]
    old = found[places[0]]
    if isinstance(old, str):
        others = [part for part in old.partition(":")[2].split(",") if part]
        table = {name.strip(): text.strip() for name, _, text in (part.partition("=") for part in others)}
        found[places[0]] = {"model": model, **table, parameter: value}
    else:
        found[places[0]] = {**old, parameter: value}
    return found


def _model_of(effect: Any) -> str | None:
    """The model of an effect, a text or a table."""
    return effect.partition(":")[0] if isinstance(effect, str) else dict(effect).get("model")


def parse_setting(text: str) -> tuple[str, Any]:
    """The key and value of `section.key=value`; the value is TOML, or a plain text where it is none."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key or not all(part.replace("_", "").isalnum() for part in key.split(".")):
        raise ConfigError(f"--set {quoted(text)}: write section.key=value")
    try:
        found = parse_toml(f"x = {value}", where="--set")
    except ConfigError:
        return key, value.strip()
    return key, found["x"] if list(found) == ["x"] else value.strip()
