"""Ten architectures that know nothing of arrays: the same outputs and gradients there, and training with what arrays do."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from tests.architectures import NOISE, SMALL, layers_of, on_ideal_arrays, tat_rule, trained
from xbar_cli.array.wires import Wires
from xbar_cli.nn.reading import on_arrays
from xbar_cli.nn.shapes import layer_shapes
from xbar_cli.train.forward import add_input_ranges, make_forward
from xbar_cli.train.loop import make_optimizer, make_step
from xbar_cli.train.losses import cross_entropy
from xbar_cli.train.neat import restrict_kernels

QUICK = ("MLP 95-16-6", "MobileNet", "1-d CNN", "LSTM", "GPT")
"""Every kind of layer among them."""
every_architecture = pytest.mark.parametrize("name", SMALL)


@cache
def made(name):
    return SMALL[name].network()


@every_architecture
def test_ideal_arrays_give_the_modules_own_outputs_and_gradients(name):
    case, (own, net) = SMALL[name], made(name)
    x, labels = case.data(4)
    graphdef, parameters, rest = nnx.split(own, nnx.Param, ...)

    @jax.jit
    def wanted(parameters):
        scores = nnx.merge(graphdef, parameters, rest, copy=True)(x)
        return cross_entropy(scores, labels), scores

    @jax.jit
    def found(circuit):
        scores = net(x, on_arrays(circuit, key=jax.random.key(0), first=jnp.asarray(0)))
        return cross_entropy(scores, labels), scores

    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # as its user runs it
        (_, outputs), own_slopes = jax.value_and_grad(wanted, has_aux=True)(parameters)
    (_, scores), slopes = jax.value_and_grad(found, has_aux=True)(on_ideal_arrays(net))
    np.testing.assert_allclose(scores, outputs, atol=1e-5 * max(1.0, float(jnp.abs(outputs).max())))
    norms = {
        path: float(jnp.sum(leaf[...] ** 2))
        for path, leaf in nnx.to_flat_state(own_slopes)
        if "kernel" in path  # a kernel is on arrays and nowhere else
    }
    of_kernels = sum(
        float(jnp.sum(layer.kernel**2)) for name, layer in slopes.layers.items() if "tokens" not in name
    )  # of GPT's head, which is its embedding too
    assert sum(norms.values()) == pytest.approx(of_kernels, rel=1e-3)
    assert of_kernels > 0


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SMALL]
)
def test_it_trains_through_arrays_with_noise_and_restricted_to_a_window(name):
    """One step's program: 4 bits, noise on the devices, dual arrays with resistance, in grouped and recurrent layers too."""
    case, net = SMALL[name], nnx.clone(made(name)[1])
    layers = layers_of(net)
    kernels = {layer: getattr(net, layer).kernel[...] for layer in layers}
    cut = {layer: 0.8 * float(jnp.abs(kernel).max()) for layer, kernel in kernels.items()}
    restricted, before = restrict_kernels(kernels, cut)
    assert all(share < 1 for share in before.values())
    for layer, kernel in restricted.items():
        getattr(net, layer).kernel[...] = kernel
    rule = tat_rule(Wires(source=100.0, neuron=20.0), noise=NOISE)
    after, first, last = trained(net, case, rule, steps=16, rate=0.02, batch=16)
    assert last < first, (first, last)
    for layer in layers:
        assert float(jnp.abs(getattr(after, layer).kernel[...] - restricted[layer]).max()) > 0


def test_sites_are_what_the_architectures_multiply_with():
    counts = {"MLP 95-16-6": 2, "LeNet": 5, "VGG": 5, "ResNet": 10, "MobileNet": 6, "1-d CNN": 3, "LSTM": 9, "GRU": 3,
              "ViT": 8, "GPT": 7}  # fmt: skip
    assert {name: len(layers_of(made(name)[1])) for name in SMALL} == counts
    assert {name: len(made(name)[1].left()) for name in SMALL if made(name)[1].left()} == {"ViT": 2, "GPT": 2}
    assert {s.groups for s in layer_shapes(made("MobileNet")[1], shape=(8, 8, 3))} == {1, 4, 6}


def test_a_recurrent_layer_keeps_the_range_of_its_inputs_over_all_steps():
    """Inputs on 8-bit levels: what a layer keeps from step to step of the training is written inside a loop over time."""
    case, net = SMALL["GRU"], nnx.clone(made("GRU")[1])
    add_input_ranges(net, layers_of(net))
    graphdef, state = nnx.split((net, make_optimizer(net, optax.sgd(0.0))))
    step = make_step(graphdef, forward=make_forward(activation_bits=8))
    x, labels = case.data(4)
    state, loss = step(state, x, labels)
    after = nnx.merge(graphdef, state)[0]
    first = float(jnp.abs(x[:, 0]).max())
    kept = first
    for t in range(1, case.shape[0]):
        kept = 0.9 * kept + 0.1 * float(jnp.abs(x[:, t]).max())
    assert float(after.rnn_cell_dense_i.input_range[...]) == pytest.approx(kept, rel=1e-5)
    assert np.isfinite(float(loss))
