"""Training that is really killed, kill -9 from outside, and resumed: the same bits as one that was not."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from xbar_cli.runs.directory import Run

pytestmark = [pytest.mark.spice, pytest.mark.slow]


def kill_at(sign, command):
    """Start the command in a process of its own and kill it when the file or folder `sign` is there."""
    script = Path(sys.executable).with_name("xbar")
    process = subprocess.Popen([script, *command], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not sign.exists():
        assert time.monotonic() < deadline
        assert process.poll() is None, "finished before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


def neat_words(cell, *, epochs, rounds):
    return [
        "train", "--method", "neat", "--network", "mlp", "--vg", "0.9", "--cell", str(cell), "--epochs", str(epochs),
        "--rounds", str(rounds), "--epochs-per-round", "1", "--retrain-learning-rate", "1e-4", "--quiet",
    ]  # fmt: skip


def epochs_of(run):
    """Phase and epoch of every line of its metrics."""
    return [(line["phase"], line["epoch"]) for line in Run(run, run).read_metrics()]


def test_training_killed_while_retraining_ends_with_the_same_bits(xbar, cell, tmp_path):
    """And so does one that was killed before its first checkpoint, of which only the configuration is left."""
    words, whole, cut = [*neat_words(cell, epochs=1, rounds=4), "--width", "0.2"], tmp_path / "whole", tmp_path / "cut"
    assert xbar(*words, "--out", whole).code == 0
    partial = tmp_path / "cut.partial"
    kill_at(partial / "checkpoints" / "2", [*words, "--out", str(cut)])
    assert not cut.exists()
    early = tmp_path / "early"
    (tmp_path / "early.partial").mkdir()
    shutil.copy(whole / "config.toml", tmp_path / "early.partial")
    for run in (cut, early):
        assert xbar("train", "--resume", run, "--quiet").code == 0
        assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
        assert epochs_of(run) == epochs_of(whole)
    assert not list(tmp_path.glob("*.partial"))


def test_training_killed_three_times_ends_with_the_same_bits(cell, tmp_path):
    """Killed before the first checkpoint, in the first phase and while retraining, and resumed each time."""
    script = Path(sys.executable).with_name("xbar")
    words = neat_words(cell, epochs=3, rounds=2)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run([script, *words, "--out", whole], check=True, timeout=200, capture_output=True)
    partial = tmp_path / "cut.partial"
    command = [*words, "--out", cut]
    for sign in (partial / "config.toml", partial / "checkpoints" / "2", partial / "checkpoints" / "4"):
        kill_at(sign, command)
        assert not cut.exists()
        command = ["train", "--resume", cut, "--quiet"]
    subprocess.run([script, "train", "--resume", cut, "--quiet"], check=True, timeout=200, capture_output=True)
    assert (cut / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert epochs_of(cut) == epochs_of(whole)
    assert not partial.exists()


@pytest.mark.parametrize("name", ["ideal", "neat", "tat", "periphery", "biased", "insitu"])
def test_every_method_killed_after_its_first_checkpoint_ends_with_the_same_bits(xbar, methods, tmp_path, name):
    words = ["train", *map(str, methods[name]), "--quiet"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert xbar(*words, "--out", whole).code == 0
    kill_at(tmp_path / "cut.partial" / "checkpoints" / "1", [*words, "--out", str(cut)])
    assert not cut.exists()
    assert xbar("train", "--resume", cut, "--quiet").code == 0
    assert (cut / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_choice_of_learning_rates_killed_at_its_second_ends_with_the_same_bits(xbar, methods, tmp_path):
    words = ["train", *map(str, methods["periphery"]), "--rates", "0.02,0.05", "--quiet"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert xbar(*words, "--out", whole).code == 0
    kill_at(tmp_path / "cut.partial" / "rates" / "0.05" / "checkpoints" / "1", [*words, "--out", str(cut)])
    assert not cut.exists()
    assert xbar("train", "--resume", cut, "--quiet").code == 0
    assert (cut / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert epochs_of(cut) == epochs_of(whole)
    assert not (cut / "rates").exists()
