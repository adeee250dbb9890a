"""What a GPU would be given is made here, on a machine without one: every program of a chip lowers for CUDA."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from tests.analytic import fitted, on_a_bit_line
from tests.chip.test_monte_carlo import CASES, network
from xbar_cli.array.lumped import lumped
from xbar_cli.array.nodal import nodal
from xbar_cli.array.pairs import lumped_pairs, published_pairs
from xbar_cli.array.published import published
from xbar_cli.array.wires import Wires, wired_fold
from xbar_cli.chip.executor import Strategy
from xbar_cli.chip.place import map_network
from xbar_cli.chip.prepare import make_sampler
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.effect_list import steps_of
from xbar_cli.workflows.evaluate import build_hardware


def module(function, *args):
    """The program for CUDA of a jitted function."""
    leaves, tree = jax.tree.flatten(args)  # of values that check their types `export` would make some of none
    exported = export.export(jax.jit(lambda leaves: function(*jax.tree.unflatten(tree, leaves))), platforms=["cuda"])(
        leaves
    )
    assert exported.platforms == ("cuda",)
    return exported.mlir_module()


FOLDS = {
    "nodal": (nodal, Wires(1.0, 2.0, 100.0, 50.0)),
    "nodal, ideal word lines": (nodal, Wires(0.0, 2.0, 100.0, 50.0)),
    "nodal, ideal bit lines": (nodal, Wires(1.0, 0.0, 100.0, 50.0)),
    "lumped": (lumped, Wires(source=100.0, neuron=50.0)),
    "lumped, shared neurons": (lumped_pairs, Wires(source=100.0, neuron=50.0)),
    "published": (published, Wires(source=100.0, neuron=50.0)),
    "published, shared neurons": (published_pairs, Wires(source=100.0, neuron=50.0)),
}


@pytest.mark.parametrize("name", FOLDS)
def test_folds_lower_and_their_gradients(name):
    model, wires = FOLDS[name]
    fold, g = wired_fold(model, wires), jax.ShapeDtypeStruct((6, 4), jnp.float32)

    @jax.jit
    def total(g, fold):
        return jnp.sum(fold(g).g_eff)

    program = module(jax.jit(lambda fold, g: jax.lax.map(fold, g[None])), fold, g)
    assert (re.search(r"\dx\dxf64", program) is None) == name.startswith("published")
    assert "stablehlo" in module(jax.jit(jax.grad(total)), g, fold)


@pytest.mark.parametrize("strategy", [Strategy("map", 1), Strategy("vmap", 2), Strategy("patches", 2)], ids=str)
@pytest.mark.parametrize("case", ["mlp", "tiled mlp", "lenet5"])
def test_the_stages_of_a_chip_lower_with_every_strategy(case, strategy):
    config, trained = EvaluateConfig.model_validate(CASES[case]), network(case.split()[-1])
    mapped = map_network(trained, config.mapping.placement(), images=20)
    part = (jnp.zeros((4, 28, 28, 1), jnp.float32), jnp.zeros(4, jnp.int32), jnp.ones(4, jnp.float32))
    hardware = build_hardware(config, trained, mapped)
    steps = steps_of(config.variation.on_devices(), mapped)
    sampler, _ = make_sampler(config, trained, hardware, steps, [part], most=1, strategy=strategy)
    numbers = jnp.arange(strategy.width, dtype=jnp.uint32)
    make, build = sampler.make, sampler.build.stage
    conductances, _ = jax.eval_shape(make, numbers)
    leaves, _, _ = jax.eval_shape(build, numbers, conductances)
    made, built = (*make.args, numbers), (*build.args, numbers, conductances)
    counted = ((sampler.state, sampler.root, jnp.asarray(0), part), numbers, leaves)
    count = sampler._counter(sampler.trees[None])
    for stage, args in ((make.func, made), (build.func, built), (count, counted)):
        assert "stablehlo" in module(stage, *args)


def test_surrogates_lower():
    g = jax.ShapeDtypeStruct((6, 4), jnp.float32)
    cell = fitted(1.0).to_jax().astype(jnp.float32)
    assert "stablehlo" in module(jax.jit(jax.grad(lambda g, cell: jnp.sum(cell(g, 0.1 * jnp.ones_like(g))))), g, cell)
    line = on_a_bit_line(1.0).astype(jnp.float32)

    def current(g, line):
        return line(g, 0.1 * jnp.ones_like(g), 0.01 * jnp.ones_like(g))

    assert "stablehlo" in module(jax.jit(current), g, line)


def test_what_only_a_cpu_computes_is_noticed():
    """The guard of the guard: NumPy called from a program lowers nowhere else than where it is registered for."""

    @jax.jit
    def decomposed(a):
        return jax.lax.linalg.schur(a)[0]

    with pytest.raises(NotImplementedError):
        module(decomposed, np.eye(3, dtype=np.float32))
