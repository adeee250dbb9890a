"""The example notebook runs from its first cell to its last, and prints what is committed with it."""

import json
import re
from pathlib import Path

import matplotlib
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e-?\d+)?")
PLACE = re.compile(r"(?<![\w.])/\w+/\w+")
"""A path of somebody's machine."""


def printed_with(cell):
    """What a cell printed, as committed."""
    return "".join("".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream")


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_committed_and_name_no_place(file):
    outputs = [o for cell in json.loads(file.read_text(encoding="utf-8"))["cells"] for o in cell.get("outputs", ())]
    assert (
        {"stream", "display_data"}
        <= {output["output_type"] for output in outputs}
        <= {"stream", "display_data", "execute_result"}
    )
    words = [line for o in outputs for line in [*o.get("text", ()), *o.get("data", {}).get("text/plain", ())]]
    assert not [line for line in words if PLACE.search(line)]
    assert all(output.get("name") != "stderr" for output in outputs)


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(file, tmp_path, monkeypatch, capsys):
    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    printed = ""
    for number, cell in enumerate(json.loads(file.read_text(encoding="utf-8"))["cells"]):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{file.name}, cell {number}", "exec"), names)
            fresh = capsys.readouterr().out
            # the last bits are another processor's; what is said is the same
            assert NUMBER.sub("0", fresh).split() == NUMBER.sub("0", printed_with(cell)).split(), (
                "run scripts/run_notebooks.py"
            )
            printed += fresh
    assert "better: 3 bits" in printed
    means = [summary["accuracy_mean"] for summary in names["found"]]
    assert means == sorted(means, reverse=True)
