"""`xbar search` as a user meets it: the space, bad input, and a small search beside the grid of the same file."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xbar_cli.cli.sweeps.search import SearchLine
from xbar_cli.runs.sweep import Outcome
from xbar_cli.search.agreement import contradiction

FILE = """
name = "tiny"
[stages.map]
command = "map"
run = "{net}"
[stages.evaluate]
command = "evaluate"
run = "@map"
variation.amount = 0.2
monte_carlo.samples = 4
monte_carlo.images = 100
[stages.energy]
command = "energy"
run = "@map"
images = 4
[sweep]
map.mapping.bits = [1, 3]
evaluate.converters.adc_bits = [3, 8]
energy.adc_bits = [3, 8]
zip = [["evaluate.converters.adc_bits", "energy.adc_bits"]]
[search]
objectives = ["max accuracy_mean", "min energy_joule"]
sampler = "grid"
budget = 10
batch = 2
"""


@pytest.fixture
def file(tmp_path, small):
    path = tmp_path / "tiny.toml"
    path.write_text(FILE.format(net=small))
    return path


def test_a_search_of_every_design_is_the_grid_of_the_same_file(xbar, file, tmp_path):
    grid = xbar("run", file, "--workers", 1, "--out", tmp_path / "grid", "--quiet", "--json").json
    found = xbar("search", file, "--workers", 1, "--out", tmp_path / "search", "--quiet", "--json").json
    with xr.open_dataset(grid["results"], engine="h5netcdf") as dataset:
        accuracy, energy = (dataset[name].values.ravel() for name in ("accuracy_mean", "energy_joule"))
        std = dataset["accuracy_std"].values.ravel()
    assert (found["designs"], found["trials"], found["failed"]) == (4, 4, 0)
    assert 8 <= found["chips"] <= 16
    with xr.open_dataset(found["results"], engine="h5netcdf") as dataset:
        whole = dataset["state"].values == "complete"
        for name, values in (("accuracy_mean", accuracy), ("accuracy_std", std), ("energy_joule", energy)):
            np.testing.assert_allclose(dataset[name].values[whole], values[whole], rtol=1e-12)
    pairs = list(zip(accuracy, energy, strict=True))
    best = {n for n, (a, e) in enumerate(pairs) if not any(b >= a and f <= e and (b, f) != (a, e) for b, f in pairs)}
    assert {entry["trial"] for entry in found["front"]} == best
    assert found["disagreement"] is None
    # each design of the front with all of its chips, in parts
    for entry in found["front"]:
        summaries = [json.loads((Path(path) / "summary.json").read_text()) for path in entry["runs"]["evaluate"]]
        assert sum(s["samples"] for s in summaries) == 4
        assert np.mean([x for s in summaries for x in s["accuracy_samples"]]) == pytest.approx(
            entry["figures"]["accuracy_mean"]
        )
    mapped, evaluated = (Path(found["front"][0]["runs"][stage][-1]) for stage in ("map", "evaluate"))
    other = xbar("energy", mapped, "--r-source", 100, "--images", 4, "--out", tmp_path / "other", "--json").json["out"]
    assert "no resistances" in str(contradiction(evaluated, Path(other)))
    shown = xbar("search", file, "--workers", 1, "--out", tmp_path / "search")
    assert shown.code == 0
    assert f"tiny: 4 trials ({found['complete']} complete" in shown.out
    assert "hypervolume" in shown.out


def test_a_dry_run_says_what_the_space_is(xbar, file, tmp_path):
    found = xbar("search", file, "--dry-run", "--json", "--out", tmp_path / "no").json
    assert (found["designs"], found["chips_per_design"], found["rungs"]) == (4, 4, [2, 4])
    assert found["axes"][1]["keys"] == ["evaluate.converters.adc_bits", "energy.adc_bits"]
    assert not (tmp_path / "no").exists()
    text = xbar("search", file, "--dry-run").out
    assert "tiny: designs 4" in text
    assert "chips of a design: 2, then 4" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "search.objectives=[]"), "search: objectives = []"),
        (("--set", "search.map.mapping.bits={log=true}"), "low and high missing: an axis is {low = A, high = B}"),
        (("--set", "search.seed=-1"), "search: seed = -1"),
        (("--set", "map.mapping.bits=2"), "the file's [sweep] lists this key"),
        (("--scheduler", "tcp://127.0.0.1:1"), "no Dask scheduler answers"),
    ],
)
def test_bad_input_is_one_line(xbar, file, tmp_path, words, said):
    found = xbar("search", file, *words, "--out", tmp_path / "out", "--quiet")
    assert (found.code, found.err.count("\n")) == (1, 1)
    assert said in found.err


def test_workers_and_a_scheduler_are_one_too_many(xbar, file):
    assert xbar("search", file, "--workers", 1, "--scheduler", "tcp://h:1").code == 2


def test_what_fails_is_noted_once_and_not_where_it_is_to_be_quiet(capsys):
    for quiet, lines in ((False, 1), (True, 0)):
        with SearchLine(quiet=quiet) as line:
            line.started("evaluate-1")
            line.ended("evaluate-1", Outcome(False, "[red]no[/red]", 1.0, 3))
            line.ended("energy-1", Outcome(False, "needs evaluate-1", 0.0, 0))
        err = capsys.readouterr().err
        assert err.count("\n") == lines
        assert quiet or "failed: evaluate-1: [red]no[/red]" in err
