"""Ctrl-C as processes see it: one line, the way on, and what is half done put away."""

import os
import signal
import subprocess
import sys
import time

import pytest

BEFORE = """
import hashlib, sys, threading, time
from xbar_cli import interruption
from xbar_cli.interruption import held, unwinding
interruption.PATIENCE = 0.2
interruption.listen()
def ready():
    print("ready", flush=True)
def work():
    ready()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        time.sleep(0.01)
"""
AFTER = """
except BaseException as error:
    print(type(error).__name__, flush=True)
    if interruption.asked():
        interruption.leave()
"""


def told(body, *, presses=1, every=0.5, sent=signal.SIGINT):
    """Run the lines, press Ctrl-C (or send another signal) once they say `ready`: (exit status, stdout, stderr)."""
    code = f"{BEFORE}\ntry:\n" + "".join(f"    {line}\n" for line in body.strip().splitlines()) + AFTER
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "ready\n"
    for number in range(presses):
        if number:
            time.sleep(every)
        os.killpg(process.pid, sent)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


EITHER = pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
"""Ctrl-C, and a request to end, as of `timeout` or a scheduler."""


@EITHER
def test_with_nothing_to_put_away_it_leaves_at_once(sent, status):
    line = "Error: interrupted; nothing was kept: the same command starts again\n"
    assert told("work()", sent=sent) == (status, "", line)


@EITHER
def test_what_is_half_done_is_put_away_and_the_way_on_told(sent, status):
    body = """
with unwinding(lambda: "`xbar go` goes on"):
    try:
        work()
    finally:
        print("put away", flush=True)
"""
    assert told(body, sent=sent) == (status, "put away\nKeyboardInterrupt\n", "Error: interrupted; `xbar go` goes on\n")


def test_a_step_that_is_held_ends_first():
    body = """
with unwinding(lambda: "so"):
    with held():
        ready()
        for _ in range(30):
            time.sleep(0.01)
        print("whole", flush=True)
    print("not reached")
"""
    assert told(body)[:2] == (130, "whole\nKeyboardInterrupt\n")


def test_one_that_a_finaliser_swallows_is_tried_again():
    body = """
class Slow:
    def __del__(self):
        ready()
        while not interruption.asked():
            time.sleep(0.01)
        time.sleep(1)
with unwinding(lambda: "so"):
    slow = Slow()
    del slow
    work()
"""
    code, out, err = told(body)
    assert (code, out.split()[-1], err) == (130, "KeyboardInterrupt", "Error: interrupted; so\n")


def test_a_second_one_leaves_what_cannot_be_interrupted():
    body = """
with unwinding(lambda: "so"):
    threading.Timer(0.5, ready).start()  # while the main thread is inside it already
    hashlib.pbkdf2_hmac("sha256", b"x", b"x", 10**9)
"""
    began = time.monotonic()
    assert told(body, presses=2) == (130, "", "Error: interrupted; so\n")
    assert time.monotonic() - began < 10


def test_pressing_twice_at_once_is_pressing_once():
    body = """
with unwinding(lambda: "so"):
    try:
        work()
    finally:
        time.sleep(0.5)
        print("put away", flush=True)
"""
    assert told(body, presses=3, every=0.02) == (130, "put away\nKeyboardInterrupt\n", "Error: interrupted; so\n")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc for the thread that listens")
@pytest.mark.parametrize("moment", [0, 0.02, 0.2])
def test_the_command_line_is_one_line_from_its_start_on(moment, tmp_path):
    code = "from xbar_cli.cli.shared.start import run; run()"
    words = ["train", "--network", "mlp", "--epochs", "2", "--out", str(tmp_path / "net")]
    process = subprocess.Popen([sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True)
    while len(os.listdir(f"/proc/{process.pid}/task")) < 2:
        time.sleep(0.001)
    time.sleep(moment)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert (process.returncode, said.count("\n"), list(tmp_path.iterdir())) == (130, 1, [])
    assert said.startswith("Error: interrupted; ")
