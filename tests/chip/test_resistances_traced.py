"""Resistances are arguments of what is compiled: a sweep over them compiles once, but for those that are 0."""

import itertools
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import monitoring

from tests.chip.test_monte_carlo import network
from tests.chip.test_programs_shared import lowered
from tests.circuits import conductances
from xbar_cli.array.lumped import lumped
from xbar_cli.array.nodal import nodal
from xbar_cli.array.published import published
from xbar_cli.array.wires import Wires, wired_fold
from xbar_cli.chip.place import map_network
from xbar_cli.chip.prepare import make_sampler
from xbar_cli.config.arrays import NodalArray, tile_fold
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.workflows.evaluate import build_hardware

COMPILED = "/jax/core/compile/backend_compile_duration"


@pytest.fixture
def compiled():
    """How many programs XLA was given, by now."""
    seen = Counter()

    def listen(event, _seconds, **_more):
        seen[event] += 1

    monitoring.register_event_duration_secs_listener(listen)
    yield lambda: seen[COMPILED]
    monitoring.unregister_event_duration_listener(listen)


def test_a_sweep_of_resistances_compiles_the_fold_once(compiled):
    g = jnp.asarray(conductances((4, 3)), jnp.float32)
    fold = jax.jit(lambda fold, g: fold(g).g_eff)

    def swept(*ohms):
        folds = [tile_fold(NodalArray(r_wire_ohm=ohm, r_source_ohm=ohm)) for ohm in ohms]
        before = compiled()
        found = [np.asarray(fold(one, g)) for one in folds]
        return found, compiled() - before

    assert swept(0.1)[1] == 1
    found, again = swept(0.1, 0.25, 0.3, 1.0, 2.5, 10.0)
    assert again == 0
    assert all(np.all(more.sum(0) < less.sum(0)) for less, more in itertools.pairwise(found))
    assert swept(0.0)[1] == 1


@pytest.mark.parametrize("model", [nodal, lumped, published])
def test_resistances_keep_all_their_digits_through_programs_in_float32(model):
    """0.1 ohm in float32 is 1.5e-8 off, which float64 folds would show."""
    ends = Wires(source=60.1, neuron=30.1)
    wires = Wires(0.1, 0.3, *ends.floats()[2:]) if model is nodal else ends
    g = jnp.asarray(conductances((4, 3)), jnp.float32)
    fold = wired_fold(model, wires)
    assert {r.dtype for r in fold.ohm.values()} == {jnp.dtype(jnp.float64)}
    traced = jax.jit(lambda fold, g: jax.lax.map(fold, g[None]).g_eff[0])(fold, g)
    np.testing.assert_allclose(traced, model(g, wires).g_eff, rtol=2e-7)
    with jax.enable_x64(True):
        g = g.astype(jnp.float64)
        exact = jax.jit(lambda g: model(g, wires).g_eff)(g)
        np.testing.assert_allclose(jax.jit(lambda fold, g: fold(g).g_eff)(fold, g), exact, rtol=1e-14)


def test_the_program_of_a_chip_holds_no_resistance():
    trained, config = network("mlp"), EvaluateConfig.model_validate({"mapping": {"tile": "8x8"}})
    mapped = map_network(trained, config.mapping.placement(), images=20)
    part = (jnp.zeros((2, 28, 28, 1), jnp.float32), jnp.zeros(2, jnp.int32), jnp.ones(2, jnp.float32))

    def program(ohm):
        array = {"model": "nodal", "r_wire_ohm": ohm, "r_source_ohm": 3 * ohm}
        asked = EvaluateConfig.model_validate({"mapping": {"tile": "8x8"}, "array": array})
        sampler, _ = make_sampler(asked, trained, build_hardware(asked, trained, mapped), [], [part], most=1)
        numbers = jnp.arange(1, dtype=jnp.uint32)
        conductances = {name: jnp.asarray(layer.conductance)[None] for name, layer in mapped.layers.items()}
        return lowered(sampler.build.stage, numbers, conductances)

    first = program(0.1)
    assert program(2.5) == first
    assert program(0.0) != first
