"""The functions of the package are the commands: the same figures, the same errors with keys and keywords for names."""

import copy
import json
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import xbar_cli
from xbar_cli.api.calls import keywords_of, value_of
from xbar_cli.cli.main import guarded
from xbar_cli.errors import ConfigError, RunError

TIMES = ("out", "seconds_per_sample", "fold_seconds", "wall_seconds")
HARDWARE = {"variation": 0.3, "samples": 3, "images": 200}


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """A perceptron that knows something after a moment."""
    out = tmp_path_factory.mktemp("functions") / "net"
    return xbar_cli.train(network="mlp", hidden=12, train_images=600, batch_size=50, epochs=3, out=out)


@pytest.fixture(scope="module")
def parted(net, tmp_path_factory):
    """Its layers made digital until one is left, or little is lost."""
    out = tmp_path_factory.mktemp("parted") / "run"
    return xbar_cli.partition(net, loss=0.002, held_out=40, out=out, **HARDWARE)


def said(capsys, *words):
    """What a command prints as JSON."""
    capsys.readouterr()
    assert guarded([*map(str, words), "--json", "--quiet"]) == 0
    return json.loads(capsys.readouterr().out)


def timeless(summary):
    return {key: value for key, value in summary.items() if key not in TIMES}


def test_the_package_alone_loads_nothing_and_its_functions_stay_when_rooms_of_their_names_are_imported():
    code = (
        "import sys, xbar_cli\n"
        "heavy = {'jax', 'flax', 'numpy', 'pydantic', 'click', 'xarray', 'rich'} & set(sys.modules)\n"
        "import xbar_cli.energy.reading\n"
        "import xbar_cli.train\n"
        "import xbar_cli.design.run\n"
        "assert xbar_cli.design.__module__ == 'xbar_cli.api'\n"
        "assert xbar_cli.train.__name__ == 'train' and xbar_cli.energy.__module__ == 'xbar_cli.api'\n"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_an_evaluation_is_that_of_the_command(net, tmp_path, capsys):
    found = xbar_cli.evaluate(net, effect="stuck:on=0.01", out=tmp_path / "a", **HARDWARE)
    words = [word for key, value in HARDWARE.items() for word in (f"--{key}", value)]
    printed = said(capsys, "eval", net.path, "--effect", "stuck:on=0.01", *words, "--out", tmp_path / "b")
    assert timeless(found.summary) == timeless(printed)
    np.testing.assert_array_equal(found.dataset["accuracy"].values, found.accuracy_samples)
    assert xbar_cli.open_result(found.path).accuracy_samples == found.accuracy_samples


def test_devices_joules_and_a_comparison(net, tmp_path):
    one, two = (xbar_cli.place(net, scheme=scheme, out=tmp_path / scheme) for scheme in ("de", "acm"))
    assert one.dataset.attrs["scheme"] == "de"
    assert two.devices < one.devices
    cost = xbar_cli.energy(one, model="isaac", out=tmp_path / "cost")
    assert cost.energy_joule > 0
    assert cost.tiles == one.tiles
    chips = [xbar_cli.evaluate(run, out=tmp_path / f"chips {run.scheme}", **HARDWARE) for run in (one, two)]
    verdict = xbar_cli.compare(*chips, out=tmp_path / "verdict")
    assert verdict.difference == pytest.approx(chips[1].accuracy_mean - chips[0].accuracy_mean)


def test_a_partition_ends_with_the_layers_of_an_evaluation(net, parted, tmp_path, capsys):
    found = xbar_cli.evaluate(net, layers=parted.layers, out=tmp_path / "e", **HARDWARE)
    assert found.accuracy_mean == parted.test_accuracy_mean
    assert found.ideal_accuracy - found.accuracy_mean == parted.test_loss
    np.testing.assert_array_equal(parted.dataset["test_accuracy"].values, found.accuracy_samples)
    assert sorted(parted.on_arrays + parted.digital) == ["hidden", "output"]
    losses = parted.ideal_accuracy - parted.dataset["accuracy"].values.mean(axis=1)
    np.testing.assert_allclose(losses, [step["loss"] for step in parted.steps])
    gains = parted.dataset["accuracy"].values[1] - parted.dataset["accuracy"].values[0]
    assert parted.steps[1]["gain"] == pytest.approx(gains.mean())
    assert parted.reached == (parted.steps[-1]["loss"] < 0.002)
    words = [word for key, value in HARDWARE.items() for word in (f"--{key}", value)]
    assert guarded(
        [*map(str, ["partition", net.path, *words, "--loss", 0.9, "--per", "mac", "--out", tmp_path / "p"]), "--quiet"]
    ) == 0  # fmt: skip
    assert "--layers 'all'" in capsys.readouterr().out


def test_advice_and_a_design_are_those_of_the_commands(net, tmp_path, capsys):
    told = xbar_cli.advise(net, out=tmp_path / "a", **HARDWARE)
    words = ("--variation", 0.3, "--samples", 3, "--images", 200)
    wanted = said(capsys, "advise", net.path, *words, "--out", tmp_path / "b")
    assert timeless(wanted) == timeless(json.loads(json.dumps(dict(told.summary))))
    assert told.dataset.sizes["chip"] == 3
    given = {"over": ["r_on", "weight_limit=0.5:1"], "energy_weight": 0.1, "steps": 2, "step_images": 16}
    made = xbar_cli.design(net, out=tmp_path / "d", **given, **HARDWARE)
    more = ("--over", "r_on", "--over", "weight_limit=0.5:1", "--energy-weight", 0.1, "--steps", 2, "--step-images", 16)
    wanted = said(capsys, "design", net.path, *words, *more, "--out", tmp_path / "e")
    assert [p["built"] for p in wanted["parameters"]] == [p["built"] for p in made.parameters]
    assert made.dataset.sizes["step"] == 2
    assert xbar_cli.open_result(made.path).won == made.won
    with pytest.raises(ConfigError, match="design has no keyword 'ci_width'"):
        xbar_cli.design(net, over=["r_on"], ci_width=0.1)


def test_settings_go_before_keywords_and_these_before_the_file(net, tmp_path):
    file = tmp_path / "some.toml"
    file.write_text('seed = 4\n[mapping]\nscheme = "bc"\nbits = 3\n')
    found = xbar_cli.place(
        net, config=file, scheme="acm", bits=2, settings={"mapping.bits": np.int64(1)}, out=tmp_path / "m"
    )
    assert found.scheme == "acm"
    text = (found.path / "config.toml").read_text()
    assert "bits = 1" in text
    assert "seed = 4" in text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"variaton": 0.1}, "evaluate has no keyword 'variaton'; did you mean variation?"),
        ({"variation": -1}, r"variation: variation\.amount = -1: "),
        ({"settings": {"mapping.foo": 1}}, r"settings\['mapping\.foo'\]: unknown key 'mapping\.foo'"),
        ({"samples": 2, "ci_width": 0.1}, r"monte_carlo\.samples draws so many chips"),
        ({"layers": "fc*"}, r"mapping\.layers = 'fc\*': 'fc\*' fits no layer"),
    ],
)
def test_what_is_not_allowed_is_one_line(net, given, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        xbar_cli.evaluate(net, out=tmp_path / "x", **given)
    assert not list(tmp_path.iterdir())


def test_places_that_are_taken_or_not_there(net, tmp_path):
    with pytest.raises(RunError, match="is a complete run"):
        xbar_cli.place(net, out=net)
    with pytest.raises(RunError, match="no such run directory"):
        xbar_cli.place(tmp_path / "nothing", out=tmp_path / "x")
    with pytest.raises(RunError, match="xbar partition needs a `train` run"):
        xbar_cli.partition(xbar_cli.place(net, out=tmp_path / "m"), out=tmp_path / "x")
    with pytest.raises(ConfigError, match="compare has no keyword 'seed'"):
        xbar_cli.compare(net, net, seed=1)


def test_a_result_is_its_figures_and_its_folder(net):
    assert net.method == net["method"] == net.summary["method"] == "ideal"
    assert (net.dataset, net["dataset"]) == (None, "fashion_mnist_mini")
    assert copy.copy(net) == net
    assert "test_accuracy" in dir(net)
    with pytest.raises(AttributeError, match="Result has no 'nonsense'"):
        net.nonsense  # noqa: B018
    with pytest.raises(TypeError, match="does not support item assignment"):
        net.summary["method"] = "neat"


def test_flags_are_options_that_are_given_or_not():
    assert value_of(keywords_of("characterize")["no_cache"], True) is False
    assert value_of(keywords_of("characterize")["no_cache"], False) is True
    assert value_of(keywords_of("map")["pack"], True) is True


def test_a_network_of_ones_own_goes_on_arrays_and_one_without_products_does_not():
    own = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)), jnp.float32)
    np.testing.assert_allclose(xbar_cli.to_crossbar(own, shape=(3,))(x), own(x), atol=1e-6)
    with pytest.raises(ConfigError, match="network: no product of an input with a parameter"):
        xbar_cli.to_crossbar(lambda parameters, x: x * parameters["scale"], shape=(3,), parameters={"scale": 2.0})
