"""What a training fixed: written into a summary and read again, and read from runs of the previous version."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from xbar_cli.config.arrays import ArraySection
from xbar_cli.config.effects import ChipCorner
from xbar_cli.config.train import TrainConfig
from xbar_cli.errors import RunError
from xbar_cli.mapping.bitslice import SliceFormat
from xbar_cli.trained.fixed import Fixed, TrainedArrays
from xbar_cli.trained.learned import LearnedRanges

LAYERS = ("hidden", "output")


def by_layer(*values):
    return dict(zip(LAYERS, values, strict=True))


NEAT = Fixed(vg=by_layer(0.8, 1.0), w_max=by_layer(0.5, 0.5), w_cut=by_layer(0.3, 0.4), weight_scale="network")
TAT = Fixed(
    technology="taox", levels="ratio", bits=4, layers="dense", weight_limits=by_layer(0.2, 0.7),
    arrays=TrainedArrays(
        ArraySection(model="lumped", r_source_ohm=800, neuron="shared"), "784x24", ChipCorner(model="chip_corner", k=-2)
    ),
)  # fmt: skip
PERIPHERY = Fixed(
    scheme="acm", bits=4, activation_bits=8, input_ranges=by_layer(1.0, 3.5), m_max=by_layer(0.25, 0.5),
    devices=by_layer(np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 6), np.ones((3, 4), np.float32)),
)  # fmt: skip
SLICES = {"weight_bits": 8, "fraction_bits": 6, "encoding": "offset"}
BIASED = Fixed(scheme="bitslice", technology="rram2bit", bits=2, slices=SliceFormat(device_bits=2, **SLICES))
LEARNED = {
    "dac_bits": 4, "inputs": by_layer(1.0, 3.5), "adc_bits": 3, "outputs": by_layer(0.5, 7.0), "tile": "64x64",
}  # fmt: skip
KNOWN = {
    "ideal": Fixed(), "ideal between converters": Fixed(learned=LearnedRanges(**LEARNED)),
    "ideal behind a DAC": Fixed(learned=LearnedRanges(dac_bits=2, inputs=by_layer(1.0, 3.5))),
    "neat": NEAT, "tat": TAT, "periphery": PERIPHERY, "biased": BIASED,
    "insitu": replace(PERIPHERY, scheme="bc", bits=None, activation_bits=0, input_ranges={}),
    "insitu in wires": replace(
        PERIPHERY, scheme="bc", bits=None, activation_bits=0, input_ranges={}, technology="taox",
        arrays=TrainedArrays(ArraySection(model="nodal", r_wire_ohm=2), "64x32"),
    ),
}  # fmt: skip
CONFIGS = {
    "biased": TrainConfig.model_validate(
        {"method": "biased", "biased": {"start": "net", "technology": "rram2bit", "bits": 2, **SLICES}}
    )
}


@pytest.mark.parametrize("method", KNOWN)
def test_what_was_fixed_is_read_as_it_was_written(method, tmp_path):
    fixed = KNOWN[method]
    fixed.save(tmp_path)
    method = method.split()[0]
    summary = json.loads(json.dumps({"method": method, "layers": list(LAYERS), **fixed.summary()}))
    found = Fixed.read(summary, CONFIGS.get(method, TrainConfig()), tmp_path)
    for field in fields(Fixed):
        if field.name != "devices":
            assert getattr(found, field.name) == getattr(fixed, field.name), field.name
    assert (found.devices is None) == (fixed.devices is None)
    for name, values in (fixed.devices or {}).items():
        np.testing.assert_array_equal(found.devices[name], values)


def test_what_a_run_of_an_earlier_version_or_a_damaged_one_fixed_is_refused_by_name(tmp_path):
    summary = {"method": "tat", "layers": list(LAYERS), **TAT.summary()}
    assert Fixed.read(summary, TrainConfig(), tmp_path).arrays == TAT.arrays
    before = {key: value for key, value in summary.items() if key != "arrays"}
    with pytest.raises(RunError, match="earlier version"):
        Fixed.read(before, TrainConfig(), tmp_path)
    whole = summary["arrays"]
    wrong = (whole | {"bits": "x"}, whole | {"bits": 99}, whole | {"levels": 3}, whole | {"layers": [1]})
    for damaged in ({}, {"array": {"model": "no"}, "tile": "8x8"}, {"array": {"model": "lumped"}}, *wrong):
        with pytest.raises(RunError, match=r"arrays of summary\.json are damaged"):
            Fixed.read(summary | {"arrays": damaged}, TrainConfig(), tmp_path)
    with pytest.raises(RunError, match=r"w_max of summary\.json has 1 values for 2 layers"):
        Fixed.read({"method": "neat", "layers": list(LAYERS), "w_max": [1.0]}, TrainConfig(), tmp_path)


def test_trained_conductances_that_are_lost_are_an_error(tmp_path):
    summary = {"method": "periphery", "layers": list(LAYERS), **PERIPHERY.summary()}
    with pytest.raises(RunError, match=r"lacks devices\.safetensors"):
        Fixed.read(summary, TrainConfig(), tmp_path)
    (tmp_path / "devices.safetensors").touch()
    for key in ("scheme", "bits"):
        lost = {name: value for name, value in summary.items() if name != key}
        with pytest.raises(RunError, match=rf"summary\.json is damaged \('{key}' is missing\)"):
            Fixed.read(lost, TrainConfig(), tmp_path)
    with pytest.raises(RunError, match=r"summary\.json is damaged"):
        Fixed.read(summary | {"w_max": 3}, TrainConfig(), tmp_path)


@pytest.mark.parametrize(
    ("method", "wrong"),
    [
        ("periphery", {"scheme": "bb"}), ("periphery", {"bits": 99}), ("periphery", {"m_max": ["x", 1.0]}),
        ("periphery", {"activation_bits": 8.5}), ("periphery", {"input_ranges": {"hidden": None}}),
        ("insitu", {"scheme": 3}), ("insitu", {"scheme": None}),
        ("periphery", {"scheme": "bitslice"}), ("insitu", {"m_max": [True, 1.0]}),
        ("neat", {"vg_volt": [0.8, None]}), ("neat", {"weight_scale": "networK"}), ("neat", {"w_cut": [0.1, float("inf")]}),
        ("tat", {"arrays": {"array": {"model": "published"}, "tile": 7}}), ("tat", {"arrays": {"array": {}, "tile": None}}),
        ("insitu in wires", {"arrays": {"array": {"model": "nodal"}, "tile": "8"}}), ("insitu in wires", {"arrays": {}}),
        ("ideal", {"learned_ranges": LEARNED | {"inputs": {"hidden": 1.0}}}), ("ideal", {"learned_ranges": {"tile": "8x8"}}),
        ("ideal", {"learned_ranges": LEARNED | {"outputs": by_layer(1.0, 0.0)}}), ("ideal", {"learned_ranges": 3}),
        ("ideal", {"learned_ranges": LEARNED | {"adc_bits": "3"}}),
        ("tat", {"weight_limits": [1.0, 2.0]}), ("tat", {"weight_limits": {"hidden": "1"}}),
    ],
)  # fmt: skip
def test_values_of_a_wrong_kind_are_one_line(method, wrong, tmp_path):
    KNOWN[method].save(tmp_path)
    summary = {"method": method.split()[0], "layers": list(LAYERS), **KNOWN[method].summary()}
    with pytest.raises(RunError, match=r"summary\.json (is|are) damaged"):
        Fixed.read(summary | wrong, TrainConfig(), tmp_path)
