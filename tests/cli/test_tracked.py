"""`--track`: what trackers are told by the commands, and that nothing else changes."""

import json
import shutil

import pytest

from tests.runs.test_trackers import Broken, mlflow, scalars, tensorboard
from xbar_cli.cli.main import guarded
from xbar_cli.runs.trackers import sweeping, tracking

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


SWEEP = """
name = "seeds"
[stages.net]
command = "train"
network = { name = "mlp", width = 0.1 }
training.epochs = 2
[stages.evaluate]
command = "evaluate"
run = "@net"
monte_carlo = { samples = 2, images = 50 }
variation.amount = 0.1
[sweep]
net.seed = [1, 2]
evaluate.variation.amount = [0.1, 0.3]
"""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """The runs of a sweep that nobody was told of, at its first value of the second axis alone."""
    folder = tmp_path_factory.mktemp("tracked")
    (folder / "whole.toml").write_text(SWEEP)
    (folder / "half.toml").write_text(SWEEP.replace("[0.1, 0.3]", "[0.1]"))
    assert guarded(["run", str(folder / "half.toml"), "--workers", "1", "--out", str(folder / "half"), "--quiet"]) == 0
    return folder


def summaries(folder):
    """The summary of every run in the folder of a sweep, by the name of its directory."""
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*-*/summary.json")}


@tensorboard
def test_tensorboard_reads_each_result_of_a_sweep_below_it_once(xbar, sweep, tmp_path):
    """Those that were there when it was first named, and those that come, with what is swept of them; no byte changes."""
    out = tmp_path / "seeds"
    shutil.copytree(sweep / "half", out)
    before = {path: path.read_bytes() for path in out.glob("*-*/*") if path.is_file()}
    words = ("run", sweep / "whole.toml", "--workers", 1, "--out", out, "--json", "--quiet")
    done = xbar(*words, "--track", "tensorboard")
    assert (done.code, done.err, done.json["runs_cached"], done.json["runs_computed"]) == (0, "", 4, 2)
    assert {path: path.read_bytes() for path in before} == before
    found = summaries(out)
    assert len(found) == 6
    events = tmp_path / "tensorboard" / "seeds"
    assert {path.name for path in events.iterdir() if path.is_dir()} == set(found)
    swept = []
    for name, summary in found.items():
        figures, reader = scalars(events / name)
        last = 2 if summary["command"] == "train" else 0
        key = "test_accuracy" if summary["command"] == "train" else "accuracy_mean"
        assert figures["accuracy"] == [(last, pytest.approx(summary[key]))]
        assert figures[f"summary/{key}"] == figures["accuracy"]
        if summary["command"] == "train":
            assert [step for step, _ in figures["loss"]] == [1, 2]
        swept.append(hyperparameters(reader))
    amount = "evaluate.variation.amount"
    expected = [{"stage": "net", "net.seed": seed} for seed in (1, 2)]
    expected += [{"stage": "evaluate", "net.seed": s, amount: a} for s in (1, 2) for a in (0.1, 0.3)]
    assert len(swept) == len(expected)
    assert all(values in swept for values in expected)
    whole, reader = scalars(events)
    assert whole["runs_told"] == [(n, n) for n in range(1, 7)]
    assert whole["summary/points"] == [(6, 4)]
    assert b"stages.net.network.name" in reader.Tensors("config")[0].tensor_proto.string_val[0]
    files = sorted(events.rglob("events.out*"))
    for again in (words, (*words, "--track", "tensorboard")):  # all is told
        assert xbar(*again).json["runs_computed"] == 0
        assert sorted(events.rglob("events.out*")) == files


def hyperparameters(reader):
    """What TensorBoard shows of a run beside its figures."""
    from tensorboard.plugins.hparams import plugin_data_pb2

    content = reader.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    found = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in found.items()}


@mlflow
def test_mlflow_has_the_runs_of_a_sweep_below_one_of_its_own(xbar, sweep, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    out = tmp_path / "seeds"
    shutil.copytree(sweep / "half", out)
    words = ("run", sweep / "half.toml", "--workers", 1, "--out", out, "--json", "--quiet")
    assert xbar(*words, "--track", "mlflow").code == 0
    client = pytest.importorskip("mlflow.tracking").MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri())
    runs = client.search_runs([client.get_experiment_by_name("xbar").experiment_id])
    (whole,) = [run for run in runs if run.info.run_name == "seeds"]
    assert (whole.info.status, whole.data.metrics["points"]) == ("FINISHED", 2)
    assert whole.data.params["stages.net.network.name"] == "mlp"
    found = summaries(out)
    below = {run.info.run_name: run for run in runs if run.data.tags.get("mlflow.parentRunId") == whole.info.run_id}
    assert set(below) == set(found)
    for name, summary in found.items():
        key = "test_accuracy" if summary["command"] == "train" else "accuracy_mean"
        assert below[name].data.metrics["accuracy"] == below[name].data.metrics[key] == summary[key]
        assert below[name].data.params["stage"] == name.partition("-")[0]
        assert below[name].data.params["net.seed"] in ("1", "2")
        assert "config.toml" in {a.path for a in client.list_artifacts(below[name].info.run_id)}


def test_a_tracker_that_fails_in_a_sweep_is_one_note_and_the_sweep_is_whole(xbar, sweep, tmp_path, monkeypatch):
    broken = Broken("finish")
    monkeypatch.setattr(sweeping, "make_tracker", lambda *_: broken)
    monkeypatch.setattr(tracking, "make_tracker", lambda *_: Broken("never"))
    monkeypatch.setattr(tracking, "require_installed", lambda _: None)
    out = tmp_path / "seeds"
    shutil.copytree(sweep / "half", out)
    words = ("run", sweep / "half.toml", "--workers", 1, "--out", out, "--json")
    done = xbar(*words, "--track", "wandb")
    assert (done.code, done.json["done"]) == (0, 2)
    assert done.err.count("wandb failed (OSError: [Errno 28] No space left on device)") == 1
    assert broken.calls.count("finish") == 1
    assert xbar(*words, "--track", "wandb").err.count("wandb failed") == 1  # what it was not told it is told again


def test_no_sweep_lies_where_a_tracker_keeps_its_runs(xbar, sweep, tmp_path):
    found = xbar("run", sweep / "half.toml", "--track", "mlflow", "--dry-run", "--out", tmp_path / "mlruns")
    assert (found.code, found.err.count("\n")) == (1, 1)
    assert "is where a tracker keeps" in found.err or "needs a package" in found.err
