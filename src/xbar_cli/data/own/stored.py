"""A data set of one's own as it is kept: `set.json` says what it is, `arrays.npz` holds its arrays; the bundled ones too."""

import json
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from xbar_cli.data.catalogue import SPLITS
from xbar_cli.data.known import BUNDLED_FOLDER, FACTS, FOLDER
from xbar_cli.data.known import bundled as bundled
from xbar_cli.data.npz import DAMAGED, member
from xbar_cli.data.own.raw import LARGEST_BYTES
from xbar_cli.errors import ConfigError, DataError
from xbar_cli.outside import MEGABYTE, quoted, read_json, require_file
from xbar_cli.tasks import Task

ARRAYS = "arrays.npz"
KEYS = tuple(f"{split}_{kind}" for split in SPLITS for kind in ("images", "labels"))
TOKENS = tuple(f"{split}_tokens" for split in SPLITS)
"""In the place of inputs and labels that are the same tokens, one place apart."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def folder_of(name: str, data_dir: Path) -> Path:
    """Where the set called `name` is kept."""
    return data_dir / FOLDER / name


def find(name: str, data_dir: Path) -> Path | None:
    """The folder of a set, bundled or one's own; None where there is none of that name."""
    if NAME.fullmatch(name) is None:
        return None
    folder = BUNDLED_FOLDER / name if name in bundled() else folder_of(name, data_dir)
    return folder if os.path.lexists(folder / FACTS) else None


def own_names(data_dir: Path) -> tuple[str, ...]:
    """The names of the sets that were added to `data_dir`."""
    found = (path.parent.name for path in (data_dir / FOLDER).glob(f"*/{FACTS}"))
    return tuple(sorted(name for name in found if find(name, data_dir) is not None))


def write(folder: Path, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a set into a folder that is not there yet: the same set gives the same bytes."""
    folder.mkdir(parents=True)
    text = json.dumps(dict(facts), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / FACTS).write_text(text + "\n", encoding="utf-8")
    with zipfile.ZipFile(folder / ARRAYS, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for key, array in (_joined(arrays) or arrays).items():
            member = zipfile.ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type, member.create_system, member.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)


def _joined(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """Sequences [n places + 1] in the place of tokens and those that follow them; None where labels are others."""
    found = {}
    for split, key in zip(SPLITS, TOKENS, strict=True):
        x, y = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        if x.dtype != np.int32 or x.shape != y.shape or x.ndim != 2 or not np.array_equal(x[:, 1:], y[:, :-1]):
            return None
        tokens = np.concatenate([x, y[:, -1:]], axis=1)
        found[key] = tokens.astype(np.uint8) if tokens.max() < 256 else tokens
    return found


def _parted(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Inputs and labels of `write`; KeyError where some are missing."""
    if TOKENS[0] not in arrays:
        return {key: arrays[key] for key in KEYS}
    tokens = [arrays[key].astype(np.int32) for key in TOKENS]
    parts = [np.ascontiguousarray(part) for whole in tokens for part in (whole[:, :-1], whole[:, 1:])]
    return dict(zip(KEYS, parts, strict=True))


def read_facts(folder: Path) -> dict[str, Any]:
    """What `set.json` says.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        facts = read_json(folder / FACTS, most=64 * MEGABYTE)
        good = (
            facts["task"] in get_args(Task)
            and all(isinstance(name, str) for name in facts["class_names"])
            and len(facts["class_names"]) == facts["outputs"] >= 1
            and all(isinstance(facts[key], int) and facts[key] >= 1 for key in SPLITS)
            and isinstance(facts["shape"], list)
            and facts["dtype"] in ("uint8", "float32", "int32")
            and isinstance(facts.get("note"), str | None)
        )
    except (ConfigError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: {FACTS} is damaged ({quoted(str(error))}); add the data set anew") from None
    if not good:
        raise DataError(f"{folder}: {FACTS} is damaged; add the data set anew")
    return facts


def read(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a set is, and its arrays.

    Raises:
        DataError: a file is missing or damaged, or the arrays are others than `set.json` says.
    """
    facts = read_facts(folder)
    try:
        require_file(folder / ARRAYS, most=LARGEST_BYTES)
        with (folder / ARRAYS).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = _parted({key: member(stored, key) for key in stored.files if key in (*KEYS, *TOKENS)})
    except (ConfigError, *DAMAGED) as error:
        raise DataError(f"{folder}: {ARRAYS} is missing or damaged ({quoted(str(error))}); add the set anew") from None
    label = np.float32 if facts["task"] == "regression" else np.int32
    for split in SPLITS:
        x, y = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        right = x.dtype == facts["dtype"] and [*x.shape] == [facts[split], *facts["shape"]]
        if not right or y.dtype != label or len(y) != len(x):
            raise DataError(f"{folder}: {ARRAYS} holds others than {FACTS} says; add the data set anew")
        if label == np.int32 and not 0 <= y.min() <= y.max() < facts["outputs"]:
            raise DataError(
                f"{folder}: {ARRAYS} holds labels outside 0 … {facts['outputs'] - 1}; add the data set anew"
            )
    return facts, arrays
