"""What is said while something is computed: on a terminal, in a plain file, of sweeps, and by the workflows."""

import io
import time
from types import SimpleNamespace

import click
import pytest
from rich.console import Console

from xbar_cli.chip.sample import said_of
from xbar_cli.cli.shared import console, reporter
from xbar_cli.cli.shared.options import LOADING
from xbar_cli.cli.shared.reporter import TerminalReporter, Underway, reporting, time_said
from xbar_cli.cli.shared.typed import typed, way_on
from xbar_cli.cli.sweeps import search, table
from xbar_cli.cli.sweeps.cluster import Seconds
from xbar_cli.cli.sweeps.search import SearchLine
from xbar_cli.cli.sweeps.table import STARTING, SweepTable
from xbar_cli.runs.sweep import Outcome


@pytest.fixture
def stderr(monkeypatch):
    """Stderr as a file or a terminal of so many columns; what was written there."""

    def of(width=None):
        kept = Console(file=io.StringIO(), force_terminal=width is not None, width=width or 10_000, highlight=False)
        for module in (console, reporter, table):
            monkeypatch.setattr(module, "STDERR", kept)
        return kept.file

    return of


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_shows_what_is_done_and_what_came_of_it(stderr, width):
    written = stderr(width)
    with TerminalReporter(quiet=False) as shown:
        shown.doing("compiling the training step")
        shown.progress("train", 3, 12, "loss 0.4, validation accuracy 0.8123")
        shown._bars.refresh()
    text = written.getvalue()
    for part in ("compiling the training step", "train", "3/12", "loss 0.4, validation accuracy 0.8123"):
        assert part in text


def test_words_of_a_note_are_not_broken_at_the_edge(stderr):
    written = stderr(20)
    with TerminalReporter(quiet=False) as shown:
        shown.note("several words that need two lines")
    assert "several words that \nneed two lines\n" in written.getvalue().replace("\r", "")


def test_a_file_gets_a_line_every_so_often_and_nothing_of_what_is_short(stderr):
    written = stderr()
    with TerminalReporter(quiet=False, every=0.05) as shown:
        shown.doing("compiling a chip")
        time.sleep(0.12)
        shown.progress("chips", 3, 12, "mean accuracy 0.8000")
        time.sleep(0.12)
    lines = written.getvalue().splitlines()
    assert lines[0] == "compiling a chip, since 0 s"
    assert lines[-1].startswith("chips: 3 of 12, mean accuracy 0.8000, about ")
    written = stderr()
    with TerminalReporter(quiet=False) as shown:
        shown.progress("chips", 3, 12)
    with TerminalReporter(quiet=True, every=0.01) as shown:
        shown.doing("nothing to be said")
        time.sleep(0.05)
    assert written.getvalue() == ""


def test_what_came_of_a_task_stays_until_something_else_does(stderr):
    stderr()
    with TerminalReporter(quiet=True) as shown:
        shown.progress("chips", 1, 4, "mean 0.5")
        shown.progress("chips", 2, 4)
        assert shown._bars.standing.said == "mean 0.5"
        shown.progress("map", 0, 2)
        assert shown._bars.standing.said == ""


def test_the_rest_takes_as_long_as_what_is_done_did():
    standing = Underway("train", "", 3, 12, since=100.0)
    assert standing.seconds_left(130.0) == 90.0
    assert standing.line(130.0) == "train: 3 of 12, about 90 s left"
    assert Underway("train", "", 0, 12, since=100.0).seconds_left(130.0) is None
    assert [time_said(s) for s in (5, 119, 120, 7199, 7200)] == ["5 s", "119 s", "2 min", "120 min", "2.0 h"]


def test_a_reporter_is_one_wherever_it_is_asked_for_and_silent_after_the_outermost(stderr):
    stderr(80)
    with reporting(quiet=False) as first, first as second:
        assert first is second
        assert first._bars.live.is_started
    assert not first._bars.live.is_started


def test_the_first_word_comes_before_anything_is_loaded(xbar, stderr, tmp_path, monkeypatch):
    written = stderr(80)
    seen = []
    monkeypatch.setattr("xbar_cli.cli.map.execute", lambda *_, **__: seen.append(written.getvalue()))
    assert xbar("map", "anything", "--out", tmp_path / "m").code == 0
    assert LOADING in seen[0]


def test_chips_have_a_running_mean_with_its_interval():
    assert said_of([], "accuracy") == ""
    assert said_of([0.8], "accuracy") == "mean accuracy 0.8000"
    assert said_of([0.8, 0.9], "accuracy").startswith("mean accuracy 0.8500 (95 %: 0.21")


def sweep(shown, **more):
    runs = {key: SimpleNamespace(stage=key[0]) for key in ("a-1", "b-1", "b-2")}
    names = {"b-1": "b r_wire=1, tile=64x64", "b-2": "b r_wire=2, tile=64x64"}
    results = {"b-1": {"accuracy": 0.81234}}
    shown.begin(runs, cached=("a-1",), workers=2, names=names, results=lambda key: results.get(key, {}), **more)


def test_a_sweep_names_its_points_and_prints_results_as_they_come(stderr):
    written = stderr(80)
    with SweepTable(quiet=False) as shown:
        assert STARTING in written.getvalue()
        sweep(shown)
        shown.started("b-1")
        assert "at work: b r_wire=1, tile=64x64 (0 s)" in written.getvalue()
        shown.ended("b-1", Outcome(True, None, 12.0, 1))
        shown.ended("b-2", Outcome(False, "no", 0.0, 1))
    text = written.getvalue()
    assert "b r_wire=1, tile=64x64: accuracy 0.8123 (12 s)" in text
    assert "failed: b r_wire=2, tile=64x64 (b-2): no" in text


def test_a_sweep_into_a_file_says_once_a_minute_how_it_stands(stderr, monkeypatch):
    written = stderr()
    with SweepTable(quiet=False) as shown:
        sweep(shown)
        shown.started("b-1")
        shown.ended("b-1", Outcome(True, None, 12.0, 1))
        shown.started("b-2")
        assert written.getvalue() == ""
        monkeypatch.setattr(table, "EVERY", 0.0)
        shown.tick()
    assert written.getvalue().startswith("2 of 3 runs done, at work: b r_wire=2, tile=64x64, about ")
    assert written.getvalue().endswith("left; last b r_wire=1, tile=64x64: accuracy 0.8123\n")


def test_a_line_on_going_on_holds_the_command_as_it_was_typed(monkeypatch):
    with click.Context(click.Command("run"), obj=("run", "my study.toml", "--workers", "2")):
        assert typed() == "xbar run 'my study.toml' --workers 2"
        said = way_on("with what is missing")
    assert said() == "`xbar run 'my study.toml' --workers 2` goes on with what is missing"
    assert typed() == "xbar"


def test_a_search_into_a_file_says_once_a_minute_how_it_stands(stderr, monkeypatch):
    written = stderr()
    monkeypatch.setattr(search, "STDERR", console.STDERR)
    budget = SimpleNamespace(section=SimpleNamespace(budget=SimpleNamespace(trials=8, chips=None)))
    with SearchLine(quiet=False) as line:
        line.standing([SimpleNamespace(state="complete", spent=5)], budget)
        assert written.getvalue() == ""
        monkeypatch.setattr(search, "EVERY", 0.0)
        for key in ("net-1a", "net-2b", "map-3c"):
            line.started(key)
        assert written.getvalue().splitlines()[-1] == "designs: 1 of 8, chips: 5; running: net (2), map"
        line.ended("map-3c", Outcome(True, None, 1.0, 1))
    assert (
        written.getvalue().splitlines()[-1] == "designs: 1 of 8, chips: 5, runs of the next ones: 1; running: net (2)"
    )


@pytest.mark.parametrize(("text", "seconds"), [("600", 600), ("10m", 600), ("1.5h", 5400), ("90s", 90)])
def test_a_limit_of_time_takes_its_unit(text, seconds):
    assert Seconds().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["0", "-3s", "soon"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(click.BadParameter):
        Seconds().convert(text, None, None)
