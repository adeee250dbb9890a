"""`xbar import`: what is assumed of a foreign network is kept in the run and used by every command after it."""

import json
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from xbar_cli.config.network import NetworkSection
from xbar_cli.nn.shapes import parameters
from xbar_cli.outside import read_json
from xbar_cli.runs.results import read_tensors, write_tensors
from xbar_cli.trained.opening import open_trained


def as_torch(values, names):
    """Our parameters as a torch state_dict under other names of the layers."""
    state = {}
    parts = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
    for name, value in values.items():
        layer, _, part = name.partition(".")
        if layer.endswith("_norm"):
            state[f"{names[layer]}.{parts[part.removeprefix('inner.')]}"] = value
        elif part == "kernel":
            axes = (3, 2, 0, 1) if value.ndim == 4 else (1, 0)
            state[f"{names[layer]}.weight"] = np.ascontiguousarray(value.transpose(axes))
        else:
            state[f"{names[layer]}.bias"] = value
    return state


def random_parameters(section):
    """A network of `section` for the bundled images, its norms with statistics of their own."""
    values = parameters(section.build(shape=(28, 28, 1), outputs=10, seed=3))
    rng = np.random.default_rng(0)
    spans = {"scale": (0.5, 1.5), "var": (0.5, 1.5), "mean": (-0.1, 0.1), "inner.bias": (0.0, 0.3)}
    for part, span in spans.items():
        for name in values:
            if "_norm" in name and name.endswith(part):
                values[name] = rng.uniform(*span, values[name].shape).astype(np.float32)
    return values


def torchvision_names(values):
    """Our ResNet's layers under torchvision's names."""
    names = {"conv": "conv1", "conv_norm": "bn1", "output": "fc"}
    for layer in {name.partition(".")[0] for name in values} - set(names):
        stage, number, kind = layer.removeprefix("block").removesuffix("_norm").split("_")
        norm = layer.endswith("_norm")
        last = f"downsample.{int(norm)}" if kind == "s" else f"{'bn' if norm else 'conv'}{' ab'.index(kind)}"
        names[layer] = f"layer{stage}.{int(number) - 1}.{last}"
    return names


@pytest.fixture(scope="module")
def resnet_file(tmp_path_factory):
    section = NetworkSection(name="resnet20", width=0.1, padding="torch")
    values = random_parameters(section)
    path = tmp_path_factory.mktemp("foreign") / "resnet.safetensors"
    save_file(as_torch(values, torchvision_names(values)), path)
    return path, values


@pytest.mark.slow
def test_a_torch_resnet_is_padded_as_torch_does_and_stays_so(xbar, resnet_file, tmp_path):
    path, values = resnet_file
    words = ("import", path, "--network", "resnet20", "--width", 0.1)
    out = xbar(*words, "--out", tmp_path / "net", "--json")
    assert out.json["padding"] == "torch"
    assert out.json["matched_by"] == "order"
    assert out.json["norm_sources"]["block2_1_s"] == "layer2.0.downsample.1"
    stored = tomllib.loads((tmp_path / "net" / "config.toml").read_text())["network"]
    assert (stored["padding"], stored["norm_epsilon"]) == ("torch", 1e-5)
    opened = open_trained(tmp_path / "net", use="a test")
    for name, value in parameters(opened.net).items():
        np.testing.assert_array_equal(value, values[name])
    assert opened.net.block2_1_a.contract.padding == ((1, 1), (1, 1))
    other = xbar(*words, "--padding", "same", "--norm-epsilon", 0.1, "--out", tmp_path / "same", "--json")
    assert (other.json["padding"], other.json["norm_epsilon"]) == ("same", 0.1)
    assert open_trained(tmp_path / "same", use="a test").net.block2_1_a.contract.padding == "SAME"
    x = jnp.asarray(opened.data.test_images[:4], jnp.float32) / 255
    assert not np.allclose(opened.net(x), open_trained(tmp_path / "same", use="a test").net(x), atol=1e-3)


def test_what_was_assumed_and_paired_is_told(xbar, resnet_file, tmp_path):
    shown = xbar("import", resnet_file[0], "--network", "resnet20", "--width", 0.1, "--out", tmp_path / "net")
    for text in (
        "matched by order",
        "layer3.0.downsample.0",
        "pixels: 0 to 1 as they are",
        "padding of stride 2: torch",
    ):
        assert text in shown.out
    for text in ("matched by shape and by the numbers", "padded as torch does"):
        assert text in " ".join(shown.err.split())


@pytest.fixture(scope="module")
def normalised(shared):
    """A perceptron trained on normalised images, as a train run of ours."""
    return shared(
        "normalised", "train", "--network", "mlp", "--width", 0.1, "--epochs", 3, "--mean", 0.286, "--std", "0.353"
    )


def test_a_network_of_normalised_images_is_the_same_after_import_map_evaluation_and_training(
    xbar, normalised, tmp_path
):
    trained = open_trained(normalised, use="a test")
    path = tmp_path / "m.safetensors"
    save_file(as_torch(load_file(normalised / "model.safetensors"), {"hidden": "0", "output": "2"}), path)
    words = ("import", path, "--network", "mlp", "--width", 0.1)
    right = xbar(*words, "--mean", 0.286, "--std", 0.353, "--out", tmp_path / "net", "--json").json
    assert right["test_accuracy"] == trained.summary["test_accuracy"]
    assert (right["mean"], right["std"]) == ([0.286], [0.353])
    assert xbar(*words, "--out", tmp_path / "raw", "--json").json["test_accuracy"] < right["test_accuracy"]
    mapped = xbar("map", tmp_path / "net", "--out", tmp_path / "mapped", "--json").json
    assert [layer["signed_activation"] for layer in mapped["layers"]] == [True, False]
    span = (np.array([trained.data.train_images.min(), trained.data.train_images.max()]) / 255 - 0.286) / 0.353
    assert mapped["layers"][0]["full_scale_activation"] == pytest.approx(np.abs(span).max(), rel=1e-5)
    words = ("--dac-bits", 10, "--adc-bits", 12, "--samples", 2, "--variation", 1e-9, "--json")
    found = xbar("eval", tmp_path / "mapped", *words, "--out", tmp_path / "eval").json
    assert found["ideal_accuracy"] == pytest.approx(right["test_accuracy"])
    assert found["accuracy_mean"] == pytest.approx(right["test_accuracy"], abs=0.01)
    start = ("train", "--method", "tat", "--network", "mlp", "--width", 0.1, "--start", tmp_path / "net", "--array", "lumped",
             "--technology", "taox", "--epochs", 0)  # fmt: skip
    refused = xbar(*start, "--out", tmp_path / "no")
    assert refused.code == 1
    assert "its --mean is 0.286 and here it is absent; ask for the same" in refused.err
    assert xbar(*start, "--mean", 0.286, "--std", 0.353, "--out", tmp_path / "yes").code == 0


def test_the_activity_of_normalised_images_is_that_of_both_phases(xbar, normalised, tmp_path):
    """The mean share of the full drive of the first layer's rows, squared, from the pixels by themselves."""
    from xbar_cli.chip.mapped import load_mapped

    assert xbar("map", normalised, "--out", tmp_path / "mapped").code == 0
    network = load_mapped(tmp_path / "mapped")
    seen, layer = network.activity["hidden"], network.layers["hidden"]
    data = open_trained(normalised, use="a test").data
    x = (data.train_images[: seen.images].reshape(seen.images, -1) / 255.0 - 0.286) / 0.353
    np.testing.assert_allclose(seen.squares, np.square(x / layer.full_scale).mean(axis=0), rtol=1e-4)


def test_pairs_come_from_options_and_files(xbar, normalised, tmp_path):
    path = tmp_path / "m.safetensors"
    tensors = as_torch(load_file(normalised / "model.safetensors"), {"hidden": "first", "output": "last"})
    save_file(tensors, path)
    words = ("import", path, "--network", "mlp", "--width", 0.1, "--json")
    by_option = xbar(*words, "--pair", "hidden=first", "--pair", "output=last", "--out", tmp_path / "a").json
    (tmp_path / "c.toml").write_text('[pairs]\nhidden = "first"\n')
    by_file = xbar(*words, "--config", tmp_path / "c.toml", "--out", tmp_path / "b").json
    assert by_option["sources"] == by_file["sources"] == {"hidden": "first", "output": "last"}
    for text, message in (("hidden", "is no pair; write OURS=THEIRS"), ("a=b,a=c", "a is given twice")):
        refused = xbar(*words, "--pair", text, "--out", tmp_path / "c")
        assert refused.code != 0
        assert message in refused.err


def test_biases_become_rows_where_asked_for(xbar, tmp_path):
    section = NetworkSection(name="lenet", width=0.2)
    values = random_parameters(section)
    for name in values:
        if name.endswith(".bias"):
            values[name] = np.linspace(-1, 1, values[name].size, dtype=np.float32)
    names = {name.partition(".")[0]: name.partition(".")[0] for name in values}
    save_file(as_torch(values, names), tmp_path / "m.safetensors")
    words = ("import", tmp_path / "m.safetensors", "--network", "lenet", "--width", 0.2)
    for bias in ("digital", "row"):
        assert xbar(*words, "--set", f"network.bias={bias}", "--out", tmp_path / bias).code == 0
    digital, row = (open_trained(tmp_path / bias, use="a test") for bias in ("digital", "row"))
    x = jax.random.uniform(jax.random.key(0), (3, 28, 28, 1))
    assert row.net.fc1.kernel.shape == (161, 100)
    np.testing.assert_allclose(row.net(x), digital.net(x), rtol=1e-4, atol=1e-4)


def test_an_all_zero_network_is_imported_and_its_accuracy_told_to_be_that_of_guessing(xbar, tmp_path):
    values = {name: np.zeros_like(value) for name, value in random_parameters(NetworkSection(name="lenet5")).items()}
    names = {name.partition(".")[0]: name.partition(".")[0] for name in values}
    save_file(as_torch(values, names), tmp_path / "m.safetensors")
    made = xbar("import", tmp_path / "m.safetensors", "--out", tmp_path / "net")
    assert made.code == 0
    assert "a test accuracy of 0.1000 is near guessing" in " ".join(made.err.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--mean", 72.9), "72.9 lies outside 0 … 1, the range of the pixels; divide one of 0 … 255 by 255"),
        (("--std", 0), "pixels cannot be divided by 0"),
        (
            ("--mean", "0.1,0.2"),
            "--mean has 2 values; give one, or one for each of the 1 channel(s) of the images",
        ),
        (("--padding", "torch"), "--padding belongs to resnet18 and resnet20, not to lenet5"),
        (("--norm-epsilon", 1e-3), "--norm-epsilon: lenet5 has no batch norm"),
    ],
)
def test_settings_that_cannot_be_are_refused(xbar, tmp_path, words, message):
    save_file({"fc1.weight": np.ones((3, 4), np.float32)}, tmp_path / "m.safetensors")
    for command in (("import", tmp_path / "m.safetensors"), ("train", "--epochs", 0)):
        refused = xbar(*command, *words, "--out", tmp_path / "net")
        assert refused.code in (1, 2)
        assert message in " ".join(refused.err.split())


def test_a_run_without_these_settings_is_what_it_was(xbar, normalised, tmp_path):
    """A configuration of before, which has none of the keys, opens with SAME's padding and pixels as they are."""
    out = tmp_path / "old"
    assert (
        xbar("train", "--network", "resnet20", "--width", 0.1, "--epochs", 0, "--train-images", 50, "--out", out).code
        == 0
    )
    config = (out / "config.toml").read_text()
    kept = [line for line in config.splitlines() if not line.startswith(("padding", "norm_epsilon"))]
    assert len(kept) == len(config.splitlines()) - 2
    new = open_trained(out, use="a test")
    (out / "config.toml").write_text("\n".join(kept))
    (out / "done").write_text("")
    old = open_trained(out, use="a test")
    x = jax.random.uniform(jax.random.key(0), (2, 28, 28, 1))
    np.testing.assert_array_equal(old.net(x), new.net(x))
    assert json.loads((out / "summary.json").read_text())["network"] == "resnet20"


def test_weights_of_a_network_file_come_in_with_its_file(xbar, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MINE)
    words = ("--network", "mine.py:Net", "--out")
    assert xbar("train", "--train-images", 200, "--epochs", 1, *words, "net").code == 0
    found = xbar("import", "net/model.safetensors", *words, "again", "--json").json
    assert found["test_accuracy"] == read_json(Path("net/summary.json"))["test_accuracy"]
    assert found["sources"] == {"first": "first", "head": "head"}
    before, after = (xbar("eval", run, "--samples", 2, "--images", 20, "--variation", 0.1, "--json").json
                     for run in ("net", "again"))  # fmt: skip
    assert before["accuracy_samples"] == after["accuracy_samples"]
    tensors = read_tensors(Path("net/model.safetensors"))
    write_tensors(Path("fewer.safetensors"), {name: tensors[name] for name in tensors if name.endswith("kernel")})
    refused = xbar("import", "fewer.safetensors", *words, "none")
    assert refused.code == 1
    assert refused.err.count("\n") == 1


MINE = """import jax
from flax import nnx


class Net(nnx.Module):
    def __init__(self, shape, n_classes, rngs):
        self.first = nnx.Conv(shape[-1], 4, (5, 5), strides=4, rngs=rngs)
        self.head = nnx.Linear(4 * 7 * 7, n_classes, rngs=rngs)

    def __call__(self, x):
        x = jax.nn.relu(self.first(x))
        return self.head(x.reshape(x.shape[0], -1))
"""
