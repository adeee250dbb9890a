"""`xbar evaluate` with row drive, converters, wires and calibration, on the small perceptron."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.array.ideal import LinearLayer
from xbar_cli.chip.conversion.observed import percentile_of
from xbar_cli.chip.fold import make_folder
from xbar_cli.chip.full_scales import adc_ranges
from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.place import map_network
from xbar_cli.chip.prepare import least_squares, make_calibrator
from xbar_cli.config.arrays import NodalArray, tile_fold
from xbar_cli.config.converters import ConvertersSection, DecodingSection, parse_range
from xbar_cli.config.hardware import MappingSection
from xbar_cli.nn.reading import Circuit, on_arrays
from xbar_cli.runs.results import read_dataset
from xbar_cli.trained.opening import open_trained

IMAGES = ("--images", 200, "--json")


@pytest.fixture
def evaluate(xbar, tmp_path):
    """The summary of an evaluation; every one has its own directory."""
    runs = iter(range(100))

    def run(path, *words):
        found = xbar("eval", path, *IMAGES, *words, "--out", tmp_path / str(next(runs)))
        assert found.code == 0, found.err
        return found.json

    return run


@pytest.mark.slow
def test_sixteen_bits_change_nothing_and_two_do(evaluate, small):
    plain = evaluate(small)
    assert (plain["path"], plain["input"]) == ("folded", "amplitude")
    nothing = ("dac_bits", "adc_bits", "dac_saturated_fraction", "adc_saturated_fraction", "calibration")
    assert [plain[key] for key in nothing] == [None] * 5
    fine = evaluate(small, "--dac-bits", 16, "--adc-bits", 16)
    assert (fine["path"], fine["dac_bits"], fine["adc_bits"]) == ("tiled", 16, 16)
    assert fine["accuracy_mean"] == pytest.approx(plain["accuracy_mean"], abs=0.011)
    assert 0 <= fine["adc_saturated_fraction"] < 1e-3
    assert 0 <= fine["dac_saturated_fraction"] < 1e-3
    coarse = evaluate(small, "--adc-bits", 2)
    assert coarse["accuracy_mean"] < plain["accuracy_mean"] - 0.2


@pytest.mark.slow
def test_bit_slices_read_bit_by_bit_lose_nothing_to_converters_that_count_levels(evaluate, small):
    words = ("--scheme", "bitslice", "--dac-bits", 6)
    folded = evaluate(small, *words)
    assert folded["path"] == "folded"
    tiled = evaluate(small, *words, "--input", "bitserial", "--adc-bits", 9, "--adc-range", "levels")
    assert tiled["path"] == "tiled"
    assert tiled["accuracy_samples"] == folded["accuracy_samples"]
    assert tiled["adc_saturated_fraction"] == 0
    assert evaluate(small, *words, "--input", "bitserial", "--adc-bits", 3, "--adc-range", "levels")[
        "accuracy_mean"
    ] < folded["accuracy_mean"]  # fmt: skip


@pytest.mark.slow
def test_a_percentile_leaves_its_share_beyond_the_range(evaluate, trained):
    """The calibration images are not those that are evaluated: shares agree to what differs between the two."""
    found = evaluate(
        trained, "--adc-bits", 8, "--adc-range", "percentile:90", "--dac-bits", 8, "--dac-range", "percentile:97"
    )  # fmt: skip
    assert found["adc_saturated_fraction"] == pytest.approx(0.10, abs=0.03)
    assert found["dac_saturated_fraction"] == pytest.approx(0.03, abs=0.01)
    value = evaluate(trained, "--adc-bits", 8, "--adc-range", 1)
    assert value["adc_saturated_fraction"] == 0


def test_percentiles_of_counts_are_those_of_numpy():
    values = np.random.default_rng(0).gamma(2.0, size=20_000)
    counts, _ = np.histogram(values, bins=2**16, range=(0, values.max()))
    for percentile in (1, 50, 99.5):
        found = percentile_of(counts, percentile) * values.max()
        assert found == pytest.approx(np.percentile(values, percentile), abs=3 * values.max() / 2**16 + 1e-3)
    assert percentile_of(np.array([9, 1]), 50) == 0.0


@pytest.mark.slow
def test_converters_that_err_make_chips_differ(evaluate, trained):
    words = ("--adc-bits", 8, "--samples", 3)
    same = evaluate(trained, *words)
    assert len(set(same["accuracy_samples"])) == 1
    offsets = (*words, "--adc-offset-error", 0.1)
    found, again = evaluate(trained, *offsets), evaluate(trained, *offsets)
    assert found["accuracy_samples"] == again["accuracy_samples"]
    assert len(set(found["accuracy_samples"])) > 1
    assert found["accuracy_mean"] < same["accuracy_mean"]
    gains = evaluate(trained, *words, "--adc-gain-error", 0.3)
    assert gains["accuracy_mean"] < same["accuracy_mean"]


@pytest.mark.slow
def test_one_gain_a_layer_takes_back_what_resistances_cost(evaluate, trained):
    words = ("--array", "lumped", "--r-source", 2000, "--r-neuron", 2000)
    lossy, calibrated = evaluate(trained, *words), evaluate(trained, *words, "--calibrate", "gain")
    assert calibrated["accuracy_mean"] > lossy["accuracy_mean"] + 0.03
    fit = calibrated["calibration"]
    assert (fit["fit"], fit["per"]) == ("gain", "layer")
    assert len(fit["gain"]) == 2
    assert all(gain > 1.2 for gain in fit["gain"])
    # the validation part of 4000 training images, a tenth
    assert fit["images"] == 400
    column = evaluate(trained, *words, "--calibrate", "affine", "--calibrate-per", "column")
    assert column["accuracy_mean"] >= calibrated["accuracy_mean"] - 0.02
    assert set(column["calibration"]) == {"fit", "per", "images", "gain", "offset"}
    results = read_dataset(Path(column["out"]) / "results.nc")
    assert results["hidden_gain"].shape == (1, 100)
    assert results["output_offset"].shape == (1, 10)


@pytest.mark.slow
def test_every_chip_has_gains_of_its_own(evaluate, trained):
    found = evaluate(
        trained, "--effect", "chip_to_chip:sigma=0.2", "--calibrate", "gain", "--samples", 3, "--array", "ideal"
    )  # fmt: skip
    gains = read_dataset(Path(found["out"]) / "results.nc")["hidden_gain"].values
    assert np.std(gains) > 0.03
    assert found["accuracy_mean"] == pytest.approx(found["ideal_accuracy"], abs=0.03)


@pytest.fixture(scope="module")
def opened(trained):
    """The network and its nominal devices on 128×128 tiles."""
    net = open_trained(trained, use="test")
    network = map_network(net, MappingSection().placement(), images=200)
    return net, network


def test_a_halved_network_is_calibrated_back_layer_by_layer(opened):
    trained, _ = opened
    halved = {name: LinearLayer(jnp.asarray(kernel) / 2) for name, kernel in trained.kernels.items()}
    circuit = Circuit(halved)
    pictures = trained.data.train_images[:50]
    found = make_calibrator(trained, DecodingSection(calibrate="affine"), pictures=pictures)(circuit, jax.random.key(0))
    for name in halved:
        # the second layer sees the corrected first one: its gain is 2 too, not 4
        assert float(found[name].gain) == pytest.approx(2, rel=1e-4)
        assert float(found[name].offset) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("per", ["layer", "column"])
@pytest.mark.parametrize("fit", ["gain", "affine"])
def test_least_squares_are_those_of_numpy(fit, per):
    y = jax.random.normal(jax.random.key(0), (40, 3, 2)) + 1.0
    wanted = 2 * y + 0.5 + 0.1 * jax.random.normal(jax.random.key(1), y.shape)
    found = least_squares(y, wanted, DecodingSection(calibrate=fit, per=per))
    groups = [(y, wanted)] if per == "layer" else [(y[..., n], wanted[..., n]) for n in range(2)]
    for n, (a, b) in enumerate(groups):
        a, b = (np.asarray(v, float).ravel() for v in (a, b))
        matrix = np.stack([a, np.ones_like(a)], axis=1)[:, : 2 if fit == "affine" else 1]
        expected = np.linalg.lstsq(matrix, b, rcond=None)[0]
        got = [float(np.ravel(v)[n]) for v in (found.gain, found.offset)]
        np.testing.assert_allclose(got, [*expected, 0.0][:2], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_convolutions_behind_wires_with_and_without_converters(xbar, tmp_path):
    """LeNet-5 as it is drawn: sixteen bits at every tile of 24×32 devices, against the network of folded weights."""
    assert xbar("train", "--network", "lenet5", "--epochs", 0, "--out", tmp_path / "n").code == 0
    trained = open_trained(tmp_path / "n", use="test")
    network = map_network(trained, MappingSection(tile="24x32").placement(), images=200)
    wires = tile_fold(NodalArray(r_wire_ohm=5.0))
    hardware = Hardware(network, "nodal", wires, converters=ConvertersSection(adc_bits=16))
    nominal = {name: jnp.asarray(layer.conductance) for name, layer in network.layers.items()}
    fold, key = make_folder(hardware), jax.random.key(0)
    weights, _ = make_folder(Hardware(network, "nodal", wires))(nominal, key, {})
    scales = adc_ranges(trained, hardware, lambda: fold(nominal, key, dict.fromkeys(nominal, 1.0))[0], images=100)
    circuit, residuals = fold(nominal, key, scales)
    assert max(float(residual) for residual in residuals.values()) < 1e-9
    x = jnp.asarray(trained.data.train_images[:20], jnp.float32) / 255
    compute = jax.jit(lambda circuit, x: trained.net(x, on_arrays(circuit, key=key, first=jnp.asarray(0))))
    ideal, wired, converted = trained.net(x), compute(weights, x), compute(circuit, x)
    scale = float(jnp.abs(ideal).max())
    assert float(jnp.abs(wired - ideal).max()) > 0.02 * scale
    np.testing.assert_allclose(converted, wired, atol=2e-3 * scale)


@pytest.mark.slow
def test_read_noise_costs_accuracy_on_both_paths(evaluate, trained):
    noise = ("--effect", "read_noise:sigma=0.3", "--samples", 2)
    quiet = evaluate(trained)
    folded, tiled = evaluate(trained, *noise), evaluate(trained, *noise, "--adc-bits", 12)
    assert folded["accuracy_mean"] < quiet["accuracy_mean"] - 0.02
    assert tiled["accuracy_mean"] == pytest.approx(folded["accuracy_mean"], abs=0.06)


@pytest.mark.slow
@pytest.mark.spice
def test_cells_read_at_one_voltage(evaluate, mapped):
    """Bits and widths read the same cells at one voltage; without converters behind them they are the same numbers."""
    amplitude = evaluate(mapped, "--dac-bits", 8)
    widths, bits = (evaluate(mapped, "--dac-bits", 8, "--input", name) for name in ("pwm", "bitserial"))
    assert amplitude["array"] == widths["array"] == "gated"
    assert amplitude["v_read_volt"] is None
    assert widths["v_read_volt"] == 0.5
    assert widths["accuracy_samples"] == bits["accuracy_samples"]
    assert widths["accuracy_mean"] == pytest.approx(widths["ideal_accuracy"], abs=0.05)
    tiled = evaluate(mapped, "--dac-bits", 8, "--input", "bitserial", "--adc-bits", 14, "--v-read", 0.3)
    assert tiled["path"] == "tiled"
    assert tiled["v_read_volt"] == 0.3
    assert tiled["accuracy_mean"] == pytest.approx(tiled["ideal_accuracy"], abs=0.05)
    curved = evaluate(mapped, "--adc-bits", 14)
    plain = evaluate(mapped)
    assert curved["accuracy_mean"] == pytest.approx(plain["accuracy_mean"], abs=0.02)


PAIR = ("--adc-bits", "8", "--adc-input", "pair")
BAD = [
    (("--columns-per-adc", "8"), "--columns-per-adc needs --adc-bits"),
    (("--rows-at-once", "8"), "--rows-at-once needs --adc-bits"),
    (("--adc-input", "pair"), "--adc-input needs --adc-bits"),
    (("--adc-bits", "8", "--columns-per-adc", "0"), "greater than or equal to 1"),
    (("--adc-bits", "8", "--rows-at-once", "0"), "greater than or equal to 1"),
    (("--adc-bits", "8", "--adc-input", "row"), "'row'"),
    (("--adc-bits", "1", "--adc-input", "pair"), "--adc-input pair needs 2 or more --adc-bits"),
    ((*PAIR, "--scheme", "acm"), "--adc-input pair subtracts the two columns of --scheme de; acm has none"),
    ((*PAIR, "--scheme", "bitslice"), "of --scheme de; bitslice has none"),
    (
        (*PAIR, "--tile", "64x63"),
        "tiles of 63 columns part those of hidden: take an even number of columns, --tile 64x64",
    ),
    (("--adc-range", "max"), "--adc-range needs --adc-bits"),
    (("--adc-gain-error", "0.1"), "--adc-gain-error needs --adc-bits"),
    (("--adc-offset-error", "0.1"), "--adc-offset-error needs --adc-bits"),
    (("--adc-bits", "0"), "greater than or equal to 1"),
    (("--adc-bits", "17"), "less than or equal to 16"),
    (("--dac-bits", "0"), "greater than or equal to 1"),
    (("--adc-bits", "8", "--adc-range", "most"), "write max, percentile:P or a number from 1e-12 to 1e12"),
    (("--adc-bits", "8", "--adc-range", "-1"), "write max, percentile:P or a number from 1e-12 to 1e12"),
    (("--adc-bits", "8", "--adc-range", "percentile:101"), "a percentile is above 0 and at most 100"),
    (("--adc-bits", "8", "--adc-range", "percentile:0.001"), "would have the range 0"),
    (("--adc-bits", "8", "--adc-range", "levels"), "--adc-range levels needs --dac-bits"),
    (("--adc-bits", "8", "--dac-bits", "8", "--adc-range", "levels"), "--scheme bitslice; this is de"),
    (("--dac-bits", "8", "--dac-range", "levels"), "a range of the ADC"),
    (("--dac-range", "max"), "without --dac-bits take any input"),
    (("--adc-bits", "8", "--adc-gain-error", "-1"), "greater than or equal to 0"),
    (("--input", "pwm"), "--input pwm needs --dac-bits"),
    (("--input", "bitserial"), "--input bitserial needs --dac-bits"),
    (("--input", "morse"), "'morse'"),
    (("--v-read", "0.3"), "--v-read is the one voltage of --input bitserial or pwm"),
    (("--v-read", "0.3", "--dac-bits", "4", "--input", "pwm"), "--v-read needs 1T-1R cells"),
    (("--calibrate-per", "column"), "--calibrate-per needs --calibrate"),
    (("--calibrate", "cubic"), "'cubic'"),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_one_clear_line_for_options_without_effect(xbar, trained, tmp_path, words, message):
    found = xbar("eval", trained, "--images", 50, *words, "--out", tmp_path / "e")
    assert found.code in (1, 2)
    assert message in found.err
    assert found.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.spice
def test_a_read_voltage_beyond_the_table_and_idle_calibration_images(xbar, mapped, tmp_path):
    words = ("--dac-bits", "4", "--input", "pwm", "--v-read", "0.6", "--images", 50)
    found = xbar("eval", mapped, *words, "--out", tmp_path / "e")
    assert "beyond the cell's table, which ends at 0.5 V" in found.err
    found = xbar("eval", mapped, "--set", "calibration.images=7", "--out", tmp_path / "e")
    assert "no images calibrate anything" in found.err


def test_ranges_are_read_as_written():
    assert parse_range("max") == ("max", 0.0)
    assert parse_range("percentile:99.5") == ("percentile", 99.5)
    assert parse_range("500m") == ("value", 0.5)


def test_a_mapped_network_takes_the_settings_of_evaluations_of_earlier_versions(xbar, mapped, tmp_path):
    """They hold the tile of a mapping that was not asked for."""
    file, few = tmp_path / "c.toml", ("--images", 20, "--samples", 1, "--json")
    file.write_text('mapping.tile = "128x128"\n')
    found = xbar("eval", mapped, "--config", file, *few, "--out", tmp_path / "e").json
    assert found["accuracy_mean"] == xbar("eval", mapped, *few, "--out", tmp_path / "f").json["accuracy_mean"]
    assert "is mapped already" in xbar("eval", mapped, "--tile", "64x64", *few).err


def test_what_is_no_train_run_is_no_start(xbar, cell, tmp_path):
    words = ("--method", "tat", "--array", "lumped", "--technology", "taox", "--start", cell, "--out", tmp_path / "t")
    assert "--start needs a `train` run" in xbar("train", *words).err
