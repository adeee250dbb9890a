"""`xbar data`: JSON, tables, help and errors; starts without NumPy, JAX or TFDS."""

import gzip
import json
import socket
import struct
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from xbar_cli.cli.data import data
from xbar_cli.errors import DataError


@pytest.fixture
def mnist_files(tmp_path):
    source = tmp_path / "official"
    source.mkdir()
    rng = np.random.default_rng(0)
    for prefix, n in (("train", 8), ("t10k", 4)):
        images = struct.pack(">4I", 0x0803, n, 28, 28) + rng.integers(0, 256, n * 784, dtype=np.uint8).tobytes()
        labels = struct.pack(">2I", 0x0801, n) + rng.integers(0, 10, n, dtype=np.uint8).tobytes()
        (source / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (source / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    return source


def invoke(*arguments):
    return CliRunner().invoke(data, [str(argument) for argument in arguments], catch_exceptions=False)


def test_import_then_ls(mnist_files, tmp_path):
    folder = tmp_path / "data"
    result = invoke("import", "mnist", "--from", mnist_files, "--allow-partial", "--data-dir", folder, "--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert json.loads(result.stdout) == {
        "name": "mnist",
        "train": 8,
        "test": 4,
        "official_checksums": False,
        "out": str(folder / "mnist" / "3.0.1"),
        "partial": True,
    }
    listing = json.loads(invoke("ls", "--data-dir", folder, "--json").stdout)
    assert listing["data_dir"] == str(folder)
    rows = {row.pop("name"): row for row in listing["datasets"]}
    assert rows["mnist"] == {
        "available": True,
        "train": 8,
        "test": 4,
        "source": str(folder / "mnist" / "3.0.1"),
        "note": "partial: 8 of 60000 training and 4 of 10000 test images",
    }
    assert rows["fashion_mnist_mini"]["available"]
    assert rows["cifar10"] == {
        "available": False,
        "train": None,
        "test": None,
        "source": None,
        "note": "xbar data import cifar10 --from DIR",
    }
    assert "8" in invoke("ls", "--data-dir", folder).stdout
    again = json.loads(invoke("prepare", "mnist", "--data-dir", folder, "--json").stdout)
    assert (again["train"], again["partial"]) == (8, True)


def test_failures_are_data_errors(mnist_files, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="60000 train images wanted, 8 found"):
        invoke("import", "mnist", "--from", mnist_files, "--data-dir", tmp_path / "data")
    with pytest.raises(DataError, match="unknown data set 'nist'"):
        invoke("prepare", "nist", "--data-dir", tmp_path / "data")

    def lookup(*args, **kwargs):
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DataError, match=r"no network.*`xbar data import cifar10` from their folder"):
        invoke("prepare", "cifar10", "--data-dir", tmp_path / "data")


@pytest.mark.parametrize("command", [(), ("ls",), ("import",), ("prepare",)])
def test_help_ends_with_an_example(command):
    result = invoke(*command, "-h")
    assert result.exit_code == 0
    assert result.stdout.strip().splitlines()[-1].strip().startswith("Example: xbar data")


def test_importing_the_command_loads_nothing_heavy():
    code = (
        "import sys, xbar_cli.cli.data; "
        "print([name for name in ('jax', 'numpy', 'tensorflow_datasets', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
