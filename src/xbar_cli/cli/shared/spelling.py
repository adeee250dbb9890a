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

    A key is written with its sections, `mapping.bits`; or without, where no other option has it: with its value, with an
    underscore in it, or between backticks, since `bits` alone is a word. What is no option stays as it is, and so does what
    is quoted or part of a path or of `--set key=value`.
    """
    names = _names(options)
    if not names:
        return message
    keys = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    between = rf"`(?P<quoted>{keys})(?: = (?P<text>[^`]*))?`"
    bare = rf"(?P<key>{keys})(?: = (?P<value>{_VALUE}))?(?![\w=`]|[./\-]\w)"
    return re.sub(rf"(?<![\w./\-='\"`])(?:{between}|{bare})", lambda match: _option(match, names), message)


def _names(options: Iterable[Declared]) -> Mapping[str, Declared]:
    """The option of each key, and of each key without its sections that only one option has."""
    names: dict[str, Declared] = {}
    bare: dict[str, list[Declared]] = {}
    for option in options:
        for key in option.keys:
            names[key] = option
        for leaf in dict.fromkeys([option.key, *(key.rpartition(".")[2] for key in option.keys)]):
            bare.setdefault(leaf, []).append(option)
    return names | {leaf: alone[0] for leaf, alone in bare.items() if len(alone) == 1 and leaf not in names}


def _option(match: re.Match[str], names: Mapping[str, Declared]) -> str:
    """One key as its option."""
    key, value = match["quoted"] or match["key"], match["text"] or match["value"]
    option = names[key]
    if value is None and not (match["quoted"] or "." in key or "_" in key):
        return match[0]
    if option.flag is None:
        return option.name if value is None else f"{option.name} {value}"
    asked = "true" if value is None else value.strip("'\"").lower()
    return option.name if asked == option.flag else match[0]
