"""Layers made digital in turn: the search against all orders, and its chips against those of an evaluation."""

from itertools import combinations
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar_cli.chip.partition import greedy, make_accuracies, pattern_of
from xbar_cli.chip.place import map_network
from xbar_cli.chip.prepare import make_sampler
from xbar_cli.config.chips.evaluate import EvaluateConfig, PartitionConfig
from xbar_cli.config.effect_list import steps_of
from xbar_cli.config.network import NetworkSection
from xbar_cli.config.train import TrainConfig
from xbar_cli.data.datasets import Dataset
from xbar_cli.errors import ConfigError
from xbar_cli.nn.shapes import LayerName, chosen_layers
from xbar_cli.reporter import SILENT
from xbar_cli.runs.directory import Run
from xbar_cli.trained.opening import Trained
from xbar_cli.workflows.evaluate import batched, build_hardware, measure

NAMES = ["conv1", "conv2", "fc1", "head"]
LOSSES = {"conv1": 0.02, "conv2": 0.3, "fc1": 0.1, "head": 0.001}
DEVICES = {"conv1": 10.0, "conv2": 2000.0, "fc1": 100.0, "head": 10.0}


def trained():
    """A perceptron as it is drawn; the right answer is the one that it gives in floating point."""
    pictures = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), dtype=np.uint8)
    section = {"name": "mlp", "hidden": 9}
    net = NetworkSection.model_validate(section).build(shape=(8, 8, 1), outputs=10, seed=0)
    labels = np.asarray(net(jnp.asarray(pictures, jnp.float32) / 255).argmax(axis=1), np.int32)
    data = Dataset("random", pictures, labels, pictures, labels, 10, tuple("0123456789"), None)
    layers = ["hidden", "output"]
    summary = {"layers": layers, "network": "mlp", "dataset": "random", "method": "ideal"}
    return Trained(Run(Path(), Path()), summary, TrainConfig(), net, data)


def losing(chosen):
    """Accuracies of two chips that lose what each layer on arrays loses."""
    return 0.9 - sum(LOSSES[name] for name in chosen) + np.asarray([-0.001, 0.001])


def searched(loss):
    told = []
    return greedy(losing, DEVICES, ideal=0.9, loss=loss, told=told.append), told


def test_what_wins_most_a_device_becomes_digital_first():
    steps, told = searched(0.05)
    order = sorted(NAMES, key=lambda name: -LOSSES[name] / DEVICES[name])
    assert [step.layer for step in steps] == [None, *order[:3]]
    for number, step in enumerate(steps):
        left = [name for name in NAMES if name not in order[:number]]
        np.testing.assert_allclose(step.accuracies, losing(left))
        if step.layer:
            np.testing.assert_allclose(step.gains, LOSSES[step.layer])
            assert step.gain_per_cost == pytest.approx(LOSSES[step.layer] / DEVICES[step.layer])
    assert told == list(range(4 + 3 + 2))


def test_the_search_ends_where_the_loss_is_small_enough_or_one_layer_is_left():
    assert len(searched(0.5)[0]) == 1
    assert len(searched(0.31)[0]) == 1 + 2
    assert len(searched(1e-9)[0]) == len(NAMES)


def test_where_nothing_wins_the_least_is_lost():
    """A larger layer loses less a device, and would be taken by that figure."""
    harm = {"small": 0.01, "large": 0.02}
    steps = greedy(
        lambda chosen: np.full(2, 0.5 + sum(harm[name] for name in chosen)), {"small": 1, "large": 1000},
        ideal=0.9, loss=0.1, told=lambda done: None,
    )  # fmt: skip
    assert steps[1].layer == "small"


@settings(max_examples=15)
@given(st.sets(st.sampled_from(NAMES), min_size=1))
def test_a_pattern_takes_the_layers_that_it_was_made_of(kept):
    layers = [LayerName(name, name.startswith("fc")) for name in NAMES]
    in_order = [name for name in NAMES if name in kept]
    pattern = pattern_of(NAMES, in_order)
    assert chosen_layers(layers, pattern) == in_order
    assert len(pattern) <= len(",".join(in_order))


def test_one_pass_is_that_of_an_evaluation_whatever_is_on_arrays():
    """All layers, and each alone, with noise at every read, converters and gains fitted to each chip."""
    config = EvaluateConfig.model_validate(
        {
            "seed": 5, "monte_carlo": {"samples": 3, "per_layer": True, "batch_size": 7},
            "variation": {"amount": 0.4, "effects": ["read_noise:sigma=0.2"]}, "converters": {"adc_bits": 4},
        }
    )  # fmt: skip
    net = trained()
    mapped = map_network(net, config.mapping.placement(), images=10)
    hardware = build_hardware(config, net, mapped)
    _, tally = measure(config, net, hardware, reporter=SILENT)
    parts = batched(net.data.test_images, net.data.test_labels, size=7)
    steps = steps_of(config.variation.on_devices(), mapped)
    sampler, _ = make_sampler(config, net, hardware, steps, parts, most=3)
    names = list(mapped.layers)
    accuracies = make_accuracies(sampler, names, 3)
    assert accuracies(frozenset(names)).tolist() == tally.values
    for name in names:
        assert accuracies(frozenset([name])).tolist() == tally.alone[name]
    ideal = accuracies(frozenset())
    assert len(set(ideal.tolist())) == 1
    found = {tuple(accuracies(frozenset(pair))) for pair in combinations(names, len(names) - 1)}
    assert found - {tuple(ideal)}


def test_keys_of_an_evaluation_that_say_nothing_here_are_refused():
    config = PartitionConfig.model_validate({"monte_carlo": {"ci_width": 0.1}})
    with pytest.raises(ConfigError, match=r"monte_carlo\.ci_width belongs to xbar evaluate"):
        config.check()
