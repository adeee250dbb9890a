"""How costed arrays are read: what is stated holds, what is open is the model's own."""

import numpy as np
import pytest

from tests import mapped
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.energy.agreement import Statement
from xbar_cli.energy.constants import MODELS, load
from xbar_cli.energy.operation import NATIVE, check_pairs, coding_of, own_adc_bits, own_columns, reading_of, summed
from xbar_cli.energy.reading import Reading
from xbar_cli.errors import ConfigError

NOTHING = Statement("nothing", {})
CONSTANTS = {model: load(model) for model in MODELS}
every_model = pytest.mark.parametrize("model", MODELS)


def read(model, network, values=None, device_bits=None):
    config = EnergyConfig(run="r", model=model)
    return reading_of(config, CONSTANTS[model], network, Statement("eval", values or {}), device_bits=device_bits)


@every_model
def test_nothing_stated_is_the_models_own_reading(model):
    k = CONSTANTS[model]
    found = read(model, mapped.network())
    assert found.coding == NATIVE[model]
    assert found.input_bits == k["input.bits"]
    assert (found.columns_per_adc, found.rows_at_once, found.pair) == (None, None, False)
    assert found.adc_bits == own_bits(model, k)


def own_bits(model, k):
    """Of isaac: as many as tell 64 rows of devices of that many bits apart, one saved."""
    return round(k["adc.bits"]) if model != "isaac" else 6 + round(k["crossbar.device_bits"]) - 1


@every_model
def test_what_is_stated_holds(model):
    values = {"input": NATIVE[model], "dac_bits": 5, "adc_bits": 7, "columns_per_adc": 4, "rows_at_once": 16}
    assert read(model, mapped.network(), values) == Reading(NATIVE[model], 5, 7, 4, 16, False)
    assert read(model, mapped.network(), values | {"adc_input": "pair"}).pair


def test_models_of_one_bit_a_cycle_know_no_other_coding():
    for model in MODELS:
        for coding in ("amplitude", "bitserial", "pwm"):
            if model == "resparc" or coding == NATIVE[model]:
                assert read(model, mapped.network(), {"input": coding}).coding == coding
            else:
                with pytest.raises(ConfigError, match=f"eval has inputs as {coding}"):
                    read(model, mapped.network(), {"input": coding})


def test_isaacs_converters_tell_the_rows_that_are_read_at_once_apart():
    k, network = CONSTANTS["isaac"], mapped.network(tile=(64, 32))
    for rows, bits, wanted in ((None, 2, 7), (16, 2, 5), (1000, 2, 7), (16, 4, 7)):
        assert own_adc_bits("isaac", k, rows=summed(network, rows, analog=False), device_bits=bits) == wanted
    assert own_adc_bits("resparc", CONSTANTS["resparc"], rows=16, device_bits=2) == CONSTANTS["resparc"]["adc.bits"]


def test_charges_are_those_of_all_rows_and_neurosim_adds_none():
    network = mapped.network(tile=(8, 32))
    rows = max(len(layer.conductance) for layer in network.layers.values())
    assert summed(network, 4, analog=True) == rows > 8
    stated = {"input": "bitserial", "accumulate": "analog"}
    assert read("isaac", network, stated).analog
    with pytest.raises(ConfigError, match="eval has partial sums added as analog, and model = neurosim"):
        read("neurosim", network, stated)


def test_only_pairs_that_no_tile_parts_are_converted_together():
    check_pairs(mapped.network(), 2)
    for network, shared, message in (
        (mapped.network(scheme="acm"), None, "adc_input = pair subtracts the two columns of mapping.scheme = de; acm"),
        (
            mapped.network(tile=(64, 31)),
            None,
            "adc_input = pair subtracts the two columns of a weight, and tiles of 31",
        ),
        (mapped.network(), 3, "columns_per_adc = 3: with adc_input = pair a converter serves whole pairs"),
    ):
        with pytest.raises(ConfigError) as error:
            check_pairs(network, shared)
        assert str(error.value).startswith(message)


def test_resistive_rows_are_driven_at_the_models_own_voltage():
    k = CONSTANTS["resparc"]
    found = coding_of(k, mapped.network(), Reading("amplitude", 8, 8), NOTHING)
    assert (found.kind, found.volt, found.powers) == ("amplitude", k["read.volt"], {})
    assert found.bits is None
    assert coding_of(k, mapped.network(), Reading("amplitude", 8, 8), Statement("eval", {"dac_bits": 8})).bits == 8
    assert coding_of(k, mapped.network(), Reading("pwm", 8, 8), NOTHING).bits == 8


def test_cells_are_driven_up_to_their_table_each_layer_at_its_gate_voltage():
    network, k = mapped.network(cells=True), CONSTANTS["resparc"]
    found = coding_of(k, network, Reading("pwm", 4, 8), NOTHING)
    assert found.volt == network.cell.v_max
    assert set(found.powers) == {"a", "b"}
    for name, gate in (("a", 0.9), ("b", 1.0)):
        own = network.cell.power[network.cell.index(gate)]
        np.testing.assert_array_equal(found.powers[name].factors, own.factors)
    assert coding_of(k, network, Reading("pwm", 4, 8), Statement("eval", {"v_read_volt": 0.2})).volt == 0.2
    with pytest.raises(ConfigError, match=r"eval: 0.6 V is beyond the cell's table, which ends at 0.5 V"):
        coding_of(k, network, Reading("pwm", 4, 8), Statement("eval", {"v_read_volt": 0.6}))
    amplitude = coding_of(k, network, Reading("amplitude", 4, 8), Statement("eval", {"v_read_volt": 0.2}))
    assert amplitude.volt == network.cell.v_max  # amplitudes take all voltages


@every_model
def test_a_converters_columns_are_a_tiles_but_neurosims(model):
    network = mapped.network(tile=(64, 24))
    wanted = round(CONSTANTS[model]["mux.columns"]) if model == "neurosim" else 24
    assert own_columns(CONSTANTS[model], network, model) == wanted
