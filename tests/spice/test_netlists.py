"""Netlists as text, read back by a reader of this file: what stands between which nodes, with which values."""

import re

import numpy as np
import pytest

from xbar_cli.errors import ConfigError, SpiceError
from xbar_cli.spice.cards import load_card
from xbar_cli.spice.jobs import Analysis, Grid
from xbar_cli.spice.messages import about, explained
from xbar_cli.spice.netlist import CellCircuit, bench_lines, cell_lines, option_lines, save_lines, speed_commands

PLAIN = ".model tiny nmos level=1 vto=0.5 kp=200u lambda=0.05\n"
SUBCIRCUIT = PLAIN + ".subckt fet d g s b w=1u l=1u {more}\nm1 d g s b tiny w={{w}} l={{l}}\n.ends\n"
NODES = {"name": "7", "g_siemens": 4e-6, "top": "in", "bottom": "bl"}


def card(tmp_path, text=PLAIN, model=None):
    path = tmp_path / "card.lib"
    path.write_text(text)
    return load_card(str(path), model)


def cell(made, **changes):
    size = {"width_m": 9e-8, "length_m": 4.5e-8, "topology": "drain", "temperature_celsius": 27.0}
    return CellCircuit(card=made, **(size | changes))


def read(lines):
    """Devices by their first letter: nodes and, by name, values."""
    found = {}
    for line in lines:
        words = line.split()
        values = dict(re.findall(r"(\w+)=(\S+)", line))
        found[words[0][0].upper()] = ([w for w in words[1:] if "=" not in w], values)
    return found


@pytest.mark.parametrize(("topology", "memristor", "transistor"), [
    ("drain", ["in", "x7"], ["x7", "gate", "bl", "0"]),
    ("source", ["x7", "bl"], ["in", "gate", "x7", "0"]),
])  # fmt: skip
def test_a_cell_is_a_resistor_and_a_transistor_in_series(tmp_path, topology, memristor, transistor):
    devices = read(cell_lines(cell(card(tmp_path), topology=topology), **NODES))
    nodes, _ = devices["R"]
    assert nodes[:2] == memristor
    assert float(nodes[2]) == pytest.approx(1 / 4e-6)
    nodes, values = devices["M"]
    assert nodes == [*transistor, "tiny"]
    assert (float(values["w"]), float(values["l"])) == pytest.approx((9e-8, 4.5e-8))


def test_a_subcircuit_is_an_x_device_and_shifts_only_where_it_takes_a_shift(tmp_path):
    with_shift = card(tmp_path, SUBCIRCUIT.format(more="delvto=0"), "fet")
    _, values = read(cell_lines(cell(with_shift), vth_shift_volt=-0.01, **NODES))["X"]
    assert float(values["delvto"]) == -0.01
    without = card(tmp_path, SUBCIRCUIT.format(more=""), "fet")
    with pytest.raises(ConfigError, match="subcircuit fet takes no delvto"):
        cell_lines(cell(without), vth_shift_volt=-0.01, **NODES)
    assert "delvto" not in " ".join(cell_lines(cell(without), **NODES))


def test_only_bsim4_is_asked_to_leave_resistance_networks_and_charges_out(tmp_path):
    plain, lp = card(tmp_path), load_card("lp")
    assert "rgatemod=0 rbodymod=0" in " ".join(cell_lines(cell(lp), **NODES))
    assert "rgatemod" not in " ".join(cell_lines(cell(plain), **NODES))
    assert speed_commands(lp) == ("altermod lp capmod = 0",)
    assert speed_commands(plain) == ()


def test_a_cell_stands_at_the_drain_or_at_the_source(tmp_path):
    with pytest.raises(ValueError, match="topology must be drain or source, got 'gate'"):
        cell(card(tmp_path), topology="gate")
    with pytest.raises(ValueError, match="width_m and length_m must be above 0, got 0"):
        cell(card(tmp_path), width_m=0.0)


def test_the_bench_has_three_sources_and_the_temperature_is_that_of_the_run():
    assert [line.split()[:2] for line in bench_lines()] == [["Vin", "in"], ["Vg", "gate"], ["Vbl", "bl"]]
    lines = option_lines(temperature_celsius=85)
    assert any(re.fullmatch(r"\.temp 85(\.0)?", line) for line in lines)
    assert not any(line.startswith("*") for line in lines)


@pytest.mark.parametrize("count", [1, 40, 41, 95])
def test_every_vector_is_saved_once_on_lines_that_are_not_too_long(count):
    vectors = [f"i(v{k})" for k in range(count)]
    lines = save_lines(vectors)
    assert [word for line in lines for word in line.split()[1:]] == vectors
    assert all(line.startswith(".save ") and len(line.split()) <= 41 for line in lines)


def test_grids_are_even_and_a_point_stops_where_it_starts():
    grid = Grid(0.1, 0.5, 5)
    assert grid.step == pytest.approx(0.1)
    np.testing.assert_allclose(grid.values(), [0.1, 0.2, 0.3, 0.4, 0.5])
    assert Grid(1.0, 1.0, 1).step == 1.0
    assert Analysis(sweeps=(("vin", grid), ("vg", Grid(0.8, 1.0, 3))), vectors=("a",)).points == 15


@pytest.mark.parametrize(("grid", "message"), [
    ((0.0, float("inf"), 3), "must be finite"),
    ((0.0, 1.0, 0), "at least 1, got 0"),
    ((0.0, 1.0, True), "whole number"),
    ((0.0, 1.0, 1), "a grid of one point must stop where it starts"),
    ((1.0, 1.0, 2), "stop must be above start"),
])  # fmt: skip
def test_no_other_grids(grid, message):
    with pytest.raises(ValueError, match=message):
        Grid(*grid)


CIRCUIT = ("Vin in 0 dc 0", PLAIN.strip(), "R1 in 0 1k")


@pytest.mark.parametrize("said", [
    "Error on line 3; unrecognized parameter (kpp); ignored",
    f"Warning; {PLAIN.strip().upper()} ; unrecognized parameter (kpp)",
    "netlist line no. 3; unrecognized parameter (kpp)",
])  # fmt: skip
def test_a_refusal_names_the_line_of_the_card(tmp_path, said):
    """Line 3 of what ngspice sees is the second of the circuit: the title is the first."""
    found = explained(said, card(tmp_path), CIRCUIT)
    assert found == "ngspice refuses card card.lib, line 1: unrecognized parameter (kpp)"


def test_a_place_outside_the_card_is_not_the_cards(tmp_path):
    found = explained("error on line 4; undefined parameter [foo]", card(tmp_path), CIRCUIT)
    assert found == "ngspice refuses card card.lib (model tiny): undefined parameter [foo]"


def test_what_is_not_of_the_card_stays_as_it_was_said(tmp_path):
    made = card(tmp_path)
    assert explained("singular matrix", made, CIRCUIT) == "singular matrix"
    with pytest.raises(SpiceError, match=r"^singular matrix$"), about(made, CIRCUIT):
        raise SpiceError("singular matrix")
    with pytest.raises(SpiceError, match="refuses card"), about(made, CIRCUIT):
        raise SpiceError("unknown parameter (x)")
    with pytest.raises(ZeroDivisionError), about(made, CIRCUIT):
        raise ZeroDivisionError
