"""The command as it was typed, for lines that say how to go on."""

import shlex
from collections.abc import Callable

import click


def typed() -> str:
    """`xbar run my.toml --workers 2`, as it would be typed again; `xbar` where no command runs."""
    context = click.get_current_context(silent=True)
    words = context.find_root().obj if context is not None else None
    return shlex.join(["xbar", *(words or ())])


def way_on(where: str) -> Callable[[], str]:
    """What goes on after Ctrl-C, and where: it is said when no command runs any more."""
    said = f"`{typed()}` goes on {where}"
    return lambda: said
