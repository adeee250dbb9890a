"""1T-1R arrays with wires against whole arrays in ngspice."""

import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.array.wired.sweep import require_swept, sweepable, swept
from xbar_cli.array.wires import Wires
from xbar_cli.config.verify import VerifyConfig
from xbar_cli.reporter import SILENT
from xbar_cli.spice.arraysim import simulate_array
from xbar_cli.verify.cases import CellKind
from xbar_cli.verify.models import bit_line_bound, characterise, full_scale_error, wired_currents

pytestmark = pytest.mark.spice


def solved(surrogate, g, v, wires):
    return wired_currents(surrogate, g, v, wires, name="test")


def by_sweeps(surrogate, g, v, wires):
    found = swept(
        sweepable(surrogate, jnp.asarray(g, jnp.float32), wires, there=jnp.ones(g.shape)), jnp.asarray(v, jnp.float32)
    )
    require_swept(found, tile="test", surrogate=surrogate)
    return np.asarray(found.current)


def error(size, *, vg, way=solved, card="lp", topology="drain", low=0.0, **changes):
    rng = np.random.default_rng(7)
    g, v = 1 / rng.uniform(30e3, 300e3, (size, size)), rng.uniform(low, 0.5, (3, size))
    wires = Wires(**({"word": 2.5, "bit": 2.5} | changes))
    r_word, r_bit, r_source, r_neuron = wires.floats()
    kind = CellKind(card=card, width_m=90e-9, length_m=45e-9, vg_volt=vg, topology=topology, temperature_celsius=27.0)
    surrogate, _ = characterise(kind, g, v, wires, sweep=VerifyConfig().sweep, reporter=SILENT)
    assert float(surrogate.line_max) >= bit_line_bound(g, v, wires)
    found = way(surrogate, g, v, wires)
    reference = simulate_array(
        kind.circuit(), g_siemens=g, v_volt=v, vg_volt=vg, timeout_s=100.0,
        r_word=r_word, r_bit=r_bit, r_source=r_source, r_neuron=r_neuron,
    ).current_ampere  # fmt: skip
    return full_scale_error(found, reference)


@pytest.mark.parametrize("vg", [1.0, pytest.param(0.8, marks=pytest.mark.slow)])
def test_16_by_16(vg):
    assert error(16, vg=vg) < 1e-4


@pytest.mark.parametrize("size", [16, pytest.param(32, marks=pytest.mark.slow)])
def test_sweeps(size):
    assert error(size, vg=1.0, way=by_sweeps) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("vg", [1.0, 0.8])
def test_32_by_32(vg):
    assert error(32, vg=vg) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        {"vg": 0.7},
        {"vg": 1.0, "source": 1000.0, "neuron": 1000.0},
        {"vg": 1.0, "low": -0.5},
        {"vg": 1.2, "topology": "source"},
        {"vg": 1.3, "card": "bulk"},
        {"vg": 0.8, "neuron": 5000.0},
    ],
    ids=str,
)
def test_other_cells_ends_and_inputs(case):
    assert error(12, **case) < 1e-3
