"""From official files, wherever they lie, to checked arrays of training and test images."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xbar_cli.data.archives import read_archive, read_file
from xbar_cli.data.catalogue import SPECS, SPLITS, Spec, wanted_files
from xbar_cli.data.formats import GZIP_MAGIC, check_labels, gunzip, parse_cifar, parse_idx
from xbar_cli.errors import DataError

_SUBFOLDERS = ("", "cifar-10-batches-bin", "cifar-100-binary", "gzip")
_TELLING = 20
"""Labels that tell one set from another: by chance they are the same once in 10^20."""
_PYTHON_VERSIONS = (
    "cifar-10-python.tar.gz",
    "cifar-10-batches-py",
    "cifar-100-python.tar.gz",
    "cifar-100-python",
)


@dataclass(frozen=True)
class Split:
    """The records of one split as the official files hold them, in their order.

    Attributes:
        images: uint8 [n h w c].
        labels: uint8 [n], counted from the set's first label.
        coarse: uint8 [n] superclasses, where the set has them.
    """

    images: np.ndarray
    labels: np.ndarray
    coarse: np.ndarray | None = None


def debian_fashion_mnist() -> Path | None:
    """The folder of Debian's package dataset-fashion-mnist; None when it is not installed."""
    shares = os.environ.get("XDG_DATA_DIRS", "").split(os.pathsep)
    for share in (*shares, os.path.join(os.sep, "usr", "share")):
        folder = Path(share) / "datasets" / "fashion-mnist"
        if share and (folder / "train-images-idx3-ubyte.gz").is_file():
            return folder
    return None


def locate(spec: Spec, source: Path, *, allow_partial: bool) -> dict[str, Path]:
    """The official files in `source`, a directory or the official archive: file or archive name -> path.

    Loose files go before the archive. With `allow_partial` CIFAR batches may be missing, but one of each split must be
    there. DataError names the files that are missing.
    """
    if source.is_file():
        if spec.archive is None:
            raise DataError(f"{source} is a file: give the directory that holds {wanted_files(spec)}")
        if source.name in _PYTHON_VERSIONS:
            raise DataError(_pickled(spec, source))
        return {spec.archive: source}
    if not source.is_dir():
        raise DataError(f"{source}: no such directory; it should hold {wanted_files(spec)}")
    found = {name: path for split in spec.members for name in split if (path := _member(source, name))}
    missing = [name for split in spec.members for name in split if name not in found]
    enough = all(any(name in found for name in split) for split in spec.members) and spec.layout == "cifar"
    if not missing or (allow_partial and enough):
        return found
    if spec.archive and (source / spec.archive).is_file():
        return {spec.archive: source / spec.archive}
    for name in _PYTHON_VERSIONS:
        if spec.layout == "cifar" and (source / name).exists():
            raise DataError(_pickled(spec, source / name))
    fewer = "; fewer batches are a partial set, which must be allowed" if enough else ""
    raise DataError(f"{source}: {spec.name} is incomplete: no {', '.join(missing)}; wanted {wanted_files(spec)}{fewer}")


def _pickled(spec: Spec, path: Path) -> str:
    return f"{path}: the python version holds pickles, which xbar does not open: get the binary one, {spec.archive}"


def _member(source: Path, name: str) -> Path | None:
    """The file `name` in `source`: packed or not, in the archive's own folder or not, also spelt with a dot for idx."""
    spellings = (name, name.replace("-idx", ".idx"))
    for folder in _SUBFOLDERS:
        for spelling in spellings:
            for suffix in (".gz", ""):
                path = source / folder / (spelling + suffix)
                if path.is_file():
                    return path
    return None


def sha256_sums(files: Mapping[str, Path]) -> dict[str, str]:
    """File name -> sha256 of the file as it lies there."""
    sums = {}
    for path in files.values():
        with path.open("rb") as file:
            sums[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def are_official(spec: Spec, sums: Mapping[str, str]) -> bool:
    """Whether the files are the official ones, all of them (loose members of an archive have no registered sha256)."""
    return sorted(sums.values()) == sorted(file.sha256 for file in spec.official)


def check_whose(spec: Spec, files: Mapping[str, Path], sums: Mapping[str, str], splits: Mapping[str, Split]) -> None:
    """Refuse the files of another set under the same names: by their registered sha256, or packed anew by their first labels.

    `files` says where each lies, as `locate` gives it, `sums` the sha256 of each by its own name, `splits` what they hold.
    """
    registered = {file.sha256: other for other in SPECS for file in other.official}
    for path in files.values():
        other = registered.get(sums[path.name], spec)
        if other is not spec:
            raise DataError(f"{path} is {other.name}'s {path.name}, not {spec.name}'s; {_instead(other)}")
    for number, split in enumerate(SPLITS):
        labels = "".join(str(label) for label in splits[split].labels[:_TELLING])
        for other in SPECS:
            theirs = other.first_labels[number] if other.first_labels else ""
            if other is not spec and len(labels) == _TELLING and labels == theirs[:_TELLING]:
                raise DataError(
                    f"the {split} labels begin with {labels}, as {other.name}'s do, not {spec.name}'s; {_instead(other)}"
                )


def _instead(other: Spec) -> str:
    return f"import them as what they are, by `xbar data import {other.name}`"


def read_splits(spec: Spec, files: Mapping[str, Path], *, allow_partial: bool) -> dict[str, Split]:
    """The checked content of the files that `locate` found (or that were downloaded).

    DataError for a file that is truncated, damaged, of another format, with wrong labels, or with another number of images
    than the official one (fewer are taken with `allow_partial`).
    """
    wanted = [name for split in spec.members for name in split]
    path = files.get(spec.archive or "")
    if path is not None:
        contents = read_archive(path, wanted=wanted, limit=spec.member_limit, official_size=spec.official[0].size)
        where = {name: f"{path}: {name}" for name in wanted}
        absent = [name for name in wanted if name not in contents]
        if absent and not allow_partial:
            raise DataError(f"{path}: the archive holds no {', '.join(absent)}")
    else:
        contents = {name: read_file(path, limit=spec.member_limit) for name, path in files.items()}
        where = {name: str(path) for name, path in files.items()}
    splits = {}
    for split, members, official in zip(SPLITS, spec.members, spec.counts, strict=True):
        read = _read_idx if spec.layout == "idx" else _read_cifar
        splits[split] = read(spec, [(where[name], contents[name]) for name in members if name in contents], split)
        _check_count(spec, split, len(splits[split].labels), official, allow_partial)
    return splits


def _check_count(spec: Spec, split: str, found: int, official: int, allow_partial: bool) -> None:
    if found > official:
        raise DataError(f"{spec.name}: {found} {split} images found, more than the official {official}; refused")
    if found < official and not allow_partial:
        raise DataError(
            f"{spec.name}: {official} {split} images wanted, {found} found; a partial set must be allowed, "
            "and says what it is"
        )


def _read_idx(spec: Spec, contents: list[tuple[str, bytes]], split: str) -> Split:
    if len(contents) != 2:
        raise DataError(f"{spec.name}: the {split} split needs both an image and a label file")
    arrays = []
    for n_dimensions, (name, content) in zip((3, 1), contents, strict=True):
        complete = True
        if content.startswith(GZIP_MAGIC):
            content, complete = gunzip(content, limit=spec.member_limit, name=name)
        arrays.append(parse_idx(content, n_dimensions=n_dimensions, name=name, complete=complete))
    images, labels = arrays
    (image_name, _), (label_name, _) = contents
    if images.shape[1:] != spec.shape[:2]:
        raise DataError(f"{image_name}: images must be {spec.shape[:2]} pixels, found {images.shape[1:]}")
    if len(images) != len(labels):
        raise DataError(f"{label_name}: {len(images)} labels wanted, one for each image, found {len(labels)}")
    if not len(images):
        raise DataError(f"{image_name}: holds no images")
    check_labels(labels, first=spec.first_label, n_classes=len(spec.class_names), name=label_name)
    return Split(images[..., None], labels)


def _read_cifar(spec: Spec, contents: list[tuple[str, bytes]], split: str) -> Split:
    if not contents:
        raise DataError(f"{spec.name}: no file of the {split} split")
    images, labels = [], []
    for name, content in contents:
        file_labels, file_images = parse_cifar(content, label_bytes=spec.label_bytes, shape=spec.shape, name=name)
        check_labels(file_labels[:, -1], first=spec.first_label, n_classes=len(spec.class_names), name=name)
        if spec.coarse_names:
            check_labels(file_labels[:, 0], first=0, n_classes=len(spec.coarse_names), name=name)
        images.append(file_images)
        labels.append(file_labels)
    all_labels = np.concatenate(labels)
    coarse = all_labels[:, 0] if spec.coarse_names else None
    return Split(np.concatenate(images), all_labels[:, -1], coarse)
