"""Arrays with resistance in one kind of wire: lines against a dense nodal solution, voltages against a banded one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.linalg import solve_banded

from tests import circuit
from xbar_cli.array.lines import CHUNK, fold_lines, line_voltages

BIT, NEURON, SOURCE = 3.0, 40.0, 90.0


def conductances(shape, seed=0, absent=0.2):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < absent, 0, rng.uniform(3e-5, 5e-4, shape))


def folded(g, *, bit=BIT, neuron=NEURON, source=SOURCE):
    with jax.enable_x64(True):
        numbers = {"segment": 1 / bit, "end": 1 / (bit + neuron), "r_source": source}
        return [np.asarray(x) for x in fold_lines(jnp.asarray(g), **{k: jnp.asarray(v) for k, v in numbers.items()})]


@pytest.mark.parametrize("shape", [(1, 1), (4, 3), (3, 5)])
def test_lines_are_those_of_a_dense_nodal_solution(shape):
    g = conductances(shape)
    g_eff, _ = folded(g)
    np.testing.assert_allclose(
        g_eff, circuit.effective(g, bit=BIT, source=SOURCE, neuron=NEURON), rtol=1e-11, atol=1e-18
    )


def test_source_voltages_become_word_line_voltages():
    g = conductances((4, 3))
    _, spread = folded(g)
    parts = list(circuit.resistors(g, word=0.0, bit=BIT, source=SOURCE, neuron=NEURON))
    volts = {("in", i): v for i, v in enumerate((0.3, -0.1, 0.2, 0.4))}
    at = circuit.solved(parts, volts | {("ground", j): 0.0 for j in range(3)})
    wanted = [at(("word", i, 0)) for i in range(4)]
    np.testing.assert_allclose(spread @ np.array([0.3, -0.1, 0.2, 0.4]), wanted, rtol=1e-12)


def test_more_lines_than_are_eliminated_at_a_time_are_all_there():
    """Without source resistance columns do not see each other: each is an array of its own."""
    g = conductances((3, CHUNK + 5))
    whole, _ = folded(g, source=0.0)
    for j in (0, CHUNK - 1, CHUNK, CHUNK + 4):
        np.testing.assert_allclose(whole[:, j], folded(g[:, j : j + 1], source=0.0)[0][:, 0], rtol=1e-12)


def test_a_tiny_wire_costs_no_precision():
    g = conductances((5, 4), absent=0)
    thin, _ = folded(g, bit=1e-12, neuron=0.0, source=0.0)
    np.testing.assert_allclose(thin, g, rtol=1e-10)


def test_gradients_are_differences():
    @jax.jit
    def loss(g, segment, r_source):
        g_eff, spread = fold_lines(
            1e-3 * jnp.asarray(g), segment=jnp.asarray(segment), end=jnp.asarray(0.02), r_source=jnp.asarray(r_source)
        )
        return 1e3 * g_eff, spread

    with jax.enable_x64(True):
        point = (1e3 * jnp.asarray(conductances((3, 3))), jnp.asarray(0.3), jnp.asarray(90.0))
        check_grads(loss, point, order=1, modes=["rev"], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("positions", [1, 2, 7])
def test_node_voltages_solve_the_tridiagonal_system(positions):
    rng = np.random.default_rng(2)
    g, v = conductances((positions, 3), absent=0.3), rng.uniform(-0.4, 0.5, (positions, 3))
    v_end, segment, end = np.array([0.0, 0.1, -0.2]), 0.4, 0.02
    with jax.enable_x64(True):
        found = line_voltages(*map(jnp.asarray, (g, v, v_end)), segment=jnp.asarray(segment), end=jnp.asarray(end))
    for j in range(3):
        links = np.append(np.full(positions - 1, segment), end)
        diagonal = g[:, j] + links + np.append(0, links[:-1])
        bands = np.stack([np.append(0, -links[:-1]), diagonal, np.append(-links[:-1], 0)])
        right = g[:, j] * v[:, j]
        right[-1] += end * v_end[j]
        np.testing.assert_allclose(np.asarray(found)[:, j], solve_banded((1, 1), bands, right), rtol=1e-10)
