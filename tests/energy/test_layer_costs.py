"""From a mapped network to the costs of its layers, and what two runs of it save against each other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests import mapped
from xbar_cli.chip.activity import Wanted, full_drive
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.energy.constants import load
from xbar_cli.energy.costs import cell_figures, chip_of, conducting, costs, digital_weights
from xbar_cli.energy.gain import comparable, split
from xbar_cli.energy.models.tree import Component, group, parts_of
from xbar_cli.energy.models.work import LayerWork
from xbar_cli.energy.opening import Opened
from xbar_cli.energy.reading import Reading
from xbar_cli.energy.results import Costed, breakdown, draw, read_activity, tree_of, write_results
from xbar_cli.errors import ConfigError, RunError


def work(name="a", **changes):
    base = LayerWork(
        name=name, rows=100, columns=40, outputs=20, positions=4, phases=1, reading=Reading("bitserial", 4, 6),
        tile=(64, 32), r_on=3e4, volt=0.4, driven_rows=60.0, watt={"cells": 0.01}, vg=None,
    )  # fmt: skip
    return replace(base, **changes)


def test_neurosims_resistive_devices_stand_in_series_with_their_transistors():
    k, network = load("neurosim"), mapped.network()
    g = network.layers["a"].conductance.astype(float)
    found = conducting(EnergyConfig(run="r", model="neurosim"), k, network, "a")
    np.testing.assert_allclose(found, 1 / (1 / g + k["array.access_ohm"]), rtol=1e-6)
    for model, other in (("resparc", network), ("neurosim", mapped.network(cells=True))):
        np.testing.assert_array_equal(
            conducting(EnergyConfig(run="r", model=model), k, other, "a"), other.layers["a"].conductance
        )


def test_digital_weights_are_the_marked_ones():
    network = mapped.network()
    marks = np.zeros((100, 20))
    marks[3, 4] = marks[50, 1] = -1.0
    network.layers["a"] = mapped.layer(100, 20, digital=marks)
    assert digital_weights(network, "a") == 2
    assert digital_weights(network, "b") == 0


@pytest.mark.parametrize("model", ["resparc", "neurosim", "isaac"])
def test_sums_beside_an_array_add_their_products_to_its_layer(model):
    k, network = load(model), mapped.network()
    config = EnergyConfig(run="r", model=model)
    plain = costs(config, k, [work()], network)["a"]
    marks = np.zeros((100, 20))
    marks[:5] = -1.0
    network.layers["a"] = mapped.layer(100, 20, digital=marks)
    with_sums = costs(config, k, [work()], network)["a"]
    assert with_sums.energy_joule - plain.energy_joule == pytest.approx(4 * 100 * k["digital.mac_joule"])


def test_a_crosspoint_has_no_gate_and_a_cell_has_nvsims_area():
    k = load("resparc")
    assert cell_figures(k, mapped.network()) == (0, k["cell.crosspoint_features2"] * k["cell.feature_m"] ** 2)
    gate, area = cell_figures(k, mapped.network(cells=True))
    assert area == pytest.approx(3 * (90 / 45 + 1) * k["cell.feature_m"] ** 2)
    oxide = k["gate.oxide_farad_per_m2"] * 90e-9 * 45e-9
    assert gate == pytest.approx(
        oxide + k["gate.overlap_farad_per_m"] * 90e-9 + k["wire.farad_per_m"] * 3 * k["cell.feature_m"]
    )


def test_weights_that_do_not_fit_are_told_with_what_they_take():
    layers = {"a": group("a", [Component("cells", 1.0)], latency_seconds=2.0)}
    assert chip_of(EnergyConfig(run="r", tiles=4), [work()], layers).tiles == 4
    with pytest.raises(ConfigError, match="the weights take 4 arrays of 64x32"):
        chip_of(EnergyConfig(run="r", tiles=3), [work()], layers)


def costed(*, pipelined=False, tiles=None):
    works = [work("a"), work("b", rows=20, columns=20, positions=1)]
    layers = {
        "a": group("a", [Component("cells", 4.0, 40.0), Component("adc", 1.0, 4.0)], latency_seconds=8.0),
        "b": group("b", [Component("cells", 2.0, 10.0)], latency_seconds=1.0),
    }
    digital = {"c": group("c", [Component("digital", 3.0)], latency_seconds=5.0)}
    config = EnergyConfig(run="r", tiles=tiles, pipeline=pipelined)
    chip = chip_of(config, works, layers)
    return config, Costed(works, layers, digital, Component("digital", area_m2=7.0), {"c": 100}, chip, pipelined)


def test_digital_layers_take_their_turn_after_the_arrays_or_beside_them():
    assert costed()[1].times == (8 + 1 + 5, 14)
    assert costed(pipelined=True)[1].times == (14, 8)
    config, found = costed(pipelined=True, tiles=9)  # four arrays more: layer a twice, half as long
    assert found.chip.copies == (2, 1)
    assert found.times == (10, 5)
    assert tree_of(config, found).latency_seconds == 10


def test_the_chip_is_its_layers_with_their_copies_its_unit_and_what_is_left_empty():
    config, found = costed()
    tree = tree_of(config, found)
    assert tree.energy_joule == 4 + 1 + 2 + 3
    assert tree.area_m2 == 44 + 10 + 7
    config, found = costed(tiles=16)  # copies share the products: energy stays, area grows
    tree = tree_of(config, found)
    used = sum(copies * area for copies, area in zip(found.chip.copies, (44, 10), strict=True))
    empty = (16 - found.chip.tiles) * used / found.chip.tiles
    assert tree.energy_joule == 10
    assert tree.area_m2 == pytest.approx(used + empty + 7)


def test_a_breakdown_adds_up_by_part_by_layer_and_in_shares():
    config, found = costed()
    told = breakdown(tree_of(config, found), found)
    assert (told["cells_joule"], told["adc_joule"], told["digital_joule"]) == (6, 1, 3)
    assert sum(told["shares"].values()) == pytest.approx(1)
    assert {name: layer["energy_joule"] for name, layer in told["layers"].items()} == {"a": 5, "b": 2, "c": 3}
    assert told["layers"]["c"]["tiles"] == 0
    assert told["layers"]["a"]["tiles"] == 4


def test_written_activity_is_read_again_and_other_layers_are_refused(tmp_path):
    _, found = costed()
    activity = {name: full_drive(rows, 4, Wanted((3, 8), 2)) for name, rows in (("a", 100), ("b", 20))}
    write_results(tmp_path, found.every, activity)
    again = read_activity(tmp_path, {"a": 100, "b": 20})
    for name, seen in activity.items():
        np.testing.assert_array_equal(again[name].moments, seen.moments)
        np.testing.assert_array_equal(again[name].pulses[8], seen.pulses[8])
        assert (again[name].positions, again[name].images) == (4, 0)
    for rows in ({"a": 99}, {"other": 20}):
        with pytest.raises(RunError, match="it holds no activity of layer"):
            read_activity(tmp_path, rows)


def test_the_figure_names_parts_that_are_too_small_to_see(tmp_path):
    layers = {"a": group("a", [Component("cells", 1e-9), Component("gate_lines", 1e-14)])}
    assert draw(tmp_path, layers, caption="caption").stat().st_size > 5000


def test_what_is_saved_is_split_between_gate_voltage_and_conductances():
    start, middle, end = ({"cells": c, "gate_lines": g, "adc": 2.0} for c, g in ((6.0, 2.0), (6.0, 1.0), (3.0, 1.0)))
    whole, arrays = (split(start, middle, end, parts) for parts in (None, ("cells", "gate_lines")))
    assert (whole["saved"], whole["by_gate_voltage"], whole["by_conductances"]) == pytest.approx((0.4, 0.1, 0.3))
    assert (arrays["saved"], arrays["by_gate_voltage"], arrays["by_conductances"]) == pytest.approx((0.5, 1 / 8, 3 / 8))
    assert arrays["baseline_joule"] == 8
    assert (whole["gate_lines_share"], arrays["gate_lines_share"]) == (2 / 10, 2 / 8)


def test_parts_are_summed_over_layers_down_to_the_leaves():
    _, found = costed()
    assert parts_of(found.every.values()) == {"cells": 6.0, "adc": 1.0, "digital": 3.0}


def test_a_baseline_on_other_arrays_or_other_cells_is_refused():
    base = object.__new__(Opened)
    base.path, base.network = Path("runs/base"), mapped.network(cells=True)
    config = EnergyConfig(run="runs/own")
    comparable(config, base, mapped.network(cells=True))
    with pytest.raises(ConfigError, match="arrays of 64x32, runs/own on arrays of 64x16"):
        comparable(config, base, mapped.network(cells=True, tile=(64, 16)))
    other = mapped.network(cells=True)
    object.__setattr__(other, "cell", replace(other.cell, width_m=180e-9))
    with pytest.raises(ConfigError, match="its cells are 9e-08 m"):
        comparable(config, base, other)
