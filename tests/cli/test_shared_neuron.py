"""A neuron for the two columns of a weight: the arrays of tat, in training and in evaluation."""

import pytest

TAOX = ("--r-source", 2400, "--r-neuron", 600)
TINY = ("--network", "mlp", "--hidden", 40, "--train-images", 800)


@pytest.mark.slow
def test_evaluation_finds_what_training_through_the_same_arrays_measured(xbar, tmp_path):
    start, through = tmp_path / "start", tmp_path / "through"
    assert xbar("train", *TINY, "--epochs", 3, "--out", start).code == 0
    words = ("train", *TINY, "--method", "tat", "--array", "lumped", "--technology", "taox", *TAOX, "--start", start)
    trained = xbar(*words, "--epochs", 0, "--json", "--out", through).json
    assert trained["test_accuracy"] < trained["test_accuracy_without_arrays"]
    words = ("eval", start, "--levels", "ratio", "--bits", 4, "--technology", "taox", "--array", "lumped", *TAOX)
    words = (*words, "--tile", "784x80", "--json")
    shared = xbar(*words, "--neuron", "shared", "--out", tmp_path / "a").json
    separate = xbar(*words, "--out", tmp_path / "b").json
    assert shared["accuracy_mean"] == pytest.approx(trained["test_accuracy"], abs=0.003)
    assert separate["accuracy_mean"] != shared["accuracy_mean"]
    calibrated = xbar(*words, "--neuron", "shared", "--calibrate", "gain", "--out", tmp_path / "c").json
    assert calibrated["accuracy_mean"] > shared["accuracy_mean"]


def test_what_a_shared_neuron_leaves_is_the_difference_that_a_converter_of_pairs_takes(xbar, small, tmp_path):
    words = ("eval", small, "--array", "lumped", *TAOX, "--neuron", "shared", "--images", 200, "--json")
    folded = xbar(*words, "--out", tmp_path / "a").json
    fine = xbar(*words, "--adc-bits", 16, "--adc-input", "pair", "--out", tmp_path / "b").json
    assert fine["accuracy_mean"] == pytest.approx(folded["accuracy_mean"], abs=0.011)
    coarse = xbar(*words, "--adc-bits", 3, "--adc-input", "pair", "--out", tmp_path / "c").json
    assert coarse["accuracy_mean"] < folded["accuracy_mean"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--array", "nodal", "--r-wire", 1, "--neuron", "shared"),
            "; lumped or published does",
        ),
        (("--array", "lumped", "--neuron", "shared", "--scheme", "acm"), "de; acm has none"),
        (("--array", "lumped", "--neuron", "shared", "--adc-bits", 8), "leaves one current for two columns"),
        (("--array", "ideal", "--neuron", "separate"), "; lumped or published does"),
        (
            ("--array", "lumped", "--neuron", "shared", "--tile", "100x15"),
            "tiles of 15 columns part those of hidden, output: take an even number of columns",
        ),
    ],
)
def test_where_there_is_none_it_is_said(xbar, small, tmp_path, words, message):
    found = xbar("eval", small, *words, "--out", tmp_path / "run")
    assert found.code == 1
    assert message in found.err


def test_an_odd_tile_that_parts_no_pair_is_as_good_as_an_even_one(xbar, small, tmp_path):
    words = ("eval", small, "--array", "lumped", "--neuron", "shared", *TAOX, "--images", 100, "--json", "--out")
    odd, even = (xbar(*words, tmp_path / tile, "--tile", tile).json["accuracy_mean"] for tile in ("784x201", "784x200"))
    assert odd == even
