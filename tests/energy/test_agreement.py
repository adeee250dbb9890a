"""What runs state of their hardware: joined where they agree, one line with both values where they do not."""

from pathlib import Path

import pytest

from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.config.hardware import MapConfig
from xbar_cli.energy.agreement import (
    LABELS,
    Statement,
    converters_of,
    of_energy,
    of_evaluation,
    of_map,
    of_request,
    paired,
    programmed_alike,
    same,
    shown,
    within,
)
from xbar_cli.errors import ConfigError

RUN = Path("runs/a")
TILE = (64, 32)


def test_numbers_are_the_same_to_rounding_and_lists_item_by_item():
    assert same(0.1 + 0.2, 0.3)
    assert same([1.0, [2, 3]], [1.0, [2, 3 + 1e-12]])
    assert same(None, None)
    assert same("pwm", "pwm")
    for a, b in ((0.3, 0.31), ([1, 2], [1, 2, 3]), ([1, 2], [1, 3]), (None, 0.0), ("pwm", "amplitude"), (8, None)):
        assert not same(a, b)
        assert not same(b, a)


def test_statements_that_agree_are_one_and_say_who_says_so():
    one, two = Statement("A", {"adc_bits": 8, "input": "pwm"}), Statement("B", {"adc_bits": 8, "dac_bits": 4})
    both = one.joined(two)
    assert both.by == "A and B"
    assert both.values == {"adc_bits": 8, "input": "pwm", "dac_bits": 4}
    assert one.joined(Statement("B", {})).by == "A"
    assert Statement("A", {}).joined(two).by == "B"


@pytest.mark.parametrize("key", LABELS)
def test_a_contradiction_in_any_key_names_both_sides_and_both_values(key):
    values = {"resistances": ([0.0, 0.0, 5.0, 0.0], [0.0, 0.0, 0.0, 0.0])}.get(key, (3.0, 5.0))
    one, two = (Statement(by, {key: value}) for by, value in zip(("run A", "run B"), values, strict=True))
    for first, second in ((one, two), (two, one)):
        with pytest.raises(ConfigError) as caught:
            first.joined(second)
        told = str(caught.value)
        for statement in (first, second):
            assert f"{statement.by} " in told
            assert shown(key, statement.values[key]) in told


def test_what_is_absent_is_said_in_words():
    assert shown("adc_bits", None) == "no ADC"
    assert shown("rows_at_once", None) == "all rows at once"
    assert shown("v_read_volt", None) == "no read voltage"
    assert shown("v_read_volt", 0.25) == "read voltage 0.25 V"
    assert shown("resistances", [0.0, 2.5, 0.0, 100.0]) == "resistances of bit line 2.5 ohm, neuron 100 ohm"
    assert shown("resistances", [0.0] * 4) == "no resistances"


def evaluated(converters=None, array=None, **summary):
    config = {"converters": converters or {}, "array": array or {}}
    return of_evaluation(RUN, EvaluateConfig(**config), {"vg_volt": [None], "v_read_volt": None} | summary).values


def test_an_evaluation_without_converters_on_resistive_arrays_leaves_the_coding_open():
    found = evaluated()
    assert "input" not in found
    assert "rows_at_once" not in found
    assert (found["dac_bits"], found["adc_bits"]) == (None, None)


def test_cells_or_converters_fix_the_coding_and_a_single_voltage():
    assert evaluated(vg_volt=[0.8])["input"] == "amplitude"
    found = evaluated({"input": "bitserial", "dac_bits": 4}, vg_volt=[0.8], v_read_volt=0.25)
    assert (found["input"], found["v_read_volt"], found["dac_bits"]) == ("bitserial", 0.25, 4)
    assert "v_read_volt" not in evaluated({"input": "bitserial", "dac_bits": 4})


def test_an_adc_fixes_rows_input_and_columns_where_columns_matter():
    plain = evaluated({"adc_bits": 6})
    assert (plain["rows_at_once"], plain["adc_input"]) == (None, "column")
    assert "columns_per_adc" not in plain
    assert evaluated({"adc_bits": 6, "columns_per_adc": 8})["columns_per_adc"] == 8
    assert evaluated({"adc_bits": 6, "adc_gain_error": 0.01})["columns_per_adc"] == 1
    assert evaluated({"adc_bits": 6, "adc_offset_error": 0.01, "adc_input": "pair"})["columns_per_adc"] == 2


@pytest.mark.parametrize("array", [{"model": "published"}, {"model": "lumped", "neuron": "shared"}])
def test_arrays_that_no_energy_can_be_computed_of_are_refused(array):
    with pytest.raises(ConfigError, match="evaluate run runs/a: "):
        evaluated(array=array)


def test_a_map_run_states_what_is_not_the_default():
    assert of_map(RUN, MapConfig()).values == {}
    read = {"input": "pwm", "dac_bits": 5, "v_read_volt": 0.2}
    assert of_map(RUN, MapConfig(read=read)).values == read


def test_an_energy_run_of_an_earlier_version_is_told():
    assert of_energy(RUN, {"stated": {"adc_bits": 8}}).values == {"adc_bits": 8}
    with pytest.raises(ConfigError, match="an earlier version made it"):
        of_energy(RUN, {})


def test_a_constant_that_says_the_same_as_an_option_must_agree_with_it():
    overridden = {"energy": {"adc": {"bits": 7}}, "run": "r"}
    assert of_request(EnergyConfig.model_validate(overridden)).values == {"adc_bits": 7}
    assert of_request(EnergyConfig.model_validate(overridden | {"adc_bits": 7})).values == {"adc_bits": 7}
    with pytest.raises(ConfigError, match=r"an overridden constant has ADC bits 7, .* ADC bits 8"):
        of_request(EnergyConfig.model_validate(overridden | {"adc_bits": 8}))
    assert of_request(EnergyConfig.model_validate({"run": "r"})).values == {}


def test_cells_programmed_for_another_voltage_are_other_cells():
    programmed_alike(("A", 0.25), ("B", 0.25))
    programmed_alike(("A", None), ("B", None))
    with pytest.raises(ConfigError, match=r"A has cells programmed .* B for "):
        programmed_alike(("A", 0.25), ("B", None))


def test_as_many_rows_as_there_are_are_all_of_them():
    found = within(Statement("A", {"rows_at_once": 64, "columns_per_adc": 100}), TILE)
    assert found.values == {"rows_at_once": None, "columns_per_adc": 32}
    few = within(Statement("A", {"rows_at_once": 63, "columns_per_adc": 1, "adc_input": "pair"}), TILE)
    assert few.values == {"rows_at_once": 63, "columns_per_adc": 2, "adc_input": "pair"}


def test_costs_pair_with_an_accuracy_of_the_same_hardware():
    costed = {"adc_bits": 8, "dac_bits": 8, "input": "bitserial", "rows_at_once": 64}
    ideal = Statement("eval", {"adc_bits": None, "dac_bits": None})
    paired(Statement("energy", {}), costed, ideal, tile=TILE)  # the model's own converters beside none
    with pytest.raises(ConfigError, match="no ADC"):
        paired(Statement("energy", {"adc_bits": 8}), costed, ideal, tile=TILE)
    paired(Statement("energy", {}), costed, Statement("eval", {"adc_bits": 8, "rows_at_once": None}), tile=TILE)
    with pytest.raises(ConfigError, match="ADC bits 6"):
        paired(Statement("energy", {}), costed, Statement("eval", {"adc_bits": 6}), tile=TILE)


def test_converters_of_an_accuracy_are_bits_or_nothing():
    assert converters_of(Statement("A", {"adc_bits": 6})) == {"dac_bits": None, "adc_bits": 6}
    assert converters_of(Statement("A", {"adc_bits": None, "input": "pwm"})) is None
