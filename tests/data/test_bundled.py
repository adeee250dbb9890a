"""The bundled subset: what it is, and that the script still makes it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from xbar_cli.data.bundled_set import SHA256, bundled_path, content_sha256, read_bundled
from xbar_cli.data.datasets import load
from xbar_cli.data.sources import debian_fashion_mnist
from xbar_cli.errors import DataError

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "make_fashion_mnist_mini.py"


def script():
    module_spec = importlib.util.spec_from_file_location("make_fashion_mnist_mini", SCRIPT)
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    return module


def test_bundled_set_is_balanced_small_and_read_only():
    mini = load("fashion_mnist_mini", data_dir=None)
    assert mini.train_images.shape == (4000, 28, 28, 1)
    assert mini.test_images.shape == (1000, 28, 28, 1)
    assert (mini.train_images.dtype, mini.train_labels.dtype) == (np.uint8, np.int32)
    assert np.all(np.bincount(mini.train_labels) == 400)
    assert np.all(np.bincount(mini.test_labels) == 100)
    assert mini.n_classes == len(mini.class_names) == 10
    assert mini.note is None
    assert bundled_path().stat().st_size <= 2_500_000
    with pytest.raises(ValueError, match="read-only"):
        mini.train_images[0] = 0
    licence = bundled_path().with_name("fashion_mnist_mini.LICENSE.txt").read_text()
    assert "Copyright (c) 2017 Zalando SE" in licence
    assert "WITHOUT WARRANTY OF ANY KIND" in licence


def test_other_pixels_are_refused(monkeypatch, tmp_path):
    arrays = read_bundled()
    np.savez(tmp_path / "other.npz", **{**arrays, "test_labels": arrays["test_labels"][::-1]})
    for content, match in (((tmp_path / "other.npz").read_bytes(), "not the one that was shipped"), (b"PK", "damaged")):
        (tmp_path / "used.npz").write_bytes(content)
        monkeypatch.setattr("xbar_cli.data.bundled_set.bundled_path", lambda: tmp_path / "used.npz")
        with pytest.raises(DataError, match=match):
            read_bundled()


def test_writing_gives_the_same_content_and_bytes(tmp_path, monkeypatch):
    """Same arrays, same bytes, at any time of day; NumPy reads them back."""
    arrays = {name: array[:50] for name, array in read_bundled().items()}
    script().write(arrays, tmp_path / "a.npz")
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    script().write(arrays, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as stored:
        assert content_sha256(dict(stored)) == content_sha256(arrays) != SHA256


@pytest.mark.skipif(debian_fashion_mnist() is None, reason="Debian's dataset-fashion-mnist is not installed")
def test_script_makes_the_bundled_set_from_debians_files():
    made = script().build(debian_fashion_mnist())
    for name, array in read_bundled().items():
        assert np.array_equal(made[name], array)
