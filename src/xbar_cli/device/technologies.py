"""Device technologies: ranges, circuit resistances and statistics, from the shipped file or one's own TOML."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from xbar_cli.device.statistics import LARGEST_SIEMENS, Statistics, fit_for, statistics
from xbar_cli.errors import ConfigError
from xbar_cli.outside import did_you_mean, quoted, read_toml

TECHNOLOGY = "technology.toml"
"""File of a fit run that says what devices were measured."""
STATISTICS = "statistics.toml"
"""File of a fit run that holds its table or curve."""

_REQUIRED = ("source", "r_on_ohm", "r_off_ohm")
_OPTIONAL = (
    "device_r_on_ohm",
    "device_r_off_ohm",
    "r_source_ohm",
    "r_neuron_ohm",
    "sigma_chip_relative",
    "states",
    "levels_siemens",
    "drift",
)
_STATES = ("target_siemens", "mean_siemens", "sigma_siemens")
_DRIFT = ("t0_seconds", "nu_mean", "nu_sigma")


@dataclass(frozen=True, kw_only=True)
class PowerLawDrift:
    """Drift of one exponent for all states: `G(t) = G0·(t/t0)^−ν`, ν ~ N(nu_mean, nu_sigma²)."""

    t0_seconds: float
    nu_mean: float
    nu_sigma: float


@dataclass(frozen=True, kw_only=True)
class Technology:
    """One device technology; what its source does not give is None.

    Attributes:
        name: its name in the shipped file, or the stem of the file it came from.
        source: where the figures come from.
        r_on: lowest resistance that weights are mapped to [ohm].
        r_off: highest resistance that weights are mapped to [ohm].
        device_r_on: lowest resistance of the device [ohm].
        device_r_off: highest resistance of the device [ohm].
        r_source: lowest and highest driver resistance considered [ohm].
        r_neuron: lowest and highest sense resistance considered [ohm].
        sigma_chip_relative: relative standard deviation between chips.
        states: table of a multi-level device [S].
        levels: conductances that its devices are programmed to [S]; any where None.
        drift: power-law drift.
    """

    name: str
    source: str
    r_on: float
    r_off: float
    device_r_on: float | None = None
    device_r_off: float | None = None
    r_source: tuple[float, float] | None = None
    r_neuron: tuple[float, float] | None = None
    sigma_chip_relative: float | None = None
    states: Statistics | None = None
    levels: tuple[float, ...] | None = None
    drift: PowerLawDrift | None = None

    @property
    def g_on(self) -> float:
        """Highest conductance that weights are mapped to [S]."""
        return 1 / self.r_on

    @property
    def g_off(self) -> float:
        """Lowest conductance that weights are mapped to [S]."""
        return 1 / self.r_off

    @property
    def ratio(self) -> float:
        """R_off/R_on of the range that weights are mapped to."""
        return self.r_off / self.r_on


def load_technology(name_or_path: str | Path) -> Technology:
    """A shipped technology by its name, or one's own from a TOML file (anything that ends in `.toml`).

    Raises:
        ConfigError: with file and key, for an unknown name, a file that is no TOML, a missing or unknown key, a value
            of the wrong kind, or a range whose G_on is not above its G_off.
    """
    text = str(name_or_path)
    if text.endswith(".toml"):
        path = Path(text)
        return _technology(path.stem, read_toml(path), where=text)
    shipped = tomllib.loads((resources.files("xbar_cli.device") / "technologies.toml").read_text(encoding="utf-8"))
    if text not in shipped:
        raise ConfigError(
            f"technology {quoted(text)} is unknown{did_you_mean(text, shipped)}: use {', '.join(shipped)}, or a file that "
            "ends in .toml"
        )
    return _technology(text, shipped[text], where=f"technologies.toml, [{text}]")


def read_statistics(path: Path, *, part: Literal["all", "device", "cycle"] = "all") -> Statistics:
    """The table or curve (target, mean, spread) that `xbar fit` wrote: its run directory, or a TOML file; else ConfigError.

    `part` takes the spread between devices, or between the writes of one, in the place of all of it.
    """
    file = path / STATISTICS if path.is_dir() else path
    table = read_toml(file)
    parts = {kind: table.pop(f"sigma_{kind}_siemens", None) for kind in ("device", "cycle")}
    if part != "all" and parts[part] is None:
        raise ConfigError(f"{file}: has no sigma_{part}_siemens; fit a table that names the device of every line")
    found = _states(table if part == "all" else {**table, "sigma_siemens": parts[part]}, where=str(file))
    assert found is not None
    return found


def _technology(name: str, table: Mapping[str, Any], *, where: str) -> Technology:
    _check_keys(table, required=_REQUIRED, allowed=_REQUIRED + _OPTIONAL, where=where)
    if not isinstance(table["source"], str) or not table["source"].strip():
        raise ConfigError(f"{where}: source must be a text that says where the figures come from")
    r_on, r_off = _range(table, "r_on_ohm", "r_off_ohm", where=where)
    device_r_on, device_r_off = _device_range(table, r_on, r_off, where=where)
    key = "sigma_chip_relative"
    sigma = _number(table[key], key, where=where) if key in table else None
    if sigma is not None and sigma > 10:
        raise ConfigError(f"{where}: sigma_chip_relative must be a share of the conductance, at most 10, got {sigma:g}")
    states = _states(table.get("states"), where=where)
    if states is not None:
        fit_for(states, g_off=1 / r_off, g_on=1 / r_on, where=f"{where}, states")
    return Technology(
        name=name,
        source=table["source"],
        r_on=r_on,
        r_off=r_off,
        device_r_on=device_r_on,
        device_r_off=device_r_off,
        r_source=_interval(table, "r_source_ohm", where=where),
        r_neuron=_interval(table, "r_neuron_ohm", where=where),
        sigma_chip_relative=sigma,
        states=states,
        levels=_levels(table.get("levels_siemens"), where=where),
        drift=_drift(table.get("drift"), where=where),
    )


def _levels(given: object, *, where: str) -> tuple[float, ...] | None:
    """Ascending conductances [S]."""
    if given is None:
        return None
    values = given if isinstance(given, list) else []
    found = tuple(_number(value, "levels_siemens", where=where) for value in values)
    if len(found) < 2 or list(found) != sorted(set(found)):
        raise ConfigError(f"{where}: levels_siemens must be a list of ascending conductances, two or more [S]")
    return found


def _check_keys(table: object, *, required: tuple[str, ...], allowed: tuple[str, ...], where: str) -> None:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: must be a table with {', '.join(required)}")
    if unknown := [key for key in table if key not in allowed]:
        raise ConfigError(f"{where}: unknown key {unknown[0]}; allowed are {', '.join(allowed)}")
    if missing := [key for key in required if key not in table]:
        raise ConfigError(f"{where}: {missing[0]} is missing")


def _number(value: object, key: str, *, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ConfigError(f"{where}: {key} must be a finite number of at least 0, got {quoted(value)}")
    return float(value)


def _range(table: Mapping[str, Any], on: str, off: str, *, where: str) -> tuple[float, float]:
    r_on, r_off = (_number(table[key], key, where=where) for key in (on, off))
    if not 0 < r_on < r_off:
        raise ConfigError(
            f"{where}: {on} must be above 0 and below {off} (G_on above G_off), got {r_on:g} and {r_off:g} ohm"
        )
    if r_on < 1 / LARGEST_SIEMENS:
        raise ConfigError(
            f"{where}: {on} must be at least {1 / LARGEST_SIEMENS:g} ohm, got {r_on:g}: is it a conductance?"
        )
    return r_on, r_off


def _device_range(
    table: Mapping[str, Any], r_on: float, r_off: float, *, where: str
) -> tuple[float, float] | tuple[None, None]:
    """The device's own resistances, where they are said: weights must be mapped to some of them."""
    keys = ("device_r_on_ohm", "device_r_off_ohm")
    if not table.keys() & set(keys):
        return None, None
    _check_keys(table, required=keys, allowed=tuple(table), where=where)
    low, high = _range(table, *keys, where=where)
    if not low <= r_on < r_off <= high:
        raise ConfigError(
            f"{where}: r_on_ohm … r_off_ohm = {r_on:g} … {r_off:g} ohm must lie within device_r_on_ohm … device_r_off_ohm = "
            f"{low:g} … {high:g} ohm"
        )
    return low, high


def _interval(table: Mapping[str, Any], key: str, *, where: str) -> tuple[float, float] | None:
    if key not in table:
        return None
    value = table[key]
    pair = [_number(item, key, where=where) for item in value] if isinstance(value, list) else []
    if len(pair) != 2 or pair[0] > pair[1]:
        raise ConfigError(f"{where}: {key} must be [lowest, highest], got {quoted(value)}")
    return pair[0], pair[1]


def _states(table: object, *, where: str) -> Statistics | None:
    if table is None:
        return None
    where = f"{where}, states"
    _check_keys(table, required=_STATES, allowed=_STATES, where=where)
    assert isinstance(table, Mapping)
    lists = []
    for key in _STATES:
        if not isinstance(table[key], list):
            raise ConfigError(f"{where}: {key} must be a list of numbers, got {quoted(table[key])}")
        lists.append([_number(item, key, where=where) for item in table[key]])
    try:
        return statistics(*lists)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def _drift(table: object, *, where: str) -> PowerLawDrift | None:
    if table is None:
        return None
    where = f"{where}, drift"
    _check_keys(table, required=_DRIFT, allowed=_DRIFT, where=where)
    assert isinstance(table, Mapping)
    t0, mean, sigma = (_number(table[key], key, where=where) for key in _DRIFT)
    if t0 == 0:
        raise ConfigError(f"{where}: t0_seconds must be above 0, got 0")
    if mean > 1 or sigma > 1:
        raise ConfigError(f"{where}: nu_mean and nu_sigma must be exponents of at most 1, got {mean:g} and {sigma:g}")
    return PowerLawDrift(t0_seconds=t0, nu_mean=mean, nu_sigma=sigma)
