"""`xbar design --over v_read`: cells programmed for, and read at, a voltage that descends; its costs follow."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from tests.cli.test_design import RESISTIVE, opened
from xbar_cli.design.placing import Gated

PWM = {"input": "pwm", "dac_bits": 6}


@pytest.mark.parametrize("volt", [0.15, 0.4])
def test_at_any_voltage_the_network_is_what_map_makes_for_it(volt, start, cell):
    tree = {"cell": {"run": str(cell), "vg": "0.9"}, "mapping": {"tile": "32x32"}}
    designed = opened(start, **tree, converters=PWM, design={"over": ["v_read"]})
    asked = opened(start, **tree, converters=PWM | {"v_read_volt": volt}, design={"over": ["vg"]})
    wanted = asked.bench.network
    found = designed.bench.mapped({"v_read": jnp.asarray(volt)})
    for name, layer in wanted.layers.items():
        np.testing.assert_allclose(found.layers[name].conductance, layer.conductance, rtol=2e-4)
        np.testing.assert_allclose(found.layers[name].slope, layer.slope, rtol=1e-5)
    for name, cost in asked.costs({"vg": 0.9}).items():
        assert designed.costs({"v_read": volt})[name] == pytest.approx(cost, rel=1e-4), name


@pytest.mark.parametrize("scheme", ["de", "bc"])
@pytest.mark.parametrize("top", ["range", "device"])
def test_a_cell_read_at_a_voltage_is_the_one_programmed_for_it(scheme, top, start, cell):
    tree = {"cell": {"run": str(cell), "vg": "0.9"}, "mapping": {"scheme": scheme}, "converters": PWM}
    gated = opened(start, **tree, design={"over": ["v_read"]}).bench.gated
    devices = replace(gated.devices, volt=0.2, top=top)
    wanted = Gated.of(devices, scheme, gated.nodes)
    assert not np.allclose(wanted.curves, gated.curves, rtol=1e-3)
    found = Gated.of(replace(devices, volt=0.5), scheme, gated.nodes).read_at(jnp.asarray(0.2))
    for name in ("curves", "bottoms", "tops", "slope"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-5)


def test_a_designed_voltage_is_what_the_commands_read_at(start, cell, xbar, tmp_path):
    folder = tmp_path / "d"
    words = ("--cell", cell, "--vg", 0.9, "--input", "pwm", "--dac-bits", 6, "--variation", 0.05, "--samples", 2)
    more = ("--images", 50, "--over", "v_read=0.1:0.5", "--energy-weight", 5, "--rate", 0.1, "--steps", 3)
    made = xbar("design", start, *words, *more, "--step-images", 32, "--out", folder, "--json").json
    (parameter,) = made["parameters"]
    assert parameter["start"] == 0.5
    assert parameter["unit"] == "V"
    assert 0.1 <= parameter["built"] < 0.5
    assert made["energy_joule"] < made["start"]["energy_joule"]
    found = xbar("eval", start, "--config", folder / "evaluate.toml", "--out", tmp_path / "e", "--json").json
    assert found["metric_value"] == made["metric_value"]
    assert found["v_read_volt"] == parameter["built"]
    assert xbar("map", start, "--config", folder / "map.toml", "--out", tmp_path / "m").code == 0
    cost = xbar("energy", tmp_path / "m", "--config", folder / "energy.toml", "--out", tmp_path / "c", "--json").json
    for name in ("energy_joule", "area_m2", "latency_seconds"):
        assert cost[name] == pytest.approx(made[name], rel=1e-6)


def test_a_stated_range_of_the_converters_follows_devices_that_are_designed(start):
    tree = RESISTIVE | {"converters": {"adc_bits": 6, "adc_range": "0.1"}}
    found = opened(start, **tree, design={"over": ["r_on"]}).taken({"r_on": 60e3})["None"].ranges
    mapping = tree["mapping"] | {"r_on_ohm": 60e3}
    wanted = (
        opened(start, **tree | {"mapping": mapping}, design={"over": ["r_off"]}).taken({"r_off": 300e3})["None"].ranges
    )
    for name, own in wanted.items():
        assert float(found[name].full_scale) == pytest.approx(float(own.full_scale), rel=1e-6)


@pytest.mark.parametrize(
    ("over", "words", "said"),
    [
        ("v_read", (), "v_read is the one voltage of the rows of 1T-1R cells"),
        ("v_read", ("--vg", 0.9), "give --cell and --input bitserial or pwm"),
        ("v_read=0.1:0.9", ("--vg", 0.9, "--input", "pwm", "--dac-bits", 6), "beyond the cell's table"),
    ],
)
def test_a_voltage_that_is_none_of_the_evaluation_is_one_line(over, words, said, start, cell, xbar):
    given = ("--cell", cell, *words) if words else ()
    found = xbar("design", start, *given, "--over", over, "--steps", 1)
    assert found.code == 1
    assert said in found.err
    assert found.err.count("\n") == 1
