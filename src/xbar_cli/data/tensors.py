"""Tensors of a network trained elsewhere, from the files that they come in: safetensors, whole or in shards.

What else is met is named by its content, with what makes safetensors of it. Nothing is unpickled.
"""

import re
import zipfile
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, deserialize

from xbar_cli.errors import ConfigError, DataError
from xbar_cli.outside import GIGABYTE, quoted, quoted_error, read_json, require_file

MOST_BYTES = 16 * GIGABYTE
"""Of a file of weights."""
_FLOATS = {
    "F32": np.float32,
    "F16": np.float16,
    "BF16": jnp.dtype(jnp.bfloat16),
    "F8_E4M3": jnp.dtype(jnp.float8_e4m3fn),
    "F8_E5M2": jnp.dtype(jnp.float8_e5m2),
    "F64": np.float64,
}
"""Floating-point numbers that become float32: all but F64 exactly, which is rounded."""
_INTEGERS = {"BOOL": np.bool_, "I8": np.int8, "U8": np.uint8, "I16": np.int16, "I32": np.int32, "I64": np.int64}
_SAVE = "from safetensors.torch import save_file"
_TORCH = (
    f"a torch pickle, which xbar does not open; where torch is, `import torch; {_SAVE}; "
    "save_file(torch.load(FILE, map_location='cpu', weights_only=True), 'model.safetensors')` makes safetensors of a state_dict"
)
_NUMPY = "save its arrays by name with safetensors.numpy.save_file, kernels as [in out] and [h w in out]"
_MAGIC = (
    (b"version https://git-lfs", "a git-LFS pointer, not the file itself: fetch it with `git lfs pull`"),
    (b"\x89HDF\r\n\x1a\n", f"an HDF5 file (Keras); {_NUMPY} (names LAYER.kernel, LAYER.bias)"),
    (b"GGUF", "a GGUF file, whose weights are quantised; take the checkpoint that it was made of"),
    (b"\x93NUMPY", f"one NumPy array; {_NUMPY}"),
    (b"\x80", _TORCH),
)
_SUFFIXES = {
    ".onnx": "an ONNX graph; save the state_dict that it was exported from as safetensors",
    ".tflite": "a TensorFlow Lite graph; take the network that it was converted from",
    ".pb": f"a TensorFlow graph; {_NUMPY}",
    ".ckpt": "a checkpoint of another framework; save its weights as safetensors",
}


def read_foreign(path: Path) -> dict[str, np.ndarray]:
    """The tensors in a safetensors file, or in all the shards that a `….safetensors.index.json` names, by name.

    Floating-point numbers as float32, integers and truth values as they are. DataError says what a file is and what to do.
    """
    if path.is_dir():
        raise DataError(f"{path} is a directory; name the file of the weights (model.safetensors, or its .index.json)")
    start = _start(path)
    if path.name.endswith(".json"):
        return _shards(path)
    if said := _other(path, start):
        raise DataError(f"{path} is {said}")
    if (shard := re.search(r"-\d+-of-(\d+)\.safetensors$", path.name)) and int(shard[1]) > 1:
        index = path.name.removesuffix(shard[0]) + ".safetensors.index.json"
        raise DataError(f"{path} is one of {int(shard[1])} shards; name the file that lists them all, {index}")
    return _tensors(path)


def _start(path: Path) -> bytes:
    """The first bytes of a regular file."""
    try:
        require_file(path, most=MOST_BYTES)
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    except ConfigError as error:
        raise DataError(str(error)) from None


def _tensors(path: Path) -> dict[str, np.ndarray]:
    try:
        stored = deserialize(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} is missing or damaged ({quoted_error(error)})") from None
    return {name: _decoded(path, name, part) for name, part in sorted(stored, key=lambda item: item[0])}


def _decoded(path: Path, name: str, part: dict[str, Any]) -> np.ndarray:
    """One tensor of a safetensors file."""
    kind = part["dtype"]
    dtype = _FLOATS.get(kind) or _INTEGERS.get(kind)
    if dtype is None:
        known = ", ".join([*_FLOATS, *_INTEGERS])
        raise DataError(f"{path}: {name} is stored as {kind}, which xbar does not read; save it as one of {known}")
    values = np.frombuffer(part["data"], dtype).reshape(part["shape"])
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # what float32 does not hold becomes infinite, and is refused later
        return values.astype(np.float32) if kind in _FLOATS else values


def _shards(path: Path) -> dict[str, np.ndarray]:
    """The tensors of all shards that an index names."""
    try:
        places = read_json(path)["weight_map"]
        files = sorted(set(places.values()))
    except (ConfigError, KeyError, TypeError, AttributeError):
        raise DataError(f"{path} is no index of shards: a JSON file with a table weight_map is wanted") from None
    found: dict[str, np.ndarray] = {}
    for name in files:
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
            raise DataError(f"{path}: the shard {quoted(name)} is no safetensors file beside it")
        if not path.with_name(name).is_file():
            raise DataError(f"{path}: the shard {name} is not there; all of them are needed: {', '.join(files)}")
        if said := _other(path.with_name(name), _start(path.with_name(name))):
            raise DataError(f"{path.with_name(name)} is {said}")
        found |= _tensors(path.with_name(name))
    if absent := sorted(set(places) - set(found)):
        raise DataError(f"{path}: no shard holds {', '.join(absent[:5])}")
    return found


def _other(path: Path, start: bytes) -> str | None:
    """What a file is and what to do, told by its first bytes or its name; None where it may be safetensors."""
    if not start:
        return "empty"
    if start[8:9] == b"{":  # the header behind its length, whose first byte may be any
        return None
    if start.startswith(b"PK"):
        return _archive(path)
    for magic, said in _MAGIC:
        if start.startswith(magic):
            return said
    return _SUFFIXES.get(path.suffix.lower())


def _archive(path: Path) -> str:
    """What a zip archive holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return "a damaged zip archive (torch, Keras and NumPy write such); fetch it again"
    if any(name.endswith("data.pkl") for name in names):
        return _TORCH
    if any(name.endswith(".weights.h5") for name in names):
        return f"a Keras archive; {_NUMPY} (names LAYER.kernel, LAYER.bias)"
    if any(name.endswith(".npy") for name in names):
        return f"a NumPy archive; {_NUMPY}"
    return "a zip archive; unpack it and name the safetensors file"
