"""Chips: what fabrication, faults and age make of the programmed conductances of a network."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from xbar_cli.config import effects
from xbar_cli.config.hardware import VariationSection
from xbar_cli.device import chip, variation
from xbar_cli.device.chip import Step
from xbar_cli.device.drift import drift, pcm_drift
from xbar_cli.device.faults import stuck_at
from xbar_cli.device.programming import write_verify
from xbar_cli.device.technologies import Technology, load_technology, read_statistics
from xbar_cli.errors import ConfigError
from xbar_cli.workflows.mapped import MappedNetwork


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
    """

    conductances: dict[str, Array]
    negative: Array
    mean_shift: Array
    off_table: Array


jax.tree_util.register_dataclass(Chip, ["conductances", "negative", "mean_shift", "off_table"], [])


def steps_of(config: VariationSection, network: Devices) -> list[Step]:
    """The effects on a chip, in physical order; read noise is no part of a chip.

    Raises:
        ConfigError: an effect that needs figures of a technology which are not there.
    """
    steps = [step(effect, network) for effect in config.all_effects() if effect.model != "read_noise"]
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
    # a missing device stays missing, but where a fault decides what is there
    return Step(
        name=effect.model,
        stage=effects.STAGE[effect.model],
        model=model,
        parameters=parameters,
        spare_absent=effect.model != "stuck",
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
        case effects.Additive():
            return variation.normal_additive, {"sigma_siemens": effect.sigma * span}
        case effects.Proportional():
            return variation.normal_proportional, {"sigma_relative": effect.sigma}
        case effects.Lognormal():
            return variation.lognormal, {"sigma_log": effect.sigma}
        case effects.States():
            table = read_statistics(Path(effect.file)) if effect.file else technology(network, "states").states
            if table is None:
                raise ConfigError(f"technology {network.technology} has no table of states; give states:file=FILE")
            return variation.per_state, {"table": table._replace(sigma=effect.scale * table.sigma)}
        case effects.Smooth():
            return variation.smooth, {"curve": read_statistics(Path(effect.file))}
        case effects.ChipCorner():
            return variation.chip_corner, {"k": effect.k, "sigma_relative": _between_chips(effect, network)}
        case effects.ChipToChip():
            return variation.chip_to_chip, {"sigma_relative": _between_chips(effect, network)}
        case effects.Stuck():
            if effect.on + effect.off + effect.open > 1:
                raise ConfigError("stuck: the rates on, off and open add up to more than 1")
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
        case effects.ReadNoise():
            raise ValueError("read noise is drawn at every read, not once a chip")


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
    for noise in config.read_noises():
        lines.append(
            f"{len(lines) + 1}. read: read_noise (sigma = {noise.sigma:g} of G_on - G_off, relative = {noise.relative:g})"
        )
    return lines


def make_fabricator(network: MappedNetwork, config: VariationSection) -> Callable[[Array], Chip]:
    """The jitted function from a chip's key to its devices."""
    nominal = {name: jnp.asarray(layer.conductance) for name, layer in network.layers.items()}
    top = float(network.cell.g[-1]) if network.cell is not None else np.inf
    steps = steps_of(config, network)
    devices = sum(g.size for g in nominal.values())

    @jax.jit
    def fabricate(key: Array, nominal: dict[str, Array]) -> Chip:
        varied: dict[str, Array] = {}
        negative = mean_shift = off_table = jnp.zeros((), jnp.float32)
        for name, g in nominal.items():
            varied[name], found = chip.fabricate(key, g, layer=name, steps=steps, negative=config.negative)
            negative = negative + found.share * (g.size / devices)
            mean_shift = mean_shift + found.mean_shift * (g.size / devices)
            off_table = off_table + jnp.sum((varied[name] > top).astype(jnp.float32)) / devices
        return Chip(conductances=varied, negative=negative, mean_shift=mean_shift, off_table=off_table)

    return partial(_call, fabricate, nominal)


def _call(fabricate: Callable[..., Chip], nominal: dict[str, Array], key: Array) -> Chip:
    return fabricate(key, nominal)
