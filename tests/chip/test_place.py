"""From what is asked for and what training fixed to devices: settings taken up, scales, conductances by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tests.compositions.product import CALIBRATION, trained
from xbar_cli.chip.place import map_network
from xbar_cli.chip.resolve import mapping_of, on_trained_arrays, resolve_cell, resolve_mapping
from xbar_cli.config.arrays import ArraySection
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.converters import ReadSection
from xbar_cli.config.effects import ChipCorner
from xbar_cli.config.hardware import CellReference, MappingSection
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.bitslice import SliceFormat
from xbar_cli.reporter import SILENT
from xbar_cli.trained.fixed import Fixed, TrainedArrays

LAYERS = ("conv", "fc")
G_ON, G_OFF = 1 / 30e3, 1 / 300e3
BIASED = Fixed(
    scheme="bitslice", technology="rram2bit", bits=2,
    slices=SliceFormat(weight_bits=8, fraction_bits=6, device_bits=2, encoding="differential"),
)  # fmt: skip
TAT = Fixed(
    technology="taox", levels="ratio", bits=4,
    arrays=TrainedArrays(
        ArraySection(model="nodal", r_source_ohm=800, r_wire_ohm=2), "16x8", ChipCorner(model="chip_corner", k=-2)
    ),
)  # fmt: skip


class Told:
    """A reporter that keeps what it is told."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def training(fixed):
    """The tiny network, as a training that fixed something would leave it."""
    found = replace(trained())
    found.__dict__["fixed"] = fixed
    return found


def taken(fixed, *, cell=False, reporter=SILENT, **asked):
    return mapping_of(fixed, MappingSection(**asked), of="RUN", cell=cell, reporter=reporter)


def mapped(fixed=None, **asked):
    network = training(fixed or Fixed())
    placement = resolve_mapping(network, MappingSection(**asked), None, read=ReadSection(), reporter=SILENT)
    return map_network(network, placement, images=CALIBRATION)


def test_slices_that_were_trained_are_taken_up_and_said():
    told = Told()
    found = taken(BIASED, reporter=told)
    assert (found.scheme, found.technology, found.bits) == ("bitslice", "rram2bit", 2)
    assert (found.weight_bits, found.fraction_bits, found.encoding) == (8, 6, "differential")
    assert len(told.notes) == 1
    assert "scheme bitslice, technology rram2bit, fraction_bits 6, bits 2" in told.notes[0]


@pytest.mark.parametrize(("asked", "cell"), [({"scheme": "acm"}, False), ({"r_on_ohm": 1e4}, False), ({}, True)])
def test_other_devices_leave_what_was_trained(asked, cell):
    assert taken(BIASED, cell=cell, **asked) == MappingSection(**asked)
    assert taken(TAT, cell=cell, **asked) == MappingSection(**asked)


def test_what_is_taken_up_must_go_with_what_is_asked_for():
    with pytest.raises(ConfigError, match="leave out other scales"):
        taken(BIASED, weight_scale="network")
    with pytest.raises(ConfigError, match=r"behind scheme acm; leave out mapping\.bits, mapping\.weight_scale"):
        taken(Fixed(scheme="acm", devices={}), bits=3, weight_scale="layer")


def test_an_evaluation_takes_up_the_arrays_of_a_training_where_it_asks_for_none():
    told, network = Told(), training(TAT)
    found = on_trained_arrays(network, EvaluateConfig(), reporter=told)
    assert (found.array, found.mapping.array_size) == (TAT.arrays.array, (16, 8))
    assert found.variation.effects == (TAT.arrays.corner,)
    assert "model nodal" in told.notes[0]
    asked = {
        "array": {"r_wire_word_ohm": 5, "r_source_ohm": 0},
        "mapping": {"tile": "4x4"},
        "variation": {"effects": ["chip_corner:k=1"]},
    }
    found = on_trained_arrays(network, EvaluateConfig.model_validate(asked), reporter=SILENT)
    assert found.array == ArraySection(model="nodal", r_source_ohm=0, r_wire_word_ohm=5)
    assert found.mapping.array_size == (4, 4)
    assert [effect.k for effect in found.variation.effects] == [1]
    for left in ({"mapping": {"scheme": "acm"}}, {"mapping": {"technology": "pcm"}}, {"cell": {"run": "r", "vg": 0.8}}):
        config = EvaluateConfig.model_validate(left)
        assert on_trained_arrays(network, config, reporter=SILENT) == config


def test_pairs_of_every_scale_are_those_of_numpy():
    kernels = {name: kernel.reshape(-1, kernel.shape[-1]) for name, kernel in trained().kernels.items()}
    largest = {name: np.abs(w).max() for name, w in kernels.items()}
    scales = {
        "layer": largest,
        "network": dict.fromkeys(LAYERS, max(largest.values())),
        "column": {name: np.abs(w).max(axis=0) for name, w in kernels.items()},
    }
    for scale, top in scales.items():
        network = mapped(weight_scale=scale)
        for name, w in kernels.items():
            g = network.layers[name].conductance
            signed = (g[:, 0::2] - g[:, 1::2]) * top[name] / (G_ON - G_OFF)
            np.testing.assert_allclose(signed, w, atol=3e-7 * np.max(top[name]))
            np.testing.assert_allclose(np.minimum(g[:, 0::2], g[:, 1::2]), G_OFF, rtol=1e-5)


def test_a_limit_that_training_chose_cuts_the_weights_unless_it_is_left():
    limits = {name: 0.5 * float(np.abs(kernel).max()) for name, kernel in trained().kernels.items()}
    kept, whole = mapped(Fixed(weight_limits=limits)), mapped(Fixed(weight_limits=limits), weight_limit="largest")
    number = mapped(weight_limit=0.1)
    for name, limit in limits.items():
        assert kept.layers[name].slope == pytest.approx((G_ON - G_OFF) / limit)
        assert whole.layers[name].slope == pytest.approx((G_ON - G_OFF) / (2 * limit))
        assert number.layers[name].slope == pytest.approx((G_ON - G_OFF) / 0.1)
        share = np.mean(np.abs(trained().kernels[name]) > limit)
        assert kept.layers[name].clipped_fraction == pytest.approx(share, abs=1e-6)
    with pytest.raises(ConfigError, match=r"mapping\.weight_limit = largest leaves it"):
        mapped(Fixed(weight_limits=limits), weight_scale="network")


def test_weights_restricted_to_a_range_keep_their_scale():
    neat = Fixed(w_max={"conv": 0.7, "fc": 0.7}, w_cut={"conv": 0.5, "fc": 0.5}, weight_scale="network")
    for name, layer in mapped(neat).layers.items():
        assert layer.slope == pytest.approx((G_ON - G_OFF) / 0.7), name
    for asked, message in (
        ({"weight_scale": "layer"}, "restricted with scale"),
        ({"weight_limit": 0.3}, "at its own scale"),
    ):
        with pytest.raises(ConfigError, match=message):
            mapped(neat, **asked)
    with pytest.raises(ConfigError, match=r"it needs mapping\.bits or mapping\.levels"):
        mapped(weight_limit="auto")


def test_trained_conductances_are_shares_of_the_range():
    rng = np.random.default_rng(0)
    shapes = {"conv": (3, 3, 1, 4), "fc": (12, 5)}
    devices = {name: rng.random(shape).astype(np.float32) for name, shape in shapes.items()}
    fixed = Fixed(scheme="acm", devices=devices, m_max={"conv": 0.5, "fc": 2.0}, input_ranges={"conv": 0.0, "fc": 3.0})
    network = mapped(fixed)
    for name, layer in network.layers.items():
        m = devices[name].reshape(-1, devices[name].shape[-1])
        np.testing.assert_allclose(layer.conductance, G_OFF + m * (G_ON - G_OFF), rtol=1e-6)
        wanted = (m[:, :-1] - m[:, 1:]) * fixed.m_max[name]
        np.testing.assert_allclose(network.decoded(name), wanted, atol=1e-5)
    assert network.layers["fc"].full_scale == 3.0  # conv's inputs were 0 in training: the range is that of the images
    assert 0 < network.layers["conv"].full_scale <= 1.0


def test_layers_on_arrays_may_be_the_dense_ones():
    assert list(mapped(layers="dense").layers) == ["fc"]
    assert list(mapped(Fixed(layers="dense")).layers) == ["fc"]


def test_a_gate_voltage_needs_a_cell():
    assert resolve_cell(trained(), CellReference()) is None
    with pytest.raises(ConfigError, match=r"cell\.vg needs cell\.run: this network was trained without a cell"):
        resolve_cell(trained(), CellReference(vg=0.8))
    with pytest.raises(ConfigError, match=r"^cell\.vg: 'high' is not a number"):
        resolve_cell(trained(), CellReference(vg="high"))
