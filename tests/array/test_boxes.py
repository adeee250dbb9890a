"""Boxes with ports: joining two is a Schur complement, sorting and dealing are permutations, with their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from xbar_cli.array.boxes import deal, interleave, join, sort_ports, unsorted

A_OUTER, SEAM, B_OUTER = 3, 2, 2
ORDER = (slice(0, 3), slice(3, 5))
MIXED = (slice(3, 4), slice(0, 3), slice(4, 5))


def laplacian(weights):
    """Admittance matrix [n n] of resistors between all pairs of n nodes, from the symmetric part of `weights`."""
    w = weights + weights.T
    w = w - jnp.diag(jnp.diag(w))
    return jnp.diag(w.sum(1)) - w


def boxes(seed=0):
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.5, 2.0, (n, n)) for n in (A_OUTER + SEAM, SEAM + B_OUTER)]


def eliminated(a, b):
    """The network of both boxes with the joined nodes eliminated, and how their voltages follow the others'."""
    n = A_OUTER + B_OUTER
    whole = np.zeros((n + SEAM, n + SEAM))
    of_a = [0, 1, 2, n, n + 1]
    of_b = [n, n + 1, 3, 4]
    whole[np.ix_(of_a, of_a)] += a
    whole[np.ix_(of_b, of_b)] += b
    inner = np.linalg.solve(whole[n:, n:], whole[n:, :n])
    return whole[:n, :n] - whole[:n, n:] @ inner, inner


@pytest.mark.parametrize("order", [ORDER, MIXED])
def test_joining_two_boxes_eliminates_the_nodes_that_they_share(order):
    with jax.enable_x64(True):
        a, b = (laplacian(jnp.asarray(w)) for w in boxes())
        s, x = jax.jit(lambda *pair: join(*pair, SEAM, order))(a, b)
    wanted, inner = eliminated(np.asarray(a), np.asarray(b))
    places = np.concatenate([np.arange(part.start, part.stop) for part in order])
    off = ~np.eye(len(places), dtype=bool)
    np.testing.assert_allclose(np.asarray(s)[off], wanted[np.ix_(places, places)][off], rtol=1e-12)
    np.testing.assert_allclose(x, inner[:, places], rtol=1e-12)
    np.testing.assert_allclose(-np.asarray(x).sum(axis=1), 1, rtol=1e-12)  # all ports at one volt: the seam too


def test_a_stack_of_boxes_is_joined_box_by_box():
    with jax.enable_x64(True):
        pairs = [[laplacian(jnp.asarray(w)) for w in boxes(seed)] for seed in range(3)]
        joined = jax.jit(lambda a, b: join(a, b, SEAM, ORDER))
        many = joined(*(jnp.stack(side) for side in zip(*pairs, strict=True)))
        for k, pair in enumerate(pairs):
            for one, stacked in zip(joined(*pair), many, strict=True):
                np.testing.assert_allclose(stacked[k], one, rtol=1e-12)


@pytest.mark.parametrize("order", [ORDER, MIXED])
def test_gradients_of_joining_are_differences(order):
    @jax.jit
    def currents(*weights):
        s, x = join(*(laplacian(jnp.asarray(w)) for w in weights), SEAM, order)
        return jnp.where(jnp.eye(s.shape[0], dtype=bool), 0, s), x

    with jax.enable_x64(True):
        check_grads(currents, tuple(map(jnp.asarray, boxes())), order=1, modes=["rev"], rtol=1e-6, atol=1e-8)


def test_ports_that_were_sorted_are_put_back():
    parts = (slice(3, 5), slice(0, 1), slice(1, 3))
    y = jnp.arange(50.0).reshape(2, 5, 5)
    found = sort_ports(y, parts)
    places = [3, 4, 0, 1, 2]
    np.testing.assert_array_equal(found, np.asarray(y)[:, places][:, :, places])
    np.testing.assert_array_equal(sort_ports(found, unsorted(parts)), y)
    weights = jnp.asarray(np.random.default_rng(0).normal(size=y.shape), jnp.float32)
    pulled = jax.grad(lambda z: jnp.sum(weights * sort_ports(z, parts)))(y)
    np.testing.assert_array_equal(pulled, sort_ports(weights, unsorted(parts)))


@pytest.mark.parametrize("axis", [0, 1])
def test_a_grid_that_was_dealt_out_is_laid_together_again(axis):
    grid = jnp.arange(6 * 6 * 4.0).reshape(6, 6, 2, 2)
    hands = deal(grid, axis, 3)
    assert len(hands) == 3
    np.testing.assert_array_equal(hands[1], np.asarray(grid)[1::3] if axis == 0 else np.asarray(grid)[:, 1::3])
    np.testing.assert_array_equal(interleave(hands, axis), grid)
    pulled = jax.grad(lambda z: jnp.sum(deal(z, axis, 3)[2]))(grid)
    marked = np.zeros(grid.shape)
    marked[(slice(2, None, 3),) if axis == 0 else (slice(None), slice(2, None, 3))] = 1
    np.testing.assert_array_equal(pulled, marked)
