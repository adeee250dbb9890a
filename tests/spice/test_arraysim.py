"""Whole arrays in ngspice, against arrays that ngspice solved elsewhere and against a dense solution."""

import json
from pathlib import Path

import numpy as np
import pytest

from xbar_cli.spice.arraysim import simulate_array
from xbar_cli.spice.cards import load_card
from xbar_cli.spice.netlist import CellCircuit
from xbar_cli.spice.sweep import Grid, sweep_cell

pytestmark = pytest.mark.spice

CASES = json.loads((Path(__file__).parent / "crossbars.json").read_text())["cases"]
NO_WIRES = {"r_word": 0.0, "r_bit": 0.0, "r_source": 0.0, "r_neuron": 0.0}


def simulate(cell, g, v, *, vg=None, **changes):
    settings = NO_WIRES | {"timeout_s": 60.0} | changes
    return simulate_array(cell, g_siemens=g, v_volt=v, vg_volt=vg, **settings)


def cell_of(card, **changes):
    settings = {"width_m": 9e-8, "length_m": 4.5e-8, "topology": "drain", "temperature_celsius": 27.0} | changes
    return CellCircuit(card=load_card(card), **settings)


def dense(g, v, *, r_word, r_bit, r_source, r_neuron):
    """Column currents by nodal analysis of every node, all resistances above 0."""
    rows, cols = g.shape
    a, b = np.zeros((2 * g.size, 2 * g.size)), np.zeros(2 * g.size)
    word, bit = np.arange(g.size).reshape(g.shape), np.arange(g.size, 2 * g.size).reshape(g.shape)

    def join(p, q, y):
        for m, n in ((p, q), (q, p)):
            a[m, m] += y
            a[m, n] -= y

    for i in range(rows):
        a[word[i, 0], word[i, 0]] += 1.0 / (r_source + r_word)
        b[word[i, 0]] += v[i] / (r_source + r_word)
        for j in range(cols):
            join(word[i, j], bit[i, j], g[i, j])
            if j:
                join(word[i, j - 1], word[i, j], 1.0 / r_word)
            if i:
                join(bit[i - 1, j], bit[i, j], 1.0 / r_bit)
    a[bit[-1], bit[-1]] += 1.0 / (r_bit + r_neuron)
    return np.linalg.solve(a, b)[bit[-1]] / (r_bit + r_neuron)


@pytest.mark.parametrize("name", CASES)
def test_the_arrays_that_ngspice_solved_elsewhere(name):
    case = CASES[name]
    g = np.array([[0.0 if ohm is None else 1.0 / ohm for ohm in row] for row in case["resistance_ohm"]])
    kind = case.get("cell")
    wires = {key: case[f"{key}_ohm"] for key in NO_WIRES}
    cell = cell_of(kind["card"], width_m=kind["width_m"], length_m=kind["length_m"]) if kind else None
    options = {"vg": kind and kind["vg_volt"], **wires}
    v = np.array(case["applied_v"])
    found = simulate(cell, g, np.stack([v, 0.5 * v, v]), **options)
    np.testing.assert_allclose(found.current_ampere[0], case["output_a"], rtol=1e-9)
    np.testing.assert_allclose(found.current_ampere[2], case["output_a"], rtol=1e-6)
    if cell is None:
        np.testing.assert_allclose(found.current_ampere[1], 0.5 * np.array(case["output_a"]), rtol=1e-9)
    assert found.seconds_first > 0.0
    assert found.seconds_per_point > 0.0


def test_a_batch_of_inputs_against_a_dense_solution_and_one_at_a_time():
    rng = np.random.default_rng(3)
    g, v = 1.0 / rng.uniform(30e3, 300e3, (4, 3)), rng.uniform(-0.5, 0.5, (7, 4))
    wires = {"r_word": 11.0, "r_bit": 17.0, "r_source": 130.0, "r_neuron": 70.0}
    found = simulate(None, g, v, **wires)
    np.testing.assert_allclose(found.current_ampere, [dense(g, row, **wires) for row in v], rtol=1e-9)
    single = simulate(None, g, v[4:5], **wires)
    np.testing.assert_allclose(single.current_ampere[0], found.current_ampere[4], rtol=1e-12)
    assert single.seconds_per_point == 0.0


def test_without_wires_an_array_is_the_sum_of_its_cells():
    rng = np.random.default_rng(4)
    g, v = 1.0 / rng.uniform(30e3, 300e3, (3, 2)), np.array([[0.1, 0.3, 0.5]])
    g[1, 0] = 0.0
    np.testing.assert_allclose(simulate(None, g, v).current_ampere, v @ g, rtol=1e-12)
    for topology in ("drain", "source"):
        cell = cell_of("hp", temperature_celsius=85.0, topology=topology)
        table = sweep_cell(
            cell,
            g_siemens=np.maximum(g.ravel(), 1e-9),
            vin=Grid(0.1, 0.5, 3),
            vg=Grid(0.9, 0.9, 1),
            jobs=1,
            timeout_s=60.0,
            backend="ctypes",
        )
        cells = table.current_ampere[0, 0].reshape(3, 2, 3)
        expected = [sum(cells[i, j, i] for i in range(3) if g[i, j] > 0) for j in range(2)]
        found = simulate(cell, g, v, vg=0.9)
        np.testing.assert_allclose(found.current_ampere[0], expected, rtol=3e-6)


@pytest.mark.slow
def test_a_32_by_32_array_is_solved_as_one_circuit():
    rng = np.random.default_rng(5)
    g, v = 1.0 / rng.uniform(30e3, 300e3, (32, 32)), rng.uniform(0.0, 0.5, (4, 32))
    ideal = simulate(cell_of("lp"), g, v, vg=1.0)
    wired = simulate(cell_of("lp"), g, v, vg=1.0, r_word=2.5, r_bit=2.5)
    loss = 1.0 - wired.current_ampere / ideal.current_ampere
    assert np.all((loss > 0.0) & (loss < 0.2))
    assert loss[:, -1].mean() > loss[:, 0].mean(), "the column far from the drivers loses more"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"g": np.array([[-1e-5]])}, "g_siemens"),
        ({"g": np.array([1e-5])}, "g_siemens"),
        ({"v": np.zeros((1, 2))}, "v_volt"),
        ({"v": np.array([[np.nan]])}, "v_volt"),
        ({"r_word": -1.0}, "r_word"),
        ({"r_neuron": np.inf}, "r_neuron"),
        ({"vg": 1.0}, "vg_volt .* be None without one"),
        ({"card": "lp"}, "vg_volt must be given with a cell"),
    ],
)
def test_arguments_outside_their_domain_are_refused(changes, message):
    settings = {"g": np.array([[1e-5]]), "v": np.array([[0.1]])} | changes
    cell = cell_of(settings.pop("card")) if "card" in settings else None
    with pytest.raises(ValueError, match=message):
        simulate(cell, settings.pop("g"), settings.pop("v"), **settings)
