"""The shell blocks of the pages, and what is to be done with each.

A fenced block of language `sh` has one of three lines right above it:

    <!-- run -->             run by `make test`, in seconds
    <!-- run slow -->        run by `make slow`
    <!-- shown: REASON -->   not run, and why

The blocks of a page are run in order, in one folder of their own that has the clone's experiments, scripts and cards. A block of
any language below

    <!-- file: NAME -->

is written there first, as NAME; what `given.py` names is made there where a block uses it.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
FENCE = re.compile(r"^(?P<above>[^\n]*)\n```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
MARKER = re.compile(r"<!-- (?:(?P<run>run)(?P<slow> slow)?|shown: (?P<reason>.{3,})) -->")
FILE = re.compile(r"<!-- file: (?P<name>[\w.]+) -->")
SHELL = ("sh", "bash", "shell", "console")
SEPARATORS = ("&&", "||", "|", ";", "&")

Kind = Literal["run", "slow", "shown"]


@dataclass(frozen=True)
class Block:
    """A block of commands.

    Attributes:
        page: the page's file.
        line: of its first command.
        kind: what is done with it; None where no marker says it.
        text: its commands.
    """

    page: Path
    line: int
    kind: Kind | None
    text: str

    @property
    def place(self) -> str:
        """Page and line."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def calls(self) -> Iterator[list[str]]:
        """The words behind `xbar` in every call of it."""
        for line in self.text.replace("\\\n", " ").splitlines():
            words: list[str] = []
            for word in [*shlex.split(line, comments=True), ";"]:
                if word not in SEPARATORS:
                    words.append(word)
                    continue
                if words and Path(words[0]).name == "xbar":
                    yield redirected(words[1:])
                words = []


def redirected(words: list[str]) -> list[str]:
    """Words before the output goes into a file."""
    end = next((n for n, word in enumerate(words) if word in (">", ">>", "2>", "<")), len(words))
    return words[:end]


def blocks(page: Path) -> list[Block]:
    """The shell blocks of a page, in order."""
    content = page.read_text(encoding="utf-8")
    found: list[Block] = []
    for match in FENCE.finditer("\n" + content):
        if match["language"] not in SHELL:
            continue
        line = content[: match.start("text") - 1].count("\n") + 1
        found.append(Block(page, line, kind_of(match["above"]), match["text"]))
    return found


def files(page: Path) -> dict[str, str]:
    """The files that a page shows, by name."""
    found = FENCE.finditer("\n" + page.read_text(encoding="utf-8"))
    return {named["name"]: match["text"] for match in found if (named := FILE.fullmatch(match["above"].strip()))}


def kind_of(above: str) -> Kind | None:
    """What the line above a block says."""
    marker = MARKER.fullmatch(above.strip())
    if marker is None:
        return None
    return "shown" if marker["reason"] else "slow" if marker["slow"] else "run"
