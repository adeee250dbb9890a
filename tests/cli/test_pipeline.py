"""The commands on real input: keys that others rely on, reproducibility, physics that must show."""

import shutil

import numpy as np
import pytest
from scipy.stats import norm

from xbar_cli.cell.file import load_cell
from xbar_cli.runs.results import read_dataset, read_tensors

pytestmark = pytest.mark.spice
TIMES = {"out", "wall_seconds", "seconds_per_sample", "fold_seconds", "points_per_second"}


def figures(summary):
    return {key: value for key, value in summary.items() if key not in TIMES}


def test_characterize_gives_its_keys_and_the_references_cut_off(xbar, tmp_path):
    found = xbar("characterize", "--vg-range", "0.7:1.0:0.05", "--width", "90n", "--json", "--out", tmp_path / "c")
    assert found.code == 0
    summary = found.json
    assert summary["vg_volt"] == [0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0]
    # ngspice 39 on the PTM 45 nm low-power card, W 90 nm, spread of 2.5 % over 0.01…0.5 V
    reference = np.array([0.5245, 0.8545, 1.2373, 1.6452, 2.0616, 2.4774, 2.8883]) * 1e-5
    np.testing.assert_allclose(summary["g_cut_siemens"], reference, rtol=5e-3)
    assert max(summary["surrogate_max_error"]) <= 1e-3
    assert all(2 <= rank <= 8 for rank in summary["surrogate_rank"])
    assert set(summary) >= {"g_lo_siemens", "points", "points_per_second", "out"}
    assert {p.name for p in (tmp_path / "c" / "figures").iterdir()} == {
        "effective_conductance.png", "tolerance.png", "linear_range.png",
    }  # fmt: skip
    results = read_dataset(tmp_path / "c" / "results.nc")
    assert all("units" in results[name].attrs for name in [*results.data_vars, *results.coords])


def test_train_gives_its_keys_and_neat_ends_in_range(xbar, neat, tmp_path):
    summary = xbar("train", "--network", "mlp", "--epochs", 0, "--json", "--out", tmp_path / "zero").json
    assert set(summary) >= {"test_accuracy", "train_accuracy", "epochs", "vg_volt", "in_range_fraction", "out"}
    weights = read_tensors(neat / "model.safetensors")
    import json

    found = json.loads((neat / "summary.json").read_text())
    assert found["vg_volt"] == [0.8, 0.8]
    assert max(found["w_cut"]) < max(found["w_max"])
    for name, limit in zip(found["layers"], found["w_cut"], strict=True):
        assert np.abs(weights[f"{name}.kernel"]).max() <= limit * (1 + 1e-6)
    assert all(0 < share <= 1 for share in found["in_range_fraction"])
    assert found["test_accuracy"] > 0.5


def test_map_counts_devices_and_decodes_to_the_weights(xbar, neat, tmp_path):
    summary = xbar("map", neat, "--tile", "64x100", "--json", "--out", tmp_path / "m").json
    assert summary["devices"] == 2 * (784 * 100 + 100 * 10)
    assert summary["tiles"] == 13 * 2 + 2 * 1
    assert summary["utilisation"] == pytest.approx(summary["devices"] / (28 * 6400))
    assert summary["weight_rmse"] < 1e-6
    assert (tmp_path / "m" / "results.nc").exists()


def test_figures_are_written_in_the_formats_that_are_asked_for(xbar, neat, tmp_path):
    assert xbar("map", neat, "--figure-format", "pdf,svg", "--out", tmp_path / "more").code == 0
    assert {p.suffix for p in (tmp_path / "more" / "figures").iterdir()} == {".png", ".pdf", ".svg"}
    assert xbar("map", neat, "--out", tmp_path / "usual").code == 0
    assert {p.suffix for p in (tmp_path / "usual" / "figures").iterdir()} == {".png"}
    wrong = xbar("map", neat, "--figure-format", "bmp", "--out", tmp_path / "wrong")
    assert (wrong.code, wrong.err) == (1, "Error: 'bmp' is no format of a picture; use png, pdf, svg\n")
    assert not (tmp_path / "wrong").exists()


def test_programmed_devices_stay_in_the_linear_range(mapped):
    cell = load_cell(mapped / "cell.nc")
    results = read_dataset(mapped / "results.nc")
    index = cell.index(0.8)
    for name in results.attrs["layers"].split():
        g = results[f"{name}_conductance"].values
        assert g.min() >= cell.g_lo[index] * (1 - 1e-5)
        assert g.max() <= cell.g_cut[index] * (1 + 1e-5)


def test_evaluate_gives_its_keys_and_variation_costs_accuracy(xbar, mapped, tmp_path):
    words = ("eval", mapped, "--samples", 3, "--images", 500, "--json")
    none = xbar(*words, "--out", tmp_path / "a").json
    some = xbar(*words, "--variation", 0.15, "--out", tmp_path / "b").json
    proportional = xbar(*words, "--variation", 0.15, "--variation-model", "proportional", "--out", tmp_path / "c").json
    assert set(some) >= {
        "ideal_accuracy", "accuracy_mean", "accuracy_std", "accuracy_ci95", "accuracy_samples", "seconds_per_sample", "out",
    }  # fmt: skip
    assert none["accuracy_mean"] == pytest.approx(none["ideal_accuracy"], abs=0.03)
    assert none["clamped_fraction"] == 0
    assert some["accuracy_mean"] < none["accuracy_mean"] - 0.05
    results = read_dataset(mapped / "results.nc")
    g = np.concatenate([results[f"{name}_conductance"].values.ravel() for name in ("hidden", "output")])
    below = norm.cdf(-g / (0.15 * (1 / 30e3 - 1 / 300e3))).mean()  # 23 % of the devices at G_off, fewer above
    assert some["clamped_fraction"] == pytest.approx(below, abs=0.002)
    assert proportional["accuracy_mean"] > some["accuracy_mean"]
    assert len(some["accuracy_samples"]) == 3
    low, high = some["accuracy_ci95"]
    assert low < some["accuracy_mean"] < high


@pytest.mark.slow
def test_the_same_seed_gives_the_same_json_and_another_another(xbar, mapped, tmp_path):
    words = ("eval", mapped, "--samples", 2, "--images", 300, "--variation", 0.05, "--json")
    first = xbar(*words, "--seed", 3, "--out", tmp_path / "a")
    again = xbar(*words, "--seed", 3, "--out", tmp_path / "b")
    other = xbar(*words, "--seed", 4, "--out", tmp_path / "c")
    assert figures(first.json) == figures(again.json)
    assert first.json["accuracy_samples"] != other.json["accuracy_samples"]
    assert (tmp_path / "a" / "results.nc").read_bytes() == (tmp_path / "b" / "results.nc").read_bytes()


@pytest.mark.slow
def test_a_chip_depends_on_its_number_alone(xbar, mapped, tmp_path):
    words = ("eval", mapped, "--images", 300, "--variation", 0.05, "--json")
    few = xbar(*words, "--samples", 2, "--out", tmp_path / "a").json
    many = xbar(*words, "--samples", 4, "--out", tmp_path / "b").json
    assert many["accuracy_samples"][:2] == few["accuracy_samples"]


def test_ideal_arrays_reproduce_the_network(xbar, trained, mapped, tmp_path):
    plain = xbar("eval", trained, "--json", "--out", tmp_path / "a").json
    assert plain["array"] == "ideal"
    assert plain["accuracy_mean"] == plain["ideal_accuracy"]
    linear = xbar("eval", mapped, "--array", "ideal", "--json", "--out", tmp_path / "b").json
    assert linear["accuracy_mean"] == pytest.approx(linear["ideal_accuracy"], abs=0.005)


def test_wide_transistors_at_a_high_gate_voltage_are_the_ideal_array(xbar, trained, tmp_path):
    strong = tmp_path / "strong"
    assert xbar(
        "characterize", "--width", "2u", "--vg-range", "2.0", "--g-points", 32, "--vin-range", "0.01:0.5:26", "--out", strong
    ).code == 0  # fmt: skip
    words = ("eval", trained, "--cell", strong, "--vg", "2.0", "--json", "--weight-scale", "layer")
    found = xbar(*words, "--array", "gated", "--out", tmp_path / "g").json
    assert found["array"] == "gated"
    assert found["accuracy_mean"] == pytest.approx(found["ideal_accuracy"], abs=0.005)


def test_resume_refuses_other_options_and_complete_runs(xbar, trained, tmp_path):
    found = xbar("train", "--resume", trained)
    assert (found.code, found.err.count("\n")) == (1, 1)
    assert "complete" in found.err
    shutil.copytree(trained, tmp_path / "other.partial")
    found = xbar("train", "--resume", tmp_path / "other", "--epochs", 9)
    assert found.code == 1
    assert "--epochs: training.epochs = 9, but the run to resume has 2" in found.err
