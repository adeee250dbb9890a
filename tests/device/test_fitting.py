"""Columns of measured devices with their units, and the spread between devices and between writes apart."""

import numpy as np
import pytest

from xbar_cli.device.fitting.columns import column
from xbar_cli.device.fitting.components import components
from xbar_cli.device.measured import read_measurements
from xbar_cli.errors import ConfigError

STATES = np.array([5e-6, 2e-5])


@pytest.mark.parametrize(
    ("head", "value"),
    [
        ("target_siemens", 5e-6), ("target_uS", 5), ("target_us", 5), ("target [µS]", 5), ("target (\u03bcS)", 5),
        ("target_microsiemens", 5), ("target_nS", 5000), ("target mS", 5e-3), ("target_ohm", 2e5), ("target_kohm", 200),
        ("target [kΩ]", 200), ("target_k\u2126", 200), ("target_Mohm", 0.2),
    ],
)  # fmt: skip
def test_units_come_from_the_heads(tmp_path, head, value):
    path = tmp_path / "d.csv"
    path.write_text(f"device,{head},measured_siemens\na,{value!r},5.1e-6\nb,{value!r},4.9e-6\n", encoding="utf-8")
    target, measured, device = read_measurements(path)
    np.testing.assert_allclose(target, 5e-6, rtol=1e-12)
    assert (measured.tolist(), device.tolist()) == ([5.1e-6, 4.9e-6], [0, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "target_volt,measured_siemens\n1,1\n",
            ":1: 'target_volt': 'volt' is no unit; write S, mS, uS, nS, ohm, kohm or Mohm",
        ),
        ("measured_uS,goal_uS\n1,1\n", ":1: no column target_siemens"),
        ("target_kohm,measured_kohm\n0,1\n", ":2: target_kohm is 0: a resistance of 0 has no conductance"),
        ("target_uS,measured_uS\n1,inf\n", ":2: measured_uS is inf, not a finite conductance"),
        ("device,target_uS,measured_uS\n,1,1\n", ":2: no value of device"),
        ("target_uS,measured_kohm\n5,1\n", "one of them is in another unit"),
    ],
)
def test_columns_that_are_refused(tmp_path, text, message):
    path = tmp_path / "d.csv"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_measurements(path)
    assert message in str(error.value)


def test_an_open_device_has_no_conductance():
    assert column(["target_kohm"], "target", where="d.csv:1").siemens("d.csv:2", float("inf")) == 0


def drawn(devices, writes, *, between, within, seed=0):
    """Measurements of devices that differ, each written several times to two states."""
    rng = np.random.default_rng(seed)
    state, device = np.repeat([0, 1], devices * writes), np.tile(np.repeat(np.arange(devices), writes), 2)
    offset = rng.normal(size=(2, devices))[state, device] * between
    return STATES[state] + offset + within * rng.normal(size=state.size), state, device


def test_the_two_parts_of_a_spread_are_told_apart():
    measured, state, device = drawn(4000, 5, between=3e-7, within=1e-7)
    found = components(measured, state, device)
    np.testing.assert_allclose(found.device, 3e-7, rtol=0.05)
    np.testing.assert_allclose(found.cycle, 1e-7, rtol=0.05)
    alike = components(*drawn(4000, 5, between=0, within=1e-7))
    assert (alike.device < 3e-8).all()


def test_devices_that_were_written_unequally_often_bias_neither_part():
    rng = np.random.default_rng(1)
    found = []
    for seed in range(40):
        measured, state, device = drawn(100, 6, between=3e-7, within=1e-7, seed=seed)
        kept = (rng.random(measured.size) < np.where(device % 2, 0.4, 1)) | (np.arange(measured.size) % 6 == 0)
        parts = components(measured[kept], state[kept], device[kept])
        found.append((parts.device**2, parts.cycle**2))
    device, cycle = np.mean(found, axis=0)
    np.testing.assert_allclose(device, 9e-14, rtol=0.1)
    np.testing.assert_allclose(cycle, 1e-14, rtol=0.05)


def test_by_hand_it_is_the_table_of_the_analysis_of_variance():
    measured, device = np.array([1.0, 3.0, 6.0, 8.0, 7.0]) * 1e-6, np.array([0, 0, 1, 1, 1])
    found = components(measured, np.zeros(5, int), device)
    within = (1 + 1 + 1 + 1 + 0) / 3
    between, size = 2 * (2 - 5) ** 2 + 3 * (7 - 5) ** 2, 5 - (4 + 9) / 5
    np.testing.assert_allclose(found.cycle, np.sqrt(within) * 1e-6)
    np.testing.assert_allclose(found.device, np.sqrt((between - within) / size) * 1e-6)


def test_without_a_second_write_or_a_second_device_there_are_no_parts():
    once, state, device = drawn(10, 1, between=1e-7, within=1e-7)
    assert components(once, state, device) is None
    alone, state, device = drawn(1, 10, between=1e-7, within=1e-7)
    assert components(alone, state, device) is None
