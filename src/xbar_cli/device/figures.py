"""Figures of an effect that were not given: those of the devices' technology, or of a file of statistics."""

from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from xbar_cli.device.statistics import Statistics, fit_for
from xbar_cli.device.technologies import Technology, load_technology, read_statistics
from xbar_cli.errors import ConfigError


@runtime_checkable
class Devices(Protocol):
    """What effects take their figures from."""

    @property
    def g_on(self) -> float:
        """Conductance of the low-resistance state [S]."""
        ...

    @property
    def g_off(self) -> float:
        """Conductance of the high-resistance state [S]."""
        ...

    @property
    def technology(self) -> str | None:
        """Name or file; None where only the resistances were given."""
        ...


def technology_of(devices: Devices, effect: str) -> Technology:
    """The technology of devices, for the effect that needs its figures."""
    if devices.technology is None:
        raise ConfigError(f"effect {effect} takes its figures from a technology: name one, or give them")
    return load_technology(devices.technology)


def statistics_of(
    devices: Devices, effect: str, *, file: str | None, part: Literal["all", "device", "cycle"] = "all"
) -> tuple[Statistics, str | None]:
    """A table or curve of the devices, and a remark where it covers them in part.

    Args:
        devices: that the statistics must be of.
        effect: that needs them.
        file: that holds them; the technology's own when None.
        part: of the spread; that between devices, or between writes, where the file tells them apart.

    Raises:
        ConfigError: there is none, or it is of other devices: a slip of a unit.
    """
    if file:
        found, where = read_statistics(Path(file), part=part), f"{effect}:file={file}"
    else:
        own = technology_of(devices, effect).states
        if own is None:
            raise ConfigError(f"technology {devices.technology} has no table of states; give states:file=FILE")
        found, where = own, f"states of {devices.technology}"
    return found, fit_for(found, g_off=devices.g_off, g_on=devices.g_on, where=where)


def between_chips(devices: Devices, effect: str, *, sigma: float | None) -> float:
    """The relative standard deviation between chips: given, or the technology's."""
    if sigma is not None:
        return sigma
    own = technology_of(devices, effect).sigma_chip_relative
    if own is None:
        raise ConfigError(f"technology {devices.technology} says nothing of chips; give {effect}:sigma=X")
    return own


def corner(devices: Devices, *, k: float, sigma: float | None) -> float:
    """The relative standard deviation between chips, if devices k of it off conduct at all."""
    found = between_chips(devices, "chip_corner", sigma=sigma)
    if k * found < -1:
        raise ConfigError(
            f"chip_corner: k = {k:g} times sigma = {found:g} takes every device below 0 S; k sigma must be at least -1"
        )
    return found


def drift_of(
    devices: Devices, *, t: float, t0: float | None, nu: float | None, nu_sigma: float | None
) -> dict[str, float]:
    """The time, the reference time and the exponent of a drift: given, or the technology's."""
    values = {"t0_seconds": t0, "nu_mean": nu, "nu_sigma": nu_sigma}
    if None in values.values():
        own = technology_of(devices, "drift").drift
        if own is None:
            raise ConfigError(f"technology {devices.technology} does not drift; give drift:t=…,t0=…,nu=…,nu_sigma=…")
        values = {key: getattr(own, key) if value is None else value for key, value in values.items()}
    found = {key: float(value) for key, value in values.items() if value is not None}
    return {"t_seconds": after(t, found["t0_seconds"]), **found}


def after(t: float, t0: float) -> float:
    """The time `t` [s], if it is not before `t0` [s]."""
    if t < t0:
        raise ConfigError(f"drift: t = {t:g} s is before t0 = {t0:g} s; t must be at least t0")
    return t
