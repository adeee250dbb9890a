"""`--track`: what trackers are told by the commands, and that nothing else changes."""

import json

import pytest

from tests.runs.test_trackers import mlflow, scalars, tensorboard

TINY = ("--network", "mlp", "--width", 0.1, "--epochs", 2)


@tensorboard
def test_a_tracked_training_and_evaluation_have_the_same_bytes_and_are_read_by_tensorboard(xbar, tmp_path):
    words = ("train", *TINY, "--json", "--quiet")
    tracked = xbar(*words, "--out", tmp_path / "a" / "net", "--track", "tensorboard")
    plain = xbar(*words, "--out", tmp_path / "b" / "net")
    assert (tracked.code, plain.code) == (0, 0)
    times = ("out", "wall_seconds")
    assert {k: v for k, v in tracked.json.items() if k not in times} == {
        k: v for k, v in plain.json.items() if k not in times
    }
    for name in ("model.safetensors", "config.toml"):
        assert (tmp_path / "a" / "net" / name).read_bytes() == (tmp_path / "b" / "net" / name).read_bytes()
    assert {p.name for p in (tmp_path / "a" / "net").iterdir()} == {p.name for p in (tmp_path / "b" / "net").iterdir()}
    lines = [json.loads(line) for line in (tmp_path / "a" / "net" / "metrics.jsonl").read_text().splitlines()]
    found, _ = scalars(tmp_path / "a" / "tensorboard" / "net")
    for name in ("loss", "validation_accuracy"):
        assert found[name] == [(line["step"], pytest.approx(line[name])) for line in lines]
    done = xbar("eval", tmp_path / "a" / "net", "--images", 50, "--samples", 2, "--variation", 0.1, "--out", tmp_path / "a" / "e",
                "--track", "tensorboard", "--json", "--quiet")  # fmt: skip
    found, reader = scalars(tmp_path / "a" / "tensorboard" / "e")
    assert found["summary/accuracy_mean"] == [(0, pytest.approx(done.json["accuracy_mean"]))]
    assert any(tag.startswith("figures/") for tag in reader.Tags()["images"])


@mlflow
def test_several_learning_rates_are_told_when_one_is_chosen(xbar, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    words = (
        "train",
        *TINY,
        "--set",
        "training.rates=[0.1,0.01]",
        "--out",
        tmp_path / "net",
        "--track",
        "mlflow",
        "--quiet",
    )
    assert xbar(*words).code == 0
    client = pytest.importorskip("mlflow.tracking").MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("xbar").experiment_id])
    assert [m.step for m in client.get_metric_history(run.info.run_id, "loss")] == [1, 2]
    assert run.data.params["network.name"] == "mlp"


def test_a_name_of_no_tracker_is_one_line(xbar):
    found = xbar("train", *TINY, "--track", "aim")
    assert found.code == 2
    assert "'aim' is not one of 'tensorboard', 'mlflow', 'wandb'" in found.err
