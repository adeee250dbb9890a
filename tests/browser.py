"""A headless Chromium by its DevTools protocol: pages opened at a width, what they ask for and complain of, keys and clicks."""

import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from tornado.websocket import websocket_connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WORDS = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "about:blank")  # fmt: skip


class Browser:
    """One tab; a context manager.

    Attributes:
        complaints: what the console and the log of the page said, exceptions among it.
        requests: addresses that the page asked for, itself left out.
    """

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._number = 0
        self.complaints, self.requests, self._page = [], [], ""

    def __enter__(self):
        self._process = subprocess.Popen(
            [CHROMIUM, f"--user-data-dir={self._profile.name}", *WORDS],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        port = Path(self._profile.name) / "DevToolsActivePort"
        until = time.monotonic() + 60
        while not (port.exists() and port.read_text().count("\n")):
            assert time.monotonic() < until, "chromium does not start"
            time.sleep(0.05)
        number, path = port.read_text().split()
        self._socket = self._await(websocket_connect, f"ws://127.0.0.1:{number}{path}", max_message_size=2**27)
        self._session = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        async def close():
            self._socket.close()
            await asyncio.sleep(0.05)

        try:
            self._await(close)
        finally:
            self._process.terminate()
            self._process.wait(30)
            self._loop.close()
            self._profile.cleanup()

    def _await(self, function, *given, seconds=60, **named):
        """What an asynchronous function comes to."""

        async def call():
            return await asyncio.wait_for(function(*given, **named), seconds)

        return self._loop.run_until_complete(call())

    def send(self, method, **parameters):
        """Ask the browser, taking note of what happens meanwhile; what it answers."""
        self._number += 1
        wanted = self._number
        message = {"id": wanted, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._await(self._socket.write_message, json.dumps(message))
        while True:
            found = self._read(60)
            if found.get("id") == wanted:
                assert "error" not in found, found
                return found["result"]

    def _read(self, seconds):
        found = json.loads(self._await(self._socket.read_message, seconds=seconds))
        kind, said = found.get("method"), found.get("params", {})
        if kind == "Runtime.exceptionThrown":
            self.complaints.append(str(said["exceptionDetails"]))
        elif kind == "Runtime.consoleAPICalled":
            self.complaints.append(str(said["args"]))
        elif kind == "Log.entryAdded":
            self.complaints.append(said["entry"]["text"])
        elif kind == "Network.requestWillBeSent":
            address = said["request"]["url"].partition("#")[0]
            if address != self._page and not address.startswith("data:"):
                self.requests.append(address)
        return found

    def open(self, address, *, width=1280, height=900, dark=False):
        """Open a page, or a file, in a window of this size, and wait until it is loaded."""
        self._page = Path(address).absolute().as_uri() if "://" not in str(address) else str(address)
        self.complaints.clear()
        self.requests.clear()
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.send(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )
        self.send("Page.navigate", url=self._page)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script):
        """What a script in the page comes to."""
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, script, seconds=30):
        """Wait until a script in the page says yes."""
        until = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < until, f"never: {script}"
            time.sleep(0.05)

    def press(self, key):
        """Press and release a key, such as Tab, Enter or Space."""
        text = {"Enter": "\r", "Space": " "}.get(key, "")
        name, code = ("Space", " ") if key == "Space" else (key, key)
        number = {"Tab": 9, "Enter": 13, "Space": 32}.get(key, 0)
        common = {"key": code, "code": name, "windowsVirtualKeyCode": number}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def write(self, text):
        """Type a text where the focus is."""
        self.send("Input.insertText", text=text)

    def picture(self, path, *, whole=True):
        """Write a picture of the page."""
        size = self.send("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 8000), "scale": 1}
        more = {"captureBeyondViewport": True, "clip": clip} if whole else {}
        Path(path).write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png", **more)["data"]))

    def printed(self, path):
        """Write the page as it prints."""
        Path(path).write_bytes(base64.b64decode(self.send("Page.printToPDF", printBackground=False)["data"]))
