"""Whether a host answers, told within two seconds whatever the network does."""

import socket
import threading
import urllib.parse
import urllib.request

_CONNECT_SECONDS = 1.0
_TOTAL_SECONDS = 1.3


def reachable(url: str) -> bool:
    """Whether the host of `url`, or the proxy set for it, resolves and accepts a connection.

    Runs in a thread of its own, since name resolution knows no time limit.
    """
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    answered = threading.Event()

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
        except OSError:
            return
        answered.set()

    attempt = threading.Thread(target=connect, daemon=True)
    attempt.start()
    attempt.join(_TOTAL_SECONDS)
    return answered.is_set()
