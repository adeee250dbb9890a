import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic
from xbar_cli.array.gated import Drive, currents
from xbar_cli.mapping.readout import Readout
from xbar_cli.nn.contracts import Convolution, dense
from xbar_cli.nn.program import Scale, gated_layer, linear_layer, mean_cell


@pytest.fixture
def surrogate():
    return analytic.fitted(0.9).to_jax().astype(jnp.float32)


def programmed(surrogate, kernel, *, signed, g):
    drive = Drive(full_scale=jnp.asarray(2.0), signed=jnp.asarray(float(signed)))
    make = lambda g, s: gated_layer(g, scale=Scale(Readout("de"), kernel, jnp.asarray(1e-5)), surrogate=s, drive=drive)  # noqa: E731
    return jax.jit(make)(g, surrogate)


compute = jax.jit(lambda layer, x: layer(x, dense))
column_currents = jax.jit(currents)


def random_g(shape, seed=0):
    return jax.random.uniform(jax.random.key(seed), shape, minval=analytic.G_OFF, maxval=analytic.G_ON)


def test_column_currents_are_the_sums_of_the_cells(surrogate):
    g, v = random_g((7, 5)), jax.random.uniform(jax.random.key(1), (3, 7), maxval=0.5)
    one = jax.jit(lambda row: surrogate(g, jnp.broadcast_to(row[:, None], g.shape)).sum(axis=0))
    cells = jnp.stack([one(row) for row in v])
    np.testing.assert_allclose(column_currents(surrogate, g, v), cells, rtol=1e-4)


def test_columns_follow_the_closed_form_of_the_cell(surrogate):
    g, v = random_g((9, 4)), jax.random.uniform(jax.random.key(2), (6, 9), minval=0.02, maxval=0.5)
    exact = analytic.current(np.asarray(g, float)[None], np.asarray(v, float)[:, :, None], 0.9).sum(axis=1)
    np.testing.assert_allclose(column_currents(surrogate, g, v), exact, rtol=1e-3)


def test_signed_inputs_are_two_reads_subtracted(surrogate):
    g = random_g((6, 8))
    x = jax.random.normal(jax.random.key(3), (5, 6))
    layer = programmed(surrogate, (6, 4), signed=True, g=g)
    scale = 2.0 / (0.5 * 1e-5)
    volts = lambda part: 0.5 * jnp.clip(part / 2.0, 0, 1)  # noqa: E731
    both = column_currents(surrogate, g, volts(x)) - column_currents(surrogate, g, volts(-x))
    expected = (both[:, 0::2] - both[:, 1::2]) * scale
    np.testing.assert_allclose(compute(layer, x), expected, rtol=1e-3, atol=1e-4)


def test_a_convolution_is_its_patches_on_the_array(surrogate):
    g = random_g((3 * 3 * 2, 2 * 4))
    x = jax.random.uniform(jax.random.key(4), (2, 6, 6, 2), maxval=2.0)
    layer = programmed(surrogate, (3, 3, 2, 4), signed=False, g=g)
    found = jax.jit(lambda layer, x: layer(x, Convolution(padding="VALID")))(layer, x)
    patches = jnp.stack([x[:, i : i + 4, j : j + 4] for i in range(3) for j in range(3)], axis=3)
    flat = programmed(surrogate, (18, 4), signed=False, g=g)
    np.testing.assert_allclose(found, compute(flat, patches.reshape(2, 4, 4, 18)), rtol=1e-3, atol=1e-4)


def test_inputs_beyond_full_scale_saturate(surrogate):
    layer = programmed(surrogate, (6, 4), signed=False, g=random_g((6, 8)))
    full, beyond = jnp.full((1, 6), 2.0), jnp.full((1, 6), 7.0)
    np.testing.assert_array_equal(compute(layer, full), compute(layer, beyond))


def test_a_strong_transistor_gives_the_ideal_array():
    weak, strong = (analytic.fitted(vg).to_jax().astype(jnp.float32) for vg in (0.9, 30.0))
    g, x = random_g((20, 12)), jax.random.uniform(jax.random.key(5), (8, 20), maxval=2.0)
    ideal = linear_layer(g, scale=Scale(Readout("de"), (20, 6), jnp.asarray(1e-5)))
    ideal = compute(ideal, x)

    def error(s):
        return jnp.abs(compute(programmed(s, (20, 6), signed=False, g=g), x) - ideal).max() / jnp.abs(ideal).max()

    assert float(error(strong)) < 0.005
    assert float(error(weak)) > 0.02


def test_mean_cell_is_the_mean_effective_conductance():
    cell = analytic.cell()
    mean = jax.jit(mean_cell)(cell.current[0].astype(jnp.float32), jnp.asarray(cell.vin, jnp.float32))
    g = np.linspace(cell.g_off, cell.g_on, 30)
    np.testing.assert_allclose(
        jax.jit(lambda m, g: m(g))(mean, jnp.asarray(g, jnp.float32)), cell.effective(0, g, volt=None), rtol=1e-3
    )
