"""The shipped technologies against the papers' figures; one's own file; every refusal in one line."""

import numpy as np
import pytest

from xbar_cli.device.technologies import load_technology
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.states import state_order

STATES = {
    "states_r2": (0.03, 0.27, 0.54, 0.40),
    "states_r5": (0.03, 0.12, 0.60, 0.27),
    "states_r10": (0.03, 0.06, 0.60, 0.18),
    "states_shift": (0.03, 0.12, 0.12, 0.12),
}
"""Spreads of the bracketing tables, in steps between states."""
OWN = 'source = "me"\nr_on_ohm = 1e4\nr_off_ohm = 1e5\n'


@pytest.mark.parametrize(
    ("name", "r_on", "r_off", "alpha", "beta"),
    [
        ("tio2", 40e3, 600e3, (0.033, 0.13), 0.033),
        ("agsi", 100e3, 1.5e6, (0.013, 0.053), 0.013),
        ("taox", 20e3, 300e3, (0.067, 0.27), 0.067),
        ("spintronic", 40e3, 400e3, (0.05, 0.2), 0.05),
        ("pcm", 60e3, 900e3, (0.022, 0.08), 0.022),
    ],
)
def test_tats_table(name, r_on, r_off, alpha, beta):
    """Ratios of the resistances to R_max as printed, in per cent (the paper cuts 0.0889 to 0.08)."""
    t = load_technology(name)
    assert (t.r_on, t.r_off) == (r_on, r_off)
    assert t.g_on == 1 / r_on
    assert t.g_off == 1 / r_off
    assert t.r_source is not None
    assert t.r_neuron is not None
    printed = (*alpha, 0.0, beta)
    for resistance, percent in zip((*t.r_source, *t.r_neuron), printed, strict=True):
        assert 100 * resistance / r_off == pytest.approx(percent, abs=0.009)
    if t.device_r_on is not None:
        assert t.device_r_on <= r_on < r_off <= t.device_r_off
    assert t.ratio == pytest.approx(10 if name == "spintronic" else 15)


def test_shipped_names_and_sources():
    names = ("tio2", "agsi", "taox", "spintronic", "pcm", "neat", "rram2bit", *STATES)
    assert all(load_technology(name).source for name in names)
    with pytest.raises(ConfigError, match=f"'x' is unknown: use {', '.join(names)}, or"):
        load_technology("x")
    neat = load_technology("neat")
    assert (neat.r_on, neat.r_off) == (30e3, 300e3)
    drift = load_technology("pcm").drift
    assert drift is not None
    assert (drift.t0_seconds, drift.nu_mean, drift.nu_sigma) == (20.0, 0.049, 0.008)


def test_two_bit_table_is_the_published_fit():
    t = load_technology("rram2bit")
    assert t.states is not None
    g = t.states.target * 1e6
    assert np.allclose(t.states.sigma * 1e6, 1.536e-4 * g**3 - 1.167e-2 * g**2 + 2.374e-1 * g + 1.053, atol=2e-6)
    assert np.allclose(g, np.linspace(1, 20, 4), atol=1e-6)
    assert (t.g_off, t.g_on) == pytest.approx((1e-6, 2e-5))


@pytest.mark.parametrize("name", STATES)
def test_bracketing_tables_are_those_that_they_say(name):
    published, states = load_technology("rram2bit").states, load_technology(name).states
    assert published is not None
    assert states is not None
    assert np.array_equal(states.target, published.target)
    step = np.diff(states.target).mean()
    np.testing.assert_allclose(states.sigma / step, STATES[name], rtol=1e-5)
    shift = (0, 0, -0.19 if name == "states_shift" else 0, 0)
    np.testing.assert_allclose((states.mean - states.target) / step, shift, atol=1e-6)
    assert state_order(states) == (0b00, 0b01, 0b11, 0b10)


def test_own_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(OWN + "[drift]\nt0_seconds = 1\nnu_mean = 0.1\nnu_sigma = 0.0\n")
    t = load_technology(path)
    assert (t.name, t.source, t.r_on, t.states) == ("mine", "me", 1e4, None)
    assert t.drift is not None
    assert t.drift.t0_seconds == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OWN.replace("r_off_ohm = 1e5\n", ""), "r_off_ohm is missing"),
        (OWN + "colour = 1\n", "unknown key colour"),
        (OWN.replace("1e5", "1e4"), "r_on_ohm must be above 0 and below r_off_ohm (G_on above G_off)"),
        (OWN.replace("1e4", "'x'"), "r_on_ohm must be a finite number of at least 0, got 'x'"),
        (OWN.replace('"me"', '" "'), "source must be a text"),
        (OWN + "device_r_on_ohm = 5e3\n", "device_r_off_ohm is missing"),
        (OWN + "device_r_on_ohm = 5e3\ndevice_r_off_ohm = 1e3\n", "device_r_on_ohm must be above 0 and below"),
        (OWN + "r_source_ohm = [800, 200]\n", "r_source_ohm must be [lowest, highest]"),
        (OWN + "r_neuron_ohm = 5\n", "r_neuron_ohm must be [lowest, highest]"),
        (OWN + "sigma_chip_relative = -0.1\n", "sigma_chip_relative must be a finite number"),
        (OWN + "states = 3\n", "states: must be a table"),
        (OWN + "[states]\ntarget_siemens = [1e-6, 2e-6]\n", "states: mean_siemens is missing"),
        (
            OWN + "[states]\ntarget_siemens = [2e-6, 1e-6]\nmean_siemens = [1, 1]\nsigma_siemens = [0, 0]\n",
            "states: target must ascend",
        ),
        (OWN + "[drift]\nt0_seconds = 0\nnu_mean = 0.1\nnu_sigma = 0\n", "drift: t0_seconds must be above 0"),
        (
            OWN + "device_r_on_ohm = 5\ndevice_r_off_ohm = 5e2\n",
            "must lie within device_r_on_ohm … device_r_off_ohm = 5 … 500 ohm",
        ),
        (
            OWN.replace("1e4", "1e-5").replace("1e5", "1e-4"),
            "r_on_ohm must be at least 1 ohm, got 1e-05: is it a conductance?",
        ),
        (
            OWN + "sigma_chip_relative = 15\n",
            "sigma_chip_relative must be a share of the conductance, at most 10, got 15",
        ),
        (
            OWN + "[drift]\nt0_seconds = 1\nnu_mean = 5\nnu_sigma = 0\n",
            "nu_mean and nu_sigma must be exponents of at most 1",
        ),
        (
            OWN + "[states]\ntarget_siemens = [20, 80]\nmean_siemens = [20, 80]\nsigma_siemens = [1, 2]\n",
            "states: target_siemens spans 20 … 80 S, and the devices lie at 1e-05 … 0.0001 S (are they microsiemens?)",
        ),
        ("source = ", "not TOML"),
    ],
)
def test_refusals_name_file_and_key(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_technology(str(path))
    line = str(error.value)
    assert message in line
    assert line.startswith(str(path))
    assert "\n" not in line


def test_unknown_name_and_file(tmp_path):
    with pytest.raises(ConfigError, match=r"technology 'tao' is unknown \(did you mean taox\?\): use tio2, agsi, taox"):
        load_technology("tao")
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        load_technology(tmp_path / "none.toml")
