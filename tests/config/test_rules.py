"""Rules that join the keys of a section: what goes together, and what a kind has no use for."""

import pytest

from xbar_cli.config.converters import ConvertersSection, DecodingSection, ReadSection, parse_range
from xbar_cli.config.devices import FitConfig, ImportConfig
from xbar_cli.config.monte_carlo import DEFAULT_MAX_SAMPLES, DEFAULT_SAMPLES, MonteCarloSection
from xbar_cli.config.tile import TileConfig
from xbar_cli.errors import ConfigError


def test_without_a_width_there_are_so_many_chips_and_with_one_at_most_so_many():
    assert (MonteCarloSection().samples, MonteCarloSection().max_samples) == (DEFAULT_SAMPLES, None)
    wide = MonteCarloSection(ci_width=0.1)
    assert (wide.samples, wide.max_samples) == (None, DEFAULT_MAX_SAMPLES)
    assert MonteCarloSection(ci_width=0.1, max_samples=30).max_samples == 30
    for section in (MonteCarloSection(), wide, MonteCarloSection(samples=3)):
        section.rules()
        assert MonteCarloSection(**section.model_dump(exclude_none=True)) == section


@pytest.mark.parametrize("given", [{"ci_width": 0.1, "samples": 9}, {"samples": 9, "max_samples": 30}])
def test_a_number_of_chips_and_a_width_exclude_each_other(given):
    with pytest.raises(ConfigError):
        MonteCarloSection(**given).rules()


def test_keys_of_the_other_kind_of_statistics_are_named():
    FitConfig(kind="states", min_count=3).check()
    FitConfig(kind="smooth", degree=3, knots=9).check()
    for kind, key in (("states", "degree"), ("states", "knots"), ("smooth", "min_count")):
        with pytest.raises(ConfigError, match=key):
            FitConfig(kind=kind, **{key: 5}).check()


def test_pairs_of_layers_are_read_from_a_list_of_texts():
    found = ImportConfig.model_validate({"pairs": ["conv1=features.0", "fc1=classifier.1"]})
    assert found.pairs == {"conv1": "features.0", "fc1": "classifier.1"}
    for bad in (["conv1"], ["a=b", "a=c"]):
        with pytest.raises(ValueError, match="pairs"):
            ImportConfig.model_validate({"pairs": bad})


@pytest.mark.parametrize("tile", [
    {"size": "1024x1024"},
    {"r_on_ohm": "300k", "r_off_ohm": "30k"},
    {"run": "runs/a", "size": "8x8"},
    {"layer": "fc1"},
])  # fmt: skip
def test_an_array_of_a_run_brings_its_own_size_and_one_of_no_run_has_no_layer(tile):
    with pytest.raises(ConfigError):
        TileConfig.model_validate({"tile": tile}).check()


def test_an_array_of_a_run_may_have_wires_and_a_random_one_open_devices():
    TileConfig.model_validate({"tile": {"run": "runs/a", "layer": "fc1", "r_wire_ohm": 2}}).check()
    TileConfig.model_validate({"tile": {"r_off_ohm": "inf"}}).check()


@pytest.mark.parametrize(
    ("text", "rule"),
    [("max", ("max", 0)), ("levels", ("levels", 0)), ("percentile:99.9", ("percentile", 99.9)), ("0.25", ("value", 0.25)),
     ("50m", ("value", 0.05)), ("percentile:100", ("percentile", 100))],
)  # fmt: skip
def test_ranges_of_converters_are_read(text, rule):
    assert parse_range(text) == rule


@pytest.mark.parametrize(
    "text", ["", "min", "0", "-1", "percentile:0", "percentile:101", "percentile:", ":5", "share:0.5"]
)
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ValueError, match=r"is no range|percentile is above 0"):
        parse_range(text)


def test_codes_of_levels_are_a_range_of_the_adc_alone():
    with pytest.raises(ValueError, match="range of the ADC"):
        ReadSection(dac_range="levels")
    assert ConvertersSection(adc_bits=4, adc_range="levels").adc_range == "levels"


@pytest.mark.parametrize(
    ("given", "cell", "ends"),
    [
        ({"v_read_volt": 0.2}, True, True),
        ({"input": "pwm"}, True, True),
        ({"input": "pwm", "dac_bits": 4, "v_read_volt": 0.2}, False, True),
        ({"dac_range": "max"}, True, False),
    ],
)
def test_a_reading_that_says_what_has_no_effect_is_refused(given, cell, ends):
    with pytest.raises(ConfigError):
        ReadSection(**given).complete(cell=cell, drive_ends=ends)


def test_a_reading_that_is_complete_passes():
    ReadSection(input="bitserial", dac_bits=4, v_read_volt=0.2).complete(cell=True, drive_ends=True)
    ReadSection(dac_range="max").complete(cell=False, drive_ends=True)
    ReadSection(dac_bits=4, dac_range="percentile:99").complete(cell=False, drive_ends=False)


NEEDS_ADC = {
    "adc_range": "max", "adc_gain_error": 0.1, "adc_offset_error": 0.1, "columns_per_adc": 4, "rows_at_once": 8,
    "adc_input": "pair", "adc_kind": "sar", "adc_noise": 0.5, "accumulate": "analog",
}  # fmt: skip


@pytest.mark.parametrize("key", NEEDS_ADC)
def test_without_an_adc_nothing_of_it_can_be_said(key):
    with pytest.raises(ConfigError):
        ConvertersSection(**{key: NEEDS_ADC[key]}).rules()
    ConvertersSection(adc_bits=6, **{key: NEEDS_ADC[key]}).rules()


def test_pairs_are_of_two_columns_each_and_have_two_signs():
    ConvertersSection(adc_bits=2, adc_input="pair", columns_per_adc=4).rules()
    for given in ({"adc_bits": 1}, {"adc_bits": 6, "columns_per_adc": 3}):
        with pytest.raises(ConfigError):
            ConvertersSection(adc_input="pair", **given).rules()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"adc_mismatch": 0.1}, "adc_mismatch is of the parts of a converter"),
        ({"adc_kind": "flash", "adc_bits": 9}, "adc_kind = flash .*adc_bits = 9 is more than 8"),
        ({"adc_kind": "ramp", "adc_bits": 13}, "adc_kind = ramp .* 13 is more than 12"),
        ({"adc_kind": "sar", "adc_range": "lloyd"}, "adc_range = lloyd takes thresholds of their own"),
    ],
)
def test_how_converters_are_built_has_its_ends(given, told):
    with pytest.raises(ConfigError, match=told):
        ConvertersSection.model_validate({"adc_bits": 6} | given)
    ConvertersSection(adc_bits=12, adc_kind="sar", adc_mismatch=0.01, adc_noise=0.4, accumulate="analog").rules()


def test_unequal_parts_make_chips_differ_and_so_does_noise():
    assert ConvertersSection(adc_bits=6, adc_kind="sar", adc_mismatch=0.01).differing
    noisy = ConvertersSection(adc_bits=6, adc_noise=0.5)
    assert (noisy.differing, noisy.random) == (False, True)
    assert not ConvertersSection(adc_bits=6, adc_kind="sar").random


def test_what_is_not_said_is_taken_over_from_the_mapping_and_what_is_said_is_kept():
    mapped = ReadSection(input="bitserial", dac_bits=4, v_read_volt=0.2, dac_range="percentile:99")
    taken = ConvertersSection(adc_bits=6).over(mapped, drive_ends=True)
    assert taken.read == mapped
    assert taken.adc_bits == 6
    own = ConvertersSection(dac_bits=8).over(mapped, drive_ends=True)
    assert (own.dac_bits, own.input, own.v_read_volt) == (8, "bitserial", 0.2)
    amplitude = ConvertersSection(input="amplitude").over(mapped, drive_ends=True)
    assert (amplitude.input, amplitude.v_read_volt, amplitude.dac_bits) == ("amplitude", None, 4)


def test_a_range_without_end_is_not_taken_over():
    mapped = ReadSection(dac_range="percentile:99", dac_bits=4)
    assert ConvertersSection().over(mapped, drive_ends=False).dac_range == "percentile:99"
    assert ConvertersSection(dac_bits=None).over(mapped, drive_ends=False).dac_range is None


def test_converters_at_tiles_leave_nothing_to_fold():
    assert ConvertersSection().path == "folded"
    assert ConvertersSection(adc_bits=6).path == "tiled"
    with pytest.raises(ConfigError):
        DecodingSection(per="column").rules()
    DecodingSection(per="column", calibrate="gain").rules()
