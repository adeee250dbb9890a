"""Sizes of a synaptic core by hand: lines, multiplexers and times of an array of 64 rows and 32 columns."""

import math
from dataclasses import replace

import pytest

from xbar_cli.energy.constants import load
from xbar_cli.energy.models.core import Core, Read
from xbar_cli.energy.models.gates import Node, inverter
from xbar_cli.energy.reading import Reading

K = load("neurosim")
NODE = Node(K.node(45), K)
F = 45e-9


def core(**changes):
    base = Core(K, NODE, 64, 32, 1e5, relaxed=False, reading=Reading("bitserial", 4, 6))
    return replace(base, **changes)


def test_cells_are_counted_in_features_and_relaxed_columns_are_as_wide_as_their_circuits():
    height, width = core().size
    assert height == pytest.approx(64 * K["array.cell_height_features"] * F)
    assert width == pytest.approx(32 * K["array.cell_width_features"] * F)
    assert core(relaxed=True).size[1] == pytest.approx(32 * K["array.relaxed_width_features"] * F)


def test_lines_have_the_capacitance_of_their_length_and_of_what_hangs_on_them():
    made = core()
    wire = K["wire.farad_per_m"]
    assert made.row_capacitance == pytest.approx(wire * made.size[1])
    gates = made.word_capacitance - made.row_capacitance
    assert gates == pytest.approx(32 * NODE.gate_capacitance(made.access_width))
    drains = made.column_capacitance - wire * made.size[0]
    assert drains == pytest.approx(64 * NODE.drain_capacitance(made.access_width))


def test_the_access_transistor_is_as_wide_as_its_resistance_asks():
    assert NODE.on_resistance(core().access_width) == pytest.approx(K["array.access_ohm"])
    assert core().cell_ohm == 1e5 + K["array.access_ohm"]


def test_a_multiplexer_has_half_the_resistance_of_the_rows_that_it_reads():
    for rows_at_once, active in ((None, 64), (8, 8), (100, 64)):
        made = core(reading=Reading("bitserial", 4, 6, rows_at_once=rows_at_once))
        assert made.active == active
        n, p = made.mux_widths
        each = [NODE.on_resistance(n), NODE.on_resistance(p, pmos=True)]
        assert 1 / sum(1 / ohm for ohm in each) == pytest.approx(made.cell_ohm / active / 2)


def test_converters_serve_the_models_columns_or_those_that_are_asked_for():
    own = round(K["mux.columns"])
    assert (core().shared, core().converters) == (min(own, 32), math.ceil(32 / min(own, 32)))
    made = core(reading=Reading("bitserial", 4, 6, columns_per_adc=5))
    assert (made.shared, made.converters) == (5, 7)


def test_a_bit_more_is_integrated_twice_as_long_and_half_the_rows_for_longer():
    one, more = (core(reading=Reading("bitserial", 4, bits)) for bits in (6, 7))
    assert more.integration_seconds == pytest.approx(2 * one.integration_seconds)
    assert one.pulse_seconds - one.integration_seconds == pytest.approx(1 / K["clock.hertz"])
    few = core(reading=Reading("bitserial", 4, 6, rows_at_once=32))
    assert one.integration_seconds < few.integration_seconds < 2 * one.integration_seconds


def test_reads_are_pulses_times_groups():
    assert Read(32, 4, 100.0, 0.1, 0.5).reads == 4
    assert Read(32, 4, 100.0, 0.1, 0.5, groups=3).reads == 12


@pytest.mark.parametrize("nm", [7, 14, 45, 130])
def test_fins_come_whole_and_planar_transistors_fold_where_they_do_not_fit(nm):
    node = Node(K.node(nm), K)
    room = 10 * node.feature
    for width in (0.5 * room, 2.5 * room, 9 * room):
        folds = node.folds(width, room)
        assert folds >= 1
        if not node.fins:
            assert folds == max(1, math.ceil(width / room - 1e-9))
            assert node.span(width) == width
    assert node.folds(20 * room, room) > node.folds(room, room)
    if node.fins:
        one, two = (
            node.span(width) for width in (1e-9, 1.5 * (2 * node.own["fin_height_m"] + node.own["fin_width_m"]))
        )
        assert two - one == pytest.approx(node.own["fin_pitch_m"])


def test_a_drain_in_fingers_shares_its_diffusions():
    """Three fingers have two drains, each a third as wide as the transistor."""
    width = 1e-6
    whole, split = NODE.drain_capacitance(width), NODE.drain_capacitance(width, fingers=3)
    assert split < whole
    assert inverter(NODE, 100.0).c_out < 100 * inverter(NODE).c_out
