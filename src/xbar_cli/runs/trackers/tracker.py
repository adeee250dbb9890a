"""What a tracker is told of a run, and which there are."""

import importlib
import importlib.util
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from xbar_cli.errors import ConfigError

TrackerName = Literal["tensorboard", "mlflow", "wandb"]
TRACKERS: tuple[TrackerName, ...] = get_args(TrackerName)
PACKAGES: Mapping[TrackerName, str] = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}
"""What must be installed, which is also the name of our extra."""
IDENTITY = re.compile(r"[\w.+ -]{1,200}", re.ASCII)
"""An identity by which a tracker finds a run again: part of a path in some of them."""
MOST_VALUES = 200
"""Of a list in a line of metrics."""


class Tracker(Protocol):
    """Is told of one run."""

    def start(self, config: Mapping[str, Any], *, known: str | None) -> str:
        """Begin with the configuration by dotted key, or go on with the run of a `known` identity; returns the identity."""
        ...

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Figures of an epoch, as they come."""
        ...

    def finish(self, summary: Mapping[str, Any], artefacts: Sequence[Path]) -> None:
        """The run is complete: its summary, and files of it that are worth keeping."""
        ...

    def leave(self) -> None:
        """The run is interrupted, or failed: what was told is kept."""
        ...


@dataclass(frozen=True)
class Tracked:
    """The run as a tracker names and places it.

    Attributes:
        path: of the run.
        folder: beside the run, where trackers keep what they keep.
        command: that makes the run.
        parent: the identity, in this tracker, of the sweep that it is a run of.
    """

    path: Path
    folder: Path
    command: str
    parent: str | None = None

    @property
    def name(self) -> str:
        """The run's own, without where it lies."""
        return self.path.name


def require_installed(names: Sequence[TrackerName]) -> None:
    """Raise ConfigError where the package of a tracker is not there."""
    for name in names:
        if importlib.util.find_spec(PACKAGES[name]) is None:
            raise ConfigError(f"tracking by {name} needs a package that is not here: pip install 'xbar-cli[{name}]'")


def numbers_of(record: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers of a record by name; those of a list by name and place."""
    return {name: float(value) for name, value in _flat(record) if math.isfinite(value)}


def _flat(record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in record.items():
        if _is_number(value):
            yield name, value
        elif isinstance(value, list) and len(value) <= MOST_VALUES and all(map(_is_number, value)):
            yield from ((f"{name}/{number}", one) for number, one in enumerate(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
