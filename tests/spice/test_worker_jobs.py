"""What a worker does with a job, on an engine that only remembers; and how a worker's end is told."""

import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from xbar_cli.errors import SpiceError
from xbar_cli.spice.jobs import Analysis, Grid, Simulation
from xbar_cli.spice.worker import Worker, run_job


class Engine:
    """Remembers what it is asked, and answers a dc sweep with the number of its vector plus that of its point."""

    def __init__(self, *, points=None, first=None):
        self.asked, self.points, self.first = [], points, first
        self.dead = None

    def circ(self, lines):
        self.asked.append(("circ", *lines))

    def cmd(self, command):
        self.asked.append(("cmd", command))

    def dc(self, *sweeps, vectors):
        self.asked.append(("dc", *sweeps))
        counts = [round((sweeps[k + 2] - sweeps[k + 1]) / sweeps[k + 3]) + 1 for k in range(0, len(sweeps), 4)]
        if self.points is not None:
            counts = [self.points]
        size = int(np.prod(counts))
        return {v: (100.0 * n + np.arange(size)).reshape(counts, order="F") for n, v in enumerate(vectors)}

    def first_point_time(self):
        return self.first

    def destroy(self):
        self.asked.append(("destroy",))


VIN, VG = Grid(0.0, 0.5, 3), Grid(0.8, 1.0, 2)
JOB = Simulation(
    circuit=("r1 a 0 1k",),
    setup=("altermod lp capmod = 0",),
    analyses=(
        Analysis((("vin", VIN), ("vg", VG)), ("i(v1)", "i(v2)"), ("alter vbl dc = 0",)),
        Analysis((("vin", VIN),), ("i(v1)",), ("alter vbl dc = 0.06",)),
    ),
)


def test_circuit_setup_and_commands_come_before_their_analyses_and_the_end_after_all():
    engine = Engine()
    outcomes = list(run_job(engine, JOB))
    assert [asked[0] for asked in engine.asked] == ["circ", "cmd", "cmd", "dc", "cmd", "dc", "destroy"]
    assert engine.asked[3] == ("dc", "vin", 0.0, 0.5, 0.25, "vg", 0.8, 1.0, pytest.approx(0.2))
    assert len(outcomes) == 2


def test_values_are_one_row_a_vector_the_inner_sweep_fastest():
    first, second = run_job(Engine(), JOB)
    np.testing.assert_array_equal(first.values, [np.arange(6.0), 100 + np.arange(6.0)])
    np.testing.assert_array_equal(second.values, [np.arange(3.0)])
    assert first.first_seconds is None
    assert first.seconds >= 0


def test_points_that_do_not_come_back_are_an_error():
    with pytest.raises(SpiceError, match="2 points came back, 6 were asked for"):
        list(run_job(Engine(points=2), JOB))


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("raise SystemExit(3)", "exit status 3"),
        ("import sys; print('first\\nlast words', file=sys.stderr); raise SystemExit(1)", "exit status 1: last words"),
        (f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})", "signal SIGKILL"),
    ],
)
def test_the_end_of_a_process_is_told_with_its_last_line(tmp_path, script, told):
    with (tmp_path / "stderr.txt").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", script], stderr=log)
        process.wait()
    gone = SimpleNamespace(process=process, scratch=SimpleNamespace(name=str(tmp_path)))
    assert Worker.last_words(gone) == told
