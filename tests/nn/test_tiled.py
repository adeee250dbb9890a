"""Layers with converters at every tile, against the folded path, NumPy's integers and sums of cells."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic
from tests.mapping.sliced_product import adc_error_bound, product
from xbar_cli.array.converters import Adc, Dac
from xbar_cli.array.gated import Drive
from xbar_cli.array.tiling import fold_layers, row_groups
from xbar_cli.mapping import bitslice
from xbar_cli.mapping.readout import Readout
from xbar_cli.nn import tiled
from xbar_cli.nn.contracts import Convolution, dense, rows_of
from xbar_cli.nn.noise import gated_noise, linear_noise
from xbar_cli.nn.program import DrivenLayer, Scale, gated_layer, linear_layer, one_voltage
from xbar_cli.nn.tiled import TiledLayer

DENSE = ((3, 20), (20, 4), dense)
CONV = ((3, 7, 6, 4), (3, 3, 4, 5), Convolution(padding="SAME"))
STRIDED = ((2, 9, 8, 3), (3, 2, 3, 4), Convolution(padding="VALID", stride=2))


def dac(bits=None, *, signed=False, full_scale=2.0):
    return Dac(jnp.asarray(full_scale), signed=signed, bits=bits, limited=bits is not None)


def adc(layer, bits, full_scale, *, gain=0.0, offset=0.0, baseline=0.0):
    shape = (layer.rows.bands, layer.signals)
    return Adc(
        jnp.asarray(full_scale), jnp.full(shape, gain), jnp.full(shape, offset), jnp.asarray(baseline), bits=bits,
        signed=layer.pairs,
    )  # fmt: skip


def tiles_of(
    g, scale, drive, *, height, at_once=None, serial=False, surrogate=None, factors=None, at_zero=None, pairs=False
):
    """`at_zero`: leakage of every cell over the full voltage [S]."""
    rows = row_groups(g.shape[0], height=height, at_once=at_once)
    leakage = jnp.zeros((rows.count, g.shape[1])) if at_zero is None else rows.split(at_zero[None]).sum(axis=(1, 2))
    return TiledLayer(
        factors=rows.split(g[None] if factors is None else factors), leakage=leakage,
        scale=scale, dac=drive, rows=rows, surrogate=surrogate, serial=serial, pairs=pairs,
    )  # fmt: skip


def unconverted(layer, x, contract):
    """What the layer computes when nothing converts its currents."""

    def compute(layer, x):
        total = layer.reduce(x, contract, start=jnp.zeros, step=lambda carry, read: carry + read.weight * read.i)
        return layer.scale.weights(total) * (layer.dac.full_scale / (layer.dac.top if layer.serial else 1))

    return jax.jit(compute)(layer, x)


def case(shape, kernel, *, seed=0):
    rows = int(np.prod(kernel[:-1]))
    g = jax.random.uniform(jax.random.key(seed), (rows, 2 * kernel[-1]), minval=3e-6, maxval=3e-5)
    x = jax.random.uniform(jax.random.key(seed + 1), shape, maxval=2.0)
    return g, x, Scale(Readout("de"), kernel, jnp.asarray(1e-5))


@pytest.mark.parametrize(("shape", "kernel", "contract"), [CONV, STRIDED], ids=["same", "strided"])
def test_the_rows_of_a_convolution_are_xlas_patches_with_channels_fastest(shape, kernel, contract):
    x = jax.random.normal(jax.random.key(0), shape)
    patches = jax.lax.conv_general_dilated_patches(
        x, kernel[:2], (contract.stride,) * 2, contract.padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    window = (kernel[2], *kernel[:2])  # XLA: channels slowest
    reordered = np.moveaxis(np.asarray(patches).reshape(*patches.shape[:-1], *window), -3, -1)
    found = rows_of(contract, x, kernel)
    np.testing.assert_array_equal(found, reordered.reshape(found.shape))


def test_a_product_that_says_nothing_of_rows_is_refused():
    with pytest.raises(ValueError, match="MatrixProduct or a Convolution"):
        rows_of(lambda x, kernel: x @ kernel, jnp.ones((2, 3)), (3, 4))


@pytest.mark.parametrize(
    ("shape", "kernel", "contract", "height"),
    [(*DENSE, 1), (*DENSE, 7), (*DENSE, 64), (*CONV, 7), (*STRIDED, 16)],
    ids=["dense 1", "dense 7", "dense 64", "same 7", "strided 16"],
)
def test_without_converters_tiles_are_the_folded_layer(shape, kernel, contract, height):
    g, x, scale = case(shape, kernel)
    x = x - 0.7  # both signs: two reads
    folded = linear_layer(g, scale=scale)(x, contract)
    layer = tiles_of(g, scale, dac(signed=True), height=min(height, g.shape[0]))
    np.testing.assert_allclose(unconverted(layer, x, contract), folded, rtol=1e-5, atol=1e-6 * np.abs(folded).max())


@pytest.mark.parametrize(("shape", "kernel", "contract"), [DENSE, CONV], ids=["dense", "conv"])
def test_converters_err_by_half_a_step_and_sixteen_bits_hardly(shape, kernel, contract):
    g, x, scale = case(shape, kernel)
    folded = linear_layer(g, scale=scale)(x, contract)
    layer = tiles_of(g, scale, dac(), height=7)
    top = 7 * 3e-5
    errors = {}
    for bits in (6, 16):
        y, beyond = jax.jit(lambda layer, x, bits=bits: layer(x, contract, adc=adc(layer, bits, top)))(layer, x)
        assert not np.asarray(beyond).any()
        errors[bits] = float(np.abs(y - folded).max())
        # a difference of two columns, each a sum of one conversion a tile, each half a step off
        half = top / (2**bits - 1) / 2
        assert errors[bits] <= 2 * layer.factors.shape[0] * half * 2.0 / 1e-5 * (1 + 1e-3) + 1e-5
    assert errors[6] > 300 * errors[16]


def test_saturation_is_counted_image_by_image():
    g, x, scale = case(*DENSE[:2])
    x = x.at[1].set(0.0)
    layer = tiles_of(g, scale, dac(), height=7)
    _, beyond = layer(x, dense, adc=adc(layer, 8, 2e-5))
    assert layer.conversions(1) == 3 * 8
    tiles = np.stack([np.asarray(x[:, s : s + 7] / 2 @ g[s : s + 7]) for s in (0, 7, 14)], axis=1)
    expected = (tiles > 2e-5 * (1 + 0.5 / 255)).sum(axis=(1, 2))
    np.testing.assert_array_equal(beyond, expected)
    assert expected[0] > 0 == expected[1]


def test_every_converter_errs_on_its_own():
    g, x, scale = case(*DENSE[:2])
    layer = tiles_of(g, scale, dac(), height=7)
    plain = adc(layer, 16, 4e-4)
    gained = Adc(plain.full_scale, plain.gain.at[1, 2].set(0.1), plain.offset, plain.baseline, bits=16)
    change = layer(x, dense, adc=gained).y - layer(x, dense, adc=plain).y
    expected = 0.1 * np.asarray(x[:, 7:14] @ g[7:14, 2]) / 1e-5
    np.testing.assert_allclose(change[:, 1], expected, atol=2e-3 * float(jnp.abs(expected).max()))
    np.testing.assert_array_equal(change[:, [0, 2, 3]], 0)


@pytest.mark.parametrize(
    ("encoding", "device_bits", "signed"),
    [("offset", 2, False), ("offset", 1, True), ("twos_complement", 1, True), ("twos_complement", 2, True),
     ("differential", 2, True)],
)  # fmt: skip
def test_bit_slices_and_bit_serial_inputs_are_exact_integers(encoding, device_bits, signed):
    fmt = bitslice.SliceFormat(weight_bits=8, fraction_bits=3, device_bits=device_bits, encoding=encoding)
    rows, n_out, height, bits = 50, 6, 16, 6
    rng = np.random.default_rng(7)
    w = rng.integers(-128, 128, (rows, n_out))
    x = rng.integers(-63 if signed else 0, 64, (9, rows))
    sliced = bitslice.cut(jnp.asarray(w, jnp.int32), fmt)
    g = jnp.moveaxis(jnp.asarray(sliced.levels, jnp.float32), 0, -1).reshape(rows, -1)
    digital = np.full((rows, n_out), fmt.offset, np.float32)
    if sliced.negative is not None:
        digital = digital + fmt.sign_radix * np.asarray(sliced.negative)
    scale = Scale(Readout("bitslice", fmt), (rows, n_out), jnp.asarray(8.0), jnp.asarray(digital, jnp.float32) / 8)
    layer = tiles_of(g, scale, dac(bits, signed=signed, full_scale=63.0), height=height, serial=True)

    def compute(adc_bits):
        enough = bitslice.sufficient_adc_bits(fmt, rows=height, dac_bits=1)
        full = 2.0 ** (enough - adc_bits) * (2**adc_bits - 1)
        compute = jax.jit(lambda layer, x, adc: layer(x, dense, adc=adc).y)
        return compute(layer, jnp.asarray(x, jnp.float32), adc(layer, adc_bits, full)) * 8, enough

    found, enough = compute(bitslice.sufficient_adc_bits(fmt, rows=height, dac_bits=1))
    exact = x.astype(np.int64) @ w.astype(np.int64)
    np.testing.assert_array_equal(np.asarray(found, np.float64), exact)
    reference = product(
        jnp.asarray(x, jnp.int32), sliced, fmt, input_bits=7, signed_inputs=True, dac_bits=1, adc_bits=16
    )  # fmt: skip
    np.testing.assert_array_equal(np.asarray(found, np.int64), reference)
    few, _ = compute(enough - 2)
    bound = adc_error_bound(fmt, rows=height, input_bits=bits, dac_bits=1, adc_bits=enough - 2)
    off = np.abs(np.asarray(few, np.float64) - exact).max()
    assert 0 < off <= bound * 4 * (2 if signed else 1)


def test_the_baseline_is_taken_off_before_the_converter_and_added_after_it():
    """Levels between R_off and R_on: a code is a level, and what all devices have in common takes no codes."""
    fmt = bitslice.SliceFormat(weight_bits=4, fraction_bits=0, device_bits=2, encoding="offset")
    rng = np.random.default_rng(3)
    w, x = rng.integers(-8, 8, (20, 3)), rng.integers(0, 16, (5, 20))
    levels = bitslice.cut(jnp.asarray(w, jnp.int32), fmt).levels
    bottom, top = 0.37, 3.37
    g = jnp.moveaxis(bitslice.to_conductances(levels, fmt, g_min=bottom, g_max=top), 0, -1).reshape(20, -1)
    scale = Scale(Readout("bitslice", fmt), (20, 3), jnp.asarray(1.0), jnp.asarray(float(fmt.offset)))
    layer = tiles_of(g, scale, dac(4, full_scale=15.0), height=8, serial=True)
    compute = jax.jit(lambda layer, x, adc: layer(x, dense, adc=adc).y)
    y = compute(layer, jnp.asarray(x, jnp.float32), adc(layer, 5, 31.0, baseline=bottom))
    np.testing.assert_allclose(y, x @ w, atol=1e-3)


@pytest.fixture(scope="module")
def cell():
    return analytic.fitted(0.9).to_jax().astype(jnp.float32)


def cells(shape=(20, 8)):
    return jax.random.uniform(jax.random.key(5), shape, minval=analytic.G_OFF, maxval=analytic.G_ON)


def test_one_voltage_makes_cells_linear_to_the_letter(cell):
    """Rows that are on or off: a column carries the currents of its cells at that voltage and at none."""
    g, v = cells(), jnp.asarray(0.4)
    on = jax.random.bernoulli(jax.random.key(6), 0.5, (20,)).astype(jnp.float32)
    made = jax.jit(one_voltage)(cell, v)
    at = jax.jit(lambda g, v: cell(g, jnp.broadcast_to(v, g.shape)))
    expected = (on[:, None] * at(g, v) + (1 - on)[:, None] * at(g, jnp.zeros(()))).sum(axis=0)
    linear = jax.jit(lambda g: made(g))(g)
    found = v * (on @ linear) + at(g, jnp.zeros(())).sum(axis=0)
    np.testing.assert_allclose(found, expected, rtol=2e-6)
    exact = analytic.current(np.asarray(g, float), 0.4, 0.9)
    np.testing.assert_allclose(linear, exact / 0.4, rtol=2e-3)


@pytest.mark.parametrize("serial", [False, True], ids=["pwm", "bitserial"])
def test_pulse_widths_and_bits_read_the_same_linear_weights(cell, serial):
    g, v, kernel = cells(), jnp.asarray(0.4), (20, 4)
    scale, drive = Scale(Readout("de"), kernel, jnp.asarray(1e-5)), dac(5)
    x = jax.random.uniform(jax.random.key(7), (6, 20), maxval=2.0)
    linear = jax.jit(lambda cell, v, g: one_voltage(cell, v)(g))(cell, v, g)
    weights = np.asarray(linear[:, 0::2] - linear[:, 1::2]) / 1e-5
    codes = np.round(np.asarray(x) / 2 * 31)
    expected = codes * 2 / 31 @ weights
    folded = DrivenLayer(linear_layer(linear, scale=scale), drive, serial=serial)
    np.testing.assert_allclose(folded(x, dense), expected, rtol=1e-4, atol=1e-4)
    layer = tiles_of(linear, scale, drive, height=7, serial=serial)
    np.testing.assert_allclose(unconverted(layer, x, dense), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("signed", [False, True])
def test_cells_driven_by_amplitude_are_the_folded_products_with_their_leakage(cell, signed):
    g, kernel = cells(), (20, 4)
    scale = Scale(Readout("de"), kernel, jnp.asarray(1e-5))
    x = jax.random.uniform(jax.random.key(8), (6, 20), minval=-1.0 if signed else 0.0, maxval=2.5)
    drive = Drive(full_scale=jnp.asarray(2.0), signed=jnp.asarray(float(signed)))
    folded = jax.jit(lambda g: gated_layer(g, scale=scale, surrogate=cell, drive=drive)(x, dense))(g)
    layer = tiles_of(
        g, scale, Dac(jnp.asarray(2.0), signed=signed), height=7, surrogate=cell,
        factors=jnp.moveaxis(cell.in_g(g), -1, 0), at_zero=cell.at_zero(g) / cell.v_max,
    )  # fmt: skip
    np.testing.assert_allclose(unconverted(layer, x, dense), folded, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("curved", [False, True], ids=["linear", "gated"])
def test_noise_in_front_of_the_converters_has_the_spread_of_the_folded_one(cell, curved):
    g, kernel = cells(), (20, 4)
    scale, sigma = Scale(Readout("de"), kernel, jnp.asarray(1e-5)), 0.1 * cells()
    x = jnp.broadcast_to(jax.random.uniform(jax.random.key(9), (1, 20), maxval=2.0), (4000, 20))
    drive = Drive(full_scale=jnp.asarray(2.0), signed=jnp.asarray(0.0))
    noise = linear_noise(sigma, scale=scale)
    layer = tiles_of(g, scale, dac(), height=7)
    if curved:
        noise = jax.jit(lambda g: gated_noise(g, sigma, scale=scale, surrogate=cell, drive=drive))(g)
        factors = jnp.moveaxis(cell.in_g(g), -1, 0)
        layer = tiles_of(g, scale, Dac(jnp.asarray(2.0), signed=False), height=7, surrogate=cell, factors=factors)
    compute = jax.jit(
        lambda first, x: layer(x, dense, adc=adc(layer, 16, 1e-3), noise=noise, key=jax.random.key(1), first=first).y
    )
    y = compute(jnp.asarray(0), x)
    folded = jax.jit(lambda x: noise(jax.random.key(2), x, dense, first=jnp.asarray(0)))(x)
    np.testing.assert_allclose(np.std(y, axis=0), np.std(folded, axis=0), rtol=0.06)
    # image 1000 draws the same wherever its batch starts
    np.testing.assert_array_equal(compute(jnp.asarray(1000), x)[:10], y[1000:1010])


def test_every_cycle_of_bit_serial_inputs_has_noise_of_its_own():
    g, scale, drive = cells(), Scale(Readout("de"), (20, 4), jnp.asarray(1e-5)), dac(4)
    noise = linear_noise(0.1 * g, scale=scale)
    x = jnp.broadcast_to(jax.random.uniform(jax.random.key(9), (1, 20), maxval=2.0), (4000, 20))
    layer = tiles_of(g, scale, drive, height=7, serial=True)
    y = jax.jit(lambda x: layer(x, dense, adc=adc(layer, 16, 1e-3), noise=noise, key=jax.random.key(1)).y)(x)
    driven = DrivenLayer(linear_layer(g, scale=scale), drive, serial=True)
    folded = jax.jit(lambda x: noise(jax.random.key(2), driven.felt(x), dense, first=jnp.asarray(0)))(x)
    np.testing.assert_allclose(np.std(y, axis=0), np.std(folded, axis=0), rtol=0.06)


def test_parts_of_a_batch_give_the_whole(monkeypatch):
    g, x, scale = case(*CONV[:2])
    contract, layer = CONV[2], tiles_of(g, scale, dac(), height=7)
    noise = linear_noise(0.1 * g, scale=scale)
    compute = lambda: layer(x, contract, adc=adc(layer, 8, 2e-4), noise=noise, key=jax.random.key(0))  # noqa: E731
    whole = jax.jit(lambda: compute())()
    monkeypatch.setattr(tiled, "BUDGET", 2 * 7 * 6 * (2 * 36 + 3 * 10))
    assert layer.part_size(x.shape, contract) == 2
    parts = jax.jit(lambda: compute())()
    np.testing.assert_allclose(parts.y, whole.y, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(parts.saturated, whole.saturated)


def test_a_network_is_folded_in_one_shape():
    shapes = []

    def doubled(tile):
        shapes.append(tile.shape)
        return 2 * tile, tile.max()

    layers = {name: jax.random.uniform(jax.random.key(n), shape) for n, (name, shape) in enumerate(
        {"a": (40, 30), "b": (3, 5), "c": (16, 33)}.items())}  # fmt: skip
    found = jax.jit(lambda layers: fold_layers(layers, doubled, tile=(16, 32)))(layers)
    assert set(shapes) == {(16, 32)}
    for name, g in layers.items():
        np.testing.assert_array_equal(found[name][0], 2 * g)
        assert float(found[name][1]) == float(g.max())
