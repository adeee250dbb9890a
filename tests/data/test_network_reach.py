"""Whether a host answers: against a server of this file, a closed port and a proxy."""

import socket
import time

import pytest

from xbar_cli.data.network import reachable


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def test_a_port_that_listens_is_reachable_and_a_closed_one_is_not(server):
    assert reachable(f"http://127.0.0.1:{server}/any/file.gz")
    assert not reachable(f"http://127.0.0.1:{closed_port()}/")


def test_behind_a_proxy_it_is_the_proxy_that_must_answer(server, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server}")
    monkeypatch.setenv("no_proxy", "")
    assert reachable("http://no.such.host.invalid/")
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{closed_port()}")
    assert not reachable("http://no.such.host.invalid/")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert reachable(f"http://127.0.0.1:{server}/")


def test_a_name_that_does_not_resolve_is_given_up_within_two_seconds(server):
    began = time.monotonic()
    assert not reachable("http://no.such.host.invalid/")
    assert time.monotonic() - began < 2
