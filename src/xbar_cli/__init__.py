"""xbar: neural networks on memristive crossbars, from training to accuracy, energy, area and latency."""

import sys
from types import ModuleType

from .api import (
    Result,
    characterize,
    compare,
    energy,
    evaluate,
    open_result,
    partition,
    place,
    to_crossbar,
    train,
)
from .errors import XbarError

__version__ = "0.1.0"
__all__ = [
    "Result",
    "XbarError",
    "characterize",
    "compare",
    "energy",
    "evaluate",
    "open_result",
    "partition",
    "place",
    "to_crossbar",
    "train",
]


class _Package(ModuleType):
    """This package: its functions `train` and `energy` stay theirs when the rooms of the same names are imported."""

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute, unless it is a room in the place of a function."""
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
