"""Experiments that take in a file of data: the stage `data add`, and what is made of its set, down to joules."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xbar_cli.data.datasets import load
from xbar_cli.errors import ConfigError
from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.grid import expand
from xbar_cli.experiment.plan import LOGS, read_summary
from xbar_cli.workflows.run import payload, run_stage

ROOT = Path(__file__).parents[2]
FILE = ROOT / "experiments" / "csv_to_joules.toml"
QUICK = (
    "cell.sweep.g_points=16", "cell.sweep.vin_range=0.01:0.5:11", "cell.sweep.cache=false", "cell.surrogate.error=0.05",
    "cell.surrogate.line_error=0.02",
    "neat.training.epochs=25", "neat.neat.rounds=1", "evaluate.monte_carlo.samples=1", "evaluate.monte_carlo.images=20",
    "energy.images=20",
)  # fmt: skip


@pytest.fixture
def table(tmp_path, monkeypatch):
    """The table of the experiment, in the folder where it is run."""
    monkeypatch.chdir(tmp_path)
    script = ROOT / "scripts" / "make_table.py"
    subprocess.run([sys.executable, script, "table.csv", "--rows", "300"], check=True)
    return tmp_path / "table.csv"


def keys(**options):
    """The run of each stage."""
    (point,) = expand(load_experiment(FILE, **options))
    return {stage: run.key for stage, run in point.runs.items()}


@pytest.mark.spice
def test_from_a_csv_to_joules_in_one_file(table, tmp_path):
    experiment, out = load_experiment(FILE, settings=QUICK), tmp_path / "runs"
    (point,) = expand(experiment)
    (out / LOGS).mkdir(parents=True)
    for run in point.runs.values():
        run_stage(payload(run, out))
    found = {stage: read_summary(out / run.key) for stage, run in point.runs.items()}
    assert (found["table"]["train"], found["table"]["test"], found["table"]["outputs"]) == (240, 60, 6)
    data = load("table", data_dir=out / point.runs["table"].key)
    assert data.train_images.shape == (240, 95)
    assert np.allclose(data.train_images.mean(axis=0), 0, atol=1e-5)
    assert found["neat"]["test_accuracy"] > 0.7  # of six classes
    assert found["evaluate"]["array"] == "gated"
    assert 0.4 < found["evaluate"]["accuracy_mean"] <= 1
    assert found["map"]["devices"] == 2 * (95 * 16 + 16 * 6)
    assert 1e-11 < found["energy"]["energy_joule"] < 1e-7


def test_a_file_of_other_contents_is_another_run_with_all_that_is_made_of_it(table):
    before = keys()
    table.write_text(table.read_text().replace("class5", "class4", 1))
    after = keys()
    assert {stage for stage in before if before[stage] != after[stage]} == {
        "table",
        "neat",
        "map",
        "evaluate",
        "energy",
    }


def test_a_file_that_changes_meanwhile_or_is_not_there_is_one_line(table, tmp_path):
    (point,) = expand(load_experiment(FILE))
    table.write_text(table.read_text() + "\n")
    with pytest.raises(ConfigError, match="holds something else than when the experiment began"):
        run_stage(payload(point.runs["table"], tmp_path / "runs"))
    with pytest.raises(ConfigError, match=r"stages\.table: none\.csv: no such file") as raised:
        keys(settings=["table.file=none.csv"])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('data_dir = "@table"', 'data_dir = "table"', "the run of that stage is '@table'"),
        ('label = "class"', "classes = 1", "classes"),
        ('file = "table.csv"', "", "file"),
    ],
)
def test_what_a_stage_of_data_does_not_take_is_one_line(old, new, said, table, tmp_path):
    (tmp_path / "e.toml").write_text(FILE.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=said) as raised:
        expand(load_experiment(tmp_path / "e.toml"))
    assert "\n" not in str(raised.value)


def test_a_folder_is_known_by_the_contents_of_its_files(tmp_path):
    from xbar_cli.data.own.adding import digest_of

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.txt").write_text("1")
    first = digest_of(tmp_path)
    (tmp_path / "a" / "one.txt").write_text("2")
    second = digest_of(tmp_path)
    (tmp_path / "a" / "one.txt").rename(tmp_path / "a" / "two.txt")
    assert len({first, second, digest_of(tmp_path)}) == 3


def test_plain_training_goes_on_from_a_run(xbar, shared, tmp_path):
    words = ("train", "--network", "mlp", "--hidden", 4, "--dataset", "breast_cancer")
    start = shared("breast", *words, "--epochs", 3)
    same = xbar(*words, "--epochs", 0, "--start", start, "--out", tmp_path / "same", "--json").json
    assert (tmp_path / "same" / "model.safetensors").read_bytes() == (start / "model.safetensors").read_bytes()
    fresh = xbar(*words, "--epochs", 0, "--out", tmp_path / "fresh", "--json").json
    assert same["test_accuracy"] > fresh["test_accuracy"]
    noisy = xbar(*words, "--epochs", 1, "--start", start, "--inject", "normal:0.05", "--out", tmp_path / "on", "--json")
    assert noisy.code == 0, noisy.err
    other = xbar(*words[:-2], "--hidden", 5, "--dataset", "breast_cancer", "--start", start, "--out", tmp_path / "no")
    assert (other.code, other.err.count("\n")) == (1, 1)
    assert "another network or data set" in other.err
