import pytest

from xbar_cli.config.base import parse_quantity
from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.config.load import resolve, write_toml
from xbar_cli.config.ranges import gate_voltages, input_voltages, parse_tile
from xbar_cli.config.train import TrainConfig
from xbar_cli.errors import ConfigError


def load(model=CharacterizeConfig, file=None, options=None, settings=()):
    options = options or {}
    return resolve(
        model, config_file=file, options=options, option_names={key: f"--{key}" for key in options}, settings=settings
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [("90n", 90e-9), ("30k", 30e3), ("2meg", 2e6), ("2M", 2e6), ("-5m", -5e-3), ("1.5e3", 1500.0), ("500", 500.0)],
)
def test_quantities_carry_suffixes(text, value):
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", ["nan", "inf", "90 x", "", "9n0", "1e", "--3"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="is not a number"):
        parse_quantity(text)


def test_ranges():
    assert gate_voltages("0.7:1.0:0.05") == (0.7, 1.0, 7)
    assert gate_voltages("0.8") == (0.8, 0.8, 1)
    assert input_voltages("0.01:0.5:51") == (0.01, 0.5, 51)
    assert parse_tile("64x128") == (64, 128)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sweep.vg_range", "1.0:0.7:0.05", "the stop is below the start"),
        ("sweep.vg_range", "0.7:1.0:0", "the step must be above 0"),
        ("sweep.vg_range", "0.7:1.0:1e-9", r"points; at most 4096"),
        ("sweep.vg_range", "0.7:1.0:0.07", "does not divide the span"),
        ("sweep.vg_range", "a:b:c", "is not a number"),
        ("sweep.vg_range", "nan:1:0.1", "is not a number"),
        ("sweep.vin_range", "0.01:0.5:1e9", "whole number from 5 to 4096"),
        ("sweep.vin_range", "0:0.02:5", "has 3 points"),
        ("sweep.g_points", "0", "greater than or equal to 8"),
        ("cell.width_m", "-90n", "greater than 0"),
        ("cell.width_m", "wide", "is not a number"),
        ("cell.r_on_ohm", "400k", r"must be below cell\.r_off_ohm"),
        ("range.tolerance", "0", "greater than 0"),
        ("a.b.c", "1", "unknown key 'a'"),
        ("cell.colour", "1", r"unknown key 'cell\.colour'"),
        ("cell", "3", "cell = 3"),
    ],
)
def test_bad_settings_are_one_line_that_names_key_and_rule(key, value, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load(settings=[f"{key}={value}"])
    assert "\n" not in str(caught.value)
    assert key.split(".")[0] in str(caught.value)


def test_a_table_of_too_many_points_is_refused_before_it_is_made():
    with pytest.raises(ConfigError, match="points"):
        load(settings=["sweep.vin_range=0.01:0.5:4096", "sweep.g_points=4096", "sweep.vg_range=0:1:0.001"])


def test_precedence_is_file_then_options_then_settings(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text('seed = 1\n[cell]\nwidth_m = "100n"\nlength_m = "50n"\nr_on_ohm = 20e3\n')
    config = load(
        file=file,
        options={"cell.length_m": "60n", "cell.r_on_ohm": "25k", "seed": None},
        settings=["cell.r_on_ohm=28k"],
    )
    assert (config.seed, config.cell.width_m, config.cell.length_m, config.cell.r_on_ohm) == (1, 100e-9, 60e-9, 28e3)
    assert config.cell.r_off_ohm == 300e3


def test_the_origin_of_a_bad_value_is_named(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("[cell]\nwidth_m = -1\n")
    with pytest.raises(ConfigError, match=r"c\.toml: cell\.width_m = -1"):
        load(file=file)
    with pytest.raises(ConfigError, match=r"--cell\.width_m: cell\.width_m = '-1'"):
        load(options={"cell.width_m": "-1"})


@pytest.mark.parametrize("text", ["[cell", "cell = ", "\xff"])
def test_a_damaged_file_is_named(tmp_path, text):
    file = tmp_path / "broken.toml"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=r"broken\.toml"):
        load(file=file)


def test_what_is_written_reads_back_the_same(tmp_path):
    config = load(settings=["cell.width_m=120n", "seed=7"])
    write_toml(tmp_path / "c.toml", config)
    assert load(file=tmp_path / "c.toml") == config


def test_neat_needs_its_cell_and_ideal_uses_none():
    with pytest.raises(ConfigError, match=r"needs neat\.cell"):
        load(TrainConfig, settings=["method=neat"])
    with pytest.raises(ConfigError, match=r"does not use neat\.vg"):
        load(TrainConfig, settings=["neat.vg=0.8"])
    assert load(TrainConfig, settings=["method=neat", "neat.cell=x", "neat.vg=0.8"]).method.vg == "0.8"
