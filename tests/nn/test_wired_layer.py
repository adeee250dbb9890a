from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic
from xbar_cli.array.gated import Drive
from xbar_cli.array.ideal import LinearLayer
from xbar_cli.array.wires import Wires
from xbar_cli.mapping.readout import Readout
from xbar_cli.nn.contracts import Convolution, dense
from xbar_cli.nn.program import Scale, gated_layer
from xbar_cli.nn.reading import beyond_drive
from xbar_cli.nn.wired.certificate import certify
from xbar_cli.nn.wired.folded import fold_wired_layers
from xbar_cli.nn.wired.solved import WiredLayer
from xbar_cli.nn.wired.swept import SweptWiredLayer

VG = 0.9
NONE = Wires()
SOME = Wires(word=20.0, bit=20.0, source=200.0, neuron=50.0)


@pytest.fixture(scope="module")
def bit_line():
    return analytic.on_a_bit_line(VG)


def layers(bit_line, kernel, *, signed, wires=NONE, tile=(4, 6)):
    """The same cells with and without wires."""
    plain = analytic.fitted(VG).to_jax().astype(jnp.float32)
    scale = Scale(Readout("de"), kernel, jnp.asarray(1e-5))
    drive = Drive(full_scale=jnp.asarray(1.0), signed=jnp.asarray(float(signed)))
    shape = (int(np.prod(kernel[:-1])), 2 * kernel[-1])
    g = jax.random.uniform(jax.random.key(1), shape, minval=analytic.G_OFF, maxval=analytic.G_ON)
    wired = WiredLayer(g, bit_line, scale, drive, plain.v_max, signed=signed, tile=tile, wires=wires)
    return wired, gated_layer(g, scale=scale, surrogate=plain, drive=drive)


def outputs(wired, x, contract):
    y, trust = jax.jit(lambda layer, x: layer(x, contract))(wired, x)
    assert float(trust.residual.max()) < 1e-9
    return np.asarray(y), trust


@pytest.mark.slow
@pytest.mark.parametrize("signed", [False, True])
def test_without_resistances_dense_tiles_are_the_gated_product(bit_line, signed):
    wired, gated = layers(bit_line, (10, 4), signed=signed)  # 3 × 2 tiles, remainders in both directions
    x = jax.random.uniform(jax.random.key(2), (3, 10), minval=-1.0 if signed else 0.0)
    y, trust = outputs(wired, x, dense)
    wanted = np.asarray(gated(x, dense))
    np.testing.assert_allclose(y, wanted, atol=2e-3 * np.abs(wanted).max())
    assert trust.residual.shape == (6,)
    assert wired.tile_name(4) == "tile of rows 4… and columns 6…"


@pytest.mark.slow
def test_wires_lower_a_convolution_everywhere(bit_line):
    kernel, contract = (2, 2, 1, 1), Convolution(padding="VALID")
    x = jax.random.uniform(jax.random.key(3), (2, 4, 4, 1), minval=0.2)
    free, gated = layers(bit_line, kernel, signed=False)
    y, _ = outputs(free, x, contract)
    wanted = np.asarray(gated(x, contract))
    np.testing.assert_allclose(y, wanted, atol=2e-3 * np.abs(wanted).max())
    wired, _ = layers(bit_line, kernel, signed=False, wires=SOME)
    dropped, _ = outputs(wired, x, contract)
    assert (np.abs(dropped) < np.abs(y)).all()
    np.testing.assert_allclose(dropped, y, rtol=0.2)


def test_products_give_the_outputs_of_newtons_method_and_their_certificate(bit_line):
    wired, _ = layers(bit_line, (6, 2), signed=True, wires=SOME)
    folded = fold_wired_layers({"fc": wired})["fc"]
    x = jax.random.uniform(jax.random.key(2), (5, 6), minval=-1.0)
    exact, _ = outputs(wired, x, dense)
    apart = np.abs(np.asarray(folded(x, dense)) - exact).max()
    assert 0 < apart < 1e-3 * np.abs(exact).max()
    found = certify(wired, folded, wired.drive.share(x), name="fc")
    assert (found.tiles, found.of, found.reads) == (2, 2, 10)
    assert 0 < found.mean < found.largest < 1e-3


@pytest.mark.parametrize("signed", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_sweeps_give_the_outputs_of_newtons_method_tile_by_tile(bit_line, signed):
    wired, _ = layers(bit_line, (10, 4), signed=signed, wires=SOME)  # 3 × 2 tiles, remainders in both directions
    x = jax.random.uniform(jax.random.key(2), (40, 10), minval=-1.0 if signed else 0.0)  # two parts
    few, sweeps = x[:3], SweptWiredLayer(wired)
    exact, solved = outputs(wired, few, dense)
    y, trust = jax.jit(lambda layer, x: layer(x, dense))(sweeps, x)
    assert np.abs(np.asarray(y)[:3] - exact).max() < 3e-6 * np.abs(exact).max()
    assert trust.residual.shape == trust.beyond.shape == solved.residual.shape == (6,)
    assert 0 < float(trust.residual.max()) < 3e-6
    found = certify(wired, sweeps, wired.drive.share(few), name="fc")
    assert 0 < found.largest < 3e-6
    assert found.tiles == 4


def test_the_trust_in_a_swept_tile_is_that_of_its_name(bit_line):
    wired, _ = layers(bit_line, (10, 4), signed=False, wires=SOME)
    bad = SweptWiredLayer(replace(wired, g=wired.g.at[5, 7].set(-1e-6)))
    _, trust = jax.jit(lambda layer, x: layer(x, dense))(bad, jnp.ones((1, 10)))
    (wrong,) = np.flatnonzero(~(np.asarray(trust.residual) <= 3e-6))
    assert wired.tile_name(int(wrong)) == "tile of rows 4… and columns 6…"


@pytest.mark.slow
def test_a_certificate_sees_products_of_other_devices(bit_line):
    wired, _ = layers(bit_line, (6, 2), signed=False, wires=SOME)
    other = fold_wired_layers({"fc": replace(wired, g=1.1 * wired.g)})["fc"]
    found = certify(wired, other, jnp.ones((2, 6)), name="fc")
    assert found.largest > 0.03


@pytest.mark.slow
def test_products_of_convolutions_and_groups_are_newtons_too(bit_line):
    kernel, contract = (2, 2, 1, 3), Convolution(padding="VALID")
    x = jax.random.uniform(jax.random.key(3), (2, 4, 4, 1), minval=0.2)
    wired, _ = layers(bit_line, kernel, signed=False, wires=SOME)
    exact, _ = outputs(wired, x, contract)
    folded = fold_wired_layers({"conv": wired})["conv"]
    assert np.abs(np.asarray(folded(x, contract)) - exact).max() < 1e-3 * np.abs(exact).max()
    grouped = replace(wired, scale=replace(wired.scale, readout=Readout("de", groups=3), kernel=(2, 2, 1, 3)))
    contract = Convolution(padding="VALID", groups=3)
    x = jax.random.uniform(jax.random.key(4), (2, 4, 4, 3), minval=0.2)
    exact, _ = outputs(grouped, x, contract)
    folded = fold_wired_layers({"conv": grouped})["conv"]
    assert np.abs(np.asarray(folded(x, contract)) - exact).max() < 1e-3 * np.abs(exact).max()
    swept, _ = jax.jit(lambda layer, x: layer(x, contract))(SweptWiredLayer(grouped), x)
    assert np.abs(np.asarray(swept) - exact).max() < 3e-6 * np.abs(exact).max()


@pytest.mark.slow
def test_a_negative_conductance_is_not_trusted(bit_line):
    wired, _ = layers(bit_line, (4, 1), signed=False)
    bad = WiredLayer(**{**vars(wired), "g": wired.g.at[0, 0].set(-1e-6)})
    _, trust = jax.jit(lambda layer, x: layer(x, dense))(bad, jnp.ones((1, 4)))
    assert not float(trust.residual[0]) <= 1e-9


@pytest.mark.parametrize("signed", [False, True])
def test_what_cannot_be_driven_is_counted_in_arrays_of_cells_with_wires_and_without(bit_line, signed):
    for layer in layers(bit_line, (5, 1), signed=signed):
        found = beyond_drive(layer, jnp.array([[-1.5, -0.5, 0.0, 1.0, 1.1]]))
        np.testing.assert_array_equal(found, [[1, not signed, 0, 0, 1]])
    g = jnp.full((5, 1), 1e-5)
    assert beyond_drive(LinearLayer(g), jnp.ones((1, 5))) is None
