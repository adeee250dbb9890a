"""Costs of a design: the ordinary cost models, of traced conductances, voltages and bits.

The models are sums of products of what a layer asks for, so that they are traced as they are; what they count in whole arrays
is mixed between the two sizes of tile next to the design. Activity is that of the nominal network, and what resistances add
to the power of the cells is left out: `xbar energy` has it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from xbar_cli.chip.activity import LayerActivity
from xbar_cli.chip.mapped import LayerMapping, MappedNetwork
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.energy import digital
from xbar_cli.energy.activity import Coding, measure
from xbar_cli.energy.agreement import of_evaluation
from xbar_cli.energy.constants import Constants, load
from xbar_cli.energy.costs import cell_figures
from xbar_cli.energy.models import isaac, resparc
from xbar_cli.energy.models.tree import Component
from xbar_cli.energy.models.work import LayerWork
from xbar_cli.energy.operation import coding_of, reading_of
from xbar_cli.energy.power import voltage_factors
from xbar_cli.energy.reading import Reading
from xbar_cli.reporter import SILENT
from xbar_cli.trained import build

from .chips import Bench
from .parameters import DesignValues, tile_shares

COSTS = ("energy_joule", "area_m2", "latency_seconds")


@dataclass(frozen=True, eq=False)
class Costing:
    """Costs of designs.

    Attributes:
        bench: what is designed.
        model: cost model.
        constants: of it.
        reading: row drive and converters at the start.
        coding: how activations drive rows.
        activity: of the rows of every layer.
        macs: multiply-accumulates of the digital layers.
    """

    bench: Bench
    model: str
    constants: Constants
    reading: Reading
    coding: Coding
    activity: Mapping[str, LayerActivity]
    macs: Mapping[str, int]

    @classmethod
    def of(cls, bench: Bench, *, model: Any) -> "Costing":
        """The costs of a bench's designs under a model."""
        config, network = bench.config, bench.network
        asked = EnergyConfig(run=config.run, model=model)
        constants = load(model)
        vg = [layer.vg for layer in network.layers.values()]
        stated = of_evaluation(Path(config.run), config, {"vg_volt": vg, "v_read_volt": network.read_volt})
        bits = config.mapping.bits
        reading = reading_of(asked, constants, network, stated, device_bits=bits)
        coding = coding_of(constants, network, reading, stated)
        activity = network.activity
        if not activity or not coding.covered(activity):
            activity = measure(bench.trained, network, coding.wanted, images=None, reporter=SILENT)
        shapes = build.shapes_of(bench.trained.net, bench.trained.data)
        macs = {shape.name: shape.macs for shape in shapes if shape.name not in network.layers}
        return cls(bench, model, constants, reading, coding, activity, macs)

    def __call__(self, values: DesignValues, *, tiles: tuple[int, ...] = ()) -> dict[str, Array]:
        """Energy [J] and latency [s] of an image and area of the arrays [m²], between two sizes of tile where there are two."""
        found = [self.at(values, tile) for tile in tiles or (None,)]
        weighed = list(zip(found, tile_shares(values, tiles), strict=True))
        return {name: jnp.asarray(sum(share * costs[name] for costs, share in weighed)) for name in COSTS}

    def at(self, values: DesignValues, tile: int | None) -> dict[str, Array]:
        """The same on arrays of one size."""
        network = self.bench.mapped(values, tile=tile)
        parts = [self.layer(values, network, name) for name in network.layers]
        parts += [digital.layer_cost(name, count, self.constants) for name, count in self.macs.items()]
        own = digital.unit(self.constants).area_m2 if self.macs else 0.0
        sums = {name: jnp.asarray(sum(getattr(part, name) for part in parts), float) for name in COSTS}
        return sums | {"area_m2": sums["area_m2"] + own}

    def layer(self, values: DesignValues, network: MappedNetwork, name: str) -> Component:
        """A layer under the model."""
        layer, seen = network.layers[name], self.activity[name]
        bits: Any = values.get("adc_bits", self.reading.adc_bits)
        vg: Any = self.bench.gate(values, name) if self.bench.gated is not None else None
        rows, columns = layer.conductance.shape
        groups, phases = layer.groups, 2 if layer.signed else 1
        work = LayerWork(
            name=name, rows=rows, columns=columns // groups, outputs=layer.kernel[-1], positions=seen.positions, phases=phases,
            reading=replace(self.reading, adc_bits=bits), tile=network.tile, r_on=1.0, volt=self.volt(values),
            driven_rows=float(seen.driven(self.coding.kind, self.coding.bits).sum()),
            watt={"cells": self.watt(values, layer, name, phases)}, vg=vg, groups=groups,
        )  # fmt: skip
        if self.model == "isaac":
            return isaac.layer_cost(work, self.constants)
        gate, own = cell_figures(self.constants, network)
        area: Any = own * values.get("wire_width", 1.0) ** 2
        return resparc.layer_cost(work, self.constants, gate_farad=gate, cell_area_m2=area)

    def volt(self, values: DesignValues) -> Any:
        """The voltage of the full drive [V]."""
        return values.get("v_read", self.coding.volt)

    def watt(self, values: DesignValues, layer: LayerMapping, name: str, phases: int) -> Any:
        """Mean power of the cells of a layer [W], summed over the phases and pulses of a read: `energy.power.layer_watt`."""
        seen, gated = self.activity[name], self.bench.gated
        parts = jnp.split(jnp.asarray(layer.conductance), layer.groups, axis=1)
        driven = jnp.asarray(seen.driven(self.coding.kind, self.coding.bits), float)
        if gated is None:
            return self.coding.volt**2 * jnp.concatenate([g.sum(axis=1) for g in parts]) @ driven
        power = gated.surrogate("power", gated.weights(self.bench.gate(values, name)), layer.conductance.shape)
        factors = jnp.split(power.in_g(jnp.asarray(layer.conductance)), layer.groups, axis=1)
        sums = jnp.concatenate([part.sum(axis=1) for part in factors])
        idle = phases * self.coding.cycles * power.at_zero(jnp.asarray(layer.conductance)).sum()
        if self.coding.single:
            volt = jnp.asarray(self.volt(values), float)
            return driven @ sums @ power.in_v(volt) + idle
        weights = [voltage_factors(gated.cell.power[gated.cell.index(vg)]) for vg in gated.nodes]
        orders = max(w.shape[1] for w in weights)
        moments = np.concatenate([np.pad(w, ((0, 0), (0, orders - w.shape[1]))) for w in weights])
        return jnp.sum(sums @ jnp.asarray(moments, float) * jnp.asarray(seen.moments[:, :orders], float)) + idle
