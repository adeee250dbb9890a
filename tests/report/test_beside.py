"""Two runs beside each other in a page, and what of a run stands first."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.report.test_report import make
from xbar_cli.errors import ConfigError
from xbar_cli.report.beside import beside
from xbar_cli.report.charts import MOST_MARKS, chips, learning, points
from xbar_cli.report.compared import Evaluation
from xbar_cli.report.headline import key_figures, origin
from xbar_cli.report.paired import compare
from xbar_cli.report.tables import Table, upright
from xbar_cli.runs.listing import Entry
from xbar_cli.workflows import report as workflow

A, B = np.array([0.8, 0.82, 0.79, 0.85]), np.array([0.83, 0.84, 0.83, 0.86])


def entry(name, *, command="evaluate", config=None, **summary):
    return Entry(Path(name), "done", {"command": command} | summary, config or {})


@pytest.fixture
def evaluations(monkeypatch):
    """Two evaluations of the same chips, as if they were opened."""
    found = {
        name: Evaluation(
            Path(name), values, seed=0, images=500, fixed=False, data="d", facts={"variation.amount": amount}
        )
        for name, values, amount in (("a", A, 0.15), ("b", B, 0.05))
    }
    monkeypatch.setattr("xbar_cli.report.compared.open_evaluation", lambda path: found[str(path)])
    return found


def test_evaluations_are_compared_as_the_command_compares_them(evaluations):
    one, other = (
        entry("a", config={"variation": {"amount": 0.15}, "seed": 0}),
        entry("b", config={"variation": {"amount": 0.05}, "seed": 0}),
    )
    told = beside(one, other)
    wanted = compare(A, B, paired=True, resolution=1 / 500)
    accuracy, configuration = told.tables[0], told.tables[1]
    assert accuracy.rows[2][1] == f"{wanted.difference:+.4f}"
    assert accuracy.rows[2][2] == f"{wanted.ci95[0]:+.4f} … {wanted.ci95[1]:+.4f}"
    assert accuracy.rows[3][1] == f"{wanted.p:.3g}"
    assert list(configuration.rows) == [("variation.amount", "0.15", "0.05")]
    assert any("Paired over the 4 chips" in line for line in told.lines)
    assert any(line.startswith("B is better") for line in told.lines)


def test_what_cannot_be_compared_by_chip_is_said_and_the_rest_is_there(evaluations):
    evaluations["b"] = Evaluation(Path("b"), B, seed=0, images=100, fixed=False, data="d")
    told = beside(entry("a", energy_joule=2.0), entry("b", energy_joule=3.0))
    assert any(line.startswith("Not compared by chip: ") and "500" in line for line in told.lines)
    assert any("are the same" in line for line in told.lines)
    assert told.tables[-1].rows == [("energy_joule", "2", "3", "+1")]


def test_runs_of_two_commands_are_not_set_beside_each_other():
    assert beside(entry("a", command="train"), entry("b", command="map")) is None


def test_times_and_places_are_no_differences():
    told = beside(
        entry("a", command="map", wall_seconds=1.0, out="a", tiles=3, latency_seconds=1e-6),
        entry("b", command="map", wall_seconds=2.0, out="b", tiles=3, latency_seconds=2e-6),
    )
    assert [row[0] for row in told.tables[-1].rows] == ["latency_seconds"]


def test_key_figures_are_those_of_the_metric_first():
    summary = {"metric": "mse", "mse_mean": 0.25, "mse_std": 0.01, "mse_ci95": [0.2, 0.3], "samples": 4, "ideal_mse": 0.1,
               "energy_joule": 1.5e-9, "devices": 12345, "failed": True, "p_value": None}  # fmt: skip
    assert key_figures(summary) == [
        ("mean mse", "0.25"), ("standard deviation over chips", "0.01"), ("95 % interval of the mean", "0.2 … 0.3"),
        ("chips", "4"), ("floating point", "0.1"), ("energy [J]", "1.5e-09"), ("devices", "12\u202f345"),
    ]  # fmt: skip
    assert key_figures({"command": "x"}) == []


def test_the_line_of_origin_leaves_out_what_is_not_known():
    assert origin({}) == ""
    assert origin({"commit": "0123456789abcdef+", "versions": {"jax": "0.10", "xbar-cli": None}, "seed": 0}) == (
        "commit 0123456789+, jax 0.10, seed 0"
    )


def test_few_rows_with_many_columns_stand_upright():
    wide = Table("t", ["run", *"abcdefgh"], [["x", *range(8)], ["y", *range(8, 16)]], note="n")
    tall = upright(wide)
    assert tall.head == ["figure", "x", "y"]
    assert tall.rows[0] == ["a", 0, 8]
    assert (len(tall.rows), tall.note) == (8, "n")
    assert upright(tall) is tall


def test_charts_hold_the_data_and_no_name_of_a_run_as_a_field():
    lines = [{"step": n, "phase": "p", "epoch": n, "a.b[0]": 1 / n, "seconds": 1} for n in (1, 2)] + [
        {"step": 3, "a.b[0]": "x"}
    ]
    made = {chart.title: chart.spec for chart in learning(lines)}
    spec = made["a.b[0] by epoch"]
    assert [(row["x"], row["y"]) for row in spec["data"]["values"]] == [(1, 1.0), (2, 0.5)]
    assert spec["encoding"]["y"]["field"] == "y"
    assert spec["encoding"]["y"]["title"] == "a.b[0]"
    (of_chips,) = chips({"metric": "accuracy", "accuracy_samples": [0.5, 0.75], "ideal_accuracy": 0.9})
    assert [row["y"] for row in of_chips.spec["data"]["values"]] == [0.5, 0.75]
    assert len(of_chips.spec["layer"]) == 2
    assert list(chips({"accuracy_samples": [0.5]})) == []
    (many,) = chips({"accuracy_samples": [n / 10**5 for n in range(10**5)]})
    shown = many.spec["data"]["values"]
    assert len(shown) <= MOST_MARKS + 1
    assert (shown[0]["x"], shown[-1]["x"]) == (0, 10**5 - 1)


def test_a_sweep_is_drawn_against_its_last_number_with_a_line_for_the_rest():
    head = ["map.scheme", "map.bits", "accuracy_mean", "images"]
    rows = [[scheme, bits, bits / 10 + (scheme == "bc"), 100] for scheme in ("de", "bc") for bits in (1, 3)]
    (chart,) = points(head, rows, swept=2)
    assert chart.title == "accuracy_mean against map.bits"
    assert {row["line"] for row in chart.spec["data"]["values"]} == {"scheme de", "scheme bc"}
    assert list(points(head, [["de", "x", 0.5, 1]] * 2, swept=2)) == []


def test_charts_are_asked_for_and_a_missing_package_is_one_line(tmp_path, monkeypatch):
    net = make(tmp_path / "net", {"command": "train", "test_accuracy": 0.5})
    lines = [json.dumps({"step": n, "phase": "train", "epoch": n, "loss": 1 / n}) for n in (1, 2)]
    (net / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    given = {"out": tmp_path / "p.html", "csv_out": None, "markdown_out": None, "overwrite": True}
    assert workflow.run([net], **given)["charts"] == 0
    monkeypatch.setattr(workflow, "library", lambda: "/* library */")
    assert workflow.run([net], **given, interactive=True)["charts"] == 1
    page = (tmp_path / "p.html").read_text()
    assert page.count("<script>") == 2
    assert "data-chart=" in page
    monkeypatch.undo()
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    with pytest.raises(ConfigError, match=r"pip install 'xbar-cli\[interactive\]'"):
        workflow.run([net], **given, interactive=True)


def test_the_page_of_two_runs_compares_them(tmp_path):
    folders = [make(tmp_path / n, {"command": "map", "tiles": t}, config={"bits": t}) for n, t in (("x", 2), ("y", 3))]
    workflow.run(folders, out=tmp_path / "p.html", csv_out=None, markdown_out=None, overwrite=False)
    page = (tmp_path / "p.html").read_text()
    assert "Comparison of the two runs" in page
    assert "Differs in the configuration" in page
