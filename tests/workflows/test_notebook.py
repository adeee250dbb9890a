"""The example notebook runs from its first cell to its last."""

import json
from pathlib import Path

import matplotlib
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "docs" / "notebooks"


@pytest.mark.slow
@pytest.mark.parametrize("file", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_cell_runs(file, tmp_path, monkeypatch, capsys):
    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for number, cell in enumerate(json.loads(file.read_text(encoding="utf-8"))["cells"]):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{file.name}, cell {number}", "exec"), names)
            assert cell["outputs"] == []  # no figures or paths of somebody's machine in the repository
    printed = capsys.readouterr().out
    assert "better: 3 bits" in printed
    means = [summary["accuracy_mean"] for summary in names["found"]]
    assert means == sorted(means, reverse=True)
