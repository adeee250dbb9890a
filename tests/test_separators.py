"""Lines of tables written by hand: cells between commas, and what is wrong where they are not."""

import pytest

from xbar_cli.errors import ConfigError
from xbar_cli.outside import read_toml
from xbar_cli.tables import check_point, header_cells, row_cells


def test_cells_are_stripped_and_may_be_quoted():
    assert header_cells("t.csv:1", ' G , "V, in volt",I\n'.replace(' "', '"')) == ["G", "V, in volt", "I"]
    assert row_cells("t.csv:2", "1e-6, 0.5 ,2e-7", columns=3) == ["1e-6", "0.5", "2e-7"]


@pytest.mark.parametrize(("line", "name"), [("G;V;I", "semicolons"), ("G\tV", "tabs"), ("G|V", "bars")])
def test_a_header_with_other_separators_names_them(line, name):
    with pytest.raises(ConfigError, match=rf"^here: columns are separated by {name}; separate them by commas"):
        header_cells("here", line)


def test_a_header_with_commas_may_hold_other_marks():
    assert header_cells("here", "G;x,V|y") == ["G;x", "V|y"]


def test_empty_cells_behind_the_last_column_are_dropped_and_full_ones_are_not():
    assert row_cells("here", "1,2,,,", columns=2) == ["1", "2"]
    assert row_cells("here", "1,", columns=2) == ["1", ""]
    with pytest.raises(ConfigError, match="here: 3 values in 2 columns; if commas are decimal points"):
        row_cells("here", "1,2,3", columns=2)


def test_a_row_with_semicolons_is_told_only_where_its_cells_do_not_fit():
    with pytest.raises(ConfigError, match="'1;2' has semicolons"):
        row_cells("here", "1;2", columns=2)
    assert row_cells("here", "a;b,2", columns=2) == ["a;b", "2"]


@pytest.mark.parametrize(("cell", "better"), [("0,5", "0.5"), (" -1,25e-6 ", "-1.25e-6"), ("+3,0E5", r"\+3.0E5")])
def test_a_decimal_comma_is_shown_with_its_point(cell, better):
    with pytest.raises(ConfigError, match=f"has a decimal comma; write {better}$"):
        check_point("here", cell)


@pytest.mark.parametrize("cell", ["0.5", "", "1,2,3", "a,b", "1e-6"])
def test_what_is_no_decimal_comma_passes(cell):
    check_point("here", cell)


def test_toml_files_may_begin_with_a_byte_order_mark(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("[s]\nx = 1\n", encoding="utf-8-sig")
    assert read_toml(file) == {"s": {"x": 1}}


def test_what_is_wrong_with_a_toml_file_is_one_line_that_names_it(tmp_path):
    bad, binary = tmp_path / "bad.toml", tmp_path / "binary.toml"
    bad.write_text("x = \n")
    binary.write_bytes(b"\xff\xfe\x00x")
    for path, why in ((bad, "not TOML"), (binary, "cannot be read"), (tmp_path / "none.toml", "No such file")):
        with pytest.raises(ConfigError, match=why) as caught:
            read_toml(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
