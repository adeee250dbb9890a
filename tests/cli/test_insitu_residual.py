"""Residual tiles from training to chips and joules."""

import json
import shutil

import numpy as np
import pytest

from tests import energy_by_hand as by_hand
from xbar_cli.data.datasets import load
from xbar_cli.mapping.readout import Readout
from xbar_cli.runs.results import read_tensors, write_tensors
from xbar_cli.runs.seal import seal
from xbar_cli.trained.fixed import DEVICES

WORDS = ("train", "--method", "insitu", "--network", "mlp", "--width", 0.05, "--epochs", 1, "--batch-size", 16)
OWN = ("--algorithm", "residual", "--switching", "alox_hfo2", "--residual-tiles", 2, "--residual-factor", 0.5)


@pytest.fixture(scope="module")
def residual(shared):
    return shared("residual", *WORDS, *OWN)


def test_arrays_of_several_tiles_compute_what_training_did(residual, xbar, tmp_path):
    found = xbar("eval", residual, "--samples", 1, "--out", tmp_path / "chips", "--json").json
    assert found["accuracy_mean"] == pytest.approx(found["ideal_accuracy"], abs=0.002)
    assert found["ideal_accuracy"] > 0.3
    varied = xbar("eval", residual, "--samples", 2, "--variation", 0.2, "--out", tmp_path / "varied", "--json").json
    assert varied["accuracy_mean"] != found["accuracy_mean"]


def test_a_weight_has_a_device_on_every_tile_and_one_reference_serves_all(residual, xbar, tmp_path):
    mapped = xbar("map", residual, "--out", tmp_path / "map", "--json").json
    devices = read_tensors(residual / DEVICES)
    for layer in mapped["layers"]:
        kernel = devices[layer["name"]]
        assert (kernel.shape[-1] - 1) % 2 == 0
        assert layer["devices"] == kernel.size
        assert layer["weight_rmse"] < 1e-6
    joules = xbar("energy", tmp_path / "map", "--out", tmp_path / "joules", "--json").json
    assert joules["energy_joule"] > 0
    again = xbar("eval", tmp_path / "map", "--samples", 1, "--out", tmp_path / "chips", "--json").json
    assert again["accuracy_mean"] == pytest.approx(again["ideal_accuracy"], abs=0.002)


def test_energy_of_several_tiles_by_hand(residual, xbar, tmp_path):
    """Every column of every tile is driven and converted: from the written conductances, with nothing of the package."""
    known = by_hand.Mapped(made(xbar, "map", residual, out=tmp_path / "map"))
    evaluated = made(xbar, "eval", tmp_path / "map", "--images", 4, "--samples", 1, out=tmp_path / "eval")
    out = made(xbar, "energy", tmp_path / "map", "--activity", evaluated, "--images", 6, out=tmp_path / "energy")
    pictures = load("fashion_mnist_mini", data_dir=None).test_images[:6] / 255
    k = by_hand.constants(out)
    asked = {"input": "amplitude", "dac_bits": round(k["input.bits"]), "adc_bits": round(k["adc.bits"])}
    layers, latency, _ = by_hand.expected(
        known, k, "resparc", asked | {"rounded": False}, pictures, rows_of=by_hand.mlp_rows
    )
    found = by_hand.summary(out)
    for name, parts in layers.items():
        for part, (joule, _) in parts.items():
            assert found["breakdown"]["layers"][name][f"{part}_joule"] == pytest.approx(joule, rel=1e-6), (name, part)
    assert found["latency_seconds"] == pytest.approx(latency, rel=1e-9)


def made(xbar, *words, out):
    assert xbar(*words, "--out", out).code == 0
    return out


@pytest.mark.parametrize("own", [("--residual-tiles", 3), ("--residual-factor", 0.25)])
def test_tiles_and_factor_each_alone_change_the_training(residual, xbar, tmp_path, own):
    options = dict(zip(OWN[::2], OWN[1::2], strict=True)) | dict([own])
    words = [word for pair in options.items() for word in pair]
    other = made(xbar, *WORDS, *words, out=tmp_path / "other")
    ours, theirs = (by_hand.load_file(run / "model.safetensors") for run in (residual, other))
    assert any(not np.array_equal(ours[name], theirs[name]) for name in ours)
    tiles = options["--residual-tiles"]
    summary = json.loads((other / "summary.json").read_text())
    assert summary["residual_factors"] == [options["--residual-factor"] ** n for n in range(tiles)]


def test_a_readout_with_factors_is_the_sum_by_hand_and_comes_back_from_attributes():
    own = Readout("bc", factors=(1.0, 0.5))
    m = np.asarray([[3.0, 5.0, 2.0, 7.0, 1.0]])
    np.testing.assert_allclose(own.combine(m), [[(3 - 1) + 0.5 * (5 - 1), (2 - 1) + 0.5 * (7 - 1)]])
    assert (own.columns(2), own.outputs(5)) == (5, 2)
    with pytest.raises(ValueError, match="4 columns make 3 differences, which are no multiple of 2"):
        own.outputs(4)
    assert Readout.of("bc", own.attributes()) == own
    assert Readout.of("de", Readout("de", groups=3).attributes()) == Readout("de", groups=3)


@pytest.mark.parametrize("factors", [None, [], [1.0, 0.25], [1.0, 0.5, 0.25], "x"])
def test_damaged_factors_are_told(residual, xbar, tmp_path, factors):
    run = tmp_path / "run"
    shutil.copytree(residual, run)
    summary = json.loads((run / "summary.json").read_text())
    if factors is None:
        del summary["residual_factors"]
    else:
        summary["residual_factors"] = factors
    (run / "summary.json").write_text(json.dumps(summary))
    seal(run)
    found = xbar("map", run, "--out", tmp_path / "map")
    assert found.code == 1
    assert "residual_factors of summary.json are not those of its configuration" in found.err.replace("\n", " ")


def test_devices_of_other_tiles_are_told(residual, xbar, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(residual, run)
    devices = read_tensors(run / DEVICES)
    write_tensors(run / DEVICES, {name: value[..., :-2] for name, value in devices.items()})
    seal(run)
    found = xbar("eval", run, "--out", tmp_path / "chips")
    assert found.code == 1
    assert "are not those of its weights" in found.err.replace("\n", " ")


def test_a_tile_that_holds_less_than_a_pulse_is_refused(xbar, tmp_path):
    words = (*WORDS, "--algorithm", "residual", "--switching", "alox_hfo2", "--residual-factor", 0.02)
    found = xbar(*words, "--out", tmp_path / "run")
    assert found.code != 0
    assert "--residual-factor 0.02: a finer tile would hold less than a pulse of alox_hfo2" in found.err
