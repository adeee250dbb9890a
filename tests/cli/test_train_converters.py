"""`xbar train --dac-bits B --adc-bits B`: what is learned is what `eval` takes, from the run and from a mapping of it."""

import json

import pytest

BITS = ("--dac-bits", 3, "--adc-bits", 4)


@pytest.fixture(scope="module")
def learned(shared, tiny):
    """A perceptron of 12 hidden units trained between converters, on tiles of 100 rows."""
    return shared("learned", "train", *tiny, "--epochs", 4, *BITS, "--tile", "100x16")


@pytest.fixture
def evaluate(xbar, tmp_path):
    """Summary and notes of an evaluation; every one has its own directory."""
    runs = iter(range(100))

    def run(path, *words):
        found = xbar("eval", path, *words, "--samples", 1, "--out", tmp_path / str(next(runs)), "--json")
        assert found.code == 0, found.err
        return found.json, found.err

    return run


def test_an_evaluation_with_the_same_bits_has_the_accuracy_that_was_trained(learned, evaluate):
    trained = json.loads((learned / "summary.json").read_text())
    ranges = trained["learned_ranges"]
    assert (ranges["dac_bits"], ranges["adc_bits"], ranges["tile"]) == (3, 4, "100x16")
    assert list(ranges["inputs"]) == list(ranges["outputs"]) == ["hidden", "output"]
    summary, said = evaluate(learned, *BITS)
    assert summary["learned_ranges"] == {"inputs": ["hidden", "output"], "outputs": ["hidden", "output"]}
    assert summary["adc_input"] == "pair"
    assert "takes: adc_input pair, tile 100x16" in said
    assert summary["accuracy_mean"] == pytest.approx(trained["test_accuracy"], abs=0.002)
    usual, said = evaluate(learned, *BITS, "--dac-range", "max", "--adc-range", "max", "--adc-input", "pair")
    assert usual["learned_ranges"] == {"inputs": [], "outputs": []}
    assert "--dac-range max" in said
    assert "--adc-range max is asked for" in said
    assert usual["accuracy_mean"] < summary["accuracy_mean"]


def test_a_mapping_takes_the_ranges_of_inputs_and_layers_on_other_tiles_keep_the_largest(
    learned, xbar, tmp_path, evaluate
):
    """784 rows on tiles of 128 are other sums than on tiles of 100; 12 rows are the same."""
    mapped = tmp_path / "mapped"
    assert xbar("map", learned, "--dac-bits", 3, "--out", mapped, "--quiet").code == 0
    summary, said = evaluate(mapped, "--adc-bits", 4)
    assert summary["learned_ranges"] == {"inputs": ["hidden", "output"], "outputs": ["output"]}
    assert "not taken (hidden): they are of sums of 100 rows, and here 128 are converted at once" in said
    found = xbar(
        "energy", mapped, "--model", "resparc", "--activity", tmp_path / "0", "--out", tmp_path / "e", "--json"
    )
    assert found.code == 0, found.err


def test_the_tables_show_the_ranges(learned, xbar, tmp_path):
    found = xbar("eval", learned, *BITS, "--samples", 1, "--images", 50, "--out", tmp_path / "shown")
    assert "ranges learned in training" in found.out


def test_training_goes_on_from_weights_that_were_trained_without(start, xbar, tiny, tmp_path):
    words = (
        "--start",
        start,
        *tiny,
        "--epochs",
        1,
        "--dac-bits",
        4,
        "--range-gradient",
        "pact",
        "--weight-decay",
        1e-4,
    )
    found = xbar("train", *words, "--out", tmp_path / "on")
    assert found.code == 0, found.err
    assert "inputs, 4 bits" in found.out
    assert "outputs," not in found.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--method", "periphery", "--adc-bits", 4), "--method periphery does not use --adc-bits; only --method ideal does"),
        (("--range-gradient", "pact"), "--range-gradient needs --dac-bits or --adc-bits: there is no range to learn"),
        (("--dac-bits", 4, "--tile", "64x64"), "--tile of --method ideal is the rows that one converter sees the sum of"),
        (("--adc-bits", 1), "greater than or equal to 2"),
        (("--network", "resnet20", "--adc-bits", 4, "--fold-norm"), "--fold-norm scales the outputs that --adc-bits learns"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_one_line(words, said, xbar, tmp_path):
    found = xbar("train", *words, "--out", tmp_path / "wrong")
    assert found.code == 1
    assert said in found.err
    assert found.err.strip().count("\n") == 0
