"""Energies of whole compositions, mapping × cell × coding × converters × model, computed once more by hand from written files.

The hardware comes from an evaluate run, as `--activity` takes it over; only `by_hand` computes, with nothing of the package.
"""

import shutil

import h5py
import numpy as np
import pytest

from tests import energy_by_hand as by_hand
from tests.drawn import few_figures  # noqa: F401
from xbar_cli.cli.main import guarded
from xbar_cli.runs.seal import seal

IMAGES = 6
TILE = "48x20"


def xbar(*words):
    few = ("--set", "calibration.images=50") if words[0] == "map" else ()
    assert guarded([*map(str, words), *few, "--quiet"]) == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("compositions")


@pytest.fixture(scope="module")
def net(folder):
    """A small LeNet that has seen a few pictures."""
    xbar("train", "--network", "lenet", "--width", 0.1, "--train-images", 600, "--epochs", 1, "--out", folder / "net")
    return folder / "net"


@pytest.fixture(scope="module")
def mapped(folder, net):
    """Map runs by name; `signed` is the map `de` whose activations take two phases."""
    made = {}

    def make(scheme, *read):
        name = "-".join([scheme, *map(str, read)])
        if name not in made:
            out = folder / name
            if scheme == "signed":
                shutil.copytree(make("de"), out)
                with h5py.File(out / "results.nc", "a") as file:
                    for layer in ("conv2", "fc1"):
                        file[f"{layer}_conductance"].attrs["signed_activation"] = 1
                seal(out)
            elif scheme == "cell":
                cell = folder / "characterized"
                if not cell.exists():
                    xbar(
                        "characterize", "--vg-range", 0.8, "--g-points", 32, "--vin-range", "0.01:0.5:26", "--out", cell
                    )
                xbar("map", net, "--cell", cell, "--vg", 0.8, "--tile", TILE, *read, "--out", out)
            else:
                xbar("map", net, "--scheme", scheme, "--tile", TILE, "--out", out)
            made[name] = out
        return made[name]

    return make


def pictures():
    from xbar_cli.data.datasets import load

    return load("fashion_mnist_mini", data_dir=None).test_images[:IMAGES] / 255


def hardware(**given):
    return {"input": "amplitude", "dac_bits": None, "adc_bits": None, **given}


CASES = [
    ("de", "resparc", hardware()),
    ("de", "resparc", hardware(dac_bits=3, adc_bits=5)),
    ("de", "resparc", hardware(input="bitserial", dac_bits=6, adc_bits=7, columns_per_adc=4)),
    ("de", "resparc", hardware(input="pwm", dac_bits=5, adc_bits=6, rows_at_once=16)),
    ("de", "isaac", hardware(input="bitserial", dac_bits=4, adc_bits=6, adc_input="pair", rows_at_once=10)),
    ("bc", "isaac", hardware(input="bitserial", dac_bits=8, adc_bits=8, adc_offset_error=0.01)),
    ("bc", "resparc", hardware(input="pwm", dac_bits=8)),
    ("acm", "neurosim", hardware(input="bitserial", dac_bits=8, adc_bits=6, columns_per_adc=8, rows_at_once=24)),
    ("acm", "neurosim", hardware()),
    ("bitslice", "isaac", hardware(input="bitserial", dac_bits=8, adc_bits=7, rows_at_once=32, columns_per_adc=5)),
    ("bitslice", "resparc", hardware(input="bitserial", dac_bits=2, adc_bits=4)),
    ("signed", "resparc", hardware(dac_bits=4, adc_bits=8)),
    ("signed", "neurosim", hardware(input="bitserial", dac_bits=5, adc_bits=5)),
    ("cell", "resparc", hardware()),
    ("cell", "resparc", hardware(dac_bits=3)),
    ("cell", "resparc", hardware(input="bitserial", dac_bits=5, v_read_volt=0.1, adc_bits=6)),
    ("cell", "resparc", hardware(input="pwm", dac_bits=6, v_read_volt=0.3, adc_bits=6, rows_at_once=30)),
    ("cell", "isaac", hardware(input="bitserial", dac_bits=4, adc_bits=6)),
    ("cell", "neurosim", hardware(input="bitserial", dac_bits=4, v_read_volt=0.2, adc_bits=6)),
    ("de", "isaac", hardware(input="bitserial", dac_bits=4, adc_bits=6, rows_at_once=16, accumulate="analog")),
    ("de", "resparc", hardware(input="pwm", dac_bits=5, adc_bits=6, columns_per_adc=5, accumulate="analog")),
]
NAMES = [
    "-".join([scheme, model, case["input"], *(f"{k}={v}" for k, v in case.items() if v is not None and k != "input")])
    for scheme, model, case in CASES
]


QUICK = {1, 3, 4, 5, 7, 9, 11, 15, 18, 19, 20}
"""Every scheme, model, coding and setting of converters among them."""


@pytest.mark.spice
@pytest.mark.parametrize(
    ("scheme", "model", "case"),
    [
        pytest.param(*case, id=name, marks=() if n in QUICK else pytest.mark.slow)
        for n, (case, name) in enumerate(zip(CASES, NAMES, strict=True))
    ],
)
def test_energy_by_hand(mapped, tmp_path, scheme, model, case):
    read = {"--input": case["input"], "--dac-bits": case["dac_bits"], "--v-read": case.get("v_read_volt")}
    taken = [word for option, value in read.items() if value is not None for word in (option, value)]
    run = mapped(scheme, *(taken if scheme == "cell" and case["input"] != "amplitude" else ()))
    words = [f"--set=converters.{key}={value}" for key, value in case.items() if value is not None]
    if case["adc_bits"] is not None:  # no energy knows the range of a converter: bits take one that needs no pictures
        words += ["--adc-range", 1] if case["input"] == "bitserial" else ["--set", "calibration.images=50"]
    xbar("eval", run, "--images", 4, "--samples", 1, *words, "--out", tmp_path / "eval")
    out = tmp_path / "energy"
    xbar("energy", run, "--model", model, "--activity", tmp_path / "eval", "--images", IMAGES, "--out", out)
    found, k = by_hand.summary(out), by_hand.constants(out)
    known = by_hand.Mapped(run)
    asked = dict(case)
    asked["rounded"] = case["dac_bits"] is not None
    asked["dac_bits"] = case["dac_bits"] or round(k["input.bits"])
    if model != "resparc" and case["input"] == "amplitude":
        asked["input"] = "bitserial"
    asked["adc_bits"] = case["adc_bits"] or round(k["adc.bits"])
    if case.get("adc_offset_error"):
        asked["columns_per_adc"] = 1
    if known.cell is not None:
        asked["volt"] = case.get("v_read_volt") or 0.5
    layers, latency, area = by_hand.expected(known, k, model, asked, pictures())
    for name, parts in layers.items():
        for part, (joule, slack) in parts.items():
            value = found["breakdown"]["layers"][name][f"{part}_joule"]
            # powers of cells come from a table over the conductances of a layer
            relative = 3e-6 if known.cell is not None and part in ("cells", "crossbar") else 1e-6
            assert abs(value - joule) <= relative * joule + slack, (name, part, value, joule)
            assert slack <= 1e-2 * joule  # rounding leaves next to nothing open
    if model != "neurosim":
        assert found["latency_seconds"] == pytest.approx(latency, rel=1e-9)
        adc = {"resparc": "converters", "isaac": "adc"}[model]
        tree = found["breakdown"]["tree"]["children"].values()
        assert sum(layer["children"][adc]["area_m2"] for layer in tree) == pytest.approx(area, rel=1e-9)
    known_bits = {key: case[key] for key in ("dac_bits", "adc_bits")}
    assert found["accuracy_converters"] == (known_bits if any(known_bits.values()) else None)


@pytest.mark.spice
def test_cells_energy_goes_with_the_square_of_the_voltage(mapped, tmp_path):
    found = {}
    for volt in (0.5, 0.1):
        run = mapped("cell", "--input", "pwm", "--dac-bits", 6, "--v-read", volt)
        xbar("eval", run, "--images", 4, "--samples", 1, "--out", tmp_path / f"eval-{volt}")
        out = tmp_path / f"energy-{volt}"
        xbar("energy", run, "--activity", tmp_path / f"eval-{volt}", "--images", IMAGES, "--out", out)
        found[volt] = by_hand.summary(out)["breakdown"]["cells_joule"]
    # the transistor takes more of a larger voltage: a little less than 25 times
    assert 20 < found[0.5] / found[0.1] <= 25.5


def test_the_range_of_the_drive_follows_the_evaluation(mapped, tmp_path):
    run, known = mapped("de"), by_hand.Mapped(mapped("de"))
    xbar("eval", run, "--dac-bits", 4, "--dac-range", 0.5, "--images", 4, "--samples", 1, "--out", tmp_path / "eval")
    xbar("energy", run, "--activity", tmp_path / "eval", "--images", IMAGES, "--out", tmp_path / "energy")
    known.scale = dict.fromkeys(known.names, 0.5)
    k = by_hand.constants(tmp_path / "energy")
    layers, _, _ = by_hand.expected(known, k, "resparc", hardware(dac_bits=4, adc_bits=8), pictures())
    found = by_hand.summary(tmp_path / "energy")["breakdown"]["layers"]
    for name, parts in layers.items():
        joule, slack = parts["cells"]
        assert abs(found[name]["cells_joule"] - joule) <= 1e-6 * joule + slack
    # an energy run made of that one keeps the range, and its activity
    again = tmp_path / "again"
    xbar("energy", run, "--activity", tmp_path / "energy", "--out", again)
    assert by_hand.summary(again)["energy_joule"] == pytest.approx(by_hand.summary(tmp_path / "energy")["energy_joule"])


def test_digital_layers_are_costed_by_their_macs(folder, net, mapped, tmp_path):
    """The two convolutions digital: MACs by hand, energy, latency, area and operations with them."""
    xbar("map", net, "--layers", "dense", "--tile", TILE, "--out", tmp_path / "dense")
    xbar("energy", tmp_path / "dense", "--images", IMAGES, "--out", tmp_path / "energy")
    xbar("energy", mapped("de"), "--images", IMAGES, "--out", tmp_path / "whole")
    found, whole, k = (
        by_hand.summary(tmp_path / "energy"),
        by_hand.summary(tmp_path / "whole"),
        by_hand.constants(tmp_path / "energy"),
    )
    rows = by_hand.lenet_rows(by_hand.Mapped(mapped("de")).weights, pictures())
    kernels = by_hand.Mapped(mapped("de")).weights
    macs = {name: rows[name].shape[1] * kernels[f"{name}.kernel"].size for name in ("conv1", "conv2")}
    assert found["digital_layers"] == ["conv1", "conv2"]
    assert found["digital_macs"] == sum(macs.values())
    assert found["operations"] == whole["operations"]
    spent = sum(macs.values()) * k["digital.mac_joule"]
    assert found["digital_joule"] == found["breakdown"]["digital_joule"] == pytest.approx(spent)
    arrays = sum(whole["breakdown"]["layers"][name]["energy_joule"] for name in ("fc1", "fc2"))
    assert found["energy_joule"] == pytest.approx(arrays + spent)
    assert found["breakdown"]["shares"]["digital"] == pytest.approx(spent / found["energy_joule"])
    rate = k["digital.units"] * k["digital.hertz"]
    dense = sum(whole["breakdown"]["layers"][name]["latency_seconds"] for name in ("fc1", "fc2"))
    assert found["latency_seconds"] == pytest.approx(dense + sum(macs.values()) / rate)
    unit = k["digital.units"] * k["digital.unit_area_m2"]
    parts = found["breakdown"]["tree"]["children"]
    assert parts["digital"]["area_m2"] == pytest.approx(unit)
    assert found["area_m2"] == pytest.approx(sum(part["area_m2"] for part in parts.values()))
    free = tmp_path / "free"
    xbar("energy", tmp_path / "dense", "--images", IMAGES, "--set", "energy.digital.mac_joule=0", "--out", free)
    assert by_hand.summary(free)["energy_joule"] == pytest.approx(arrays)


def test_signs_kept_digitally_are_costed(net, tmp_path):
    """Slices of two's complement of 2 bits keep a sign of every weight in the digital side: an addition a product each."""
    xbar("map", net, "--scheme", "bitslice", "--encoding", "twos_complement", "--tile", TILE, "--out", tmp_path / "map")
    xbar("energy", tmp_path / "map", "--model", "isaac", "--images", IMAGES, "--out", tmp_path / "energy")
    found, k = by_hand.summary(tmp_path / "energy"), by_hand.constants(tmp_path / "energy")
    rows = by_hand.lenet_rows(by_hand.Mapped(tmp_path / "map").weights, pictures())
    with h5py.File(tmp_path / "map" / "results.nc") as file:
        sums = {name: rows[name].shape[1] * int(np.count_nonzero(file[f"{name}_digital"][:])) for name in rows}
    assert sum(sums.values()) > 0
    assert found["digital_joule"] == pytest.approx(sum(sums.values()) * k["digital.mac_joule"])
