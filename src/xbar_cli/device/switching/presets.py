"""Switching models by name, or from one's own TOML."""

import math
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from xbar_cli.device.switching.model import PulseBranch, Switching
from xbar_cli.errors import ConfigError
from xbar_cli.outside import did_you_mean, quoted, read_toml

SWITCHING = "switching.toml"
"""File of a fit run that holds its switching model."""
_BOUNDS = {
    **{f"pulses_{way}": (1.0, 1e9) for way in ("up", "down")},
    **{f"nonlinearity_{way}": (-20.0, 20.0) for way in ("up", "down")},
    **{f"volt_{way}": (1e-6, 100.0) for way in ("up", "down", "read")},
    **{f"seconds_{way}": (1e-15, 1e3) for way in ("up", "down", "read")},
    **{f"sigma_{what}": (0.0, 10.0) for what in ("cycle", "cycle_window", "step", "asymmetry", "window")},
}
"""Numbers of a model, and from where to where they may be."""
_OPTIONAL = [key for key in _BOUNDS if key.startswith(("nonlinearity", "sigma"))]


def presets() -> dict[str, Any]:
    """The tables of the models that are shipped, by name."""
    return tomllib.loads((resources.files("xbar_cli.device.switching") / "presets.toml").read_text(encoding="utf-8"))


def load_switching(name_or_path: str | Path) -> Switching:
    """A shipped model by its name, or one's own from a TOML file (anything that ends in `.toml`).

    Raises:
        ConfigError: with file and key, for an unknown name, a file that is no TOML, a missing or unknown key, or a value that is
            no number within its bounds.
    """
    text = str(name_or_path)
    shipped = presets()
    if text in shipped:
        return parse_switching(text, shipped[text], where=f"presets.toml, [{text}]")
    if not text.endswith(".toml"):
        raise ConfigError(
            f"switching model {quoted(text)} is unknown{did_you_mean(text, shipped)}: use {', '.join(shipped)}, or a file that "
            "ends in .toml"
        )
    return parse_switching(Path(text).stem, read_toml(Path(text)), where=text)


def parse_switching(name: str, table: Mapping[str, Any], *, where: str) -> Switching:
    """A model from the table of a file; ConfigError, `where` first, for what `load_switching` says."""
    if unknown := [key for key in table if key not in _BOUNDS and key != "source"]:
        raise ConfigError(f"{where}: unknown key {quoted(unknown[0])}; allowed are source, {', '.join(_BOUNDS)}")
    if missing := [key for key in ("source", *_BOUNDS) if key not in table and key not in _OPTIONAL]:
        raise ConfigError(f"{where}: {missing[0]} is missing")
    if not isinstance(table["source"], str) or not table["source"].strip():
        raise ConfigError(f"{where}: source must be a text that says where the figures come from")
    found = {key: _number(table.get(key, 0.0), key, where=where) for key in _BOUNDS}
    kinds = ("pulses", "nonlinearity", "volt", "seconds")
    up, down = (PulseBranch(**{kind: found[f"{kind}_{way}"] for kind in kinds}) for way in ("up", "down"))
    sigmas = {key: value for key, value in found.items() if key.startswith("sigma")}
    reads = {key: found[key] for key in ("volt_read", "seconds_read")}
    return Switching(name=name, source=table["source"], up=up, down=down, **sigmas, **reads)


def _number(value: object, key: str, *, where: str) -> float:
    low, high = _BOUNDS[key]
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not math.isfinite(value)
        or not low <= value <= high
    ):
        raise ConfigError(f"{where}: {key} must be a number from {low:g} to {high:g}, got {quoted(value)}")
    return float(value)
