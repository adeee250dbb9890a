"""Whether a network file has what a stage names, and takes the arguments that it gives: read, not run."""

import ast
from collections.abc import Sequence
from pathlib import Path

from xbar_cli.config.base import require
from xbar_cli.outside import did_you_mean, quoted, read_text

LARGEST = 1 << 20
"""Bytes of a file that is looked at."""


def check_file(name: str, arguments: Sequence[str]) -> None:
    """Raise ConfigError where NAME of FILE.py takes no argument that is called so.

    `name` is `FILE.py:NAME`; any other is let be, and what only running the file would tell: names that are imported, made by
    decorators or inherited.
    """
    place, _, called = name.rpartition(":")
    file = Path(place)
    if not place.endswith(".py") or not file.is_file():
        return
    try:
        tree = ast.parse(read_text(file, most=LARGEST))
    except (SyntaxError, ValueError, RecursionError):
        return  # the training shows the line
    named = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    if called not in named:
        return
    node = named[called]
    made_by = node if isinstance(node, ast.FunctionDef) else _initialiser(node)
    if made_by is None or made_by.args.kwarg is not None or node.decorator_list:
        return
    known = [arg.arg for arg in (*made_by.args.args, *made_by.args.kwonlyargs) if arg.arg not in ("self", "rngs")]
    for text in arguments:
        key = text.partition("=")[0].strip()
        said = f"network.args: {called} of {place} has no argument {quoted(key)}{did_you_mean(key, known)}"
        require(key in known, f"{said}; it takes {', '.join(known) or 'none'}")


def _initialiser(node: ast.ClassDef) -> ast.FunctionDef | None:
    """`__init__` of a class; None where it is inherited."""
    return next((part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"), None)
