"""Numbers of a network and its mapping are arguments of what is compiled: another network of the same shape compiles nothing."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests import analytic
from tests.chip.test_monte_carlo import network
from xbar_cli.chip import prepare
from xbar_cli.chip.place import map_network
from xbar_cli.chip.prepare import make_sampler
from xbar_cli.chip.resolve import Gates
from xbar_cli.chip.sample import Builder
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.effect_list import steps_of
from xbar_cli.numerics import kept
from xbar_cli.workflows.evaluate import build_hardware

CASES: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "wires": {"array": {"model": "nodal", "r_wire_ohm": 2.0}},
    "converters": {"array": {"model": "lumped", "r_source_ohm": 100.0}, "converters": {"adc_bits": 6, "dac_bits": 4}},
    "drivers": {"converters": {"dac_bits": 5}, "variation": {"effects": ["read_noise:sigma=0.05"]}},
    "cells": {"array": {"model": "gated"}, "converters": {"dac_bits": 5}, "vg": 0.8},
    "cells with wires": {"array": {"model": "gated", "r_wire_ohm": 1.0, "wired": "sweep"}, "vg": 0.8},
    "bit slices": {
        "mapping": {"tile": "64x64", "weight_bits": 4, "scheme": "bitslice", "weight_scale": "layer"},
        "converters": {"adc_bits": 5, "dac_bits": 4, "input": "bitserial", "adc_range": "levels"},
    },
}  # fmt: skip


def programs(case: Mapping[str, Any], *, times: float, limit: str) -> tuple[str, str, list[jax.Array]]:
    """What makes and builds chips of a network whose weights are so many times those drawn, and the first circuit."""
    mapping = case.get("mapping", {"tile": "64x64", "weight_limit": limit})
    vg = case.get("vg")
    asked = EvaluateConfig.model_validate(
        {name: part for name, part in case.items() if name != "vg"} | {"mapping": mapping}
    )
    trained = network("mlp")
    scaled = jax.tree.map(lambda leaf: leaf * times, nnx.state(trained.net, nnx.Param))
    nnx.update(trained.net, scaled)
    cell = None if vg is None else replace(analytic.cell((vg,)), bit_line=(analytic.on_a_bit_line(vg),))
    gates = None if cell is None else Gates(Path(), cell, dict.fromkeys(("hidden", "output"), vg), asked=True)
    mapped = map_network(trained, asked.mapping.placement(cell=cell), gates, images=20)
    steps = steps_of(asked.variation.on_devices(), mapped)
    part = (jnp.zeros((2, 28, 28, 1), jnp.float32), jnp.zeros(2, jnp.int32), jnp.ones(2, jnp.float32))
    sampler, _ = make_sampler(asked, trained, build_hardware(asked, trained, mapped), steps, [part], most=1)
    (_, numbers), *_ = sampler.executor.chunks(1)
    made, _ = sampler.make(numbers)
    leaves, *_ = sampler.build(numbers, made)
    return lowered(sampler.build.stage, numbers, made), lowered(sampler.make, numbers), leaves


def lowered(stage: Any, *of_chips: Any) -> str:
    """The program of a stage."""
    return stage.func.lower(*stage.args, *of_chips).as_text()


@pytest.mark.parametrize("name", CASES)
def test_another_network_of_the_same_shape_is_the_same_program(name: str):
    built, devices, leaves = programs(CASES[name], times=1.0, limit="max")
    other_built, other_devices, others = programs(CASES[name], times=1.3, limit="70%")
    assert built == other_built
    assert devices == other_devices
    assert any(not np.array_equal(one, other) for one, other in zip(leaves, others, strict=True))


@pytest.mark.parametrize("name", ["converters", "bit slices", "wires with converters"])
def test_ranges_of_converters_are_taken_by_the_program_of_the_chips(name: str, monkeypatch: pytest.MonkeyPatch):
    built: list[str] = []

    class Recorded(Builder):
        def __call__(self, *of_chips: Any) -> Any:
            built.append(lowered(self.stage, *of_chips))
            return super().__call__(*of_chips)

    monkeypatch.setattr(prepare, "Builder", Recorded)
    case = {**CASES["wires"], "converters": {"adc_bits": 6, "dac_bits": 4}} if name not in CASES else CASES[name]
    of_chips, _, _ = programs(case | {"variation": {"amount": 0.1}}, times=1.0, limit="max")
    ranges_stated = "adc_range" in case["converters"]
    assert built == ([] if ranges_stated else [of_chips])


def test_numbers_that_are_kept_are_no_literals():
    def program(value: float) -> str:
        numbers = kept({"a": np.float32(value), "b": jnp.ones(3), "c": None})
        closed = jax.make_jaxpr(lambda x: x * numbers()["a"] + numbers()["b"])(jnp.zeros(3))
        assert sorted(np.shape(one) for one in closed.consts) == [(1,), (1, 3)]
        return str(closed.jaxpr)

    assert program(2.0) == program(3.0)
    assert kept({"a": 2.5})() == {"a": 2.5}
