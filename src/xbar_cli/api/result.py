"""What a function of the package returns: a complete run, with its figures and its dataset."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Result:
    """A complete run. The figures of its summary are attributes, and items: `result["path"]` where the name is taken.

    Attributes:
        path: its folder, which every command takes.
        summary: its figures by name, in SI units: what the command prints as JSON.
    """

    path: Path
    summary: Mapping[str, Any] = field(repr=False)

    @cached_property
    def dataset(self) -> "xr.Dataset | None":
        """Its results.nc, in memory, with named coordinates and units; None of a run without one.

        Raises:
            RunError: it is damaged.
        """
        from xbar_cli.runs.results import RESULTS, read_dataset

        file = self.path / RESULTS
        return read_dataset(file) if file.exists() else None

    def __getitem__(self, name: str) -> Any:
        """A figure of the summary."""
        return self.summary[name]

    def __getattr__(self, name: str) -> Any:
        """A figure of the summary."""
        if name.startswith("__") or name == "summary" or name not in self.summary:
            raise AttributeError(f"{type(self).__name__} has no {name!r}")
        return self.summary[name]

    def __dir__(self) -> list[str]:
        """Its own names, and the figures."""
        return [*super().__dir__(), *self.summary]

    def __fspath__(self) -> str:
        """Its folder: a result is a path wherever one is taken."""
        return str(self.path)
