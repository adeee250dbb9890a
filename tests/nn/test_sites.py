"""A user's own network on arrays: what it multiplies with its parameters, wherever in the program that is."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from xbar_cli.nn.contracts import Convolution, MatrixProduct
from xbar_cli.nn.layers import Training
from xbar_cli.nn.shapes import layer_inputs, layer_shapes, parameters
from xbar_cli.nn.sites.crossbar import to_crossbar
from xbar_cli.train.neat import restrict_kernels


class Attention(nnx.Module):
    def __init__(self, rngs):
        self.attention = nnx.MultiHeadAttention(2, 4, 8, rngs=rngs, decode=False)
        self.norm = nnx.LayerNorm(4, rngs=rngs)
        self.head = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x):
        return self.head(self.norm(x + self.attention(x)).mean(axis=1))


class Recurrent(nnx.Module):
    def __init__(self, rngs, cell):
        self.rnn = nnx.RNN(cell(4, 6, rngs=rngs))
        self.head = nnx.Linear(6, 3, rngs=rngs)

    def __call__(self, x):
        return self.head(self.rnn(x)[:, -1])


class Convolutions(nnx.Module):
    """One dimension, depthwise and dilated, transposed; a contraction of two axes; an einsum over groups."""

    def __init__(self, rngs):
        self.first = nnx.Conv(4, 6, (3,), strides=2, rngs=rngs)
        self.depthwise = nnx.Conv(6, 12, (3,), feature_group_count=6, kernel_dilation=2, padding="CAUSAL", rngs=rngs)
        self.up = nnx.ConvTranspose(12, 4, (4,), strides=2, rngs=rngs)
        self.general = nnx.LinearGeneral((6, 4), (2, 3), axis=(1, 2), rngs=rngs)
        self.groups = nnx.Einsum("bij,ijk->bik", (2, 3, 5), rngs=rngs)

    def __call__(self, x):
        x = self.up(nnx.relu(self.depthwise(nnx.relu(self.first(x)))))
        return self.groups(self.general(x)).reshape(x.shape[0], -1)


class Stacked(nnx.Module):
    """Layers under one scan, each with its own parameters; a rematerialised and a branching one."""

    def __init__(self, rngs):
        @nnx.split_rngs(splits=3)
        @nnx.vmap(in_axes=0, out_axes=0)
        def make(rngs):
            return nnx.Linear(4, 4, rngs=rngs)

        self.layers = make(rngs)
        self.head = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x):
        @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        def through(x, layer):
            return jax.nn.gelu(layer(x))

        x = nnx.remat(lambda layer, x: layer(x))(self.head, through(x.mean(axis=1), self.layers))
        return jax.lax.cond(x.sum() > 0, lambda x: 2 * x, lambda x: x, x)


OWN = {
    "attention": Attention,
    "lstm": partial(Recurrent, cell=nnx.LSTMCell),
    "fused lstm": partial(Recurrent, cell=nnx.OptimizedLSTMCell),
    "gru": partial(Recurrent, cell=nnx.GRUCell),
    "convolutions": Convolutions,
    "stacked": Stacked,
}
SHAPE = (6, 4)
X = jax.random.normal(jax.random.key(0), (5, *SHAPE))
every_network = pytest.mark.parametrize("name", OWN)
call = nnx.jit(lambda net, x: net(x))
"""A pass as one program: compiled sooner than its operations one by one."""


def taken(name, seed=0):
    own = OWN[name](nnx.Rngs(seed))
    own.eval()
    return own, to_crossbar(own, shape=SHAPE)


@every_network
def test_the_same_outputs_and_every_kernel_on_arrays(name):
    own, net = taken(name)
    wanted = call(own, X)
    np.testing.assert_allclose(call(net, X), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(call(net, X[:1]), call(own, X[:1]), rtol=1e-5, atol=1e-6)
    flat = nnx.to_flat_state(nnx.state(own, nnx.Param))
    weights = sum(v.size for path, v in flat if path[-1] == "kernel")
    assert sum(np.prod(s.kernel) for s in layer_shapes(net, shape=SHAPE)) == weights
    assert not any("kernel" in n for n in parameters(net) if n.startswith("rest."))


@every_network
def test_products_go_where_they_are_sent(name):
    """The last layer doubled, wherever it is: outputs change; all kernels at zero leave what biases alone give."""
    own, net = taken(name)
    first = layer_shapes(net, shape=SHAPE)[0].name

    @nnx.jit
    def scaled(net, one, all):
        return net(X, lambda n, x, k, contract: contract(x, k * (one if n == first else all)))

    assert float(jnp.abs(scaled(net, 2.0, 1.0) - scaled(net, 1.0, 1.0)).max()) > 1e-3
    for path, variable in nnx.to_flat_state(nnx.state(own, nnx.Param)):
        if path[-1] == "kernel":
            variable[...] = jnp.zeros_like(variable[...])
    np.testing.assert_allclose(scaled(net, 0.0, 0.0), call(own, X), rtol=1e-5, atol=1e-6)


@every_network
def test_gradients_reach_every_kernel_and_are_those_of_the_network(name):
    own, net = taken(name)
    slopes = nnx.jit(nnx.grad(lambda net: (net(X) ** 2).sum()))
    found, wanted = slopes(net), slopes(own)
    norms = [sum(float((leaf**2).sum()) for leaf in jax.tree.leaves(tree)) for tree in (found, wanted)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


def test_inputs_of_a_loop_are_seen_step_by_step():
    _, net = taken("gru")
    steps = SHAPE[0]
    recorded = layer_inputs(net, X)
    shapes = {s.name: s for s in layer_shapes(net, shape=SHAPE)}
    for name, (x, contract) in recorded.items():
        assert isinstance(contract, MatrixProduct)
        if name != "head":
            assert shapes[name].positions == steps
            assert x.shape == (len(X), steps, shapes[name].rows)
    np.testing.assert_array_equal(recorded["rnn_cell_dense_i"][0], X)
    assert not recorded["rnn_cell_dense_h"][0][:, 0].any()  # the state begins at zero


@every_network
def test_one_image_is_seen_as_one(name):
    _, net = taken(name)
    assert {x.shape[0] for x, _ in layer_inputs(net, X[:1]).values()} == {1}


def test_contracts_say_what_a_convolution_is():
    _, net = taken("convolutions")
    assert net.first.contract == Convolution(((0, 1),), stride=2)
    assert net.depthwise.contract == Convolution(((0, 0),), dilation=2, groups=6)  # flax pads before it
    assert isinstance(net.up.contract, Convolution)
    assert net.up.contract.spread == 2
    assert net.groups.contract == MatrixProduct(2)


@pytest.mark.parametrize(
    "contract",
    [
        Convolution(((1, 2),), stride=2, dilation=2),
        Convolution(((2, 1),), spread=3),
        Convolution("SAME", stride=2, groups=2),
        Convolution(((1, 0), (0, 2)), stride=(2, 1), dilation=(1, 2), spread=(1, 2), groups=3),
        Convolution(((1, 1), (0, 0), (1, 0)), stride=(1, 2, 1)),
    ],
)
def test_rows_are_what_the_convolution_multiplies(contract):
    """Dense twin: the rows that arrays see, times the kernel as a matrix, are the convolution."""
    n = 1 if isinstance(contract.padding, str) else len(contract.padding)
    x = jax.random.normal(jax.random.key(1), (2, *(7, 5, 6)[:n], 6))
    window = (3, 2, 2)[:n]
    kernel = jax.random.normal(jax.random.key(2), (*window, 6 // contract.groups, 12))
    rows = contract.rows(x, window)
    dense = MatrixProduct(contract.groups)(rows, kernel.reshape(-1, 12))
    np.testing.assert_allclose(dense, contract(x, kernel), rtol=1e-4, atol=1e-5)


class Shared(nnx.Module):
    """One embedding in and out, a layer at two places, a product with a constant."""

    def __init__(self, rngs):
        self.embedding = nnx.Embed(7, 4, rngs=rngs)
        self.twice = nnx.Linear(4, 4, rngs=rngs)

    def __call__(self, tokens):
        x = self.twice(jax.nn.relu(self.twice(self.embedding(tokens))))
        return self.embedding.attend(x @ np.eye(4, dtype=np.float32))


def test_what_is_shared_is_one_layer_and_what_is_left_is_said():
    own = Shared(nnx.Rngs(0))
    net = to_crossbar(own, shape=(3,), dtype=jnp.int32)
    tokens = jax.random.randint(jax.random.key(1), (4, 3), 0, 7)
    np.testing.assert_allclose(net(tokens), own(tokens), rtol=1e-5, atol=1e-6)
    shapes = {s.name: s for s in layer_shapes(net, shape=(3,), dtype=jnp.int32)}
    assert {name: s.positions for name, s in shapes.items()} == {"twice": 6, "embedding": 3}
    assert "rest.embedding_embedding" in parameters(net)  # the table stays digital beside the head on arrays
    assert [left.reason for left in net.left()] == ["one operand is a constant"]


class Drawn(nnx.Module):
    def __init__(self, rngs):
        self.layer, self.head = nnx.Linear(4, 4, rngs=rngs), nnx.Linear(4, 3, rngs=rngs)
        self.dropout, self.norm = nnx.Dropout(0.5, rngs=rngs), nnx.BatchNorm(4, rngs=rngs)

    def __call__(self, x):
        return self.head(self.dropout(self.norm(self.layer(x[:, 0]))))


def test_training_draws_by_its_key_and_keeps_statistics():
    own = Drawn(nnx.Rngs(0))
    net = to_crossbar(own, shape=SHAPE)
    before = np.asarray(net.rest["norm_mean"][...])
    first, again, other = (net(X, training=Training(jax.random.key(k))) for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert float(jnp.abs(first - other).max()) > 0
    assert float(jnp.abs(net.rest["norm_mean"][...] - before).max()) > 0
    own.eval()
    assert set(parameters(to_crossbar(own, shape=SHAPE))) == set(parameters(net))  # no random state among them


def test_training_methods_take_it_and_the_original_stays():
    own, net = taken("attention")
    found, before = restrict_kernels({"head": net.head.kernel[...]}, {"head": 0.01})
    net.head.kernel[...] = found["head"]
    assert before["head"] < 1
    assert float(jnp.abs(net(X) - own(X)).max()) > 1e-3
    assert float(jnp.abs(own.head.kernel[...]).max()) > 0.05


def test_a_function_with_a_tree_of_parameters():
    tree = {"a": {"w": jnp.ones((4, 2))}, "b": [jnp.full((2, 3), 0.5), jnp.zeros(3)]}

    def function(p, x):
        return jnp.tanh(x[:, 0] @ p["a"]["w"]) @ p["b"][0] + p["b"][1]

    net = to_crossbar(function, shape=SHAPE, parameters=tree)
    with jax.numpy_rank_promotion("allow"):
        wanted = function(tree, X)
    np.testing.assert_allclose(net(X), wanted, rtol=1e-6)
    assert [s.name for s in layer_shapes(net, shape=SHAPE)] == ["a", "b_0"]


class OfLinen(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.relu(linen.BatchNorm(use_running_average=True)(linen.Dense(5)(x)))
        return linen.Dense(3)(linen.RNN(linen.GRUCell(4))(x)[:, -1])


def test_a_module_of_linen_is_a_function_of_its_parameters():
    own = OfLinen()
    with jax.numpy_rank_promotion("allow"):
        variables = own.init(jax.random.key(0), X)
        wanted = own.apply(variables, X)
    rest = {key: value for key, value in variables.items() if key != "params"}
    net = to_crossbar(lambda p, x: own.apply({"params": p, **rest}, x), shape=SHAPE, parameters=variables["params"])
    np.testing.assert_allclose(net(X), wanted, rtol=1e-5, atol=1e-6)
    assert next(s.name for s in layer_shapes(net, shape=SHAPE)) == "Dense_0"
    weights = sum(v.size for path, v in jax.tree_util.tree_leaves_with_path(variables) if path[-1].key == "kernel")
    assert sum(np.prod(s.kernel) for s in layer_shapes(net, shape=SHAPE)) == weights
    assert "rest.BatchNorm_0_scale" in parameters(net)


class Nothing(nnx.Module):
    def __call__(self, x):
        return x


class Noisy(nnx.Module):
    """Its weights are drawn in training."""

    def __init__(self, rngs):
        self.layer, self.drop = nnx.Linear(4, 3, rngs=rngs), nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return x[:, 0] @ self.drop(self.layer.kernel[...])


class Across(nnx.Module):
    """Multiplies over the images of a batch."""

    def __init__(self, rngs):
        self.layer = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x):
        return x[:, 0] + self.layer(x.mean(axis=(0, 1))).sum()


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (Nothing, "nothing to put on arrays"),
        (lambda: Noisy(nnx.Rngs(0)), "layer: its product is another one in training"),
        (lambda: Across(nnx.Rngs(0)), "nothing to put on arrays"),
    ],
)
def test_what_arrays_cannot_hold_is_said(own, message):
    with pytest.raises(ValueError, match=message):
        to_crossbar(own(), shape=SHAPE)
