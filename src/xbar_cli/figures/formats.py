"""The formats of pictures."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Literal, get_args

from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted

Format = Literal["png", "pdf", "svg"]
FORMATS: tuple[Format, ...] = get_args(Format)


def formats_of(text: str) -> tuple[str, ...]:
    """The formats of a list such as `pdf,svg`; ConfigError for another."""
    names = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    for name in names:
        if name not in FORMATS:
            raise ConfigError(f"{quoted(name)} is no format of a picture; use {', '.join(FORMATS)}")
    return names


_ASKED: ContextVar[tuple[str, ...]] = ContextVar("formats", default=())
"""Of the command that runs: how its figures are written is no part of its result, so that no configuration holds it."""


@contextlib.contextmanager
def also(text: str) -> Iterator[None]:
    """Figures are written in the formats of a list such as `pdf,svg` too; ConfigError for another."""
    token = _ASKED.set(formats_of(text))
    try:
        yield
    finally:
        _ASKED.reset(token)


def asked() -> tuple[str, ...]:
    """The formats that figures are written in besides PNG."""
    return _ASKED.get()
