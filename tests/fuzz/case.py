"""One input of a command, with the files it needs: plain data that a corpus can keep."""

import base64
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = "{here}"
"""Stands for the folder of the case in its arguments."""


@dataclass(frozen=True)
class Edit:
    """A change of one file.

    Attributes:
        path: relative to the case's folder.
        op: `write` (the bytes of `data`), `delete`, `truncate` (to `at` bytes), `flip` (bit `at`), `fifo`, `link` (to the path
            in `data`), `folder`.
        at: where.
        data: base64.
    """

    path: str
    op: str
    at: int = 0
    data: str = ""

    def apply(self, folder: Path) -> None:
        """Make the change."""
        path = folder / self.path
        match self.op:
            case "write":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(base64.b64decode(self.data))
            case "delete":
                path.unlink()
            case "truncate":
                os.truncate(path, min(self.at, path.stat().st_size))
            case "flip":
                content = bytearray(path.read_bytes())
                content[self.at // 8 % len(content)] ^= 1 << self.at % 8
                path.write_bytes(content)
            case "fifo":
                path.unlink(missing_ok=True)
                os.mkfifo(path)
            case "link":
                path.unlink(missing_ok=True)
                path.symlink_to(base64.b64decode(self.data).decode())
            case "folder":
                path.unlink(missing_ok=True)
                path.mkdir(parents=True)
            case _:
                raise ValueError(self.op)


def write(path: str, content: bytes | str) -> Edit:
    """A file with this content."""
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return Edit(path, "write", data=base64.b64encode(raw).decode())


@dataclass(frozen=True)
class Case:
    """A command line and its files.

    Attributes:
        kind: of mutation, as the table of results counts them.
        argv: arguments; `{here}` stands for the case's folder.
        copies: good runs and files that lie in its folder, by name there.
        edits: what is changed of them, or made besides.
        stub: whether the command stops where its work would begin.
    """

    kind: str
    argv: tuple[str, ...]
    copies: Mapping[str, str] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()
    stub: bool = False

    def lay_out(self, folder: Path, *, good: Path) -> list[str]:
        """Make its files in `folder`; the arguments with its name."""
        for name, source in self.copies.items():
            origin = good / source
            if origin.is_dir():
                shutil.copytree(origin, folder / name, symlinks=True)
            else:
                shutil.copy(origin, folder / name)
        for edit in self.edits:
            edit.apply(folder)
        return [word.replace(HERE, str(folder)) for word in self.argv]

    def line(self) -> str:
        """As the corpus keeps it: one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, line: str) -> "Case":
        """From a line of the corpus."""
        found = json.loads(line)
        edits = tuple(Edit(**edit) for edit in found.pop("edits"))
        return cls(**{**found, "argv": tuple(found["argv"]), "edits": edits})
