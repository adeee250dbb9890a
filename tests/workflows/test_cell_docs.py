"""docs/cells.md is what its script writes: the text to the letter, the rows of one card from a new simulation."""

import importlib.util
import re
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "make_cell_docs.py"


@pytest.fixture(scope="module")
def docs():
    spec = importlib.util.spec_from_file_location("make_cell_docs", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_the_text_with_its_marks_filled(docs):
    parts = re.split("|".join(map(re.escape, docs.MARKS)), docs.TEXT.read_text(encoding="utf-8"))
    page = docs.TARGET.read_text(encoding="utf-8")
    assert len(parts) == len(docs.MARKS) + 1
    assert re.fullmatch("(.+)".join(map(re.escape, parts)), page, re.DOTALL)


@pytest.mark.spice
def test_the_rows_of_a_card_are_what_is_simulated(docs):
    page = docs.TARGET.read_text(encoding="utf-8")
    rows = docs.card_rows("lp")
    assert len(rows) == 7
    for card, vg, rank, *figures in rows:
        found = re.search(rf"^\| {card} \| {vg} \| {rank} \| (.+) \|$", page, re.MULTILINE)
        assert found, f"{card}, V_g {vg} V, rank {rank} is not in docs/cells.md: run scripts/make_cell_docs.py"
        assert [float(cell) for cell in found[1].split(" | ")] == pytest.approx([float(f) for f in figures], rel=0.05)
