"""The real simulator: each way in which it fails without saying so is an error, and nothing stale is handed back."""

import importlib.util

import numpy as np
import pytest

from tests.spice.test_spice_workers import pids_of
from xbar_cli.errors import SpiceError
from xbar_cli.spice.backends import NO_NGSPYCE, find_library, resolve
from xbar_cli.spice.jobs import Analysis, Grid, Simulation
from xbar_cli.spice.pool import Pool, version

pytestmark = pytest.mark.spice

SWEEP = Analysis((("v1", Grid(0.0, 1.0, 11)),), ("i(v1)",))
DIVIDER = ("v1 a 0 dc 1", "r1 a 0 2")
MOSFET = ("v1 a 0 dc 1", "m1 a a 0 0 mm w=1u l=1u")

FAILURES = {
    "missing model": ((*DIVIDER, "m1 a a 0 0 nomodel w=1u l=1u"), "can't find model 'nomodel'", False),
    "missing include": ((*DIVIDER, ".include nofile.lib"), "Could not find include file nofile.lib", False),
    "singular matrix": (("v1 a 0 dc 1", "v2 a 0 dc 2", "r1 a 0 1"), "singular matrix", False),
    "no convergence": (
        ("v1 c 0 dc 1", "b1 a 0 v = v(a) > 0.5 ? 0 : 1", "r1 a c 1"),
        "aborted|Timestep|too small",
        False,
    ),
    "unknown source": (("v2 a 0 dc 1", "r1 a 0 1"), '"v1" is not in the circuit', False),
    "unknown model parameter": (
        (*MOSFET, ".model mm nmos level=54 version=4.0 foo=1"),
        r"unrecognized parameter \(foo\)",
        False,
    ),
    "unknown instance parameter": (
        ("v1 a 0 dc 1", "m1 a a 0 0 mm w=1u l=1u foo=2", ".model mm nmos level=54 version=4.0"),
        r"unknown parameter \(foo\)",
        False,
    ),
    "version as a whole number": ((*MOSFET, ".model mm nmos level=54 version=4"), "valid modelname", False),
    "impossible geometry": (
        ("v1 a 0 dc 1", "m1 a a 0 0 mm w=-1u l=1u", ".model mm nmos level=54 version=4.0"),
        "Effective channel width",
        False,
    ),
    "undefined parameter": (("v1 a 0 dc {und}", "r1 a 0 1"), r"Undefined parameter \[und\]", True),
    "resistance changed": (("v1 a 0 dc 1", "r1 a 0"), "r1: resistance to low, set to 1 mOhm", False),
}


@pytest.fixture(scope="module")
def pool():
    with Pool(1, backend="ctypes") as shared:
        yield shared


def currents(pool, *setup):
    ((outcome,),) = pool.run([Simulation(DIVIDER, (SWEEP,), setup)], timeout_s=30.0)
    return outcome.values[0]


@pytest.mark.parametrize("name", FAILURES)
def test_a_hidden_failure_raises_with_the_simulators_words_and_the_pool_works_on(pool, name):
    circuit, message, dies = FAILURES[name]
    pool.version()
    before = pids_of(pool)
    with pytest.raises(SpiceError, match=message) as caught:
        pool.run([Simulation(circuit, (SWEEP,))], timeout_s=30.0)
    assert "\n" not in str(caught.value)
    np.testing.assert_allclose(currents(pool), -np.linspace(0.0, 0.5, 11), atol=1e-15)
    assert (pids_of(pool) != before) == dies, "an engine that asked to exit is replaced, any other goes on"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("nosuchcommand", "no such command"),
        ("alter vnone dc = 1", "no such device"),
        ("altermod nomodel capmod = 0", "no such device or model"),
        ("quit", "engine|exit|ngspice"),
        ("dc " + "v1 0 1 0.1 " * 100, "at most 1023"),
    ],
)
def test_a_command_that_fails_raises_and_the_pool_works_on(pool, command, message):
    with pytest.raises(SpiceError, match=message):
        currents(pool, command)
    assert currents(pool).size == 11


def test_nothing_of_an_earlier_sweep_is_handed_back_after_one_that_failed(pool):
    bad = Analysis((("vnone", Grid(0.0, 1.0, 11)),), ("i(v1)",))
    got = []
    with pytest.raises(SpiceError, match="not in the circuit"):
        got = pool.run([Simulation(DIVIDER, (SWEEP, bad))], timeout_s=30.0)
    assert got == []
    unsaved = Analysis((("v1", Grid(0.0, 1.0, 11)),), ("i(v9)",))
    with pytest.raises(SpiceError, match=r"no vector i\(v9\)"):
        pool.run([Simulation(DIVIDER, (SWEEP, unsaved))], timeout_s=30.0)


def test_nested_sweeps_come_inner_first_and_agree_with_ohms_law(pool):
    nested = Analysis((("v1", Grid(-0.5, 0.5, 5)), ("v2", Grid(0.1, 0.4, 4))), ("i(v1)", "v(a)"))
    ((outcome,),) = pool.run([Simulation(("v1 a 0 dc 0", "v2 b 0 dc 0", "r1 a b 3"), (nested,))], timeout_s=30.0)
    v1, v2 = np.meshgrid(np.linspace(-0.5, 0.5, 5), np.linspace(0.1, 0.4, 4))
    np.testing.assert_allclose(outcome.values[0].reshape(4, 5), (v2 - v1) / 3.0, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(outcome.values[1].reshape(4, 5), v1, rtol=1e-12, atol=1e-15)


def test_the_version_is_found_in_a_worker():
    assert version().startswith("ngspice-")


def test_where_the_library_is(monkeypatch, tmp_path):
    monkeypatch.setenv("LIBNGSPICE", str(tmp_path / "nothing.so"))
    assert find_library() is None
    with pytest.raises(
        SpiceError, match=r"install libngspice0 \(apt\) or ngspice \(brew\), or set LIBNGSPICE .*nothing.so"
    ):
        resolve("ctypes")
    (tmp_path / "nothing.so").write_bytes(b"not a library")
    with pytest.raises(SpiceError, match="cannot be used"):
        version(backend="ctypes")
    monkeypatch.delenv("LIBNGSPICE")
    library = find_library()
    assert library
    assert resolve("auto") == ("ctypes", library)


def test_ngspyce_asked_for_and_absent_is_an_error(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpiceError, match=NO_NGSPYCE[:40]):
        resolve("ngspyce")
    with pytest.raises(ValueError, match="auto, ctypes or ngspyce"):
        resolve("pyspice")


@pytest.mark.skipif(importlib.util.find_spec("ngspyce") is None, reason="the package ngspyce is not installed")
@pytest.mark.parametrize("name", FAILURES)
def test_ngspyce_hides_no_failure_either(name):
    circuit, message, _ = FAILURES[name]
    with Pool(1, backend="ngspyce") as pool:
        with pytest.raises(SpiceError, match=message):
            pool.run([Simulation(circuit, (SWEEP,))], timeout_s=30.0)
        np.testing.assert_allclose(currents(pool), -np.linspace(0.0, 0.5, 11), atol=1e-15)
