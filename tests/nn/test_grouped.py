"""A grouped layer, against its groups as layers of their own: one computation of two ways, stage by stage."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic
from xbar_cli.array.converters import Adc, Dac, converters_of, draw_errors
from xbar_cli.array.gated import Drive
from xbar_cli.array.tiling import fold_layers, row_groups
from xbar_cli.array.wires import Wires
from xbar_cli.chip.activity import window_sums
from xbar_cli.config.arrays import NodalArray, tile_fold
from xbar_cli.device.bit_line import LineSamples, fit_line
from xbar_cli.device.surrogate import Knots
from xbar_cli.mapping.bitslice import SliceFormat
from xbar_cli.mapping.placing import Span, place, place_groups, place_slices
from xbar_cli.mapping.readout import Readout
from xbar_cli.nn.contracts import Convolution, MatrixProduct, dense
from xbar_cli.nn.program import Scale, gated_layer, linear_layer
from xbar_cli.nn.tiled import TiledLayer
from xbar_cli.nn.wired.solved import WiredLayer

GROUPS, ROWS, OUT = 3, 6, 4  # of each group
KERNEL = (ROWS, GROUPS * OUT)
SLOPE = jnp.asarray(1e-5)
X = jax.random.uniform(jax.random.key(0), (5, 2, GROUPS * ROWS), maxval=2.0)
PARTS = [X[..., n * ROWS : (n + 1) * ROWS] for n in range(GROUPS)]
ALL, ONE = MatrixProduct(GROUPS), dense


def devices(scheme="de"):
    columns = Readout(scheme).columns(OUT)
    return jax.random.uniform(jax.random.key(1), (ROWS, GROUPS * columns), minval=3e-6, maxval=3e-5)


def scales(scheme="de"):
    return Scale(Readout(scheme, groups=GROUPS), KERNEL, SLOPE), Scale(Readout(scheme), (ROWS, OUT), SLOPE)


def side_by_side(one, g):
    """What the groups compute as layers of their own."""
    parts = zip(PARTS, jnp.split(g, GROUPS, axis=1), strict=True)
    return jnp.concatenate([one(x, part) for x, part in parts], axis=-1)


@pytest.mark.parametrize("scheme", ["de", "bc", "acm", "slices"])
def test_placing_is_that_of_each_group(scheme):
    """With slopes of every output, and where acm's running sums of one group do not fit."""
    w = np.random.default_rng(0).normal(size=KERNEL).astype(np.float32)
    w[:, :OUT] *= 3
    slope = np.linspace(1e-6, 2e-6, KERNEL[1])
    fmt = SliceFormat(weight_bits=4, fraction_bits=2, device_bits=2, encoding="differential")

    def one(weights, number):
        if scheme == "slices":
            return place_slices(fmt, weights, bottom=1e-6, top=2e-5)
        return place(scheme, weights, Span(None, 1e-6, 2e-5, np.split(slope, GROUPS)[number]))

    placed = place_groups(one, w, GROUPS)
    parts = [one(part, n) for n, part in enumerate(np.split(w, GROUPS, axis=1))]
    np.testing.assert_allclose(placed.decoded(), np.concatenate([p.decoded() for p in parts], axis=1), rtol=1e-6)
    assert placed.wanted.shape == (ROWS, placed.readout.columns(KERNEL[1]))
    assert placed.readout.outputs(placed.wanted.shape[1]) == KERNEL[1]


@pytest.mark.parametrize("scheme", ["de", "bc", "acm"])
def test_folded_arrays_with_wires_are_those_of_each_group(scheme):
    g, (whole, part) = devices(scheme), scales(scheme)
    fold = tile_fold(NodalArray(r_wire_ohm=20.0, r_source_ohm=300.0))
    columns = g.shape[1] // GROUPS
    apart = {str(n): g[:, n * columns : (n + 1) * columns] for n in range(GROUPS)}
    found = fold_layers({"a": g}, fold, tile=(4, 5), groups={"a": GROUPS})["a"]
    wanted = fold_layers(apart, fold, tile=(4, 5))
    np.testing.assert_allclose(found.g_eff, np.concatenate([f.g_eff for f in wanted.values()], axis=1), rtol=1e-12)
    y = linear_layer(found.g_eff, scale=whole)(X, ALL)
    np.testing.assert_allclose(
        y, side_by_side(lambda x, g: linear_layer(g, scale=part)(x, ONE), found.g_eff), rtol=1e-5, atol=1e-6
    )


def tiles_of(g, scale, **given):
    rows = row_groups(ROWS, height=4, at_once=2)
    factors, leakage = rows.split(g[None]), jnp.full((rows.count, g.shape[1]), 1e-7)
    drive = Dac(jnp.asarray(2.0), signed=False, bits=4, limited=True)
    return TiledLayer(factors, leakage, scale, drive, rows, **given)


@pytest.mark.parametrize("given", [{}, {"serial": True}, {"pairs": True}])
def test_converters_at_every_tile_are_those_of_each_group(given):
    g, (whole, part) = devices(), scales()

    def converted(layer, x, contract):
        shape = (layer.rows.bands, layer.signals)
        signed = layer.pairs
        adc = Adc(jnp.asarray(1e-4), jnp.zeros(shape), jnp.zeros(shape), jnp.asarray(2e-6), bits=8, signed=signed)
        return jax.jit(lambda layer, x: layer(x, contract, adc=adc))(layer, x)

    found = converted(tiles_of(g, whole, **given), X, ALL)
    wanted = side_by_side(lambda x, g: converted(tiles_of(g, part, **given), x, ONE).y, g)
    np.testing.assert_allclose(found.y, wanted, rtol=1e-5, atol=1e-5)
    assert float(jnp.abs(found.y).max()) > 0.1
    assert tiles_of(g, whole, **given).conversions(1) == GROUPS * tiles_of(g[:, : 2 * OUT], part, **given).conversions(
        1
    )


def test_gated_cells_are_those_of_each_group():
    g, (whole, part) = devices(), scales()
    cell, drive = analytic.fitted(0.9).to_jax().astype(jnp.float32), Drive(jnp.asarray(2.0), jnp.asarray(0.0))
    y = gated_layer(g, scale=whole, surrogate=cell, drive=drive)(X, ALL)
    wanted = side_by_side(lambda x, g: gated_layer(g, scale=part, surrogate=cell, drive=drive)(x, ONE), g)
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_cells_with_wires_are_those_of_each_group():
    u, table = np.linspace(0.0, 0.06, 5), analytic.G
    value = np.stack([analytic.current(table[:, None], analytic.V_IN - s, 0.9 - s) for s in u])
    samples = LineSamples(
        u=u, g=table, v=analytic.V_IN, value=value, at_rest=np.full((u.size, table.size), analytic.LEAKAGE),
        v_floor=0.01, knots=Knots(table),
    )  # fmt: skip
    cell, g, (whole, part) = fit_line(samples, rank=4, degree=8).to_jax(), devices(), scales()
    drive, v_max = Drive(jnp.asarray(2.0), jnp.asarray(0.0)), jnp.asarray(0.2, jnp.float32)
    wires = Wires(word=20.0, bit=20.0, source=200.0, neuron=50.0)

    def read(g, scale, x, contract):
        layer = WiredLayer(g, cell, scale, drive, v_max, signed=False, tile=(4, 6), wires=wires)
        return layer, *jax.jit(lambda layer, x: layer(x, contract))(layer, x)

    layer, y, trust = read(g, whole, X, ALL)
    np.testing.assert_allclose(y, side_by_side(lambda x, g: read(g, part, x, ONE)[1], g), rtol=1e-5, atol=1e-6)
    assert trust.residual.shape == (GROUPS * 4,)
    assert layer.tile_name(5) == "group 1, tile of rows 4… and columns 0…"


def test_converters_are_shared_within_a_group():
    gain, _ = draw_errors(
        jax.random.key(0), bands=1, signals=12, gain_error=1.0, offset_error=0.0, across=3, shared=2, groups=3
    )
    own = converters_of(4, across=3, shared=2)
    same = np.concatenate([own + n * (own[-1] + 1) for n in range(3)])
    assert len(np.unique(gain)) == len(np.unique(same))
    drawn = np.asarray(gain[0])
    np.testing.assert_array_equal(drawn[:, None] == drawn, same[:, None] == same)


@pytest.mark.parametrize(
    "contract", [Convolution(((1, 1), (0, 2)), stride=2, groups=2), Convolution(((2, 0),), dilation=2)]
)
def test_sums_of_what_rows_see_are_those_of_the_rows(contract):
    n = len(contract.padding)
    window, x = (3, 2)[:n], np.random.default_rng(0).uniform(size=(*(6, 5)[:n], 4))
    sums, positions = window_sums(x[..., None], contract, window)
    rows = np.asarray(contract.rows(jnp.asarray(x[None]), window))[0]
    np.testing.assert_allclose(sums[:, 0], rows.reshape(-1, rows.shape[-1]).sum(axis=0), rtol=1e-6)
    assert positions == rows[..., 0].size
