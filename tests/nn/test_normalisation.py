"""Pixels normalised before the first layer; convolutions padded as torch pads them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xbar_cli.chip.activity import window_sums
from xbar_cli.config.network import NetworkSection
from xbar_cli.nn.contracts import Convolution, centred
from xbar_cli.nn.shapes import layer_shapes

MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.2, 0.1)


@pytest.mark.parametrize("name", ["mlp", "lenet5", "lenet", "cnn", "vgg9", "vgg11", "resnet18", "resnet20", "gru"])
def test_every_network_normalises_its_images_before_its_first_layer(name):
    width = {} if name == "lenet5" else {"width": 0.1}
    nets = [
        NetworkSection(name=name, **width, **given).build(shape=(32, 32, 3), n_classes=4, seed=1)
        for given in ({"mean": list(MEAN), "std": "0.25,0.2,0.1"}, {})
    ]
    x = jax.random.uniform(jax.random.key(0), (2, 32, 32, 3))
    outside = (np.asarray(x) - np.float32(MEAN)) / np.float32(STD)
    np.testing.assert_allclose(nets[0](x), nets[1](jnp.asarray(outside)), rtol=1e-4, atol=1e-4)
    assert np.abs(np.asarray(nets[0](x)) - np.asarray(nets[1](x))).max() > 1e-3


@pytest.mark.parametrize(("size", "window"), [(8, 3), (7, 3), (8, 1), (9, 5), (2, 3)])
def test_torch_padding_is_the_same_zeros_on_either_side_wherever_windows_are_taken(size, window):
    contract = Convolution(centred(window), stride=2)
    keys = jax.random.split(jax.random.key(size), 2)
    x = jax.random.normal(keys[0], (2, size, size, 3))
    kernel = jax.random.normal(keys[1], (window, window, 3, 4))
    pad = window // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    wanted = np.stack(
        [
            np.stack(
                [
                    np.einsum("nijc,ijco->no", padded[:, at : at + window, to : to + window], kernel)
                    for to in range(0, size + 2 * pad - window + 1, 2)
                ],
                axis=1,
            )
            for at in range(0, size + 2 * pad - window + 1, 2)
        ],
        axis=1,
    )
    np.testing.assert_allclose(contract(x, kernel), wanted, atol=1e-4)
    rows = contract.rows(x, (window, window))
    np.testing.assert_allclose(rows @ kernel.reshape(-1, 4), wanted, atol=1e-4)
    sums, positions = window_sums(np.asarray(x[0], np.float64), contract, (window, window))
    assert positions == wanted.shape[1] * wanted.shape[2]
    np.testing.assert_allclose(sums.ravel(), np.asarray(rows[0], np.float64).sum(axis=(0, 1)), atol=1e-4)


def test_padding_leaves_shapes_and_parameters_as_they_are():
    shapes = []
    for padding in ("same", "torch"):
        section = NetworkSection(name="resnet18", width=0.1, padding=padding)
        net = section.build(shape=(28, 28, 1), n_classes=10, seed=0)
        shapes.append(layer_shapes(net, shape=(28, 28, 1)))
        strided = net.block2_1_a.contract
        assert strided.padding == ("SAME" if padding == "same" else ((1, 1), (1, 1)))
    assert shapes[0] == shapes[1]


def test_epsilon_reaches_every_norm():
    section = NetworkSection(name="vgg9", width=0.1, norm_epsilon=1e-3)
    net = section.build(shape=(28, 28, 1), n_classes=10, seed=0)
    found = [module.epsilon for _, module in nnx.iter_modules(net) if isinstance(module, nnx.BatchNorm)]
    assert found == [1e-3] * 6
