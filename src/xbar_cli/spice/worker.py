"""The engine's process: a fresh interpreter with NumPy and ngspice, no JAX, that ends when its parent does.

The engine can end, hang or crash the process it lives in, and one process holds one engine. A worker is therefore an
interpreter of its own, started from nothing (the caller's `__main__` is not imported again, so scripts, notebooks,
pytest and the console script are all alike), in a scratch directory, and talks over a socket. Its standard input is a
lifeline: when the parent goes, however it goes, the pipe closes and the worker ends itself, also inside an analysis.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from xbar_cli.errors import SpiceError
from xbar_cli.spice.backends import BackendName, open_backend, resolve
from xbar_cli.spice.jobs import Analysis, Simulation, Solution
from xbar_cli.spice.ngspice import Simulator

_BOOT = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); import sys, json;"
    " sys.path[:] = json.loads(sys.argv[1])['path']; from xbar_cli.spice.worker import serve; serve()"
)
_THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "NPROC": "1"}


class Worker:
    """The parent's side of one worker process. `state` is starting, idle, busy or gone; `kind` what a pool may ask for."""

    def __init__(self, backend: BackendName, *, time_points: bool) -> None:
        """Start a process; it reports `ready` later. Raises SpiceError when library or package are missing."""
        name, library = resolve(backend)
        self.kind = (name, library, time_points)
        self.state = "starting"
        self.version = ""
        self.scratch = tempfile.TemporaryDirectory(prefix="xbar-spice-", ignore_cleanup_errors=True)
        ours, theirs = socket.socketpair()
        settings = {
            "backend": name,
            "time_points": time_points,
            "library": library and (os.path.abspath(library) if os.sep in library else library),
            "socket": theirs.fileno(),
            "path": [os.path.abspath(folder) for folder in sys.path],
        }
        try:
            with theirs, open(Path(self.scratch.name) / "stderr.txt", "wb") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-c", _BOOT, json.dumps(settings)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    cwd=self.scratch.name,
                    env={**os.environ, **_THREADS},
                    pass_fds=(theirs.fileno(),),
                )
        except BaseException:
            ours.close()
            self.scratch.cleanup()
            raise
        self.connection = Connection(ours.detach())

    def send(self, job: Simulation) -> None:
        """Hand over a job. Raises OSError when the process has died."""
        self.connection.send(job)
        self.state = "busy"

    def last_words(self) -> str:
        """How the process ended, for a message."""
        try:
            code = self.process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return "it closed its connection"
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        text = (Path(self.scratch.name) / "stderr.txt").read_text(errors="replace").strip().splitlines()
        return f"{how}: {text[-1][:200]}" if text else how

    def close(self) -> None:
        """End the process now, whatever it does, and remove its scratch directory."""
        if self.state == "gone":
            return
        self.state = "gone"
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.connection.close()
        self.scratch.cleanup()


def serve() -> None:
    """The worker's main loop: jobs in, outcomes out, until the parent closes or the engine dies."""
    settings = json.loads(sys.argv[1])
    # a user's ~/.spiceinit must not change results, and is not looked for where there is one here: ngspice asks the system
    # for the user's folder, and crashes for a user whom the system doesn't know, as in a container
    Path(".spiceinit").touch()
    os.environ["HOME"] = os.getcwd()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    connection = Connection(settings["socket"])
    try:
        engine = Simulator(open_backend(settings["backend"], settings["library"], time_points=settings["time_points"]))
        connection.send(("ready", engine.version()))
    except SpiceError as error:
        connection.send(("refused", str(error)))
        os._exit(0)
    while engine.dead is None:
        job = connection.recv()
        try:
            for outcome in run_job(engine, job):
                connection.send(("outcome", outcome))
            connection.send(("end", None))
        except SpiceError as error:
            connection.send(("failed", (str(error), engine.dead is not None)))
    os._exit(0)  # the engine asked to exit: no clean-up of its own can be trusted


def run_job(engine: Simulator, job: Simulation) -> Iterator[Solution]:
    """Load the job's circuit and do its analyses, one outcome each. Raises SpiceError."""
    engine.circ(job.circuit)
    for command in job.setup:
        engine.cmd(command)
    for analysis in job.analyses:
        for command in analysis.commands:
            engine.cmd(command)
        start = time.perf_counter()
        values = _analyse(engine, analysis)
        seconds, first = time.perf_counter() - start, engine.first_point_time()
        yield Solution(values=values, seconds=seconds, first_seconds=None if first is None else first - start)
    engine.destroy()


def _analyse(engine: Simulator, analysis: Analysis) -> np.ndarray:
    sweeps = [value for source, grid in analysis.sweeps for value in (source, grid.start, grid.stop, grid.step)]
    found = engine.dc(*sweeps, vectors=analysis.vectors)
    values = np.stack([found[name].reshape(-1, order="F") for name in analysis.vectors])
    if values.shape != (len(analysis.vectors), analysis.points):
        raise SpiceError(f"ngspice: {values.shape[1]} points came back, {analysis.points} were asked for")
    return values


def _end_with_parent() -> None:
    """Wait for the lifeline to close, then leave nothing behind."""
    while os.read(0, 1):
        pass
    shutil.rmtree(os.getcwd(), ignore_errors=True)
    os._exit(1)
