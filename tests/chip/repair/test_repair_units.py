"""One device makes up for another: cases by hand, and all pairs against a search over what the healthy device could be."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.chip.repair.units import Units, compensated, units_of
from xbar_cli.mapping.bitslice import SliceFormat
from xbar_cli.mapping.readout import Readout

PAIR = Units((1.0, -1.0), True, True, low=1.0, high=10.0)
ON, OFF, OPEN = 10.0, 1.0, 0.0

CASES = [  # target, stuck, held -> target of each, error²
    ((4.0, 1.0), (True, False), ON, (4.0, 7.0), 0.0),  # 10 − 7 = 3
    ((4.0, 1.0), (False, True), ON, (10.0, 1.0), 9.0),  # wants 13, gets 10: 0 in place of 3
    ((4.0, 1.0), (True, False), OFF, (4.0, 1.0), 9.0),  # wants −2, gets 1: 0 in place of 3
    ((4.0, 1.0), (False, True), OPEN, (3.0, 1.0), 0.0),  # 3 − 0
    ((4.0, 1.0), (True, False), OPEN, (4.0, 1.0), 16.0),  # −1 in place of 3
    ((1.0, 6.5), (False, True), OFF, (1.0, 6.5), 30.25),  # 0 in place of −5.5
    ((1.0, 6.5), (True, False), ON, (1.0, 10.0), 30.25),
    ((4.0, 1.0), (False, False), ON, (4.0, 1.0), 0.0),
    ((4.0, 1.0), (True, True), ON, (4.0, 1.0), 9.0),
    ((4.0, 0.0), (True, False), ON, (4.0, 0.0), 36.0),  # an absent device makes up for nothing
]


@pytest.mark.parametrize(("target", "stuck", "held", "aimed", "error"), CASES)
def test_pairs_by_hand(target, stuck, held, aimed, error):
    t, s, h = jnp.asarray([target]), jnp.asarray([stuck]), jnp.full((1, 2), held)
    np.testing.assert_allclose(compensated(t, s, h, low=1.0, high=10.0), [aimed])
    np.testing.assert_allclose(PAIR.error(t, s, h), [error])


def test_no_conductance_of_the_healthy_device_is_better():
    grid = np.linspace(1, 10, 181)
    for w, held, which in itertools.product(np.linspace(-9, 9, 13), (ON, OFF, OPEN), (0, 1)):
        target = np.array([1 + max(w, 0), 1 + max(-w, 0)])
        stuck = np.array([which == 0, which == 1])
        sign = 1 if which == 0 else -1
        best = min((sign * (held - g) - w) ** 2 for g in grid)
        found = PAIR.error(jnp.asarray(target)[None], jnp.asarray(stuck)[None], jnp.full((1, 2), held))
        assert float(found[0]) == pytest.approx(best, abs=1e-5)


def test_an_error_of_slices_has_the_slices_weight():
    fmt = SliceFormat(weight_bits=4, fraction_bits=0, device_bits=2, encoding="offset")
    units = units_of(Readout("bitslice", fmt), low=0.0, high=3.0, tile_columns=8, compensates=False)
    target = jnp.asarray([[2.0, 1.0]])
    for place, radix in enumerate(fmt.radices):
        stuck = jnp.arange(2)[None] == place
        away = 3.0 - float(target[0, place])
        assert float(units.error(target, stuck, jnp.full((1, 2), 3.0))[0]) == pytest.approx((radix * away) ** 2)


@pytest.mark.parametrize(
    ("scheme", "columns", "size", "movable"), [("de", 8, 2, True), ("de", 7, 1, False), ("acm", 8, 1, False)]
)
def test_units_that_hang_together_or_that_tiles_cut_stay(scheme, columns, size, movable):
    units = units_of(Readout(scheme), low=1.0, high=10.0, tile_columns=columns, compensates=False)
    assert (units.size, units.movable) == (size, movable)
