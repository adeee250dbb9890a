"""What became of an input: the command line is run in this process, and what it said is judged."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.case import HERE, Case
from xbar_cli.cli.main import LONGEST_LINE

SAID = "Error: "
"""How an error begins."""


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    Attributes:
        verdict: `line`, `accepted`, `traceback`, `slow`, `partial`, `long` (an error of too many characters or lines), `died`.
        text: what it said, or the traceback.
        result: where it was accepted, what it printed and the digests of what it made, times and places apart.
        cpu: seconds of a processor that it took; 0 where nobody looked.
    """

    verdict: str
    text: str
    result: str = ""
    cpu: float = 0.0

    @property
    def good(self) -> bool:
        """Whether that is what is promised."""
        return self.verdict in ("line", "accepted")


def judge(case: Case, *, good: Path) -> Outcome:
    """Run one input in this process."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    here = os.getcwd()
    try:
        argv = case.lay_out(folder, good=good)
        os.chdir(folder)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), stubbed(case.stub):
            from xbar_cli.cli.main import guarded

            try:
                code = guarded(argv)
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else 1
            except BaseException:
                return Outcome("traceback", traceback.format_exc()[-3000:])
        said = err.getvalue().strip()
        left = [str(path) for path in folder.rglob("*.partial") if path.name not in case.copies]
        if left:
            return Outcome("partial", f"{left[0]}: {said[-300:]}")
        if code == 0:
            return Outcome("accepted", said[-3000:].replace(str(folder), HERE), result_of(out.getvalue(), folder))
        errors = [line for line in said.splitlines() if line.startswith(SAID)]
        longest = len(SAID) + LONGEST_LINE
        if len(errors) != 1 or not said.splitlines()[-1].startswith(SAID) or len(errors[0]) > longest:
            return Outcome("long", said[:3000])
        return Outcome("line", errors[0])
    finally:
        os.chdir(here)
        shutil.rmtree(folder, ignore_errors=True)


def result_of(printed: str, folder: Path) -> str:
    """What a command printed and the digests of the files it made (`out` or `page.html`), without times and places."""
    with contextlib.suppress(ValueError):
        printed = json.dumps(timeless(json.loads(printed)), sort_keys=True)
    made = (folder / name for name in ("out/results.nc", "out/model.safetensors", "page.html"))
    digests = [
        hashlib.sha256(path.read_bytes().replace(str(folder).encode(), HERE.encode())).hexdigest()
        for path in made
        if path.is_file()
    ]
    return "\n".join([printed.replace(str(folder), HERE), *digests])


def timeless(value: Any) -> Any:
    """A summary without times and places."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if "second" not in k and k not in ("out", "cached", "created")}
    return [timeless(item) for item in value] if isinstance(value, list) else value


@contextlib.contextmanager
def stubbed(active: bool) -> Iterator[None]:
    """Commands stop where their work would begin, their configuration being resolved and their directory made."""
    if not active:
        yield
        return
    from xbar_cli.cli.shared import running

    whole = running.execute

    def execute(command, config, **rest):
        rest |= {"workflow": lambda config, run, reporter: {"command": command, "out": str(run.final)}, "show": print}
        whole(command, config, **rest)

    running.execute = execute
    try:
        yield
    finally:
        running.execute = whole
