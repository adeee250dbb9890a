"""Exact arrays with wires against figures from Qucs and ngspice and against SciPy's sparse LU."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli import verify
from xbar_cli.array.nodal import nodal, solve
from xbar_cli.array.wires import Wires
from xbar_cli.verify.sparse import crossbar

HERE = Path(verify.__file__).parent / "oracles"
QUCS = json.loads((HERE / "crossbars_qucs.json").read_text())["cases"]
NGSPICE = json.loads((HERE / "crossbars_ngspice.json").read_text())["cases"]
LINEAR = {name: case for name, case in NGSPICE.items() if "cell" not in case}


def solved(case):
    wires = Wires(*(case.get(f"r_{name}_ohm", 0.0) for name in ("word", "bit", "source", "neuron")))
    g = jnp.asarray(1 / np.array(case["resistance_ohm"]))
    volts = solve(g, jnp.asarray(case["applied_v"]), wires)
    g_eff, residual = nodal(g, wires)
    assert float(residual) < 1e-12
    return volts, jnp.asarray(case["applied_v"]) @ g_eff


def error(value, reference):
    value, reference = np.asarray(value), np.array(reference)
    least = 1e-12 * np.max(np.abs(reference)) + 1e-300
    return np.max(np.abs(value - reference) / np.maximum(np.abs(reference), least))


@pytest.mark.parametrize("name", QUCS)
def test_qucs(name):
    with jax.enable_x64(True):
        volts, current = solved(QUCS[name])
    for value, key in (
        (current, "output_a"),
        (volts.current, "output_a"),
        (volts.word, "word_v"),
        (volts.bit, "bit_v"),
    ):
        assert error(value, QUCS[name][key]) < 1e-12


@pytest.mark.parametrize("name", LINEAR)
def test_ngspice(name):
    with jax.enable_x64(True):
        _, current = solved(LINEAR[name])
    assert error(current, LINEAR[name]["output_a"]) < 1e-8


def random_array(shape, *, decades=6, absent=0.1, negative=False, seed=0):
    rng = np.random.default_rng(seed)
    g = 10 ** rng.uniform(-2 - decades, -2, shape)
    g[rng.random(shape) < (absent if g.size > 1 else 0)] = 0
    return np.where(rng.random(shape) < 0.2, -0.01 * g, g) if negative else g


SMALL = [(1, 1), (1, 7), (7, 1), (5, 4)]
WIRES = [
    Wires(10.0, 0.3, 500.0, 40.0),
    Wires(1.0, 1.0, 0.0, 0.0),
    Wires(1e-9, 1e-7, 100.0, 50.0),
    Wires(0.0, 2.0, 100.0, 50.0),
    Wires(0.0, 2.0, 0.0, 0.0),
    Wires(3.0, 0.0, 100.0, 50.0),
    Wires(3.0, 0.0, 0.0, 0.0),
    Wires(0.0, 0.0, 100.0, 50.0),
]


def check(g, wires, *, tolerance):
    expected, word, bit = crossbar(g, wires)
    v = np.random.default_rng(1).uniform(-1, 1, g.shape[0])
    with jax.enable_x64(True):
        g_eff, residual = nodal(jnp.asarray(g), wires)
        volts = solve(jnp.asarray(g), jnp.asarray(v), wires)
    np.testing.assert_allclose(g_eff, expected, rtol=tolerance, atol=tolerance * 1e-6 * np.abs(expected).max())
    np.testing.assert_allclose(volts.word, np.einsum("s,src->rc", v, word), rtol=0, atol=tolerance)
    np.testing.assert_allclose(volts.bit, np.einsum("s,src->rc", v, bit), rtol=0, atol=tolerance)
    np.testing.assert_allclose(volts.current, v @ expected, rtol=0, atol=tolerance * np.abs(v @ expected).max())
    assert float(residual) < 1e-12


def combinations():
    """Every shape with wires, sources and neurons, and every kind of wire on a whole array; the rest in `make slow`."""
    for shape in SMALL:
        for wires in WIRES:
            always = wires == WIRES[0] or shape == (5, 4)
            yield pytest.param(shape, wires, marks=() if always else pytest.mark.slow)


@pytest.mark.parametrize(("shape", "wires"), list(combinations()))
def test_scipy(shape, wires):
    check(random_array(shape), wires, tolerance=1e-9)


def test_scipy_with_negative_conductances():
    check(random_array((5, 4), negative=True), WIRES[0], tolerance=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "wires"), [((64, 64), WIRES[0]), ((64, 64), WIRES[3]), ((128, 100), WIRES[1]), ((50, 40), WIRES[5])]
)
def test_scipy_large(shape, wires):
    check(random_array(shape, decades=3 if shape[0] > 64 else 6), wires, tolerance=1e-9)
