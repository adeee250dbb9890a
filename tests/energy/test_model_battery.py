"""What every cost model owes: energies that scale with what is asked, add up, and are nothing where nothing is asked."""

from dataclasses import replace
from typing import get_args

import hypothesis
import pytest
from hypothesis import strategies as st

from xbar_cli.config.energy import Model
from xbar_cli.energy.constants import MODELS, Constants, load
from xbar_cli.energy.models import isaac, neurosim, resparc
from xbar_cli.energy.models.gates import Node
from xbar_cli.energy.models.tree import FIGURES
from xbar_cli.energy.models.work import LayerWork
from xbar_cli.energy.reading import InputCoding, Reading

BASE = LayerWork(
    name="l", rows=130, columns=40, outputs=20, positions=6, phases=1, reading=Reading("bitserial", 4, 6), tile=(64, 32),
    r_on=3e4, volt=0.4, driven_rows=90.0, watt={"cells": 0.01}, vg=0.8,
)  # fmt: skip
COSTS = {
    "resparc": lambda w, k: resparc.layer_cost(w, k, gate_farad=1e-16, cell_area_m2=1.8e-14),
    "neurosim": lambda w, k: neurosim.layer_cost(w, k, Node(k.node(14), k)),
    "isaac": isaac.layer_cost,
}
CONSTANTS = {model: load(model) for model in MODELS}
every_model = pytest.mark.parametrize("model", MODELS)


def cost(model, **changes):
    return COSTS[model](replace(BASE, **changes), CONSTANTS[model])


def energies(tree):
    return {leaf.name: leaf.energy_joule for leaf in tree.leaves()}


def test_every_model_that_can_be_asked_for_is_here():
    assert set(COSTS) == set(MODELS) == set(get_args(Model))


@every_model
@hypothesis.given(st.integers(1, 50))
@hypothesis.settings(max_examples=8)
def test_energy_and_time_go_with_the_products_of_an_image(model, positions):
    one, many = cost(model, positions=1), cost(model, positions=positions)
    assert many.energy_joule == pytest.approx(positions * one.energy_joule)
    assert many.latency_seconds == pytest.approx(positions * one.latency_seconds)
    assert many.area_m2 == pytest.approx(one.area_m2)


@every_model
def test_every_figure_is_the_sum_of_its_parts_but_latency(model):
    tree = cost(model)
    for figure in FIGURES:
        whole, parts = getattr(tree, figure), [getattr(leaf, figure) for leaf in tree.leaves()]
        if figure != "latency_seconds":
            assert whole == pytest.approx(sum(parts)), figure
        assert whole >= 0
    assert tree.energy_joule > 0
    assert tree.area_m2 > 0
    assert tree.latency_seconds > 0


@every_model
def test_what_cells_dissipate_is_power_times_time_and_nothing_without_power(model):
    idle, one, two = (energies(cost(model, watt={"cells": watt})) for watt in (0.0, 0.01, 0.02))
    name = "crossbar" if model == "isaac" else "cells"
    assert idle[name] == 0
    assert two[name] == pytest.approx(2 * one[name])
    assert {n: e for n, e in one.items() if n != name} == {n: e for n, e in two.items() if n != name}


@every_model
def test_losses_in_wires_are_parts_of_their_own_for_the_same_time_as_the_cells(model):
    plain = energies(cost(model))
    wired = energies(cost(model, watt={"cells": 0.01, "wires": 0.005, "sources": 0.0}))
    name = "crossbar" if model == "isaac" else "cells"
    assert wired["wires"] == pytest.approx(plain[name] / 2)
    assert wired["sources"] == 0
    assert {n: wired[n] for n in plain} == plain


@every_model
def test_more_bits_behind_an_array_cost_more_everywhere(model):
    trees = [cost(model, reading=replace(BASE.reading, adc_bits=bits)) for bits in (4, 6, 8)]
    for figure in ("energy_joule", "area_m2"):
        found = [getattr(tree, figure) for tree in trees]
        assert found == sorted(found)
        assert found[0] < found[2]


@every_model
def test_inputs_of_both_signs_are_read_twice(model):
    """Twice the reads, conversions and row drives; what the cells dissipate is counted over both phases already."""
    one, two = cost(model), cost(model, phases=2)
    assert two.latency_seconds == pytest.approx(2 * one.latency_seconds)
    name = {"isaac": "adc", "resparc": "converters", "neurosim": "shift_registers"}[model]
    assert energies(two)[name] == pytest.approx(2 * energies(one)[name])
    if model != "neurosim":
        assert energies(two)["crossbar" if model == "isaac" else "cells"] == pytest.approx(
            energies(one)["crossbar" if model == "isaac" else "cells"]
        )


@every_model
def test_a_layer_on_two_equal_arrays_costs_what_two_layers_on_one_do(model):
    """Columns cut at a tile's edge share nothing but their rows' registers, which each array has of its own."""
    half = cost(model, rows=64, columns=32, outputs=16, watt={"cells": 0.01}, driven_rows=45.0)
    whole = cost(model, rows=64, columns=64, outputs=32, watt={"cells": 0.02}, driven_rows=45.0)
    assert whole.area_m2 == pytest.approx(2 * half.area_m2)
    assert whole.energy_joule == pytest.approx(2 * half.energy_joule)
    assert whole.latency_seconds == pytest.approx(half.latency_seconds)


OUTSIDE = {
    "resparc": ("cell.", "gate.", "wire.", "adc.bits"),
    "neurosim": ("device.", "adc.bits", "array.relaxed_width_features"),
    "isaac": ("crossbar.device_bits",),
}
"""Constants that a layer's cost takes through its arguments, or that belong to a preset."""


def every_cost(model, k):
    """Layers under all that constants are for: codings, nodes with and without fins, the worst case, converters that lag."""
    slow = replace(BASE, columns=1200, tile=(64, 1024))
    match model:
        case "resparc":
            readings = [replace(BASE.reading, coding=coding) for coding in get_args(InputCoding)]
            return [COSTS[model](work, k) for work in (slow, *(replace(BASE, reading=r) for r in readings))]
        case "neurosim":
            return [neurosim.layer_cost(BASE, k, Node(k.node(nm), k)) for nm in (14, 45)]
        case _:
            return [isaac.layer_cost(work, k, measured=measured) for work, measured in ((slow, True), (BASE, False))]


@every_model
def test_every_constant_that_is_shipped_counts(model):
    """None is read by nobody: each one half as large again changes some figure."""
    before = every_cost(model, CONSTANTS[model])
    counted, table = 0, dict(CONSTANTS[model].table)
    for key, constant in table.items():
        if key.startswith(("digital.", "node_", "input.", "read.volt", *OUTSIDE[model])) or constant.value == 0:
            continue
        counted += 1
        assert (
            every_cost(model, Constants(table | {key: replace(constant, value=1.5 * constant.value)}, model)) != before
        ), key
    assert counted >= 12
