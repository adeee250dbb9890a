"""Digital arithmetic beside the arrays, with a unit whose figures are counted by hand."""

import pytest

from xbar_cli.energy import digital
from xbar_cli.energy.constants import MODELS, load
from xbar_cli.energy.models.tree import Component, group

UNIT = {"digital.units": 4.0, "digital.hertz": 1e9, "digital.mac_joule": 2e-12, "digital.unit_area_m2": 1e-9}
LAYER = group("l", [Component("cells", 5e-9), Component("adc", 7e-9)], latency_seconds=1e-6)


def test_four_multipliers_take_four_products_a_cycle():
    assert digital.seconds(8000, UNIT) == pytest.approx(2e-6)
    cost = digital.layer_cost("fc1", 8000, UNIT)
    assert (cost.name, [part.name for part in cost.children]) == ("fc1", ["digital"])
    assert cost.energy_joule == pytest.approx(16e-9)
    assert cost.latency_seconds == pytest.approx(2e-6)
    assert cost.area_m2 == 0


def test_the_unit_has_its_area_once_and_no_energy_of_its_own():
    unit = digital.unit(UNIT)
    assert unit.area_m2 == pytest.approx(4e-9)
    assert (unit.energy_joule, unit.latency_seconds) == (0, 0)


def test_sums_beside_an_array_cost_energy_and_time_only_where_they_do_not_keep_up():
    assert digital.with_sums(LAYER, 0, UNIT) is LAYER
    hidden, slow = digital.with_sums(LAYER, 2000, UNIT), digital.with_sums(LAYER, 8000, UNIT)
    assert hidden.latency_seconds == 1e-6
    assert slow.latency_seconds == pytest.approx(2e-6)
    assert hidden.energy_joule == pytest.approx(12e-9 + 4e-9)
    assert [part.name for part in slow.children] == ["cells", "adc", "digital"]


@pytest.mark.parametrize("model", MODELS)
def test_every_model_ships_the_constants_of_the_unit(model):
    k = load(model)
    assert digital.seconds(10**6, k) > 0
    twice = digital.layer_cost("l", 2000, k).energy_joule
    assert twice == pytest.approx(2 * digital.layer_cost("l", 1000, k).energy_joule)
