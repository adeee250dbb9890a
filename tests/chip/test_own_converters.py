"""Converters of some layers alone, and as they are built: each layer has those of a network that has them throughout."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.compositions.product import CALIBRATION, trained
from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.place import map_network
from xbar_cli.chip.prepare import make_preparer
from xbar_cli.chip.resolve import own_converters
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.converters import ConvertersSection, DecodingSection
from xbar_cli.config.hardware import MappingSection
from xbar_cli.energy.agreement import of_evaluation
from xbar_cli.errors import ConfigError


def converters_of(key=0, **given):
    """The converters of a chip of the small network."""
    section = ConvertersSection.model_validate(given)
    network = map_network(trained(), MappingSection(tile="8x6").placement(), images=CALIBRATION)
    hardware = Hardware(network, converters=section, own=own_converters(trained(), network, section))
    prepare, _ = make_preparer(trained(), hardware, DecodingSection(), images=CALIBRATION)
    nominal = {name: jnp.asarray(layer.conductance) for name, layer in network.layers.items()}
    return prepare(nominal, jax.random.key(key))[0].adcs


def same(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for mine, theirs in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    "own",
    [{"adc_bits": 7}, {"adc_range": "0.4"}, {"adc_range": "lloyd", "adc_bits": 3}, {"adc_range": "percentile:90"}],
    ids=str,
)
def test_a_layer_has_the_converters_of_a_network_that_has_them_throughout(own):
    mixed = converters_of(adc_bits=5, per_layer=[{"layers": "fc", **own}, {"layers": "*", "adc_bits": 6}])
    same(mixed["fc"], converters_of(**{"adc_bits": 5, **own})["fc"])
    same(mixed["conv"], converters_of(adc_bits=6)["conv"])


@pytest.mark.parametrize("kind", ["sar", "ramp", "flash"])
def test_how_converters_are_built_is_the_chips_and_theirs_that_share_them(kind):
    given = {"adc_bits": 5, "adc_kind": kind, "adc_mismatch": 0.1, "columns_per_adc": 2}
    one, again, other = (converters_of(key, **given)["conv"].built for key in (0, 0, 1))
    same(one, again)
    codes = np.asarray([built.codes(jnp.full((1, 6), 17.4), band=1)[0] for built in (one, other)])
    x = jnp.tile(jnp.linspace(0, 31, 400)[:, None], 6)
    edges = [np.asarray(built.codes(x, band=1)).sum(axis=0) for built in (one, other)]
    assert (edges[0] != edges[1]).any()
    np.testing.assert_array_equal(codes[:, 0], codes[:, 1])  # neighbours are one converter
    assert (edges[0][0] == edges[0][2]) == (kind == "ramp")  # of one tile, whose converters share a ramp


def test_equal_parts_leave_converters_as_they_were():
    same(converters_of(adc_bits=5, adc_kind="sar"), converters_of(adc_bits=5))


def test_patterns_without_layers_and_ranges_without_devices_are_refused():
    with pytest.raises(ConfigError, match=r"converters\.per_layer = 'nothing'"):
        converters_of(adc_bits=5, per_layer=[{"layers": "nothing", "adc_bits": 4}])
    with pytest.raises(ConfigError, match="pair needs 2 or more"):
        ConvertersSection.model_validate(
            {"adc_bits": 5, "adc_input": "pair", "per_layer": [{"layers": "fc", "adc_bits": 1}]}
        )


@pytest.mark.parametrize(
    ("given", "told"),
    [({"adc_range": "lloyd"}, "no cost model"), ({"per_layer": [{"layers": "fc"}]}, "one kind is costed")],
)
def test_energy_refuses_converters_that_it_cannot_cost(given, told):
    config = EvaluateConfig.model_validate({"converters": {"adc_bits": 5} | given})
    with pytest.raises(ConfigError, match=told):
        of_evaluation(Path("run"), config, {"vg_volt": [None]})
