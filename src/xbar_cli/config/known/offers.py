"""The names that values of the configuration may have: networks, technologies, data sets, effects. It loads no NumPy."""

import tomllib
from importlib import resources
from typing import get_args

from xbar_cli.config.base import require
from xbar_cli.config.network import NetworkName
from xbar_cli.data.known import known_names
from xbar_cli.outside import did_you_mean, quoted


def networks() -> tuple[str, ...]:
    """The networks that have a name."""
    return get_args(NetworkName)


def technologies() -> tuple[str, ...]:
    """The device technologies that are shipped."""
    return _tables("xbar_cli.device", "technologies.toml")


def switching_models() -> tuple[str, ...]:
    """The models of switching devices that are shipped."""
    return _tables("xbar_cli.device.switching", "presets.toml")


def data_sets() -> tuple[str, ...]:
    """The data sets that there are here."""
    return known_names()


def _tables(package: str, file: str) -> tuple[str, ...]:
    return tuple(tomllib.loads((resources.files(package) / file).read_text(encoding="utf-8")))


def require_technology(name: str, *, key: str) -> None:
    """Raise ConfigError for a technology that is neither shipped nor a file or run of one's own."""
    known = technologies()
    own = name.endswith(".toml") or name.startswith("@") or "/" in name
    require(
        own or name in known,
        f"{key} = {quoted(name)} is no technology{did_you_mean(name, known)}: use {', '.join(known)}, or a file that ends "
        "in .toml",
    )
