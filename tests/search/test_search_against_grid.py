"""The script that compares searches with a grid: what it looks up is what a search would compute."""

import importlib.util
from pathlib import Path

import pytest

from tests.searched import SEARCH, STAGES, SWEEP, Formulas, digest, searched, written
from xbar_cli.errors import XbarError
from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.plan import make_plan

SCRIPT = Path(__file__).parents[2] / "scripts" / "search_against_grid.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("search_against_grid", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_search_that_looks_things_up_is_the_search_that_computes_them(script, tmp_path):
    file = written(tmp_path, STAGES + SWEEP + SEARCH)
    grid = tmp_path / "grid"
    with pytest.raises(XbarError, match="runs of the grid are not there"):
        script.compared(file, grid, tmp_path / "no", seed=0)
    Formulas(grid)(make_plan(load_experiment(file), grid).points)
    settings = ["search.budget=20"]
    found = script.compared(file, grid, tmp_path / "seed1", seed=1, settings=settings)
    computed, engine = searched(file, tmp_path / "own", settings=[*settings, "search.seed=1"])
    again, _ = searched(file, tmp_path / "seed1", settings=[*settings, "search.seed=1"])
    assert digest(again) == digest(computed)
    assert (found["chips"], found["grid_chips"]) == (engine.chips, 8 * 15)
    assert 0.3 < found["hypervolume_ratio"] <= 1
    whole = ["search.sampler=grid", "search.race=false", "search.budget=100"]
    found = script.compared(file, grid, tmp_path / "whole", seed=0, settings=whole)
    assert (found["hypervolume_ratio"], found["share_of_chips"], found["front"]) == (1, 1, found["front_of_grid"])
