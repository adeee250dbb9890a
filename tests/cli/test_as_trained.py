"""Mapping and evaluation take up what a training fixed: devices, levels, weight limits, layers on arrays, input levels."""

import shutil

import numpy as np
import pytest

from xbar_cli.runs.results import read_dataset, read_tensors

TAT = ("--method", "tat", "--technology", "taox", "--r-source", 800, "--r-neuron", 200)


def words_of(text):
    """Text without the line breaks of the terminal."""
    return " ".join(text.split())


def conductances(run, *names):
    """Every conductance of these layers [S]."""
    results = read_dataset(run / "results.nc")
    return np.concatenate([results[f"{name}_conductance"].values.ravel() for name in names])


def test_inputs_on_arrays_have_the_levels_that_training_gave_them(xbar, tiny, tmp_path):
    run, out = tmp_path / "run", tmp_path / "map"
    words = (*tiny, "--epochs", 2, "--method", "periphery", "--activation-bits", 2)
    trained = xbar("train", *words, "--json", "--out", run).json
    assert list(trained["input_ranges"]) == ["hidden", "output"]
    mapped = xbar("map", run, "--json", "--out", out).json
    assert [layer["full_scale_activation"] for layer in mapped["layers"]] == pytest.approx(
        list(trained["input_ranges"].values())
    )
    own, other = (
        xbar("eval", out, "--variation", 0, "--dac-bits", 2, *more, "--json", "--out", tmp_path / f"e{n}").json
        for n, more in enumerate([(), ("--dac-range", "max")])
    )
    assert own["accuracy_mean"] == pytest.approx(trained["test_accuracy"], abs=0.002)
    assert other["accuracy_mean"] < own["accuracy_mean"]


def test_the_weight_limit_that_training_chose_is_that_of_its_arrays(xbar, tiny, start, tmp_path):
    """Two levels lose most weights at the largest one's scale: a lower limit keeps more, and mapping knows of it."""
    technology = ("--technology", "taox", "--bits", 1)
    words = ("train", *tiny, "--method", "tat", "--array", "published", *technology, "--start", start, "--json")
    limit = ("--weight-limit", "auto")
    best, largest = (
        xbar(*words, "--epochs", 0, *more, "--out", tmp_path / f"n{len(more)}").json for more in (limit, ())
    )
    assert largest["weight_limits"] is None
    assert best["validation_accuracy"] > largest["validation_accuracy"]
    run, mapping = tmp_path / "run", (*technology, "--levels", "ratio", "--tile", "784x200")
    trained = xbar(*words, *limit, "--epochs", 2, "--out", run).json
    found = xbar("eval", run, *mapping, "--variation", 0, "--json", "--out", tmp_path / "eval").json
    assert found["accuracy_mean"] == pytest.approx(trained["test_accuracy"], abs=0.002)
    mapped = xbar("map", run, *mapping, "--json", "--out", tmp_path / "map").json
    assert all(layer["clipped_fraction"] > 0 for layer in mapped["layers"])
    other = xbar("map", run, *mapping, "--weight-scale", "network", "--out", tmp_path / "no")
    assert (other.code, "trained with a weight limit of each layer" in other.err) == (1, True)
    whole = xbar("map", run, *mapping, "--weight-limit", "largest", "--json", "--out", tmp_path / "whole").json
    assert all(layer["clipped_fraction"] == 0 for layer in whole["layers"])
    taken = xbar(
        "map", run, "--tile", "784x200", "--weight-limit", "largest", "--json", "--out", tmp_path / "taken"
    ).json
    assert [layer["slope_siemens"] for layer in taken["layers"]] == [
        layer["slope_siemens"] for layer in whole["layers"]
    ]
    alone = xbar(
        "train", *tiny, "--method", "tat", "--array", "published", *technology, *limit, "--out", tmp_path / "a"
    )
    assert "it needs --start" in alone.err


ENDS = ("--r-source", 800, "--r-neuron", 200)


@pytest.mark.parametrize(
    ("words", "explicit"),
    [
        (
            ("--array", "lumped", "--corner", 1),
            ("--array", "lumped", "--neuron", "shared", "--tile", "784x24", "--effect", "chip_corner:k=1"),
        ),
        pytest.param(
            ("--array", "published", "--tile", "200x24"),
            ("--array", "published", "--neuron", "shared", "--tile", "200x24"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ("--array", "nodal", "--r-wire", 20, "--tile", "98x12"),
            ("--array", "nodal", "--r-wire", 20, "--tile", "98x12"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ("--array", "lumped", "--neuron", "separate", "--tile", "98x12"),
            ("--array", "lumped", "--tile", "98x12"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_network_is_evaluated_on_the_arrays_that_it_was_trained_on(xbar, tiny, tmp_path, words, explicit):
    run = tmp_path / "run"
    trained = xbar("train", *tiny, *TAT, *words, "--epochs", 2, "--json", "--out", run).json
    found = xbar("eval", run, "--json", "--out", tmp_path / "eval")
    assert "which the mapping takes: technology taox, levels ratio, bits 4" in words_of(found.err)
    assert "trained through these arrays, which the evaluation takes: " in words_of(found.err)
    assert found.json["accuracy_mean"] == pytest.approx(trained["test_accuracy"], abs=0.002)
    assert found.json["accuracy_mean"] != trained["test_accuracy_without_arrays"]
    said = xbar("eval", run, *explicit, *ENDS, "--json", "--out", tmp_path / "said").json
    assert said["accuracy_mean"] == found.json["accuracy_mean"]
    other = xbar("eval", run, "--array", "ideal", "--effect", "chip_corner:k=0", "--json", "--out", tmp_path / "o").json
    assert (other["array"], other["accuracy_mean"]) != (found.json["array"], found.json["accuracy_mean"])


def test_one_resistance_of_the_arrays_of_a_training_may_be_another(xbar, tiny, tmp_path):
    run = tmp_path / "run"
    xbar("train", *tiny, *TAT, "--array", "published", "--epochs", 1, "--out", run)
    found = xbar("eval", run, "--r-source", 0, "--json", "--out", tmp_path / "a")
    mended, taken = found.json, "takes: r_neuron_ohm 200.0, model published, neuron shared, tile 784x24"
    assert taken in words_of(found.err)
    words = ("--array", "published", "--neuron", "shared", "--r-neuron", 200, "--tile", "784x24")
    said = xbar("eval", run, *words, "--json", "--out", tmp_path / "b").json
    assert mended["accuracy_mean"] == said["accuracy_mean"]


@pytest.mark.parametrize("bias", ["digital", pytest.param("row", marks=pytest.mark.slow)])
def test_layers_that_trained_off_the_arrays_stay_digital(xbar, tmp_path, bias):
    run, out = tmp_path / "run", tmp_path / "map"
    network = (
        "--network",
        "lenet",
        "--width",
        0.2,
        "--bias",
        bias,
        "--train-images",
        600,
        "--batch-size",
        50,
        "--epochs",
        1,
    )
    words = ("train", *network, *TAT, "--array", "published", "--layers", "dense", "--json", "--out", run)
    trained = xbar(*words).json
    found = xbar("eval", run, "--per-layer", "--json", "--out", tmp_path / "eval").json
    assert found["accuracy_mean"] == pytest.approx(trained["test_accuracy"], abs=0.002)
    assert list(found["per_layer"]) == ["fc1", "fc2"]
    mapped = xbar("map", run, "--json", "--out", out).json
    assert mapped["digital_layers"] == ["conv1", "conv2"]
    assert [layer["name"] for layer in mapped["layers"]] == ["fc1", "fc2"]
    few = ("--images", 100, "--dac-bits", 8, "--adc-bits", 8, "--calibrate", "gain", "--json")
    converted = xbar("eval", out, *few, "--out", tmp_path / "converted").json
    assert len(converted["calibration"]["gain"]) == 2
    cost = xbar("energy", out, "--json", "--out", tmp_path / "energy").json
    assert list(cost["breakdown"]["layers"]) == [*found["per_layer"], "conv1", "conv2"]
    assert cost["digital_layers"] == ["conv1", "conv2"]
    assert 0 < cost["digital_share"] < 1
    all_of_them = xbar("map", run, "--layers", "all", "--json", "--out", tmp_path / "all").json
    assert (len(all_of_them["layers"]), all_of_them["digital_layers"]) == (4, [])


def test_slices_are_cut_as_they_were_trained(xbar, tiny, start, tmp_path):
    run = tmp_path / "run"
    words = ("train", *tiny, "--epochs", 1, "--method", "biased", "--start", start, "--encoding", "twos_complement")
    trained = xbar(*words, "--important", 1, "--json", "--out", run).json
    assert trained["favourable_fraction"] == [1, 1]
    silent, named, whole = (tmp_path / name for name in ("silent", "named", "whole"))
    found = xbar("map", run, "--json", "--out", silent)
    assert (found.json["scheme"], found.json["technology"]) == ("bitslice", "rram2bit")
    assert "fraction_bits 6" in words_of(found.err)
    sliced = ("--scheme", "bitslice", "--technology", "rram2bit")
    xbar("map", run, *sliced, "--out", named)
    full = ("--encoding", "twos_complement", "--fraction-bits", 6, "--weight-bits", 8, "--bits", 2)
    xbar("map", run, *sliced, *full, "--out", whole)
    layers = ("hidden", "output")
    np.testing.assert_array_equal(conductances(silent, *layers), conductances(whole, *layers))
    np.testing.assert_array_equal(conductances(named, *layers), conductances(whole, *layers))
    refused = xbar("map", run, "--weight-limit", "0.1", "--out", tmp_path / "no")
    assert (refused.code, "leave out other scales and --weight-limit" in words_of(refused.err)) == (1, True)
    other = xbar("map", run, "--scheme", "acm", "--json", "--out", tmp_path / "acm").json
    assert other["scheme"] == "acm"


@pytest.mark.parametrize(("scale", "at"), [("layer", "straight"), ("power", "step")])
def test_slices_have_the_scale_that_each_layer_was_trained_at(xbar, tiny, start, tmp_path, scale, at):
    """Devices are those of `round(w·2^f)` in offset code, cut by NumPy, f of each layer; every top slice avoids state 2."""
    run = tmp_path / "run"
    words = ("train", *tiny, "--epochs", 1, "--method", "biased", "--start", start, "--important", 1)
    found = xbar(*words, "--weight-scale", scale, "--restrict-at", at, "--json", "--out", run).json
    assert found["favourable_fraction"] == [1, 1]
    assert found["test_accuracy"] > 0.3
    xbar("map", run, "--out", tmp_path / "map")
    given, weights = read_tensors(start / "model.safetensors"), read_tensors(run / "model.safetensors")
    for name, bits in zip(("hidden", "output"), found["fraction_bits"], strict=True):
        filled = np.log2(127 / np.abs(given[f"{name}.kernel"]).max())
        assert bits == pytest.approx(np.floor(filled) if scale == "power" else filled, abs=1e-5)
        integers = np.clip(np.round(weights[f"{name}.kernel"] * 2.0**bits), -128, 127).astype(int) + 128
        levels = (integers[..., None] >> np.array([0, 2, 4, 6])) & 3
        assert set(np.unique(levels[..., -1])) <= {0, 1, 3}
        g = conductances(tmp_path / "map", name)
        np.testing.assert_allclose(g, 1e-6 + levels.ravel() * (20e-6 - 1e-6) / 3, rtol=1e-5)
    anew = ("--scheme", "bitslice", "--weight-scale", "layer", "--json")
    assert xbar("map", run, *anew, "--out", tmp_path / "anew").json["clipped_fraction"] == 0
    both = xbar("map", run, *anew, "--fraction-bits", 6, "--out", tmp_path / "both")
    assert (both.code, "--weight-scale layer and --fraction-bits both scale" in words_of(both.err)) == (1, True)


def test_a_network_that_is_restricted_nowhere_is_the_unrestricted_one(xbar, tiny, start, tmp_path):
    """m = 0: whenever it would be restricted, and the same weights as plain training from there."""
    words = ("train", *tiny, "--epochs", 1, "--method", "biased", "--start", start, "--important", 0)
    for at in ("epoch", "step", "straight"):
        xbar(*words, "--restrict-at", at, "--out", tmp_path / at)
    found = [read_tensors(tmp_path / at / "model.safetensors") for at in ("epoch", "step", "straight")]
    for name, value in found[0].items():
        np.testing.assert_array_equal(found[1][name], value)
        np.testing.assert_array_equal(found[2][name], value)


def test_a_restriction_that_costs_much_is_told(xbar, tiny, start, tmp_path):
    words = ("train", *tiny, "--method", "biased", "--start", start, "--important", 1)
    told, silent = (
        words_of(xbar(*words, "--epochs", epochs, "--out", tmp_path / str(epochs)).err) for epochs in (1, 0)
    )
    assert "the restriction costs" in told
    assert "states best:3 under encoding offset" in told
    assert "the restriction costs" not in silent  # nothing was restricted


@pytest.mark.parametrize("scheme", ["bc", "acm"])
def test_every_scheme_keeps_restricted_weights_in_the_linear_range(xbar, cell, neat, tmp_path, scheme):
    cut = read_dataset(cell / "results.nc")["g_cut"].sel(vg=0.8).item()
    xbar("map", neat, "--scheme", scheme, "--out", tmp_path / "map")
    g = conductances(tmp_path / "map", "hidden", "output")
    assert g.max() <= cut * 1.001
    assert g.max() > 0.5 * cut


def test_a_restricted_run_keeps_its_scale(xbar, neat, tmp_path):
    found = xbar("map", neat, "--weight-limit", "0.1", "--out", tmp_path / "map")
    assert (found.code, "restricted to the linear range at its own scale" in words_of(found.err)) == (1, True)


def test_trained_conductances_that_are_lost_are_not_made_up_from_weights(xbar, shared, methods, tmp_path):
    run = shared("periphery-lost", "train", *methods["periphery"])
    shutil.copytree(run, tmp_path / "n")
    (tmp_path / "n" / "devices.safetensors").unlink()
    sealed = xbar("map", tmp_path / "n", "--out", tmp_path / "m")
    assert "devices.safetensors is missing; make it anew" in sealed.err
    (tmp_path / "n" / "done").write_text("")
    found = xbar("map", tmp_path / "n", "--out", tmp_path / "m")
    assert (found.code, found.err.count("Error: ")) == (1, 1)
    assert "lacks devices.safetensors" in found.err
