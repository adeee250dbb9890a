"""`--r-off inf`: the lowest level of a resistive array is an absent device, G = 0; other quantities are finite."""

import pytest

from xbar_cli.runs.results import read_dataset


@pytest.fixture(scope="module")
def absent(shared, small):
    return shared("absent-low-state", "map", small, "--r-off", "inf", "--r-on", "20k")


def test_no_weight_is_no_device(xbar, small, absent, tmp_path):
    """Each pair has a device for one sign alone, of conductance |w| / w_max · G_on."""
    results = read_dataset(absent / "results.nc")
    name = results.attrs["layers"].split()[0]
    pairs = results[f"{name}_conductance"].values.reshape(-1, 2)
    assert (pairs.min(axis=1) == 0).all()
    assert pairs.max() == pytest.approx(1 / 20e3, rel=1e-6)
    assert results.attrs["g_off_siemens"] == 0
    words = ("--images", 200, "--json", "--out")
    exact = xbar("eval", absent, *words, tmp_path / "a").json
    assert exact["accuracy_mean"] == pytest.approx(exact["ideal_accuracy"], abs=0.006)
    assert xbar("eval", absent, "--variation", 0.1, "--samples", 2, *words, tmp_path / "c").json["accuracy_std"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("map", "RUN", "--r-off", "inf", "--levels", "ratio", "--bits", 3), "--r-off must be finite"),
        (("map", "RUN", "--r-off", "nan"), "--r-off: mapping.r_off_ohm: 'nan' is not a number; write a finite one"),
        (("map", "RUN", "--set", "mapping.r_off_ohm=nan"), "mapping.r_off_ohm = nan: input should be greater than 0"),
        (("map", "RUN", "--r-off", "-inf"), "'-inf' is not a number; write a finite one"),
        (("map", "RUN", "--r-on", "inf"), "'inf' is not a number; write a finite one"),
        (("map", "RUN", "--r-on", "1e-200"), "1e-200 is out of bounds: from 1e-12 to 1e12 ohm is allowed"),
        (("characterize", "--r-off", "inf"), "cell.r_off_ohm: 'inf' is not a number; write a finite one"),
        (("characterize", "tile", "--r-on", "inf"), "tile.r_on_ohm: 'inf' is not a number; write a finite one"),
    ],
    ids=str,
)
def test_what_must_be_finite_is_one_line(xbar, small, tmp_path, words, message):
    found = xbar(*(small if word == "RUN" else word for word in words), "--out", tmp_path / "x")
    assert (found.code, found.out, found.err.count("\n")) == (1, "", 1)
    assert message in found.err


def test_a_tile_of_devices_from_nothing_to_r_on(xbar, tmp_path):
    found = xbar(
        "characterize", "tile", "--size", "6x5", "--r-off", "inf", "--r-on", "10k", "--json", "--out", tmp_path / "t"
    )
    assert found.code == 0, found.err
    g = read_dataset(tmp_path / "t" / "results.nc")["conductance"].values
    assert 0 < g.min() < 1 / 100e3
    assert g.max() < 1 / 10e3
