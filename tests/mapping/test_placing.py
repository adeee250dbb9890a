from dataclasses import replace

import numpy as np
import pytest

from xbar_cli.device.levels import uniform_levels
from xbar_cli.mapping.bitslice import SliceFormat
from xbar_cli.mapping.encode import full_scale
from xbar_cli.mapping.placing import Slices, Span, place, place_slices
from xbar_cli.mapping.readout import Readout

G_OFF, G_ON = 1 / 300e3, 1 / 30e3
FORMATS = [
    SliceFormat(weight_bits=8, fraction_bits=6, device_bits=2, encoding="offset"),
    SliceFormat(weight_bits=8, fraction_bits=5, device_bits=1, encoding="twos_complement"),
    SliceFormat(weight_bits=8, fraction_bits=6.37, device_bits=2, encoding="offset"),
    SliceFormat(weight_bits=8, fraction_bits=6, device_bits=4, encoding="twos_complement"),
    SliceFormat(weight_bits=4, fraction_bits=2, device_bits=4, encoding="differential"),
]


def weights(shape=(20, 7), scale=0.4):
    return np.random.default_rng(1).normal(0, scale, shape).astype(np.float32)


def span(scheme, limit, levels=None):
    return Span(levels, G_OFF, G_ON, full_scale(scheme, g_min=G_OFF, g_max=G_ON) / np.asarray(limit))


@pytest.mark.parametrize("scheme", ["de", "bc", "acm"])
@pytest.mark.parametrize("per_column", [False, True])
def test_decoding_gives_the_weights_back(scheme, per_column):
    w = weights()
    placed = place(scheme, w, span(scheme, np.abs(w).max(axis=0 if per_column else None)))
    np.testing.assert_allclose(placed.decoded(), w, atol=2e-6)
    assert placed.clipped_fraction == 0
    assert placed.wanted.min() >= G_OFF * (1 - 1e-6)
    assert placed.wanted.max() <= G_ON * (1 + 1e-6)
    assert placed.wanted.size == {"de": 2 * 20 * 7, "bc": 20 * 8, "acm": 20 * 8}[scheme]


def test_acm_keeps_what_its_running_sums_leave_of_the_scale():
    w = np.full((1, 4), 0.5, np.float32)  # runs to 2.0, four times the largest weight
    placed = place("acm", w, span("acm", 0.5))
    assert placed.scale_kept == pytest.approx(0.25)
    assert placed.slope == pytest.approx((G_ON - G_OFF) / 0.5 / 4)
    np.testing.assert_allclose(placed.decoded(), w, atol=1e-6)


@pytest.mark.parametrize("scheme", ["de", "bc", "acm"])
@pytest.mark.parametrize("bits", [1, 3, 6])
def test_every_device_sits_on_a_level_but_the_reference_between_two(scheme, bits):
    w, levels = weights(), uniform_levels(bits, g_min=G_OFF, g_max=G_ON)
    placed = place(scheme, w, span(scheme, np.abs(w).max(), levels))
    programmed = placed.wanted[:, :-1] if scheme == "bc" else placed.wanted
    distance = np.abs(programmed[..., None] - levels).min(axis=-1)
    assert distance.max() < 1e-6 * G_ON
    if scheme == "bc":
        np.testing.assert_allclose(placed.wanted[:, -1], (G_ON + G_OFF) / 2, rtol=1e-6)
    # each device misses by half a level at most; a pair of devices by a whole one
    step = (levels[1] - levels[0]) / float(placed.slope)
    assert np.abs(placed.decoded() - w).max() <= step * (0.5 if scheme == "bc" else 1.0) * (1 + 1e-4)


@pytest.mark.parametrize(
    "fmt", FORMATS, ids=lambda f: f"{f.encoding}-{f.weight_bits}-{f.fraction_bits}-{f.device_bits}"
)
def test_slices_decode_to_the_fixed_point_weights(fmt):
    w = weights()
    placed = place_slices(fmt, w, bottom=G_OFF, top=G_ON)
    half = 2 ** (fmt.weight_bits - 1)
    fixed = np.clip(np.round(w * 2**fmt.fraction_bits), -half, half - 1) / 2**fmt.fraction_bits
    np.testing.assert_allclose(placed.decoded(), fixed, atol=1e-4 / 2**fmt.fraction_bits)
    assert placed.wanted.shape == (20, 7 * fmt.n_planes)
    assert placed.clipped_fraction == pytest.approx(np.mean(np.abs(w * 2**fmt.fraction_bits) > half - 0.5), abs=1e-6)


@pytest.mark.parametrize("filled", [False, True])
def test_a_layers_own_format_is_filled_or_the_power_of_two_below(filled):
    w = weights(scale=0.03)
    asked = Slices(weight_bits=8, fraction_bits=None, device_bits=2, encoding="offset", filled=filled)
    largest = np.abs(w).max() * 2.0 ** asked.fitted(w).fraction_bits
    assert largest == pytest.approx(127, rel=1e-5) if filled else 63.5 < largest <= 127
    placed = place_slices(asked.fitted(w), w, bottom=G_OFF, top=G_ON)
    unit = np.abs(w).max() / 127 if filled else 2.0 ** -np.floor(np.log2(127 / np.abs(w).max()))
    np.testing.assert_allclose(placed.decoded(), np.round(w / unit) * unit, atol=1e-5 * unit + 1e-7)
    assert placed.clipped_fraction == 0
    assert asked.fitted(w, 4).fraction_bits == (asked.fitted(w).fraction_bits if filled else 4)
    assert replace(asked, fraction_bits=6, filled=False).fitted(w, 4).fraction_bits == 6


def test_slices_of_one_output_are_neighbours():
    fmt = FORMATS[0]
    readout = Readout("bitslice", fmt)
    columns = np.zeros((1, 3 * fmt.n_planes))
    columns[0, fmt.n_planes] = 1.0  # least significant slice of the second output
    np.testing.assert_array_equal(readout.combine(columns), [[0, 1, 0]])
    assert readout.columns(3) == columns.shape[1]
    assert readout.outputs(columns.shape[1]) == 3


def test_a_format_belongs_to_slices_alone():
    with pytest.raises(ValueError, match="slice format belongs"):
        Readout("de", FORMATS[0])
    with pytest.raises(ValueError, match="slice format belongs"):
        Readout("bitslice")
    with pytest.raises(ValueError, match="scheme must be one of"):
        Readout("pairs")
    with pytest.raises(ValueError, match="multiple of 4 slices"):
        Readout("bitslice", FORMATS[0]).outputs(7)
