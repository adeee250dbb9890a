"""Folders of what can be made again: simulated tables of cells, compiled programs."""

import hashlib
import os
import platform
import shutil
import sys
import warnings
from contextlib import suppress
from pathlib import Path

from xbar_cli.outside import at_home

COMPILED_BYTES = 2**28
"""Most that compiled programs may take; the ones used longest ago go first."""
COMPILED_SECONDS = 0.02
"""Programs that compile faster are not kept."""


def cache_folder(what: str) -> Path:
    """Where `what` is kept: in $XBAR_CACHE_DIR, else in `xbar` of the user's cache folder."""
    override = os.environ.get("XBAR_CACHE_DIR")
    if override:
        return at_home(override) / what
    home = os.environ.get("XDG_CACHE_HOME")
    usual = "~/Library/Caches" if sys.platform == "darwin" else "~/.cache"
    return at_home(home or usual) / "xbar" / what


def keep_compiled() -> None:
    """Have JAX keep what it compiles from run to run, in this process and those that it starts.

    To be called before JAX is imported. JAX's own variables go before; a folder that cannot be written to leaves JAX
    without a cache. Programs are kept apart by processor and number of threads, which JAX's keys do not hold and the
    programs depend on.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    folder = cache_folder("compiled") / machine()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return
    forget_oldest(folder)
    # two processes that compile the same program at the same time: one may read what the other has half written
    warnings.filterwarnings("ignore", message="Error reading persistent compilation cache entry")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", str(COMPILED_SECONDS))


def forget_oldest(folder: Path, *, limit: int = COMPILED_BYTES) -> None:
    """Remove the files of `folder` that were used longest ago, until the others take half of `limit`, if all take more."""
    files = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # another process may be removing them too
                if not entry.is_file(follow_symlinks=False):  # a pipe, a link: not JAX's
                    discard(Path(entry.path))
                else:
                    files.append((entry.stat(), entry.path))
    size = sum(seen.st_size for seen, _ in files)
    if size <= limit:
        return
    for seen, path in sorted(files, key=lambda file: max(file[0].st_atime, file[0].st_mtime)):
        if size <= limit // 2:
            return
        with suppress(OSError):
            os.remove(path)
        size -= seen.st_size


def discard(path: Path) -> None:
    """Remove a file or a folder as far as that goes; links are not followed."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def bytes_in(folder: Path) -> int:
    """What the files below `folder` take; those that vanish meanwhile take nothing."""
    size = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):
            size += file.stat().st_size if file.is_file() else 0
    return size


def machine() -> str:
    """A short hash of processor, its instructions and the number of threads XLA takes."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        processor = sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})
    except OSError:
        processor = [platform.processor()]
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [os.cpu_count()]
    seen = [platform.machine(), *processor, str(len(cores)), os.environ.get("NPROC", "")]
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()[:16]
