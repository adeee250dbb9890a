"""The writer of a chip: from its key to the conductances that programming leaves, and what that took."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import jax.numpy as jnp
from jax import Array

from xbar_cli.array.tiling import fold_layers
from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.chip.programming.gradient import MeasuredArrays, descend, patterns
from xbar_cli.chip.programming.rule import (
    Costs,
    ProgrammedDevices,
    ProgrammingRule,
    path_ohm,
    quantised,
    rule_of,
    tile_maximum,
)
from xbar_cli.chip.programming.verify import verify
from xbar_cli.config.chips.programming import ProgrammingSection
from xbar_cli.device import draws
from xbar_cli.device.switching.model import SwitchingDevices, draw_devices, train_seconds
from xbar_cli.errors import ConfigError
from xbar_cli.numerics import stream

COSTS = {
    "pulses": ("1", "pulses of all devices"),
    "reads": ("1", "conversions of verify reads"),
    "seconds": ("s", "time, arrays programmed side by side"),
    "joules": ("J", "energy in the devices"),
    "missed_fraction": ("1", "share of the devices that their last read found beyond the tolerance"),
    "conductance_error": ("1", "rms distance of the conductances from their targets, over the window"),
    "product_error": ("1", "rms error of products of random signs through the arrays, over their rms"),
}
"""What programming a chip took and left, with unit and meaning."""


@dataclass(frozen=True)
class Writer:
    """Programs the chips of a network: a function of their key.

    Attributes:
        rule: how.
        hardware: what the devices are built into; its reads have the noise of the chip's reads.
        writes: how often the chip has been programmed, this time included: devices stay the same, pulses are new.
    """

    rule: ProgrammingRule
    hardware: Hardware
    writes: int = 1

    def __call__(self, key: Array) -> tuple[dict[str, Array], Costs]:
        """The conductances of the chip of `key` [S], and what programming it took."""
        network, root = self.hardware.network, stream(key, "programming")
        targets = {name: jnp.asarray(layer.conductance, jnp.float32) for name, layer in network.layers.items()}
        drawn = stream(root, "devices")
        ends = {"model": self.rule.model, "g_min": self.rule.g_min, "g_max": self.rule.g_max}
        devices = {name: draw_devices(stream(drawn, name), target, **ends) for name, target in targets.items()}
        pulses = stream(root, f"write {self.writes}")
        if self.rule.method == "verify":
            found, spent = self._cell_by_cell(pulses, targets, devices)
        else:
            found, spent = self._by_gradient(pulses, targets, devices)
        g = {name: layer.g for name, layer in found.items()}
        left = missed_and_left(network, targets, found, self._effective(g), window=self.rule.window)
        return g, spent | left

    def _effective(self, g: Mapping[str, Array]) -> dict[str, Array]:
        """What the arrays act as [S], all layers at once."""
        network, fold = self.hardware.network, self.hardware.fold
        if fold is None:
            return dict(g)
        groups = {name: layer.groups for name, layer in network.layers.items()}
        return {name: found.g_eff for name, found in fold_layers(g, fold, tile=network.tile, groups=groups).items()}

    def _spread(self) -> Callable[[Array, Array], Array] | None:
        """Standard deviation of devices at a read [S], from conductances and targets; None for none."""
        noises = self.hardware.noises
        return (lambda g, target: jnp.sqrt(sum(jnp.square(noise(g, target)) for noise in noises))) if noises else None

    def _seen(self, path: Array, target: Array, key: Array, g: Array) -> Array:
        """What reads of the cells of a layer one by one say [S]: each alone conducts, in series with its lines."""
        spread = self._spread()
        if spread is not None:
            g = jnp.maximum(g + spread(g, target) * draws.normal(key, g), 0)
        return quantised(g / (1 + path * g), full_scale=self.rule.g_max, bits=self.rule.adc_bits)

    def _cell_by_cell(
        self, key: Array, targets: Mapping[str, Array], devices: Mapping[str, SwitchingDevices]
    ) -> tuple[dict[str, ProgrammedDevices], dict[str, Array]]:
        network, model = self.hardware.network, self.rule.model
        found: dict[str, ProgrammedDevices] = {}
        seconds = jnp.zeros(())
        for name, target in targets.items():
            groups = network.layers[name].groups
            shape = (int(target.shape[0]), int(target.shape[1]))
            path = path_ohm(shape, tile=network.tile, groups=groups, wires=self.hardware.wires)
            read = partial(self._seen, jnp.asarray(path, target.dtype), target)
            done = verify(stream(key, name), target, rule=self.rule, devices=devices[name], read=read)
            each = train_seconds(done.up, model=model) + train_seconds(-done.down, model=model)
            each = each + done.reads * model.seconds_read
            seconds = jnp.maximum(seconds, tile_maximum(each, tile=network.tile, groups=groups, rows_at_once=False))
            found[name] = done
        totals = {
            "pulses": sum((done.up + done.down).sum() for done in found.values()),
            "reads": sum(done.reads.sum() for done in found.values()),
            "joules": sum(done.joules.sum() for done in found.values()),
        }
        return found, {key: jnp.asarray(value) for key, value in totals.items()} | {"seconds": seconds}

    def _by_gradient(
        self, key: Array, targets: Mapping[str, Array], devices: Mapping[str, SwitchingDevices]
    ) -> tuple[dict[str, ProgrammedDevices], dict[str, Array]]:
        network, rule = self.hardware.network, self.rule
        tile, layers = network.tile, network.layers

        def row_seconds(name: str, pulses: Array) -> Array:
            each = train_seconds(pulses, model=rule.model)
            return tile_maximum(each, tile=tile, groups=layers[name].groups, rows_at_once=True)

        arrays = MeasuredArrays(targets, devices, self._effective, self._spread(), tile[0], row_seconds)
        found, seconds = descend(key, arrays, rule=rule)
        reads, joules, longest = 0.0, jnp.zeros(()), jnp.zeros(())
        for name, done in found.items():
            rows, cols = done.g.shape
            # A pattern is two reads, one for each sign; every device carries current in one of them.
            shown = len(patterns(min(tile[0], rows))) * (rule.rounds + 1)
            reads += 2 * shown * cols * -(-rows // tile[0])
            longest = jnp.maximum(longest, seconds[name] + 2 * shown * rule.model.seconds_read)
            joules = joules + done.joules.sum() + shown * rule.model.read_joules_per_siemens * done.g.sum()
        pulses = sum((done.up + done.down).sum() for done in found.values())
        return found, {"pulses": jnp.asarray(pulses), "reads": jnp.asarray(reads), "seconds": longest, "joules": joules}


def writer_of(section: ProgrammingSection, hardware: Hardware, *, writes: int = 1) -> Writer | None:
    """What programs the chips of some hardware; None where they are at their targets.

    Raises:
        ConfigError: there is no such switching model, or outputs of arrays of cells are no products.
    """
    rule = rule_of(section, hardware.network)
    if rule is not None and rule.method == "gradient" and hardware.model == "gated":
        raise ConfigError(
            "programming.method = gradient takes linear arrays, array.model = ideal, lumped, published or nodal; program 1T-1R "
            "cells by verify"
        )
    return None if rule is None else Writer(rule, hardware, writes)


def missed_and_left(
    network: MappedNetwork,
    targets: Mapping[str, Array],
    found: Mapping[str, ProgrammedDevices],
    effective: Mapping[str, Array],
    *,
    window: float,
) -> dict[str, Array]:
    """Errors that are left in devices (absent ones have none), and in products through the arrays that act as `effective` [S].

    For inputs of random signs an output's mean square error is the sum of those of its weights.
    """
    there = sum((target != 0).astype(target.dtype).sum() for target in targets.values())
    square = sum(jnp.square(found[name].g - target).sum() for name, target in targets.items())
    wrong = wanted = jnp.zeros(())
    for name, target in targets.items():
        layer = network.layers[name]
        slope = jnp.asarray(layer.slope, target.dtype)
        weights, acting = (jnp.asarray(layer.readout.combine(m)) / slope for m in (target, effective[name]))
        wrong, wanted = wrong + jnp.square(acting - weights).sum(), wanted + jnp.square(weights).sum()
    return {
        "missed_fraction": sum(done.missed.sum() for done in found.values()) / jnp.maximum(there, 1),
        "conductance_error": jnp.sqrt(square / jnp.maximum(there, 1)) / window,
        "product_error": jnp.sqrt(wrong / jnp.where(wanted > 0, wanted, 1)),
    }
