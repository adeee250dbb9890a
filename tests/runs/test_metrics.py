"""metrics.jsonl: lines that are damaged are not taken for figures."""

import json

import pytest

from xbar_cli.runs import metrics
from xbar_cli.runs.seal import RunNote
from xbar_cli.train.phases import require_lines

RECORDS = [{"step": k, "phase": "train", "epoch": k, "loss": 1 / (k + 1)} for k in range(4)]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for record in RECORDS:
        metrics.append(path, record)
    return path


def read(path):
    return [record for _, record in metrics.lines_of(path)]


def test_lines_come_back_as_they_were(file):
    assert read(file) == RECORDS
    assert metrics.keep(file, lambda line: line["step"] < 2) == RECORDS[:2]
    assert read(file) == RECORDS[:2]
    assert read(file.with_name("none")) == []


def test_no_flipped_bit_is_taken_for_a_figure(file):
    whole = file.read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        found = read(file)
        assert all(record in RECORDS for record in found)
        assert len(found) >= len(RECORDS) - 2  # a line end that is lost takes two lines with it


def test_lines_without_checksums_are_those_of_earlier_versions(file):
    file.write_text("".join(json.dumps(record) + "\n" for record in RECORDS) + '{"step": 4\n[1]\n{}\n')
    assert read(file) == RECORDS


def test_epochs_that_are_lost_are_told(file):
    require_lines(file, 3)
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:2]) + lines[3])
    with pytest.warns(RunNote, match="1 of 3 epochs are lost or damaged"):
        require_lines(file, 3)
    assert read(file) == [RECORDS[0], RECORDS[1], RECORDS[3]]
