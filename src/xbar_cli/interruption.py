"""Ctrl-C, or a request to end (SIGTERM, of `timeout` and schedulers), at any moment: one line, and the command that goes on.

The first one unwinds what has something to put away, or leaves at once where nothing has. A second one, more than `PATIENCE`
later, leaves at once in any case, also while the process is inside a compiler or a computation that Python cannot interrupt:
a thread of its own hears of it. Leaving at once is as harmless as kill -9: what is written is whole or is not there.
"""

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

AGAIN = "nothing was kept: the same command starts again"
"""Where a command keeps nothing of what it has not finished."""
PATIENCE = 1.0
"""How long after the first a second Ctrl-C is taken for the same one [s]."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What is taken for an interruption."""
LOST = 0.05
"""After this time a Ctrl-C is tried again that came where Python drops exceptions [s]."""
CLEAR = "\r\x1b[2K\x1b[?25h"
"""Removes a bar that stands on the terminal's line, and shows the cursor."""


class _Heard:
    """Where this process stands: the one thing here that is not a value, as signals are of the process."""

    def __init__(self) -> None:
        self.way_on: Callable[[], str] = lambda: AGAIN
        self.unwinding = self.holding = 0
        self.asked = self.raised = self.told = False
        self.code = 128 + signal.SIGINT


_state = _Heard()


def listen() -> None:
    """Take interruptions from now on; for the main thread of a process that is this command line and nothing else."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # the thread inherits this: signals are for the main one
    threading.Thread(target=_watch, args=(reading,), daemon=True, name="ctrl-c").start()
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in SIGNALS:
        signal.signal(number, _asked)
    sys.unraisablehook = _dropped
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def begin() -> None:
    """A command begins: nothing to put away, nothing kept."""
    _state.way_on, _state.told = (lambda: AGAIN), False


def asked() -> bool:
    """Whether Ctrl-C was pressed: whatever fails afterwards fails of that."""
    return _state.asked


def code() -> int:
    """Exit status of what was interrupted: 128 and the signal's number, as a shell has it."""
    return _state.code


def way_on() -> str:
    """How to go on after the command that is under way."""
    return _state.way_on()


def message() -> str:
    """The line, once: it counts as told."""
    _state.told = True
    return f"interrupted; {way_on()}"


@contextlib.contextmanager
def unwinding(way_on: Callable[[], str]) -> Iterator[None]:
    """Inside, the first Ctrl-C raises KeyboardInterrupt, so that what is half done is put away.

    `way_on` says how to go on, when that is to be told; it stays so after the block.
    """
    _state.way_on = way_on
    _state.unwinding += 1
    try:
        yield
    finally:
        _state.unwinding -= 1


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Inside, the first Ctrl-C waits for the end: for libraries that do not bear one, and short steps that go together."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.holding += 1
    try:
        yield
    finally:
        _state.holding -= 1
        if asked() and not _state.raised and not _state.holding:
            _raise()


def leave() -> None:
    """End this process now; whoever waits for an explanation gets the line."""
    if not _state.told:
        with contextlib.suppress(OSError):
            os.write(2, f"{CLEAR if os.isatty(2) else ''}Error: {message()}\n".encode(errors="replace"))
    os._exit(code())


def _raise() -> None:
    if not _state.unwinding:
        leave()
    _state.raised = True
    raise KeyboardInterrupt


def _asked(number: int = signal.SIGINT, *_: object) -> None:
    """Python's handler, in the main thread: the first Ctrl-C, or one that was dropped."""
    if not _state.asked:
        _state.asked, _state.code = True, 128 + number
        threading.excepthook = lambda _: None  # threads of libraries tell what the end does to them
        if (logging := sys.modules.get("logging")) is not None:
            logging.disable(logging.CRITICAL)
    if not _state.raised and not _state.holding:
        _raise()


def _dropped(unraisable: "sys.UnraisableHookArgs") -> None:
    """Where Python drops an exception, in a finaliser: an interrupt is tried again; others are told unless all ends."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt) and asked():
        _state.raised = False
        threading.Timer(LOST, _thread.interrupt_main).start()
    elif not asked():
        sys.__unraisablehook__(unraisable)


def _watch(reading: int) -> None:
    """Wait for signals: leave at a Ctrl-C that comes some time after the first."""
    first: float | None = None
    while True:
        for number in os.read(reading, 64):
            if number in SIGNALS:
                first = first or time.monotonic()
                if time.monotonic() - first > PATIENCE:
                    leave()
