"""Devices trained in place behind wires: what training says of them is what the chip evaluation finds, computed its own way."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

WIRES = ("--array", "nodal", "--r-wire", 50, "--r-source", 100, "--tile", "64x32", "--technology", "taox")
ONE_CHIP = ("--variation", 0, "--samples", 1, "--json")


def read_summary(run):
    return json.loads((Path(run) / "summary.json").read_text())


@pytest.fixture(scope="module")
def placed(shared, tiny):
    """Runs by the wires that they were trained in."""
    pulses = ("--method", "insitu", "--switching", "gokmen_vlasov", "--weight-range", 0.6, "--learning-rate", 0.05)
    words = ("train", *tiny, "--epochs", 2, *pulses)
    return {
        "wired": shared("insitu-wired", *words, *WIRES),
        "often": shared("insitu-often", *words, *WIRES, "--refold", 1),
        "ideal": shared("insitu-ideal", *words),
        "fading": shared("insitu-fading", *words, "--lifetime", 5),
    }


def test_the_arrays_that_were_trained_in_are_those_that_are_evaluated(xbar, placed, tmp_path):
    trained, evaluated = placed["wired"], xbar("eval", placed["wired"], *ONE_CHIP, "--out", tmp_path / "a")
    assert evaluated.code == 0, evaluated.err
    assert "trained through these arrays" in evaluated.err
    assert "technology taox" in evaluated.err
    summary, chip = read_summary(trained), evaluated.json
    assert chip["array"] == "nodal"
    assert chip["accuracy_samples"] == [summary["test_accuracy"]]
    assert abs(chip["ideal_accuracy"] - summary["test_accuracy"]) > 0.02  # wires of 50 ohm are felt
    by_hand = xbar("eval", trained, *WIRES, *ONE_CHIP, "--out", tmp_path / "b")
    assert by_hand.code == 0, by_hand.err
    assert by_hand.json["accuracy_samples"] == chip["accuracy_samples"]


def test_training_in_place_makes_up_for_the_wires(xbar, placed, tmp_path):
    there = xbar("eval", placed["ideal"], *WIRES, *ONE_CHIP, "--out", tmp_path / "a").json["accuracy_mean"]
    assert read_summary(placed["wired"])["test_accuracy"] > there + 0.05


def test_how_often_arrays_are_solved_is_felt(placed):
    seldom, often = (read_summary(placed[name]) for name in ("wired", "often"))
    assert seldom["arrays"] == often["arrays"] == {"array": {"model": "nodal", "r_wire_ohm": 50.0, "r_source_ohm": 100.0},
                                                   "tile": "64x32"}  # fmt: skip
    assert seldom["test_accuracy"] != often["test_accuracy"]


def test_devices_that_drift_end_nearer_to_the_middle_of_their_window(placed):
    away = [
        np.concatenate(
            [
                np.abs(share[..., :-1] - 0.5).ravel()
                for share in load_file(placed[name] / "devices.safetensors").values()
            ]
        )
        for name in ("fading", "ideal")
    ]
    assert away[0].mean() < 0.5 * away[1].mean()
