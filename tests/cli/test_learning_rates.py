"""`training.rates`: the best of several learning rates on held-out images, and what it is the same as."""

import numpy as np
import pytest

from xbar_cli.runs.results import read_tensors

PERIPHERY = ("--method", "periphery", "--scheme", "de", "--bits", 3)


def test_the_best_of_several_rates_is_the_training_at_that_rate(xbar, tiny, tmp_path):
    words = ("train", *tiny, "--epochs", 1, *PERIPHERY, "--json")
    found = xbar(*words, "--rates", "1e-6,0.05,0.02", "--out", tmp_path / "best").json
    alone = {
        rate: xbar(*words, "--learning-rate", rate, "--out", tmp_path / rate).json for rate in ("1e-6", "0.05", "0.02")
    }
    reached = {f"{float(rate):g}": summary["validation_accuracy"] for rate, summary in alone.items()}
    assert found["learning_rates"] == reached
    best = max(reached, key=lambda rate: reached[rate])
    assert found["learning_rate"] == float(best) != 1e-6
    assert found["learning_rate_at_an_end"] == (best == "0.05")
    assert found["test_accuracy"] == alone[best]["test_accuracy"]
    one, other = (read_tensors(tmp_path / name / "model.safetensors") for name in ("best", best))
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])
    there = {path.name for path in (tmp_path / "best").iterdir()}
    assert there == {path.name for path in (tmp_path / best).iterdir()}
    assert xbar("map", tmp_path / "best", "--json", "--out", tmp_path / "map").json["scheme"] == "de"


def test_a_rate_that_diverges_is_the_worst(xbar, tiny, tmp_path):
    words = ("train", *tiny, "--epochs", 1, "--optimizer", "sgd", "--weight-decay", 10, "--json")
    found = xbar(*words, "--rates", "9000,0.01", "--out", tmp_path / "a").json
    assert found["learning_rates"]["9000"] is None
    assert found["learning_rate"] == 0.01
    none = xbar(*words, "--rates", "9000,8000", "--out", tmp_path / "b")
    assert (none.code, "diverges at every learning rate" in " ".join(none.err.split())) == (1, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rates", "0.1"), "at least 2"),
        (("--rates", "0.1,0.1"), "list each of them once"),
        (("--rates", "0.1,x"), "is not a number"),
        (("--rates", "0.1,-1"), "greater than 0"),
        (("--rates", "0.1,0.2", "--learning-rate", "0.1"), "both say the learning rate"),
        (("--initial", "middle", *PERIPHERY), "'middle' is not one of"),
        (("--restrict-at", "batch", "--method", "biased", "--start", "x"), "'batch' is not one of"),
        (("--weight-scale", "network", "--method", "biased", "--start", "x"), "input should be 'format', 'layer' or 'power'"),
        (("--tile", "64x64", "--method", "biased", "--start", "x"), "--tile belongs to --importance tile"),
        (("--important", "1.5", "--method", "biased", "--start", "x"), "less than or equal to 1"),
        (
            ("--weight-scale", "layer", "--method", "biased", "--start", "x", "--set", "biased.fraction_bits=5"),
            "belongs to --weight-scale format",
        ),
    ],
)  # fmt: skip
def test_bad_values_are_one_line(xbar, words, message):
    found = xbar("train", *words)
    assert found.code in (1, 2)
    assert message in " ".join(found.err.replace("│", "").split())
    assert found.err.count("Error") == 1
