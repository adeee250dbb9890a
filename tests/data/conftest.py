"""Small data sets in the official formats."""

import gzip
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from xbar_cli.data.catalogue import SPLITS, Spec
from xbar_cli.data.sources import Split


def idx_bytes(array):
    header = struct.pack(f">{array.ndim + 1}I", 0x0800 + array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def cifar_bytes(split):
    labels = split.labels[:, None] if split.coarse is None else np.stack([split.coarse, split.labels], 1)
    planes = split.images.transpose(0, 3, 1, 2).reshape(len(split.labels), -1)
    return np.concatenate([labels, planes], axis=1).astype(np.uint8).tobytes()


def make_splits(spec: Spec, *, n_train=12, n_test=5, seed=0):
    rng = np.random.default_rng(seed)
    splits = {}
    for name, n in zip(SPLITS, (n_train, n_test), strict=True):
        labels = rng.integers(spec.first_label, spec.first_label + len(spec.class_names), n, dtype=np.uint8)
        coarse = rng.integers(0, len(spec.coarse_names), n, dtype=np.uint8) if spec.coarse_names else None
        splits[name] = Split(rng.integers(0, 256, (n, *spec.shape), dtype=np.uint8), labels, coarse)
    return splits


def official_members(spec: Spec, splits) -> dict[str, bytes]:
    """File name (without .gz) -> content; a CIFAR split goes into its first batch file."""
    contents = {}
    for members, split in zip(spec.members, splits.values(), strict=True):
        if spec.layout == "idx":
            contents[members[0]] = idx_bytes(split.images[..., 0])
            contents[members[1]] = idx_bytes(split.labels)
        else:
            contents[members[0]] = cifar_bytes(split)
    return contents


def write_official(spec: Spec, folder: Path, splits, *, how: str) -> Path:
    """Write the files as `plain`, `gz`, `tar` (the official tar.gz) or `zip` (EMNIST's zip of gz files)."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = official_members(spec, splits)
    if how == "tar":
        with tarfile.open(folder / spec.archive, "w:gz") as archive:
            for name, content in contents.items():
                path = folder / "member"
                path.write_bytes(content)
                archive.add(path, f"cifar-binary/{name}")
                path.unlink()
    elif how == "zip":
        with zipfile.ZipFile(folder / spec.archive, "w") as archive:
            archive.writestr("gzip/emnist-digits-train-labels-idx1-ubyte.gz", gzip.compress(b"another split"))
            for name, content in contents.items():
                archive.writestr(f"gzip/{name}.gz", gzip.compress(content, 1))
    else:
        for name, content in contents.items():
            if how == "gz":
                (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
            else:
                (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def official():
    """The makers of synthetic official files."""

    class Makers:
        splits = staticmethod(make_splits)
        write = staticmethod(write_official)
        members = staticmethod(official_members)

    return Makers
