"""One stage of an experiment, and what it needs: the runs that the whole experiment has."""

import pytest

from xbar_cli.cli.sweeps.table import SweepTable
from xbar_cli.errors import ConfigError
from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.grid import expand
from xbar_cli.experiment.part import only_stage
from xbar_cli.workflows.run import run

TEXT = """
[stages.net]
command = "train"
[stages.map]
command = "map"
run = "@net"
[stages.evaluate]
command = "evaluate"
run = "@map"
[stages.cost]
command = "energy"
run = "@map"
[sweep]
net.seed = [0, 1]
map.mapping.bits = [2, 2, 4]
map.mapping.tile = ["32x32", "64x64", "64x64"]
evaluate.variation.amount = [0.1, 0.2, 0.3]
zip = [["map.mapping.bits", "map.mapping.tile"]]
"""


@pytest.fixture
def experiment(tmp_path):
    (tmp_path / "e.toml").write_text(TEXT)
    return load_experiment(tmp_path / "e.toml")


@pytest.mark.parametrize(
    ("stage", "stages", "points"),
    [("net", ["net"], 2), ("map", ["net", "map"], 6), ("cost", ["net", "map", "cost"], 6),
     ("evaluate", ["net", "map", "evaluate"], 18)],
)  # fmt: skip
def test_its_runs_are_those_of_the_whole_experiment(experiment, stage, stages, points):
    part = only_stage(experiment, stage)
    found = expand(part)
    assert list(part.stages) == stages
    assert part.last == (stage,)
    assert len(found) == points
    whole = {point.runs[name].key for point in expand(experiment) for name in stages}
    assert {run.key for point in found for run in point.runs.values()} == whole


def test_keys_that_vary_together_keep_each_combination_once(tmp_path):
    (tmp_path / "e.toml").write_text(
        TEXT.replace("map.mapping.tile", "evaluate.seed").replace('["32x32", "64x64", "64x64"]', "[0, 1, 2]")
    )
    part = only_stage(load_experiment(tmp_path / "e.toml"), "map")
    assert [point.values["map.mapping.bits"] for point in expand(part)] == [2, 4] * 2


def test_a_stage_that_is_not_there_is_one_line(experiment):
    with pytest.raises(ConfigError, match="there is no stage 'nett'; stages: net, map, evaluate, cost"):
        only_stage(experiment, "nett")


def test_a_sweep_that_is_there_keeps_its_results_when_one_stage_is_computed(experiment, tmp_path):
    out = tmp_path / "out"
    for key in {found.key for point in expand(experiment) for found in point.runs.values()}:
        (out / key).mkdir(parents=True)
        (out / key / "summary.json").write_text('{"command": "train", "test_accuracy": 0.5}')
        (out / key / "done").touch()
    (out / "logs").mkdir()
    (out / "results.nc").write_text("of the whole")
    before = sorted(out.iterdir())
    summary = run(experiment, out=out, only="map", watcher=SweepTable(quiet=True))
    assert (summary["only"], summary["points"], summary["done"], summary["results"]) == ("map", 6, 6, None)
    assert sorted(out.iterdir()) == before
    assert (out / "results.nc").read_text() == "of the whole"
