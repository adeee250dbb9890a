import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xbar_cli.nn.foreign import adopt, layout_of
from xbar_cli.nn.layers import digital
from xbar_cli.nn.lenet import LeNet5
from xbar_cli.nn.shapes import layer_shapes, parameters, set_parameters

SHAPE = (28, 28, 1)


def torch_state(prefixes=("conv1", "conv2", "fc1", "fc2", "fc3")):
    """A LeNet-5 state_dict with torch's shapes, random."""
    rng = np.random.default_rng(0)
    shapes = [(6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84)]
    state = {}
    for prefix, shape in zip(prefixes, shapes, strict=True):
        state[f"{prefix}.weight"] = rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)
        state[f"{prefix}.bias"] = rng.normal(0, 0.1, shape[0]).astype(np.float32)
    return state


def torch_forward(state, prefixes, x, *, padding):
    """What torch computes: pictures as [n c h w], flattened as [c h w]."""
    x = jnp.transpose(x, (0, 3, 1, 2))
    for prefix, pad in zip(prefixes[:2], padding, strict=True):
        x = jax.lax.conv_general_dilated(x, state[f"{prefix}.weight"], (1, 1), pad)
        x = jax.nn.relu(x + state[f"{prefix}.bias"].reshape(1, -1, 1, 1))
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    x = x.reshape(x.shape[0], -1)
    for n, prefix in enumerate(prefixes[2:]):
        x = x @ state[f"{prefix}.weight"].T + state[f"{prefix}.bias"].reshape(1, -1)
        x = jax.nn.relu(x) if n < 2 else x
    return x


def adopted(state, **given):
    net = LeNet5(shape=SHAPE, n_classes=10, rngs=nnx.Rngs(1))
    wanted = {name: value.shape for name, value in parameters(net).items()}
    layers = [layer.name for layer in layer_shapes(net, shape=SHAPE)]
    found = adopt(state, wanted, layers=layers, layout=given.get("layout", "torch"))
    set_parameters(net, found.parameters)
    return net, found


@pytest.mark.parametrize(
    "prefixes",
    [
        ("conv1", "conv2", "fc1", "fc2", "fc3"),
        ("features.0", "features.3", "classifier.1", "classifier.2", "classifier.10"),
    ],
)
def test_a_torch_network_computes_the_same(prefixes):
    state = torch_state(prefixes)
    net, found = adopted(state)
    x = jax.random.uniform(jax.random.key(0), (4, *SHAPE))
    wanted = torch_forward(state, prefixes, x, padding=("SAME", "VALID"))
    np.testing.assert_allclose(net(x, digital), wanted, atol=2e-5)
    assert list(found.sources.values()) == list(prefixes)


def test_our_own_tensors_come_back_unchanged():
    net, _ = adopted(torch_state())
    values = parameters(net)
    assert layout_of(values) == "xbar"
    again, _ = adopted(values, layout="xbar")
    for name, value in parameters(again).items():
        np.testing.assert_array_equal(value, values[name])


def test_a_layer_without_bias_gets_zero():
    state = torch_state()
    del state["fc2.bias"]
    net, found = adopted(state)
    assert found.without_bias == ["fc2"]
    assert not np.any(parameters(net)["fc2.bias"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("fc1.weight"), r"no tensor for layer fc1 \[400, 120\]; left over: fc2"),
        (lambda s: s.update({"extra.weight": s["fc3.weight"]}), "no layer for extra.weight"),
        (lambda s: s.update({"fc1.bias": s["fc2.bias"]}), r"fc1.bias must have shape \[120\], has \[84\]"),
        (lambda s: s["conv1.weight"].fill(np.nan), "conv1.weight holds values that are not finite"),
    ],
)
def test_what_does_not_fit_is_an_error(change, message):
    state = torch_state()
    change(state)
    with pytest.raises(ValueError, match=message):
        adopted(state)


def test_names_must_speak_of_one_layout():
    with pytest.raises(ValueError, match="say which by --layout"):
        layout_of({"a.weight": np.zeros(1), "b.kernel": np.zeros(1)})
