"""`xbar fit --kind pulses`: from a table of pulses to chips that are programmed on its model."""

import json
import tomllib

import h5py
import jax
import numpy as np
import pytest

from xbar_cli.config.train import TrainConfig
from xbar_cli.device.fitting.moments import PulsePlan
from xbar_cli.device.fitting.simulated import drawn_trains
from xbar_cli.device.switching.model import PulseBranch, Switching
from xbar_cli.device.switching.presets import load_switching
from xbar_cli.device.technologies import load_technology
from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.grid import expand

MODEL = Switching(
    name="own", source="test", up=PulseBranch(pulses=40.0, nonlinearity=1.5, volt=1.5, seconds=1e-7),
    down=PulseBranch(pulses=50.0, nonlinearity=3.0, volt=1.2, seconds=1e-7), sigma_cycle=0.2, sigma_cycle_window=0.01,
    sigma_step=0.1, sigma_window=0.03, volt_read=0.1, seconds_read=1e-8,
)  # fmt: skip
G_MIN, WIDE = 3.3, 30.0
"""Of the window [µS]."""
READS = ("--volt-read", "0.1V", "--seconds-read", "10ns")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of 8 devices, three cycles of each, as a tester writes it."""
    sign = np.tile(np.repeat([1, -1], [50, 60]), (24, 1))
    plan = PulsePlan(sign, np.repeat(np.arange(8), 3))
    (reads,) = drawn_trains(jax.random.key(4), plan, np.zeros(24), model=MODEL, sigma_read=0.005, floor=-0.1, sets=1)
    lines = ["device,cycle,pulse,voltage_V,width_ns,conductance_uS"]
    for number, (train, ways) in enumerate(zip(G_MIN + WIDE * reads, sign, strict=True)):
        head = f"d{number // 3},{number % 3}"
        lines.append(f"{head},0,0,0,{train[0]:.5f}")
        lines += [
            f"{head},{n + 1},{1.5 if way > 0 else -1.2},100,{g:.5f}"
            for n, (way, g) in enumerate(zip(ways, train[1:], strict=True))
        ]
    path = tmp_path_factory.mktemp("pulses") / "pulses.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def fitted(table):
    from xbar_cli.cli.main import guarded

    out = table.parent / "switching"
    assert guarded(["fit", str(table), "--kind", "pulses", *READS, "--out", str(out), "--quiet", "--json"]) == 0
    return out


def test_the_run_holds_a_switching_model_and_a_technology(fitted):
    summary = json.loads((fitted / "summary.json").read_text())
    assert (summary["kind"], summary["devices"], summary["trains"], summary["measurements"]) == (
        "pulses",
        8,
        24,
        24 * 111,
    )
    model = load_switching(fitted / "switching.toml")
    assert (model.up.volt, model.down.volt, model.volt_read) == (1.5, 1.2, 0.1)
    assert model.up.seconds == pytest.approx(1e-7)
    assert model.up.pulses == summary["pulses_up"] == pytest.approx(40, rel=0.15)
    assert summary["pulses_up_ci95"][0] < 40 < summary["pulses_up_ci95"][1]
    assert summary["nonlinearity_down_ci95"][0] < 3 < summary["nonlinearity_down_ci95"][1]
    technology = load_technology(fitted / "technology.toml")
    np.testing.assert_allclose([technology.g_off, technology.g_on], [3.3e-6, 33.3e-6], rtol=0.2)
    assert summary["g_max_siemens"] == pytest.approx(technology.g_on)
    with h5py.File(fitted / "results.nc") as file:
        assert file["low"].shape == file["steps_up"].shape == (8,)
        assert [name.decode() for name in file["device"][:]] == [f"d{n}" for n in range(8)]
    assert (fitted / "figures" / "pulses.png").exists()
    assert tomllib.loads((fitted / "switching.toml").read_text())["source"] == "xbar fit pulses.csv"


def test_chips_are_programmed_on_the_fitted_model(xbar, small, fitted, tmp_path):
    """The run stands for its files: the same chips as with the file of the model, and others than with a preset."""
    words = ("eval", small, "--technology", fitted, "--samples", 2, "--images", 200, "--json", "--program", "verify")
    found = xbar(*words, "--program-device", fitted, "--out", tmp_path / "a")
    assert found.code == 0, found.err
    programming = found.json["programming"]
    assert programming["missed_fraction_mean"] < 0.2
    assert programming["pulses_mean"] > 0
    again = xbar(*words, "--program-device", fitted / "switching.toml", "--out", tmp_path / "b").json
    assert again["accuracy_samples"] == found.json["accuracy_samples"]
    assert again["programming"]["pulses_mean"] == programming["pulses_mean"]
    preset = xbar(*words, "--program-device", "agsi", "--out", tmp_path / "c").json
    assert preset["programming"]["pulses_mean"] != programming["pulses_mean"]


def test_training_in_place_and_stages_take_the_run(table, fitted, tmp_path):
    config = TrainConfig.model_validate({"method": "insitu", "insitu": {"switching": str(fitted)}})
    assert config.method.switching == str(fitted / "switching.toml")
    (tmp_path / "e.toml").write_text(
        f'[stages.fit]\ncommand = "fit"\nkind = "pulses"\nfile = "{table}"\npulses.volt_read = "0.1V"\n'
        'pulses.seconds_read = "10ns"\n[stages.net]\ncommand = "train"\n[stages.eval]\ncommand = "evaluate"\nrun = "@net"\n'
        'programming.method = "verify"\nprogramming.device = "@fit"\nmapping.technology = "@fit"\n'
    )
    point = expand(load_experiment(tmp_path / "e.toml"))[0]
    assert point.runs["eval"].needs == (point.runs["net"].key, point.runs["fit"].key)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "the file does not say --volt-read, --seconds-read: give them"),
        ((*READS, "--volt-up", "2"), "--volt-up: the file says it; leave it out, or the column"),
        ((*READS, "--min-count", "5"), "--kind pulses does not use --min-count"),
        ((*READS[:2], "--seconds-read", "1e9"), "1e+09 is out of bounds: from 1e-15 to 1000 s is allowed"),
    ],
)
def test_what_is_missing_or_twice_is_one_line(xbar, table, tmp_path, words, said):
    found = xbar("fit", table, "--kind", "pulses", *words, "--out", tmp_path / "a")
    assert found.code in (1, 2)
    assert said in found.err
    assert len(found.err.strip().splitlines()) == 1


def test_statistics_know_no_pulses(xbar, table, tmp_path):
    assert "--kind states does not use" in xbar("fit", table, *READS, "--out", tmp_path / "a").err
