"""An .onnx file as a checked protocol buffer. Nothing in it is executed, and no file outside its folder is read."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from xbar_cli.errors import ConfigError
from xbar_cli.outside import MEGABYTE, clean_text, quoted, quoted_error, read_bytes, require_file

if TYPE_CHECKING:
    import onnx

LARGEST = 2047 * MEGABYTE
"""Bytes of a file, and of external data in all: protocol buffers end at 2 GiB."""
OLDEST_OPSET = 6


def load(path: Path) -> "onnx.ModelProto":
    """The model of a file, its external data with it, functions of its own put where they are called.

    Raises:
        ConfigError: `onnx` is not installed; the file is missing, too large, damaged or no ONNX model.
    """
    require_package()
    import onnx
    from google.protobuf.message import DecodeError

    data = read_bytes(path, most=LARGEST)
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise ConfigError(f"{path}: no ONNX model, or a damaged one ({quoted_error(error)})") from None
    if not model.ir_version or not model.opset_import or not model.graph.output:
        raise ConfigError(f"{path}: no ONNX model (it names no version, no operator set or no output)")
    load_external(model, path)
    if model.functions:
        model = inlined(model, path)
    return model


def require_package() -> None:
    """Raise unless `onnx` is there.

    Raises:
        ConfigError: it is not.
    """
    if importlib.util.find_spec("onnx") is None:
        raise ConfigError("reading .onnx files needs the package onnx: pip install 'xbar-cli[onnx]'")


def opset_of(model: "onnx.ModelProto", path: Path) -> int:
    """The version of the standard operators.

    Raises:
        ConfigError: the model has none, or one that is too old or not yet known.
    """
    import onnx

    newest = onnx.defs.onnx_opset_version()
    versions = [one.version for one in model.opset_import if one.domain in ("", "ai.onnx")]
    if not versions:
        raise ConfigError(f"{path}: imports no standard operators (domain ai.onnx)")
    if not OLDEST_OPSET <= versions[0] <= newest:
        raise ConfigError(f"{path}: opset {versions[0]}; {OLDEST_OPSET} to {newest} are supported")
    return versions[0]


def check(model: "onnx.ModelProto", path: Path) -> "onnx.ModelProto":
    """The model with the shapes that follow from its inputs'.

    Raises:
        ConfigError: it breaks a rule of ONNX.
    """
    import onnx

    if model.ByteSize() > LARGEST:
        return model  # with its external data too large for the checker
    try:
        onnx.checker.check_model(shaped(model))
        return onnx.shape_inference.infer_shapes(model)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise ConfigError(f"{path}: no valid ONNX model ({quoted_error(ValueError(text))})") from None


def shaped(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """The model for the checker, which wants inputs and outputs to have a shape: one where an exporter left it out."""
    import onnx

    ports = [*model.graph.input, *model.graph.output]
    if all(one.type.tensor_type.HasField("shape") for one in ports):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for one in [*copy.graph.input, *copy.graph.output]:
        if one.type.HasField("tensor_type"):
            one.type.tensor_type.shape.SetInParent()
    return copy


def inlined(model: "onnx.ModelProto", path: Path) -> "onnx.ModelProto":
    """The model with the bodies of its own functions where they are called."""
    from onnx import inliner

    try:
        return inliner.inline_local_functions(model)
    except (ValueError, RuntimeError) as error:
        raise ConfigError(f"{path}: its functions cannot be put in place ({quoted_error(error)})") from None


def tensors(graph: Any) -> Iterator[Any]:
    """Every tensor of a graph and of those inside it."""
    yield from graph.initializer
    for node in graph.node:
        yield from tensors_of(node)


def tensors_of(node: Any) -> Iterator[Any]:
    """Every tensor among the attributes of a node and in its graphs."""
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        for graph in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
            yield from tensors(graph)


def load_external(model: "onnx.ModelProto", path: Path) -> None:
    """Put data that lies in other files of the folder into the tensors.

    Raises:
        ConfigError: a file outside the folder, a link, one that is missing or too short, or too much data.
    """
    total = 0
    found = [*tensors(model.graph), *(one for f in model.functions for node in f.node for one in tensors_of(node))]
    for tensor in found:
        if tensor.data_location != tensor.EXTERNAL:
            continue
        data = external_bytes(tensor, path)
        total += len(data)
        if total > LARGEST:
            raise ConfigError(f"{path}: its external data has more than {LARGEST / MEGABYTE:g} MiB")
        tensor.raw_data = data
        tensor.data_location = tensor.DEFAULT
        del tensor.external_data[:]


def external_bytes(tensor: Any, path: Path) -> bytes:
    """The bytes of a tensor in another file; see `load_external`."""
    what = f"{path}: the external data of {quoted(tensor.name)}"
    entries = {entry.key: entry.value for entry in tensor.external_data}
    file = inside(entries.get("location", ""), path.parent, what)
    require_file(file, most=LARGEST)
    size = file.stat().st_size
    try:
        offset = int(entries.get("offset", "0") or 0)
        length = int(entries.get("length", str(size - offset)) or 0)
    except ValueError:
        raise ConfigError(f"{what}: offset and length must be whole numbers") from None
    if offset < 0 or length < 0 or offset + length > size:
        raise ConfigError(f"{what}: {length} bytes from {offset} on are not in {quoted(file.name)} of {size} bytes")
    with file.open("rb") as stream:
        stream.seek(offset)
        return stream.read(length)


def inside(location: str, folder: Path, what: str) -> Path:
    """The path of a file in the folder.

    Raises:
        ConfigError: it is absolute, leads out of the folder, or goes through a link.
    """
    try:
        parts = PurePosixPath(clean_text(location)).parts
    except ValueError as error:
        raise ConfigError(f"{what}: {error}") from None
    absolute = PurePosixPath(location).is_absolute() or bool(PureWindowsPath(location).anchor)
    if not parts or absolute or ".." in parts or "\\" in location:
        raise ConfigError(f"{what} must lie in the folder of the model; its location is {quoted(location)}")
    file = folder
    for one in parts:
        file = file / one
        if file.is_symlink():
            raise ConfigError(f"{what} must lie in the folder of the model; {quoted(location)} goes through a link")
    return file
