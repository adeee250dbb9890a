"""Chips whose faults are known before they are programmed: where each device goes, what it is aimed at, and what it becomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from xbar_cli.chip.fabricate import Chip, Fabricator
from xbar_cli.chip.repair.code import Checksum, checksum_of, corrected, flagged
from xbar_cli.chip.repair.curve import Curve
from xbar_cli.chip.repair.grid import TileGrid, at_places
from xbar_cli.chip.repair.lines import Resistances, Sited, moved
from xbar_cli.chip.repair.retrain import Retraining, StandingPairs
from xbar_cli.chip.repair.signs import flipped
from xbar_cli.chip.repair.units import Units
from xbar_cli.config.chips.repair import Remedies
from xbar_cli.device import chip
from xbar_cli.device.chip import Found, Step, stream_of
from xbar_cli.device.faults import Faults, fault_map


class Built(NamedTuple):
    """A layer's arrays on a chip.

    Attributes:
        g: conductances of all their devices, spare ones too [built rows, built columns] [S]; with checksums, those that ideal
            arrays of the layer act as.
        target: what the devices of the layer were aimed at [rows columns] [S].
        places: where these stand among all, row after row; None: each where it was mapped.
    """

    g: Array
    target: Array
    places: Array | None

    @property
    def at_home(self) -> Array:
        """Conductances of the layer's devices where they were mapped [rows columns] [S]."""
        return self.g if self.places is None else at_places(self.g, self.places)


class Repaired(NamedTuple):
    """What was done to a layer.

    Attributes:
        target: conductances that its devices are aimed at [rows columns] [S].
        places: of the devices in the built array; None: nothing moved.
        did: what there is to count: shares, and mean squares in units of the range's.
        sums: conductances that checksum columns are aimed at [S], the outputs that they replace, and their factor; None without.
    """

    target: Array
    places: Array | None
    did: dict[str, Array]
    sums: Checksum | None = None


@dataclass(frozen=True)
class LayerRepair:
    """What repairing a layer needs to know of it.

    Attributes:
        grid: its tiles.
        units: its devices that belong together.
        curve: the conductance that its array computes with.
        unused: what spare devices that hold nothing are programmed to [S].
    """

    grid: TileGrid
    units: Units
    curve: Curve
    unused: float


@dataclass(frozen=True)
class RepairedFabricator:
    """Makes repaired chips: a function of their key.

    Attributes:
        plain: what becomes of devices without repair.
        layers: by name.
        remedies: what is done.
        wires: resistances of lines.
        retrain: the training with the faults known; None without.
    """

    plain: Fabricator
    layers: Mapping[str, LayerRepair]
    remedies: Remedies
    wires: Resistances
    retrain: Retraining | None = None

    def __call__(self, key: Array) -> Chip:
        """The devices of the chip of `key`: of every copy of every layer, as `Built`."""
        names = [(copy, name) for copy in range(self.remedies.ensemble) for name in self.plain.nominal]
        done = self.repaired(key, names)
        made = [
            self.fabricated(key, _stream(*name), self.layers[name[1]], d) for name, d in zip(names, done, strict=True)
        ]
        copies: list[dict[str, Built]] = [{} for _ in range(self.remedies.ensemble)]
        found = [parts for _, parts in made]
        for n, ((copy, name), (g, _)) in enumerate(zip(names, made, strict=True)):
            built, sums, layer = Built(g, done[n].target, done[n].places), done[n].sums, self.layers[name]
            if sums is not None:
                columns = self._part(key, _checksums(copy, name), sums.g)
                own, at_home = sums._replace(g=columns[0]), built.at_home
                built, found[n] = Built(corrected(at_home, own, layer.grid), built.target, None), [*found[n], columns]
                done[n].did["flagged_fraction"] = flagged(at_home, own, layer.grid, layer.units)
            copies[copy][name] = built
        return self._chip(copies, names, done, found)

    def repaired(self, key: Array, names: Sequence[tuple[int, str]]) -> list[Repaired]:
        """What the remedies make of targets and places, from the faults of the chip of `key`, by copies and layers."""
        nominal = [self.plain.nominal[name] for _, name in names]
        if not self.remedies.knowing:
            return [Repaired(target, None, {}) for target in nominal]
        sited = [self.sited(key, *name) for name in names]
        homes = [jnp.asarray(layer.grid.places) for layer in sited]
        places = self.placed(sited) if self.remedies.permute or self.remedies.spares else homes
        did: list[dict[str, Array]] = [
            {} if now is home else {"moved_fraction": (now != home).mean(dtype=jnp.float32)}
            for now, home in zip(places, homes, strict=True)
        ]
        if self.remedies.sign_flip:
            flips = [flipped(*layer[:2], now, *layer[2:]) for layer, now in zip(sited, places, strict=True)]
            places = [now for now, _ in flips]
            did = [of | {"flipped_fraction": share} for of, (_, share) in zip(did, flips, strict=True)]
        stand = [standing(name, layer, now) for (_, name), layer, now in zip(names, sited, places, strict=True)]
        wanted = [layer.target for layer in sited] if self.retrain is None else self.retrain(key, stand)
        aims = [
            self.aimed(nominal[n], sited[n], stand[n], wanted[n], curve=self.layers[name].curve)
            for n, (_, name) in enumerate(names)
        ]
        counts = [self.counts(*each) for each in zip(sited, homes, stand, wanted, strict=True)]
        sums: list[Checksum | None] = [None] * len(names)
        if self.remedies.code:
            found = [
                self.checksum(key, *name, pairs, now) for name, pairs, now in zip(names, stand, wanted, strict=True)
            ]
            sums = [check for check, _ in found]
            counts = [of | {"mean_square_after": left} for of, (_, left) in zip(counts, found, strict=True)]
        return [
            Repaired(aim, now if self.remedies.moving else None, of | more, check)
            for aim, now, of, more, check in zip(aims, places, did, counts, sums, strict=True)
        ]

    def checksum(self, key: Array, copy: int, name: str, stand: StandingPairs, wanted: Array) -> tuple[Checksum, Array]:
        """What the checksum columns of a layer are aimed at, the outputs that they replace, and what is left of errors."""
        grid = self.layers[name].grid
        columns = jnp.zeros((grid.rows, 2 * len(grid.strips)), wanted.dtype)
        faults = fault_map(stream_of(key, self.stuck, layer=_checksums(copy, name)), columns, **self.stuck.parameters)
        return checksum_of(stand, wanted, faults, grid)

    def sited(self, key: Array, copy: int, name: str) -> Sited:
        """A layer's devices in the conductances that its array computes with, and their faults on the chip of `key`."""
        layer, nominal = self.layers[name], self.plain.nominal[name]
        faults = self.known(key, _stream(copy, name), layer, nominal)
        known = Faults(faults.stuck, layer.curve.effective(faults.held))
        return Sited(layer.curve.effective(nominal), known, layer.grid, layer.units)

    def placed(self, sited: Sequence[Sited]) -> list[Array]:
        """The places of devices whose lines have moved; layers whose units are alike at once."""
        found: dict[int, Array] = {}
        ways = {"permute": self.remedies.permute, "flips": self.remedies.sign_flip, "wires": self.wires}
        for kind in dict.fromkeys((layer.units.signs, layer.units.movable) for layer in sited):
            alike = [n for n, layer in enumerate(sited) if (layer.units.signs, layer.units.movable) == kind]
            found |= dict(zip(alike, moved([sited[n] for n in alike], **ways), strict=True))
        return [found[n] for n in range(len(sited))]

    def aimed(self, nominal: Array, sited: Sited, stand: StandingPairs, wanted: Array, *, curve: Curve) -> Array:
        """Conductances that a layer's devices are aimed at where they stand [rows columns] [S]: `wanted` in effect.

        What is neither made up for nor retrained stays as it was mapped, to the bit.
        """
        if not self.remedies.differential and self.retrain is None:
            return nominal
        units = stand.units
        parts = (units.split(part) for part in (wanted, stand.stuck, stand.held))
        better = jnp.where(stand.stuck, wanted, units.achieved(*parts).reshape(wanted.shape))
        return jnp.where(better == sited.target, nominal, curve.memristor(better))

    def counts(self, sited: Sited, home: Array, stand: StandingPairs, wanted: Array) -> dict[str, Array]:
        """What there was of faults and of errors by them, and what is left."""
        plain, at_home = replace(sited.units, compensates=False), standing(stand.name, sited, home)
        return {
            "stuck_fraction": at_home.stuck.mean(dtype=wanted.dtype),
            "mean_square_before": error_of(at_home._replace(units=plain), at_home.target),
            "mean_square_after": error_of(stand, wanted),
        }

    def known(self, key: Array, name: str, layer: LayerRepair, nominal: Array) -> Faults:
        """The faults of the built array: those that fabricating its parts will meet."""
        step = self.stuck
        rows, columns = layer.grid.spare_shapes
        parts = zip(_part_names(name), (nominal.shape, rows, columns), strict=True)
        maps = [
            fault_map(stream_of(key, step, layer=part), jnp.zeros(shape, nominal.dtype), **step.parameters)
            for part, shape in parts
        ]
        return Faults(*(layer.grid.spread(*both) for both in zip(*maps, strict=True)))

    @property
    def stuck(self) -> Step:
        """The effect that faults come of."""
        return next(step for step in self.plain.steps if step.stage == "faults")

    def fabricated(
        self, key: Array, name: str, layer: LayerRepair, done: Repaired
    ) -> tuple[Array, list[tuple[Array, Found]]]:
        """What becomes of the layer's devices [S], and of each part of them what was found.

        The layer's own devices are those of the unrepaired chip; spare lines have random streams of their own.
        """
        grid = layer.grid
        if done.places is None:
            parts = [done.target]
        else:
            aimed = jnp.full(grid.built[0] * grid.built[1], layer.unused, done.target.dtype)
            aimed = aimed.at[done.places.reshape(-1)].set(done.target.reshape(-1)).reshape(grid.built)
            parts = grid.parted(aimed)
        found = [self._part(key, own, part) for own, part in zip(_part_names(name), parts, strict=False) if part.size]
        sizes = [g for g, _ in found]
        if done.places is None or len(found) == 1:
            return sizes[0], found
        spares = iter(sizes[1:])
        rows, columns = (next(spares) if part.size else part for part in parts[1:])
        return grid.spread(sizes[0], rows, columns), found

    def _part(self, key: Array, name: str, target: Array) -> tuple[Array, Found]:
        """Devices aimed at `target` [S] that draw under a name."""
        return chip.fabricate(key, target, layer=name, steps=self.plain.steps, negative=self.plain.negative)

    def _chip(
        self,
        copies: list[dict[str, Built]],
        names: Sequence[tuple[int, str]],
        done: Sequence[Repaired],
        found: Sequence[list[tuple[Array, Found]]],
    ) -> Chip:
        """The chip of these arrays, with shares over all its devices."""
        parts = [part for of_layer in found for part in of_layer]
        devices = sum(g.size for g, _ in parts)
        negative = sum(part.negative * (g.size / devices) for g, part in parts)
        mean_shift = sum(part.mean_shift * (g.size / devices) for g, part in parts)
        above = [jnp.sum((g > self.plain.top).astype(jnp.float32)) for g, _ in parts]
        off_table = jnp.stack(above).sum() / devices
        broken = {
            _stream(*name): jnp.stack([part.broken for _, part in of_layer]).min()
            for name, of_layer in zip(names, found, strict=True)
        }
        whole = float(sum(layer.target.size for layer in done))
        counted = {
            key: sum((layer.did[key] * (layer.target.size / whole) for layer in done), start=jnp.zeros(()))
            for key in done[0].did
        }
        return Chip(copies, jnp.asarray(negative), jnp.asarray(mean_shift), off_table, broken, counted)

    def require_finite(self, broken: Mapping[str, Any], *, chip: int) -> None:
        """As `Fabricator.require_finite`."""
        self.plain.require_finite(broken, chip=chip)


def standing(name: str, sited: Sited, places: Array) -> StandingPairs:
    """A layer's devices in their places; those that are absent are not stuck."""
    stuck = at_places(sited.faults.stuck, places) & (sited.target != 0)
    return StandingPairs(name, sited.target, stuck, at_places(sited.faults.held, places), sited.units)


def error_of(stand: StandingPairs, wanted: Array) -> Array:
    """Mean square of what weights are off the mapped ones where `wanted` is aimed at, in squares of the range."""
    units = stand.units
    parts = (units.split(part) for part in (wanted, stand.stuck, stand.held))
    away = units.achieved(*parts) - units.split(stand.target)
    return jnp.square(away @ jnp.asarray(units.signs, away.dtype)).mean() / (units.high - units.low) ** 2


def _stream(copy: int, name: str) -> str:
    """The name under which a copy of a layer draws: the first copy is the layer of the unrepaired chip."""
    return name if copy == 0 else f"{name} copy {copy}"


def _checksums(copy: int, name: str) -> str:
    """The name under which the checksum columns of a layer's copy draw."""
    return f"{_stream(copy, name)} checksum"


def _part_names(name: str) -> tuple[str, str, str]:
    """The random streams of a layer's own devices, of its spare rows, and of its spare columns."""
    return name, f"{name} spare rows", f"{name} spare columns"
