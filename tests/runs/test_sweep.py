"""The graph on a real cluster: order, failures, retries, time limits, dying workers."""

import os
import time
from types import SimpleNamespace

import pytest

from xbar_cli.errors import RunError
from xbar_cli.runs.sweep import Job, _Execution, execute
from xbar_cli.runs.sweep_cluster import existing_cluster, local_cluster
from xbar_cli.runs.sweep_worker import Terms, settle

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
RETRIES = 1


@pytest.fixture(scope="module")
def client():
    with local_cluster(2, environment={"NPROC": "1", "XBAR_TEST": "there"}) as client:
        yield client


class Seen:
    """A watcher that remembers."""

    def __init__(self):
        self.starts, self.ends = [], []

    def started(self, key):
        self.starts.append(key)

    def ended(self, key, outcome):
        self.ends.append(key)

    def tick(self):
        pass


@pytest.fixture
def sweep(client, tmp_path):
    """Execute jobs given as {key: (payload, needs)}; the outcomes, and what the watcher saw."""

    def run(work, jobs, *, timeout=None, environment=None):
        seen = Seen()
        made = [Job(key, payload, tuple(needs)) for key, (payload, *needs) in jobs.items()]
        outcomes = execute(
            client, made, work, logs=tmp_path / "logs", width=2, retries=RETRIES, timeout=timeout,
            environment=environment or {}, watcher=seen,
        )  # fmt: skip
        return outcomes, seen

    return run


def test_jobs_run_after_what_they_need_and_failures_stay_apart(sweep, tmp_path):
    folder = str(tmp_path)

    def work(payload):
        import os
        import sys

        from xbar_cli.errors import ConfigError

        key, needs, how = payload
        print("told on stdout")
        os.write(2, b"told by a library\n")
        count = len([n for n in os.listdir(folder) if n.startswith(f"{key}.try")])
        open(os.path.join(folder, f"{key}.try{count}"), "w").close()
        assert all(os.path.exists(os.path.join(folder, need)) for need in needs), "ran before what it needs"
        if how == "config":
            raise ConfigError("no such thing\nsecond line")
        if how == "bug" or (how == "once" and count == 0):
            raise ZeroDivisionError("by nought")
        assert os.environ["XBAR_TEST"] == "there"
        assert "jax" not in sys.modules
        open(os.path.join(folder, key), "w").close()

    jobs = {  # the last first: the order of submission does not matter
        "d": (("d", ["b", "c"], ""), "b", "c"),
        "z": (("z", ["y"], ""), "y"),
        "y": (("y", ["x"], ""), "x"),
        "b": (("b", ["a"], ""), "a"),
        "c": (("c", ["a"], "once"), "a"),
        "a": (("a", [], ""),),
        "x": (("x", [], "config"),),
        "bug": (("bug", [], "bug"),),
    }
    outcomes, seen = sweep(work, jobs)
    assert {key for key, outcome in outcomes.items() if outcome.ok} == {"a", "b", "c", "d"}
    assert sorted(seen.ends) == sorted(jobs)
    assert seen.ends.index("a") < seen.ends.index("b") < seen.ends.index("d")
    assert (outcomes["x"].reason, outcomes["x"].attempts) == ("no such thing", 1)
    assert (outcomes["bug"].reason, outcomes["bug"].attempts) == ("ZeroDivisionError: by nought", 1 + RETRIES)
    assert outcomes["c"].attempts == 2
    assert outcomes["y"].reason == outcomes["z"].reason == "needs x, which failed: no such thing"
    log = (tmp_path / "logs" / "bug.log").read_text()
    assert log.count("told on stdout") == log.count("told by a library") == log.count("Traceback") == 2
    assert sorted(seen.starts) == sorted(["a", "b", "c", "c", "d", "x", "bug", "bug"])


def test_a_job_that_hangs_and_workers_that_die(sweep, tmp_path):
    folder = str(tmp_path)

    def work(how):
        import os
        import signal
        import time

        count = len([n for n in os.listdir(folder) if n.startswith(f"{how}.try")])
        open(os.path.join(folder, f"{how}.try{count}"), "w").close()
        if how == "hang":
            time.sleep(300)
        if how == "always" or (how == "once" and count == 0):
            os.kill(os.getpid(), signal.SIGKILL)

    began = time.monotonic()
    outcomes, _ = sweep(work, {how: (how,) for how in ("hang", "once", "always", "fine")}, timeout=2.0)
    assert time.monotonic() - began < 60
    assert outcomes["fine"].ok
    assert outcomes["once"].ok
    assert outcomes["hang"].reason == "timed out after 2 s"
    assert "worker process died" in outcomes["always"].reason
    tries = [sum(n.startswith(how) for n in os.listdir(folder)) for how in ("hang", "once", "always", "fine")]
    assert tries == [1, 2, 1 + RETRIES, 1]
    assert "timed out after 2 s" in (tmp_path / "logs" / "hang.log").read_text()


def test_a_worker_that_was_started_otherwise_is_refused(monkeypatch):
    monkeypatch.setenv("XBAR_A", "2")
    monkeypatch.delenv("XBAR_B", raising=False)
    settle({"XBAR_A": ("2", "os"), "XBAR_B": ("1", "a_module_not_imported")})
    assert os.environ["XBAR_B"] == "1"
    with pytest.raises(RunError, match="runs with XBAR_A = 2; start it with XBAR_A=1"):
        settle({"XBAR_A": ("1", "os")})


def test_no_scheduler_is_one_line_within_ten_seconds():
    for address in ("tcp://127.0.0.1:9", "nonsense://x", "tcp://no.such.host.invalid:8786"):
        began = time.monotonic()
        with pytest.raises(RunError, match="no Dask scheduler answers at") as error, existing_cluster(address):
            pass
        assert "\n" not in str(error.value)
        assert time.monotonic() - began < 10


def test_a_job_whose_log_takes_nothing_is_given_up_after_its_tries(tmp_path, monkeypatch):
    """On a full disk no try leaves its mark in the log."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xbar_cli.runs.sweep_worker.mark", full)
    terms = Terms(sweep="s", retries=RETRIES, logs=str(tmp_path), directory=os.getcwd(), timeout=None, environment={})
    tries = []

    class Full:
        """A cluster of one, which answers at once."""

        def submit(self, work, *given, **_):
            tries.append(given[0])
            answer = work(*given[:4])
            return SimpleNamespace(result=lambda: answer, add_done_callback=lambda callback: callback(None))

    watcher = SimpleNamespace(started=lambda key: None, ended=lambda key, outcome: None, tick=lambda: None)
    state = _Execution(Full(), {"job": Job("job", ())}, print, terms, None, watcher)
    state.submit_ready()
    state.follow()
    assert "No space left" in state.outcomes["job"].reason
    assert len(tries) == 1 + RETRIES
