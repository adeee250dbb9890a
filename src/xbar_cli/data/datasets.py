"""The data sets as arrays: `load(name, data_dir=…)`, and which of them are there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xbar_cli.data import catalogue
from xbar_cli.data.batches import DataInputs, Labels
from xbar_cli.data.bundled_set import COUNTS, bundled_path, read_bundled
from xbar_cli.data.catalogue import BUNDLED, SPECS, SPLITS, Spec
from xbar_cli.data.formats import check_labels
from xbar_cli.data.own import stored
from xbar_cli.data.prepared import Prepared, default_data_dir, inspect, read_cache, write_cache
from xbar_cli.errors import DataError
from xbar_cli.outside import did_you_mean, quoted
from xbar_cli.reporter import OnProgress
from xbar_cli.tasks import Task

__all__ = ["Dataset", "Status", "default_data_dir", "describe", "load", "names", "status"]

names = catalogue.names


@dataclass(frozen=True)
class Dataset:
    """One data set in memory; the arrays are read-only.

    Attributes:
        name: xbar's name of it.
        train_images: inputs [n *shape] in the order of the stored records: uint8 pictures [n h w c], upright, float32
            numbers of any shape, or int32 tokens.
        train_labels: what is asked for, by the task: int32 [n] classes 0 … n_classes − 1; float32 [n outputs] numbers;
            int32 [n places] classes or tokens, one at each place of the input.
        test_images: [m *shape].
        test_labels: as those of training.
        outputs: numbers that a network gives for an input, or at each place of it: classes, tokens, or numbers asked for.
        class_names: one for each class or token, or for each number of a regression.
        note: what every result computed on it has to say (a partial set, a choice of split); None when nothing.
        task: what is asked for.
    """

    name: str
    train_images: DataInputs
    train_labels: Labels
    test_images: DataInputs
    test_labels: Labels
    outputs: int
    class_names: tuple[str, ...]
    note: str | None
    task: Task = "classification"

    @property
    def n_classes(self) -> int:
        """Number of classes, or of tokens.

        Raises:
            ValueError: numbers are asked for, not classes.
        """
        if self.task == "regression":
            raise ValueError(f"data set {self.name} has no classes: its task is regression")
        return self.outputs


@dataclass(frozen=True)
class Status:
    """Whether a data set is there: numbers of images (None when not), where, and what is to be said or done."""

    name: str
    available: bool
    train: int | None
    test: int | None
    source: str | None
    note: str | None


def load(name: str, *, data_dir: Path | None) -> Dataset:
    """Load a data set: a bundled one, one of the user's own, or a prepared one from `data_dir`. Never uses the network.

    A prepared set is decoded once (seconds); a cache beside the records serves later starts.

    Args:
        name: one of `names()`, a bundled one, or one that was added to `data_dir`.
        data_dir: None takes `default_data_dir()`.

    Raises:
        DataError: an unknown name, a set that is not there (the message names the official files and the import
            command), or a damaged one.
    """
    if name == BUNDLED:
        arrays = {k: v.astype(np.int32) if k.endswith("labels") else v for k, v in read_bundled().items()}
        return _dataset(name, arrays, catalogue.FASHION_CLASSES, None)
    folder = data_dir or default_data_dir()
    if name not in names() and (found := stored.find(name, folder)) is not None:
        facts, arrays = stored.read(found)
        return _dataset(name, arrays, tuple(facts["class_names"]), facts.get("note"), task=facts["task"])
    if name not in names():
        known = (*names(), *stored.bundled(), *stored.own_names(folder))
        raise DataError(
            f"unknown data set {quoted(name)}{did_you_mean(name, known)}: it must be one of {', '.join(known)}; "
            "`xbar data add` makes one of your own"
        )
    spec = catalogue.find(name)
    prepared = inspect(spec, folder)
    arrays = read_cache(prepared, spec)
    if arrays is None:
        arrays = decode(prepared, spec)
        write_cache(prepared, arrays)
    return _dataset(name, arrays, spec.class_names, prepared.note(spec))


def decode(prepared: Prepared, spec: Spec, *, progress: OnProgress | None = None) -> dict[str, np.ndarray]:
    """The arrays of a `Dataset` from the records: labels from 0, images upright, labels and counts checked (else DataError)."""
    from xbar_cli.data.builders import read

    arrays = read(prepared.folder, spec, progress=progress)
    for split, count in zip(SPLITS, prepared.counts, strict=True):
        labels = arrays[f"{split}_labels"]
        if len(labels) != count:
            raise DataError(f"{prepared.folder}: {count} {split} records wanted, {len(labels)} found; import it again")
        where = f"{prepared.folder}, split {split}"
        check_labels(labels, first=spec.first_label, n_classes=len(spec.class_names), name=where)
        arrays[f"{split}_labels"] = (labels - spec.first_label).astype(np.int32)
        if spec.transposed:
            arrays[f"{split}_images"] = np.ascontiguousarray(arrays[f"{split}_images"].swapaxes(1, 2))
    return arrays


def status(data_dir: Path | None) -> list[Status]:
    """Which data sets are there, bundled first; reads a few small files only."""
    folder = data_dir or default_data_dir()
    rows = [Status(BUNDLED, bundled_path().is_file(), *COUNTS, str(bundled_path()), "inside the package")]
    for spec in SPECS:
        if not (folder / spec.folder).is_dir():
            rows.append(Status(spec.name, False, None, None, None, f"xbar data import {spec.name}"))
            continue
        try:
            prepared = inspect(spec, folder)
        except DataError as error:
            rows.append(Status(spec.name, False, None, None, None, str(error)))
        else:
            rows.append(Status(spec.name, True, *prepared.counts, str(prepared.folder), prepared.note(spec)))
    return rows + [_own_status(name, folder) for name in (*stored.bundled(), *stored.own_names(folder))]


def describe(name: str, *, data_dir: Path | None) -> dict[str, Any]:
    """What is known of a data set: of one's own what is kept with it, of any other its parts, shape and classes.

    Raises:
        DataError: as `load`.
    """
    found = None if name in names() else stored.find(name, data_dir or default_data_dir())
    if found is not None:
        return stored.read_facts(found) | {"out": str(found)}
    data = load(name, data_dir=data_dir)
    return {
        "name": name,
        "task": data.task,
        "train": len(data.train_images),
        "test": len(data.test_images),
        "shape": list(data.train_images.shape[1:]),
        "dtype": data.train_images.dtype.name,
        "outputs": data.outputs,
        "class_names": list(data.class_names),
        "note": data.note,
    }


def _own_status(name: str, data_dir: Path) -> Status:
    found = stored.find(name, data_dir)
    assert found is not None
    try:
        facts = stored.read_facts(found)
    except DataError as error:
        return Status(name, False, None, None, None, str(error))
    kind = f"{facts['task']}, {facts['dtype']} {facts['shape']} to {facts['outputs']}"
    inside = "inside the package" if name in stored.bundled() else "your own"
    said = "; ".join(filter(None, (inside, kind, facts.get("note"))))
    return Status(name, True, facts["train"], facts["test"], str(found), said)


def _dataset(
    name: str,
    arrays: dict[str, np.ndarray],
    class_names: tuple[str, ...],
    note: str | None,
    *,
    task: Task = "classification",
) -> Dataset:
    for array in arrays.values():
        array.setflags(write=False)
    parts = [arrays[f"{split}_{kind}"] for split in SPLITS for kind in ("images", "labels")]
    return Dataset(name, *parts, outputs=len(class_names), class_names=class_names, note=note, task=task)
