"""Results as files: results.nc (xarray through h5netcdf) and model.safetensors. No time, path or version in them."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from xbar_cli.errors import RunError

RESULTS = "results.nc"
MODEL = "model.safetensors"
FORMAT = 1
"""Version of the layout of results.nc, in its attribute `xbar_format`."""


def variable(dims: tuple[str, ...], values: Any, *, unit: str, long_name: str) -> xr.Variable:
    """A variable or coordinate with its unit (`1` for a pure number)."""
    return xr.Variable(dims, np.asarray(values), {"units": unit, "long_name": long_name})


def warm_up() -> None:
    """Import what xarray imports only with its first variable and its first file: dask and distributed."""
    variable((), 0.0, unit="1", long_name="none")
    importlib.import_module("distributed")


def write_dataset(path: Path, dataset: xr.Dataset) -> None:
    """Write results.nc: the same bytes for the same values."""
    dataset.attrs["xbar_format"] = FORMAT
    dataset.to_netcdf(path, engine="h5netcdf")
    with h5py.File(path, "a") as file:
        file.attrs.pop("_NCProperties", None)


def read_dataset(path: Path) -> xr.Dataset:
    """Read results.nc into memory.

    Raises:
        RunError: missing, damaged, or written by a newer version.
    """
    try:
        with xr.open_dataset(path, engine="h5netcdf") as dataset:
            loaded = dataset.load()
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{path} is missing or damaged ({str(error).splitlines()[0]})") from None
    found = int(loaded.attrs.get("xbar_format", 0))
    if not 1 <= found <= FORMAT:
        raise RunError(f"{path} has format {found}; this version reads formats up to {FORMAT}")
    return loaded


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], *, metadata: Mapping[str, str] | None = None) -> None:
    """Write arrays by name as safetensors."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in sorted(tensors.items())}
    save_file(contiguous, path, metadata=dict(metadata) if metadata else None)


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Read arrays by name.

    Raises:
        RunError: missing or damaged.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} is missing or damaged ({error})") from None
