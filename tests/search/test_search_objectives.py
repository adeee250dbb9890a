"""Fronts and hypervolumes by counting cells, and the race by SciPy's own tests."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from xbar_cli.search.objectives import Constraint, Goal, front, hypervolume, parse_constraint, parse_objective
from xbar_cli.search.racing import broken, may_beat, rival
from xbar_cli.search.trial import COMPLETE, DROPPED, Chips, Trial

OBJECTIVES = (Goal("accuracy_mean", 1), Goal("energy_joule", -1))


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
def test_hypervolume_is_the_cells_that_some_point_commands(dimensions):
    generator = np.random.default_rng(dimensions)
    for _ in range(5):
        points = generator.integers(0, 7, (9, dimensions)).tolist()
        cells = sum(
            any(all(p <= c for p, c in zip(point, cell, strict=True)) for point in points)
            for cell in product(range(6), repeat=dimensions)
        )
        assert hypervolume(points, (6,) * dimensions) == cells


def test_front_is_what_no_other_point_beats():
    points = [(1, 5), (2, 2), (5, 1), (2, 3), (2, 2), (6, 6)]
    assert front(points) == [True, True, True, False, True, False]
    assert hypervolume([], (1.0, 1.0)) == 0


def test_objectives_and_constraints_are_read():
    assert parse_objective("min  energy_joule", where="") == Goal("energy_joule", -1)
    constraint = parse_constraint("energy_joule<=10n", where="")
    assert constraint == Constraint("energy_joule", -1, 1e-8)
    assert constraint.violation(3e-8) == pytest.approx(2e-8)
    assert parse_constraint("accuracy_mean >= 0.8", where="").violation(0.9) == pytest.approx(-0.1)


def trial(number, samples, energy, *, seed=0, devices=4, rung=8, state=COMPLETE):
    chips = Chips("accuracy", tuple(samples), seed, 1000, False, {"fc": [devices, devices]})
    figures = {"evaluate": {"accuracy_mean": float(np.mean(samples))}, "energy": {"energy_joule": energy}}
    return Trial(number, {}, state, figures, {"evaluate": chips}, rung)


def beaten(d, e, *, n=8, margin=0.0, constraints=()):
    return rival(d, [e], OBJECTIVES, constraints, n=n, margin=margin) is not None


@pytest.mark.parametrize("seed", range(12))
def test_a_design_is_dropped_where_the_paired_test_says_so(seed):
    generator = np.random.default_rng(seed)
    common = generator.normal(0.7, 0.05, 8)
    x = common + generator.normal(0, 0.01, 8)
    y = common + generator.normal(0.008, 0.01, 8)
    better = bool(stats.ttest_rel(y, x, alternative="greater").pvalue < 0.025)
    assert beaten(trial(0, x, 2.0), trial(1, y, 1.0)) is better
    # no worse in energy is enough, worse is not
    assert beaten(trial(0, x, 1.0), trial(1, y, 1.0)) is better
    assert not beaten(trial(0, x, 1.0), trial(1, y, 1.1))
    # the first chips alone are looked at
    few = bool(stats.ttest_rel(y[:4], x[:4], alternative="greater").pvalue < 0.025)
    assert beaten(trial(0, x, 2.0), trial(1, y, 1.0), n=4) is few


@pytest.mark.parametrize("seed", range(6))
def test_other_devices_or_seeds_are_other_chips_and_not_paired(seed):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(0.70, 0.02, 8), generator.normal(0.72, 0.02, 8)
    better = bool(stats.ttest_ind(y, x, equal_var=False, alternative="greater").pvalue < 0.025)
    assert beaten(trial(0, x, 2.0), trial(1, y, 1.0, seed=1)) is better
    assert beaten(trial(0, x, 2.0), trial(1, y, 1.0, devices=8)) is better


def test_a_margin_drops_what_costs_more_and_is_no_better_than_that():
    x = np.linspace(0.6, 0.8, 8)
    y = x - 0.004 + 0.001 * np.cos(np.arange(8))
    low = stats.t.interval(0.95, 7, loc=np.mean(y - x), scale=stats.sem(y - x))[0]
    assert -0.01 < low < -0.004
    assert beaten(trial(0, x, 2.0), trial(1, y, 1.0), margin=0.01)
    assert not beaten(trial(0, x, 2.0), trial(1, y, 1.0), margin=0.003)
    assert not beaten(trial(0, x, 1.0), trial(1, y, 1.0), margin=0.01)


def test_chip_by_chip_the_same_is_beaten_by_what_costs_less():
    x = np.linspace(0.6, 0.8, 8)
    assert beaten(trial(0, x, 2.0), trial(1, x, 1.0))
    assert not beaten(trial(0, x, 1.0), trial(1, x, 1.0))


def test_one_chip_says_nothing():
    assert not beaten(trial(0, [0.1], 2.0, rung=1), trial(1, [0.9], 1.0, rung=1), n=1)


def test_who_is_out_of_the_race_beats_nobody_from_there_on():
    x, y = np.linspace(0.6, 0.8, 8), np.linspace(0.7, 0.9, 8)
    out = trial(1, y[:4], 1.0, rung=4, state=DROPPED)
    assert beaten(trial(0, x, 2.0), out, n=2)
    assert not beaten(trial(0, x, 2.0), out, n=4)
    assert not beaten(trial(0, x, 2.0), out, n=8)
    unmet = (Constraint("energy_joule", -1, 0.5),)
    assert may_beat(trial(1, y, 1.0), (), n=8)
    assert not may_beat(trial(1, y, 1.0), unmet, n=8)


def test_a_constraint_is_broken_for_certain_where_the_whole_interval_is():
    x = np.linspace(0.6, 0.8, 8)
    high = stats.t.interval(0.95, 7, loc=x.mean(), scale=stats.sem(x))[1]
    assert broken(trial(0, x, 1.0), (Constraint("accuracy_mean", 1, high + 1e-6),), n=8) is not None
    assert broken(trial(0, x, 1.0), (Constraint("accuracy_mean", 1, high - 1e-6),), n=8) is None
    assert broken(trial(0, x, 1.0), (Constraint("energy_joule", -1, 0.9),), n=8) is not None
