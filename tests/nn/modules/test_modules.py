"""The package's traced networks on sequences and tokens; what they refuse; their published sizes."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.config.network import NetworkSection
from xbar_cli.errors import ConfigError
from xbar_cli.nn.shapes import layer_shapes

INT = np.dtype(np.int32)
of_sequences = pytest.mark.parametrize("name", ["lstm", "gru", "transformer"])


@cache
def on_tokens(name):
    net = NetworkSection(name=name, width=0.1, depth=1).build(shape=(6,), n_classes=9, seed=0, dtype=INT)
    return jax.jit(net), net


@of_sequences
def test_tokens_have_scores_at_every_place_that_see_nothing_of_what_follows(name):
    score, _ = on_tokens(name)
    tokens = jax.random.randint(jax.random.key(0), (2, 6), 0, 9)
    whole = score(tokens)
    assert whole.shape == (2, 6, 9)
    other = score(tokens.at[:, 4].set((tokens[:, 4] + 1) % 9))
    np.testing.assert_array_equal(other[:, :4], whole[:, :4])
    assert float(jnp.abs(other[:, 4] - whole[:, 4]).max()) > 1e-4
    assert float(jnp.abs(other[:, 5] - whole[:, 5]).max()) > 1e-5  # and what came before


@of_sequences
def test_a_sequence_is_read_in_its_order(name):
    net = NetworkSection(name=name, width=0.1, depth=1).build(shape=(5, 3), n_classes=4, seed=0)
    x = jax.random.normal(jax.random.key(0), (2, 5, 3))
    assert net(x).shape == (2, 4)
    assert float(jnp.abs(net(x) - net(x[:, ::-1])).max()) > 1e-4
    reads = {s.name: s.positions for s in layer_shapes(net, shape=(5, 3))}
    assert reads.pop("head") == 1
    assert set(reads.values()) == {5}


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "message"),
    [
        ("mobilenet", (8, 3), None, r"network mobilenet: shape must be a picture's \[h w c\], got \[8, 3\]"),
        ("lstm", (8,), None, r"network lstm: shape must be a picture's .* got \[8\]"),
        ("transformer", (8,), None, r"network transformer: shape must be a picture's .* got \[8\]"),
        ("gru", (2, 8), INT, r"network gru: tokens must be one after the other, \[t\], got inputs of shape \[2, 8\]"),
    ],
)
def test_inputs_that_a_network_cannot_take_are_one_line(name, shape, dtype, message):
    with pytest.raises(ConfigError, match=message):
        NetworkSection(name=name).build(shape=shape, n_classes=3, seed=0, dtype=dtype)


def test_what_belongs_to_others_is_refused():
    for given, key in (
        ({"name": "lstm", "heads": 2}, "network.heads belongs to transformer, not to lstm"),
        ({"name": "mlp", "depth": 2}, "network.depth belongs to lstm, gru or transformer, not to mlp"),
        ({"name": "mobilenet", "padding": "torch"}, "network.padding belongs to resnet18 and resnet20"),
    ):
        with pytest.raises(ConfigError, match=key):
            NetworkSection(**given)


def test_sizes_are_what_gates_and_blocks_make_them():
    """By hand: four gates of an LSTM side by side; query, key, value, output and the two layers of a block."""
    _, lstm = on_tokens("lstm")
    units = 13
    kernels = {s.name: s.kernel for s in layer_shapes(lstm, shape=(6,), dtype=jnp.int32)}
    assert kernels == {
        "layers_0_cell_dense_i": (units, 4 * units), "layers_0_cell_dense_h": (units, 4 * units), "head": (units, 9),
    }  # fmt: skip
    bias = lstm.rest["layers_0_cell_dense_h_bias"][...]
    np.testing.assert_array_equal(bias, np.repeat([0.0, 1.0, 0.0, 0.0], units))  # forget gates begin open
    _, gpt = on_tokens("transformer")
    units = 8
    block = 4 * units * units + 2 * units * 4 * units
    sizes = [int(np.prod(s.kernel)) for s in layer_shapes(gpt, shape=(6,), dtype=jnp.int32)]
    assert sum(sizes) == block + units * 9
    assert [left.reason for left in gpt.left()] == ["both operands are activations"] * 2
