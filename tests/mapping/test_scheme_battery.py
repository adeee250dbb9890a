"""What every mapping scheme owes: `W = S·M + offset` with a matrix S of its own, M within the devices' ends, weights given back.

The dense matrix is built here from what docstrings and papers say, not from the code. A scheme or an encoding that is new fails
`test_every_scheme_is_in_the_battery` until it has its matrix.
"""

import hypothesis
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from xbar_cli.device.levels import uniform_levels
from xbar_cli.mapping import periphery, readout
from xbar_cli.mapping.bitslice import ENCODINGS, SliceFormat
from xbar_cli.mapping.encode import full_scale
from xbar_cli.mapping.placing import Span, place, place_slices
from xbar_cli.mapping.readout import Readout

G_OFF, G_ON = 1 / 300e3, 1 / 30e3
BITS = 4
SLICES = {
    encoding: SliceFormat(weight_bits=8, fraction_bits=7, device_bits=2, encoding=encoding) for encoding in ENCODINGS
}
SLICES["twos_complement of single bits"] = SliceFormat(
    weight_bits=6, fraction_bits=5, device_bits=1, encoding="twos_complement"
)
NAMES = [*(scheme for scheme in readout.SCHEMES if scheme != "bitslice"), *SLICES]
every_scheme = pytest.mark.parametrize("name", NAMES)
shapes = st.sampled_from([(1, 1), (5, 3), (3, 8)])
seeds = st.integers(0, 1000)


def weights(seed, shape, limit=0.9):
    return np.random.default_rng(seed).uniform(-limit, limit, shape).astype(np.float32)


def placed(name, w, *, levels=None, limit=1.0):
    """The weights on devices whose scale is such that |w| = limit is the largest."""
    if name in SLICES:
        return place_slices(SLICES[name], w, bottom=G_OFF, top=G_ON)
    slope = np.asarray(full_scale(name, g_min=G_OFF, g_max=G_ON) / limit)
    return place(name, w, Span(levels, G_OFF, G_ON, slope))


def readout_of(name):
    return Readout("bitslice", SLICES[name]) if name in SLICES else Readout(name)


def matrix(name, out):
    """S [out columns], by hand."""
    if name == "de":  # each output: one column plus, one minus
        return np.kron(np.eye(out), [1, -1])
    if name == "bc":  # all columns less the last
        return np.hstack([np.eye(out), -np.ones((out, 1))])
    if name == "acm":  # each column less its neighbour
        return np.eye(out, out + 1) - np.eye(out, out + 1, 1)
    fmt = SLICES[name]
    radices = [4.0**k for k in range(4)] if fmt.device_bits == 2 else [1, 2, 4, 8, 16, -32]
    if fmt.encoding == "differential":
        radices = [*radices, *(-r for r in radices)]
    return np.kron(np.eye(out), radices)


def step(name):
    """Weight of one level of a device at the least significant place, at a scale of limit 1."""
    if name in SLICES:
        return 2.0 ** -SLICES[name].fraction_bits
    return (2 if name == "bc" else 1) / (2**BITS - 1)


def test_every_scheme_is_in_the_battery():
    assert {readout_of(name).scheme for name in NAMES} == set(readout.SCHEMES)
    assert {fmt.encoding for fmt in SLICES.values()} == set(ENCODINGS)
    for name in NAMES:
        assert matrix(name, 3).shape == (3, readout_of(name).columns(3)), name
        if name in periphery.SCHEMES:
            columns = np.eye(periphery.device_columns(name, 4))
            np.testing.assert_array_equal(periphery.combine(name, columns).T, matrix(name, 4))


@every_scheme
@hypothesis.given(seed=seeds, shape=shapes)
def test_weights_come_back_within_a_level(name, seed, shape):
    """Exactly from devices of any conductance; from levels within half a step, of both columns where both move (acm)."""
    w = weights(seed, shape)
    exact = placed(name, w)
    slack = 0.5 * step(name) if name in SLICES else 0.0
    np.testing.assert_allclose(exact.decoded(), w, atol=slack + 3e-6)
    if name not in SLICES:
        coarse = placed(name, w, levels=uniform_levels(BITS, g_min=G_OFF, g_max=G_ON))
        steps = (1.0 if name == "acm" else 0.5) * step(name) / coarse.scale_kept
        np.testing.assert_allclose(coarse.decoded(), w, atol=steps + 3e-6)


@every_scheme
@hypothesis.given(seed=seeds, shape=shapes, limit=st.sampled_from([0.5, 0.9, 3.0]))
def test_devices_stay_between_their_ends_whatever_the_weights(name, seed, shape, limit):
    found = placed(name, weights(seed, shape, limit))
    assert found.wanted.min() >= G_OFF * (1 - 1e-6)
    assert found.wanted.max() <= G_ON * (1 + 1e-6)
    assert found.wanted.shape == (shape[0], readout_of(name).columns(shape[1]))
    if limit < 1:
        assert found.clipped_fraction == 0


@every_scheme
@hypothesis.given(seed=seeds, shape=shapes)
def test_decoding_is_a_dense_matrix_and_an_offset(name, seed, shape):
    found = placed(name, weights(seed, shape))
    s = matrix(name, shape[1])
    np.testing.assert_allclose(
        found.decoded(), found.wanted @ s.T / found.slope + found.digital, atol=1e-6 * np.abs(s).sum()
    )
    m = np.random.default_rng(seed).normal(size=(2, 4, s.shape[1]))
    np.testing.assert_allclose(readout_of(name).combine(m), m @ s.T, atol=1e-9 * np.abs(s).sum())


@every_scheme
@hypothesis.given(seed=seeds, shape=shapes)
def test_a_product_through_columns_is_the_product_with_the_decoded_weights(name, seed, shape):
    """The digital weight meets the inputs, not the columns' outputs."""
    found = placed(name, weights(seed, shape))
    x = np.random.default_rng(seed + 1).normal(size=(6, shape[0]))
    columns = readout_of(name).combine(x @ found.wanted) / found.slope
    digital = x @ np.broadcast_to(found.digital, shape)
    np.testing.assert_allclose(columns + digital, x @ found.decoded(), rtol=1e-9, atol=1e-9)


@every_scheme
@hypothesis.given(seed=seeds)
def test_half_the_weights_decode_to_half_of_them(name, seed):
    """Linear up to the rounding of slices."""
    w = weights(seed, (4, 5))
    one, half = (placed(name, factor * w).decoded() for factor in (np.float32(1), np.float32(0.5)))
    np.testing.assert_allclose(half, one / 2, atol=step(name) if name in SLICES else 3e-6)


@every_scheme
def test_zero_weights_are_zero_on_devices_of_the_lowest_level_or_in_pairs_that_cancel(name):
    found = placed(name, np.zeros((3, 4), np.float32))
    np.testing.assert_allclose(found.decoded(), 0, atol=1e-6)
    if name in ("de", "acm", "differential"):
        np.testing.assert_allclose(found.wanted, G_OFF)


@every_scheme
@hypothesis.given(seed=seeds)
def test_rows_are_placed_one_by_one(name, seed):
    """Inputs may come in any order. (acm scales a layer as a whole: at a scale that fits, rows are alone there too.)"""
    w = weights(seed, (6, 4), limit=0.2)
    order = np.random.default_rng(seed).permutation(6)
    whole, moved = placed(name, w), placed(name, w[order])
    np.testing.assert_array_equal(moved.wanted, whole.wanted[order])
    alone = placed(name, w[2:3])
    np.testing.assert_allclose(alone.wanted, whole.wanted[2:3], rtol=1e-6)


@every_scheme
def test_columns_and_outputs_are_each_others_inverse_and_other_numbers_are_refused(name):
    made = readout_of(name)
    counts = {made.columns(out): out for out in range(1, 12)}
    assert len(counts) == 11
    for columns in range(1, max(counts) + 1):
        if columns in counts:
            assert made.outputs(columns) == counts[columns]
        else:
            with pytest.raises(ValueError, match="n_columns"):
                made.outputs(columns)


@every_scheme
def test_jax_decodes_as_numpy_does(name):
    m = np.random.default_rng(3).normal(size=(3, readout_of(name).columns(4))).astype(np.float32)
    np.testing.assert_allclose(
        readout_of(name).combine(jnp.asarray(m)), readout_of(name).combine(m), rtol=1e-5, atol=1e-4
    )


def test_a_slice_format_belongs_to_slices_alone():
    with pytest.raises(ValueError, match="belongs to scheme 'bitslice' alone"):
        Readout("de", SLICES["offset"])
    with pytest.raises(ValueError, match="belongs to scheme 'bitslice' alone"):
        Readout("bitslice")
    with pytest.raises(ValueError, match="scheme must be one of de, bc, acm, bitslice"):
        Readout("signed")
