"""Levels, nearest-level programming, the update curve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.device import update
from xbar_cli.device.levels import (
    check_levels,
    discretise_ratio,
    discretise_ratio_straight_through,
    nearest,
    nearest_index,
    ratio_levels,
    read_levels,
    uniform_levels,
    weight_limit,
)
from xbar_cli.errors import ConfigError

G = jnp.asarray(np.random.default_rng(0).uniform(-2e-6, 2.4e-5, 500), jnp.float32)


@pytest.mark.parametrize("bits", [1, 3, 6, 10])
def test_nearest_level_is_the_nearest(bits):
    levels = uniform_levels(bits, g_min=1e-6, g_max=2e-5)
    assert len(levels) == 2**bits
    brute = np.abs(np.asarray(G, np.float64)[:, None] - levels).argmin(axis=1)
    assert (np.asarray(nearest_index(G, levels)) == brute).all()
    assert np.allclose(nearest(G, levels), levels[brute], rtol=1e-6)
    assert np.allclose(nearest(jnp.asarray(levels, jnp.float32), levels), levels, rtol=1e-6)


def test_straight_through_has_the_forward_value_and_the_identity_gradient():
    value, pullback = jax.vjp(lambda w: discretise_ratio_straight_through(w, limit=2e-5, bits=4, ratio=15.0), G)
    assert np.allclose(value, discretise_ratio(G, limit=2e-5, bits=4, ratio=15.0), atol=1e-11)
    assert (pullback(jnp.ones_like(G))[0] == 1).all()


def test_ratio_15_is_tats_discretisation():
    assert np.allclose(ratio_levels(4, ratio=15.0, limit=1.0), np.arange(16) / 15)
    w = jnp.linspace(-1.3, 1.3, 1001)
    q = np.asarray(discretise_ratio(w, limit=0.9, bits=4, ratio=15.0))
    expected = np.clip(np.round(np.abs(np.asarray(w)) / 0.06), 0, 15) * 0.06 * np.sign(w)
    assert np.allclose(q, expected, atol=1e-6)
    assert (q[np.abs(w) < 0.0299] == 0).all()  # an absent device
    wide = ratio_levels(3, ratio=4.0, limit=8.0)
    assert np.allclose(wide, [0, 2, 3, 4, 5, 6, 7, 8])
    assert np.allclose(ratio_levels(1, ratio=15.0, limit=3.0), [0, 3])


def test_weight_limit():
    w = jnp.asarray([[0.5, -2.0], [1.0, 0.1]])
    seen = []

    def score(limit):
        seen.append(limit)
        return -abs(limit - 1.2)

    rules = {"score": score, "shares": (0.2, 1.0, 0.6, 0.8)}
    assert weight_limit(w, rule="max", **rules) == 2.0
    assert weight_limit(w, rule=0.7, **rules) == 0.7
    assert not seen
    assert weight_limit(w, rule="auto", **rules) == pytest.approx(1.2)
    assert len(seen) == 4
    assert weight_limit(w, rule="auto", score=lambda _: 1.0, shares=(0.5, 1.0)) == 2.0  # a tie: the largest
    for bad, match in [
        ({"rule": "best"}, "rule must be"),
        ({"rule": -1.0}, "positive"),
        ({"rule": "auto", "score": None}, "score"),
    ]:
        with pytest.raises(ValueError, match=match):
            weight_limit(w, **(rules | bad))
    with pytest.raises(ValueError, match="other than 0"):
        weight_limit(jnp.zeros((2, 2)), rule="max", **rules)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: uniform_levels(0, g_min=0.0, g_max=1.0), "bits must be from 1 to 16, got 0"),
        (lambda: uniform_levels(33, g_min=0.0, g_max=1.0), "bits must be from 1 to 16, got 33"),
        (lambda: uniform_levels(2, g_min=1.0, g_max=1.0), "g_min < g_max"),
        (lambda: ratio_levels(4, ratio=1.0, limit=1.0), "ratio must be finite and above 1, got 1.0"),
        (lambda: ratio_levels(4, ratio=15.0, limit=0.0), "limit"),
        (lambda: nearest(G, np.asarray([2e-6, 1e-6])), "ascending"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_levels_from_a_file(tmp_path):
    path = tmp_path / "levels.txt"
    path.write_text("# four states\n1e-6\n\n5e-6  # second\n1.2e-5\n")
    assert np.allclose(read_levels(path), [1e-6, 5e-6, 1.2e-5])
    for text, match in [
        ("1e-6\nabc\n", r"levels.txt:2: 'abc' is not one number"),
        ("1e-6\n1e-6\n", r"levels.txt:2: levels must ascend"),
        ("-1e-6\n1e-6\n", r"levels.txt:1: a level must be finite and not negative"),
        ("1e-6\n", "at least two levels, holds 1"),
    ]:
        path.write_text(text)
        with pytest.raises(ConfigError, match=match):
            read_levels(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_levels(tmp_path / "none.txt")


@pytest.mark.parametrize("nu", [-3.0, -0.2, 0.0, 1e-6, 0.06, 5.0])
def test_update_curve(nu):
    kwargs = {"pulses": 31.0, "nu": nu, "g_min": 1e-6, "g_max": 2e-5}
    p = jnp.linspace(0, 31, 101)
    x = np.linspace(0, 1, 101)
    expected = 1e-6 + 1.9e-5 * (x if nu == 0 else np.expm1(-nu * x) / np.expm1(-nu))
    g = update.conductance(p, **kwargs)
    assert np.allclose(g, expected, rtol=2e-6)
    assert np.allclose(update.pulse_count(g, **kwargs), p, atol=31 * 2e-5)
    by_autodiff = jax.jit(jax.grad(lambda q: update.conductance(q, **kwargs).sum()))(p)
    assert np.allclose(update.slope(p, **kwargs), by_autodiff, rtol=1e-4)


def test_update_curve_is_smooth_through_linear():
    def unit(v):
        return update.conductance(jnp.asarray([0.3]), pulses=1.0, nu=v, g_min=0.0, g_max=1.0)[0]

    slope = jax.jit(jax.grad(unit))
    assert float(slope(0.0)) == pytest.approx(0.3 * 0.7 / 2, rel=1e-5)  # d/dν of the curve at ν = 0 is x(1 − x)/2
    curve = [np.expm1(-nu * 0.3) / np.expm1(-nu) for nu in (0.04 - 1e-5, 0.04 + 1e-5)]
    assert float(slope(0.04)) == pytest.approx((curve[1] - curve[0]) / 2e-5, rel=1e-3)


def test_levels_are_of_the_devices(tmp_path):
    path = tmp_path / "levels.txt"
    ends = {"g_off": 3e-6, "g_on": 3e-5}
    check_levels(np.array([0.0, 3e-6, 1e-5, 3e-5]), **ends, where="f")
    for wrong, message in (
        ([3.0, 30.0], "f: its levels spans 3 … 30 S, and the devices lie at 3e-06 … 3e-05 S (are they microsiemens?)"),
        ([0.0, 3e-6, 1e-4], "f: its levels span 3e-06 … 0.0001 S, beyond the devices' 3e-06 … 3e-05 S"),
    ):
        with pytest.raises(ConfigError) as error:
            check_levels(np.array(wrong), **ends, where="f")
        assert message in str(error.value)
    path.write_text("1e-6\n1.0000001e-6\n")
    with pytest.raises(ConfigError, match="levels must ascend"):
        read_levels(path)
    path.write_text("5\n30\n")
    with pytest.raises(ConfigError, match="spans 5 … 30 S, and no device conducts more than 1 S"):
        read_levels(path)
