"""What `xbar fit` hands on: levels and range as a technology, and the parts of the spread."""

import tomllib

import numpy as np
import pytest

from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.hardware import MapConfig
from xbar_cli.device.technologies import load_technology, read_statistics
from xbar_cli.errors import ConfigError
from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.grid import expand

STATES = np.array([4e-6, 1e-5, 2e-5, 3.2e-5])


@pytest.fixture(scope="module")
def devices(tmp_path_factory):
    """A table in microsiemens of 60 devices, each written four times to every state."""
    rng = np.random.default_rng(2)
    lines = ["device,target_uS,measured_uS"]
    for number in range(60):
        for state in STATES * 1e6:
            own = state * (1 + 0.03 * rng.normal())
            lines += [f"d{number},{state:g},{own * (1 + 0.01 * rng.normal()):.6f}" for _ in range(4)]
    path = tmp_path_factory.mktemp("fit") / "devices.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def fitted(devices):
    from xbar_cli.cli.main import guarded

    assert guarded(["fit", str(devices), "--out", str(devices.parent / "stats"), "--quiet", "--json"]) == 0
    return devices.parent / "stats"


def test_the_spread_is_told_in_its_parts(xbar, devices, fitted, tmp_path):
    table = tomllib.loads((fitted / "statistics.toml").read_text())
    np.testing.assert_allclose(table["sigma_device_siemens"], 0.03 * STATES, rtol=0.3)
    np.testing.assert_allclose(table["sigma_cycle_siemens"], 0.01 * STATES, rtol=0.2)
    whole, cycle = read_statistics(fitted), read_statistics(fitted, part="cycle")
    np.testing.assert_allclose(
        whole.sigma, np.hypot(table["sigma_device_siemens"], table["sigma_cycle_siemens"]), rtol=1e-12
    )
    assert cycle.sigma.tolist() == table["sigma_cycle_siemens"]
    shown = xbar("fit", devices, "--out", tmp_path / "again").out
    assert "960 measurements of 60 devices, states" in shown


def test_the_run_is_a_technology_with_range_and_levels(fitted):
    mapping = MapConfig.model_validate({"mapping": {"technology": str(fitted)}}).mapping
    assert mapping.technology == str(fitted / "technology.toml")
    devices = mapping.resistive()
    assert (devices.g_off, devices.g_on) == pytest.approx((4e-6, 3.2e-5))
    np.testing.assert_allclose(devices.levels, STATES)
    assert load_technology(mapping.technology).states is not None
    uniform = MapConfig.model_validate({"mapping": {"technology": str(fitted), "bits": 1}}).mapping.resistive()
    np.testing.assert_allclose(uniform.levels, [4e-6, 3.2e-5])


def test_chips_are_drawn_from_it(xbar, fitted, small, tmp_path):
    words = ("eval", small, "--technology", fitted, "--samples", 3, "--images", 500, "--json")
    whole = xbar(*words, "--effect", "states:scale=4", "--out", tmp_path / "a")
    assert whole.code == 0, whole.err
    apart = xbar(*words, "--effect", f"states:file={fitted},part=cycle,scale=4", "--out", tmp_path / "b")
    assert apart.code == 0, apart.err
    assert apart.json["accuracy_samples"] != whole.json["accuracy_samples"]


def test_a_part_needs_a_table_that_has_it(xbar, small, tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("target_uS,measured_uS\n" + "5,5.1\n5,4.9\n" * 3 + "20,21\n20,19\n" * 3)
    assert xbar("fit", path, "--out", tmp_path / "stats", "--quiet").code == 0
    effect = f"states:file={tmp_path / 'stats'},part=device"
    found = xbar("eval", small, "--technology", tmp_path / "stats", "--effect", effect, "--out", tmp_path / "e")
    assert "has no sigma_device_siemens; fit a table that names the device of every line" in found.err
    with pytest.raises(ValueError, match="part=cycle needs file="):
        EvaluateConfig.model_validate({"variation": {"effects": ["states:part=cycle"]}})


def test_a_smooth_curve_hands_on_its_range_alone(xbar, devices, tmp_path):
    found = xbar("fit", devices, "--kind", "smooth", "--out", tmp_path / "smooth", "--json").json
    assert found["technology"]
    technology = load_technology(tmp_path / "smooth" / "technology.toml")
    assert (technology.levels, technology.states) == (None, None)
    assert technology.g_on == pytest.approx(3.2e-5)


def test_levels_of_a_technology_are_checked(tmp_path, fitted):
    text = (fitted / "technology.toml").read_text()
    path = tmp_path / "t.toml"
    path.write_text(text.replace("levels_siemens = [", "levels_siemens = [1.0,"))
    with pytest.raises(ConfigError, match="levels_siemens must be a list of ascending conductances"):
        load_technology(path)


def test_a_stage_may_be_a_fit(devices, tmp_path):
    (tmp_path / "e.toml").write_text(
        f'[stages.fit]\ncommand = "fit"\nfile = "{devices}"\n[stages.net]\ncommand = "train"\n'
        '[stages.map]\ncommand = "map"\nrun = "@net"\nmapping.technology = "@fit"\n'
    )
    point = expand(load_experiment(tmp_path / "e.toml"))[0]
    assert point.runs["map"].needs == (point.runs["net"].key, point.runs["fit"].key)
