"""What keys, figures and values become on an axis."""

import numpy as np
import pytest

from xbar_cli.figures.labels import Label, label_of_figure, label_of_key, prefixed, safe
from xbar_cli.pictures.values import along, one_number, scale_of, together, written, written_time


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("evaluate.array.r_wire_ohm", r"wire resistance $r_\mathrm{wire}$ (Ω)"),
        ("neat.neat.vg", "gate voltage $V_g$ (V)"),
        ("map.mapping.bits", "bits per device"),
        ("evaluate.variation.amount", r"device variation $\sigma$ (%)"),
        ("net.training.momentum", "momentum"),
    ],
)
def test_keys_are_words_with_symbol_and_unit(key, text):
    assert label_of_key(key).text == text


def test_a_key_that_no_table_knows_has_its_own_words_and_its_unit():
    assert label_of_key("cell.some_new_ohm", unit="ohm").text == "some new (Ω)"


@pytest.mark.parametrize(
    ("name", "text", "factor"),
    [
        ("accuracy_mean", "accuracy (%)", 100),
        ("test_accuracy", "test accuracy (%)", 100),
        ("before_accuracy_mean", "accuracy [before] (%)", 100),
        ("energy_joule", "energy per inference $E$ (J)", 1),
        ("clamped_fraction", "clamped fraction (%)", 100),
        ("weird", "weird", 1),
    ],
)
def test_figures_are_words_with_the_stage_that_they_are_of(name, text, factor):
    unit = "J" if name == "energy_joule" else "1"
    assert (label_of_figure(name, unit=unit).text, label_of_figure(name, unit=unit).factor) == (text, factor)


@pytest.mark.parametrize(
    ("unit", "largest", "shown", "times"),
    [
        ("J", 3e-8, "nJ", 1e9), ("J", 1e-9, "nJ", 1e9), ("m", 90e-9, "nm", 1e9), ("V", 0.8, "V", 1), ("V", 0.05, "mV", 1e3),
        ("Ω", 1000.0, "Ω", 1), ("Ω", 300e3, "kΩ", 1e-3), ("m²", 2e-7, "mm²", 1e6), ("%", 1e-5, "%", 1), ("s", 0.0, "s", 1),
    ],
)  # fmt: skip
def test_units_get_the_prefix_that_suits_the_largest_value(unit, largest, shown, times):
    found = prefixed(Label("x", unit=unit), largest)
    assert (found.unit, found.factor) == (shown, pytest.approx(times))


def test_texts_of_runs_are_no_mathematics_and_stay_on_a_line():
    assert safe("$\\frac{1}{0}$\n\x1b[31m" + "x" * 100) == ("\\$∖frac{1}{0}\\$ ∖x1b[31m" + "x" * 100)[:41] + "…"


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1, 2, 3, 4], "linear"), ([0, 0.5, 1, 2, 5, 10], "linear"), ([1, 2, 4, 8, 16], "log"), ([32, 64, 128], "log"),
        ([0.1, 1, 10], "log"), ([1, 3, 10, 30, 100], "log"), ([0, 1, 10, 100], "broken"), ([0.7, 0.8, 0.9, 1.0], "linear"),
        ([-1, 1, 10, 100], "linear"), ([1, 100], "linear"), ([0.02, 0.05, 0.1, 0.2], "log"),
        ([0, 0.02, 0.05, 0.1, 0.2], "linear"),
        ([1, 3, 6], "linear"), ([10, 20, 30, 40, 100], "linear"),
    ],
)  # fmt: skip
def test_geometric_lists_are_logarithmic_and_zero_stands_apart_only_where_it_must(values, scale):
    assert scale_of(values) == scale
    assert scale_of(values[::-1]) == scale


def test_numbers_are_drawn_in_their_order_and_sizes_too():
    found = along("a.b.r_wire_ohm", np.asarray([10.0, 0.0, 5.0]), unit="ohm")
    assert (found.places, found.order, found.names) == ((0.0, 5.0, 10.0), (1, 2, 0), ("0", "5", "10"))
    tiles = along("a.mapping.tile", np.asarray(["128x128", "32x32", "32x64"], dtype=object))
    assert (tiles.names, tiles.order, tiles.ranked) == (("32×32", "32×64", "128×128"), (1, 2, 0), True)
    schemes = along("a.mapping.scheme", np.asarray(["de", "bc", "acm"], dtype=object))
    assert (schemes.names, schemes.scale, schemes.ranked) == (("de", "bc", "acm"), "names", False)
    seeds = along("a.seed", np.asarray([0, 1, 2]))
    assert (seeds.scale, seeds.ranked) == ("names", False)


def test_effects_that_differ_in_one_number_are_an_axis_of_it():
    texts = np.asarray(['["stuck:on=0.1,off=0.1"]', '["stuck:on=0.02,off=0.02"]'], dtype=object)
    found = along("evaluate.variation.effects", texts)
    assert (found.label.text, found.places, found.order) == (
        "devices stuck on, and as many off (%)", pytest.approx((2, 10)), (1, 0),
    )  # fmt: skip
    assert one_number(["drift:nu=0.01,t=60", "drift:nu=0.1,t=60"])[0] == "drift.nu"
    assert one_number(["drift:t=1h", "drift:t=2h"]) is None  # the unit is no part of a number
    assert one_number(["stuck:on=0.1,off=0.2", "stuck:on=0.2,off=0.1"]) is None
    assert one_number(["resnet18", "resnet20"]) is None
    listed = along("evaluate.variation.effects", np.asarray(["[]", '["lognormal:sigma=0.1"]'], dtype=object))
    assert listed.names == ("none", "lognormal:sigma=0.1")


def test_times_are_written_as_people_say_them_on_an_axis_of_time():
    found = along("evaluate.ageing.at", np.asarray(["1y", "1h", "10d"], dtype=object))
    assert (found.names, found.scale, found.label.unit) == (("1 h", "10 d", "1 y"), "log", "")
    assert [written_time(s) for s in (90, 1800, 5400, 86400, 7.0)] == ["1.5 min", "30 min", "1.5 h", "1 d", "7 s"]


def test_numbers_are_exact_where_four_digits_are_enough():
    assert [written(v) for v in (0.8125, 46.415888, 1234.0, 0.1 + 0.2, 2e-7, 1e-9)] == [
        "0.8125", "46.4", "1234", "0.3", r"$2\times 10^{-7}$", "$10^{-9}$",
    ]  # fmt: skip


def test_every_value_is_a_tick_where_there_is_room_and_else_round_ones():
    def ticks(values, key="a.b"):
        return along(key, np.asarray(values)).ticks

    assert ticks([1, 3, 6]) == ticks([32, 64, 128]) == (0, 1, 2)
    assert ticks([0.0, 0.5, 1.0, 2.0, 5.0, 10.0]) == ticks(list(range(20))) == ()
    times = [3600.0, 86400.0, 864e3, 864e4, 3.15576e7]
    assert ticks(times, "a.ageing.at") == (0, 1, 2, 4)  # 100 d beside 1 y has no room
    apart = ticks([0.0, *np.geomspace(0.1, 100, 13)])
    assert apart[0] == 0
    assert apart[-1] == 13
    assert 4 < len(apart) < 14


def test_positions_that_the_first_of_several_keys_does_not_tell_apart_are_named_by_the_others_too():
    effects = np.asarray(['["stuck:on=0.05"]', '["stuck:on=0.05"]', '["stuck:row=0.02"]'], dtype=object)
    remedies = np.asarray(["spares=4", "permute", "permute"], dtype=object)
    keys = ("faulty.variation.effects", "repaired.variation.effects", "repaired.repair.remedies")
    found = together(keys, (effects, effects, remedies), ("1", "1", "1"))
    assert found.names == ("stuck:on=0.05; spares=4", "stuck:on=0.05; permute", "stuck:row=0.02; permute")
    assert found.label.words == ", ".join(label_of_key(key).words for key in keys[::2])
    ohms = np.asarray([1.0, 2.0, 5.0])
    alone = together(("e.array.r_wire_ohm", keys[2]), (ohms, remedies), ("ohm", "1"))
    assert alone == along("e.array.r_wire_ohm", ohms, unit="ohm")
    twice = together(("e.array.r_wire_ohm", keys[2]), (np.asarray([1.0, 1.0, 5.0]), remedies), ("ohm", "1"))
    assert twice.names == ("1; spares=4", "1; permute", "5; permute")
