"""Dask clusters that sweeps run on: processes of this machine, or one that somebody else started."""

import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from xbar_cli.errors import RunError
from xbar_cli.reporter import silenced

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

CONNECT_SECONDS = 4
"""How long a scheduler is waited for: once for its port, once for its answer."""
LOGS = ("distributed", "distributed.client")
LOCAL = {
    "distributed.logging.distributed": "critical",
    "distributed.scheduler.allowed-failures": 0,
    "distributed.worker.daemon": True,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.worker.memory.monitor-interval": "5s",
    "distributed.admin.tick.limit": "1h",
    "distributed.comm.timeouts.connect": "30s",
}
"""Settings of a local cluster. What to do when a worker dies is decided by the sweep: Dask blames every job that the worker
had in hand. Dask watches itself rarely: as often as it would, it takes a tenth of a processor."""


@contextlib.contextmanager
def local_cluster(workers: int, environment: Mapping[str, str]) -> "Iterator[Client]":
    """Worker processes on this machine, one thread each, started with the variables; when this process dies, they do.

    They talk to each other with certificates of this process alone, made anew each time: whoever else is on the machine, and
    could reach their ports, can't hand them work.
    """
    import dask
    from distributed import Client, LocalCluster
    from distributed.security import Security

    with dask.config.set(LOCAL), _variables(environment), silenced(*LOGS):
        _start_tracker()
        # workers and the threads that start them inherit the mask: Ctrl-C is for this process alone
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, memory_limit=0, silence_logs=logging.CRITICAL,
                security=Security.temporary(), protocol="tls://",
                scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            )  # fmt: skip
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        try:
            with Client(cluster, set_as_default=False) as client:
                yield client
        finally:
            _kill(cluster)
            cluster.close(timeout=10)


def _start_tracker() -> None:
    """Start what clears up after a killed process: later it would take the mask away, and it is to say nothing."""
    said = "ignore:resource_tracker"
    sys.warnoptions.append(said)  # which it inherits
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.remove(said)


@contextlib.contextmanager
def _variables(environment: Mapping[str, str]) -> Iterator[None]:
    """The variables in this process's environment, which new workers inherit before they import anything."""
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _kill(cluster: "LocalCluster") -> None:
    """End the worker processes at once: what is done is in its files, and what is not may take long."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        pid = nanny.pid
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def existing_cluster(address: str) -> "Iterator[Client]":
    """A cluster that somebody else started and that stays; RunError where nobody answers at the address."""
    from distributed import Client

    try:
        place = urlsplit(address)
        if place.scheme in ("tcp", "tls"):  # refused at once where nobody listens; Dask would go on trying
            socket.create_connection((place.hostname, place.port), timeout=CONNECT_SECONDS).close()
        with silenced(*LOGS):
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        line = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise RunError(f"no Dask scheduler answers at {address} ({line})") from None
    with silenced(*LOGS), client:
        yield client
