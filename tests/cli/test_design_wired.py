"""`xbar design` on 1T-1R arrays with wires: its products against folds of the same devices made by the evaluation itself."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.cli.test_design import opened
from xbar_cli.chip.fabricate import make_fabricator
from xbar_cli.chip.fold import make_folder
from xbar_cli.config.effect_list import steps_of
from xbar_cli.nn.contracts import dense
from xbar_cli.numerics import stream

WIRES = {"model": "gated", "r_wire_ohm": 5.0, "r_neuron_ohm": 40.0, "wired": "fold"}


def tree(cell, vg, **more):
    return {"cell": {"run": str(cell), "vg": vg}, "array": WIRES, "mapping": {"tile": "128x16"}, **more}


def outputs(layer, rows):
    """What a layer makes of some activations."""
    x = jax.random.uniform(jax.random.key(3), (20, rows))
    return np.asarray(layer(x, dense))


def by_the_evaluation(objective, devices):
    """The layers of a chip of these devices [S], folded as `xbar eval` does."""
    return make_folder(objective.bench.hardware)(devices, jax.random.key(0), {})[0].layers


def nominal(objective):
    return {name: jnp.asarray(layer.conductance) for name, layer in objective.bench.network.layers.items()}


@pytest.mark.parametrize("vg", ["0.8", "1.0"])
def test_at_gate_voltages_of_the_table_arrays_are_those_of_the_evaluation(vg, start, line_cell):
    designed = opened(start, **tree(line_cell, "0.9"), design={"over": ["vg", "r_neuron"]})
    asked = opened(start, **tree(line_cell, vg), design={"over": ["vg"]})
    wanted = by_the_evaluation(asked, nominal(asked))
    values = {"vg": float(vg), "r_neuron": 40.0}
    taken = designed.taken(values)["None"]
    traced = {name: jnp.asarray(value) for name, value in values.items()}
    found = designed.bench.circuit(traced, jax.random.key(0), taken).layers
    for name, layer in wanted.items():
        rows = asked.bench.network.layers[name].conductance.shape[0]
        exact = outputs(layer, rows)
        np.testing.assert_allclose(outputs(found[name], rows), exact, atol=2e-4 * np.abs(exact).max())


def test_between_two_folds_products_follow_the_parameters(start, line_cell):
    """10 mV and an eighth of the neurons' resistance away they are a fifth of the change off at most."""
    objective = opened(start, **tree(line_cell, "0.9"), design={"over": ["vg", "r_neuron"]})
    about, there = {"vg": 0.9, "r_neuron": 40.0}, {"vg": 0.91, "r_neuron": 45.0}
    held, own = (objective.taken(values)["None"] for values in (about, there))
    assert all(set(fold.slopes) == set(about) for fold in held.folds.values())
    still = {name: replace(fold, slopes={}) for name, fold in held.folds.items()}
    values = {name: jnp.asarray(value) for name, value in there.items()}
    along, wanted, left = (
        objective.bench.circuit(values, jax.random.key(0), taken).layers
        for taken in (held, own, held._replace(folds=still))
    )
    for name, layer in objective.bench.network.layers.items():
        rows = layer.conductance.shape[0]
        exact = outputs(wanted[name], rows)
        error, change = (np.abs(outputs(found[name], rows) - exact).max() for found in (along, left))
        assert 0 < error < 0.2 * change
        assert error < 5e-4 * np.abs(exact).max()


def test_chips_that_vary_are_near_the_folds_of_their_own_devices(start, line_cell):
    objective = opened(
        start, **tree(line_cell, "0.9", variation={"amount": 0.05, "negative": "reflect"}), design={"over": ["vg"]}
    )
    key = stream(jax.random.key(1), "chip")
    values = {"vg": jnp.asarray(0.9)}
    found = objective.bench.circuit(values, key, objective.taken({"vg": 0.9})["None"]).layers
    network, effects = objective.bench.network, objective.bench.config.variation
    made = make_fabricator(network, steps_of(effects.on_devices(), network), negative=effects.negative)(key)
    wanted = by_the_evaluation(objective, made.conductances)
    same = by_the_evaluation(objective, nominal(objective))
    for name, layer in wanted.items():
        rows = objective.bench.network.layers[name].conductance.shape[0]
        exact, others = outputs(layer, rows), outputs(same[name], rows)
        assert np.abs(outputs(found[name], rows) - exact).max() < 0.05 * np.abs(others - exact).max()


def test_a_design_with_wires_is_what_the_commands_say(start, line_cell, xbar, tmp_path):
    folder = tmp_path / "d"
    words = ("--cell", line_cell, "--vg", 0.9, "--array", "gated", "--r-wire", 5, "--r-neuron", 40, "--tile", "128x16")
    more = ("--adc-bits", 7, "--variation", 0.03, "--over", "vg", "--over", "r_neuron", "--energy-weight", 0.3)
    size = ("--steps", 3, "--rate", 0.1, "--step-images", 32, "--samples", 2, "--images", 50)
    made = xbar("design", start, *words, *more, *size, "--out", folder, "--json")
    assert made.code == 0, made.err
    built = {p["name"]: p["built"] for p in made.json["parameters"]}
    assert built["vg"] in (0.8, 0.9, 1.0)
    assert built["r_neuron"] != 40
    found = xbar("eval", start, "--config", folder / "evaluate.toml", "--out", tmp_path / "e", "--json").json
    assert found["metric_value"] == made.json["metric_value"]
    assert {layer["computed"] for layer in found["wired"].values()} == {"fold"}


def test_at_another_read_voltage_tile_and_drivers_arrays_are_those_of_the_evaluation(start, line_cell):
    def at(volt, tile, ohm, *over):
        read = {"input": "bitserial", "dac_bits": 6, "adc_bits": 8, "adc_range": "0.5", "v_read_volt": volt}
        given = tree(line_cell, "0.9", converters=read, mapping={"tile": tile}, array=WIRES | {"r_source_ohm": ohm})
        return opened(start, **given, design={"over": list(over)})

    designed = at(0.4, "64x64", 20.0, "v_read=0.2:0.5", "tile=64:128", "r_source=10:80")
    asked = at(0.3, "128x128", 50.0, "adc_bits")
    values = {"v_read": 0.3, "tile": 128.0, "r_source": 50.0}
    traced = {name: jnp.asarray(value) for name, value in values.items()}
    found = designed.bench.circuit(traced, jax.random.key(0), designed.taken(values)["128"], tile=128).layers
    ranges = asked.taken({"adc_bits": 8.0})["None"].ranges
    exact = make_folder(asked.bench.hardware)(nominal(asked), jax.random.key(0), dict(ranges))[0].layers
    drive = jax.random.uniform(jax.random.key(3), (20, 1, 128))
    for name, layer in exact.items():
        part = drive[..., : min(128, asked.bench.network.layers[name].conductance.shape[0])]
        wanted = np.asarray(layer._currents(part, jnp.asarray(0)))
        np.testing.assert_allclose(
            found[name]._currents(part, jnp.asarray(0)), wanted, atol=3e-4 * np.abs(wanted).max()
        )
