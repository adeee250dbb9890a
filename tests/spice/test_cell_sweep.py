"""The cell's table against the linear ranges that ngspice 39 gave independently, circuit laws and limits."""

import importlib.util

import numpy as np
import pytest

from xbar_cli.errors import SpiceError
from xbar_cli.spice.cards import card_names, load_card, netlist_folder
from xbar_cli.spice.jobs import Analysis, Simulation
from xbar_cli.spice.netlist import CellCircuit
from xbar_cli.spice.pool import Pool
from xbar_cli.spice.sweep import Grid, sweep_cell

pytestmark = pytest.mark.spice

ARRAYS = ("current_ampere", "input_current_ampere", "leakage_ampere", "input_leakage_ampere", "rest_ampere")


def sweep(card="lp", **changes):
    cell = {"width_m": 9e-8, "length_m": 4.5e-8, "temperature_celsius": 27.0, "topology": "drain"}
    cell |= {name: changes.pop(name) for name in cell if name in changes}
    settings = {
        "g_siemens": np.geomspace(0.1 / 300e3, 1.75 / 30e3, 6),
        "vin": Grid(0.0, 0.5, 6),
        "vg": Grid(0.8, 1.0, 3),
        "jobs": 1,
        "timeout_s": 60.0,
        "backend": "ctypes",
    }
    return sweep_cell(CellCircuit(card=load_card(card), **cell), **(settings | changes))


def spread(table):
    """(max − min)/mean over V_in of G_eff = I/V_in, `[vg g]`."""
    g_eff = table.current_ampere[0] / table.vin_volt
    return (g_eff.max(-1) - g_eff.min(-1)) / g_eff.mean(-1)


def test_the_linear_range_ends_where_an_independent_simulation_found_it():
    """Upper end of the range (spread of G_eff 2.5 %) in 1e-5 S of the PTM 45 nm LP card, W/L = 90/45 nm, 27 °C, 51
    inputs of 0.01…0.5 V, memristors of 30…300 kΩ: ngspice 39.3, driven by other code than ours, for this project."""
    expected = [0.5245, 0.8545, 1.2373, 1.6452, 2.0616, 2.4774, 2.8883]
    g = np.linspace(1 / 300e3, 1 / 30e3, 64)
    table = sweep(g_siemens=g, vin=Grid(0.01, 0.5, 51), vg=Grid(0.7, 1.0, 7))
    found = [np.interp(0.025, row, g) * 1e5 for row in spread(table)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert table.current_ampere.shape == (1, 7, 64, 51)
    assert table.points == 7 * 64 * 52
    assert table.points / table.seconds > 20_000.0, "side by side in one netlist: one circuit per cell is slower"


def test_currents_are_those_of_tight_tolerances_and_of_one_cell_alone():
    """reltol 1e-9 and a separate netlist for every cell, resistance networks of gate and body left in."""
    table = sweep(vin=Grid(0.1, 0.5, 3), vg=Grid(0.9, 0.9, 1))
    gate = Analysis((("vin", Grid(0.1, 0.5, 3)),), ("i(vout)", "i(vin)"))
    jobs = [
        Simulation(
            (
                *load_card("lp").text,
                "vin in 0 dc 0",
                "vg g 0 dc 0.9",
                f"r1 in d {float(1.0 / g)!r}",
                "m1 d g s 0 lp w=90n l=45n",
                "vout s 0 dc 0",
                ".options reltol=1e-9 abstol=1e-18 vntol=1e-12 gmin=1e-18",
            ),
            (gate,),
        )
        for g in table.g_siemens
    ]
    with Pool(1, backend="ctypes") as pool:
        alone = np.stack([outcome.values for (outcome,) in pool.run(jobs, timeout_s=60.0)])
    np.testing.assert_allclose(table.current_ampere[0, 0], alone[:, 0], rtol=2e-6)
    np.testing.assert_allclose(table.input_current_ampere[0, 0], -alone[:, 1], rtol=2e-6)


def test_the_table_is_the_same_to_the_bit_for_any_number_of_workers():
    seen = []
    alone, shared = sweep(), sweep(jobs=2, on_progress=lambda done, total: seen.append((done, total)))
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(alone, name), getattr(shared, name))
    assert seen == [(k, 4) for k in range(1, 5)]


@pytest.mark.parametrize("topology", ["drain", "source"])
@pytest.mark.parametrize("card", card_names())
def test_every_card_in_both_topologies_keeps_the_laws(card, topology):
    table = sweep(card, topology=topology, vin=Grid(-0.5, 0.5, 11), vg=Grid(0.7, 1.3, 3), bit_line_volt=(0.0, 0.02))
    i, drawn = table.current_ampere, table.input_current_ampere
    assert i.shape == (2, 3, 6, 11)
    assert np.all(np.diff(i, axis=-1) > 0), "current rises with V_in"
    assert np.all(np.diff(i[..., 6:], axis=1) > 0), "and with V_g"
    assert np.all(i[:1] < table.g_siemens[:, None] * np.abs(table.vin_volt) + 1e-7), "a memristor alone passes more"
    # Kirchhoff: what enters and does not leave is the gate's and the body's, below 3 % of full scale for every card.
    # (Below 0 V the junction to the body conducts as well.)
    assert np.max(np.abs(i - drawn)[..., 5:]) < 0.03 * np.max(np.abs(i))
    # V_in = 0 is a sweep of its own and the middle of this grid.
    np.testing.assert_allclose(table.leakage_ampere, i[..., 5], rtol=1e-5, atol=1e-14)
    np.testing.assert_allclose(table.input_leakage_ampere, drawn[..., 5], rtol=1e-5, atol=1e-14)
    assert np.all(table.leakage_ampere[1] < table.leakage_ampere[0]), "a raised bit line pushes current back"


def test_the_memristor_on_the_source_side_leaves_no_linear_range_at_low_gate_voltage():
    g = np.linspace(1 / 300e3, 1 / 30e3, 12)
    changes = {"g_siemens": g, "vin": Grid(0.01, 0.5, 26), "vg": Grid(0.7, 0.9, 3)}
    assert np.all(spread(sweep(topology="source", **changes)) > 0.025)
    assert np.any(spread(sweep(topology="drain", **changes)) < 0.025)


def test_a_wide_transistor_far_above_threshold_is_a_switch():
    table = sweep(width_m=2e-6, vg=Grid(2.0, 2.0, 1), vin=Grid(0.1, 0.5, 5))
    signal = table.current_ampere[0, 0] - table.leakage_ampere[0, 0][:, None]  # its wide gate leaks 3e-8 A
    np.testing.assert_allclose(signal, np.outer(table.g_siemens, table.vin_volt), rtol=1.2e-2)


def test_a_shift_of_the_threshold_is_that_of_the_card(tmp_path):
    """`delvto` of one instance against a card whose vth0 is that much higher."""
    text = (netlist_folder() / "cards" / "lp.lib").read_text()
    (tmp_path / "raised.lib").write_text(
        text.replace("vth0 = 0.62261", "vth0 = 0.64261").replace("vfb = -0.55", "vfb = -0.53")
    )
    options = {"vg": Grid(0.8, 0.8, 1), "vin": Grid(0.1, 0.5, 5)}
    g, shifts = np.array([1e-5, 2e-5, 2e-5]), np.array([0.0, 0.0, 0.02])
    shifted = sweep(g_siemens=g, vth_shift_volt=shifts, **options).current_ampere[0, 0]
    plain = sweep(g_siemens=g, **options).current_ampere[0, 0]
    raised = sweep(str(tmp_path / "raised.lib"), g_siemens=g, **options).current_ampere[0, 0]
    np.testing.assert_allclose(shifted[:2], plain[:2], rtol=2e-6)
    np.testing.assert_allclose(shifted[2], raised[2], rtol=3e-6)
    assert np.all(raised[2] < 0.985 * plain[2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"g_siemens": np.array([])}, "g_siemens"),
        ({"g_siemens": np.array([0.0])}, "g_siemens"),
        ({"g_siemens": np.array([np.nan])}, "g_siemens"),
        ({"vth_shift_volt": np.zeros(2)}, "vth_shift_volt"),
        ({"bit_line_volt": ()}, "bit_line_volt"),
        ({"width_m": -9e-8}, "width_m"),
        ({"length_m": float("nan")}, "length_m"),
        ({"temperature_celsius": float("inf")}, "finite"),
        ({"topology": "gate"}, "topology"),
        ({"jobs": 0}, "jobs"),
        ({"timeout_s": 0.0}, "timeout_s"),
        ({"vin": Grid(0.0, 1.0, 10**9)}, "at most"),
    ],
)
def test_arguments_outside_their_domain_are_refused_before_anything_runs(changes, message):
    with pytest.raises(ValueError, match=message):
        sweep(**changes)


def test_a_width_that_the_card_cannot_have_is_the_simulators_message():
    with pytest.raises(SpiceError, match=r"ngspice: .*width"):
        sweep(width_m=1e-9)


@pytest.mark.skipif(importlib.util.find_spec("ngspyce") is None, reason="the package ngspyce is not installed")
def test_both_backends_give_the_same_bits():
    ours, theirs = sweep(), sweep(backend="ngspyce")
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
