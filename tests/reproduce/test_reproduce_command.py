"""`xbar reproduce` on items of a second each: what is run, kept, judged, written, and the same to the digit again."""

import contextlib
import io
import json

import pytest

from tests.cli.conftest import xbar  # noqa: F401
from xbar_cli.experiment.plan import LOGS, missing
from xbar_cli.reproduce import items, running
from xbar_cli.runs.sweep import Outcome
from xbar_cli.workflows.run import payload, run_stage

NET = """
[stages.net]
command = "train"
network.name = "mlp"
network.hidden = 8
dataset.train_images = 200
training.epochs = 1
training.batch_size = 64
[stages.evaluate]
command = "evaluate"
run = "@net"
monte_carlo.samples = 2
monte_carlo.images = 100
"""
VARIED = """
name = "varied"
{net}
[sweep]
evaluate.variation.amount = [0.1, 1.0]
[reproduce]
figure = "Fig. 1"
title = "Accuracy under <b>variation</b>"
claim = "More variation, less accuracy."
assumptions = ["additive"]
[[reproduce.expect]]
what = "accuracy lost [points]"
value = "evaluate.accuracy_mean"
where = {{ amount = 0.1 }}
minus = {{ value = "evaluate.accuracy_mean", where = {{ amount = 1.0 }} }}
scale = 100
direction = ">"
[[reproduce.expect]]
what = "accuracy [%]"
value = "net.test_accuracy"
paper = 99.0
tolerance = 1.0
scale = 100
direction = ">"
[[reproduce.plot]]
x = "amount"
x_label = "variation"
y_label = "accuracy [%]"
log = ["x"]
[[reproduce.plot.line]]
value = "evaluate.accuracy_mean"
scale = 100
[[reproduce.plot.paper]]
label = "paper"
x = [0.1]
y = [99.0]
[[reproduce.picture]]
stage = "evaluate"
file = "accuracy.png"
"""
ABSENT = """
name = "absent"
{net}
[reproduce]
figure = "Table I"
title = "A data set that is not there"
claim = "None."
[[reproduce.expect]]
what = "accuracy"
value = "evaluate.accuracy_mean"
direction = ">"
[reproduce.smoke]
net.dataset.name = "emnist_letters"
"""
FREE = ("wall_seconds", "cpu_seconds", "out", "report", "runs", "commit")
"""Keys of what is time, place or version."""


@pytest.fixture
def papers(tmp_path, monkeypatch):
    """Two items in a folder of their own, whose runs are computed in this process; the keys of what was computed."""
    folder = tmp_path / "experiments" / "neat"
    folder.mkdir(parents=True)
    (folder / "fig1.toml").write_text(VARIED.format(net=NET))
    (folder / "table1.toml").write_text(ABSENT.format(net=NET))
    monkeypatch.setattr(items, "experiments_folder", lambda: folder.parent)
    monkeypatch.setenv("XBAR_DATA_DIR", str(tmp_path / "no_data"))
    computed = []

    def compute(plans, **_):
        todo = {run.key: run for plan in plans for run in missing(plan)}
        for run in todo.values():
            (plans[0].out / LOGS).mkdir(parents=True, exist_ok=True)
            with contextlib.redirect_stdout(io.StringIO()):  # in a worker it goes to the log
                run_stage(payload(run, plans[0].out))
            computed.append(run.key)
        return {key: Outcome(True, None, 1.0, 1) for key in todo}

    monkeypatch.setattr(running, "compute_missing", compute)
    return computed


def without_places(tree):
    if isinstance(tree, dict):
        return {key: without_places(value) for key, value in tree.items() if key not in FREE}
    return [without_places(item) for item in tree] if isinstance(tree, list) else tree


def test_items_are_run_judged_and_reported_and_again_the_same_to_the_digit(papers, xbar, tmp_path):  # noqa: F811
    first = xbar("reproduce", "neat", "--out", tmp_path / "a", "--json", "--quiet")
    assert first.code == 0, first.err
    assert len(papers) == 3, "one network, two evaluations"
    varied, absent = first.json["items"]
    lost, reached = varied["quantities"]
    assert varied["verdict"] == "direction only"
    assert (lost["judged"], reached["judged"]) == ("met", "direction only")
    runs = [json.loads(path.read_text()) for path in (tmp_path / "a" / "neat").glob("evaluate-*/summary.json")]
    means = sorted(run["accuracy_mean"] for run in runs)
    assert lost["ours"] == pytest.approx(100 * (means[1] - means[0]))
    assert "paper 99 ± 1" in varied["why"]
    assert varied["cpu_seconds"] > 0
    assert varied["command"] == "xbar reproduce neat --preset smoke --only fig1"
    assert absent["verdict"] == "not run"
    assert absent["why"] == "the data set emnist_letters is not there (xbar data import emnist_letters)"
    assert first.json["verdicts"]["direction only"] == first.json["verdicts"]["not run"] == 1

    again = xbar("reproduce", "neat", "--out", tmp_path / "a", "--json", "--quiet")
    assert len(papers) == 3, "nothing is computed twice"
    for kept in ("items", "verdicts"):
        assert again.json[kept] == first.json[kept], "costs too: they are those of the runs"
    other = xbar("reproduce", "neat", "--out", tmp_path / "b", "--json", "--quiet")
    assert len(papers) == 6
    assert without_places(other.json) == without_places(first.json)

    page = (tmp_path / "a" / "neat.html").read_text()
    assert page.count("data:image/png;base64") == 2, "the plot, and the figure of the run"
    assert "&lt;b&gt;variation" in page
    text = (tmp_path / "a" / "neat.md").read_text()
    assert "![Accuracy under <b>variation</b>](figures/neat-fig1-1.png)" in text
    assert (tmp_path / "a" / "figures" / "neat-fig1-1.png").is_file()
    assert json.loads((tmp_path / "a" / "neat.json").read_text()) == first.json


def test_what_there_is_to_do_is_told_without_doing_it(papers, xbar, tmp_path):  # noqa: F811
    told = xbar("reproduce", "neat", "--out", tmp_path / "a", "--dry-run", "--json").json
    assert [(item["item"], item["points"], item["runs"]) for item in told["items"]] == [
        ("fig1", 2, 3),
        ("table1", 1, 0),
    ]
    assert not papers
    assert not (tmp_path / "a").exists()
    assert "emnist_letters" in xbar("reproduce", "neat", "--out", tmp_path / "a", "--dry-run").out
    wrong = xbar("reproduce", "neat", "--only", "fig9")
    assert wrong.code == 1
    assert "neat has no item 'fig9'; there are fig1, table1" in wrong.err
    assert xbar("reproduce", "memristor").code == 2


def test_a_stage_that_fails_is_the_reason_why_its_item_was_not_run(papers, xbar, tmp_path, monkeypatch):  # noqa: F811
    def fail(plans, **_):
        return {run.key: Outcome(False, "no ngspice", 0.0, 1) for plan in plans for run in missing(plan)}

    monkeypatch.setattr(running, "compute_missing", fail)
    item = xbar("reproduce", "neat", "--only", "fig1", "--out", tmp_path / "a", "--json", "--quiet").json["items"][0]
    assert item["verdict"] == "not run"
    assert item["why"] == "stage net failed: no ngspice"
    assert (tmp_path / "a" / "neat-fig1.html").is_file()
