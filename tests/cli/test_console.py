"""Tables on the terminal: titles and cells that are not broken, columns that apply."""

import pytest

from xbar_cli.cli.shared.console import print_fitting, print_table


def test_a_title_is_as_long_as_it_is(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    print_table("a title that is longer than its table", ["a", "b"], [("x", 1)])
    assert capsys.readouterr().out.splitlines()[0].rstrip() == "a title that is longer than its table"


def test_columns_of_figures_stand_right_and_words_left(capsys):
    print_table("t", ["name", "value", "what"], [("a", 1.25, "x"), ("b", None, "longer"), ("c", "-10", "y")])
    lines = capsys.readouterr().out.splitlines()
    assert "│ a    │  1.25 │ x      │" in lines
    assert "│ b    │     – │ longer │" in lines


@pytest.mark.parametrize(("width", "left"), [(20, "beta, gamma"), (30, "gamma"), (80, None)])
def test_columns_without_room_are_named_and_empty_ones_are_not(capsys, monkeypatch, width, left):
    monkeypatch.setenv("COLUMNS", str(width))
    rows = [("first", "1111", "22", "333333333", None)]
    print_fitting("t", ["run", "alpha", "beta", "gamma", "empty"], rows, least=["alpha"], hint="--json has all")
    out = capsys.readouterr().out
    assert "empty" not in out
    assert ("no room for" in out) == (left is not None)
    if left:
        assert f"no room for {left} (--json has all)" in " ".join(out.split())
    assert max(map(len, out.splitlines()[1:4])) <= width


def test_in_a_pipe_lines_have_no_end(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    print_fitting("t", [f"column {n}" for n in range(30)], [tuple("x" * 10 for _ in range(30))])
    out = capsys.readouterr().out
    assert "column 29" in out
    assert "no room" not in out
