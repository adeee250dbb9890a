"""Keywords that every function has, and the types of their values."""

from collections.abc import Mapping
from os import PathLike
from typing import Any, TypedDict

RunOf = str | PathLike[str]
"""A run: a result, or its folder."""
Value = float | str | PathLike[str]
"""A number in SI units or with a suffix (`90n`), a text, or a place."""


class Kept(TypedDict, total=False):
    """Of every function.

    Attributes:
        out: the run's folder; `runs/COMMAND-TIME-HASH` without it.
        overwrite: whether a complete run there is replaced.
        quiet: no progress bar, no notes on stderr; True without it.
        figure_format: formats of figures beside PNG, `pdf,svg`.
    """

    out: str | PathLike[str]
    overwrite: bool
    quiet: bool
    figure_format: str


class Configured(Kept, total=False):
    """Of every function with options.

    Attributes:
        config: a TOML file with settings, below the keywords.
        settings: any keys of the configuration by their dotted names, above the keywords.
    """

    config: str | PathLike[str]
    settings: Mapping[str, Any]
