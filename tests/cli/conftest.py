"""One small characterisation and training for all tests of the commands."""

import json
from pathlib import Path

import pytest

from xbar_cli.cli.main import guarded


class Result:
    """What a command left: exit code, the two streams, and stdout as JSON where it is."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def xbar(capsys):
    """Run a command line in this process."""

    def run(*words):
        capsys.readouterr()
        code = guarded([str(word) for word in words])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


def make(*words):
    assert guarded([str(word) for word in words]) == 0


@pytest.fixture(scope="session")
def cell(tmp_path_factory):
    """A characterize run: three gate voltages, few points."""
    out = tmp_path_factory.mktemp("cell") / "cell"
    make(
        "characterize",
        "--vg-range",
        "0.8:1.0:0.1",
        "--g-points",
        32,
        "--vin-range",
        "0.01:0.5:26",
        "--out",
        out,
        "--quiet",
    )
    return out


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """An ideal train run of the perceptron."""
    out = tmp_path_factory.mktemp("net") / "net"
    make("train", "--network", "mlp", "--epochs", 2, "--out", out, "--quiet")
    return out


@pytest.fixture(scope="session")
def neat(tmp_path_factory, cell, trained):
    """A neat run at 0.8 V from the ideal one."""
    out = tmp_path_factory.mktemp("neat") / "neat"
    make(
        "train", "--method", "neat", "--network", "mlp", "--vg", "0.8", "--cell", cell, "--start", trained,
        "--rounds", 1, "--epochs-per-round", 1, "--retrain-learning-rate", "1e-4", "--out", out, "--quiet",
    )  # fmt: skip
    return out


@pytest.fixture(scope="session")
def mapped(tmp_path_factory, neat) -> Path:
    """The neat run on devices."""
    out = tmp_path_factory.mktemp("map") / "map"
    make("map", neat, "--out", out, "--quiet")
    return out
