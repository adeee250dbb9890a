"""`xbar eval --program`: chips written by pulses, with their costs in the summary, the table and results.nc."""

import h5py
import pytest

from xbar_cli.cli.evaluate import programming_rows

FEW = ("--images", 60, "--samples", 3)
VERIFY = ("--program", "verify", "--program-device", "alox_hfo2", "--program-tolerance", "1%")


def test_what_programming_takes_is_told_chip_by_chip(small, xbar, tmp_path):
    found = xbar("eval", small, *FEW, *VERIFY, "--json", "--out", tmp_path / "a").json
    told = found["programming"]
    assert (told["method"], told["device"], told["tolerance"]) == ("verify", "alox_hfo2", 0.01)
    assert told["joules_mean"] > 0 < told["seconds_mean"]
    assert told["missed_fraction_mean"] < 0.01
    assert 0 < told["conductance_error_mean"] <= 0.01
    with h5py.File(tmp_path / "a" / "results.nc") as file:
        pulses = file["programming_pulses"][:]
    assert pulses.shape == (3,)
    assert pulses.mean() == pytest.approx(told["pulses_mean"])
    assert len(set(pulses)) == 3
    first = xbar("eval", small, "--images", 60, "--samples", 1, *VERIFY, "--json", "--out", tmp_path / "b").json
    assert first["accuracy_samples"] == found["accuracy_samples"][:1]  # chip 0 is chip 0, however many there are
    assert first["programming"]["pulses_mean"] == pulses[0]
    assert (
        "programmed by verify (alox_hfo2)",
        f"{told['pulses_mean']:.4g} pulses, {told['reads_mean']:.4g} reads",
    ) in (programming_rows(found))


def test_programmed_chips_age_and_are_the_same_at_every_time(small, xbar, tmp_path):
    both = ("--effect", "pcm_drift", "--effect", "pcm_read")
    found = xbar("eval", small, *FEW, *VERIFY, *both, "--at", "25s,1y", "--json", "--out", tmp_path / "a").json
    told = ("--effect", "pcm_drift:t=1y", "--effect", "pcm_read:t=1y")
    alone = xbar("eval", small, *FEW, *VERIFY, *told, "--json", "--out", tmp_path / "b").json
    assert found["ages"][1]["accuracy_samples"] == alone["accuracy_samples"]
    assert found["programming"] == alone["programming"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--program", "verify"), "--program verify needs --program-device"),
        ((*VERIFY[:3], "nothing"), "switching model 'nothing' is unknown: use agsi"),
        ((*VERIFY, "--effect", "write_verify:tolerance=0.1"), "effect write_verify says what programming leaves"),
        (("--program-tolerance", "2%", "--program-pulses", 9), "give --program, verify or gradient"),
    ],
)
def test_what_cannot_be_programmed_is_one_line(small, xbar, tmp_path, words, said):
    found = xbar("eval", small, *FEW, *words, "--out", tmp_path / "a")
    assert found.code in (1, 2)
    assert said in found.err
    assert len(found.err.strip().splitlines()) == 1
