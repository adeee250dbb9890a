"""Files out of the official archives, into memory: nothing is extracted to disk, every read is bounded."""

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import IO

from xbar_cli.errors import DataError
from xbar_cli.outside import quoted

_MAX_MEMBERS = 1000
_MAX_UNPACKED = 512 * 2**20
_MAX_PACKED = 2**30


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than `limit` bytes in all."""

    def __init__(self, stream: gzip.GzipFile, *, limit: int, name: str) -> None:
        self._stream, self._left, self._limit, self._name = stream, limit, limit, name

    def readable(self) -> bool:
        """It can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; a read past the limit is an error."""
        part = self._stream.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(part)
        if self._left < 0:
            raise DataError(f"{self._name}: unpacks to more than {self._limit} bytes; refused")
        return part


def read_file(path: Path, *, limit: int) -> bytes:
    """The bytes of a plain file. Raises DataError where it cannot be read, or is larger than `limit` [byte]."""
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > limit:
        raise DataError(
            f"{path}: {path.stat().st_size} bytes, larger than the official file ({limit} at most); refused"
        )
    return content


def read_archive(path: Path, *, wanted: Collection[str], limit: int, official_size: int) -> dict[str, bytes]:
    """The wanted members of a tar.gz or zip archive, by name without folders and without `.gz`.

    No wanted member may pass `limit` [byte]; `official_size` is that of the whole archive [byte], for messages. DataError for no
    such archive, a damaged or truncated one, one that tries to write elsewhere, or unpacks to more than the official one can.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_PACKED:
            raise DataError(f"{path}: {size} bytes, larger than any official archive; refused")
        if zipfile.is_zipfile(path):
            return _read_zip(path, wanted, limit)
        return _read_tar(path, wanted, limit)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(_damaged(path, official_size, error)) from error
    except OSError as error:
        reason = error.strerror
        message = f"{path}: cannot be read: {reason}" if reason else _damaged(path, official_size, error)
        raise DataError(message) from error


def _damaged(path: Path, official_size: int, error: Exception) -> str:
    return (
        f"{path}: damaged or truncated archive ({str(error) or type(error).__name__}): "
        f"the official file has {official_size} bytes, found {path.stat().st_size}"
    )


def _key(path: Path, name: str, wanted: Collection[str]) -> str | None:
    """The wanted name that the member `name` stands for; None for any other. An unsafe name refuses the archive."""
    member = PurePosixPath(name)
    if member.is_absolute() or ".." in member.parts or "\\" in name or ":" in name:
        raise DataError(f"{path}: the archive holds the unsafe member name {quoted(name)}; refused")
    key = member.name.removesuffix(".gz")
    return key if key in wanted else None


def _keep(path: Path, found: dict[str, bytes], key: str, file: IO[bytes], *, size: int, limit: int) -> None:
    """Read a wanted member: once, whole, and no more than `limit` bytes."""
    if size > limit:
        raise DataError(f"{path}: {key} has {size} bytes, more than the official file can hold ({limit}); refused")
    if key in found:
        raise DataError(f"{path}: the archive holds {key} twice; refused")
    found[key] = file.read(limit + 1)
    if len(found[key]) != size:
        raise DataError(f"{path}: {key} is truncated: wanted {size} bytes, found {len(found[key])}")


def _read_tar(path: Path, wanted: Collection[str], limit: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with gzip.open(path) as unpacked:
        stream = _Bounded(unpacked, limit=_MAX_UNPACKED, name=str(path))
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for count, member in enumerate(archive):
                if count >= _MAX_MEMBERS:
                    raise DataError(f"{path}: the archive holds more than {_MAX_MEMBERS} members; refused")
                key = _key(path, member.name, wanted)
                file = archive.extractfile(member) if key and member.isreg() and not member.issparse() else None
                if key and file is not None:
                    _keep(path, found, key, file, size=member.size, limit=limit)
    return found


def _read_zip(path: Path, wanted: Collection[str], limit: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > _MAX_MEMBERS:
            raise DataError(f"{path}: the archive holds more than {_MAX_MEMBERS} members; refused")
        for member in members:
            key = _key(path, member.filename, wanted)
            if key and not member.is_dir():
                with archive.open(member) as file:
                    _keep(path, found, key, file, size=member.file_size, limit=limit)
    return found
