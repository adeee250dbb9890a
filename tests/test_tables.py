"""Semicolons, tabs and decimal commas are named by every reader of numbers written by hand or by a spreadsheet."""

import pytest

from xbar_cli.cell.measured import read_cell_table
from xbar_cli.device.levels import read_levels
from xbar_cli.device.measured import read_measurements
from xbar_cli.errors import ConfigError


def devices(path):
    return read_measurements(path)


def table(path):
    return read_cell_table(path, gates=(0.8, 0.8, 1), g_off=1e-6, g_on=1e-5, vin_min=0.01)


HEADERS = {devices: "target_siemens,measured_siemens", table: "G,V,I"}


@pytest.mark.parametrize("reader", HEADERS)
@pytest.mark.parametrize(
    ("mark", "decimal", "message"),
    [
        (";", ",", r"columns are separated by semicolons; separate them by commas, with decimal points"),
        (";", ".", r"columns are separated by semicolons"),
        ("\t", ".", r"columns are separated by tabs"),
    ],
)
def test_other_separators_are_named(reader, mark, decimal, message, tmp_path):
    header = HEADERS[reader].replace(",", mark)
    row = mark.join(f"{n}{decimal}5e-6" for n in range(header.count(mark) + 1))
    path = tmp_path / "t.csv"
    path.write_text(f"{header}\n{row}\n", encoding="utf-8-sig")
    with pytest.raises(ConfigError, match=rf"t\.csv(:|, line )1: {message}"):
        reader(path)


@pytest.mark.parametrize("reader", HEADERS)
@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1,5e-6", r"(4|6) values in (2|3) columns; if commas are decimal points here, write points"),
        ('"1,5e-6"', r"'1,5e-6' has a decimal comma; write 1\.5e-6"),
        ("1.5e-6;2", r"has semicolons|not a number|not a finite number"),
    ],
)
def test_decimal_commas_are_named_and_not_read_as_two_numbers(reader, cell, message, tmp_path):
    columns = HEADERS[reader].count(",") + 1
    path = tmp_path / "t.csv"
    path.write_text(f"{HEADERS[reader]}\n{','.join([cell] * columns)}\n")
    with pytest.raises(ConfigError, match=rf"t\.csv(:|, line )2: .*({message})"):
        reader(path)


def test_empty_cells_behind_the_last_column_are_a_spreadsheets(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("target_siemens,measured_siemens\n1e-6,1.1e-6,,\n2e-6,2.1e-6\n")
    target, measured, _ = devices(path)
    assert target.tolist() == [1e-6, 2e-6]
    assert measured.tolist() == [1.1e-6, 2.1e-6]


@pytest.mark.parametrize(
    ("line", "message"),
    [("1,5e-6", r"'1,5e-6' has a decimal comma; write 1\.5e-6"), ("1e-6;2e-6", "has semicolons; write one")],
)
def test_levels_name_them_too(line, message, tmp_path):
    path = tmp_path / "levels.txt"
    path.write_text(f"0\n{line}\n")
    with pytest.raises(ConfigError, match=rf"levels\.txt:2: .*{message}"):
        read_levels(path)
