"""Which surrogates a characterisation fits, and what it says of those that miss their error."""

import numpy as np
import pytest

from tests import analytic
from xbar_cli.cell import surrogates
from xbar_cli.cell.surrogates import POWER_ERROR, fit, misses, power_samples, remedy, surrogate_knots
from xbar_cli.cell.tables import Tables
from xbar_cli.config.characterize import CharacterizeConfig

GATES = (0.9, 1.2)


def configured(**sections):
    return CharacterizeConfig.model_validate(sections)


def half_way(points):
    return (points[1:] + points[:-1]) / 2


@pytest.fixture(scope="module")
def table():
    return analytic.table(GATES)


@pytest.fixture(scope="module")
def tables(table):
    fresh = analytic.table(GATES, vin=half_way(analytic.V_IN), g=half_way(analytic.G))
    return Tables(table=table, fresh=fresh, cached=False)


@pytest.fixture(scope="module")
def fitted(tables):
    return fit(configured(), tables)


def test_every_surrogate_keeps_to_its_error_at_points_that_it_has_not_seen(fitted):
    g, v = np.linspace(analytic.G_OFF, analytic.G_ON, 23), np.linspace(0.02, 0.49, 17)
    for vg, current, power in zip(GATES, fitted.current.fits, fitted.power.fits, strict=True):
        exact = analytic.current(g[:, None], v, vg)
        np.testing.assert_allclose(current.on_grid(g, v), exact, rtol=1.5e-3)
        drawn = v * 0.99 * exact + vg * 0.01 * exact
        np.testing.assert_allclose(power.on_grid(g, v), drawn, rtol=1.5 * POWER_ERROR)
    assert all(c.max_error <= 1e-3 for c in fitted.current.certificates)
    assert fitted.bit_line is None


def test_a_smaller_error_takes_a_higher_rank(tables, fitted):
    fine = fit(configured(surrogate={"error": 1e-5}), tables)
    ranks = [[f.rank for f in found.current.fits] for found in (fitted, fine)]
    assert sum(ranks[1]) > sum(ranks[0])
    assert all(c.max_error <= 1e-5 for c in fine.current.certificates)


def test_power_is_what_enters_at_the_input_and_at_the_gate(table):
    found = power_samples(configured(), table, 1, surrogate_knots(configured(), table))
    out = analytic.current(analytic.G[:, None], analytic.V_IN, 1.2)
    np.testing.assert_allclose(found.value, analytic.V_IN * 0.99 * out + 1.2 * 0.01 * out)
    np.testing.assert_allclose(found.value_at_zero, 1.2 * 0.5 * analytic.LEAKAGE)


def test_knots_are_the_simulated_points_and_more_than_the_measured_ones(table):
    np.testing.assert_array_equal(surrogate_knots(configured(), table).g, table.g_siemens)
    measured = analytic.table(GATES, g=np.geomspace(1e-6, 5e-5, 9))
    few = surrogate_knots(configured(cell={"table": "t.csv"}, sweep={"g_points": 8}), measured)
    np.testing.assert_allclose(few.g, np.linspace(1e-6, 5e-5, 36))
    many = surrogate_knots(configured(cell={"table": "t.csv"}, sweep={"g_points": 50, "g_spacing": "log"}), measured)
    np.testing.assert_allclose(many.g, np.geomspace(1e-6, 5e-5, 50))
    assert many.log_g


def test_a_surrogate_that_may_have_rank_one_misses_and_says_what_it_reaches(tables):
    config = configured(surrogate={"error": 1e-6, "max_rank": 1})
    missed = misses(config, fit(config, tables), np.array(GATES))
    assert [miss.index for miss in missed] == [0, 1]
    for miss in missed:
        assert miss.best > miss.wanted == 1e-6
        told = miss.describe(config)
        assert f"V_g {GATES[miss.index]:g} V" in told
        assert f"the best has {miss.best:.2g}" in told
        assert "rank up to 1 reaches error 1e-06" in told


def test_what_keeps_to_its_error_is_no_miss(fitted):
    assert misses(configured(), fitted, np.array(GATES)) == []
    worst = max(c.max_error for c in fitted.current.certificates)
    strict = configured(surrogate={"error": worst * 0.999})
    assert 1 <= len(misses(strict, fitted, np.array(GATES))) <= 2


def test_an_error_that_is_no_number_is_a_miss(fitted):
    broken = surrogates.Certificate(max_error=np.nan, rms_error=np.nan, full_scale_error=np.nan)
    odd = surrogates.Surrogates(
        current=surrogates.Fitted(fitted.current.fits, [broken, fitted.current.certificates[1]]),
        power=fitted.power,
        bit_line=None,
    )
    assert [miss.vg for miss in misses(configured(), odd, np.array(GATES))] == [0.9]


def test_a_gate_voltage_that_misses_twice_is_told_once_with_the_error_at_the_bit_line_at_0(fitted):
    bad = surrogates.Certificate(max_error=0.5, rms_error=0.5, full_scale_error=0.5)
    odd = surrogates.Surrogates(
        current=surrogates.Fitted(fitted.current.fits, [bad, fitted.current.certificates[1]]),
        power=fitted.power,
        bit_line=surrogates.Fitted(fitted.current.fits, [bad, bad]),
    )
    missed = misses(configured(), odd, np.array(GATES))
    assert [(miss.index, miss.wanted) for miss in missed] == [(0, 1e-3), (1, 5e-3)]


def test_the_remedy_is_one_that_is_left():
    assert "measure more points" in remedy(configured(cell={"table": "t.csv"}))
    assert "log" in remedy(configured())
    assert "log" not in remedy(configured(sweep={"g_spacing": "log"}))
