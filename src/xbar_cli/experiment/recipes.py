"""Experiment files to start from: commented templates of the package, written under a name of one's own."""

import difflib
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from xbar_cli.config.base import require
from xbar_cli.errors import ConfigError, RunError
from xbar_cli.outside import clean_path, quoted
from xbar_cli.runs.whole import write_whole

SUFFIX = ".toml"
_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*")


def templates() -> dict[str, str]:
    """What each template is of, in its first line, by name."""
    found = (item for item in _folder().iterdir() if item.name.endswith(SUFFIX))
    return {
        item.name.removesuffix(SUFFIX): item.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        for item in sorted(found, key=lambda item: item.name)
    }


def write_recipe(place: Path, *, template: str, overwrite: bool = False) -> list[Path]:
    """Write a template as `place`.toml, with the files that it reads beside it; what was written.

    RunError where one of them is there already.
    """
    known = templates()
    near = difflib.get_close_matches(template, known, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    require(template in known, f"there is no template {quoted(template)}; {meant}there are {', '.join(known)}")
    stem = stem_of(place)
    own = f"{template}."
    sources = sorted((item for item in _folder().iterdir() if item.name.startswith(own)), key=lambda item: item.name)
    targets = {stem.with_name(stem.name + item.name.removeprefix(template)): item for item in sources}
    for path in targets:
        if path.exists() and not overwrite:
            raise RunError(f"{path} exists; overwrite it, or choose another name")
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        for path, item in targets.items():
            write_whole(path, filled(item.read_text(encoding="utf-8"), stem))
    except OSError as error:
        raise RunError(f"{error.filename or stem} cannot be written: {error.strerror}") from None
    return sorted(targets, key=lambda path: path.suffix != SUFFIX)


def stem_of(place: Path) -> Path:
    """The name of the files without their ends; ConfigError where it cannot be that of an experiment."""
    path = clean_path(place)
    name = path.name.removesuffix(SUFFIX)
    if not _NAME.fullmatch(name):
        raise ConfigError(f"name = {quoted(name)} must be of letters, digits, '-', '_' and '.'")
    stem = path.with_name(name)
    if re.search(r"[\"\\\x00-\x1f\x7f]", str(stem)):
        raise ConfigError(
            f"{quoted(str(stem))}: a folder with quotes, backslashes or control characters cannot stand in a file"
        )
    return stem


def filled(text: str, stem: Path) -> str:
    """A template with its name and places."""
    for word, value in (("name", stem.name), ("path", str(stem)), ("file", f"{stem}{SUFFIX}")):
        text = text.replace("{{" + word + "}}", value)
    return text


def _folder() -> Traversable:
    return files("xbar_cli.experiment") / "templates"
