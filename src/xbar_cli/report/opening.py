"""Runs as a page takes them: complete, or a sweep with points to do; their pictures; and the files of a report, written."""

import base64
import io
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from xbar_cli.errors import RunError
from xbar_cli.report.page import RunSection
from xbar_cli.runs.directory import DONE, partial
from xbar_cli.runs.listing import Entry, open_entry
from xbar_cli.runs.seal import ANEW, require_intact
from xbar_cli.runs.whole import write_whole

PNG = b"\x89PNG\r\n\x1a\n"
LONGEST_CAPTION = 2000
"""Characters of what a picture says of itself that are shown."""
MOST_NAMED = 3
"""Runs that the title of a page names."""


def open_run_entry(path: Path) -> Entry:
    """The run at `path`, complete or a sweep with points to do; RunError where there is none, half of one, or a damaged one."""
    entry = open_entry(path) if path.is_dir() else None
    if entry is None:
        if partial(path).is_dir():
            raise RunError(f"{path} is half-written (it was interrupted, or still runs); see {partial(path)}")
        raise RunError(f"{path}: no run there; `xbar ls` lists runs")
    if entry.state in ("damaged", "interrupted", "at work"):
        raise RunError(f"{path}: {entry.reason or 'not a complete run'}")
    if (path / DONE).exists():
        require_intact(path)
    return entry


def picture(path: Path) -> tuple[str, str]:
    """A figure of a run in base64, and what the file says of it.

    A link is not followed: the page would show what lies outside of the run.
    """
    content = b"" if path.is_symlink() or not path.is_file() else path.read_bytes()
    if not content.startswith(PNG):
        raise RunError(f"{path} is no picture; {ANEW}")
    return base64.b64encode(content).decode(), described(content)


def described(content: bytes) -> str:
    """What a PNG says of itself; nothing where it is damaged."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as opened:
            return str(opened.info.get("Description", ""))[:LONGEST_CAPTION]
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError):
        return ""


def title_of(sections: Sequence[RunSection]) -> str:
    """The runs of a page in a few words."""
    names = [section.name for section in sections]
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write files, each whole or not at all. RunError where one cannot be written."""
    for path, content in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content.encode("utf-8", "backslashreplace").decode(), follow=True)
        except OSError as error:
            raise RunError(f"{path} cannot be written: {error.strerror}") from None
