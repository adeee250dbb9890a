"""Settings of some layers alone: each layer is as in a network that has them throughout, and the first pattern counts."""

from pathlib import Path

import numpy as np
import pytest

from tests import analytic
from tests.compositions.product import CALIBRATION, trained
from xbar_cli.chip import resolve
from xbar_cli.chip.place import map_network
from xbar_cli.chip.resolve import Gates, resolve_cell, resolve_mapping
from xbar_cli.config.converters import ReadSection
from xbar_cli.config.hardware import CellReference, MapConfig, MappingSection
from xbar_cli.config.load import read_toml, validate, write_toml
from xbar_cli.errors import ConfigError
from xbar_cli.reporter import SILENT

G_ON, G_OFF = 1 / 30e3, 1 / 300e3


def mapped(gates=None, **asked):
    placement = resolve_mapping(trained(), MappingSection(**asked), gates, read=ReadSection(), reporter=SILENT)
    return map_network(trained(), placement, gates, images=CALIBRATION)


def own(*tables):
    return {"per_layer": tables}


def conductances(network, name):
    return network.layers[name].conductance


@pytest.mark.parametrize("more", [{}, {"scheme": "bitslice"}], ids=["pairs", "slices"])
def test_levels_of_some_layers(more):
    found = mapped(bits=4, **more, **own({"layers": "fc", "bits": 2}, {"layers": "*", "bits": 1}))
    for name, bits in {"fc": 2, "conv": 1}.items():
        np.testing.assert_array_equal(conductances(found, name), conductances(mapped(bits=bits, **more), name))
    found = mapped(bits=4, **more, **own({"layers": "f*", "bits": 2}))
    np.testing.assert_array_equal(conductances(found, "conv"), conductances(mapped(bits=4, **more), "conv"))


def test_weights_at_full_scale_of_some_layers():
    found = mapped(bits=4, **own({"layers": "!conv", "weight_limit": 0.125}))
    assert found.layers["fc"].slope == pytest.approx((G_ON - G_OFF) / 0.125)
    assert found.layers["conv"].slope == mapped(bits=4).layers["conv"].slope
    assert found.layers["fc"].clipped_fraction > 0


def test_the_limit_chosen_for_the_levels_is_that_of_these_layers(monkeypatch):
    """It sees those layers alone cut: the others are in floating point."""
    seen = []

    def share(trained, placement, largest):
        seen.append(sorted(largest))
        return 0.5

    monkeypatch.setattr("xbar_cli.chip.limits.best_share", share)
    found = mapped(bits=4, **own({"layers": "fc", "weight_limit": "auto"}))
    assert seen == [["fc"]]
    assert found.layers["fc"].slope == pytest.approx(2 * mapped(bits=4).layers["fc"].slope)


def test_gate_voltages_of_some_layers(monkeypatch):
    cell = analytic.cell((0.8, 0.9, 1.0))
    gates = Gates(Path(), cell, {"conv": 0.9, "fc": 0.9}, asked=True)
    monkeypatch.setattr(resolve, "one_cell", lambda trained, reference: gates)
    section = MappingSection(**own({"layers": "fc", "vg_volt": "800m"}))
    found = resolve_cell(trained(), CellReference(), section.per_layer)
    assert found.vg == {"conv": 0.9, "fc": 0.8}
    network = mapped(found, **own({"layers": "fc", "vg_volt": 0.8}))
    low = mapped(gates._replace(vg={"conv": 0.8, "fc": 0.8}))
    assert [layer.vg for layer in network.layers.values()] == [0.9, 0.8]
    np.testing.assert_array_equal(conductances(network, "fc"), conductances(low, "fc"))
    np.testing.assert_array_equal(conductances(network, "conv"), conductances(mapped(gates), "conv"))


def test_a_file_holds_them(tmp_path):
    config = validate(MapConfig, {"mapping": own({"layers": "fc", "bits": 2, "weight_limit": 1})}, {})
    write_toml(tmp_path / "config.toml", config)
    assert MapConfig(**read_toml(tmp_path / "config.toml")) == config


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (own({"layers": "fc9", "bits": 2}), "mapping.per_layer = 'fc9': 'fc9' fits no layer; there are conv, fc"),
        (own({"bits": 2}), "mapping.per_layer.0.layers = .*: field required"),
        (own({"layers": "fc", "tile": "8x8"}), "unknown key 'mapping.per_layer.0.tile'"),
        (own({"layers": "fc", "vg_volt": 1}), r"mapping\.per_layer\.vg_volt needs cell\.run"),
        ({"levels": "some.txt", **own({"layers": "fc", "bits": 2})}, "mapping.levels = some.txt has its own levels"),
        (
            {"scheme": "bitslice", **own({"layers": "fc", "weight_limit": 1})},
            "leave out other scales and mapping.weight_limit",
        ),
    ],
)
def test_what_cannot_be_is_one_line(asked, message):
    def place():
        config = validate(MapConfig, {"mapping": asked}, {})
        resolve_cell(trained(), config.cell, config.mapping.per_layer)
        return mapped(**asked)

    with pytest.raises(ConfigError, match=message):
        place()
