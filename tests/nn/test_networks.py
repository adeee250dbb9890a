import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from xbar_cli.config.network import NetworkSection
from xbar_cli.nn.contracts import Convolution
from xbar_cli.nn.layers import Training
from xbar_cli.nn.norm import Norm, fold_norms
from xbar_cli.nn.shapes import layer_inputs, layer_shapes, parameters, set_parameters
from xbar_cli.train.loop import make_optimizer, make_step

CIFAR = (32, 32, 3)
PUBLISHED = {
    # He et al. 2016: 0.27 M parameters, 41 M multiply-accumulates; ResNet-18 with a 3x3 stem: 11.2 M, 0.56 G
    "resnet20": (0.27e6, 41e6),
    "resnet18": (11.16e6, 0.556e9),
    # the eight convolutions of configuration A: 9.22 M; three dense layers of 512 here
    "vgg11": (9.22e6 + 512 * 512 * 2 + 5120, 0.153e9),
}


def slow(name):
    return pytest.param(name, marks=pytest.mark.slow)


def make(name, shape=CIFAR, **given):
    return NetworkSection(name=name, **given).build(shape=shape, outputs=10, seed=0)


def shapes_of(name, shape=CIFAR, **given):
    return layer_shapes(nnx.eval_shape(lambda: make(name, shape, **given)), shape=shape)


@pytest.mark.parametrize("name", PUBLISHED)
def test_weights_and_products_are_the_published_ones(name):
    layers = shapes_of(name)
    weights, macs = PUBLISHED[name]
    assert sum(int(np.prod(layer.kernel)) for layer in layers) == pytest.approx(weights, rel=0.02)
    assert sum(layer.macs for layer in layers) == pytest.approx(macs, rel=0.03)


@pytest.mark.parametrize("name", ["cnn", "vgg9", "vgg11", "resnet18", "resnet20", "mlp"])
def test_layer_names_are_where_the_kernels_are(name):
    net = nnx.eval_shape(lambda: make(name))
    names = [layer.name for layer in layer_shapes(net, shape=CIFAR)]
    flat = {".".join(map(str, path)) for path, _ in nnx.to_flat_state(nnx.state(net, nnx.Param))}
    assert {f"{n}.kernel" for n in names} == {n for n in flat if n.endswith(".kernel")}
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", [slow("cnn"), slow("resnet20"), slow("vgg9")])
def test_one_step_lowers_the_loss_and_moves_the_statistics(name):
    net = make(name, width=0.125)
    graphdef, state = nnx.split((net, make_optimizer(net, optax.adam(3e-3))))
    step = make_step(graphdef)
    images, labels = jax.random.uniform(jax.random.key(0), (16, *CIFAR)), jnp.arange(16) % 10
    before = parameters(net)
    losses = []
    for _ in range(8):
        state, loss = step(state, images, labels)
        losses.append(float(loss))
    assert losses[-1] < losses[0]
    trained = parameters(nnx.merge(graphdef, state)[0])
    moved = [n for n in before if n.endswith((".mean", ".var")) and not np.array_equal(before[n], trained[n])]
    assert len(moved) == sum(n.endswith((".mean", ".var")) for n in before) > 0


@pytest.mark.slow
def test_out_of_training_a_picture_does_not_depend_on_its_batch():
    net = make("resnet20", width=0.25)
    images = jax.random.uniform(jax.random.key(0), (4, *CIFAR))
    np.testing.assert_allclose(net(images)[:1], net(images[:1]), atol=1e-5)
    assert not np.allclose(net(images, training=True)[:1], net(images[:1], training=True), atol=1e-3)


def test_parameters_make_the_network():
    small = (8, 8, 3)
    section = NetworkSection(name="cnn", width=0.125)
    one, other = make("cnn", small, width=0.125), section.build(shape=small, outputs=10, seed=1)
    images = jax.random.uniform(jax.random.key(0), (2, *small))
    one(images, training=True)
    set_parameters(other, parameters(one))
    np.testing.assert_array_equal(one(images), other(images))
    assert set(layer_inputs(one, images)) == {layer.name for layer in layer_shapes(one, shape=small)}


@pytest.mark.parametrize("name", [slow("resnet20"), "cnn"])
def test_folding_batch_norm_leaves_the_outputs(name):
    net = make(name, width=0.125)
    images = jax.random.uniform(jax.random.key(0), (4, *CIFAR))
    for layer in vars(net).values():
        if isinstance(layer, Norm):
            keys = jax.random.split(jax.random.key(layer.inner.scale.shape[0]), 4)
            layer.inner.scale[...] = jax.random.uniform(keys[0], layer.inner.scale.shape) + 0.5
            layer.inner.bias[...] = jax.random.normal(keys[1], layer.inner.bias.shape) / 4
            layer.inner.mean[...] = jax.random.normal(keys[2], layer.inner.mean.shape) / 4
            layer.inner.var[...] = jax.random.uniform(keys[3], layer.inner.var.shape) + 0.5
    before, weights = net(images), parameters(net)
    fold_norms(net)
    np.testing.assert_allclose(net(images), before, rtol=1e-3, atol=1e-4)
    moved = parameters(net)
    assert all((moved[n] == 1).all() for n in moved if n.endswith("inner.scale"))
    followed = [n for n in moved if n.endswith("kernel") and n not in ("output.kernel", "hidden.kernel")]
    assert not any(np.allclose(weights[n], moved[n]) for n in followed)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_pictures_smaller_than_the_window_give_the_convolution(size, stride):
    x = jax.random.normal(jax.random.key(0), (2, size, size, 3))
    kernel = jax.random.normal(jax.random.key(1), (3, 3, 3, 4))
    wanted = jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )  # fmt: skip
    np.testing.assert_allclose(Convolution(padding="SAME", stride=stride)(x, kernel), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["lenet5", "mlp"])
def test_biases_as_rows_compute_the_same(name):
    digital, rows = make(name, (28, 28, 1)), make(name, (28, 28, 1), bias="row")
    values = parameters(digital)
    for key, value in values.items():
        if key.endswith(".bias"):
            values[key] = np.random.default_rng(len(key)).normal(size=value.shape).astype(np.float32)
    set_parameters(digital, values)
    stacked = {
        f"{name}.kernel": np.concatenate([kernel.reshape(-1, kernel.shape[-1]), values[f"{name}.bias"][None]])
        for name, kernel in ((key.removesuffix(".kernel"), v) for key, v in values.items() if key.endswith(".kernel"))
    }
    set_parameters(rows, stacked)
    images = jax.random.uniform(jax.random.key(0), (3, 28, 28, 1))
    np.testing.assert_allclose(rows(images), digital(images), atol=2e-5)
    before, after = (layer_shapes(net, shape=(28, 28, 1)) for net in (digital, rows))
    assert [(a.rows, a.positions) for a in after] == [(b.rows + 1, b.positions) for b in before]


def test_layers_without_a_bias_get_no_row():
    shapes = {layer.name: layer.rows for layer in shapes_of("resnet20", bias="row")}
    plain = {layer.name: layer.rows for layer in shapes_of("resnet20")}
    assert {name for name in plain if shapes[name] != plain[name]} == {"output"}


def test_cnn_leaves_out_half_of_its_hidden_units_in_training_alone():
    net, images = make("cnn", (8, 8, 3), width=0.125), jax.random.uniform(jax.random.key(1), (2, 8, 8, 3))
    seen = []

    def product(name, x, kernel, contract):
        if name == "output":
            seen.append(x)
        return contract(x, kernel)

    for training in (False, Training(jax.random.key(0)), Training(jax.random.key(0)), Training(jax.random.key(1))):
        net(images, product, training=training)
    assert not jnp.any(seen[0] == 0)
    share = float(jnp.mean(seen[1] == 0))
    assert 0.35 < share < 0.65
    np.testing.assert_array_equal(seen[1] == 0, seen[2] == 0)
    assert jnp.any((seen[1] == 0) != (seen[3] == 0))
