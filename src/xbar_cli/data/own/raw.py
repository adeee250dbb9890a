"""What a file or folder holds before anything of it is checked, and what is asked of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xbar_cli.tasks import Task

LARGEST_BYTES = 4 * 2**30
"""Of the arrays of a set in memory."""


@dataclass(frozen=True)
class Ingest:
    """What is asked of a file; each reader uses what it can, and refuses the rest by `only`.

    Attributes:
        task: None to tell it by the labels.
        label: columns of a table that hold what is asked for; none for the last one.
        columns: of a table that are inputs; none for all others.
        header: whether the first row of a table names its columns.
        length: places of a sequence: characters of a text, samples of a sound; None for 64, or for the longest sound.
        size: [height width] that pictures are brought to; None where all have one.
        rate: of sounds [Hz]; None for that of the first.
        classes: outputs of a network that is there already, of which arrays hold rows of some alone; None where every class
            must have its rows.
        test_fraction: share of the rows that test, where the file says nothing of it.
        seed: of the split.
        standardise: whether each number is brought to mean 0 and standard deviation 1 over the training part.
    """

    task: Task | None = None
    label: Sequence[str] = ()
    columns: Sequence[str] = ()
    header: bool = True
    length: int | None = None
    size: tuple[int, int] | None = None
    rate: int | None = None
    classes: int | None = None
    test_fraction: float = 0.2
    seed: int = 0
    standardise: bool = False


@dataclass(frozen=True)
class Rows:
    """Inputs [n *shape] and what is asked for [n …]; labels are None where the inputs are their own (next_token)."""

    x: np.ndarray
    y: np.ndarray | None


@dataclass(frozen=True)
class Raw:
    """What was read.

    Attributes:
        train: training rows, or all of them.
        test: test rows; None where they are to be split off.
        class_names: where the source has them.
        named: whether labels are names, whatever their values: of a table and of folders.
        facts: what else is kept with the set.
    """

    train: Rows
    test: Rows | None
    class_names: tuple[str, ...] | None = None
    named: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
