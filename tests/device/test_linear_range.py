import numpy as np
import pytest

from tests import analytic
from xbar_cli.device.linear_range import linear_range, tolerance_metric
from xbar_cli.errors import ModelError


def test_metrics_of_a_known_row():
    row = np.array([[1.0, 2.0, 3.0]])
    assert tolerance_metric(row, metric="spread")[0] == pytest.approx(1.0)
    assert tolerance_metric(row, metric="deviation")[0] == pytest.approx(0.5)
    assert tolerance_metric(row, metric="std")[0] == pytest.approx(np.sqrt(2 / 3) / 2)


def test_the_crossing_is_interpolated():
    g = np.linspace(0, 10, 64)
    found = linear_range(g, (g / 10) ** 2, tolerance=0.3, g_off=1.0, g_on=9.0)
    assert found is not None
    assert found.g_lo == 1.0
    assert found.g_cut == pytest.approx(10 * np.sqrt(0.3), rel=1e-6)


def test_leakage_below_and_saturation_above_bound_an_interval():
    g = np.linspace(1, 10, 200)
    found = linear_range(g, 0.5 / g + g / 50, tolerance=0.25, g_off=1.0, g_on=10.0)
    assert found is not None
    low, high = np.roots([1 / 50, -0.25, 0.5])[::-1]
    assert (found.g_lo, found.g_cut) == (pytest.approx(low, rel=1e-6), pytest.approx(min(high, 10.0), rel=1e-6))


def test_no_range_is_none_and_all_is_all():
    g = np.linspace(0, 10, 30)
    assert linear_range(g, np.ones(30), tolerance=0.5, g_off=1.0, g_on=9.0) is None
    whole = linear_range(g, np.zeros(30), tolerance=0.5, g_off=1.0, g_on=9.0)
    assert whole is not None
    assert (whole.g_lo, whole.g_cut) == (1.0, 9.0)


def test_cut_off_grows_with_the_gate_voltage():
    cut = analytic.cell().g_cut
    assert (np.diff(cut) >= 0).all()
    assert np.isfinite(cut).all()


def test_programming_inverts_the_effective_conductance():
    cell = analytic.cell()
    g = np.linspace(cell.g_off, cell.g_on, 50)
    np.testing.assert_allclose(cell.memristor(0, cell.effective(0, g, volt=None), volt=None), g, rtol=1e-7)


def test_a_gate_voltage_outside_the_table_names_the_table():
    with pytest.raises(ModelError, match=r"0\.83 V is not in the cell's table \(0\.9, 1, 1\.2, 1\.5 V\)"):
        analytic.cell().index(0.83)


@pytest.mark.parametrize("metric", ["spread", "deviation", "std"])
def test_noise_around_zero_is_not_within_a_tolerance(metric):
    """A transistor that is off: the sign of its mean current says nothing about linearity."""
    noise = np.random.default_rng(0).normal(0, 1e-9, (40, 11))
    tm = tolerance_metric(noise, metric=metric)
    assert (noise.mean(axis=1) < 0).any()
    assert (tm > 0.025).all()
    np.testing.assert_allclose(tm, tolerance_metric(-noise, metric=metric), rtol=1e-12)
