import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xbar_cli.nn.foreign import adopt, layout_of, plain
from xbar_cli.nn.layers import digital
from xbar_cli.nn.lenet import LeNet5
from xbar_cli.nn.mlp import Mlp
from xbar_cli.nn.norm import set_epsilon
from xbar_cli.nn.resnet import ResNet
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


def adopted(state, *, layout="torch", net=None, shape=SHAPE, given=None):
    net = net or LeNet5(shape=SHAPE, n_classes=10, rngs=nnx.Rngs(1))
    wanted = {name: value.shape for name, value in parameters(net).items()}
    layers = [layer.name for layer in layer_shapes(net, shape=shape)]
    found = adopt(plain(state), wanted, layers=layers, layout=layout, channels=shape[2], given=given or {})
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
        (
            lambda s: s.update({"fc1.weight": s["fc1.weight"].astype(np.int8)}),
            "fc1.weight holds int8, not floating point",
        ),
        (
            lambda s: s.update({"fc1.weight_scale": np.ones(1, np.float32)}),
            "fc1.weight_scale: the checkpoint is quantised",
        ),
        (
            lambda s: s.update({"fc1.weight_g": s.pop("fc1.weight")[:, :1]}),
            "fc1.weight_g: the weights are reparametrised",
        ),
        (lambda s: s.update({"fc1.weight_orig": s.pop("fc1.weight")}), "fc1.weight_orig has no weight_mask"),
    ],
)
def test_what_does_not_fit_is_an_error(change, message):
    state = torch_state()
    change(state)
    with pytest.raises(ValueError, match=message):
        adopted(state)


def test_names_must_speak_of_one_layout():
    with pytest.raises(ValueError, match="say which by `layout`"):
        layout_of({"a.weight": np.zeros(1), "b.kernel": np.zeros(1)})


def test_pruned_weights_are_masked():
    state = torch_state()
    mask = np.random.default_rng(1).random(state["fc1.weight"].shape) < 0.3
    whole = {**state, "fc1.weight": state["fc1.weight"] * mask}
    pruned = {**state, "fc1.weight_orig": state["fc1.weight"], "fc1.weight_mask": mask.astype(np.float32)}
    del pruned["fc1.weight"]
    ours, _ = adopted(pruned)
    for name, value in parameters(adopted(whole)[0]).items():
        np.testing.assert_array_equal(parameters(ours)[name], value)


def test_a_perceptron_sees_the_channels_of_colour_images_where_torch_flattens_them():
    rng, shape = np.random.default_rng(2), (4, 4, 3)
    state = {
        "0.weight": rng.normal(size=(5, 48)).astype(np.float32),
        "2.weight": rng.normal(size=(3, 5)).astype(np.float32),
    }
    net = Mlp(shape=shape, n_classes=3, hidden=5, activation="relu", rngs=nnx.Rngs(0))
    net, _ = adopted(state, net=net, shape=shape)
    x = rng.random((6, *shape)).astype(np.float32)
    flat = x.transpose(0, 3, 1, 2).reshape(6, -1)
    wanted = np.maximum(flat @ state["0.weight"].T, 0) @ state["2.weight"].T
    np.testing.assert_allclose(net(jnp.asarray(x)), wanted, atol=2e-5)


WIDTH = 0.125
BLOCKS = [(stage, block) for stage in (1, 2, 3, 4) for block in (0, 1)]


def resnet_state():
    """A ResNet-18 state_dict with torchvision's names, an eighth of its channels, random norms."""
    rng, state, channels = np.random.default_rng(3), {}, 8

    def put(conv, norm, n_in, n_out, size):
        state[f"{conv}.weight"] = rng.normal(0, (n_in * size**2) ** -0.5, (n_out, n_in, size, size)).astype(np.float32)
        for part, low, high in (
            ("weight", 0.5, 1.5),
            ("bias", -0.2, 0.2),
            ("running_mean", -0.2, 0.2),
            ("running_var", 0.1, 1),
        ):
            state[f"{norm}.{part}"] = rng.uniform(low, high, n_out).astype(np.float32)
        state[f"{norm}.num_batches_tracked"] = np.asarray(7)

    put("conv1", "bn1", 1, 8, 3)
    for stage, block in BLOCKS:
        name, n = f"layer{stage}.{block}", 8 * 2 ** (stage - 1)
        put(f"{name}.conv1", f"{name}.bn1", channels, n, 3)
        put(f"{name}.conv2", f"{name}.bn2", n, n, 3)
        if channels != n:
            put(f"{name}.downsample.0", f"{name}.downsample.1", channels, n, 1)
        channels = n
    state["fc.weight"] = rng.normal(0, 0.2, (10, channels)).astype(np.float32)
    state["fc.bias"] = rng.normal(0, 0.2, 10).astype(np.float32)
    return state


def torch_resnet(state, x, *, epsilon):
    """What torch computes of it: every 3×3 convolution padded by 1 on either side."""

    def conv(name, norm, x, stride):
        kernel = state[f"{name}.weight"]
        pad = kernel.shape[-1] // 2
        x = jax.lax.conv_general_dilated(x, kernel, (stride, stride), [(pad, pad)] * 2)
        scale, bias, mean, var = (
            state[f"{norm}.{part}"].reshape(1, -1, 1, 1) for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(var + epsilon) * scale + bias

    x = jax.nn.relu(conv("conv1", "bn1", jnp.transpose(x, (0, 3, 1, 2)), 1))
    for stage, block in BLOCKS:
        name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
        y = jax.nn.relu(conv(f"{name}.conv1", f"{name}.bn1", x, stride))
        y = conv(f"{name}.conv2", f"{name}.bn2", y, 1)
        if f"{name}.downsample.0.weight" in state:
            x = conv(f"{name}.downsample.0", f"{name}.downsample.1", x, stride)
        x = jax.nn.relu(x + y)
    return x.mean(axis=(2, 3)) @ state["fc.weight"].T + state["fc.bias"].reshape(1, -1)


@pytest.mark.parametrize("epsilon", [1e-5, 0.1])
def test_a_torch_resnet_computes_the_same_with_torch_padding_and_epsilon_alone(epsilon):
    state, x = resnet_state(), jax.random.uniform(jax.random.key(0), (3, *SHAPE))
    wanted = torch_resnet(state, x, epsilon=epsilon)
    scores = {}
    for padding in ("torch", "same"):
        net = ResNet("resnet18", shape=SHAPE, n_classes=10, width=WIDTH, rngs=nnx.Rngs(0), padding=padding)
        net, found = adopted(state, net=net)
        set_epsilon(net, epsilon)
        scores[padding] = net(x)
    assert found.norms["block3_1_s"] == "layer3.0.downsample.1"
    assert found.norms["block2_2_b"] == "layer2.1.bn2"
    np.testing.assert_allclose(scores["torch"], wanted, atol=1e-4 * np.abs(wanted).max())
    assert np.abs(scores["same"] - wanted).max() > 0.02 * np.abs(wanted).max()


def test_a_norm_without_scale_and_bias_has_one_and_zero():
    state = resnet_state()
    for part in ("weight", "bias"):
        del state[f"layer2.1.bn1.{part}"]
    net = ResNet("resnet18", shape=SHAPE, n_classes=10, width=WIDTH, rngs=nnx.Rngs(0))
    values = parameters(adopted(state, net=net)[0])
    assert (values["block2_2_a_norm.inner.scale"] == 1).all()
    assert (values["block2_2_a_norm.inner.bias"] == 0).all()
    state["layer2.1.bn2.running_var"] = -state["layer2.1.bn2.running_var"]
    with pytest.raises(ValueError, match=r"layer2\.1\.bn2\.running_var holds negative variances"):
        adopted(state, net=net)
