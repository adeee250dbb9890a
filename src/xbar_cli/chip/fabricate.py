"""Chips: what fabrication, faults and age make of the programmed conductances of a network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, assert_never

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.config import effects
from xbar_cli.config.hardware import VariationSection
from xbar_cli.device import chip, variation
from xbar_cli.device.chip import Step
from xbar_cli.device.drift import drift
from xbar_cli.device.faults import stuck_at
from xbar_cli.device.pcm import pcm_drift, pcm_programming
from xbar_cli.device.programming import write_verify
from xbar_cli.device.statistics import Statistics, fit_for
from xbar_cli.device.technologies import Technology, load_technology, read_statistics
from xbar_cli.errors import ConfigError, ModelError


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


@dataclass(frozen=True)
class Chip:
    """One sample of the devices.

    Attributes:
        conductances: of every layer [S].
        negative: share of the devices that variation pushed below 0.
        mean_shift: what resolving them added to the mean conductance [S].
        off_table: share of the devices above the conductances that the cell's table covers.
        broken: by layer, number of the first effect after which a conductance is not finite; that of all where none is.
    """

    conductances: dict[str, Array]
    negative: Array
    mean_shift: Array
    off_table: Array
    broken: dict[str, Array]


jax.tree_util.register_dataclass(Chip, ["conductances", "negative", "mean_shift", "off_table", "broken"], [])


def steps_of(config: VariationSection, network: Devices) -> list[Step]:
    """The effects on a chip's memristors, in physical order; transistors and read noise are no part of them.

    Raises:
        ConfigError: an effect that needs figures of a technology which are not there, or statistics of other devices.
    """
    steps = [step(effect, network) for effect in config.on_devices()]
    steps.sort(key=lambda item: chip.STAGES.index(item.stage))
    seen: dict[str, int] = {}
    named = []
    for item in steps:
        seen[item.name] = seen.get(item.name, 0) + 1
        named.append(item if seen[item.name] == 1 else replace(item, name=f"{item.name} {seen[item.name]}"))
    return named


def step(effect: effects.AnyEffect, network: Devices) -> Step:
    """One effect with its numbers."""
    model, parameters = _model(effect, network)
    return Step(
        name=effect.model,
        stage=effects.STAGE[effect.model],
        model=model,
        parameters=parameters,
        takes_target=isinstance(effect, effects.PcmProgramming | effects.PcmDrift),
    )


def _model(effect: effects.AnyEffect, network: Devices) -> tuple[Callable[..., Array], dict[str, Any]]:
    span = network.g_on - network.g_off
    match effect:
        case effects.WriteVerify():
            return write_verify, {
                "tolerance_siemens": effect.tolerance_siemens,
                "tolerance_relative": effect.tolerance,
                "sigma_over_tolerance": effect.sigma_over_tolerance,
            }
        case effects.PcmProgramming():
            return pcm_programming, {"g_max": network.g_on, "scale": effect.scale}
        case effects.Additive():
            return variation.normal_additive, {"sigma_siemens": effect.sigma * span}
        case effects.Proportional():
            return variation.normal_proportional, {"sigma_relative": effect.sigma}
        case effects.Lognormal():
            return variation.lognormal, {"sigma_log": effect.sigma}
        case effects.States():
            table = statistics_of(effect, network)[0]
            return variation.per_state, {"table": table._replace(sigma=effect.scale * table.sigma)}
        case effects.Smooth():
            return variation.smooth, {"curve": statistics_of(effect, network)[0]}
        case effects.ChipCorner():
            sigma = _between_chips(effect, network)
            if effect.k * sigma < -1:
                raise ConfigError(
                    f"chip_corner: k = {effect.k:g} times sigma = {sigma:g} takes every device below 0 S; "
                    "k sigma must be at least -1"
                )
            return variation.chip_corner, {"k": effect.k, "sigma_relative": sigma}
        case effects.ChipToChip():
            return variation.chip_to_chip, {"sigma_relative": _between_chips(effect, network)}
        case effects.Stuck():
            return stuck_at, {
                "rate_on": effect.on,
                "rate_off": effect.off,
                "rate_open": effect.open,
                "g_on": network.g_on,
                "g_off": network.g_off,
            }
        case effects.Drift():
            return drift, _drift(effect, network)
        case effects.PcmDrift():
            _check_times(effect.t, effect.t0)
            return pcm_drift, {"t_seconds": effect.t, "t0_seconds": effect.t0, "g_max": network.g_on}
        case effects.Mismatch() | effects.ReadNoise() | effects.PcmRead():
            raise ValueError(f"{effect.model} is no property of the memristors, and no step of a chip")
        case _:
            assert_never(effect)


def statistics_of(effect: effects.States | effects.Smooth, network: Devices) -> tuple[Statistics, str | None]:
    """The table or curve of an effect, and a remark where it covers the devices in part.

    Raises:
        ConfigError: there is none, or it is of other devices: a slip of a unit.
    """
    if effect.file:
        found, where = read_statistics(Path(effect.file)), f"{effect.model}:file={effect.file}"
    else:
        own = technology(network, effect.model).states
        if own is None:
            raise ConfigError(f"technology {network.technology} has no table of states; give states:file=FILE")
        found, where = own, f"states of {network.technology}"
    return found, fit_for(found, g_off=network.g_off, g_on=network.g_on, where=where)


def remarks(config: VariationSection, network: Devices) -> list[str]:
    """What a user should know of the effects' figures."""
    measured = [effect for effect in config.effects if isinstance(effect, effects.States | effects.Smooth)]
    return [note for effect in measured if (note := statistics_of(effect, network)[1]) is not None]


def _between_chips(effect: effects.ChipCorner | effects.ChipToChip, network: Devices) -> float:
    if effect.sigma is not None:
        return effect.sigma
    sigma = technology(network, effect.model).sigma_chip_relative
    if sigma is None:
        raise ConfigError(f"technology {network.technology} says nothing of chips; give {effect.model}:sigma=X")
    return sigma


def _drift(effect: effects.Drift, network: Devices) -> dict[str, float]:
    """The exponent and the reference time: given, or the technology's."""
    values = {"t0_seconds": effect.t0, "nu_mean": effect.nu, "nu_sigma": effect.nu_sigma}
    if None in values.values():
        own = technology(network, "drift").drift
        if own is None:
            raise ConfigError(f"technology {network.technology} does not drift; give drift:t=…,t0=…,nu=…,nu_sigma=…")
        values = {key: getattr(own, key) if value is None else value for key, value in values.items()}
    found = {key: float(value) for key, value in values.items() if value is not None}
    _check_times(effect.t, found["t0_seconds"])
    return {"t_seconds": effect.t, **found}


def _check_times(t: float, t0: float) -> None:
    if t < t0:
        raise ConfigError(f"drift: t = {t:g} s is before t0 = {t0:g} s; t must be at least t0")


def technology(network: Devices, effect: str) -> Technology:
    """The technology of the mapping, for the effect that needs its figures."""
    if network.technology is None:
        raise ConfigError(f"effect {effect} takes its figures from a technology: name one, or give them")
    return load_technology(network.technology)


def describe(config: VariationSection, network: MappedNetwork) -> list[str]:
    """The order of effects, one line each; empty without any."""
    steps = steps_of(config, network)
    lines = chip.describe(steps, negative=config.negative).splitlines() if steps else []
    later = [effect for effect in (config.mismatch(), *config.read_noises()) if effect is not None]
    for effect in later:
        values = ", ".join(
            f"{key} = {value:g}" for key, value in effect.model_dump(exclude_none=True).items() if key != "model"
        )
        lines.append(f"{len(lines) + 1}. {effects.STAGE[effect.model]}: {effect.model} ({values})")
    return lines


@dataclass(frozen=True)
class Fabricator:
    """Makes chips: a function of their key.

    Attributes:
        nominal: conductances aimed at, by layer [S].
        steps: the effects.
        negative: what becomes of conductances below 0.
        top: the largest conductance of the cell's table [S].
    """

    nominal: Mapping[str, Array]
    steps: Sequence[Step]
    negative: str
    top: float

    def __call__(self, key: Array) -> Chip:
        """The devices of the chip of `key`."""
        varied: dict[str, Array] = {}
        broken: dict[str, Array] = {}
        devices = sum(g.size for g in self.nominal.values())
        negative = mean_shift = off_table = jnp.zeros((), jnp.float32)
        for name, g in self.nominal.items():
            varied[name], found = chip.fabricate(key, g, layer=name, steps=self.steps, negative=self.negative)
            negative = negative + found.negative * (g.size / devices)
            mean_shift = mean_shift + found.mean_shift * (g.size / devices)
            off_table = off_table + jnp.sum((varied[name] > self.top).astype(jnp.float32)) / devices
            broken[name] = found.broken
        return Chip(varied, negative, mean_shift, off_table, broken)

    def require_finite(self, broken: Mapping[str, Any], *, chip: int) -> None:
        """Raise ModelError where an effect left a conductance of the chip that is no finite number."""
        for name, number in broken.items():
            if int(number) < len(self.steps):
                raise ModelError(
                    f"chip {chip}: {self.steps[int(number)].name} leaves conductances of layer {name} that are not finite: "
                    "use less of it"
                )


def make_fabricator(network: MappedNetwork, config: VariationSection) -> Fabricator:
    """The function from a chip's key to its devices."""
    nominal = {name: jnp.asarray(layer.conductance) for name, layer in network.layers.items()}
    top = float(network.cell.g[-1]) if network.cell is not None else np.inf
    return Fabricator(nominal, steps_of(config, network), config.negative, top)
