"""`xbar design --train-weights`: weights that descend beside the parameters, and the train run that keeps them."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.cli.test_design import RESISTIVE, difference, opened
from xbar_cli.chip.limits import full_weights
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.load import stored
from xbar_cli.design.descent import beginning
from xbar_cli.design.weights import PREFIX, retrained, weights_in
from xbar_cli.outside import read_json
from xbar_cli.runs.results import MODEL, read_tensors
from xbar_cli.trained.opening import open_trained

WORDS = (
    "--variation", 0.1, "--samples", 3, "--images", 200, "--over", "r_on", "--energy-weight", 0.02, "--steps", 40,
    "--step-images", 64,
)  # fmt: skip


OWN = """import jax
from flax import nnx


class Net(nnx.Module):
    def __init__(self, shape, n_classes, rngs):
        self.first = nnx.Conv(shape[-1], 4, (5, 5), strides=4, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.head = nnx.Linear(4 * 7 * 7, n_classes, rngs=rngs)

    def __call__(self, x):
        x = jax.nn.relu(self.norm(self.first(x)))
        return self.head(x.reshape(x.shape[0], -1))
"""


@pytest.fixture(scope="module")
def along(shared, start):
    return read_json(
        shared("along", "design", start, *WORDS, "--train-weights", "--weight-rate", 3e-3) / "summary.json"
    )


def test_trained_along_a_network_gains_what_its_devices_alone_do_not(along, start, xbar, tmp_path):
    alone = xbar("design", start, *WORDS, "--out", tmp_path / "alone", "--json").json
    assert along["start"] == alone["start"]
    assert along["won"] > max(alone["won"], 0) + 0.05
    assert "network_run" not in alone
    assert 0 < along["weights_moved"] < 1


def test_its_network_is_a_run_that_the_commands_take(along, xbar, tmp_path):
    folder, network = along["out"], along["network_run"]
    assert network == f"{folder}/network"
    found = xbar("eval", network, "--config", f"{folder}/evaluate.toml", "--out", tmp_path / "e", "--json").json
    assert found["metric_value"] == along["metric_value"]
    assert stored(EvaluateConfig, tmp_path / "e").run == network
    assert xbar("map", network, "--config", f"{folder}/map.toml", "--out", tmp_path / "m").code == 0
    cost = xbar("energy", tmp_path / "m", "--config", f"{folder}/energy.toml", "--out", tmp_path / "c", "--json").json
    assert cost["energy_joule"] == pytest.approx(along["energy_joule"], rel=1e-6)
    assert read_json(Path(network) / "summary.json")["designed_from"] == along["run"]
    listed = xbar("ls", folder)
    assert listed.code == 0


@pytest.mark.parametrize(
    "mapping",
    [{}, {"weight_scale": "network"}, {"weight_scale": "column", "weight_limit": "80%"}, {"weight_limit": "0.4"}],
)
def test_the_weight_at_full_scale_follows_the_weights_as_mapping_does(start, mapping):
    objective = opened(start, mapping=mapping, design={"over": ["r_on"], "train_weights": True})
    bench = objective.bench
    weights = {name: 1.3 * value + 0.01 for name, value in weights_in(beginning(objective)).items()}
    found = bench.with_weights(weights)
    changed = retrained(bench.trained, bench.split, weights)
    wanted = full_weights(changed, dict.fromkeys(bench.network.layers, bench.placement))
    for name, value in wanted.items():
        np.testing.assert_allclose(np.broadcast_to(found.w_max[name], value.shape), value, rtol=1e-6)
        np.testing.assert_allclose(found.kernels[name], changed.kernels[name], rtol=1e-6)


def test_gradients_by_weights_are_those_of_central_differences(start):
    """Along random directions of every parameter, in float64; the energy too, in which weights are conductances."""
    tree = RESISTIVE | {"converters": {}, "design": {"over": ["r_on"], "train_weights": True}}
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        objective = opened(start, **tree)
        shares = beginning(objective)
        names = [name for name in shares if name.startswith(PREFIX)]
        losses, costings = objective.losses(()), objective.costings(())
        slopes = losses(shares, jax.random.key(5), objective.taken({}), *objective.batch(0))[1]
        steep = costings(shares)[0]["energy_joule"]
        assert {name.rpartition(".")[2] for name in names} == {"kernel", "bias"}
        for n, name in enumerate(names):
            way = jnp.asarray(np.random.default_rng(n).normal(size=shares[name].shape))

            def along(t, name=name, way=way):
                return shares | {name: shares[name] + t["t"] * way}

            for of, slope in (
                (lambda t: losses(along(t), jax.random.key(5), objective.taken({}), *objective.batch(0))[0], slopes),
                (lambda t: costings(along(t))[1]["energy_joule"], steep),
            ):
                wanted, size = difference(of, {"t": 0.0}, "t", step=1e-7)
                got = float(jnp.vdot(slope[name], way))
                assert got == pytest.approx(wanted, rel=1e-4, abs=1e-7 * size), name


def test_bound_weights_are_refused(shared, xbar, tmp_path):
    bound = shared("bound-to-levels", "train", "--method", "tat", "--network", "mlp", "--width", 0.05, "--epochs", 1,
                   "--train-images", 300, "--technology", "taox", "--array", "published", "--r-source", 100)  # fmt: skip
    found = xbar("design", bound, "--over", "weight_limit", "--train-weights", "--steps", 1, "--out", tmp_path / "d")
    assert found.code == 1
    assert "--train-weights: the training of" in found.err
    assert found.err.count("\n") == 1


def test_the_rate_of_weights_acts_and_is_of_weights_that_descend(start, xbar, tmp_path):
    """The first step of Adam is the rate, of every weight that has a gradient at all."""
    few = ("--over", "r_on", "--steps", 1, "--step-images", 16, "--samples", 2, "--images", 20)
    went = []
    for rate in (1e-3, 4e-3):
        out = tmp_path / f"{rate}"
        assert xbar("design", start, *few, "--train-weights", "--weight-rate", rate, "--out", out).code == 0
        before, after = (read_tensors(run / MODEL)["output.bias"] for run in (start, out / "network"))
        went.append(np.abs(after - before).max())
    np.testing.assert_allclose(went, (1e-3, 4e-3), rtol=1e-2)
    refused = xbar("design", start, *few, "--weight-rate", 4e-3)
    assert refused.code in (1, 2)
    assert "--weight-rate is of weights that descend: give --train-weights too" in refused.err
    assert refused.err.count("\n") == 1


def test_a_network_of_a_file_is_kept_with_its_design(xbar, tmp_path, monkeypatch):
    """Its Python lies in the new run too, which opens wherever that of the start does."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    words = ("--network", "mine.py:Net", "--epochs", 1, "--train-images", 200)
    assert xbar("train", *words, "--out", tmp_path / "net").code == 0
    made = xbar("design", tmp_path / "net", "--over", "r_on", "--train-weights", "--steps", 2, "--samples", 2,
                "--images", 20, "--out", tmp_path / "d", "--json").json  # fmt: skip
    opened_again = open_trained(tmp_path / "d" / "network", use="this test")
    before = read_tensors(tmp_path / "net" / MODEL)
    after = read_tensors(tmp_path / "d" / "network" / MODEL)
    assert set(before) == set(after)
    assert any(not np.array_equal(before[n], after[n]) for n in before)
    assert opened_again.layers == open_trained(tmp_path / "net", use="this test").layers
    assert made["network_run"] == str(tmp_path / "d" / "network")
