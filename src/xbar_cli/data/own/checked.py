"""From what a file holds to the arrays of a data set: the task, classes, both parts, and everything that can be wrong."""

from dataclasses import dataclass, replace
from typing import Any, assert_never

import numpy as np

from xbar_cli.data.batches import validation_split
from xbar_cli.data.own.raw import Ingest, Raw, Rows
from xbar_cli.errors import DataError
from xbar_cli.outside import quoted
from xbar_cli.tasks import Task

MOST_CLASSES = 100_000
MOST_NAMED = 10


@dataclass(frozen=True)
class Checked:
    """A data set, as it is kept.

    Attributes:
        task: what is asked for.
        train: inputs and labels.
        test: inputs and labels.
        class_names: of classes and tokens, or of the numbers of a regression.
        identical: test inputs that are training inputs too.
        facts: what else is known of it.
    """

    task: Task
    train: Rows
    test: Rows
    class_names: tuple[str, ...]
    identical: int
    facts: dict[str, Any]


def checked(raw: Raw, wanted: Ingest, *, where: str) -> Checked:
    """The data set in what was read.

    Raises:
        DataError: with the place `where` and the first thing that is wrong with it.
    """
    task = wanted.task or task_of(raw.train)
    parts = [_with_inputs(part, task, where=where) for part in (raw.train, raw.test) if part is not None]
    parts, names = _answered(parts, raw, task, wanted.classes, where=where)
    train, test = parts if len(parts) == 2 else _divided(parts[0], task, wanted, where=where)
    _require_alike(train, test, where=where)
    if task == "classification" and wanted.classes is None:
        _require_every_class(train, test, names, where=where)
    identical, facts = _identical(train.x, test.x), dict(raw.facts)
    if wanted.standardise:
        train, test, more = _standardised(train, test, task, where=where)
        facts |= more
    return Checked(task, train, test, names, identical, facts)


def _answered(
    parts: list[Rows], raw: Raw, task: Task, classes: int | None, *, where: str
) -> tuple[list[Rows], tuple[str, ...]]:
    """The parts with labels as the task has them, and the names of the outputs."""
    if classes is not None and task not in ("classification", "labelling"):
        raise DataError(f"{where}: classes = {classes} says nothing of task {task}")
    match task:
        case "regression":
            parts = [_with_numbers(part, where=where) for part in parts]
            return parts, _number_names(raw, parts[0], where=where)
        case "classification" | "labelling":
            return _with_classes(parts, raw, task, classes, where=where)
        case "next_token":
            parts = [_with_next(part, where=where) for part in parts]
            return parts, raw.class_names or _token_names(parts)
        case _:
            assert_never(task)


def task_of(part: Rows) -> Task:
    """The task that labels look like: numbers, classes, classes of places; without labels, tokens that follow."""
    if part.y is None:
        return "next_token"
    if part.y.dtype.kind == "f" and not _whole(part.y):
        return "regression"
    return "classification" if part.y.ndim == 1 else "labelling"


def _whole(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all() and (values == np.rint(values)).all())


def _with_inputs(part: Rows, task: Task, *, where: str) -> Rows:
    """The part with inputs as uint8 pictures, float32 numbers or int32 tokens."""
    x, y = part.x, part.y
    if x.dtype.kind not in "fbiu":
        raise DataError(f"{where}: x is of type {quoted(str(x.dtype))}; numbers are wanted")
    if x.ndim < 2:
        raise DataError(f"{where}: x has shape {list(x.shape)}; [rows …] of two or more axes is wanted")
    if not x.size:
        raise DataError(f"{where}: an empty part: x has shape {list(x.shape)}")
    if y is not None and len(y) != len(x):
        raise DataError(f"{where}: x has {len(x)} rows and y has {len(y)}")
    if task == "next_token" and x.dtype.kind not in "biu":
        raise DataError(f"{where}: task next_token takes whole numbers as tokens, and x is {x.dtype}")
    if x.dtype.kind in "fb":
        _require_finite(x, "x", where=where)
        with np.errstate(over="ignore"):
            x = x.astype(np.float32)
        _require_finite(x, "x as float32", where=where)
    elif x.dtype != np.uint8 or task == "next_token":
        if x.min() < 0 or x.max() > np.iinfo(np.int32).max:
            raise DataError(
                f"{where}: x holds whole numbers, which are tokens from 0 on, and {x.min()} … {x.max()} are there"
            )
        x = x.astype(np.int32)
    return replace(part, x=x)


def _require_finite(values: np.ndarray, name: str, *, where: str) -> None:
    if not (good := np.isfinite(values)).all():
        at = tuple(int(k) for k in np.argwhere(~good)[0])
        count = int(good.size - good.sum())
        raise DataError(f"{where}: {name} has {values[at]} in row {at[0]} (place {list(at[1:])}; {count} such values)")


def _with_numbers(part: Rows, *, where: str) -> Rows:
    if part.y is None or part.y.dtype.kind not in "fbiu":
        raise DataError(f"{where}: task regression wants numbers as labels")
    y = part.y.reshape(len(part.y), -1).astype(np.float32)
    _require_finite(y, "y", where=where)
    return replace(part, y=y)


def _number_names(raw: Raw, train: Rows, *, where: str) -> tuple[str, ...]:
    assert train.y is not None
    if not np.var(train.y, axis=0).all():
        raise DataError(f"{where}: a number that is asked for is the same in every row")
    return tuple(raw.facts.get("label") or (f"y{k + 1}" for k in range(train.y.shape[1])))


def _with_next(part: Rows, *, where: str) -> Rows:
    """Tokens [n places], and those that follow them."""
    if part.y is None:
        if part.x.shape[1] < 2:
            raise DataError(f"{where}: sequences of one token have none that follows")
        return Rows(np.ascontiguousarray(part.x[:, :-1]), np.ascontiguousarray(part.x[:, 1:]))
    if part.y.shape != part.x.shape or part.y.dtype.kind not in "ui" or part.y.min() < 0:
        raise DataError(f"{where}: task next_token wants y, if any, as tokens of the shape of x, {list(part.x.shape)}")
    return replace(part, y=part.y.astype(np.int32))


def _token_names(parts: list[Rows]) -> tuple[str, ...]:
    largest = max(int(array.max()) for part in parts for array in (part.x, part.y) if array is not None)
    return tuple(map(str, range(largest + 1)))


def _with_classes(
    parts: list[Rows], raw: Raw, task: Task, classes: int | None, *, where: str
) -> tuple[list[Rows], tuple[str, ...]]:
    """The parts with labels from 0 on, and the names of the classes: texts and a table's values are names, numbers count."""
    labels = [part.y for part in parts]
    for part, y in zip(parts, labels, strict=True):
        places = y.shape[1:] if y is not None else ()
        ranks = 1 + len(places)
        fits = ranks == 1 if task == "classification" else ranks > 1 and places == part.x.shape[1:ranks]
        if y is None or not fits:
            shape = None if y is None else list(y.shape)
            wanted = "[rows]" if task == "classification" else "[rows places], places as the inputs have"
            raise DataError(
                f"{where}: task {task} wants labels of shape {wanted}, got {shape}; x has {list(part.x.shape)}"
            )
    given: list[np.ndarray] = [y for y in labels if y is not None]
    if raw.named or given[0].dtype.kind in "US":
        if classes is not None:
            raise DataError(
                f"{where}: classes = {classes} goes with labels that are whole numbers, and these are texts"
            )
        names = tuple(_in_order({str(v) for y in given for v in np.unique(y)}))
        codes = {name: code for code, name in enumerate(names)}
        given = [np.vectorize(lambda v: codes[str(v)], otypes=[np.int32])(y) for y in given]
    else:
        top = max(_top(y, where=where) for y in given)
        if classes is not None and top >= classes:
            raise DataError(f"{where}: label {top} lies outside 0 … {classes - 1} of classes = {classes}")
        names = raw.class_names or tuple(map(str, range(classes or top + 1)))
        if classes is None and (
            absent := sorted(set(range(len(names))) - {int(v) for y in given for v in np.unique(y)})
        ):
            raise DataError(
                f"{where}: no row is of class {absent[0]}, and labels go up to {top}; number them from 0 on, or give `classes`"
            )
    if len(names) < 2:
        raise DataError(f"{where}: all rows are of one class, {quoted(next(iter(names), None))}")
    return [replace(part, y=y.astype(np.int32)) for part, y in zip(parts, given, strict=True)], names


def _in_order(names: set[str]) -> list[str]:
    """Numbers by size, else texts by letters."""
    try:
        return sorted(names, key=float)
    except ValueError:
        return sorted(names)


def _top(y: np.ndarray, *, where: str) -> int:
    """The largest label."""
    if y.dtype.kind not in "fbiu" or not _whole(y.astype(np.float64)):
        raise DataError(f"{where}: labels are whole numbers from 0 on, or texts; y is {y.dtype}")
    if y.min() < 0 or y.max() >= MOST_CLASSES:
        raise DataError(f"{where}: label {y.min() if y.min() < 0 else y.max()} lies outside 0 … {MOST_CLASSES - 1}")
    return int(y.max())


def _divided(whole: Rows, task: Task, wanted: Ingest, *, where: str) -> tuple[Rows, Rows]:
    """Training and test part: every class in proportion, drawn by the seed."""
    assert whole.y is not None
    labels = whole.y if task == "classification" else None
    try:
        train, test = validation_split(len(whole.x), fraction=wanted.test_fraction, seed=wanted.seed, labels=labels)
    except ValueError as error:
        raise DataError(f"{where}: no test part of {wanted.test_fraction:g}: {error}") from None
    if not len(test):
        raise DataError(f"{where}: an empty part: a test part of {wanted.test_fraction:g} has no rows")
    return Rows(whole.x[train], whole.y[train]), Rows(whole.x[test], whole.y[test])


def _require_alike(train: Rows, test: Rows, *, where: str) -> None:
    if train.x.shape[1:] != test.x.shape[1:] or train.x.dtype != test.x.dtype:
        raise DataError(
            f"{where}: training inputs are {train.x.dtype} {list(train.x.shape[1:])} and test inputs {test.x.dtype} "
            f"{list(test.x.shape[1:])}"
        )
    assert train.y is not None
    assert test.y is not None
    if train.y.shape[1:] != test.y.shape[1:]:
        raise DataError(
            f"{where}: labels have {list(train.y.shape[1:])} places in training, {list(test.y.shape[1:])} in test"
        )


def _require_every_class(train: Rows, test: Rows, names: tuple[str, ...], *, where: str) -> None:
    for what, part in (("training", train), ("test", test)):
        assert part.y is not None
        absent = np.flatnonzero(np.bincount(part.y, minlength=len(names)) == 0)
        if len(absent):
            shown = quoted(", ".join(names[k] for k in absent[:MOST_NAMED]))
            raise DataError(
                f"{where}: the {what} part has no row of {len(absent)} of {len(names)} classes: {shown}; add rows of it, or "
                "leave the class out"
            )


def _identical(train: np.ndarray, test: np.ndarray) -> int:
    """Test inputs that are a training input to the last bit."""
    seen = {row.tobytes() for row in train}
    return sum(row.tobytes() in seen for row in test)


def _standardised(train: Rows, test: Rows, task: Task, *, where: str) -> tuple[Rows, Rows, dict[str, Any]]:
    """Every number of the inputs, and of a regression's labels, at mean 0 and deviation 1 over the training part."""
    if train.x.dtype != np.float32:
        raise DataError(f"{where}: standardise takes columns of numbers, and the inputs are {train.x.dtype}")
    assert train.y is not None
    assert test.y is not None
    mean, std = _moments(train.x)
    facts: dict[str, Any] = {"mean": mean.ravel().tolist(), "std": std.ravel().tolist()}
    y_train, y_test = train.y, test.y
    if task == "regression":
        y_mean, y_std = _moments(train.y)
        facts |= {"label_mean": y_mean.tolist(), "label_std": y_std.tolist()}
        y_train, y_test = ((y - y_mean) / y_std for y in (train.y, test.y))
    return Rows((train.x - mean) / std, y_train), Rows((test.x - mean) / std, y_test), facts


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each number [*shape]; 1 where all are the same."""
    mean, std = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    return mean.astype(np.float32), np.where(std > 0, std, 1).astype(np.float32)
