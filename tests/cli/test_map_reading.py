"""How rows are read travels from `map` to `evaluate`; what a mapping cuts is told; layers of any size have a format."""

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from xbar_cli.runs.results import read_dataset, read_tensors, write_tensors
from xbar_cli.runs.seal import seal

PULSES = ("--input", "pwm", "--dac-bits", 6, "--v-read", 0.2)
ONE = ("--images", 200, "--samples", 1, "--json")


@pytest.fixture
def scaled(small, tmp_path):
    """A copy of the small perceptron with the weights of its first layer multiplied."""

    def make(factor):
        run = tmp_path / f"times-{factor}"
        shutil.copytree(small, run)
        tensors = {name: np.array(value) for name, value in read_tensors(run / "model.safetensors").items()}
        tensors["hidden.kernel"] *= np.float32(factor)
        write_tensors(run / "model.safetensors", tensors)
        seal(run)
        return run

    return make


@pytest.fixture
def pulsed(shared, cell, small):
    """The small perceptron on cells that are read by pulses of one voltage."""
    return shared("pulsed", "map", small, "--cell", cell, "--vg", 0.8, *PULSES)


def test_devices_are_programmed_for_the_current_at_the_voltage_that_reads_them(pulsed, small):
    """Against the cell's SPICE table, by SciPy: pairs of devices carry the weights at 0.2 V, less what leaks at 0 V."""
    mapped, cell = read_dataset(pulsed / "results.nc"), read_dataset(pulsed / "cell.nc")
    at = int(np.argmin(np.abs(cell["vg"].values - 0.8)))
    driven = CubicSpline(cell["vin"].values, cell["current"].values[at], axis=1)(0.2)
    effective = CubicSpline(cell["g"].values, (driven - cell["leakage"].values[at]) / 0.2)
    stored = mapped["hidden_conductance"]
    pairs = effective(stored.values.astype(np.float64))
    found = (pairs[:, 0::2] - pairs[:, 1::2]) / float(stored.attrs["slope_siemens"])
    weights = read_tensors(small / "model.safetensors")["hidden.kernel"]
    np.testing.assert_allclose(found, weights, atol=2e-3 * np.abs(weights).max())


def test_an_evaluation_takes_over_how_a_network_was_mapped_to_be_read(xbar, pulsed, small, cell, tmp_path):
    taken = xbar("eval", pulsed, *ONE, "--out", tmp_path / "a").json
    given = xbar("eval", small, "--cell", cell, "--vg", 0.8, *PULSES, *ONE, "--out", tmp_path / "b").json
    assert [taken[key] for key in ("input", "dac_bits", "v_read_volt")] == ["pwm", 6, 0.2]
    assert taken["accuracy_samples"] == given["accuracy_samples"]
    written = tomllib.loads((tmp_path / "a" / "config.toml").read_text())["converters"]
    assert (written["input"], written["dac_bits"], written["v_read_volt"]) == ("pwm", 6, 0.2)


def test_another_voltage_programs_the_cells_anew_and_says_so(xbar, pulsed, small, cell, tmp_path):
    other = ("--input", "bitserial", "--dac-bits", 6, "--v-read", 0.45)
    found = xbar("eval", pulsed, *other, *ONE, "--out", tmp_path / "a")
    assert "was mapped for rows that see 0.2 V or none; its cells are programmed anew for 0.45 V or none" in " ".join(
        found.err.split()
    )
    assert xbar("map", small, "--cell", cell, "--vg", 0.8, *other, "--out", tmp_path / "m").code == 0
    straight = xbar("eval", tmp_path / "m", *ONE, "--out", tmp_path / "b")
    assert found.json["accuracy_samples"] == straight.json["accuracy_samples"]
    assert "anew" not in straight.err
    amplitudes = xbar("eval", pulsed, "--input", "amplitude", *ONE, "--out", tmp_path / "c")
    assert "programmed anew for all input voltages" in " ".join(amplitudes.err.split())
    assert amplitudes.json["v_read_volt"] is None


def test_the_same_voltage_read_otherwise_needs_no_other_devices(xbar, pulsed, tmp_path):
    found = xbar(
        "eval", pulsed, "--input", "bitserial", "--dac-bits", 8, "--v-read", 0.2, *ONE, "--out", tmp_path / "a"
    )
    assert found.code == 0
    assert "anew" not in found.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--v-read", 0.2), "--v-read is the one voltage of --input bitserial or pwm"),
        (("--input", "pwm"), "--input pwm needs --dac-bits"),
        ((*PULSES,), "--v-read needs 1T-1R cells"),
        (("--dac-range", "max"), "without --dac-bits take any input"),
        (("--top", "range"), "--top range needs a 1T-1R cell"),
    ],
)
def test_a_reading_that_cannot_be_is_one_line(xbar, small, tmp_path, words, message):
    found = xbar("map", small, *words, "--out", tmp_path / "m")
    assert found.code in (1, 2)
    assert message in found.err
    assert found.err.count("\n") == 1


def test_the_drive_range_of_a_mapping_is_taken_over(xbar, small, tmp_path):
    words = ("--dac-bits", 4, "--dac-range", "percentile:60")
    assert xbar("map", small, *words, "--out", tmp_path / "m").code == 0
    taken = xbar("eval", tmp_path / "m", *ONE, "--out", tmp_path / "a").json
    given = xbar("eval", small, *words, *ONE, "--out", tmp_path / "b").json
    assert taken["accuracy_samples"] == given["accuracy_samples"]
    assert taken["dac_saturated_fraction"] == given["dac_saturated_fraction"] > 0.05


def test_a_drive_range_of_cells_says_nothing_of_linear_arrays(xbar, small, cell, tmp_path):
    assert xbar("map", small, "--cell", cell, "--vg", 0.8, "--dac-range", 3, "--out", tmp_path / "m").code == 0
    found = xbar("eval", tmp_path / "m", "--array", "ideal", *ONE, "--out", tmp_path / "e")
    assert found.code == 0, found.err
    given = xbar("eval", tmp_path / "m", "--array", "ideal", "--dac-range", 2, *ONE, "--out", tmp_path / "f")
    assert "take any input" in given.err


@pytest.mark.parametrize("scheme", ["de", "bitslice"])
def test_the_top_of_the_scale_is_the_same_whatever_the_bits(xbar, small, cell, tmp_path, scheme):
    tops, cut = {}, {}
    for bits in (None, 2, 8):
        words = ("--cell", cell, "--vg", 0.8, "--scheme", scheme, *(() if bits is None else ("--bits", bits)))
        found = xbar("map", small, *words, "--json", "--out", tmp_path / str(bits)).json
        tops[bits] = read_dataset(tmp_path / str(bits) / "results.nc")["hidden_conductance"].attrs["top_siemens"]
        cut[bits] = found["clipped_fraction"]
    assert len(set(tops.values())) == 1
    assert len(set(cut.values())) == 1


def test_what_is_cut_at_the_top_is_told_and_stands_in_the_summary(xbar, small, cell, tmp_path):
    words = ("--cell", cell, "--vg", 0.8, "--top", "range", "--tile", "64x64")
    mapped = xbar("map", small, *words, "--json", "--out", tmp_path / "m")
    share = mapped.json["clipped_fraction"]
    weights = {n: v for n, v in read_tensors(small / "model.safetensors").items() if n.endswith("kernel")}
    layers = {layer["name"]: layer["clipped_fraction"] for layer in mapped.json["layers"]}
    assert share == pytest.approx(
        sum(layers[n.removesuffix(".kernel")] * v.size for n, v in weights.items())
        / sum(v.size for v in weights.values())
    )
    assert share > 0
    assert "weights cut at the top of the scale" in " ".join(mapped.err.split())
    assert xbar("eval", tmp_path / "m", *ONE, "--out", tmp_path / "e").json["clipped_fraction"] == share
    assert xbar("map", small, *words[:4], "--json", "--out", tmp_path / "d").json["clipped_fraction"] < share


@pytest.mark.parametrize(("factor", "moved"), [(2.0**-9, 9), (2.0**9, -9)])
def test_slices_have_the_point_where_the_weights_need_it(xbar, scaled, tmp_path, factor, moved):
    """Of a layer that is 512 times smaller or larger the same devices, and relatively the same error."""
    results = {}
    for name, run in (("own", scaled(1)), ("moved", scaled(factor))):
        out = tmp_path / f"{name}-mapped"
        summary = xbar("map", run, "--scheme", "bitslice", "--weight-bits", 4, "--json", "--out", out).json
        dataset = read_dataset(Path(summary["out"]) / "results.nc")["hidden_conductance"]
        results[name] = dataset.values, dataset.attrs["slice_fraction_bits"], summary["layers"][0]
    np.testing.assert_array_equal(results["own"][0], results["moved"][0])
    assert results["moved"][1] == results["own"][1] + moved
    assert results["moved"][2]["clipped_fraction"] == 0
    assert results["moved"][2]["weight_rmse"] == pytest.approx(factor * results["own"][2]["weight_rmse"], rel=1e-5)


@pytest.mark.parametrize(
    "words",
    [
        ("--scheme", "de"),
        ("--scheme", "bc"),
        ("--scheme", "acm"),
        ("--scheme", "bitslice"),
        ("--weight-scale", "network"),
        ("--weight-scale", "column"),
        ("--bits", "3", "--weight-limit", "auto"),
        ("--bits", "4", "--levels", "ratio"),
    ],
    ids=" ".join,
)
def test_a_layer_of_zeros_maps_and_evaluates(xbar, scaled, tmp_path, words):
    """Its outputs are its biases, whatever the scheme: the accuracy in floating point is that of the arrays."""
    mapped = xbar("map", scaled(0), *words, "--json", "--out", tmp_path / "m")
    assert mapped.code == 0, mapped.err
    assert mapped.json["layers"][0]["weight_rmse"] < 1e-6
    found = xbar("eval", tmp_path / "m", *ONE, "--out", tmp_path / "e").json
    assert found["accuracy_mean"] == pytest.approx(found["ideal_accuracy"], abs=0.02)
