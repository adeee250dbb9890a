"""xbar: neural networks on memristive crossbars, from training to accuracy, energy, area and latency."""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import (
        Result,
        advise,
        characterize,
        compare,
        design,
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
    "advise",
    "characterize",
    "compare",
    "design",
    "energy",
    "evaluate",
    "open_result",
    "partition",
    "place",
    "to_crossbar",
    "train",
]


class _Package(ModuleType):
    """This package: functions are loaded when asked for, and stay theirs when rooms of their names are, as of `train`."""

    def __getattr__(self, name: str) -> Any:
        """One of the functions, at its first use: the command line needs none of them."""
        if name not in __all__:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        room = importlib.import_module(f"{self.__name__}.{'errors' if name == 'XbarError' else 'api'}")
        found = getattr(room, name)
        super().__setattr__(name, found)
        return found

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute, unless it is a room in the place of a function."""
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
