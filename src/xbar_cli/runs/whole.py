"""Files that are there whole or not at all, and as they were where a write failed; folders, and links in their place."""

import os
import shutil
from pathlib import Path

from xbar_cli.errors import RunError


def write_whole(path: Path, text: str, *, follow: bool = False) -> None:
    """Write a text aside and rename it; a link in its place gives way, unless it is to be followed.

    Args:
        path: of the file.
        text: what it is to hold.
        follow: whether a link is followed, and what is no regular file (a device, a pipe) written right into.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    place = Path(os.path.realpath(path)) if follow else path
    if follow and place.exists() and not place.is_file():
        place.write_text(text, encoding="utf-8", newline="")
        return
    whole = place.with_name(place.name + ".new")
    try:
        whole.unlink(missing_ok=True)
        with whole.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
        whole.replace(place)
    except BaseException:
        whole.unlink(missing_ok=True)
        raise


def remove(path: Path) -> None:
    """Remove a folder, or a link to one, as far as that goes."""
    if path.is_symlink():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)


def require_no_links(*paths: Path) -> None:
    """Raise RunError where something in an unfinished run is a link: what is written or removed there lies outside."""
    if (link := next((path for path in paths if path.is_symlink()), None)) is not None:
        raise RunError(f"{link} is a link, and a run lies in its own folder; remove it, or overwrite the run")
