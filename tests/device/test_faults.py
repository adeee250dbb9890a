"""Hard faults against NumPy: which devices are stuck, at what, alone, in squares, and with whole lines."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.device.faults import fault_map, stuck_at

KEY = jax.random.key(8)
ENDS = {"g_on": 1e-4, "g_off": 1e-6}
NONE = {"rate_on": 0.0, "rate_off": 0.0, "rate_open": 0.0, **ENDS}
G = jnp.full((50, 40), 2e-5)


def test_the_map_is_what_one_uniform_number_a_device_says():
    """As versions did that had no map: on from below, open above it, off from above."""
    rates = {"rate_on": 0.1, "rate_off": 0.2, "rate_open": 0.05}
    found = fault_map(KEY, G, **rates, **ENDS)
    u = np.asarray(jax.random.uniform(KEY, (G.size,), G.dtype)).reshape(G.shape)
    on, opened, off = u < 0.1, (u >= 0.1) & (u < 0.15), u >= 0.8
    wanted = np.where(on, 1e-4, np.where(opened, 0.0, np.where(off, 1e-6, 2e-5))).astype(np.float32)
    np.testing.assert_array_equal(found.stuck, on | opened | off)
    np.testing.assert_array_equal(found.applied(G), wanted)
    np.testing.assert_array_equal(stuck_at(KEY, G, **rates, **ENDS), wanted)


@pytest.mark.parametrize(("kind", "axis"), [("row", 1), ("column", 0)])
def test_lines_are_cut_off_on_their_own_tile(kind, axis):
    tile = {"tile_rows": 20, "tile_columns": 15}
    many = [fault_map(key, G, **NONE, **{f"rate_{kind}": 0.2}, **tile) for key in jax.random.split(KEY, 30)]
    shares = []
    for found in many:
        stuck = np.asarray(found.stuck)
        assert (np.asarray(found.applied(G))[stuck] == 0).all()
        size = tile["tile_columns" if axis == 1 else "tile_rows"]
        parts = np.split(stuck, range(size, stuck.shape[axis], size), axis=axis)
        for part in parts:  # of a line of a tile, all devices or none
            assert (part.all(axis=axis) == part.any(axis=axis)).all()
        assert any((parts[0].any(axis=axis) != part.any(axis=axis)).any() for part in parts[1:])
        shares.append(stuck.mean())
    assert np.mean(shares) == pytest.approx(0.2, abs=0.03)


def test_without_lines_and_squares_nothing_else_is_drawn():
    rates = {"rate_on": 0.1, "rate_off": 0.1, "rate_open": 0.0}
    plain = fault_map(KEY, G, **rates, **ENDS)
    more = fault_map(KEY, G, **rates, **ENDS, rate_row=0.1, rate_column=0.05)
    stuck = np.asarray(plain.stuck)
    assert (np.asarray(more.stuck) >= stuck).all()
    lines = np.asarray(more.stuck).all(axis=1)[:, None] | np.asarray(more.stuck).all(axis=0)[None]
    np.testing.assert_array_equal(np.asarray(more.stuck)[~lines], stuck[~lines])


def test_squares_share_their_fate_and_start_anywhere():
    side, starts, shares = 4, set(), []
    for key in jax.random.split(KEY, 40):
        stuck = np.asarray(fault_map(key, G, **NONE | {"rate_on": 0.1, "rate_off": 0.1}, cluster=side).stuck)
        shares.append(stuck.mean())
        fits = [(down, right) for down in range(side) for right in range(side) if in_squares(stuck, side, down, right)]
        assert fits
        starts.update(fits if len(fits) == 1 else [])
    assert np.mean(shares) == pytest.approx(0.2, abs=0.03)
    assert len(starts) > 4


def in_squares(stuck, side, down, right):
    """Whether devices that share a square of a grid shifted by (down, right) share their fate."""
    row, column = ((np.arange(size) + shift) // side for size, shift in zip(stuck.shape, (down, right), strict=True))
    square = row[:, None] * 100 + column[None]
    return all(len(set(stuck[square == n])) == 1 for n in np.unique(square))


def test_rates_of_lines_are_shares():
    with pytest.raises(ValueError, match="add up to at most 1"):
        fault_map(KEY, G, **NONE, rate_row=1.1)
    with pytest.raises(ValueError, match="must be >= 0"):
        fault_map(KEY, G, **NONE, rate_column=-0.1)
