"""Results as files: results.nc (netCDF through h5netcdf) and model.safetensors. No time, path or version in them.

xarray is imported where a dataset is wanted: it and what it loads cost a second, and writing does without.
"""

import contextlib
import hashlib
import io
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import h5netcdf
import h5py
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from xbar_cli.errors import ConfigError, RunError
from xbar_cli.outside import quoted, quoted_error, require_file
from xbar_cli.runs.seal import ANEW

if TYPE_CHECKING:
    import xarray as xr

RESULTS = "results.nc"
MODEL = "model.safetensors"
BY_IMAGE = "answered"
"""Of an evaluation by shares of right answers: what each test image adds to them, as a mean over the chips."""
LARGEST = 2**35
"""Bytes of a file of arrays."""
FORMAT = 1
"""Version of the layout of results.nc, in its attribute `xbar_format`."""


class Field(NamedTuple):
    """A variable of results.nc: what `xarray.Dataset` takes for one. It is a coordinate if it has its dimension's name."""

    dims: tuple[str, ...]
    values: np.ndarray
    attrs: Mapping[str, Any]


def field(dims: tuple[str, ...], values: Any, *, unit: str, long_name: str) -> Field:
    """A variable or coordinate with its unit (`1` for a pure number)."""
    return Field(dims, np.asarray(values), {"units": unit, "long_name": long_name})


def variable(dims: tuple[str, ...], values: Any, *, unit: str, long_name: str) -> "xr.Variable":
    """The same as xarray's own variable."""
    import xarray as xr

    return xr.Variable(*field(dims, values, unit=unit, long_name=long_name))


def write_dataset(path: Path, dataset: "xr.Dataset") -> None:
    """Write results.nc: the same bytes for the same values."""
    fields = {str(n): Field(tuple(map(str, v.dims)), v.values, v.attrs) for n, v in dataset.variables.items()}
    write_fields(path, fields, attributes=dataset.attrs)


def write_fields(path: Path, fields: Mapping[str, Field], *, attributes: Mapping[str, Any]) -> None:
    """Write results.nc from its variables and its own attributes: the same bytes for the same values.

    It is made in memory: HDF5 that meets a full disk takes the process with it.
    """
    made = io.BytesIO()
    sizes = {dim: n for v in fields.values() for dim, n in zip(v.dims, v.values.shape, strict=True)}
    with h5netcdf.File(made, "w") as file:
        file.dimensions.update(sizes)
        for name, (dims, values, attrs) in fields.items():
            texts = values.dtype.kind in "OU"
            kept = values.astype(object) if texts else values
            written = file.create_variable(name, dims, h5py.string_dtype() if texts else values.dtype, data=kept)
            written.attrs.update(attrs)
        file.attrs.update({**attributes, "xbar_format": FORMAT})
    with h5py.File(made, "a") as file:
        file.attrs.pop("_NCProperties", None)
    path.write_bytes(made.getvalue())


HEAP, HEAP_HEADER = b"GCOL", 16
"""Signature, and bytes of the header of a global heap and of each of its objects."""


def look_through(path: Path) -> None:
    """Read every header of an HDF5 file: damage is met here, where the readers above HDF5 leave nothing half open."""
    require_heaps(Path(path).read_bytes())
    with h5py.File(path) as file:
        file.visititems(lambda _, item: list(item.attrs) and None)


def require_heaps(content: bytes) -> None:
    """Raise ValueError where free space of a global heap is smaller than its own header: HDF5 looks for its end for ever.

    HDF5 File Format Specification 3.0, III.E: `GCOL`, version, 3 bytes, size of the collection; then objects of index (2 bytes),
    references (2), 4 bytes, size (8), and content to a multiple of 8; index 0 is what is free, its header in its size.
    """
    at = content.find(HEAP)
    while at >= 0:
        size = int.from_bytes(content[at + 8 : at + 16], "little")
        end, place = at + size, at + HEAP_HEADER
        while content[at + 4] == 1 and end <= len(content) and place + HEAP_HEADER <= end:
            index, length = (int.from_bytes(content[place + a : place + b], "little") for a, b in ((0, 2), (8, 16)))
            if index == 0 and length < HEAP_HEADER:
                raise ValueError("a heap of texts has no end")
            place += length if index == 0 else HEAP_HEADER + -(-length // 8) * 8
        at = content.find(HEAP, at + 4)


def read_dataset(path: Path) -> "xr.Dataset":
    """Read results.nc into memory; RunError where it is missing, damaged, or written by a newer version."""
    import xarray as xr

    try:
        require_file(path, most=LARGEST)
        look_through(path)
        with xr.open_dataset(path, engine="h5netcdf") as dataset:
            loaded = dataset.load()
    except (
        Exception
    ) as error:  # HDF5 and the readers above it meet a flipped bit anywhere: a run without seal has no other check
        said = str(error).splitlines() or [type(error).__name__]
        raise RunError(f"{path} is missing or damaged ({said[0]}); {ANEW}") from None
    found = loaded.attrs.get("xbar_format", 0)
    if not isinstance(found, (int, np.integer)) or not 1 <= found <= FORMAT:
        raise RunError(f"{path} has format {found}; this version reads formats up to {FORMAT}")
    return loaded


@contextlib.contextmanager
def opened(path: Path, *, kind: str) -> Iterator["xr.Dataset"]:
    """The dataset of a results.nc of this kind; what turns out to be missing or wrong in the block is damage (RunError)."""
    dataset = read_dataset(path)
    found = dataset.attrs.get("xbar_kind")
    if found != kind:
        raise RunError(f"{path} is of kind {quoted(found)}, wanted is {kind}: damaged, or of another command; {ANEW}")
    try:
        yield dataset
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, OverflowError, ConfigError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else quoted_error(error)
        raise RunError(f"{path} is damaged ({said}); {ANEW}") from None


def numbers(dataset: "xr.Dataset", name: str, *dims: Hashable) -> NDArray[Any]:
    """The values of a variable, which must be finite numbers over these dimensions; else ValueError or KeyError."""
    found = dataset[name]
    if found.dims != dims or found.dtype.kind not in "fiu":
        raise ValueError(f"{name} is {found.dtype} over {found.dims}; wanted are numbers over {dims}")
    if not np.isfinite(found.values).all():
        raise ValueError(f"{name} holds values that are no numbers")
    return found.values


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], *, metadata: Mapping[str, str] | None = None) -> None:
    """Write arrays by name as safetensors."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in sorted(tensors.items())}
    save_file(contiguous, path, metadata=dict(metadata) if metadata else None)


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Read arrays by name; RunError where they are missing or damaged."""
    try:
        require_file(path, most=LARGEST)
        found = load_file(path)
        for name, array in found.items():
            if not np.isfinite(array).all():
                raise ValueError(f"{name} holds values that are no numbers")
        return found
    except (OSError, ConfigError, SafetensorError, KeyError, ValueError) as error:
        raise RunError(f"{path} is missing or damaged ({quoted_error(error)}); {ANEW}") from None


def digest(*parts: bytes) -> str:
    """The first 16 hex digits of the SHA-256 of the parts in turn."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()[:16]
