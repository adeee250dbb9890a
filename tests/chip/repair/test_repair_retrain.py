"""Retraining with the faults known, against the least squares that a network of one layer comes to."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from scipy.optimize import lsq_linear

from xbar_cli.chip.repair.retrain import Retraining, StandingPairs
from xbar_cli.chip.repair.units import Units
from xbar_cli.mapping.readout import Readout
from xbar_cli.nn.layers import Dense
from xbar_cli.nn.program import Scale

LOW, HIGH, SLOPE = 1.0, 10.0, 4.5  # weights from −2 to 2
ROWS, OUT = 12, 3
KEY = jax.random.key(5)


class OneLayer(nnx.Module):
    def __init__(self):
        self.fc = Dense("fc", ROWS, OUT, rngs=nnx.Rngs(0))
        self.fc.kernel[...] = jax.random.uniform(KEY, (ROWS, OUT), minval=-1.0, maxval=1.0)

    def __call__(self, x, product):
        return self.fc(x, product)


NET = OneLayer()
W = np.asarray(NET.fc.kernel[...], np.float64)
MIXING = np.random.default_rng(0).normal(size=(ROWS, ROWS)) / 3 + np.eye(ROWS) * 0.5
IMAGES = (np.random.default_rng(1).normal(size=(640, ROWS)) @ MIXING).astype(
    np.float32
)  # rows that say the same in part


def placed(rate, *, compensates, copy=0):
    rng = np.random.default_rng(10 + copy)
    both = np.stack([np.maximum(W, 0), np.maximum(-W, 0)], axis=-1).reshape(ROWS, -1)
    stuck = rng.random(both.shape) < rate
    held = rng.choice([LOW, HIGH], both.shape)
    units = Units((1.0, -1.0), True, compensates, LOW, HIGH)
    target = LOW + SLOPE * both
    as_array = (jnp.asarray(values) for values in (target.astype(np.float32), stuck, held.astype(np.float32)))
    return StandingPairs("fc", *as_array, units)


def retraining(epochs):
    scale = Scale(Readout("de"), (ROWS, OUT), jnp.asarray(SLOPE, jnp.float32))
    return Retraining(epochs, nnx.split(NET), jnp.asarray(IMAGES), {"fc": scale})


def weights(layer, target):
    """By NumPy: what pairs aimed at `target` are."""
    g = np.where(layer.stuck, layer.held, target)
    return (g[:, 0::2] - g[:, 1::2]) / SLOPE


def distance(w):
    return np.square(IMAGES @ (w - W)).mean() / np.square(IMAGES @ W + np.asarray(NET.fc.bias[...])).mean()


def best(layer):
    """Least squares over what each weight can be: all, what its healthy device leaves, or nothing but what faults hold it at."""
    ends = [np.where(layer.stuck, layer.held, end).reshape(ROWS, OUT, 2) for end in (LOW, HIGH)]
    low, high = (ends[0][..., 0] - ends[1][..., 1]) / SLOPE, (ends[1][..., 0] - ends[0][..., 1]) / SLOPE
    return np.stack([bounded(W[:, out], low[:, out], high[:, out]) for out in range(OUT)], axis=1)


def bounded(wanted, low, high):
    found, free = low.copy(), high > low
    rest = IMAGES @ (wanted - np.where(free, 0, low))
    found[free] = lsq_linear(IMAGES[:, free], rest, bounds=(low[free], high[free])).x
    return found


def test_free_weights_make_up_for_stuck_ones_as_bounded_least_squares_would():
    layer = placed(0.2, compensates=False)
    (found,) = retraining(60)(KEY, [layer])
    before, after = (distance(weights(layer, np.asarray(target))) for target in (layer.target, found))
    least = distance(best(layer))
    assert least < 0.7 * before
    assert least * (1 - 1e-4) <= after < least + 0.25 * (before - least)


def test_every_pair_keeps_one_device_at_the_lowest_level_and_within_range():
    (found,) = retraining(5)(KEY, [placed(0.2, compensates=True)])
    pairs = np.asarray(found).reshape(ROWS, OUT, 2)
    assert (pairs.min(axis=-1) == LOW).all()
    assert pairs.max() <= HIGH


def test_without_faults_weights_stay():
    layer = placed(0.0, compensates=False)
    (found,) = retraining(5)(KEY, [layer])
    np.testing.assert_allclose(weights(layer, np.asarray(found)), W, atol=0.02)


def test_copies_are_trained_for_their_mean():
    layers = [placed(0.15, compensates=False, copy=copy) for copy in range(2)]
    together = retraining(30)(KEY, layers)
    apart = [retraining(30)(KEY, [layer])[0] for layer in layers]

    def of_mean(targets):
        return distance(
            np.mean([weights(*pair) for pair in zip(layers, map(np.asarray, targets), strict=True)], axis=0)
        )

    assert of_mean(together) < 0.8 * of_mean(apart) < of_mean([layer.target for layer in layers])


def test_what_is_trained_depends_on_the_key_alone():
    layer = placed(0.2, compensates=True)
    one, again, other = (retraining(2)(key, [layer])[0] for key in (KEY, KEY, jax.random.key(1)))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    many = jax.vmap(lambda key: retraining(2)(key, [layer])[0])(jnp.stack([KEY, jax.random.key(1)]))
    np.testing.assert_allclose(many, jnp.stack([one, other]), atol=0.05)  # Adam divides by what rounding moves
