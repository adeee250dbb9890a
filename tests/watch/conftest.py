"""A sweep's folder as `xbar run` leaves it in the middle of its work, written by hand."""

import fcntl
import json

import pytest

from tests.report.test_report import make
from xbar_cli.runs import metrics

START = "== 2026-01-01 00:00:00 UTC, process 1: start sweep-1\n"
DONE = START.replace("start", "done")


@pytest.fixture
def sweep(tmp_path):
    """Points that are done, at work (by the lock on its log), failed, and waiting; yields the folder."""
    folder = tmp_path / "sweep"
    logs = folder / "logs"
    logs.mkdir(parents=True)
    points = [
        {"name": f"net.lr={lr}", "values": {"net.lr": lr}, "runs": {"net": f"net-{key}", "eval": f"eval-{key}"},
         "last": [f"eval-{key}"]}
        for lr, key in (("0.1", "a"), ("0.2", "b"), ("9", "c"), ("0.4", "d"))
    ]  # fmt: skip
    (logs / "plan.json").write_text(json.dumps({"experiment": "rates", "points": points}))
    for name, summary in (("net-a", {"command": "train"}), ("eval-a", {"command": "evaluate", "accuracy_mean": 0.5})):
        make(folder / name, summary)
        (logs / f"{name}.log").write_text(START + DONE)
    (folder / "net-b.partial").mkdir()
    for epoch in (1, 2, 3):
        metrics.append(
            folder / "net-b.partial" / "metrics.jsonl",
            {"step": epoch, "phase": "train", "epoch": epoch, "loss": 1 / epoch, "seconds": 1.0},
        )
    (logs / "net-b.log").write_text(START + "train: 0 of 9\n")
    (logs / "net-c.log").write_text(
        START + "Error: an earlier try\n" + START + "train: 0 of 9\nError: it <b>diverges</b>\n"
    )
    with (logs / "net-b.log").open("rb") as held, (logs / ".lock").open("wb") as lock:
        fcntl.flock(held, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
