"""Gate voltages without a surrogate: marked where a cell is characterised, refused by name where it is read."""

import dataclasses

import numpy as np
import pytest

from tests import analytic
from xbar_cli.cell.file import load_cell
from xbar_cli.config.load import read_toml
from xbar_cli.device.linear_range import scale_top
from xbar_cli.errors import ModelError
from xbar_cli.mapping.window import cell_window, require_range
from xbar_cli.runs.results import read_dataset
from xbar_cli.train.neat import search_list

GATES = ("--vg-range", "0.6:0.8:0.1")


@pytest.fixture(scope="module")
def marked(shared):
    """Even spacing has too few points at small conductances for a transistor close to its threshold."""
    return shared("marked", "characterize", *GATES, "--g-spacing", "linear")


@pytest.mark.spice
def test_the_others_and_every_range_stay(xbar, marked, tmp_path):
    found = xbar("characterize", *GATES, "--g-spacing", "linear", "--vdd", "0.1", "--json", "--out", tmp_path / "c")
    assert found.code == 0
    said = " ".join(found.err.split())
    assert "no surrogate of rank up to 12 reaches error 0.001 at V_g 0.6 V: the best has 0.0" in said
    assert "V_g 0.6 V is marked: no array takes it" in said
    summary = found.json
    assert summary["without_surrogate_vg_volt"] == [0.6]
    for name in ("rank", "max_error", "rms_error", "full_scale_error"):
        values = summary[f"surrogate_{name}"]
        assert [value is None for value in values] == [True, False, False]
    assert summary["supply_g_cut_siemens"][0][0] > 3.6e-6, "up to 0.1 V it has a range, marked or not"
    assert None not in summary["g_cut_siemens"][1:]
    results, cell = read_dataset(marked / "results.nc"), load_cell(marked / "results.nc")
    assert results["surrogate_fits"].values.tolist() == [0, 1, 1]
    assert results["current_max_error"].values[0] > 1e-3
    assert np.isnan(results["current_factors"].values[0]).all()
    assert np.isfinite(results["mean_effective_conductance"].values).all()
    assert cell.marked == {0}
    assert search_list(cell) == [0.7, 0.8]
    shown = xbar("characterize", *GATES, "--g-spacing", "linear", "--out", tmp_path / "d").out
    assert "none" in next(line for line in shown.splitlines() if line.startswith("│ 0.6"))


@pytest.mark.spice
def test_logarithmic_spacing_is_taken_where_even_spacing_is_too_coarse(xbar, tmp_path):
    found = xbar("characterize", *GATES, "--json", "--out", tmp_path / "c")
    assert found.code == 0
    assert "V_g 0.6 V needs them" in " ".join(found.err.split())
    assert found.json["without_surrogate_vg_volt"] == []
    assert max(found.json["surrogate_max_error"]) <= 1e-3
    assert max(found.json["surrogate_rank"]) <= 10
    assert read_toml(tmp_path / "c" / "config.toml")["sweep"]["g_spacing"] == "log"
    assert "no array takes it" not in found.err


@pytest.mark.spice
@pytest.mark.parametrize(
    "words",
    [
        ("train", "--method", "neat", "--network", "mlp", "--epochs", 0, "--vg", "0.6", "--cell", "CELL"),
        ("map", "RUN", "--cell", "CELL", "--vg", "0.6"),
        ("eval", "RUN", "--cell", "CELL", "--vg", "0.6", "--images", 10),
        ("eval", "RUN", "--cell", "CELL", "--vg", "0.6", "--images", 10, "--array", "nodal", "--r-wire", 1),
    ],
    ids=str,
)
def test_whoever_reads_the_cell_there_is_refused(xbar, marked, small, tmp_path, words):
    words = [{"CELL": marked, "RUN": small}.get(word, word) for word in words]
    found = xbar(*words, "--out", tmp_path / "run")
    assert (found.code, found.out, found.err.count("\n")) == (1, "", 1)
    assert "Error: the cell has no surrogate at V_g 0.6 V" in found.err
    assert "usable: 0.7, 0.8 V" in found.err


@pytest.mark.spice
def test_power_leaves_it_out(xbar, tmp_path):
    words = ("characterize", "power", *GATES, "--g-spacing", "linear", "--samples", 4)
    found = xbar(*words, "--json", "--out", tmp_path / "p")
    assert found.code == 0
    assert (
        found.json["power_per_synapse_watt"][0]
        is found.json["power_ci95_watt"][0]
        is found.json["power_std_watt"][0]
        is None
    )
    assert all(power > 0 for power in found.json["power_per_synapse_watt"][1:])
    assert "0.6" in xbar(*words, "--out", tmp_path / "q").out


@pytest.mark.spice
def test_an_array_at_one_is_refused(xbar, tmp_path):
    words = ("characterize", "array", "--size", "2x2", "--vg", "0.6", "--g-spacing", "linear")
    found = xbar(*words, "--out", tmp_path / "a")
    assert (found.code, found.err.count("\n")) == (1, 1)
    assert "no surrogate of rank up to 12 reaches error 0.001 at V_g 0.6 V" in found.err


@pytest.mark.spice
def test_the_scale_ends_where_the_last_range_is(xbar, tmp_path):
    """A wide, leaking transistor: no range at its largest gate voltages, and W_cut is still known at the others."""
    words = (
        "--card",
        "bulk",
        "--width",
        "200n",
        "--vg-range",
        "0.9:1.3:0.1",
        "--g-points",
        32,
        "--vin-range",
        "0.01:0.5:26",
    )
    found = xbar("characterize", *words, "--json", "--out", tmp_path / "c").json
    cell = load_cell(tmp_path / "c" / "results.nc")
    has = [g is not None for g in found["g_cut_siemens"]]
    assert has == [True, True, True, False, False]
    for vg, ranged, share in zip(found["vg_volt"], has, found["w_cut_over_w_max"], strict=True):
        assert share == (
            pytest.approx(cell_window(cell, vg=vg, w_max=1.0, volt=None).w_cut, rel=1e-9) if ranged else None
        )
    assert found["w_cut_over_w_max"][2] == pytest.approx(1)


def test_a_marked_voltage_is_no_top_and_not_in_the_list():
    cell = analytic.cell()
    top = dataclasses.replace(cell, marked=frozenset({3}))
    assert cell_window(top, vg=1.2, w_max=0.7, volt=None).w_cut == pytest.approx(0.7)
    assert search_list(top) == [0.9, 1.0, 1.2]
    with pytest.raises(ModelError, match=r"no surrogate at V_g 1\.5 V: .*usable: 0\.9, 1, 1\.2 V"):
        require_range(top, 1.5)
    rangeless = dataclasses.replace(top, g_cut=np.array([np.nan, *cell.g_cut[1:]]))
    with pytest.raises(ModelError, match=r"no linear range at V_g 0\.9 V, and neat needs one; usable: 1, 1\.2 V"):
        require_range(rangeless, 0.9)


@pytest.mark.parametrize(
    ("usable", "fits", "top"),
    [
        ("1111", "1111", 3),
        ("1100", "1111", 1),
        ("1111", "1110", 2),
        ("1001", "1110", 0),
        ("0001", "1110", 2),
        ("0011", "0000", 3),
    ],
)
def test_the_top_of_the_scale(usable, fits, top):
    masks = [np.array([flag == "1" for flag in text]) for text in (usable, fits)]
    assert scale_top(*masks) == top
