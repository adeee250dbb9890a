"""Pulse trains from a CSV: directions, units, where trains begin, what is refused."""

import numpy as np
import pytest

from xbar_cli.device.fitting.trains import LONGEST, read_trains
from xbar_cli.errors import ConfigError

NAN = np.nan


def written(tmp_path, text):
    path = tmp_path / "p.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "conductance_uS,direction\n1,\n2,up\n3,SET\n2.5,down\n",
        "direction,conductance_siemens\n0,1e-6\n+,2e-6\nLTP,3e-6\n-1,2.5e-6\n",
        "conductance [kΩ],volt\n1e3,0\n500,1.5\n333.3333333333333,1.5\n400,-1\n",
        "conductance_nS,voltage_mV,note\n1000,0,a\n2000,1500,b\n3000,1500,c\n2500,-1000,d\n",
        "pulse,conductance_uS,direction\n0,1,up\n1,2,up\n2,3,up\n1,2.5,down\n",
        "# of a tester\nconductance_uS,direction\n\n1,up\n2,up\n3,up\n2.5,down\n",
    ],
)
def test_one_train_in_many_hands(tmp_path, text):
    found = read_trains(written(tmp_path, text))
    np.testing.assert_allclose(found.reads, [[1e-6, 2e-6, 3e-6, 2.5e-6]], rtol=1e-12)
    assert found.plan.sign.tolist() == [[1, 1, -1]]
    assert found.names == ["all"]


def test_trains_begin_where_device_or_cycle_change_and_pulses_are_missing(tmp_path):
    lines = ["device,cycle,pulse,direction,conductance_uS"]
    lines += ["b,1,0,up,1", "a,1,7,up,10", "b,1,1,up,2", "a,1,8,up,11", "b,1,2,up,3", "a,1,9,up,12"]
    lines += [
        "a,2,1,up,20",
        "a,2,2,up,21",
        "a,2,3,down,20.5",
        "a,2,9,up,30",
        "a,2,10,up,31",
        "a,2,11,up,32",
        "c,1,1,up,5",
    ]
    found = read_trains(written(tmp_path, "\n".join(lines)))
    assert found.names == ["a", "b"]
    assert found.plan.device.tolist() == [0, 0, 0, 1]
    assert (found.reads * 1e6).round(6).tolist() == [[10, 11, 12], [20, 21, 20.5], [30, 31, 32], [1, 2, 3]]
    assert found.plan.sign.tolist() == [[1, 1], [1, -1], [1, 1], [1, 1]]


def test_trains_of_unequal_lengths_and_very_long_ones(tmp_path):
    lines = ["device,direction,conductance_uS", "a,,1", "a,up,2", "a,up,3"]
    lines += [f"b,{'up' if n else ''},{n + 1}" for n in range(LONGEST + 11)]
    found = read_trains(written(tmp_path, "\n".join(lines)))
    lengths = (found.plan.sign != 0).sum(axis=1)
    assert lengths.tolist() == [2, LONGEST, 10]
    assert np.isnan(found.reads[0, 3:]).all()
    np.testing.assert_allclose(found.reads[2, 0], found.reads[1, LONGEST])  # the read between two parts is of both
    np.testing.assert_array_equal(np.isfinite(found.reads).sum(axis=1), lengths + 1)


def test_sizes_of_pulses_are_those_of_the_file(tmp_path):
    text = "conductance_uS,voltage_V,width_ns\n1,0,0\n2,1.5,100\n3,1.5,100\n2,-1.2,50\n1,-1.2,50\n"
    found = read_trains(written(tmp_path, text))
    assert found.volts == {"up": 1.5, "down": 1.2}
    assert found.seconds == {"up": pytest.approx(1e-7), "down": pytest.approx(5e-8)}
    plain = read_trains(
        written(tmp_path, "conductance_uS,direction,seconds\n1,0,0\n2,up,1e-6\n1,down,2e-6\n2,up,1e-6\n")
    )
    assert (plain.volts, plain.seconds) == ({}, {"up": 1e-6, "down": 2e-6})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no measurements; the first line must name conductance_siemens, and direction or volt"),
        ("conductance_uS,direction\n", ":1: holds no measurements below its first line"),
        ("g_uS,direction\n1,up\n", ":1: no column conductance_siemens"),
        ("conductance_V,direction\n1,up\n", ":1: 'conductance_V': 'V' is no unit; write S, mS"),
        ("conductance_uS,pulse\n1,1\n", ":1: no column direction or volt"),
        ("conductance_uS,voltage\n1,1\n", ":1: 'voltage': '' is no unit; write V, volt, mV"),
        ("conductance_uS,voltage_kV\n1,1\n", ":1: 'voltage_kV': 'kV' is no unit; write V, volt, mV"),
        ("conductance_uS,direction,width_h\n1,up,1\n", ":1: 'width_h': 'h' is no unit; write s, seconds, ms"),
        ("conductance_uS,direction\n1,up\n2,sideways\n", ":3: direction is 'sideways'; write up or down"),
        ("conductance_uS,direction\n1,up\nx,up\n", ":3: conductance_uS is 'x', not a number"),
        ("conductance_uS,direction\n1,up\nnan,up\n", ":3: conductance_uS is nan, not a finite conductance"),
        ("conductance_uS,direction\n1,up\n,up\n", ":3: no value of conductance_uS"),
        ("conductance_uS,volt\n1,0\n2,inf\n", ":3: volt is not finite"),
        (
            "conductance_uS,volt\n1,0\n2,1\n3,1\n4,2\n",
            "volts of pulses up are 1 to 2: a switching model is of equal pulses",
        ),
        ("conductance_siemens,direction\n5,up\n6,up\n7,up\n", "no device conducts more than 1 S"),
        ("conductance_uS,direction\n-5,up\n-6,up\n-7,up\n", "most of it below 0: turn the sign"),
        ("conductance_uS,direction,pulse\n1,up,10\n2,up,20\n3,up,30\n", "no device has 2 pulses one after the other"),
        ("conductance_uS,direction,pulse\n1,up,one\n2,up,2\n", ":2: pulse is 'one', not a number"),
    ],
)
def test_tables_that_are_refused(tmp_path, text, message):
    with pytest.raises(ConfigError) as error:
        read_trains(written(tmp_path, text))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
