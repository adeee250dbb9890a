"""The command as it was typed, for lines that say how to go on."""

import shlex

import click


def typed() -> str:
    """`xbar run my.toml --workers 2`, as it would be typed again; `xbar` where no command runs."""
    context = click.get_current_context(silent=True)
    words = context.find_root().obj if context is not None else None
    return shlex.join(["xbar", *(words or ())])
