"""`xbar evaluate` with converters that are shared, read a few rows or a pair of columns; drive that ends; dead layers."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.compositions import reference
from xbar_cli.runs.seal import seal

IMAGES = 200
ERRORS = ("--adc-gain-error", 0.05, "--adc-offset-error", 0.02, "--samples", 4)


@pytest.fixture
def evaluate(xbar, tmp_path):
    """The summary of an evaluation and its table; every one has its own directory."""
    runs = iter(range(100))

    def run(path, *words):
        out = tmp_path / str(next(runs))
        found = xbar("eval", path, "--images", IMAGES, *words, "--out", out)
        assert found.code == 0, found.err
        return json.loads((out / "summary.json").read_text()), found.out

    return run


@pytest.fixture(scope="module")
def placed(shared, start):
    """A perceptron of 12 hidden units on tiles of 100×16."""
    return shared("placed", "map", start, "--tile", "100x16")


def by_numpy(run, **given):
    """From the files of a map run: right answers, images in which a code is a toss-up, mean of conversions that were cut."""
    from xbar_cli.data.datasets import load

    layers, tile = reference.read_layers(run / "results.nc")
    reading = reference.Reading(tile=tile, **given)
    weights = {name: value.astype(float) for name, value in load_file(run / "train" / "model.safetensors").items()}
    data = load("fashion_mnist_mini", data_dir=None)
    near = reference.Near(1e-6, np.zeros(IMAGES, bool), np.zeros(IMAGES), np.zeros(IMAGES))
    scales = {}

    def forward(pictures, layer_outputs):
        x = pictures.reshape(len(pictures), -1) / 255.0
        for last, name in enumerate(layers, start=1 - len(layers)):
            x = layer_outputs(name, x) + weights[f"{name}.bias"]
            x = x if last == 0 else np.maximum(x, 0)
        return x

    def exact(name, x):
        scales[name] = reference.full_scale(layers[name], x, None, reading)
        return x @ weights[f"{name}.kernel"]

    def on_arrays(name, x):
        bands = -(-layers[name].g.shape[0] // tile[0])
        errors = np.zeros((2, bands, layers[name].g.shape[1] // (2 if reading.pair else 1)))
        adc = reference.Converters(*errors)
        return reference.outputs(layers[name], x, None, reading, scale=scales[name], adc=adc, near=near)

    forward(data.train_images[:1000], exact)
    answers = forward(data.test_images[:IMAGES], on_arrays).argmax(axis=1)
    return np.sum(answers == data.test_labels[:IMAGES]), np.sum(near.images), near.saturated.mean()


@pytest.mark.parametrize(
    ("words", "given", "conversions"),
    [
        (("--adc-bits", 4), {"adc_bits": 4}, 8 * 24 + 20),
        (("--adc-bits", 3, "--rows-at-once", 40), {"adc_bits": 3, "at_once": 40}, (7 * 3 + 3) * 24 + 20),
        (("--adc-bits", 4, "--adc-input", "pair", "--dac-bits", 3), {"adc_bits": 4, "pair": True, "dac_bits": 3}, 8 * 12 + 10),
        (("--adc-bits", 5, "--accumulate", "analog"), {"adc_bits": 5, "analog": True}, 24 + 20),
    ],
)  # fmt: skip
def test_the_answers_of_the_commands_are_those_of_numpy(evaluate, placed, words, given, conversions):
    summary, _ = evaluate(placed, *words)
    right, tossed, cut = by_numpy(placed, **given)
    assert tossed < 20
    assert abs(summary["accuracy_mean"] * IMAGES - right) <= tossed + 1e-6
    assert summary["adc_saturated_fraction"] == pytest.approx(
        cut / conversions, abs=(tossed + 0.5) / conversions / IMAGES
    )


def test_two_columns_that_share_a_converter_are_one_pair(evaluate, placed):
    words = ("--adc-bits", 6, "--adc-input", "pair", "--adc-offset-error", 0.1, "--samples", 3)
    found = {n: evaluate(placed, *words, *(() if n is None else ("--columns-per-adc", n)))[0] for n in (None, 2, 4)}
    assert found[None]["accuracy_samples"] == found[2]["accuracy_samples"] != found[4]["accuracy_samples"]


def test_every_option_changes_the_result_and_says_so(evaluate, placed):
    plain, _ = evaluate(placed, "--adc-bits", 4, *ERRORS)
    assert [plain[key] for key in ("columns_per_adc", "rows_at_once", "adc_input")] == [None] * 3
    changes = {
        "columns_per_adc": (("--columns-per-adc", 4), 4, "4-bit converters", "one for 4 columns"),
        "rows_at_once": (("--rows-at-once", 25), 25, "4-bit converters", "one a column, 25 rows at once"),
        "adc_input": (("--adc-input", "pair"), "pair", "4-bit converters", "one a pair"),
    }
    for key, (words, value, *texts) in changes.items():
        found, table = evaluate(placed, "--adc-bits", 4, *ERRORS, *words)
        assert found[key] == value
        assert found["accuracy_samples"] != plain["accuracy_samples"], key
        assert all(text in table for text in texts), table


def test_one_converter_a_tile_is_any_number_of_columns_that_it_has(evaluate, placed):
    one, _ = evaluate(placed, "--adc-bits", 6, *ERRORS, "--columns-per-adc", 16)
    more, _ = evaluate(placed, "--adc-bits", 6, *ERRORS, "--columns-per-adc", 65536)
    assert one["accuracy_samples"] == more["accuracy_samples"]
    each, _ = evaluate(placed, "--adc-bits", 6, *ERRORS, "--columns-per-adc", 1)
    plain, _ = evaluate(placed, "--adc-bits", 6, *ERRORS)
    assert each["accuracy_samples"] == plain["accuracy_samples"] != one["accuracy_samples"]
    whole, _ = evaluate(placed, "--adc-bits", 6, *ERRORS, "--rows-at-once", 100)
    assert whole["accuracy_samples"] == plain["accuracy_samples"]


def test_a_converter_that_all_columns_share_hardly_errs(evaluate, placed):
    """What it does to one column of a pair it does to the other."""
    words = ("--adc-bits", 8, "--adc-offset-error", 0.05, "--samples", 6)
    (each, _), (shared, _), (ideal, _) = (
        evaluate(placed, *words), evaluate(placed, *words, "--columns-per-adc", 16), evaluate(placed, "--adc-bits", 8),
    )  # fmt: skip
    assert each["accuracy_mean"] < ideal["accuracy_mean"] - 0.1
    assert shared["accuracy_mean"] > each["accuracy_mean"] + 0.1


@pytest.mark.spice
def test_drive_that_ends_is_counted_with_converters_and_without(evaluate, mapped):
    """Cells are driven at most fully; with less than the range that was mapped, inputs are cut on every path."""
    found = {
        words: evaluate(mapped, "--dac-range", "0.3", *words)[0]["dac_saturated_fraction"]
        for words in ((), ("--dac-bits", 8), ("--adc-bits", 12))
    }
    plain, fine, tiled = found.values()
    assert plain > 0.1
    assert fine == pytest.approx(plain, rel=0.05)
    assert tiled == pytest.approx(plain, rel=0.05)
    free, table = evaluate(mapped)
    assert 0 <= free["dac_saturated_fraction"] < 0.001
    assert "inputs beyond the full drive" in table


@pytest.fixture(scope="module")
def dead(start, tmp_path_factory):
    """The perceptron with hidden units that are off whatever they see, their weights as they were; and no bias behind them."""
    import shutil

    out = tmp_path_factory.mktemp("dead") / "net"
    shutil.copytree(start, out)
    values = load_file(out / "model.safetensors")
    values["hidden.bias"] = np.full_like(values["hidden.bias"], -1e4)
    save_file(values, out / "model.safetensors")
    seal(out)
    return out


@pytest.mark.parametrize(
    "words",
    [
        ("--adc-bits", 6),
        ("--adc-bits", 6, "--adc-range", "percentile:99", "--rows-at-once", 50),
        ("--adc-bits", 6, "--adc-input", "pair"),
        ("--dac-bits", 4, "--dac-range", "max"),
        ("--dac-bits", 4, "--dac-range", "percentile:99.9", "--adc-bits", 6, "--input", "bitserial"),
        ("--scheme", "bitslice", "--dac-bits", 4, "--adc-bits", 8, "--adc-range", "levels"),
    ],
)
def test_a_layer_whose_inputs_are_always_zero_needs_no_range(evaluate, dead, words):
    summary, _ = evaluate(dead, *words)
    assert summary["accuracy_mean"] == summary["ideal_accuracy"]
    assert summary["dac_saturated_fraction"] in (None, 0)


def test_how_converters_are_built_makes_the_chips_differ(evaluate, placed):
    built = ("--adc-bits", 4, "--adc-kind", "sar", "--adc-mismatch", 0.2, "--samples", 3)
    summary, table = evaluate(placed, *built)
    assert len(set(summary["accuracy_samples"])) > 1
    assert "sar, one a column" in table
    noisy, _ = evaluate(placed, "--adc-bits", 4, "--adc-noise", 3, "--samples", 3)
    quiet, _ = evaluate(placed, "--adc-bits", 4)
    assert noisy["samples"] == 3
    assert noisy["accuracy_mean"] < quiet["accuracy_mean"]
