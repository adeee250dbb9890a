"""What an array model cannot solve, through `xbar evaluate`: one clear line."""

import os
import shutil

import h5py
import numpy as np
import pytest

from xbar_cli.runs.seal import seal


@pytest.fixture(scope="module")
def placed(shared):
    """Ten hidden units on small tiles."""
    tiny = shared("tiny", "train", "--network", "mlp", "--width", 0.02, "--epochs", 0)
    return shared("tiny-map", "map", tiny, "--tile", "8x4")


def test_a_tile_larger_than_the_memory(xbar, placed, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda _: 64)  # a page size and a number of pages: a machine of 4 KiB
    found = xbar("eval", placed, "--array", "nodal", "--r-wire", 1, "--images", 10, "--out", tmp_path / "e")
    assert (found.code, found.out, found.err.count("\n")) == (1, "", 1)
    assert "must fit into memory" in found.err
    assert "split the array into smaller tiles" in found.err
    assert list(tmp_path.iterdir()) == []


def test_a_conductance_that_is_no_number(xbar, placed, tmp_path):
    shutil.copytree(placed, tmp_path / "damaged")
    with h5py.File(tmp_path / "damaged" / "results.nc", "a") as file:
        file["hidden_conductance"][2, 3] = np.nan
    seal(tmp_path / "damaged")
    found = xbar("eval", tmp_path / "damaged", "--images", 10, "--samples", 1, "--out", tmp_path / "e")
    assert (found.code, found.out, found.err.count("\n")) == (1, "", 1)
    assert "hidden_conductance holds values that are no numbers" in found.err
    assert not (tmp_path / "e").exists()


def test_cells_have_no_conductance_below_0(xbar, small, cell, tmp_path):
    words = ("--cell", cell, "--vg", 0.9, "--variation", 0.3, "--negative", "allow", "--images", 10, "--samples", 1)
    found = xbar("eval", small, *words, "--out", tmp_path / "e")
    assert (found.code, found.out, found.err.count("\n")) == (1, "", 1)
    assert "belongs to resistive arrays" in found.err
