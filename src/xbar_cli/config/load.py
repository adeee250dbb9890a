"""Resolving a configuration: defaults < --config < options < --set, with errors that name the origin."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import tomli_w
from pydantic import ValidationError

from xbar_cli.errors import ConfigError


class Config(Protocol):
    """A root configuration: a pydantic model with a `check` of the rules that join several keys."""

    @classmethod
    def model_validate(cls, obj: Any) -> Self: ...  # noqa: D102

    def check(self) -> None: ...  # noqa: D102

    def in_use(self) -> dict[str, Any]: ...  # noqa: D102


C = TypeVar("C", bound=Config)


def resolve(
    model: type[C],
    *,
    config_file: Path | None,
    options: Mapping[str, Any],
    option_names: Mapping[str, str],
    settings: Sequence[str],
) -> C:
    """The configuration of one command.

    Args:
        model: the root section.
        config_file: a TOML file, or None.
        options: values of the command-line options by dotted key; None means not given.
        option_names: the option's spelling by dotted key, for error messages.
        settings: `section.key=value` texts of --set.

    Raises:
        ConfigError: one line that names the origin, the key and what is allowed.
    """
    tree, origin = collect(config_file=config_file, options=options, option_names=option_names, settings=settings)
    return validate(model, tree, origin)


def resume_config(
    model: type[C],
    run: Path,
    *,
    config_file: Path | None,
    options: Mapping[str, Any],
    option_names: Mapping[str, str],
    settings: Sequence[str],
) -> C:
    """The configuration of the interrupted run at `run`; whatever is given besides must agree with it.

    Raises:
        ConfigError: the run has no configuration, or a given value differs from it.
    """
    folder = run if run.name.endswith(".partial") else run.with_name(run.name + ".partial")
    if not folder.is_dir():
        state = "is complete; there is nothing to resume" if (run / "done").exists() else "no interrupted run to resume"
        raise ConfigError(f"{run}: {state}")
    stored = read_toml(folder / "config.toml")
    tree, origin = collect(config_file=config_file, options=options, option_names=option_names, settings=settings)
    config = validate(model, stored, {})
    merged: dict[str, Any] = {}
    for key, value in [*flatten(stored), *flatten(tree)]:
        put(merged, key, value, where=origin.get(key, str(folder)))
    asked = validate(model, merged, origin)
    before, after = (dict(flatten(c.in_use())) for c in (config, asked))
    for key in origin:
        if before.get(key) != after.get(key):
            raise ConfigError(
                f"{origin[key]}: {key} = {after.get(key)!r}, but the run to resume has {before.get(key)!r}"
            )
    return config


def collect(
    *,
    config_file: Path | None,
    options: Mapping[str, Any],
    option_names: Mapping[str, str],
    settings: Sequence[str],
) -> tuple[dict[str, Any], dict[str, str]]:
    """Everything given, merged in the order of precedence, and where each dotted key came from."""
    tree: dict[str, Any] = {}
    origin: dict[str, str] = {}
    if config_file is not None:
        for key, value in flatten(read_toml(config_file)):
            put(tree, key, value, where=str(config_file))
            origin[key] = str(config_file)
    for key, value in options.items():
        if value is not None:
            put(tree, key, value, where=option_names[key])
            origin[key] = option_names[key]
    for text in settings:
        key, value = parse_setting(text)
        put(tree, key, value, where="--set")
        origin[key] = "--set"
    return tree, origin


def validate(model: type[C], tree: Mapping[str, Any], origin: Mapping[str, str]) -> C:
    """`tree` as a checked configuration; `origin` says where each dotted key came from."""
    try:
        config = model.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(describe(error, origin)) from None
    config.check()
    return config


def describe(error: ValidationError, origin: Mapping[str, str]) -> str:
    """One line for the first thing that pydantic found wrong."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    source = next((where for name, where in origin.items() if name == key or name.startswith(key + ".")), None)
    where = f"{source}: " if source else ""
    if first["type"] == "extra_forbidden":
        return f"{where}unknown key {key!r}"
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if first["type"] == "value_error":
        return f"{where}{key}: {message}" if key else message
    return f"{where}{key} = {first['input']!r}: {message}"


def read_toml(path: Path) -> dict[str, Any]:
    """The contents of a TOML file.

    Raises:
        ConfigError: the file is not there, not readable, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML ({error})") from None


def write_toml(path: Path, config: Config) -> None:
    """Write the resolved configuration, whole or not at all: what is in use and has a value (TOML has no null)."""
    part = path.with_name(path.name + ".part")
    part.write_text(tomli_w.dumps(config.in_use()), encoding="utf-8")
    part.replace(path)


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
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"{where}: {key}: {section!r} is a value, not a section")
    tree[name] = value


def parse_setting(text: str) -> tuple[str, Any]:
    """The key and value of `section.key=value`; the value is TOML, or a plain text where it is none."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key or not all(part.replace("_", "").isalnum() for part in key.split(".")):
        raise ConfigError(f"--set {text!r}: write section.key=value")
    try:
        return key, tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        return key, value.strip()
