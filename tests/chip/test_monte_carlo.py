"""Sample i is a function of (seed, i) alone, whatever else is computed and where. Also run as a script by itself."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xbar_cli.chip.counting import Counted
from xbar_cli.chip.executor import Strategy, hoist, make_executor
from xbar_cli.chip.fabricate import make_fabricator
from xbar_cli.chip.fold import make_folder
from xbar_cli.chip.place import map_network
from xbar_cli.chip.result.summary import results
from xbar_cli.chip.result.tally import Findings
from xbar_cli.chip.sample import sample
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.effect_list import steps_of
from xbar_cli.config.hardware import MappingSection
from xbar_cli.config.network import NetworkSection
from xbar_cli.config.train import TrainConfig
from xbar_cli.data.datasets import Dataset
from xbar_cli.nn.score import ACCURACY
from xbar_cli.numerics import stream
from xbar_cli.reporter import SILENT
from xbar_cli.runs.directory import Run
from xbar_cli.statistics import enough, fewest
from xbar_cli.trained.opening import Trained
from xbar_cli.workflows.evaluate import build_hardware, measure

IMAGES = 90
LAYERS = {"mlp": ("hidden", "output"), "lenet5": ("conv1", "conv2", "fc1", "fc2", "fc3")}
CASES = {
    "mlp": {
        "variation": {"amount": 0.2, "effects": ["read_noise:sigma=0.05"]},
        "array": {"model": "lumped", "r_source_ohm": 1000},
    },
    "tiled mlp": {
        "variation": {"amount": 0.2, "effects": ["stuck:on=0.01"]},
        "converters": {"adc_bits": 5},
        "decoding": {"calibrate": "gain"},
        "calibration": {"images": 30},
    },
    "repaired mlp": {
        "variation": {"amount": 0.05, "effects": ["stuck:on=0.1,off=0.1", "read_noise:sigma=0.05"]},
        "repair": {"remedies": "differential,sign-flip,permute,spares=2,ensemble=2", "fault_map": "given"},
    },
    "lenet5": {"variation": {"amount": 0.2, "effects": ["read_noise:sigma=0.05"]}},
}
PLAIN = {"variation": {"amount": 0.2}}
MARKS = [
    pytest.param("mlp"),
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("tiled mlp", "repaired mlp", "lenet5")),
]


def network(name):
    """A network as it is drawn; the right answer is the one that it gives in floating point."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (IMAGES, 28, 28, 1), dtype=np.uint8)
    section = {"name": name} | ({"width": 0.03} if name == "mlp" else {})
    net = NetworkSection.model_validate(section).build(shape=(28, 28, 1), outputs=10, seed=0)
    labels = np.asarray(jax.jit(lambda x: net(x))(jnp.asarray(pictures, jnp.float32) / 255).argmax(axis=1), np.int32)
    data = Dataset("random", pictures, labels, pictures, labels, 10, tuple("0123456789"), None)
    summary = {"layers": list(LAYERS[name]), "network": name, "dataset": "random", "method": "ideal"}
    return Trained(Run(Path(), Path()), summary, TrainConfig(), net, data)


def evaluated(case, *, strategy=None, samples=5, batch=30, tree=None, **more):
    """The summary of one evaluation, and the tally."""
    name = case.split()[-1]
    tree = (tree or CASES[case]) | {"seed": 3, "monte_carlo": {"samples": samples, "batch_size": batch, **more}}
    config = EvaluateConfig.model_validate(tree)
    trained = network(name)
    mapped = map_network(trained, config.mapping.placement(), images=20)
    return measure(config, trained, build_hardware(config, trained, mapped), reporter=SILENT, strategy=strategy)


def samples_of(name, **given):
    return evaluated(name, **given)[0]["accuracy_samples"]


@pytest.fixture(scope="module", params=MARKS)
def reference(request):
    """Five samples on one device, one in a call, images in batches of 30."""
    return request.param, samples_of(request.param)


def test_the_number_of_samples_the_batch_and_the_call_do_not_matter(reference):
    name, samples = reference
    assert len(set(samples)) > 2
    assert samples_of(name, samples=2, batch=7) == samples[:2]
    assert samples_of(name, batch=IMAGES, strategy=Strategy("map", 3)) == samples


def test_chips_from_another_number_on_are_the_same_chips(reference):
    name, samples = reference
    found, tally = evaluated(name, samples=2, first=3)
    assert found["accuracy_samples"] == samples[3:]
    assert found["worst_sample"] == 3 + int(np.argmin(samples[3:]))
    assert results(found["accuracy_samples"], tally, first=3)["sample"].values.tolist() == [3, 4]


@pytest.mark.slow
def test_samples_at_once_are_the_same_samples(reference):
    name, samples = reference
    assert samples_of(name, samples=2, strategy=Strategy("vmap", 2)) == samples[:2]


@pytest.mark.slow
def test_four_devices_give_the_same_samples(reference):
    name, samples = reference
    flags = os.environ["XLA_FLAGS"] + " --xla_force_host_platform_device_count=4"
    done = subprocess.run(
        [sys.executable, __file__, name], check=True, capture_output=True, text=True, timeout=200,
        env=os.environ | {"XLA_FLAGS": flags},
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["devices"] == 4
    assert found["chunk"] == 4  # five samples: two calls, of which the second is filled up
    assert found["samples"] == samples


@pytest.mark.slow
def test_convolutions_by_patches_are_convolutions():
    samples = samples_of("lenet5", samples=2, tree=PLAIN)
    by_patches = samples_of("lenet5", samples=2, tree=PLAIN, strategy=Strategy("patches", 2))
    np.testing.assert_allclose(by_patches, samples, atol=1.5 / IMAGES)  # sums in another order: at most one image


def test_each_layer_alone_is_the_network_with_that_layers_weights_replaced():
    """Against NumPy: the folded weights of one layer of the chip, the network's own in the other."""
    tree = {"variation": {"amount": 0.3}, "monte_carlo": {"samples": 2, "per_layer": True}, "seed": 1}
    config, trained = EvaluateConfig.model_validate(tree), network("mlp")
    mapped = map_network(trained, MappingSection().placement(), images=20)
    hardware = build_hardware(config, trained, mapped)
    summary, tally = measure(config, trained, hardware, reporter=SILENT)
    root = stream(jax.random.key(1), "chip")
    steps = steps_of(config.variation.on_devices(), mapped)
    chip = make_fabricator(mapped, steps, negative="clamp")(jax.random.fold_in(root, 1))
    folded, _ = make_folder(hardware)(chip.conductances, root, {})
    own = nnx.state(trained.net, nnx.Param)
    x = trained.data.test_images.reshape(IMAGES, -1).astype(np.float64) / 255
    for layer in LAYERS["mlp"]:
        w = {name: np.asarray(own[name].kernel[...]) for name in LAYERS["mlp"]}
        w[layer] = np.asarray(folded.layers[layer].kernel)
        b = {name: np.asarray(own[name].bias[...]) for name in LAYERS["mlp"]}
        scores = np.maximum(x @ w["hidden"] + b["hidden"], 0) @ w["output"] + b["output"]
        assert tally.alone[layer][1] == pytest.approx((scores.argmax(axis=1) == trained.data.test_labels).mean())
    assert summary["ideal_accuracy"] == 1.0
    layers = summary["per_layer"]
    assert list(layers) == list(LAYERS["mlp"])
    for name, layer in layers.items():
        assert layer["cost"] == pytest.approx(1 - np.mean(tally.alone[name]))
        assert layer["cost_ci95"][0] <= layer["cost"] <= layer["cost_ci95"][1]
    assert layers[summary["costliest_layer"]]["cost"] == max(layer["cost"] for layer in layers.values()) > 0


class Dice:
    """In the place of the compiled stages: chips whose accuracies are drawn by NumPy from their numbers."""

    images, measure = 1000.0, ACCURACY

    def value(self, total):
        return total / self.images

    def __init__(self, width):
        self.executor = make_executor(1, Strategy("map", width))

    def make(self, numbers):
        return {}, Findings((np.zeros(len(numbers)),) * 3, {}, {})

    def build(self, numbers, conductances):
        return [], {}, {}

    def count(self, numbers, leaves, parts=None):
        hits = [np.random.default_rng(n).binomial(1000, 0.8) for n in np.asarray(numbers).tolist()]
        return Counted(np.asarray([[hit, 0, 0, 0, 0] for hit in hits], np.float64), np.zeros((len(hits), 1000)), [])


def test_a_sequential_run_stops_at_the_same_chip_whatever_the_call():
    def run(width, n=200):
        rule = partial(enough, width=0.06)
        return sample(Dice(width), n, enough=rule, alone={}, warm=True, reporter=SILENT).values

    one = run(1)
    assert fewest(0.06) < len(one) < 200
    assert enough(one, width=0.06)
    assert not enough(one[:-1], width=0.06)
    assert run(7) == run(64) == one
    assert run(7, n=12) == one[:12]


def test_hoisting_takes_captured_arrays_out():
    table = jnp.arange(1000.0)
    hoisted = hoist(lambda n: {"row": table[n] * 2, "n": [n]}, jnp.asarray(0))
    assert [captured.shape for captured in hoisted.captured] == [(1000,)]
    found = jax.jit(hoisted.function)([jnp.ones(1000)], jnp.asarray(3))
    assert (float(found["row"]), int(found["n"][0])) == (2.0, 3)


def main(name):
    wide = samples_of(name, strategy=Strategy("map", 2), batch=45)
    found = {
        "devices": jax.local_device_count(),
        "chunk": make_executor(5).chunk,
        "samples": samples_of(name),
        "wide": wide,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
