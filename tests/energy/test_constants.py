"""Constants: every one with a source; a user's own, and what is wrong with them."""

import pytest
import tomli_w

from xbar_cli.energy.constants import MODELS, load
from xbar_cli.errors import ConfigError


@pytest.mark.parametrize("model", MODELS)
def test_every_constant_has_a_source_and_a_year(model):
    table = load(model).table
    assert len(table) > 10
    for key, constant in table.items():
        assert constant.source.strip(), key
        assert 1960 < constant.year < 2030, key


def test_overrides_and_own_files(tmp_path):
    shipped = load("isaac")
    assert load("isaac", overrides={"adc.energy_joule": 3e-12})["adc.energy_joule"] == 3e-12
    tree = shipped.as_toml()
    tree["adc"]["energy_joule"]["value"] = 5e-12
    file = tmp_path / "own.toml"
    file.write_text(tomli_w.dumps(tree))
    assert load("isaac", file=file)["adc.energy_joule"] == 5e-12
    del tree["adc"]["energy_joule"]["source"]
    file.write_text(tomli_w.dumps(tree))
    with pytest.raises(ConfigError, match=r"adc\.energy_joule needs value, unit, source and year; source is missing"):
        load("isaac", file=file)
    del tree["adc"]["energy_joule"]
    file.write_text(tomli_w.dumps(tree))
    with pytest.raises(ConfigError, match=r"the constant adc\.energy_joule of the model isaac is missing"):
        load("isaac", file=file)


def test_wrong_values_are_named():
    for value in (-1.0, float("nan")):
        with pytest.raises(ConfigError, match=r"adc\.energy_joule = .* J must be at least 0"):
            load("isaac", overrides={"adc.energy_joule": value})
    with pytest.raises(ConfigError, match=r"cycle\.seconds = 0 s must be above 0"):
        load("isaac", overrides={"cycle.seconds": 0.0})
    with pytest.raises(ConfigError, match=r"energy.adc.joule: .* \[adc\] has .*energy_joule"):
        load("isaac", overrides={"adc.joule": 1.0})
    with pytest.raises(ConfigError, match=r"no data for a node of 28 nm .* 7, 10, 14, 22, 32, 45, 65, 90, 130 nm"):
        load("neurosim").node(28)
