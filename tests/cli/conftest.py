"""One small characterisation and training for all tests of the commands, shared by the workers of a session."""

import fcntl
import json
import os
from pathlib import Path

import pytest

from tests.docs.explained import require_words
from tests.drawn import few_figures  # noqa: F401
from xbar_cli.cli.main import guarded


class Result:
    """What a command left: exit code, the two streams, and stdout as JSON where it is."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)


def command_in(words):
    """The command of a call, as docs/reference/json.md calls it, where its JSON does not say so; None where it does."""
    return {"layers": "layers", "doctor": "doctor"}.get(words[0]) or (
        "data ls" if words[:2] == ("data", "ls") else None
    )


@pytest.fixture
def xbar(capsys):
    """Run a command line in this process."""

    def run(*words):
        capsys.readouterr()
        code = guarded([str(word) for word in words])
        captured = capsys.readouterr()
        if code == 0 and "--json" in words:
            require_words(json.loads(captured.out), command_in(words))
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Make a run directory once a session: the worker that asks first runs the command, the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)

    def make(name, *words) -> Path:
        out = folder / name
        with (folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (out / "done").exists():
                assert guarded([str(word) for word in (*words, "--out", out, "--quiet")]) == 0
        return out

    return make


@pytest.fixture(scope="session")
def cell(shared):
    """A characterize run: three gate voltages, few points."""
    return shared("cell", "characterize", "--vg-range", "0.8:1.0:0.1", "--g-points", 32, "--vin-range", "0.01:0.5:26")


@pytest.fixture(scope="session")
def line_cell(shared):
    """A characterize run with the voltage of the bit line."""
    words = ("--vg-range", "0.8:1.0:0.1", "--g-points", 32, "--vin-range", "0.01:0.5:26", "--vbl", "60m")
    return shared("line-cell", "characterize", *words)


@pytest.fixture(scope="session")
def trained(shared):
    """An ideal train run of the perceptron, with a fifth of the hidden units: 100."""
    return shared("trained", "train", "--network", "mlp", "--width", 0.2, "--epochs", 2)


@pytest.fixture(scope="session")
def small(shared):
    """The same with a tenth of the hidden units, where only the command's numbers count."""
    return shared("small", "train", "--network", "mlp", "--width", 0.1, "--epochs", 3)


@pytest.fixture(scope="session")
def neat(shared, cell, trained):
    """A neat run at 0.8 V from the ideal one."""
    return shared(
        "neat", "train", "--method", "neat", "--network", "mlp", "--width", 0.2, "--vg", "0.8", "--cell", cell,
        "--start", trained, "--rounds", 1, "--epochs-per-round", 1, "--retrain-learning-rate", "1e-4",
    )  # fmt: skip


@pytest.fixture(scope="session")
def mapped(shared, neat):
    """The neat run on devices."""
    return shared("mapped", "map", neat)


@pytest.fixture(scope="session")
def tiny():
    """The words of a training that takes a moment."""
    return "--network", "mlp", "--hidden", 12, "--train-images", 600, "--batch-size", 50


@pytest.fixture(scope="session")
def start(shared, tiny):
    """A run that others start from."""
    return shared("few-images", "train", *tiny, "--epochs", 4)


@pytest.fixture(scope="session")
def methods(cell, start, tiny):
    """The words of a short training by each method, with what it alone has."""
    own = {
        "ideal": (
            "--schedule", "cosine", "--augment", "crop+flip", "--inject", "normal:0.05", "--clip-norm", 5,
            "--learning-rate", 0.01,
        ),
        "neat": ("--method", "neat", "--cell", cell, "--vg", "auto", "--rounds", 1, "--epochs-per-round", 1),
        "tat": ("--method", "tat", "--array", "lumped", "--refold", 3, "--technology", "taox", "--r-source", 800),
        "periphery": ("--method", "periphery", "--scheme", "acm", "--bits", 4, "--nonlinearity", 2, "--nonlinearity-down", 1),
        "biased": (
            "--method", "biased", "--start", start, "--favourable", "0,1,2", "--encoding", "differential",
            "--weight-scale", "layer", "--restrict-at", "straight",
        ),
        "insitu": ("--method", "insitu", "--algorithm", "tiki-taka", "--switching", "reram_sb", "--bit-length", 4),
    }  # fmt: skip
    return {name: (*tiny, "--epochs", 3, *words) for name, words in own.items()}
