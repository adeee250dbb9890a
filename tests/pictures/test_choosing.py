"""What is drawn of a sweep: which axis goes where, what seeds become."""

import numpy as np
import pytest

from tests.pictures.grids import SCHEME, SEED, TILE, VG, WIRE, grid
from xbar_cli.errors import ConfigError
from xbar_cli.pictures.choosing import KeysAsked, picture_of
from xbar_cli.pictures.grid import Swept
from xbar_cli.pictures.sweeps import main_figures


def titles(picture):
    return [panel.title for panel in picture.panels]


def test_the_longest_numeric_axis_goes_along_x_the_next_makes_lines_and_the_rest_panels():
    found = picture_of(grid(SEED, SCHEME, TILE, WIRE, VG), "accuracy_mean")
    assert found.x.label.words == "wire resistance"
    assert [line.name for line in found.panels[0].lines] == ["de", "bc", "acm"]
    assert found.by.label.words == "mapping scheme"
    assert titles(found)[:2] == ["array size 32×32, $V_g$ = 0.7 V", "array size 32×32, $V_g$ = 0.8 V"]
    assert len(found.panels) == 9


def test_what_is_asked_for_goes_first():
    found = picture_of(
        grid(SEED, TILE, WIRE, VG), "accuracy_mean", KeysAsked(x="evaluate.cell.vg", by="evaluate.array.r_wire_ohm")
    )
    assert (found.x.label.words, found.by.label.words, len(found.panels)) == ("gate voltage", "wire resistance", 3)
    names = picture_of(grid(SCHEME), "accuracy_mean")
    assert (names.x.names, names.by) == (("de", "bc", "acm"), None)


def test_seeds_are_averaged_and_how_many_is_said():
    sweep = grid(SEED, WIRE, TILE)
    values = sweep.figures["accuracy_mean"]
    found = picture_of(sweep, "accuracy_mean")
    lines = {line.name: line for line in found.panels[0].lines}
    for name, column in (("32×32", 1), ("64×64", 2), ("128×128", 0)):
        mean, std = values[:, :, column].mean(0) * 100, values[:, :, column].std(0, ddof=1) * 100
        np.testing.assert_allclose(lines[name].y, mean)
        np.testing.assert_allclose(lines[name].low, mean - std)
        np.testing.assert_allclose(lines[name].high, mean + std)
    assert list(lines) == ["32×32", "64×64", "128×128"]
    assert found.note == "mean ± standard deviation of 3 seeds"


def test_a_point_that_failed_counts_for_nothing_and_is_said():
    values = np.full((3, 5), 0.5)
    values[0, 1] = values[:, 3] = np.nan
    found = picture_of(grid(SEED, WIRE, accuracy_mean=values), "accuracy_mean")
    line = found.panels[0].lines[0]
    assert np.isnan(line.y).tolist() == [False, False, False, True, False]
    assert found.note == "mean ± standard deviation of 0 to 3 seeds; 1 of 5 points are missing"


def test_without_seeds_the_intervals_of_the_chips_are_drawn():
    mean = np.asarray([0.8, 0.7, 0.6, 0.5, 0.4])
    sweep = grid(WIRE, accuracy_mean=mean, accuracy_ci95_low=mean - 0.1, accuracy_ci95_high=mean + 0.05)
    line = picture_of(sweep, "accuracy_mean").panels[0].lines[0]
    np.testing.assert_allclose(line.low, (mean - 0.1) * 100)
    np.testing.assert_allclose(line.high, (mean + 0.05) * 100)
    assert picture_of(sweep, "accuracy_mean").spread == "95 % interval over chips"
    bare = picture_of(grid(WIRE, accuracy_mean=mean), "accuracy_mean")
    assert (bare.panels[0].lines[0].low, bare.note) == (None, "")


def test_seeds_that_are_asked_for_are_an_axis():
    found = picture_of(grid(SEED, WIRE), "accuracy_mean", KeysAsked(by="net.seed"))
    assert [line.name for line in found.panels[0].lines] == ["0", "1", "2"]
    assert picture_of(grid(SEED), "accuracy_mean").x.names == ("0", "1", "2")


def test_two_long_numeric_axes_make_a_heat_map_and_others_when_asked():
    long = ("evaluate.array.r_source_ohm", list(np.linspace(0, 900, 10)), "ohm")
    sweep = grid(WIRE, long, ("a.b.r_off_ohm", list(range(1, 12)), "ohm"))
    assert picture_of(grid(WIRE, VG), "accuracy_mean").heat is False
    found = picture_of(grid(VG, WIRE), "accuracy_mean", KeysAsked(kind="heat"))
    values = grid(VG, WIRE).figures["accuracy_mean"]
    np.testing.assert_allclose(found.panels[0].cells, values * 100)
    many = grid(long, ("a.b.r_off_ohm", [float(x) for x in range(1, 12)], "ohm"))
    assert picture_of(many, "accuracy_mean").heat
    with pytest.raises(ConfigError, match="r_source_ohm has 10 values; at most 8 lines are drawn"):
        picture_of(many, "accuracy_mean", KeysAsked(kind="line"))
    assert picture_of(sweep, "accuracy_mean").by.label.words == "wire resistance"  # 5 lines of it, 10 panels
    with pytest.raises(ConfigError, match="a heat map has two axes"):
        picture_of(grid(WIRE), "accuracy_mean", KeysAsked(kind="heat"))


def test_too_many_panels_are_refused_and_keys_of_one_axis_too():
    five = ("a.b.c", [f"v{i}" for i in range(5)])
    with pytest.raises(ConfigError, match=r"evaluate.mapping.tile, evaluate.cell.vg, a.b.c make 45 panels; at most 12"):
        picture_of(grid(WIRE, SCHEME, TILE, VG, five), "accuracy_mean", KeysAsked(by=SCHEME[0]))
    pair = Swept(("a.x", "b.y"), (np.asarray([1, 2]), np.asarray([3, 4])), ("1", "1"))
    with pytest.raises(ConfigError, match="name one axis twice"):
        picture_of(grid(pair, VG), "accuracy_mean", KeysAsked(x="a.x", by="b.y"))
    assert picture_of(grid(pair), "accuracy_mean", KeysAsked(x="b.y")).x.places == (3.0, 4.0)
    with pytest.raises(ConfigError, match="one point"):
        picture_of(grid(("a.b", [1])), "accuracy_mean")
    with pytest.raises(ConfigError, match="not there at any point"):
        picture_of(grid(WIRE, accuracy_mean=np.full(5, np.nan)), "accuracy_mean")


def test_figures_over_decades_are_logarithmic_and_shares_never():
    def energy(shape):
        return 10.0 ** np.linspace(-9, -6, shape[0])

    found = picture_of(grid(WIRE, energy_joule=energy, units={"energy_joule": "J"}), "energy_joule")
    assert (found.log, found.figure.unit) == (True, "µJ")
    np.testing.assert_allclose(found.panels[0].lines[0].y, energy((5,)) * 1e6)
    assert not picture_of(grid(WIRE, accuracy_mean=energy), "accuracy_mean").log


def test_a_sweep_draws_its_main_results_and_no_others():
    def ramp(shape):
        return np.linspace(0.1, 0.9, shape[0])

    every = grid(
        WIRE, free_accuracy_mean=ramp, after_accuracy_mean=ramp, metric_value=ramp, accuracy_std=ramp, energy_joule=ramp,
        area_m2=lambda shape: np.ones(shape), samples=ramp, latency_seconds=ramp,
    )  # fmt: skip
    assert main_figures(every) == {
        "free_accuracy": "free_accuracy_mean", "after_accuracy": "after_accuracy_mean", "energy": "energy_joule",
        "latency": "latency_seconds",
    }  # fmt: skip
    assert main_figures(grid(WIRE, metric_value=ramp)) == {"metric": "metric_value"}


def test_an_axis_that_a_figure_is_the_same_along_makes_no_lines():
    """A stage beside the one that reads the key: its points repeat one another."""
    alone = np.linspace(0.2, 0.9, 15).reshape(5, 1, 3)
    both = grid(WIRE, SCHEME, SEED, free_accuracy_mean=alone + np.zeros((5, 3, 3)))
    found = picture_of(both, "free_accuracy_mean")
    assert (found.by, len(found.panels[0].lines), found.about) == (None, 1, "the same for every scheme")
    np.testing.assert_allclose(found.panels[0].lines[0].y, 100 * alone.mean(axis=2)[:, 0])
    assert "3 seeds" in found.spread
    asked = picture_of(both, "free_accuracy_mean", KeysAsked(by=SCHEME[0]))
    assert len(asked.panels[0].lines) == 3
    flat = picture_of(grid(WIRE, accuracy_mean=lambda shape: np.full(shape, 0.5)), "accuracy_mean")
    assert len(flat.panels[0].lines[0].y) == 5
    nearly = alone + np.asarray([0, 0, 1e-12]).reshape(1, 3, 1)
    assert len(picture_of(grid(WIRE, SCHEME, SEED, a=nearly), "a").panels[0].lines) == 3
