"""A network of the user's file, from training to joules, and files that cannot be used."""

import shutil
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file

from xbar_cli.data.batches import network_inputs
from xbar_cli.runs.seal import seal
from xbar_cli.trained.opening import open_trained

NET = """
import jax
from flax import nnx

class Depthwise(nnx.Module):
    def __init__(self, shape, n_classes, rngs, width=4):
        self.first = nnx.Conv(shape[-1], width, (5, 5), strides=4, rngs=rngs)
        self.depthwise = nnx.Conv(width, 2 * width, (3, 3), feature_group_count=width, rngs=rngs)
        self.head = nnx.Linear(2 * width, n_classes, rngs=rngs)

    def __call__(self, x):
        return self.head(nnx.relu(self.depthwise(nnx.relu(self.first(x)))).mean(axis=(1, 2)))
"""
BROKEN = {
    "nothing": ("", "has nothing to call named 'Net'; it has 'nothing'"),
    "syntax": ("def Net(:\n    pass\n", "the file raises SyntaxError"),
    "raising": ("def Net():\n    return 1 / 0\n", "Net(…) raises ZeroDivisionError"),
    "exiting": ("raise SystemExit(3)\n", "the file raises SystemExit"),
    "number": ("def Net():\n    return 3\n", "Net must make an nnx.Module, got 'int'"),
    "without": (
        "from flax import nnx\nclass Net(nnx.Module):\n    def __call__(self, x):\n        return x.sum(axis=(1, 2))\n",
        "nothing to put on arrays",
    ),
    "classes": (
        "from flax import nnx\nclass Net(nnx.Module):\n    def __init__(self, rngs):\n"
        "        self.head = nnx.Linear(28, 3, rngs=rngs)\n"
        "    def __call__(self, x):\n        return self.head(x.mean(axis=(1, 3)))\n",
        "makes outputs of shape [2, 3] for 2 inputs; wanted are 2 of 10 numbers each",
    ),
}
"""Files, and what is said of them."""


@pytest.fixture(scope="session")
def own(shared, tiny, tmp_path_factory):
    """A train run of the file's network, and the file."""
    base = tmp_path_factory.getbasetemp()
    file = (base.parent if base.name.startswith("popen") else base) / "net.py"
    if not file.exists():
        file.write_text(NET)
    words = (
        "--network",
        f"{file}:Depthwise",
        "--network-arg",
        "width=3",
        *tiny[4:],
        "--epochs",
        10,
        "--learning-rate",
        0.01,
    )
    return shared("own", "train", *words), file


def outputs(run, images):
    """What the file's own class computes with the run's weights, without this package's arrays."""
    namespace = {}
    exec(NET, namespace)
    module = namespace["Depthwise"]((28, 28, 1), 10, nnx.Rngs(0), width=3)
    values = load_file(run / "model.safetensors")
    for layer in ("first", "depthwise", "head"):
        getattr(module, layer).kernel[...] = values[f"{layer}.kernel"]
        getattr(module, layer).bias[...] = values[f"rest.{layer}_bias"]
    return module(images)


def test_weights_of_the_run_are_the_modules_own(own):
    run, _ = own
    trained = open_trained(run, use="a test")
    images = jnp.asarray(network_inputs(trained.data.test_images[:20]))
    np.testing.assert_allclose(trained.net(images), outputs(run, images), rtol=1e-5, atol=1e-6)


def test_it_is_mapped_evaluated_and_costed(own, xbar, tmp_path):
    run, _ = own
    mapped = xbar("map", run, "--scheme", "acm", "--tile", "16x16", "--out", tmp_path / "map", "--json").json
    rows = {layer["name"]: layer for layer in mapped["layers"]}
    assert rows["depthwise"]["tiles"] == 3  # a tile a group
    assert rows["depthwise"]["devices"] == 9 * 3 * 3  # two outputs and a column more, of every group
    words = ("eval", tmp_path / "map", "--samples", 1, "--images", 100, "--json")
    ideal = xbar(*words, "--out", tmp_path / "ideal").json
    wired = xbar(*words, "--array", "nodal", "--r-wire", 500, "--out", tmp_path / "wired").json
    assert ideal["accuracy_mean"] == pytest.approx(ideal["ideal_accuracy"], abs=0.011)
    assert wired["accuracy_mean"] != ideal["accuracy_mean"]
    energy = xbar("energy", tmp_path / "map", "--r-wire", 1, "--out", tmp_path / "joules", "--json").json
    assert energy["energy_joule"] > 0


def test_layers_are_listed_with_what_stays_digital(own, xbar):
    run, _ = own
    found = xbar("layers", run, "--tile", "16x16", "--scheme", "acm", "--layers", "!head", "--json").json
    assert [(row["name"], row["groups"], row["on_arrays"]) for row in found["layers"]] == [
        ("first", 1, True), ("depthwise", 3, True), ("head", 1, False),
    ]  # fmt: skip
    assert found["total"]["tiles"] == 2 + 3
    assert {p["name"]: p["used_by"] for p in found["digital_parameters"]}["rest.head_bias"] == ["add"]
    assert "depthwise" in xbar("layers", run).out


def test_a_changed_file_is_said(own, xbar, tmp_path):
    run, file = own
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    moved = tmp_path / "net.py"
    moved.write_text(NET + "\n# another\n")
    rename(copy, str(file), str(moved))
    found = xbar("map", copy, "--out", tmp_path / "map")
    assert found.code == 1
    assert f"{moved} has changed since the run began" in found.err
    moved.unlink()
    assert f"{moved}, which is not there: work in the folder" in xbar("map", copy, "--out", tmp_path / "map").err
    rename(copy, str(moved), "gone.py")
    found = xbar("map", copy, "--out", tmp_path / "map")
    assert f"gone.py, which is not there in {Path.cwd()}: work in the folder that has it" in found.err.replace(
        "\n", " "
    )


def rename(run: Path, old: str, new: str) -> None:
    """Gives a run another name of its network file."""
    for name in ("config.toml", "summary.json"):
        (run / name).write_text((run / name).read_text().replace(old, new))
    seal(run)


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_used_is_one_line(name, xbar, tiny, tmp_path):
    text, message = BROKEN[name]
    file, out = tmp_path / "net.py", tmp_path / "run"
    file.write_text(text)
    found = xbar("train", "--network", f"{file}:Net", *tiny[4:], "--epochs", 1, "--out", out)
    assert found.code == 1
    assert message in found.err.splitlines()[-1]
    assert not out.exists()
    if name == "raising":  # the traceback is the user's
        assert "return 1 / 0" in found.err


def test_a_missing_file_and_another_form_are_one_line(xbar, tmp_path):
    missing = xbar("train", "--network", f"{tmp_path}/none.py:Net", "--out", tmp_path / "run")
    assert (missing.code, len(missing.err.splitlines())) == (1, 1)
    other = xbar("train", "--network", "lenet6", "--out", tmp_path / "run")
    assert "or FILE.py:NAME or FILE.onnx for your own" in other.err
    arguments = xbar("train", "--network-arg", "width=3", "--out", tmp_path / "run")
    assert "belongs to networks of FILE.py:NAME, not to lenet5" in arguments.err


def test_packed_groups_share_an_array_and_compute_the_same(own, xbar, tmp_path):
    run, _ = own
    words = ("map", run, "--tile", "64x16", "--json")
    apart = xbar(*words, "--out", tmp_path / "apart").json
    packed = xbar(*words, "--pack", "--out", tmp_path / "packed").json
    shape = {layer["name"]: (layer["rows"], layer["cols"], layer["tiles"]) for layer in packed["layers"]}
    assert shape["depthwise"] == (27, 12, 1)  # 3 groups of 9 rows and 2 outputs in one array
    assert [layer["tiles"] for layer in apart["layers"]][1] == 3
    found = [
        xbar(
            "eval", tmp_path / name, "--samples", 1, "--images", 200, "--json", "--out", tmp_path / f"{name}-eval"
        ).json
        for name in ("apart", "packed")
    ]
    assert (
        found[0]["accuracy_mean"] == found[1]["accuracy_mean"] == pytest.approx(found[0]["ideal_accuracy"], abs=0.006)
    )
    joules = xbar("energy", tmp_path / "packed", "--json", "--out", tmp_path / "joules").json
    assert joules["energy_joule"] > 0
