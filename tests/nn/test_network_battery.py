"""What every network owes: scores of every class, a product a layer, pictures that do not see each other."""

from dataclasses import dataclass, field, replace
from functools import cache
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xbar_cli.config.network import NetworkName, NetworkSection
from xbar_cli.errors import ConfigError
from xbar_cli.nn.layers import Conv, digital
from xbar_cli.nn.norm import Norm
from xbar_cli.nn.shapes import kernels, layer_shapes, parameters, set_parameters

NAMES = get_args(NetworkName)
SHAPE, CLASSES = (32, 32, 3), 7
every_network = pytest.mark.parametrize("name", NAMES)


def build(name, *, seed=0, **given):
    width = {} if name == "lenet5" else {"width": 0.1}
    return NetworkSection(name=name, **width, **given).build(shape=SHAPE, outputs=CLASSES, seed=seed)


@cache
def made(name):
    """A network, and its scores jitted for any parameters."""
    net = build(name)
    graphdef, _ = nnx.split(net)
    return net, jax.jit(lambda state, images: nnx.merge(graphdef, state)(images))


def scored(name, images, net=None):
    own, score = made(name)
    return score(nnx.state(own if net is None else net), images)


def once(net, images):
    """Scores of a network that no other test runs."""
    graphdef, state = nnx.split(net)
    return jax.jit(lambda state, images: nnx.merge(graphdef, state)(images))(state, images)


def pictures(n=3, seed=0):
    return jax.random.uniform(jax.random.key(seed), (n, *SHAPE))


@dataclass
class Seen:
    """A product that notes its calls; `turns` of a loop are one call."""

    calls: list = field(default_factory=list)
    turns: int = 1

    def __call__(self, layer, x, kernel, contract):
        y = contract(x, kernel)
        self.calls.append((layer, x.shape, kernel.shape, y.shape, self.turns, getattr(contract, "groups", 1)))
        return y

    def enter(self, step, steps):
        return replace(self, turns=self.turns * steps)

    def found(self):
        return ()

    def absorb(self, found, steps):
        pass


def seen(net):
    """Every call of `product` in a pass, in order, and the scores' shape; nothing is computed."""
    product = Seen()
    graphdef, state = nnx.split(net)
    scores = jax.eval_shape(lambda x: nnx.merge(graphdef, state)(x, product), pictures())
    return product.calls, scores


@every_network
def test_there_is_a_score_for_every_class_of_every_picture(name):
    _, scores = seen(made(name)[0])
    assert scores.shape == (3, CLASSES)
    assert scores.dtype == jnp.float32


@every_network
def test_settings_of_batch_norm_strides_and_width_are_those_of_networks_that_have_them(name):
    """Else a setting that changes nothing is taken without a word."""
    net, section = made(name)[0], NetworkSection(name=name)
    modules = [module for _, module in nnx.iter_modules(net)]
    assert section.normed == any(isinstance(module, Norm) for module in modules)
    strides = [module.contract.stride for module in modules if isinstance(module, Conv)]
    assert section.strided == any(stride > 1 for stride in strides)


@every_network
@pytest.mark.parametrize(("key", "value"), [("width", 0.2), ("depth", 3), ("heads", 2), ("norm_epsilon", 0.3)])
def test_a_setting_changes_the_network_or_is_refused(name, key, value):
    net, _ = made(name)
    takes = {
        "width": name != "lenet5",
        "depth": name in ("lstm", "gru", "transformer"),
        "heads": name == "transformer",
        "norm_epsilon": NetworkSection(name=name).normed or name == "mobilenet",
    }
    if not takes[key]:
        with pytest.raises(ConfigError, match=rf"network\.{key}"):
            NetworkSection(name=name, **{key: value})
        return
    given = {"width": 0.1} | {key: value}
    if key == "norm_epsilon":
        assert np.abs(once(build(name, norm_epsilon=value), pictures()) - scored(name, pictures())).max() > 1e-4
        return
    other = nnx.eval_shape(lambda: NetworkSection(name=name, **given).build(shape=SHAPE, outputs=CLASSES, seed=0))
    assert kernel_sizes(other) != kernel_sizes(net)


def kernel_sizes(net):
    return [leaf.shape for path, leaf in nnx.to_flat_state(nnx.state(net, nnx.Param)) if path[-1] == "kernel"]


@every_network
def test_every_layer_goes_through_product_once_and_its_kernel_is_the_one_that_is_kept(name):
    net, _ = made(name)
    calls, _ = seen(net)
    layers = [layer for layer, *_ in calls]
    assert len(set(layers)) == len(layers)
    assert {layer: kernel for layer, _, kernel, *_ in calls} == {
        layer: value.shape for layer, value in kernels(parameters(net)).items()
    }
    for layer, x, kernel, y, _, groups in calls:
        assert x[-1] == groups * kernel[-2], layer
        assert y[-1] == kernel[-1], layer
        assert x[0] == y[0] == 3, layer


@every_network
def test_products_are_counted_position_by_position(name):
    """Multiply-accumulates of an image: outputs of the product, each of as many inputs as its window has."""
    net, _ = made(name)
    calls, _ = seen(net)
    by_hand = {
        layer: turns * int(np.prod(y[1:])) * int(np.prod(kernel[:-1])) for layer, _, kernel, y, turns, _ in calls
    }
    assert {shape.name: shape.macs for shape in layer_shapes(net, shape=SHAPE)} == by_hand


@every_network
def test_pictures_do_not_see_each_other(name):
    """In another order, beside other pictures, a picture has the same scores."""
    images = pictures()
    whole = np.asarray(scored(name, images))
    np.testing.assert_allclose(scored(name, images[::-1]), whole[::-1], rtol=1e-4, atol=1e-5)
    other = images.at[1:].set(pictures(seed=1)[1:])
    np.testing.assert_allclose(scored(name, other)[0], whole[0], rtol=1e-4, atol=1e-5)
    assert np.abs(whole[0] - whole[1]).max() > 1e-4


@pytest.mark.parametrize("name", ["mlp", "lenet5", "lstm"])
def test_what_is_not_jitted_is_the_same(name):
    images = pictures()
    np.testing.assert_allclose(made(name)[0](images, digital), scored(name, images), rtol=1e-3, atol=1e-4)


@every_network
def test_a_product_that_gives_nothing_leaves_scores_that_no_picture_changes(name):
    """All that a network knows of a picture has gone through its arrays."""
    net, _ = made(name)
    graphdef, state = nnx.split(net)

    @jax.jit
    def blind(images):
        return nnx.merge(graphdef, state)(images, lambda layer, x, kernel, contract: 0 * contract(x, kernel))

    scores = np.asarray(blind(pictures()))
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores, np.broadcast_to(scores[:1], scores.shape), atol=1e-6)


@every_network
def test_a_seed_is_a_network(name):
    one, again, other = map(parameters, (made(name)[0], build(name, seed=0), build(name, seed=1)))
    assert set(one) == set(other)
    for key in kernels(one):
        np.testing.assert_array_equal(one[f"{key}.kernel"], again[f"{key}.kernel"])
        assert not np.array_equal(one[f"{key}.kernel"], other[f"{key}.kernel"])


@every_network
def test_biases_as_rows_are_one_more_input_of_their_layers_and_leave_the_scores(name):
    if NetworkSection(name=name).traced:
        with pytest.raises(ConfigError, match=rf"network\.bias = row does not go with {name}"):
            NetworkSection(name=name, bias="row")
        return
    net, with_rows = build(name), build(name, bias="row")
    rng = np.random.default_rng(0)
    values = {
        key: rng.normal(0, 0.3, v.shape).astype(np.float32) if key.endswith(".bias") and "_norm" not in key else v
        for key, v in parameters(net).items()
    }
    set_parameters(net, values)
    layers = kernels(values)
    stacked = {
        key: np.concatenate([v.reshape(-1, v.shape[-1]), values[f"{layer}.bias"][None]])
        for key, v in values.items()
        if (layer := key.removesuffix(".kernel")) in layers and f"{layer}.bias" in values
    }
    assert stacked
    given = {
        key: v
        for key, v in (values | stacked).items()
        if key.replace(".bias", ".kernel") not in stacked or key in stacked
    }
    set_parameters(with_rows, given)
    np.testing.assert_allclose(once(with_rows, pictures()), scored(name, pictures(), net), rtol=1e-4, atol=1e-4)
    rows = {layer: int(np.prod(kernel[:-1])) for layer, _, kernel, *_ in seen(with_rows)[0]}
    before = {shape.name: shape.rows for shape in layer_shapes(net, shape=SHAPE)}
    assert rows == {layer: n + (f"{layer}.kernel" in stacked) for layer, n in before.items()}


def test_parameters_of_another_network_are_named():
    net, _ = made("mlp")
    values = parameters(net)
    with pytest.raises(ValueError, match=r"parameters differ: hidden\.bias"):
        set_parameters(net, {key: value for key, value in values.items() if key != "hidden.bias"})
    wrong = values | {"hidden.bias": values["hidden.bias"][:-1]}
    with pytest.raises(ValueError, match=r"hidden\.bias must have shape"):
        set_parameters(net, wrong)
