"""The data set inside the package: `fashion_mnist_mini`, 4000 training and 1000 test images of Fashion-MNIST.

Its licence (MIT, Zalando SE) lies beside it in `bundled/`; `scripts/make_fashion_mnist_mini.py` makes it.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from xbar_cli.data.npz import DAMAGED, read_npz
from xbar_cli.errors import DataError

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
COUNTS = (4000, 1000)
SHA256 = "1f552d36005d3b33f115133ed7d661f4c022571a3470cbaa9b5055973567dba1"
"""Of the content of the four arrays: what the script prints."""


def bundled_path() -> Path:
    """Where the file lies."""
    return Path(__file__).parent / "bundled" / "fashion_mnist_mini.npz"


def content_sha256(arrays: Mapping[str, np.ndarray]) -> str:
    """The sha256 of the arrays' content and shapes, whatever the compression around it."""
    digest = hashlib.sha256()
    for name in ARRAYS:
        digest.update(f"{name} {arrays[name].dtype.name} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def read_bundled() -> dict[str, np.ndarray]:
    """The four arrays, all uint8. Raises DataError where the file is missing or damaged."""
    path = bundled_path()
    try:
        arrays = read_npz(path, ARRAYS)
    except DAMAGED as error:
        raise DataError(f"{path}: the bundled data set is missing or damaged ({error}); reinstall xbar-cli") from error
    if content_sha256(arrays) != SHA256:
        raise DataError(f"{path}: the bundled data set is not the one that was shipped; reinstall xbar-cli")
    return arrays
