"""The worker processes: they hang, die and are interrupted, and nothing of them is left behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from xbar_cli.errors import SpiceError
from xbar_cli.spice.jobs import Analysis, Grid, Simulation
from xbar_cli.spice.pool import Pool, workers_kept

pytestmark = pytest.mark.spice

QUICK = Analysis((("v1", Grid(0.0, 1.0, 3)),), ("i(v1)",))
CIRCUIT = ("v1 a 0 dc 1", "r1 a 0 2", ".save i(v1)")
ENDLESS = "dc v1 0 1 1e-10"

SCRIPT = """
import sys
from xbar_cli.spice.jobs import Analysis, Grid, Simulation
from xbar_cli.spice.pool import Pool, workers_kept
quick = Analysis((("v1", Grid(0.0, 1.0, 3)),), ("i(v1)",))
circuit = ("v1 a 0 dc 1", "r1 a 0 2", ".save i(v1)")
hang = Analysis((("v1", Grid(0.0, 1.0, 3)),), ("i(v1)",), ("dc v1 0 1 1e-10",))
with Pool(2, backend="ctypes") as pool:
    def started(done, total):
        if done == 2:
            print(*(w.process.pid for w in pool._workers), *(w.scratch.name for w in pool._workers), flush=True)
    pool.run([Simulation(circuit, (quick, hang))] * 2, timeout_s=100.0, on_outcome=started)
"""


def pids_of(pool):
    return [worker.process.pid for worker in pool._workers]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def gone_within(seconds, pids, folders=()):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(alive(pid) for pid in pids) and not any(Path(folder).exists() for folder in folders):
            return True
        time.sleep(0.02)
    return False


def test_a_simulation_that_takes_too_long_is_stopped_and_its_worker_replaced():
    with Pool(1, backend="ctypes") as pool:
        pool.version()
        pids, folders = pids_of(pool), [worker.scratch.name for worker in pool._workers]
        start = time.monotonic()
        with pytest.raises(SpiceError, match=r"not finished within 0\.3 s"):
            pool.run([Simulation(CIRCUIT, (QUICK,), (ENDLESS,))], timeout_s=0.3)
        assert time.monotonic() - start < 5.0
        assert gone_within(1.0, pids, folders)
        ((outcome,),) = pool.run([Simulation(CIRCUIT, (QUICK,))], timeout_s=30.0)
        np.testing.assert_allclose(outcome.values[0], [0.0, -0.25, -0.5])
        pids = pids_of(pool)
    assert gone_within(1.0, pids)


MANY = 400


def test_a_worker_that_dies_is_reported_and_its_share_run_again_once(caplog):
    kills, seen = [], []

    def kill(done, total):
        seen.append((done, total))
        if len(kills) < kills_wanted:
            kills.append(pids_of(pool)[0])
            os.kill(pids_of(pool)[0], signal.SIGKILL)

    job = Simulation(
        CIRCUIT, (QUICK,) * MANY
    )  # so many that it cannot be through with them when the first outcome is seen
    with Pool(1, backend="ctypes") as pool:
        kills_wanted = 1
        (found,) = pool.run([job], timeout_s=30.0, on_outcome=kill)
        assert [outcome.values.tolist() for outcome in found] == [[[0.0, -0.25, -0.5]]] * MANY
        assert seen[-1] == (MANY, MANY)
        assert "a worker process died (signal SIGKILL" in caplog.text
        kills_wanted = 3
        with pytest.raises(SpiceError, match="died twice on the same work"):
            pool.run(
                [Simulation(CIRCUIT, (QUICK, Analysis(QUICK.sweeps, QUICK.vectors, (ENDLESS,))))],
                timeout_s=30.0,
                on_outcome=kill,
            )


def test_kept_workers_serve_the_next_pool_of_their_kind_and_end_with_the_block():
    def once(**kind):
        with Pool(1, backend="ctypes", **kind) as pool:
            ((outcome,),) = pool.run([Simulation(CIRCUIT, (QUICK,))], timeout_s=30.0)
            return pids_of(pool)[0], outcome.values.tolist()

    with workers_kept():
        first, second = once(), once()
        other = once(time_points=True)
        assert first == second
        assert other[0] != first[0]
        with workers_kept(), Pool(1, backend="ctypes") as pool:
            assert pool.version().startswith("ngspice-"), "known without a new worker"
            assert pids_of(pool) == [first[0]]
        os.kill(first[0], signal.SIGKILL)
        assert once()[1] == first[1], "one that died while it was kept is replaced"
        assert alive(other[0])
    assert gone_within(1.0, [first[0], other[0]])
    assert once()[0] != first[0]


def test_an_interrupt_inside_the_pool_leaves_no_worker():
    pids = []

    def interrupt(done, total):
        pids.extend(pids_of(pool))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Pool(2, backend="ctypes") as pool:
        pool.run([Simulation(CIRCUIT, (QUICK, QUICK))] * 2, timeout_s=30.0, on_outcome=interrupt)
    assert pids
    assert gone_within(1.0, pids)


@pytest.mark.parametrize(
    ("how", "blow"), [("file", signal.SIGINT), ("stdin", signal.SIGKILL), ("group", signal.SIGINT)]
)
def test_ctrl_c_or_a_killed_parent_leaves_no_process_and_no_scratch(tmp_path, how, blow):
    """From a script without a `__main__` guard, and from an interpreter that has no main file, as a notebook."""
    script = tmp_path / "sweep.py"
    script.write_text(SCRIPT)
    arguments = [sys.executable, "-"] if how == "stdin" else [sys.executable, str(script)]
    with subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as parent:
        if how == "stdin":
            parent.stdin.write(SCRIPT)
        parent.stdin.close()
        words = parent.stdout.readline().split()
        pids, folders = [int(word) for word in words[:2]], words[2:]
        assert len(pids) == len(folders) == 2
        assert all(alive(pid) for pid in pids)
        assert all(Path(folder).is_dir() for folder in folders)
        if how == "group":  # what a terminal does on Ctrl-C
            os.killpg(parent.pid, blow)
        else:
            parent.send_signal(blow)
        assert gone_within(10.0, pids, folders)
        parent.wait(timeout=10.0)


def test_the_room_imports_neither_jax_nor_scipy():
    code = (
        "import sys, xbar_cli.spice.sweep, xbar_cli.spice.arraysim, xbar_cli.spice.worker;"
        "sys.exit(int(any(name in sys.modules for name in ('jax', 'scipy', 'xarray', 'multiprocessing.spawn'))))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_sizes_and_limits_are_checked():
    with pytest.raises(ValueError, match="size"):
        Pool(0, backend="ctypes")
    with Pool(1, backend="ctypes") as pool, pytest.raises(ValueError, match="timeout_s"):
        pool.run([], timeout_s=0.0)
    for bad in ((0.0, np.inf, 3), (0.0, 1.0, 0), (1.0, 0.0, 3), (0.0, 1.0, 1), (0.0, 1.0, 2.5), (0.0, 0.0, 2)):
        with pytest.raises(ValueError, match="grid"):
            Grid(*bad)


UNKNOWN = "12345"
"""A number that no user of a usual machine has."""


def test_a_user_whom_the_system_does_not_know_simulates_too():
    inside = ["unshare", "--user", f"--map-user={UNKNOWN}", f"--map-group={UNKNOWN}"]
    script = """
import os, pwd
try:
    pwd.getpwuid(os.getuid())
except KeyError:
    from xbar_cli.spice.jobs import Analysis, Grid, Simulation
    from xbar_cli.spice.pool import Pool
    job = Simulation(("v1 a 0 dc 1", "r1 a 0 2", ".save i(v1)"), (Analysis((("v1", Grid(0.0, 1.0, 3)),), ("i(v1)",)),))
    with Pool(1, backend="ctypes") as pool:
        print("solved", len(pool.run([job], timeout_s=60.0)))
"""
    if (
        shutil.which("unshare") is None
        or subprocess.run([*inside, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no name spaces of users here")
    done = subprocess.run(
        [*inside, sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "solved 1\n", done.stderr
