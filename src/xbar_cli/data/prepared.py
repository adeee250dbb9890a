"""What lies in a TFDS folder, told from its JSON files alone (no TFDS import), and the decoded cache beside it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xbar_cli.data.catalogue import SPLITS, Spec, import_again, wanted_files
from xbar_cli.data.known import default_data_dir as default_data_dir
from xbar_cli.data.npz import DAMAGED, read_npz, write_npz
from xbar_cli.errors import DataError
from xbar_cli.outside import quoted

CACHE_NAME = "xbar_cache.npz"
_CACHE_VERSION = 1
_ARRAY_RECORD = "array_record"


@dataclass(frozen=True)
class Prepared:
    """One prepared folder: its numbers of images and what was recorded when it was written.

    `official_checksums` is None when others than xbar prepared it.
    """

    folder: Path
    counts: tuple[int, int]
    official_checksums: bool | None

    def is_partial(self, spec: Spec) -> bool:
        """Whether images are missing against the official counts."""
        return self.counts not in (spec.counts, spec.other_counts)

    def note(self, spec: Spec) -> str | None:
        """What every result computed on this set has to say."""
        if self.is_partial(spec):
            return partial_note(spec, self.counts)
        if spec.other_counts is None:
            return None
        origin = "as published" if self.counts == spec.counts else "TFDS's cut of the published split"
        train, test = self.counts
        return f"{origin}: {len(spec.class_names)} classes, {train} training and {test} test images, turned upright"


def partial_note(spec: Spec, counts: tuple[int, int]) -> str:
    """How much of the official set is there."""
    (train, test), (all_train, all_test) = counts, spec.counts
    return f"partial: {train} of {all_train} training and {test} of {all_test} test images"


def inspect(spec: Spec, data_dir: Path) -> Prepared:
    """The prepared data set in `data_dir`.

    DataError where it is not there (the message names the files wanted and the command), not in array_record format, or files
    of it are missing.
    """
    folder = data_dir / spec.folder
    if not folder.is_dir():
        raise DataError(missing(spec, data_dir))
    info = _json(folder / "dataset_info.json")
    found_format = info.get("fileFormat", "unknown")
    again = import_again(spec)
    if found_format != _ARRAY_RECORD:
        raise DataError(f"{folder}: prepared in format {quoted(found_format)}, xbar reads {_ARRAY_RECORD}; {again}")
    try:
        lengths = {split["name"]: [int(n) for n in split["shardLengths"]] for split in info["splits"]}
        counts = sum(lengths["train"]), sum(lengths["test"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder}: dataset_info.json tells no train and test split; {again}") from error
    for split in SPLITS:
        n_shards = len(lengths[split])
        for shard in range(n_shards):
            file = folder / f"{spec.tfds_name}-{split}.{_ARRAY_RECORD}-{shard:05d}-of-{n_shards:05d}"
            if not file.is_file():
                raise DataError(f"{folder}: incomplete, no {file.name}; {again}")
    facts = _json(folder / "metadata.json") if (folder / "metadata.json").is_file() else {}
    return Prepared(folder, counts, facts.get("official_checksums"))


def missing(spec: Spec, data_dir: Path) -> str:
    """One line that says what to do about a data set that is not there."""
    return (
        f"data set {spec.name} is not in {data_dir}: get {wanted_files(spec)} and import them by "
        f"`xbar data import {spec.name}` from their folder (or, with a network, run `xbar data prepare {spec.name}`)"
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: missing or damaged; import the data set again") from error
    return value if isinstance(value, dict) else {}


def _fingerprint(prepared: Prepared) -> str:
    """Changes with every file of the prepared folder: names, sizes [byte], times of change [ns]."""
    files = sorted(path for path in prepared.folder.iterdir() if path.suffix == ".json" or _ARRAY_RECORD in path.name)
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return json.dumps([_CACHE_VERSION, facts])


def read_cache(prepared: Prepared, spec: Spec) -> dict[str, np.ndarray] | None:
    """The decoded arrays; None when there is no cache, or it is damaged or of other records."""
    path = prepared.folder / CACHE_NAME
    try:
        if str(read_npz(path, ["fingerprint"])["fingerprint"]) != _fingerprint(prepared):
            return None
        arrays = read_npz(path, [f"{split}_{kind}" for split in SPLITS for kind in ("images", "labels")])
    except DAMAGED:
        return None
    for split, count in zip(SPLITS, prepared.counts, strict=True):
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        right_images = images.dtype == np.uint8 and images.shape == (count, *spec.shape)
        if not right_images or labels.dtype != np.int32 or labels.shape != (count,):
            return None
    return arrays


def write_cache(prepared: Prepared, arrays: dict[str, np.ndarray]) -> bool:
    """Write the decoded arrays beside the records, and say whether: a read-only or full disk is no error."""
    try:
        write_npz(prepared.folder / CACHE_NAME, {"fingerprint": np.array(_fingerprint(prepared)), **arrays})
    except OSError:
        return False
    return True
