"""Linear ranges of a table whose cell has a closed form."""

import numpy as np
import pytest
from scipy.optimize import brentq

from tests import analytic
from xbar_cli.cell.range import (
    Ranges,
    cut_share,
    effective_conductance,
    leakage_ranges,
    ranges,
    readable,
    supply_ranges,
)
from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.device.linear_range import tolerance_metric

GATES = (0.9, 1.0, 1.2)
TOLERANCE = 0.002


def configured(**bounds):
    return CharacterizeConfig.model_validate({"range": {"tolerance": TOLERANCE} | bounds})


def spread(g, vg, volts):
    """The tolerance metric of the closed form at one conductance."""
    g_eff = analytic.current(g, volts, vg) / volts
    return np.ptp(g_eff) / g_eff.mean()


def found(table, vin_min=0.01):
    _, g_eff = effective_conductance(table, vin_min)
    tm = tolerance_metric(g_eff, metric="spread")
    linear = ranges(table.g_siemens, tm, tolerance=TOLERANCE, g_off=analytic.G_OFF, g_on=analytic.G_ON)
    return g_eff, linear


def test_small_inputs_are_left_out_whatever_their_sign():
    vin = np.array([-0.2, -0.01, -0.001, 0.0, 0.009, 0.01, 0.2])
    np.testing.assert_array_equal(readable(vin, 0.01), [True, True, False, False, False, True, True])


def test_the_effective_conductance_is_the_current_over_the_input():
    table = analytic.table(GATES)
    vin, g_eff = effective_conductance(table, 0.1)
    assert vin.min() >= 0.1 - 1e-12
    at = np.searchsorted(analytic.V_IN, vin[3])
    assert g_eff[1, 5, 3] == pytest.approx(analytic.current(analytic.G[5], analytic.V_IN[at], 1.0) / vin[3])
    assert g_eff.shape == (3, analytic.G.size, vin.size)


def test_the_range_ends_where_the_closed_form_leaves_the_tolerance():
    _, linear = found(analytic.table(GATES))
    for vg, low, high in zip(GATES, linear.g_lo, linear.g_cut, strict=True):
        assert low == pytest.approx(analytic.G_OFF)
        if spread(analytic.G_ON, vg, analytic.V_IN) <= TOLERANCE:
            assert high == pytest.approx(analytic.G_ON)
        else:
            crossing = brentq(lambda g, vg=vg: spread(g, vg, analytic.V_IN) - TOLERANCE, analytic.G_OFF, analytic.G_ON)
            assert high == pytest.approx(crossing, rel=1e-4)
    assert (np.diff(linear.g_cut) >= 0).all()
    assert linear.g_cut[0] < linear.g_cut[1] < analytic.G_ON


def test_where_nothing_is_linear_both_ends_are_nan():
    g = np.linspace(1.0, 2.0, 8)
    both = ranges(g, np.stack([np.full(8, 0.5), np.zeros(8)]), tolerance=0.1, g_off=1.0, g_on=2.0)
    assert np.isnan([both.g_lo[0], both.g_cut[0]]).all()
    assert (both.g_lo[1], both.g_cut[1]) == (1.0, 2.0)


def test_the_cut_share_is_of_the_weights_at_the_largest_gate_voltage():
    table = analytic.table(GATES)
    g_eff, linear = found(table)
    share = cut_share(configured(), table, g_eff.mean(axis=-1), linear, np.ones(3, bool))

    def mean(g, vg):
        return (analytic.current(g, analytic.V_IN, vg) / analytic.V_IN).mean()

    spans = [mean(high, vg) - mean(low, vg) for vg, low, high in zip(GATES, linear.g_lo, linear.g_cut, strict=True)]
    np.testing.assert_allclose(share, np.array(spans) / spans[-1], rtol=1e-5)
    assert share[-1] == pytest.approx(1)


def test_a_gate_voltage_without_range_has_no_share_and_one_without_surrogate_sets_no_scale():
    table = analytic.table(GATES)
    g_eff, linear = found(table)
    nowhere = Ranges(linear.g_lo.copy(), linear.g_cut.copy())
    nowhere.g_lo[0] = nowhere.g_cut[0] = np.nan
    share = cut_share(configured(), table, g_eff.mean(axis=-1), nowhere, np.array([True, True, False]))
    assert np.isnan(share[0])
    assert share[1] == pytest.approx(1)
    assert share[2] > 1


def test_lower_supplies_have_wider_ranges():
    table = analytic.table(GATES)
    volts, at_supply, metrics = supply_ranges(configured(vdd="0.2,0.35,0.5"), table)
    np.testing.assert_allclose(volts, [0.2, 0.35, 0.5])
    assert metrics.shape == (3, 3, analytic.G.size)
    cuts = np.array([r.g_cut for r in at_supply])
    assert (np.diff(cuts, axis=0) <= 1e-12).all()
    assert cuts[0, 0] > cuts[2, 0]
    _, whole = found(table)
    np.testing.assert_allclose(cuts[2], whole.g_cut, rtol=1e-3)
    inputs = np.linspace(0.01, 0.2, analytic.V_IN.size)
    assert metrics[0, 0, 40] == pytest.approx(spread(analytic.G[40], 0.9, inputs), rel=1e-3)


def test_no_supply_asked_for_is_no_range():
    volts, at_supply, metrics = supply_ranges(configured(), analytic.table(GATES))
    assert (volts.size, at_supply, metrics.size) == (0, [], 0)


def test_inputs_of_both_signs_are_resampled_on_both_sides():
    vin = np.linspace(-0.5, 0.5, 41)
    odd = analytic.table(GATES, vin=vin)
    inside = np.where(vin == 0, 1, np.abs(vin))
    current = np.sign(vin) * analytic.current(analytic.G[:, None], inside, 0.9)
    mirrored = np.broadcast_to(current, odd.current_ampere.shape)
    object.__setattr__(odd, "current_ampere", mirrored.copy())
    _, both, _ = supply_ranges(configured(vdd="0.5", vin_min_volt=0.05), odd)
    _, one, _ = supply_ranges(configured(vdd="0.5", vin_min_volt=0.05), analytic.table((0.9,) * 3))
    np.testing.assert_allclose(both[0].g_cut, one[0].g_cut, rtol=0.02)


def test_a_leakage_limit_cuts_where_the_rows_of_a_column_leak_more():
    """Leakage in proportion to conductance: 100 rows of G leak 100 · 1 mV · G, which reaches the limit at G = 20 µS."""
    table = analytic.table(GATES)
    leak = np.broadcast_to(1e-3 * analytic.G, table.leakage_ampere.shape)
    object.__setattr__(table, "leakage_ampere", leak)
    _, linear = found(table)
    config = configured(leakage_limit_ampere=100 * 1e-3 * 20e-6, rows=100)
    left, worst = leakage_ranges(config, table, linear)
    np.testing.assert_allclose(left.g_cut, np.minimum(linear.g_cut, 20e-6), rtol=1e-6)
    np.testing.assert_allclose(left.g_lo, linear.g_lo)
    np.testing.assert_allclose(worst, 0.1 * linear.g_cut, rtol=1e-6)


def test_a_limit_below_every_leakage_leaves_nothing():
    table = analytic.table(GATES)
    _, linear = found(table)
    left, worst = leakage_ranges(configured(leakage_limit_ampere=1e-13, rows=4), table, linear)
    assert np.isnan(left.g_lo).all()
    assert np.isnan(left.g_cut).all()
    np.testing.assert_allclose(worst, 4 * analytic.LEAKAGE)
