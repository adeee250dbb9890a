"""Grids, hashes and results of experiments, without computing anything."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from xbar_cli.config.load import read_toml
from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.grid import expand
from xbar_cli.experiment.plan import dry_run, make_plan, missing
from xbar_cli.experiment.results import as_array, scalars, unit_of
from xbar_cli.pictures.grid import read_grid
from xbar_cli.runs.results import read_dataset
from xbar_cli.workflows.run import conclude, payload

TEXT = """
[stages.evaluate]
command = "evaluate"
run = "@map"
[stages.cell]
command = "characterize"
[stages.map]
command = "map"
run = "@net"
cell.run = "@cell"
[stages.net]
command = "train"
[stages.cost]
command = "energy"
run = "@map"
[sweep]
net.seed = [0, 1]
map.cell.vg = [0.8, 0.9]
"evaluate.array.r_source_ohm" = ["1k", "2k", 3000]
evaluate.array.model = ["lumped", "published", "nodal"]
zip = [["evaluate.array.r_source_ohm", "evaluate.array.model"]]
"""
EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.fixture
def load(tmp_path):
    def load(text=TEXT, **options):
        (tmp_path / "e.toml").write_text(text)
        return load_experiment(tmp_path / "e.toml", **options)

    return load


def test_a_grid_is_the_product_of_its_axes_and_shared_stages_run_once(load):
    experiment = load()
    points = expand(experiment)
    assert len(points) == 2 * 2 * 3
    assert experiment.last == ("evaluate", "cost")
    assert (
        list(experiment.stages).index("net")
        < list(experiment.stages).index("map")
        < list(experiment.stages).index("cost")
    )
    counts = {stage: len({point.runs[stage].key for point in points}) for stage in experiment.stages}
    assert counts == {"cell": 1, "net": 2, "map": 4, "cost": 4, "evaluate": 12}
    assert {(p.values["evaluate.array.r_source_ohm"], p.values["evaluate.array.model"]) for p in points} == {
        ("1k", "lumped"), ("2k", "published"), (3000, "nodal"),
    }  # fmt: skip
    run = points[0].runs["evaluate"]
    assert run.needs == (points[0].runs["map"].key,)
    assert points[0].runs["map"].needs == (points[0].runs["net"].key, points[0].runs["cell"].key)
    job = payload(run, Path("somewhere"))["config"]
    assert job["run"] == f"somewhere/{points[0].runs['map'].key}"
    assert job["array"]["r_source_ohm"] == 1000.0


def test_keys_follow_what_determines_a_run_and_nothing_else(load):
    keys = {p.name: {stage: run.key for stage, run in p.runs.items()} for p in expand(load())}
    moved = TEXT.replace("[stages.cost]", "# another comment\n[stages.cost]").replace("0.8, 0.9", "0.9, 0.8")
    assert {p.name: {s: r.key for s, r in p.runs.items()} for p in expand(load(moved))} == keys
    other = {p.name: {s: r.key for s, r in p.runs.items()} for p in expand(load(settings=["net.training.epochs=3"]))}
    for name, runs in other.items():
        changed = {stage for stage in runs if runs[stage] != keys[name][stage]}
        assert changed == {"net", "map", "evaluate", "cost"}  # what comes of the net, and not the cell
    spelled = load(TEXT.replace('["1k", "2k", 3000]', "[1000, 2e3, 3e3]"))
    assert [p.runs["evaluate"].key for p in expand(spelled)] == [r["evaluate"] for r in keys.values()]
    assert {
        p.runs["cell"].config["seed"] for p in expand(load(TEXT.replace("net.seed", "net.training.epochs"), seed="7"))
    } == {7}


def test_the_written_experiment_is_the_same_experiment(load, tmp_path):
    import tomli_w

    experiment = load()
    (tmp_path / "again.toml").write_text(tomli_w.dumps(experiment.tree()))
    again = load_experiment(tmp_path / "again.toml")
    assert [p.runs for p in expand(again)] == [p.runs for p in expand(experiment)]


def fake(out, plan, *, without=()):
    """Complete run directories with made-up figures."""
    for point in plan.points:
        a, b, c = point.index
        figures = {
            "evaluate": {"accuracy_mean": 0.1 * a + 0.01 * b + 0.001 * c, "accuracy_ci95": [0.0, 1.0], "seconds_per_sample": 3.0,
                         "samples": 25, "array": "ideal", "flag": True, "gap": None},
            "cost": {"energy_joule": 1e-9 * (b + 1), "latency_seconds": 2e-7, "samples": 3},
        }  # fmt: skip
        for stage, run in point.runs.items():
            if run.key in without or (out / run.key).exists():
                continue
            (out / run.key).mkdir(parents=True)
            summary = {"command": run.command, **figures.get(stage, {})}
            (out / run.key / "summary.json").write_text(json.dumps(summary))
            (out / run.key / "done").touch()


def test_results_have_a_dimension_for_each_axis_units_and_no_times(load, tmp_path):
    experiment, out = load(), tmp_path / "out"
    plan = make_plan(experiment, out)
    gone = plan.points[-1].runs["evaluate"].key
    fake(out, plan, without={gone})
    plan = make_plan(experiment, out)
    summary = conclude(plan, {}, seconds=1.0)
    assert [summary[key] for key in ("points", "done", "cached", "failed")] == [12, 11, 11, 0]
    dataset = read_dataset(out / "results.nc")
    assert dict(dataset.sizes) == {"net.seed": 2, "map.cell.vg": 2, "evaluate.array.r_source_ohm": 3}
    assert set(dataset.data_vars) == {
        "accuracy_mean", "accuracy_ci95_low", "accuracy_ci95_high", "evaluate_samples", "cost_samples", "energy_joule",
        "latency_seconds",
    }  # fmt: skip
    assert dataset["accuracy_mean"].values[1, 0, 2] == pytest.approx(0.102)
    assert np.isnan(dataset["accuracy_mean"].values[1, 1, 2])
    assert dataset["energy_joule"].sel({"map.cell.vg": 0.9, "net.seed": 0}).values.tolist() == [2e-9] * 3
    assert dataset["evaluate.array.r_source_ohm"].values.tolist() == [1000.0, 2000.0, 3000.0]
    assert dataset["evaluate.array.model"].values.tolist() == ["lumped", "published", "nodal"]
    units = {name: dataset[name].attrs["units"] for name in dataset.variables}
    assert units["evaluate.array.r_source_ohm"] == "ohm"
    assert (units["map.cell.vg"], units["energy_joule"], units["latency_seconds"]) == ("V", "J", "s")
    assert [picture["figure"] for picture in summary["pictures"]] == ["accuracy_mean", "energy_joule"]
    assert all(Path(file).exists() for picture in summary["pictures"] for file in picture["files"])
    rows = list(csv.DictReader((out / "points.csv").read_text().splitlines()))
    assert len(rows) == 12
    assert (rows[0]["evaluate.array.model"], float(rows[5]["accuracy_mean"])) == ("lumped", pytest.approx(0.012))
    assert (rows[-1]["accuracy_mean"], rows[-1]["map.cell.vg"], rows[-1]["energy_joule"]) == ("", "0.9", "2e-09")
    grid = read_grid(out / "results.nc")
    assert [axis.keys for axis in grid.axes][-1] == ("evaluate.array.r_source_ohm", "evaluate.array.model")
    bytes_ = (out / "results.nc").read_bytes()
    shutil.move(out, tmp_path / "elsewhere")
    conclude(make_plan(experiment, tmp_path / "elsewhere"), {}, seconds=2.0)
    assert (tmp_path / "elsewhere" / "results.nc").read_bytes() == bytes_


def test_only_what_points_still_need_is_computed(load, tmp_path):
    experiment, out = load(), tmp_path / "out"
    plan = make_plan(experiment, out)
    assert len(missing(plan)) == 1 + 2 + 4 + 4 + 12
    point = plan.points[0]
    fake(out, plan, without={point.runs["evaluate"].key})
    shutil.rmtree(out / point.runs["net"].key)
    plan = make_plan(experiment, out)
    assert [run.stage for run in missing(plan)] == ["evaluate"]  # its mapping is there, so the net is not needed
    found = dry_run(experiment, out=out)
    assert (found["points"], found["done"], found["left_cpu_seconds"]) == (12, 11, None)


def test_a_dry_run_says_what_is_left_by_the_runs_that_are_there(load, tmp_path):
    experiment, out = load(), tmp_path / "out"
    plan = make_plan(experiment, out)
    left = {point.runs["evaluate"].key for point in plan.points[:3]} | {plan.points[0].runs["cost"].key}
    fake(out, plan, without=left)
    (out / "logs").mkdir(exist_ok=True)
    seconds = {"evaluate": iter(range(1, 100)), "cost": iter(range(10, 1000, 10))}
    taken: dict[str, list[int]] = {"evaluate": [], "cost": []}
    for key, run in plan.runs.items():
        if run.stage in taken and key not in left:
            taken[run.stage].append(next(seconds[run.stage]))
            cost = {"wall_seconds": 0.5, "cpu_seconds": taken[run.stage][-1]}
            (out / "logs" / f"{key}.cost.json").write_text(json.dumps(cost))
    expected = 3 * np.mean(taken["evaluate"]) + np.mean(taken["cost"])
    assert dry_run(experiment, out=out)["left_cpu_seconds"] == pytest.approx(expected)
    for note in (out / "logs").glob("cost-*"):
        note.write_text("{}")
    assert dry_run(experiment, out=out)["left_cpu_seconds"] is None


def test_swept_values_become_numbers_where_all_are():
    assert as_array([1, 2]).dtype.kind == "i"
    assert as_array(["90n", 1e-7]).tolist() == [9e-8, 1e-7]
    assert as_array(["max", 0.5]).tolist() == ["max", "0.5"]
    assert as_array([True, False]).tolist() == ["true", "false"]
    assert as_array([["stuck:on=0.1"], []]).tolist() == ['["stuck:on=0.1"]', "[]"]
    assert [unit_of(k) for k in ("a.width_m", "a.temperature_celsius", "a.seed", "area_m2", "devices")] == [
        "m",
        "degC",
        "1",
        "m2",
        "1",
    ]
    assert scalars({"wall_seconds": 1.0, "points_per_second": 2.0, "latency_seconds": 3.0}) == {"latency_seconds": 3.0}


@pytest.mark.parametrize("file", sorted(EXPERIMENTS.rglob("*.toml")), ids=lambda path: path.stem)
def test_every_experiment_of_the_repository_resolves(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("table.csv").touch()  # of csv_to_joules
    assert 1 <= dry_run(load_experiment(file), out=tmp_path)["points"] <= 1000
    head = file.read_text().split("\n\n")[0] if not read_toml(file).get("name") else file.read_text().split("\nname")[0]
    words = (
        ("# Paper:",) if "reproduce" in read_toml(file) else ("# Expected:",)
    )  # an item has a table of what is expected
    assert all(word in head for word in (*words, "# Command:", "# Cost:"))
