"""The official file formats: idx (MNIST family), CIFAR binary records, gzip. Bytes in, checked arrays out.

References:
    idx: LeCun, Cortes, Burges, THE MNIST DATABASE, "FILE FORMATS FOR THE MNIST DATABASE".
    CIFAR: Krizhevsky, the CIFAR-10 and CIFAR-100 datasets, "Binary version".
"""

import math
import struct
import zlib

import numpy as np

from xbar_cli.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
_IDX_UBYTE = 0x0800


def gunzip(packed: bytes, *, limit: int, name: str) -> tuple[bytes, bool]:
    """The content of a gzip file of at most `limit` bytes, and whether its stream was complete (False: the file is cut off).

    Raises DataError, with the file's `name`, for more than that, or a damaged stream.
    """
    parts, size = [], 0
    while packed.startswith(GZIP_MAGIC):
        stream = zlib.decompressobj(wbits=31)
        try:
            part = stream.decompress(packed, limit - size + 1)
        except zlib.error as error:
            raise DataError(f"{name}: damaged gzip file ({error}); get it again") from error
        parts.append(part)
        size += len(part)
        if size > limit:
            raise DataError(
                f"{name}: unpacks to more than {limit} bytes, more than the official file can hold; refused"
            )
        if not stream.eof:
            return b"".join(parts), False
        packed = stream.unused_data
    return b"".join(parts), True


def parse_idx(content: bytes, *, n_dimensions: int, name: str, complete: bool = True) -> np.ndarray:
    """The array of an idx file of unsigned bytes: uint8 [n] for labels, with 1 dimension, or [n h w] for images, with 3.

    `complete` is False when the gzip stream around it was cut off. Raises DataError for a wrong magic number, or a size other
    than the header says.
    """
    header = 4 + 4 * n_dimensions
    if len(content) < header:
        raise DataError(f"{name}: truncated: wanted at least {header} bytes, found {len(content)}")
    magic, *shape = struct.unpack(f">{n_dimensions + 1}I", content[:header])
    if magic != _IDX_UBYTE + n_dimensions:
        kind = "images" if n_dimensions == 3 else "labels"
        raise DataError(
            f"{name}: not an idx file of {kind}: wanted magic number 0x{_IDX_UBYTE + n_dimensions:08x}, "
            f"found 0x{magic:08x}"
        )
    wanted = header + math.prod(shape)
    if len(content) != wanted or not complete:
        what = "truncated" if len(content) < wanted or not complete else "too long"
        raise DataError(
            f"{name}: {what}: wanted {wanted} bytes for {shape[0]} records, found {len(content)}"
            + ("" if complete else " before the gzip stream breaks off")
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def parse_cifar(content: bytes, *, label_bytes: int, shape: tuple[int, int, int], name: str) -> tuple[np.ndarray, ...]:
    """Label bytes uint8 [n label_bytes] and images uint8 [n h w c] of a CIFAR binary file: planes of red, green and blue.

    Raises DataError for no records, or a size that is no whole number of records.
    """
    height, width, channels = shape
    record = label_bytes + height * width * channels
    n, rest = divmod(len(content), record)
    if rest or not n:
        raise DataError(
            f"{name}: truncated: wanted a whole number of records of {record} bytes ({(n + 1) * record} bytes for "
            f"{n + 1}), found {len(content)} bytes"
        )
    table = np.frombuffer(content, np.uint8).reshape(n, record)
    planes = table[:, label_bytes:].reshape(n, channels, height, width)
    return table[:, :label_bytes], np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def check_labels(labels: np.ndarray, *, first: int, n_classes: int, name: str) -> None:
    """Raise DataError, with file, label and record, for a label outside first … first + n_classes − 1."""
    wrong = np.flatnonzero((labels < first) | (labels >= first + n_classes))
    if len(wrong):
        raise DataError(
            f"{name}: label {labels[wrong[0]]} of record {wrong[0]} is out of range: "
            f"it must be {first} … {first + n_classes - 1}"
        )
