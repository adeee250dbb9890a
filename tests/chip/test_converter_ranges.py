"""Full scales of converters and row drive: what N rows can carry, layers without any signal, values that are no numbers."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.compositions.product import CALIBRATION, trained
from xbar_cli.chip.fold import make_folder
from xbar_cli.chip.full_scales import Observed, adc_ranges, drive_ranges, usable
from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.place import map_network
from xbar_cli.config.converters import ConvertersSection
from xbar_cli.config.hardware import MappingSection
from xbar_cli.errors import ConfigError

ROWS = {"conv": 9, "fc": 12}


def hardware(scheme="de", **converters):
    section = ConvertersSection(**converters)
    placement = MappingSection(scheme=scheme, tile="8x6").placement()
    network = map_network(trained(), placement, read=section.read, images=CALIBRATION)
    return Hardware(network, converters=section)


def scales(built):
    found = adc_ranges(trained(), built, lambda: pytest.fail("nothing is observed"), images=CALIBRATION)
    return {name: each.full_scale for name, each in found.items()}


@pytest.mark.parametrize(("at_once", "rows"), [(None, 8), (3, 3), (100, 8)])
def test_a_share_is_of_what_the_rows_of_a_read_carry(at_once, rows):
    built = hardware(adc_bits=8, adc_range="0.5", rows_at_once=at_once)
    pairs = hardware(adc_bits=8, adc_range="0.5", rows_at_once=at_once, adc_input="pair")
    for name, layer in built.network.layers.items():
        assert scales(built)[name] == pytest.approx(0.5 * rows * layer.top)
        assert scales(pairs)[name] == pytest.approx(0.5 * rows * (layer.top - layer.bottom))


@pytest.mark.parametrize(("at_once", "rows"), [(None, 8), (3, 3), (1, 1)])
def test_levels_take_the_bits_that_tell_the_sums_of_a_read_apart(at_once, rows):
    """Two-bit devices, one bit at a time: of R rows the largest sum is 3 R."""
    for bits in (3, 5, 8):
        built = hardware(
            "bitslice", adc_bits=bits, adc_range="levels", rows_at_once=at_once, input="bitserial", dac_bits=4
        )
        missing = max(0, int(np.ceil(np.log2(3 * rows + 1))) - bits)
        for name, layer in built.network.layers.items():
            level = (layer.top - layer.bottom) / 3
            assert scales(built)[name] == pytest.approx(level * 2**missing * (2**bits - 1))


def test_fewer_rows_give_a_smaller_range_and_pairs_a_smaller_one_still():
    found = {}
    for key, converters in {"all": {}, "3": {"rows_at_once": 3}, "pair": {"adc_input": "pair"}}.items():
        built = hardware(adc_bits=8, **converters)
        nominal = {name: jnp.asarray(layer.conductance) for name, layer in built.network.layers.items()}
        circuit, _ = make_folder(built)(nominal, jax.random.key(0), dict.fromkeys(nominal, 1.0))
        ranges = adc_ranges(trained(), built, lambda circuit=circuit: circuit, images=CALIBRATION)
        found[key] = {name: each.full_scale for name, each in ranges.items()}
    for name in ROWS:
        assert found["3"][name] < 0.7 * found["all"][name]
        assert found["pair"][name] < 0.9 * found["all"][name]


def test_a_layer_without_any_signal_is_left_out_and_a_percentile_that_is_zero_is_not():
    live, dead = Observed(range=2.0, largest=3.0), Observed(range=0.0, largest=0.0)
    assert usable({"a": live, "b": dead}, rule="converters.adc_range = max") == {"a": 2.0}
    with pytest.raises(
        ConfigError, match=r"converters\.adc_range = percentile:1: layer b would have the range 0; ask for a higher"
    ):
        usable({"a": live, "b": Observed(range=0.0, largest=3.0)}, rule="converters.adc_range = percentile:1")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_told_as_such(value):
    with pytest.raises(ConfigError, match="layer b has values that are no finite numbers"):
        usable({"b": Observed(range=value, largest=value)}, rule="converters.adc_range = max")


def test_a_layer_after_one_that_gives_no_numbers_is_named():
    broken = nnx.clone(trained().net)
    broken.conv.bias[...] = jnp.full_like(broken.conv.bias[...], np.nan)
    with pytest.raises(ConfigError, match="dac_range = max: layer fc has values that are no finite numbers"):
        drive_ranges(replace(trained(), net=broken), ["conv", "fc"], "max", images=CALIBRATION)
