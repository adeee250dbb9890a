"""What is seen of sweeps, runs and folders from outside, from their files and locks alone."""

import fcntl
import json
import os
import time

import pytest

from tests.report.test_report import make
from tests.watch.conftest import DONE, START
from xbar_cli.errors import RunError
from xbar_cli.experiment.announced import announce
from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.plan import make_plan
from xbar_cli.runs import metrics
from xbar_cli.watch import seen
from xbar_cli.watch.logs import MOST_BYTES, MOST_LINES, end_of_log, plan_of
from xbar_cli.watch.look import look, require_something


def rows(found):
    return [dict(zip(found["head"], row, strict=True)) for row in found["rows"]]


def test_points_stand_as_their_runs_do(sweep):
    found = look(sweep)
    assert (found["title"], found["kind"], found["at_work"]) == ("rates", "sweep", True)
    assert found["states"] == {"done": 1, "at work": 1, "failed": 1, "waiting": 1}
    done, working, failed, waiting = rows(found)
    assert (done["lr"], done["state"], done["accuracy"]) == ("0.1", "done", "0.5")
    assert working["where it stands"].startswith("net: train, epoch 3")
    assert failed["where it stands"] == "net: it <b>diverges</b>"
    assert waiting["state"] == "waiting"


def test_failures_show_the_end_of_their_logs_and_trainings_their_curves(sweep):
    found = look(sweep)
    (failure,) = found["failures"]
    assert (failure["name"], failure["reason"]) == ("net-c", "it <b>diverges</b>")
    assert failure["log"][-2:] == ["train: 0 of 9", "Error: it <b>diverges</b>"]
    (training,) = found["learning"]
    assert training["curves"] == [{"name": "loss", "points": [[1, 1.0], [2, 0.5], [3, 1 / 3]]}]


def test_a_sweep_that_announced_nothing_is_seen_by_its_runs(sweep):
    (sweep / "logs" / "plan.json").write_text("{")
    found = look(sweep)
    assert [(row["run"], row["state"]) for row in rows(found)] == [
        ("eval-a", "done"), ("net-a", "done"), ("net-b", "at work"), ("net-c", "failed"),
    ]  # fmt: skip


def test_what_an_experiment_comes_to_is_announced_before_it_is_computed(tmp_path):
    file = tmp_path / "x.toml"
    file.write_text(
        'name = "x"\n[stages.net]\ncommand = "train"\n[stages.map]\ncommand = "map"\nrun = "@net"\n'
        "[sweep]\nmap.mapping.bits = [1, 3]\n"
    )
    plan = make_plan(load_experiment(file), tmp_path / "out")
    (tmp_path / "out" / "logs").mkdir(parents=True)
    announce([plan], tmp_path / "out")
    found = look(tmp_path / "out")
    assert [(row["bits"], row["state"]) for row in rows(found)] == [("1", "waiting"), ("3", "waiting")]
    told = plan_of(tmp_path / "out" / "logs" / "plan.json")["points"]
    assert [point["last"] for point in told] == [[point.runs["map"].key] for point in plan.points]
    assert {point["runs"]["net"] for point in told} == {plan.points[0].runs["net"].key}


def test_names_in_a_plan_lead_nowhere_else(sweep, tmp_path):
    make(tmp_path / "outside", {"command": "evaluate", "accuracy_mean": 0.9})
    point = {"name": "p", "values": {}, "runs": {"eval": "../outside"}, "last": ["../outside"]}
    (sweep / "logs" / "plan.json").write_text(json.dumps({"experiment": "x", "points": [point]}))
    assert rows(look(sweep))[0]["state"] == "waiting"


def test_links_are_not_followed(sweep, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(START + "Error: secret\n")
    (sweep / "logs" / "net-c.log").unlink()
    (sweep / "logs" / "net-c.log").symlink_to(secret)
    (sweep / "net-b.partial" / "metrics.jsonl").unlink()
    (sweep / "net-b.partial" / "metrics.jsonl").symlink_to(secret)
    assert "secret" not in json.dumps(look(sweep))


@pytest.mark.parametrize("lock", ["held", "free"])
def test_a_run_at_work_is_told_from_an_interrupted_one(tmp_path, lock):
    run = tmp_path / "net.partial"
    run.mkdir()
    metrics.append(run / "metrics.jsonl", {"step": 1, "phase": "train", "epoch": 1, "loss": 0.5})
    (run / ".lock").touch()
    os.utime(run / ".lock", (0, 0))
    with (run / ".lock").open("rb") as file:
        if lock == "held":
            fcntl.flock(file, fcntl.LOCK_EX)
        for folder in (tmp_path / "net", run):
            found = look(folder)
            assert found["kind"] == "run"
            assert found["states"] == {"at work" if lock == "held" else "interrupted": 1}
            assert found["learning"][0]["curves"][0]["points"] == [[1, 0.5]]


def test_a_lock_that_was_made_just_now_is_not_touched(tmp_path, monkeypatch):
    (tmp_path / ".lock").touch()
    monkeypatch.setattr(fcntl, "flock", lambda *_: pytest.fail("it was touched"))
    assert seen.is_held(tmp_path / ".lock")


def test_a_folder_shows_every_run_by_its_path(tmp_path):
    make(tmp_path / "a", {"command": "train", "test_accuracy": 0.75})
    make(tmp_path / "deep" / "b", {"command": "map"})
    make(tmp_path / "bad", {"no": "command"})
    make(tmp_path / "some", {"command": "run", "points": 2, "failed": 1, "list": []}, done=False)
    (tmp_path / "c.partial").mkdir()
    found = look(tmp_path)
    assert found["states"] == {"done": 2, "interrupted": 1, "incomplete": 1, "damaged": 1}
    assert {row["run"]: row["state"] for row in rows(found)} == {
        "a": "done", "deep/b": "done", "bad": "damaged", "c": "interrupted", "some": "incomplete",
    }  # fmt: skip
    assert found["failures"][0]["name"] == "bad"


def test_a_complete_run_is_read_again_only_when_it_is_replaced(tmp_path):
    make(tmp_path / "a", {"command": "train", "test_accuracy": 0.75})
    assert rows(look(tmp_path / "a"))[0]["accuracy"] == "0.75"
    time.sleep(0.01)
    (tmp_path / "a" / "summary.json").write_text(json.dumps({"command": "train", "test_accuracy": 0.5}))
    assert rows(look(tmp_path / "a"))[0]["accuracy"] == "0.5"


def test_the_end_of_a_log_says_how_the_last_try_went(tmp_path):
    log = tmp_path / "x.log"

    def end(text):
        log.write_text(text)
        time.sleep(0.002)
        return end_of_log(log)

    assert end(START + "Error: once\n" + START + "goes on\n").reason is None
    assert end(START + "Error: once\n" + DONE).reason is None
    assert (
        end(START + "Error: timed out after 3 s\n" + START.replace("start", "timeout")).reason == "timed out after 3 s"
    )
    assert end(START + "Traceback (most recent call last):\n  x\nKeyError: 'y'\n").reason == "KeyError: 'y'"
    long = end(START + "x" * 100 + "\n" + "line\n" * MOST_BYTES + "Error: last\n")
    assert (long.reason, len(long.lines)) == ("last", MOST_LINES)
    assert end_of_log(tmp_path / "none").lines == ()


def test_curves_are_thinned_to_what_can_be_seen_and_keep_their_ends():
    points = [(float(n), 0.0) for n in range(12345)]
    found = seen.thinned(points)
    assert len(found) <= seen.MOST_POINTS + 1
    assert (found[0], found[-1]) == (points[0], points[-1])
    assert seen.thinned([]) == []


def test_where_nothing_is_there_is_nothing_to_watch(tmp_path):
    with pytest.raises(RunError, match="no run, no sweep and no folder"):
        require_something(tmp_path / "none")
    (tmp_path / "soon.partial").mkdir()
    require_something(tmp_path / "soon")
