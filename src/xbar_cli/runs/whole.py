"""Files that are there whole or not at all, and as they were where a write failed."""

import os
from pathlib import Path


def write_whole(path: Path, text: str, *, follow: bool = False) -> None:
    """Write a text aside and rename it: where that fails (OSError), what was there is as it was. A link in its place gives way.

    With `follow` a link is followed, and what is no regular file (a device, a pipe) written right into.
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
