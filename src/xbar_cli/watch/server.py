"""The page of what is watched, served on the loopback to whoever has its address: read only, two addresses and no files.

The address holds a random token. Requests for another host are refused, as of a page elsewhere whose name was made to lead here,
and so are those of pages of other origins.
"""

import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from xbar_cli.errors import XbarError
from xbar_cli.report.page import finite

LOOPBACK = "127.0.0.1"
HOSTS = (LOOPBACK, "localhost")
"""Names by which this machine asks itself."""
STATE = "state.json"
FRESH = 0.5
"""A look so young is shown again, however many ask [s]."""
PATIENCE = 20.0
"""For a request to be complete [s]."""


class Looks:
    """What `look` sees, at most every so often, whatever number of pages ask."""

    def __init__(self, look: Callable[[], Mapping[str, Any]]) -> None:
        """Of a function that looks."""
        self._look, self._lock = look, threading.Lock()
        self._text, self._taken = b"", 0.0

    def json(self) -> bytes:
        """The last look as JSON."""
        with self._lock:
            if not self._text or time.monotonic() - self._taken > FRESH:
                self._text = json.dumps(finite(self._look()), allow_nan=False).encode()
                self._taken = time.monotonic()
            return self._text


class WatchServer(ThreadingHTTPServer):
    """Serves one page and its state.

    Attributes:
        token: part of the address.
        page: the page.
        policy: of the page.
        looks: its state.
    """

    daemon_threads = True

    def __init__(self, *, port: int, page: str, policy: str, look: Callable[[], Mapping[str, Any]]) -> None:
        """Listen on the loopback; OSError where the port is taken."""
        super().__init__((LOOPBACK, port), Handler)
        self.token = secrets.token_urlsafe(24)
        self.page, self.policy, self.looks = page.encode("utf-8", "backslashreplace"), policy, Looks(look)

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.server_address[1]}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that is gone is no error."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server_version, sys_version = "xbar", ""
    error_message_format, error_content_type = "%(code)d %(message)s\n", "text/plain; charset=utf-8"
    timeout = PATIENCE

    def do_GET(self) -> None:
        """Answer with the page or its state."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """The same without content."""
        self._answer(body=False)

    @property
    def _of(self) -> WatchServer:
        """The server that the request is made to."""
        assert isinstance(self.server, WatchServer)
        return self.server

    def _answer(self, *, body: bool) -> None:
        if not self._from_here():
            self.send_error(HTTPStatus.FORBIDDEN, "only this machine may ask, by its own name")
            return
        parts = self.path.split("/")
        given = parts[1] if len(parts) == 3 else ""
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._of.token.encode()):
            self.send_error(HTTPStatus.NOT_FOUND, "no such page")
        elif parts[2] == "":
            self._send(self._of.page, "text/html; charset=utf-8", body=body)
        elif parts[2] == STATE and self.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin":
            self._send_state(body=body)
        else:
            self.send_error(HTTPStatus.NOT_FOUND, "no such page")

    def _send_state(self, *, body: bool) -> None:
        try:
            content = self._of.looks.json()
        except (OSError, XbarError) as error:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, f"cannot look ({type(error).__name__})")
        else:
            self._send(content, "application/json", body=body)

    def _from_here(self) -> bool:
        """Whether the request names this machine, and does not come from a page of another origin."""
        hosts, origins = self.headers.get_all("Host") or [], self.headers.get_all("Origin") or []
        names = [host.rpartition(":")[0] or host for host in hosts]
        return len(hosts) == 1 and names[0] in HOSTS and all(origin == f"http://{hosts[0]}" for origin in origins)

    def _send(self, content: bytes, kind: str, *, body: bool) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def end_headers(self) -> None:
        """With what holds for every answer."""
        self.send_header("Content-Security-Policy", self._of.policy)
        for name, value in (
            ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store"),
            ("Cross-Origin-Resource-Policy", "same-origin"), ("Cross-Origin-Opener-Policy", "same-origin"),
        ):  # fmt: skip
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is told of requests."""
