"""The `xbar` script. What it imports first is light: Ctrl-C is heard before Click is there."""

import importlib
import os
import signal
import sys

from xbar_cli import interruption


def run() -> None:
    """Entry point of the `xbar` script."""
    interruption.listen()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # XLA calls OpenBLAS, whose threads fight with its own
    from xbar_cli.caches import keep_compiled

    keep_compiled()
    code = importlib.import_module("xbar_cli.cli.main").guarded(sys.argv[1:])
    if code == interruption.CODE:  # threads that are still at work would tell how the interpreter ends
        interruption.leave()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is done is done: the interpreter ends with its code
    sys.exit(code)
