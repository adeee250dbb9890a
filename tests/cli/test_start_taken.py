"""A training that starts from a run takes network and data set from it, unless it names its own."""

import tomllib

import pytest

from xbar_cli.config.known.started import config_of, with_start
from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.grid import expand

RUN = {"seed": 3, "network": {"name": "mlp", "hidden": 12}, "dataset": {"name": "jargon", "train_images": 600}}


def taken(tree, config=RUN):
    return with_start(tree, lambda _: config)


def test_what_is_not_named_is_taken():
    found = taken({"method": "neat", "neat": {"start": "net"}})
    assert (found["network"], found["dataset"]) == (RUN["network"], RUN["dataset"] | {"split_seed": 3})
    assert taken({"method": "ideal", "start": "net", "seed": 3})["dataset"] == RUN["dataset"]
    assert taken({"method": "ideal", "start": "net"}, config=None) == {"method": "ideal", "start": "net"}


def test_what_is_said_besides_stays_and_another_name_takes_nothing():
    found = taken({"start": "net", "dataset": {"train_images": 60}, "network": {"name": "lenet5"}})
    assert found["dataset"] == {"name": "jargon", "train_images": 60, "split_seed": 3}
    assert found["network"] == {"name": "lenet5"}
    assert taken({"method": "neat", "tat": {"start": "net"}}) == {"method": "neat", "tat": {"start": "net"}}


def test_a_run_that_cannot_be_read_is_left_to_the_training(tmp_path):
    assert config_of(str(tmp_path)) is None


def test_a_stage_takes_them_from_the_stage_that_it_starts_from(tmp_path):
    (tmp_path / "e.toml").write_text(
        '[stages.net]\ncommand = "train"\nnetwork.name = "mlp"\nnetwork.hidden = 12\ndataset.train_images = 600\n'
        '[stages.on]\ncommand = "train"\nideal.start = "@net"\n[sweep]\nnet.network.hidden = [12, 24]\n'
    )
    points = expand(load_experiment(tmp_path / "e.toml"))
    assert [p.runs["on"].config["network"]["hidden"] for p in points] == [12, 24]
    assert points[0].runs["on"].config["dataset"]["train_images"] == 600


@pytest.mark.parametrize("seed", [0, 7])
def test_the_command_trains_on_from_the_run_alone(xbar, start, tmp_path, seed):
    found = xbar("train", "--start", start, "--epochs", 1, "--seed", seed, "--out", tmp_path / "on", "--json")
    assert found.code == 0, found.err
    assert (found.json["network"], found.json["dataset"]) == ("mlp", "fashion_mnist_mini")
    theirs, ours = (tomllib.loads((run / "config.toml").read_text()) for run in (start, tmp_path / "on"))
    assert ours["network"] == theirs["network"]
    assert ours["dataset"] == theirs["dataset"] | ({"split_seed": 0} if seed else {})
