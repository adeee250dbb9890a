"""Values in runs without a list of their files that no run can have: one line, whichever command reads them."""

import json
import shutil

import h5py
import pytest


def unsealed(run, place):
    """A copy of a run as xbar 0.1 left them: nothing tells a changed byte."""
    shutil.copytree(run, place)
    for done in place.rglob("done"):
        done.write_text("")
    return place


@pytest.mark.parametrize("factor", [1e30, 11.0, -1.0])
def test_a_conductance_that_no_device_has_is_damage(xbar, mapped, tmp_path, factor):
    run = unsealed(mapped, tmp_path / "run")
    with h5py.File(run / "results.nc", "a") as file:
        name = next(key for key in file if key.endswith("_conductance"))
        file[name][0, 0] = factor * file.attrs["g_on_siemens"]
    for words in (("energy", run), ("eval", run, "--samples", 1)):
        found = xbar(*words, "--out", tmp_path / "out")
        assert (found.code, found.err.count("Error: ")) == (1, 1)
        assert f"conductances of {name.removesuffix('_conductance')} are beyond what its devices can have" in found.err
    assert not (tmp_path / "out").exists()


def test_a_cell_without_gate_voltages_is_damage(xbar, neat, tmp_path):
    run = unsealed(neat, tmp_path / "run")
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"vg_volt": None}))
    found = xbar("map", run, "--out", tmp_path / "out")
    assert (found.code, found.err.count("Error: ")) == (1, 1)
    assert "it has a cell and no gate voltages" in found.err
