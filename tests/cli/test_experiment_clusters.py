"""A sweep of 12 points gives the same bits on any cluster, and survives a worker that is killed."""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

pytestmark = pytest.mark.slow
SWEEP = """
name = "twelve"
[stages.net]
command = "train"
network.name = "mlp"
network.width = 0.03
training.epochs = 0
[stages.evaluate]
command = "evaluate"
run = "@net"
monte_carlo.samples = 4
monte_carlo.images = 200
monte_carlo.yield_at = 0.1
[sweep]
evaluate.seed = [0, 1, 2]
evaluate.variation.amount = [0.0, 0.05, 0.1, 0.2]
"""
START = "from xbar_cli.cli.shared.start import run; run()"


def start(file, out, *words):
    """`xbar run` in a process group of its own."""
    line = [sys.executable, "-c", START, "run", str(file), "--out", str(out), "--json", "--quiet", *map(str, words)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def finish(process):
    out, err = process.communicate(timeout=220)
    assert process.returncode == 0, err
    return json.loads(out)


def checksum(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def starts(folder):
    return {log.stem: len(re.findall(r"^== .*: start ", log.read_text(), re.M)) for log in folder.glob("logs/*.log")}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweep") / "twelve.toml"
    path.write_text(SWEEP)
    return path


@pytest.fixture(scope="module")
def one(file):
    """The sweep by one worker: its folder."""
    out = file.parent / "one"
    summary = finish(start(file, out, "--workers", 1))
    assert [summary[key] for key in ("points", "done", "failed", "runs_computed")] == [12, 12, 0, 13]
    return out


def same(out, reference):
    """Every file of results is the same to the bit."""
    for path in [reference / "results.nc", *reference.glob("*/results.nc")]:
        assert checksum(out / path.relative_to(reference)) == checksum(path), path
    assert len(list(out.glob("evaluate-*/done"))) == 12
    assert not list(out.glob("*.partial"))


@pytest.mark.parametrize("workers", [2, 4])
def test_the_number_of_workers_does_not_matter(file, one, tmp_path, workers):
    finish(start(file, tmp_path / "out", "--workers", workers))
    same(tmp_path / "out", one)
    assert set(starts(tmp_path / "out").values()) == {1}


def test_neither_does_a_cluster_that_somebody_else_started(file, one, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    environment = os.environ | {"NPROC": "1", "OPENBLAS_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment, "cwd": tmp_path}
    module = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    scheduler = ["--host", address, "--no-dashboard"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
    processes = [subprocess.Popen([*module, *scheduler], **quiet)]
    try:
        processes += [subprocess.Popen(worker, **quiet) for _ in range(2)]
        wait_for_port(address)
        summary = finish(start(file, tmp_path / "out", "--scheduler", address))
    finally:
        for process in processes:
            stop(process)
    assert (summary["done"], summary["failed"]) == (12, 0)
    same(tmp_path / "out", one)
    text = "".join(log.read_text() for log in (tmp_path / "out" / "logs").glob("*.log"))
    assert len(set(re.findall(r"process (\d+): start", text))) == 2  # both worked


def wait_for_port(address):
    host, port = address.removeprefix("tcp://").split(":")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the scheduler does not listen")


def stop(process):
    family = [*psutil.Process(process.pid).children(recursive=True), process]
    for member in family:
        member.kill()
    process.wait()


def test_a_worker_killed_amid_its_work_costs_no_point(file, one, tmp_path):
    out = tmp_path / "out"
    process = start(file, out, "--workers", 2)
    deadline = time.monotonic() + 150
    while len(list(out.glob("evaluate-*/done"))) < 3:
        assert time.monotonic() < deadline
        assert process.poll() is None, "finished before a worker could be killed"
        time.sleep(0.01)
    # who is at work: the last to say so in its log, without having said that it is done
    log = max(out.glob("logs/evaluate-*.log"), key=lambda path: path.stat().st_mtime)
    victim = int(re.findall(r"process (\d+): start", log.read_text())[-1])
    assert victim != process.pid
    os.kill(victim, signal.SIGKILL)
    summary = finish(process)
    assert [summary[key] for key in ("points", "done", "failed")] == [12, 12, 0]
    counts = starts(out)
    assert sum(counts.values()) <= 13 + 1
    done = {log.stem: log.read_text().count(": done ") for log in out.glob("logs/*.log")}
    assert set(done.values()) == {1}
    same(out, one)


def test_killed_itself_it_goes_on_with_what_is_missing(file, one, tmp_path):
    out = tmp_path / "out"
    process = start(file, out, "--workers", 2)
    deadline = time.monotonic() + 150
    while len(list(out.glob("evaluate-*/done"))) < 5:
        assert time.monotonic() < deadline
        assert process.poll() is None, "finished before it could be killed"
        time.sleep(0.01)
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    before = {path.parent.name: checksum(path) for path in out.glob("evaluate-*/results.nc")}
    assert 5 <= len(before) < 12
    summary = finish(start(file, out, "--workers", 2))
    assert (summary["done"], summary["cached"], summary["failed"]) == (12, len(before), 0)
    assert {starts(out)[name] for name in before} == {1}
    assert all(checksum(out / name / "results.nc") == value for name, value in before.items())
    same(out, one)
