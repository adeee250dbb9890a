"""Data sets written aside and moved to their place once they are complete, so that a killed or failed import changes nothing."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xbar_cli.errors import DataError

STAGING = ".xbar-import-"


@contextmanager
def staged_in(data_dir: Path) -> Iterator[Path]:
    """A temporary directory inside `data_dir`, locked against other imports; what killed ones left is cleared."""
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = os.open(data_dir, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(f"{data_dir}: another import is under way; try again when it has ended") from error
        for stale in data_dir.glob(f"{STAGING}*"):
            _recover(stale, data_dir)
        staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=data_dir))
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    finally:
        os.close(lock)


def install(staged: Path, target: Path, *, aside: Path) -> None:
    """Move `staged` to `target`; what was there goes to `aside`, and back if the move fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        aside.mkdir()
        (aside / "target").write_text(str(target.relative_to(aside.parent.parent)))
        target.rename(aside / "set")
    try:
        staged.rename(target)
    except BaseException:
        if (aside / "set").exists():
            (aside / "set").rename(target)
        raise


def _recover(stale: Path, data_dir: Path) -> None:
    """Clear what a killed import left; a set that it had moved aside goes back when nothing took its place."""
    replaced = stale / "replaced"
    if (replaced / "set").is_dir() and (replaced / "target").is_file():
        target = data_dir / (replaced / "target").read_text()
        if not target.exists():
            (replaced / "set").rename(target)
    shutil.rmtree(stale, ignore_errors=True)
