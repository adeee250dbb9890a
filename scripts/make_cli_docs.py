"""Writes docs/cli.md from the commands' own help; `--check` fails when it is out of date."""

import sys
from pathlib import Path

import click

from xbar_cli.cli.main import COMMANDS, cli

TARGET = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
HEAD = "# The command line\n\nWritten by `scripts/make_cli_docs.py` from the commands' own help; do not edit.\n"


def sections(command: click.Command, path: str, parent: click.Context | None) -> list[str]:
    """The help of a command and, for a group, of its subcommands."""
    context = click.Context(
        command, info_name=path.split()[-1], parent=parent, terminal_width=100, max_content_width=100
    )
    texts = [f"\n## {path}\n\n```\n{command.get_help(context)}\n```\n"]
    if isinstance(command, click.Group):
        names = COMMANDS if command is cli else command.list_commands(context)
        for name in names:
            child = command.get_command(context, name)
            assert child is not None
            texts += sections(child, f"{path} {name}", context)
    return texts


def main() -> int:
    """Write or check; the exit code."""
    text = HEAD + "".join(sections(cli, "xbar", None))
    if "--check" not in sys.argv:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    print("docs/cli.md is out of date: run scripts/make_cli_docs.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
