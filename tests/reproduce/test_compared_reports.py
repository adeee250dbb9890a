"""Two reports of one preset, number by number."""

import json
from pathlib import Path

import pytest

from scripts import compare_reports

SAME = {"what": "accuracy", "ours": 0.8125, "ci95": [0.8, 0.825], "n": 3}
ALONE = {"what": "energy", "ours": 2e-6, "ci95": None, "n": 1}
MISSING = {"what": "area", "ours": None, "ci95": None, "n": 0}


def report(file: Path, *quantities: dict[str, object]) -> str:
    ran = {"item": "fig2", "verdict": "refuted", "quantities": list(quantities)}
    file.write_text(json.dumps({"items": [ran, {"item": "fig3", "verdict": "not run", "quantities": [MISSING]}]}))
    return str(file)


def compared(monkeypatch: pytest.MonkeyPatch, *files: str) -> int:
    monkeypatch.setattr("sys.argv", ["compare_reports.py", *files])
    with pytest.raises(SystemExit) as ended:
        compare_reports.main()
    return int(ended.value.code or 0)


def test_the_same_numbers_end_well_and_items_that_did_not_run_are_left_out(tmp_path, monkeypatch, capsys):
    one = report(tmp_path / "a.json", SAME, ALONE, MISSING)
    assert compared(monkeypatch, one, report(tmp_path / "b.json", SAME, ALONE, MISSING)) == 0
    out = capsys.readouterr().out
    assert "| fig2 | 3 | 3 | – |" in out
    assert "fig3" not in out


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (SAME | {"ours": 0.8125 * (1 + 1e-7)}, "1.0e-07: accuracy"),
        (SAME | {"ci95": [0.8, 0.75]}, "9.1e-02: accuracy"),
        (SAME | {"ci95": None}, "inf: accuracy"),
        (SAME | {"ours": None}, "inf: accuracy"),
    ],
)
def test_a_number_that_differs_is_told(other, told, tmp_path, monkeypatch, capsys):
    assert (
        compared(monkeypatch, report(tmp_path / "a.json", ALONE, SAME), report(tmp_path / "b.json", ALONE, other)) == 1
    )
    assert f"| fig2 | 2 | 1 | {told} |" in capsys.readouterr().out


def test_a_quantity_that_is_in_one_alone_differs(tmp_path, monkeypatch):
    both, one = report(tmp_path / "a.json", ALONE, SAME), report(tmp_path / "b.json", ALONE)
    assert compared(monkeypatch, both, one) == compared(monkeypatch, one, both) == 1


def test_a_file_that_is_no_report_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "b.json").write_text('{"other": 1}')
    monkeypatch.setattr("sys.argv", ["compare_reports.py", report(tmp_path / "a.json", SAME), str(tmp_path / "b.json")])
    with pytest.raises(SystemExit, match="no report of `xbar reproduce`: 'items'"):
        compare_reports.main()
