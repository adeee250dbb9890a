"""What commands print and where, and what is left of a run that fails."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from xbar_cli.cli.shared import console, reporter
from xbar_cli.cli.shared.console import plain, print_json, print_table
from xbar_cli.cli.shared.reporter import TerminalReporter
from xbar_cli.cli.shared.running import execute
from xbar_cli.errors import RunError

pytestmark = pytest.mark.made_up


def test_numpy_becomes_python_and_what_json_cannot_hold_becomes_null():
    value = {"a": np.float32(0.5), "b": np.arange(3), "c": (np.nan, [np.inf, 1]), 4: {"d": np.bool_(True), "e": None}}
    assert plain(value) == {"a": 0.5, "b": [0, 1, 2], "c": [None, [None, 1]], "4": {"d": True, "e": None}}


def test_json_is_one_object_on_stdout(capsys):
    print_json({"accuracy": np.float64(0.25), "bad": float("nan"), "name": "µ"})
    found = capsys.readouterr()
    assert json.loads(found.out) == {"accuracy": 0.25, "bad": None, "name": "µ"}
    assert found.out.count("\n") == 1
    assert found.err == ""


def test_tables_show_texts_as_they_are_and_nothing_as_a_dash(capsys):
    print_table("[bold]title", ["name", "value"], [["[red]x[/red]", 3], ["y", None]])
    out = capsys.readouterr().out
    for text in ("[bold]title", "[red]x[/red]", "–", "3"):
        assert text in out


@pytest.fixture
def terminal(monkeypatch):
    """Stderr as a terminal that is kept."""
    kept = Console(file=io.StringIO(), force_terminal=True, width=100, highlight=False)
    for module in (console, reporter):
        monkeypatch.setattr(module, "STDERR", kept)
    return kept.file


def test_a_terminal_has_a_bar_for_each_label(terminal):
    with TerminalReporter(quiet=False) as shown:
        shown.progress("train", 1, 4)
        shown.progress("map", 0, 2)
        shown.progress("train", 4, 4)
        shown.note("[a note]")
        shown._bars.refresh()
        tasks = {task.description: (task.completed, task.total) for task in shown._bars.tasks}
    assert tasks == {"train": (4, 4), "map": (0, 2)}
    assert "[a note]" in terminal.getvalue()
    assert "4/4" in terminal.getvalue()


def test_quiet_is_silent(terminal):
    with TerminalReporter(quiet=True) as shown:
        shown.progress("train", 1, 4)
        shown.note("a note")
    assert terminal.getvalue() == ""


def test_no_terminal_has_notes_and_no_bars(monkeypatch):
    plain_file = Console(file=io.StringIO(), force_terminal=False, highlight=False)
    for module in (console, reporter):
        monkeypatch.setattr(module, "STDERR", plain_file)
    with TerminalReporter(quiet=False) as shown:
        shown.progress("train", 1, 4)
        shown.note("a note")
    assert plain_file.file.getvalue() == "a note\n"


class Config:
    """A configuration as `execute` sees it."""

    def in_use(self):
        return {"seed": 0}


def run(out, workflow, **given):
    settings = {"overwrite": False, "as_json": True, "quiet": True, "show": lambda summary: print("shown")}
    execute("demo", Config(), workflow=workflow, out=out, **(settings | given))


def finished(config, run, *, reporter):
    reporter.note("at work")
    (run.path / "config.toml").write_text("")
    return {"command": "demo", "out": str(run.final), "value": np.float32(0.5).item()}


def test_a_run_is_complete_before_its_summary_is_printed(tmp_path, capsys):
    run(tmp_path / "a", finished)
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "a" / "summary.json").read_text())
    assert (tmp_path / "a" / "done").exists()
    assert not (tmp_path / "a.partial").exists()
    run(tmp_path / "b", finished, as_json=False)
    assert capsys.readouterr().out == f"shown\nrun: {tmp_path / 'b'}\n"


def test_a_complete_run_is_replaced_only_when_asked(tmp_path, capsys):
    run(tmp_path / "a", finished)
    with pytest.raises(RunError, match="is a complete run"):
        run(tmp_path / "a", finished)
    (tmp_path / "a" / "mark").touch()
    run(tmp_path / "a", finished, overwrite=True)
    assert not (tmp_path / "a" / "mark").exists()


def failing(*, checkpoint):
    def workflow(config, run, *, reporter):
        (run.path / "config.toml").write_text("")
        if checkpoint:
            (run.path / "checkpoints" / "3").mkdir(parents=True)
        raise ZeroDivisionError

    return workflow


@pytest.mark.parametrize(
    ("keep", "checkpoint", "left"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_of_a_run_that_fails_only_what_can_be_resumed_is_left(tmp_path, keep, checkpoint, left):
    with pytest.raises(ZeroDivisionError):
        run(tmp_path / "a", failing(checkpoint=checkpoint), keep_partial=keep)
    assert (tmp_path / "a.partial").exists() == left
    assert not (tmp_path / "a").exists()


def test_an_interrupted_run_is_continued_where_it_was(tmp_path, capsys):
    with pytest.raises(ZeroDivisionError):
        run(tmp_path / "a", failing(checkpoint=True), keep_partial=True)
    (tmp_path / "a.partial" / "mark").touch()
    run(None, finished, resume=tmp_path / "a")
    assert (tmp_path / "a" / "mark").exists()
    assert json.loads(capsys.readouterr().out)["out"] == str(tmp_path / "a")


def test_without_out_a_run_names_itself_under_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run(None, finished)
    run(None, finished)
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert len(names) == 2
    assert all(name.startswith("demo-") for name in names)
