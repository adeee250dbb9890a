"""The page of `xbar watch` over HTTP: for this machine, with its token, to be read; nothing else is answered."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from tests.browser import CHROMIUM, Browser
from xbar_cli.watch.look import look
from xbar_cli.watch.page import watch_page
from xbar_cli.watch.server import WatchServer

RUNS = "document.documentElement.dataset.ran=1"
EVIL = f"<img src=x onerror='{RUNS}'></script><script>{RUNS}</script>"


@pytest.fixture
def serve():
    """Serve what a function sees; returns the server."""
    opened = []

    def start(look_):
        page, policy = watch_page(f"watch {EVIL}")
        server = WatchServer(port=0, page=page, policy=policy, look=look_)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        opened.append(server)
        return server

    yield start
    for server in opened:
        server.shutdown()
        server.server_close()


def ask(server, path, *, method="GET", skip_host=False, **headers):
    """Status, headers and content of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    connection.putrequest(method, path, skip_host=skip_host or "Host" in headers, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def test_the_page_and_its_state_are_for_who_has_the_address(serve, sweep):
    server = serve(lambda: look(sweep))
    path = f"/{server.token}/"
    status, headers, page = ask(server, path)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert EVIL.encode() not in page
    status, headers, state = ask(server, path + "state.json", Host="localhost:1", Sec_Fetch_Site="same-origin")
    assert status == 200
    assert json.loads(state)["states"] == {"done": 1, "at work": 1, "failed": 1, "waiting": 1}
    for name, value in (
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    ):
        assert headers[name] == value
    assert "Access-Control-Allow-Origin" not in headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert ask(server, path, method="HEAD")[2] == b""


def test_without_the_token_there_is_no_page(serve):
    server = serve(dict)
    token = server.token
    assert len(token) >= 32
    assert token != serve(dict).token
    for path in ("/", "//", f"/{token}", f"/{token[:-1]}/", f"/{token}x/", "/state.json", f"/{token[::-1]}/state.json",
                 f"/{token}/?x=1", "/%00/", f"/x/{token}/"):  # fmt: skip
        status, _, content = ask(server, path)
        assert status == 404
        assert token.encode() not in content


def test_no_path_leads_to_a_file(serve, sweep):
    server = serve(lambda: look(sweep))
    for path in ("../logs/net-b.log", "logs/net-b.log", "..%2f..%2fetc%2fpasswd", "../../../../etc/passwd", "//etc/passwd",
                 "state.json/../../x", "state.json%00", "page.js", "\\..\\x"):  # fmt: skip
        assert ask(server, f"/{server.token}/{path}")[0] in (400, 404)


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "evil.example:80"}, {"Host": "127.0.0.1.evil.example:80"}, {"Host": ""},
     {"Host": "localhost@evil.example"}, {"skip_host": True}, {"Origin": "http://evil.example"}, {"Origin": "null"}],
)  # fmt: skip
def test_other_names_and_pages_of_elsewhere_are_refused(serve, headers):
    server = serve(dict)
    assert ask(server, f"/{server.token}/", **headers)[0] == 403
    assert ask(server, f"/{server.token}/state.json", **headers)[0] == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_page_of_another_site_cannot_ask_for_the_state(serve, site):
    server = serve(dict)
    assert ask(server, f"/{server.token}/state.json", Sec_Fetch_Site=site)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_can_be_done_with_it(serve, method):
    server = serve(dict)
    status, headers, _ = ask(server, f"/{server.token}/", method=method)
    assert status == 501
    assert "Access-Control-Allow-Origin" not in headers


def test_it_listens_on_the_loopback_alone(serve):
    server = serve(dict)
    assert server.socket.getsockname()[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.server_address[1]}/{server.token}/"


def test_what_cannot_be_looked_at_is_an_answer(serve):
    def gone():
        raise FileNotFoundError("secret path")

    server = serve(gone)
    status, _, content = ask(server, f"/{server.token}/state.json")
    assert status == 503
    assert b"secret" not in content


def test_many_who_ask_make_one_look(serve):
    looks = []
    server = serve(lambda: looks.append(1) or {"n": len(looks)})
    for _ in range(5):
        ask(server, f"/{server.token}/state.json")
    assert len(looks) == 1


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_shows_a_live_sweep_and_every_text_as_text(serve, sweep):
    (sweep / "logs" / "net-c.log").write_text(f"== x: start s\n{EVIL}\nError: {EVIL}\n")
    (sweep / "eval-a" / "summary.json").write_text(
        json.dumps({"command": "evaluate", "accuracy_mean": 0.25, "network": EVIL})
    )
    plan = json.loads((sweep / "logs" / "plan.json").read_text())
    plan["experiment"], plan["points"][0]["values"] = EVIL, {EVIL: EVIL}
    (sweep / "logs" / "plan.json").write_text(json.dumps(plan))
    server = serve(lambda: look(sweep))
    with Browser() as browser:
        browser.open(server.address, width=360)
        browser.wait("document.querySelectorAll('tbody tr').length === 4")
        assert browser.run("document.querySelector('#standing').textContent") == "at work: 1 of 4 done"
        assert browser.run("document.querySelector('#title').textContent") == EVIL
        assert EVIL in browser.run("document.querySelector('#failures pre').textContent")
        assert browser.run("document.querySelectorAll('#learning svg path').length") == 1
        assert browser.run("document.documentElement.dataset.ran === undefined && !document.querySelector('main img')")
        assert browser.run("document.documentElement.scrollWidth") <= 360
        assert browser.complaints == []
        assert set(browser.requests) == {server.address + "state.json"}
        server.shutdown()
        server.server_close()
        browser.wait("document.querySelector('#standing').textContent.startsWith('no answer')", 20)


def test_the_command_says_its_address_and_ends_with_one_line(sweep):
    words = [sys.executable, "-c", "import sys; from xbar_cli.cli.shared.start import run; run()", "watch", str(sweep)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONUNBUFFERED": "1"})  # fmt: skip
    said = process.stdout.readline()
    assert said.startswith(f"watching {sweep}: http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == "Error: interrupted; what is watched goes on, and the same command watches it again\n"


def test_a_port_that_is_taken_and_a_folder_that_is_not_there_are_one_line(tmp_path, capsys):
    from xbar_cli.cli.main import guarded

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert guarded(["watch", str(tmp_path), "--port", str(port)]) == 1
    assert f"--port {port} cannot be listened on" in capsys.readouterr().err
    assert guarded(["watch", str(tmp_path / "none")]) == 1
    assert "no run, no sweep and no folder of runs there" in capsys.readouterr().err
