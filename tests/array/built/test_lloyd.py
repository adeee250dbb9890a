"""Lloyd–Max quantisers against those of Max's table, and against the plain algorithm on samples."""

import numpy as np
import pytest

from xbar_cli.array.built.lloyd import lloyd_max

NORMAL = {2: (0.3634, [0.7980]), 4: (0.1175, [0.4528, 1.510]), 8: (0.03454, [0.2451, 0.7560, 1.344, 2.152])}
"""Max (1960), Table I: mean squared error and the levels above 0."""


@pytest.mark.parametrize("count", NORMAL)
def test_levels_of_a_normal_density_are_those_of_max(count):
    error, above = NORMAL[count]
    x = np.linspace(-6, 6, 1_000_000)
    weights = np.exp(-(x**2) / 2)
    thresholds, levels = lloyd_max(x, weights, count=count)
    np.testing.assert_allclose(levels[count // 2 :], above, rtol=5e-4)
    np.testing.assert_allclose(levels, -levels[::-1], atol=1e-5)
    found = levels[np.searchsorted(thresholds, x)]
    assert np.average((found - x) ** 2, weights=weights) == pytest.approx(error, rel=1e-3)


def plain(samples, levels):
    """Lloyd's algorithm as it is told: nearest level, mean of each, until nothing moves."""
    for _ in range(5000):
        nearest = np.abs(samples[:, None] - levels).argmin(axis=1)
        moved = np.array([samples[nearest == k].mean() for k in range(len(levels))])
        if np.abs(moved - levels).max() < 1e-12:
            break
        levels = moved
    return levels


def test_samples_with_a_tail_give_what_the_plain_algorithm_ends_at():
    samples = np.sort(np.random.default_rng(2).gamma(0.7, 1.0, 3000))
    thresholds, levels = lloyd_max(samples, np.ones(len(samples)), count=12)
    np.testing.assert_allclose(plain(samples, levels), levels, rtol=1e-7)
    even = (np.arange(12) + 0.5) * samples.max() / 12

    def error(values):
        return (np.abs(samples[:, None] - values).min(axis=1) ** 2).mean()

    assert error(levels) <= error(plain(samples, even)) * 1.01
    assert error(levels) < 0.4 * error(even)
    np.testing.assert_allclose(thresholds, (levels[1:] + levels[:-1]) / 2)


def test_more_levels_than_values_are_in_order_and_err_by_nothing():
    values = np.array([0.0, 1.0, 5.0])
    thresholds, levels = lloyd_max(values, np.ones(3), count=8)
    assert (np.diff(thresholds) >= 0).all()
    np.testing.assert_allclose(levels[np.searchsorted(thresholds, values)], values, atol=1e-9)
