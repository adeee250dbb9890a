"""Trackers, read back by their own readers; their failures, and what they leave of a run."""

import importlib.util
import json
import logging
import sys

import pytest

from xbar_cli.errors import ConfigError
from xbar_cli.runs.directory import METRICS, TRACKING, Run, new_run, partial, reopened_run
from xbar_cli.runs.trackers import tracking as module
from xbar_cli.runs.trackers.tracker import numbers_of
from xbar_cli.runs.trackers.tracking import check_trackers, known, tracked

pytestmark = pytest.mark.made_up

LINES = [
    {"step": 1, "phase": "train", "epoch": 1, "loss": 0.5, "validation_accuracy": 0.75},
    {"step": 2, "phase": "train", "epoch": 2, "loss": 0.25, "validation_accuracy": 0.8},
    {"step": 2, "phase": "retrain", "epoch": 0, "validation_accuracy": 0.6, "in_range_fraction": [0.5, 1.0]},
    {"step": 3, "phase": "retrain", "epoch": 1, "loss": 0.125, "validation_accuracy": 0.9},
]
CONFIG = {"seed": 3, "network.name": "mlp", "training.learning_rate": 0.1, "network.hidden": [4, 5], "robust": True}
SUMMARY = {"command": "train", "test_accuracy": 0.875, "layers": ["a"], "fixed": {"x": 1}, "none": None}


class Notes(list):
    """A reporter that keeps its notes."""

    note = list.append

    def doing(self, *_):
        pass

    def progress(self, *_):
        pass


@pytest.fixture
def notes():
    return Notes()


def train(out, names, notes, lines=LINES, summary=SUMMARY):
    """A training that says these lines, and ends."""
    with (
        new_run(out, overwrite=False) as run,
        tracked(names, run, CONFIG, command="train", reporter=notes) as (followed, told),
    ):
        (run.path / "config.toml").write_text("seed = 3\n")
        for line in lines:
            followed.append_metrics(line)
        run.finish(summary)
        told.finish(summary)


def interrupt(out, names, notes, lines):
    """A training that is interrupted after these lines, and can go on."""
    (partial(out) / "checkpoints" / "1").mkdir(parents=True)
    run = Run(partial(out), out)
    (run.path / "config.toml").write_text("seed = 3\n")

    def interrupted():
        with tracked(names, run, CONFIG, command="train", reporter=notes) as (followed, _):
            for line in lines:
                followed.append_metrics(line)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def go_on(out, names, notes, lines):
    """The interrupted training goes on with these lines, and ends."""
    with reopened_run(out) as run, tracked(names, run, CONFIG, command="train", reporter=notes) as (followed, told):
        for line in lines:
            followed.append_metrics(line)
        run.finish(SUMMARY)
        told.finish(SUMMARY)


def scalars(folder):
    """What TensorBoard's own reader reads: by tag, step and value of each event."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.disable(logging.WARNING)
    found = EventAccumulator(str(folder))
    found.Reload()
    logging.disable(logging.NOTSET)
    return {
        tag: [(e.step, pytest.approx(e.value)) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]
    }, found


EXPECTED = {
    "loss": [(1, 0.5), (2, 0.25), (3, 0.125)],
    "validation_accuracy": [(1, 0.75), (2, 0.8), (2, 0.6), (3, 0.9)],
    "in_range_fraction/0": [(2, 0.5)],
    "in_range_fraction/1": [(2, 1.0)],
    "epoch": [(1, 1.0), (2, 2.0), (2, 0.0), (3, 1.0)],
}
tensorboard = pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="no TensorBoard here")
mlflow = pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="no MLflow here")


@tensorboard
def test_tensorboard_reads_every_figure_of_the_metrics(tmp_path, notes):
    train(tmp_path / "net", ["tensorboard"], notes)
    found, reader = scalars(tmp_path / "tensorboard" / "net")
    assert found == EXPECTED | {"summary/test_accuracy": [(3, 0.875)]}
    assert b"network.name" in reader.Tensors("config")[0].tensor_proto.string_val[0]
    assert notes == []
    assert "tensorflow" not in sys.modules


@tensorboard
def test_a_resumed_run_goes_on_where_it_was_and_says_nothing_twice(tmp_path, notes):
    out = tmp_path / "net"
    interrupt(out, ["tensorboard"], notes, LINES[:3])
    (partial(out) / METRICS).write_text(
        (partial(out) / METRICS).read_text().splitlines(keepends=True)[0]
    )  # to the checkpoint
    go_on(out, [], notes, LINES[1:])  # without being asked again
    found, _ = scalars(tmp_path / "tensorboard" / "net")
    assert found == EXPECTED | {"summary/test_accuracy": [(3, 0.875)]}
    assert [path.name for path in (tmp_path / "tensorboard").iterdir()] == ["net"]


@tensorboard
def test_a_new_run_of_a_known_name_gets_a_folder_of_its_own(tmp_path, notes):
    (tmp_path / "tensorboard" / "net").mkdir(parents=True)
    train(tmp_path / "net", ["tensorboard"], notes)
    assert sorted(path.name for path in (tmp_path / "tensorboard").iterdir()) == ["net", "net-2"]


@tensorboard
def test_tracking_changes_no_byte_of_a_run(tmp_path, notes):
    for name, names in (("with", ["tensorboard"]), ("without", [])):
        (tmp_path / name).mkdir()
        train(tmp_path / name / "net", names, notes)
    files = [{p.name: p.read_bytes() for p in (tmp_path / name / "net").iterdir()} for name in ("with", "without")]
    assert files[0] == files[1]
    assert set(files[0]) == {"config.toml", "metrics.jsonl", "summary.json", "done"}


@mlflow
def test_mlflow_lists_the_run_with_its_parameters_and_metrics(tmp_path, notes, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    out = tmp_path / "net"
    interrupt(out, ["mlflow"], notes, LINES[:2])
    client = pytest.importorskip("mlflow.tracking").MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("xbar").experiment_id
    (one,) = client.search_runs([experiment])
    assert one.info.status == "KILLED"
    go_on(out, ["mlflow"], notes, LINES[1:])
    (run,) = client.search_runs([experiment])
    assert (run.info.run_id, run.info.run_name, run.info.status) == (one.info.run_id, "net", "FINISHED")
    assert run.data.params == {key: str(value) for key, value in CONFIG.items()}
    for name, values in EXPECTED.items():
        assert [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)] == values
    assert run.data.metrics["test_accuracy"] == 0.875
    assert {a.path for a in client.list_artifacts(run.info.run_id)} == {"config.toml", "xbar-summary.json"}
    assert notes == []


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="no W&B here")
def test_wandb_writes_offline(tmp_path, notes, monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")
    train(tmp_path / "net", ["wandb"], notes)
    assert notes == []
    assert list((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))


class Broken:
    """A tracker that fails at the step that it is told to."""

    def __init__(self, at):
        self.at, self.calls = at, []

    def __getattr__(self, name):
        def call(*_, **__):
            self.calls.append(name)
            if name == self.at:
                raise OSError(28, "No space left\non device")
            return "identity"

        return call


@pytest.mark.parametrize("at", ["start", "log", "finish"])
def test_a_tracker_that_fails_is_a_note_and_the_run_is_whole(tmp_path, notes, monkeypatch, at):
    broken = Broken(at)
    monkeypatch.setattr(module, "make_tracker", lambda *_: broken)
    train(tmp_path / "net", ["mlflow"], notes)
    assert (tmp_path / "net" / "done").exists()
    assert len((tmp_path / "net" / METRICS).read_text().splitlines()) == len(LINES)
    (note,) = notes
    assert note == "mlflow failed (OSError: [Errno 28] No space left on device): the run goes on without it"
    assert broken.calls[-1] == at
    assert broken.calls.count(at) == 1


def test_what_was_not_said_as_it_came_is_said_at_the_end(tmp_path, notes, monkeypatch):
    told = Broken("never")
    monkeypatch.setattr(module, "make_tracker", lambda *_: told)
    with (
        new_run(tmp_path / "net", overwrite=False) as run,
        tracked(["wandb"], run, {}, command="train", reporter=notes) as (_, own),
    ):
        for line in LINES:  # as of several learning rates, whose runs are others
            run.append_metrics(line)
        run.finish(SUMMARY)
        own.finish(SUMMARY)
    assert told.calls == ["start", *["log"] * len(LINES), "finish"]


def test_a_missing_package_is_one_line_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'xbar-cli\[wandb\]'"):
        check_trackers(["wandb"], tmp_path / "net")


def test_a_run_does_not_take_the_place_of_a_tracker(tmp_path):
    for name in ("mlruns", "tensorboard.partial", "wandb"):
        with pytest.raises(ConfigError, match="is where a tracker keeps"):
            check_trackers(["tensorboard"], tmp_path / name)
    check_trackers([], tmp_path / "mlruns")


@pytest.mark.parametrize("identity", ["../../x", "a/b", "..", "", "x" * 300, 3.5, None, ["x"]])
def test_an_identity_of_a_damaged_run_leads_nowhere(tmp_path, identity):
    (tmp_path / TRACKING).write_text(json.dumps({"tensorboard": [identity, 1, False], "mlflow": ["good", 2, True]}))
    found = known(tmp_path / TRACKING)
    assert found["mlflow"] == ("good", (2, True))
    assert "tensorboard" not in found or "/" not in found["tensorboard"][0]
    for text in ("[]", "{", '{"mlflow": 3}'):
        (tmp_path / TRACKING).write_text(text)
        assert known(tmp_path / TRACKING) == {}


def test_numbers_are_told_and_nothing_else():
    record = {
        "a": 1,
        "b": [0.5, 2],
        "c": "x",
        "d": True,
        "e": float("nan"),
        "f": [True],
        "g": [[1]],
        "h": None,
        "i": [1.0] * 500,
    }
    assert numbers_of(record) == {"a": 1.0, "b/0": 0.5, "b/1": 2.0}
