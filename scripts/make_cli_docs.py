"""Writes docs/cli.md from the commands' own help, and the types of Python's keywords; `--check` fails where they are old."""

import sys
from pathlib import Path

import click

from xbar_cli.api.calls import keywords_of
from xbar_cli.cli.main import COMMANDS, cli
from xbar_cli.cli.shared.declared import Declared

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "cli.md"
KEYWORDS = ROOT / "src" / "xbar_cli" / "api" / "keywords.py"
TYPED = {"Characterize": "characterize", "Train": "train", "Map": "map", "Energy": "energy"}
HEAD = "# The command line\n\nWritten by `scripts/make_cli_docs.py` from the commands' own help; do not edit.\n"


def sections(command: click.Command, path: str, parent: click.Context | None) -> list[str]:
    """The help of a command and, for a group, of its subcommands."""
    context = click.Context(command, info_name=path.split()[-1], parent=parent, terminal_width=80, max_content_width=80)
    texts = [f"\n## {path}\n\n```\n{command.get_help(context)}\n```\n"]
    if isinstance(command, click.Group):
        names = COMMANDS if command is cli else command.list_commands(context)
        for name in names:
            child = command.get_command(context, name)
            assert child is not None
            texts += sections(child, f"{path} {name}", context)
    return texts


KEYWORDS_HEAD = '''"""Keywords of the functions, written by `scripts/make_cli_docs.py`; docs/cli.md says what each means."""

from collections.abc import Sequence
from typing import Any, Literal

from .common import Configured, RunOf, Value
'''


def keyword_type(option: Declared) -> str:
    """The type of what an option is set to."""
    if option.flag is not None:
        return "bool"
    if option.repeatable:
        return "Sequence[Any]"
    if option.choices:
        return f"Literal[{', '.join(map(repr, option.choices))}]".replace("'", '"')
    return "int" if option.metavar == "N" else "Value"


def keywords(name: str, options: dict[str, Declared], *, base: str, more: str = "") -> str:
    """The class of the keywords of a command."""
    lines = [f"    {key}: {keyword_type(option)}" for key, option in options.items()]
    return (
        f'\n\nclass {name}Keywords({base}, total=False):\n    """Of `{name.lower()}`."""\n\n{more}'
        + "\n".join(lines)
        + "\n"
    )


def all_keywords() -> str:
    """The module of the keywords."""
    found = {name: keywords_of(command) for name, command in TYPED.items()}
    of_chips = {name: keywords_of(name.lower()) for name in ("Evaluate", "Partition", "Advise", "Design")}
    parts = [
        keywords(name, options, base="Configured", more="    resume: RunOf\n" if name == "Train" else "")
        for name, options in found.items()
    ]
    chips = {key: o for key, o in of_chips["Evaluate"].items() if all(key in own for own in of_chips.values())}
    parts.append(keywords("Chip", chips, base="Configured"))
    for name, own in of_chips.items():
        parts.append(keywords(name, {key: o for key, o in own.items() if key not in chips}, base="ChipKeywords"))
    return KEYWORDS_HEAD + "".join(parts)


def main() -> int:
    """Write or check; the exit code."""
    late = False
    for target, text in {TARGET: HEAD + "".join(sections(cli, "xbar", None)), KEYWORDS: all_keywords()}.items():
        if "--check" not in sys.argv:
            target.write_text(text, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            late = True
            print(f"{target.relative_to(ROOT)} is out of date: run scripts/make_cli_docs.py", file=sys.stderr)
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
