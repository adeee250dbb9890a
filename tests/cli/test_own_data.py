"""A table of one's own, a series and a text, from `data add` to an evaluation, each measured as its task wants."""

import json

import numpy as np
import pytest

TAGGER = """
from flax import nnx

class Net(nnx.Module):
    def __init__(self, *, shape, outputs, rngs, tokens=0):
        self.embed = nnx.Embed(tokens, 8, rngs=rngs) if tokens else None
        self.head = nnx.Linear(8 if tokens else shape[-1], outputs, rngs=rngs)

    def __call__(self, x):
        return self.head(self.embed(x) if self.embed is not None else x)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XBAR_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "net.py").write_text(TAGGER)
    return tmp_path


def plane(folder, n=300):
    """A table whose last column is a plane of the others."""
    x = np.random.default_rng(0).normal(size=(n, 3))
    rows = "\n".join(",".join(map(str, (*row, 30 * row[0] - 20 * row[1] + 5))) for row in x)
    (folder / "plane.csv").write_text(f"a,b,c,y\n{rows}\n")
    return folder / "plane.csv"


def test_a_regression_from_csv_to_chips(xbar, folder):
    added = xbar("data", "add", "plane", plane(folder), "--task", "regression", "--standardise", "--json")
    assert added.code == 0, added.err
    assert added.json["outputs"] == 1
    run = folder / "run"
    words = ("--network", "mlp", "--hidden", 16, "--dataset", "plane", "--epochs", 15, "--learning-rate", 0.02)
    trained = xbar("train", *words, "--batch-size", 16, "--out", run, "--json")
    assert trained.code == 0, trained.err
    found = trained.json
    assert (found["metric"], found["task"]) == ("mse", "regression")
    assert found["metric_value"] == found["test_mse"] < 0.1
    assert "test_accuracy" not in found
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert found["best_epoch"] == 1 + int(np.argmin([line["validation_mse"] for line in lines]))
    one = xbar("eval", run, "--variation", 0.05, "--samples", 3, "--per-layer", "--out", folder / "e", "--json")
    assert one.code == 0, one.err
    chips = one.json
    assert chips["ideal_mse"] == pytest.approx(found["test_mse"], rel=1e-4)
    assert chips["mse_mean"] == chips["metric_value"] == pytest.approx(np.mean(chips["mse_samples"]))
    assert chips["metric_loss"] == pytest.approx(chips["mse_mean"] - chips["ideal_mse"])
    assert chips["metric_loss"] > 0
    assert chips["mse_worst"] == max(chips["mse_samples"])
    assert all(layer["cost"] > 0 for layer in chips["per_layer"].values())
    r2 = xbar("eval", run, "--variation", 0.05, "--samples", 3, "--metric", "r2", "--out", folder / "r", "--json").json
    labels = np.var(np.load(folder / "data" / "xbar" / "plane" / "arrays.npz")["test_labels"])
    np.testing.assert_allclose(r2["r2_samples"], 1 - np.asarray(chips["mse_samples"]) / labels, rtol=1e-4)
    assert r2["r2_worst"] == min(r2["r2_samples"])
    for words, said in (
        (("eval", run, "--ci-width", 0.1), "belongs to shares of right answers; the metric is mse"),
        (("eval", run, "--metric", "perplexity"), "is one of regression, which is measured by mse, r2"),
        (("compare", folder / "e", folder / "e"), "its metric is mse"),
    ):
        refused = xbar(*words)
        assert refused.code == 1
        assert said in refused.err
    shown = xbar("eval", run, "--variation", 0.05, "--samples", 2, "--out", folder / "s")
    assert "Mse on" in shown.out


def test_the_next_token_is_measured_by_its_perplexity(xbar, folder):
    (folder / "t.txt").write_text("abcd" * 400)
    assert xbar("data", "add", "letters", folder / "t.txt", "--length", 8, "--json").json["class_names"] == list("abcd")
    words = (
        "--network",
        f"{folder / 'net.py'}:Net",
        "--network-arg",
        "tokens=4",
        "--dataset",
        "letters",
        "--epochs",
        12,
    )
    found = xbar("train", *words, "--learning-rate", 0.05, "--batch-size", 20, "--out", folder / "run", "--json")
    assert found.code == 0, found.err
    assert 1 <= found.json["test_perplexity"] < 1.3
    chips = xbar("eval", folder / "run", "--variation", 0.1, "--samples", 2, "--out", folder / "e", "--json").json
    assert chips["ideal_perplexity"] < chips["perplexity_mean"] < 4
    assert chips["metric_loss"] > 0
    right = xbar("eval", folder / "run", "--samples", 2, "--metric", "accuracy", "--out", folder / "a", "--json").json
    assert right["accuracy_mean"] > 0.9
    converted = xbar("eval", folder / "run", "--adc-bits", 8, "--samples", 1, "--out", folder / "c", "--json")
    assert converted.code == 0, converted.err  # tokens are whole numbers, what its arrays see is not
    assert abs(converted.json["perplexity_mean"] - chips["ideal_perplexity"]) < 0.1
    cost = xbar("map", folder / "run", "--out", folder / "m", "--json")
    assert cost.code == 0, cost.err
    joules = xbar("energy", folder / "m", "--images", 8, "--out", folder / "j", "--json")
    assert joules.code == 0, joules.err
    assert joules.json["energy_joule"] > 0
    assert joules.json["accuracy"] is None


def test_a_label_for_each_place(xbar, folder):
    x = np.random.default_rng(1).normal(size=(120, 5, 4)).astype(np.float32)
    np.savez(folder / "tags.npz", x=x, y=x.argmax(axis=-1))
    assert xbar("data", "add", "tags", folder / "tags.npz", "--json").json["task"] == "labelling"
    words = ("--network", f"{folder / 'net.py'}:Net", "--dataset", "tags", "--epochs", 10, "--learning-rate", 0.05)
    found = xbar("train", *words, "--batch-size", 16, "--out", folder / "run", "--json")
    assert found.code == 0, found.err
    assert found.json["test_accuracy"] == found.json["metric_value"] > 0.8
    assert xbar("data", "show", "tags", "--json").json["shape"] == [5, 4]
    assert "tags" in {row["name"] for row in xbar("data", "list", "--json").json["datasets"]}


def test_what_does_not_fit_is_refused_in_one_line(xbar, folder):
    cases = {
        "takes pictures [height width channels], and an input of this data set has shape [30]": ("--network", "lenet5"),
        "training.augment = flip mirrors and shifts pictures": ("--network", "mlp", "--augment", "flip"),
        "top5 is always 1 of the 2 classes": ("--network", "mlp", "--metric", "top5"),
    }
    for said, words in cases.items():
        refused = xbar("train", "--dataset", "breast_cancer", *words, "--out", folder / "r")
        assert (refused.code, refused.err.count("\n")) == (1, 1)
        assert said.split(" = ")[-1] in refused.err
    tokens = xbar("train", "--dataset", "jargon", "--network", "mlp", "--out", folder / "r")
    assert "the inputs of this data set are tokens" in tokens.err
    assert xbar("data", "add", "plane", plane(folder), "--task", "regression").code == 0
    for words, said in (
        (("--label-smoothing", 0.1), "belongs to tasks with classes"),
        (("--metric", "accuracy"), "is measured by mse, r2"),
    ):
        assert said in xbar("train", "--dataset", "plane", "--network", "mlp", *words, "--out", folder / "r").err
    np.savez(folder / "tags.npz", x=np.ones((9, 5, 4), np.float32), y=np.arange(45).reshape(9, 5) % 3)
    assert xbar("data", "add", "tags", folder / "tags.npz").code == 0
    wrong = xbar("train", "--dataset", "tags", "--network", "mlp", "--out", folder / "r")
    assert "gives an output of shape [3] for an input; labelling of data set tags wants [5, 3]" in wrong.err
