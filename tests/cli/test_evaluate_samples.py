"""`xbar evaluate`: how many chips, what is said of them, and each layer alone, on the small perceptron."""

import json

import numpy as np
import pytest

from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.errors import ConfigError
from xbar_cli.runs.results import read_dataset
from xbar_cli.statistics import bounded, estimate, fewest

WORDS = ("--variation", 0.15, "--images", 200)


@pytest.fixture(scope="module")
def found(tmp_path_factory, small):
    """An evaluation with everything asked of it: its folder and its table."""
    import contextlib
    import io

    from xbar_cli.cli.main import guarded

    out = tmp_path_factory.mktemp("samples") / "run"
    words = ["eval", small, *WORDS, "--ci-width", 0.12, "--yield-at", 0.75, "--per-layer", "--out", out, "--quiet"]
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        assert guarded([str(word) for word in words]) == 0
    return out, text.getvalue()


def test_the_summary_says_what_the_samples_say(found):
    out, _ = found
    summary = json.loads((out / "summary.json").read_text())
    samples = np.asarray(summary["accuracy_samples"])
    assert len(samples) == summary["samples"] >= fewest(0.12)
    assert summary["ci_width_reached"] is True
    assert np.ptp(summary["accuracy_ci95"]) <= 0.12
    assert (summary["accuracy_ci95_kind"], summary["accuracy_bounded_ci95"]) == ("bounded", summary["accuracy_ci95"])
    assert summary["accuracy_ci95"] == list(bounded(samples.tolist(), width=0.12).ci95)
    assert summary["accuracy_worst"] == samples.min() == samples[summary["worst_sample"]]
    assert summary["yield_fraction"] == np.mean(samples >= 0.75)
    assert summary["yield_ci95"][0] <= summary["yield_fraction"] <= summary["yield_ci95"][1]
    mean = summary["accuracy_mean"]
    assert summary["test_set_error"] == pytest.approx(np.sqrt(mean * (1 - mean) / 200))
    assert np.ptp(summary["accuracy_with_test_set_ci95"]) > np.ptp(summary["accuracy_ci95"])
    results = read_dataset(out / "results.nc")
    np.testing.assert_array_equal(results["accuracy"].values, samples)
    for name, layer in summary["per_layer"].items():
        assert results[f"{name}_alone_accuracy"].values.mean() == pytest.approx(layer["accuracy_mean"])
        assert layer["cost"] < summary["ideal_accuracy"] - mean + 0.02  # one layer costs no more than all of them
    assert {path.name for path in (out / "figures").iterdir()} == {"accuracy.png", "per_layer.png"}


def test_the_table_says_it_too(found):
    _, text = found
    for words in (
        "worst chip (number",
        "over test sets of this size too",
        "chips with 0.75 or more",
        "alone on arrays",
    ):
        assert words in text


def test_chips_that_are_all_alike_are_one_chip(xbar, small, tmp_path):
    words = ("eval", small, "--images", 100, "--yield-at", 0.5, "--json")
    summary = xbar(*words, "--ci-width", 0.01, "--out", tmp_path / "a").json
    assert len(set(summary["accuracy_samples"])) == 1
    assert summary["ci_width_reached"] is True
    assert summary["accuracy_ci95"] == pytest.approx([summary["accuracy_mean"]] * 2)
    assert (summary["yield_fraction"], summary["yield_ci95"]) == (1.0, [1.0, 1.0])


def test_few_skewed_chips_get_a_note_and_an_interval_of_accuracies(xbar, small, tmp_path, monkeypatch):
    """The accuracies are put in the place of those that the chips of a real run had."""
    from xbar_cli.workflows import evaluate

    real = evaluate.sample

    def with_dead(*args, **kwargs):
        tally = real(*args, **kwargs)
        tally.values[:] = [0.98] * (len(tally.values) - 1) + [0.1]
        return tally

    words = ("eval", small, "--variation", 0.05, "--images", 50)
    even = xbar(*words, "--samples", 12, "--out", tmp_path / "even")
    assert "skewed" not in even.err
    monkeypatch.setattr(evaluate, "sample", with_dead)
    found = xbar(*words, "--samples", 12, "--out", tmp_path / "a")
    assert "of these 12 chips are skewed (skewness -3.5, worst 0.1000, mean 0.9067)" in " ".join(found.err.split())
    assert "whatever the chips' distribution" in found.out
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    samples = [0.98] * 11 + [0.1]
    assert estimate(samples).ci95[1] > 1 == summary["accuracy_ci95"][1]
    assert summary["accuracy_ci95_kind"] == "student"
    assert summary["accuracy_bounded_ci95"] == list(bounded(samples).ci95)
    # a run that stops by the other interval needs no note; one that cannot get there is told so at once
    late = xbar(*words, "--ci-width", 0.05, "--max-samples", 20, "--out", tmp_path / "b")
    assert "skewed (" not in late.err
    assert "--ci-width 0.05 takes 72 chips or more, and --max-samples is 20" in " ".join(late.err.split())
    assert json.loads((tmp_path / "b" / "summary.json").read_text())["ci_width_reached"] is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--samples", 5, "--ci-width", 0.01), "--samples draws so many chips, --ci-width as many as its interval takes"),
        (("--max-samples", 50), "--max-samples limits --ci-width"),
        (("--ci-width", 0.01, "--max-samples", 5), "--max-samples: monte_carlo.max_samples"),
        (("--ci-width", 0), "--ci-width: monte_carlo.ci_width"),
        (("--yield-at", 1.5), "--yield-at: monte_carlo.yield_at"),
    ],
)  # fmt: skip
def test_one_clear_line_for_what_contradicts_itself(xbar, tmp_path, words, message):
    found = xbar("eval", tmp_path, *words, "--out", tmp_path / "r")
    assert (found.code, found.err.count("\n")) == (1, 1)
    assert message in found.err


def test_chips_that_are_all_alike_or_wait_for_an_interval_have_no_first_one():
    alike = EvaluateConfig.model_validate({"monte_carlo": {"first": 3}})
    assert alike.first_chip == 0
    assert EvaluateConfig.model_validate({"monte_carlo": {"first": 3}, "variation": {"amount": 0.1}}).first_chip == 3
    with pytest.raises(ConfigError, match=r"leave out monte_carlo\.first"):
        EvaluateConfig.model_validate({"monte_carlo": {"first": 3, "ci_width": 0.1}})


def test_the_number_of_chips_resolves_by_how_it_is_decided():
    def chips(**given):
        config = EvaluateConfig.model_validate({"monte_carlo": given})
        config.check()
        resolved = config.in_use()["monte_carlo"]
        again = EvaluateConfig.model_validate(config.in_use())  # as a sweep's worker and a resolved file do
        again.check()
        assert again == config
        return resolved.get("samples"), resolved.get("ci_width"), resolved.get("max_samples")

    assert chips() == (25, None, None)
    assert chips(samples=3) == (3, None, None)
    assert chips(ci_width="5m") == (None, 0.005, 1000)
    assert chips(ci_width=0.005, max_samples=60) == (None, 0.005, 60)
    with pytest.raises(ConfigError, match="give one of them"):
        chips(ci_width=0.005, samples=3)
