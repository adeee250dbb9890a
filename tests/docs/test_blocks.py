"""Every command in the pages is one that there is, and those that are marked so run as they stand."""

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from tests.docs.given import GIVEN
from tests.docs.pages import FENCE, PAGES, ROOT, SHELL, Block, blocks, files, kind_of
from xbar_cli.cli.main import cli

EVERY = [block for page in PAGES for block in blocks(page)]
SECONDS = 1800
COMMAND = re.compile(r"^(?: {4,}|\t)(?:\.venv/bin/)?(?:xbar|make) \w", re.MULTILINE)
"""A command in a block by indentation."""
BARE = re.compile(r"^(?:\.venv/bin/)?(?:xbar|make) \w", re.MULTILINE)
"""A command in a block without a language."""


@pytest.mark.parametrize("block", EVERY, ids=lambda block: block.place)
def test_every_block_says_what_is_done_with_it_and_its_commands_are_there(block: Block) -> None:
    assert block.kind is not None, (
        f"{block.place}: above it goes <!-- run -->, <!-- run slow --> or <!-- shown: REASON -->"
    )
    for words in block.calls():
        parsed(cli, words)


def parsed(command: click.Command, words: Sequence[str], parent: click.Context | None = None) -> None:
    """Read the words of a call as Click does, without running it; click.UsageError for an option that there is none of."""
    try:
        context = command.make_context(command.name, list(words), parent=parent)
    except click.exceptions.Exit:  # -h and --version
        return
    if isinstance(command, click.Group):
        with warnings.catch_warnings(action="ignore"):  # Click 9 has all in args
            rest = [*context.protected_args, *context.args]
        if not rest and command.invoke_without_command:
            return
        _, found, _ = command.resolve_command(context, rest)
        assert found is not None
        parsed(found, rest[1:], context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_command_stands_outside_of_a_shell_block(page: Path) -> None:
    if page.name == "cli.md":
        return
    text = page.read_text(encoding="utf-8")
    bare = [m["text"] for m in FENCE.finditer("\n" + text) if m["language"] not in SHELL and "[--" not in m["text"]]
    assert not [line for block in bare for line in BARE.findall(block)], (
        f"{page.name}: the language of that block is sh"
    )
    assert not COMMAND.findall(FENCE.sub("", "\n" + text)), f"{page.name}: commands stand in ```sh blocks"


def test_markers_are_read():
    assert [kind_of(text) for text in ("<!-- run -->", "<!-- run slow -->", "<!-- shown: hours -->", "", "<!-- shown: -->")] == [
        "run", "slow", "shown", None, None,
    ]  # fmt: skip


def test_a_wrong_option_is_met():
    with pytest.raises(click.UsageError, match="No such option"):
        parsed(cli, ["eval", "runs/net", "--variaton", "0.1"])


def pages_with(*kinds: str) -> list[Path]:
    """Pages that have blocks of these kinds."""
    return [page for page in PAGES if any(block.kind in kinds for block in EVERY if block.page == page)]


def given(script: str) -> list[str]:
    """Names of the reader's own files that commands use."""
    return [name for name in GIVEN if re.search(rf"(?<![\w/]){re.escape(name)}", script)]


def test_every_file_that_readers_have_is_used():
    assert set(given("".join(block.text for block in EVERY if block.kind != "shown"))) == set(GIVEN)


def run(page: Path, folder: Path, *, kinds: Sequence[str]) -> None:
    """Run the blocks of a page in order, in one folder, as they stand."""
    script = "set -eo pipefail\n" + "".join(b.text for b in EVERY if b.page == page and b.kind in kinds)
    for name in ("experiments", "scripts", "spice_netlists"):
        (folder / name).symlink_to(ROOT / name)
    for name, text in files(page).items():
        (folder / name).write_text(text, encoding="utf-8")
    for name in given(script):
        GIVEN[name](folder / name)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script.replace(".venv/bin/xbar", "xbar")], cwd=folder,
        env=os.environ | {"PATH": path, "XBAR_DATA_DIR": str(folder / "data sets")},
        capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, f"{page.name}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.timeout(SECONDS + 30)
@pytest.mark.parametrize("page", pages_with("run"), ids=lambda page: page.stem)
def test_blocks_run_as_they_stand(page: Path, tmp_path: Path) -> None:
    run(page, tmp_path, kinds=("run",))


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 30)
@pytest.mark.parametrize("page", pages_with("slow"), ids=lambda page: page.stem)
def test_long_blocks_run_as_they_stand(page: Path, tmp_path: Path) -> None:
    run(page, tmp_path, kinds=("run", "slow"))
