"""Messages name configuration keys; the command that runs says them as its options."""

import re
from collections.abc import Iterable, Mapping

import click

from .declared import Declared

_VALUE = r"""'[^']*'|"[^"]*"|(?:[^\s,;:()`]|[,:;](?=\S))*[^\s,;:().`]"""


def speak(options: Iterable[Declared]) -> None:
    """From now on, messages of the command that runs name these options."""
    click.get_current_context().meta[__name__] = options


def spoken(message: str) -> str:
    """`message` with the keys of the command that runs as its options; as it is where none runs."""
    context = click.get_current_context(silent=True)
    return translated(message, context.meta.get(__name__, ()) if context else ())


def translated(message: str, options: Iterable[Declared]) -> str:
    """`message` with the keys of `options` as options, and `key = value` as `--option value`.

    Keys stand with their sections, `mapping.bits`; those of no section with a value, `method = neat`, since `images` alone is a
    word; and any, even without its section where one option alone has it, between backticks. What is no option stays as it
    is, and so does what is quoted or part of a path or of `--set key=value`.
    """
    named, short = _names(options)
    if not named:
        return message
    said = named | short
    between = rf"`(?P<short>{_any(said)})(?: = (?P<text>[^`]*))?`"
    bare = rf"(?P<key>{_any(named)})(?: = (?P<value>{_VALUE}))?(?![\w=`]|[./\-]\w)"
    return re.sub(rf"(?<![\w./\-='\"`])(?:{between}|{bare})", lambda match: _option(match, said), message)


def _any(names: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, names), key=len, reverse=True))


def _names(options: Iterable[Declared]) -> tuple[dict[str, Declared], dict[str, Declared]]:
    """The option of each key, and of each key without its sections that one option alone has."""
    named = {key: option for option in options for key in (option.key, *option.keys)}
    short: dict[str, list[str]] = {}
    for key, option in named.items():
        short.setdefault(key.rpartition(".")[2], []).append(option.name)
    alone = {leaf for leaf, names in short.items() if len(set(names)) == 1}
    return named, {key.rpartition(".")[2]: option for key, option in named.items() if key.rpartition(".")[2] in alone}


def _option(match: re.Match[str], said: Mapping[str, Declared]) -> str:
    """One key as its option."""
    key, value = match["short"] or match["key"], match["text"] or match["value"]
    if value is None and match["short"] is None and "." not in key:
        return match[0]
    option = said[key]
    if option.flag is None:
        return option.name if value is None else f"{option.name} {value}"
    asked = "true" if value is None else value.strip("'\"").lower()
    return option.name if asked == option.flag else match[0]
