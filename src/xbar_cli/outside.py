"""What comes from outside: texts, paths and files, each through one check before anything else looks at it."""

import difflib
import json
import os
import re
import stat
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from xbar_cli.errors import ConfigError

MEGABYTE, GIGABYTE = 2**20, 2**30
LONGEST_QUOTE = 80
"""Characters of a value that an error quotes."""
LONGEST_TEXT = 4096
"""Characters of a value that is one text: a path may have so many."""
LONGEST_NAME = 255
"""Bytes of a file's name."""


_END = re.compile(r"[./]")


def quoted(value: object) -> str:
    """A value as an error quotes it: on one line, printable, at most 80 characters."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # whole numbers of thousands of digits, tables in tables without end
        return f"<{type(value).__name__} too long to show>"
    text = printable(text)
    return cut(text, LONGEST_QUOTE)


def cut(text: str, longest: int) -> str:
    """A text of so many characters at most, the last of which stands for what is left out."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` (did you mean X?)` where a name that is not known looks like one that is, or like the end of one; else nothing."""
    plain = {key: key.casefold().replace("-", "_") for key in known}
    asked = name.casefold().replace("-", "_")[:LONGEST_NAME]
    ends = [key for key, text in plain.items() if _END.split(text)[-1] == _END.split(asked)[-1]]
    by_text = {text: key for key, text in reversed(plain.items())}
    near = [by_text[text] for text in difflib.get_close_matches(asked, by_text, n=1, cutoff=0.7)]
    if not near and "." not in asked:
        by_end = {_END.split(text)[-1]: key for key, text in reversed(plain.items())}
        near = [by_end[text] for text in difflib.get_close_matches(asked, by_end, n=1, cutoff=0.7)]
    meant = ends[:3] or near
    return f" (did you mean {' or '.join(meant)}?)" if meant else ""


def printable(text: str) -> str:
    """A text as any terminal can show it: control characters and half characters as escapes."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown.encode("utf-8", "backslashreplace").decode("utf-8")


def clean_text(text: str) -> str:
    """The text, if a file or a terminal can hold it; ValueError where it is too long, has a NUL or half a character in it."""
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"{quoted(text)} has {len(text)} characters; at most {LONGEST_TEXT} are allowed")
    if "\0" in text:
        raise ValueError(f"{quoted(text)} has a NUL character in it")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{quoted(text)} is not UTF-8")
    return text


def at_home(path: str | Path) -> Path:
    """A path with `~` as the home folder. Where there is none, such as for a user without a name, nothing can be kept there."""
    found = os.path.expanduser(path)
    return Path(os.devnull, found) if found.startswith("~") else Path(found)


def clean_path(text: str | Path) -> Path:
    """A path that a file system can have; ConfigError where it is empty, or no text of a path."""
    try:
        path = Path(clean_text(str(text)))
    except ValueError as error:
        raise ConfigError(f"no path: {error}") from None
    if not str(text).strip():
        raise ConfigError("a path is wanted, and the text is empty")
    for part in path.parts:
        if len(part.encode()) > LONGEST_NAME:
            raise ConfigError(f"no path: the name {quoted(part)} is longer than {LONGEST_NAME} bytes")
    return path


def require_file(path: Path, *, most: int) -> None:
    """Raise ConfigError unless `path` is a regular file of at most `most` bytes.

    A FIFO, a device or a folder has no end or no content.
    """
    try:
        found = clean_path(path).stat()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
        raise ConfigError(f"{path}: cannot be read (it is {kind})")
    if found.st_size > most:
        raise ConfigError(f"{path}: has {found.st_size / MEGABYTE:.4g} MiB; at most {most / MEGABYTE:g} are read")


def read_bytes(path: Path, *, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes; ConfigError as of `require_file`."""
    require_file(path, most=most)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from None


def read_text(path: Path, *, most: int = 16 * MEGABYTE) -> str:
    """The text of a file in UTF-8, without a byte order mark; ConfigError as of `require_file`, or where it is no UTF-8."""
    try:
        return read_bytes(path, most=most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: cannot be read ({error.reason} at byte {error.start}: not UTF-8)") from None


def read_json(path: Path, *, most: int = 16 * MEGABYTE) -> Any:
    """What a JSON file holds; ConfigError as of `read_text`, or where it is not JSON, or nested too deeply."""
    text = read_text(path, most=most)
    try:
        return json.loads(text)
    except RecursionError:
        raise ConfigError(f"{path}: not JSON that can be read (nested too deeply)") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON ({quoted_error(error)})") from None


def parse_toml(text: str, *, where: str) -> dict[str, Any]:
    """What a TOML text holds; ConfigError where it is not TOML, nested too deeply, or has a number without an end."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{where}: not TOML that can be read (nested too deeply)") from None
    except ValueError as error:  # TOMLDecodeError, dates that are none, whole numbers of thousands of digits
        raise ConfigError(f"{where}: not TOML ({quoted_error(error)})") from None


def quoted_error(error: BaseException | str) -> str:
    """An error of a library, or what it says, cut where it quotes the input at length."""
    text = str(error).replace("; use sys.set_int_max_str_digits() to increase the limit", "")
    return text if len(text) <= 2 * LONGEST_QUOTE else f"{text[: 2 * LONGEST_QUOTE]}…"


def read_toml(path: Path, *, most: int = MEGABYTE) -> dict[str, Any]:
    """The contents of a TOML file; ConfigError where it is not there, not readable, too large, or not TOML."""
    return parse_toml(read_text(path, most=most), where=str(path))
