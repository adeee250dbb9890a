"""The `xbar` script. What it imports first is light: Ctrl-C is heard before Click is there."""

import gc
import importlib
import os
import signal
import sys

from xbar_cli import interruption

NEW_OBJECTS = 10_000
"""Between two collections of garbage (Python's own: 700), of which imports and JAX's tracing make little: a tenth of a start."""


def run() -> None:
    """Entry point of the `xbar` script."""
    interruption.listen()
    gc.set_threshold(NEW_OBJECTS)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # XLA calls OpenBLAS, whose threads fight with its own
    from xbar_cli.caches import keep_compiled

    keep_compiled()
    code = importlib.import_module("xbar_cli.cli.main").guarded(sys.argv[1:])
    # threads that are still at work would tell how the interpreter ends
    if interruption.asked() and code == interruption.code():
        interruption.leave()
    for number in interruption.SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # what is done is done: the interpreter ends with its code
    sys.exit(code)
