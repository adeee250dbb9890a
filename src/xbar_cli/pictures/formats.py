"""The formats of pictures."""

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
