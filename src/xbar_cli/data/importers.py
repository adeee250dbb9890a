"""Official files into prepared TFDS folders: imported from a directory or downloaded, whole or not at all."""

import fcntl
import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xbar_cli.data.bundled_set import COUNTS, bundled_path
from xbar_cli.data.catalogue import BUNDLED, FASHION_MNIST, Spec, find, wanted_files
from xbar_cli.data.datasets import decode
from xbar_cli.data.network import reachable
from xbar_cli.data.prepared import Prepared, default_data_dir, inspect, missing, partial_note, write_cache
from xbar_cli.data.sources import (
    Split,
    are_official,
    check_whose,
    debian_fashion_mnist,
    locate,
    read_splits,
    sha256_sums,
)
from xbar_cli.errors import DataError
from xbar_cli.outside import at_home
from xbar_cli.reporter import OnProgress

_STAGING = ".xbar-import-"
_RECORD_OVERHEAD = 400


@dataclass(frozen=True)
class Imported:
    """What an import or a preparation made.

    Attributes:
        name: of the data set.
        train: number of training images.
        test: number of test images.
        official_checksums: whether the files had the registered sha256; None when others prepared the set.
        out: the prepared folder.
        partial: whether images are missing against the official counts.
        source: the directory or archive it came from; None for a download or a set that was there.
    """

    name: str
    train: int
    test: int
    official_checksums: bool | None
    out: Path
    partial: bool
    source: Path | None = None


def import_dataset(
    name: str, *, source: Path | None, data_dir: Path | None, allow_partial: bool, progress: OnProgress | None = None
) -> Imported:
    """Import official files; replaces a prepared set of the same name once the new one is complete.

    Args:
        name: one of `names()` but the bundled one.
        source: a directory with idx, idx.gz, CIFAR binary files or the official archive, or that archive; None takes
            Debian's dataset-fashion-mnist for `fashion_mnist`.
        data_dir: None takes `default_data_dir()`.
        allow_partial: take fewer images than the official set has, and record it.
        progress: told of the records written and read back.

    Raises:
        DataError: files that are missing, truncated, damaged or of other content, or a directory that cannot be
            written. What was prepared before is left as it was.
    """
    if name == BUNDLED:
        raise DataError(f"{BUNDLED} is inside the package: nothing to import")
    spec = find(name)
    origin = source or (debian_fashion_mnist() if spec is FASHION_MNIST else None)
    if origin is None:
        raise DataError(f"say from where the files of {name} are to be imported; {wanted_files(spec)}")
    files = locate(spec, at_home(origin), allow_partial=allow_partial)
    splits = read_splits(spec, files, allow_partial=allow_partial)
    counts = len(splits["train"].labels), len(splits["test"].labels)
    sums = sha256_sums(files)
    check_whose(spec, files, sums, splits)
    folder = data_dir or default_data_dir()
    prepared = _write(spec, data_dir=folder, fetch=lambda _: splits, counts=counts, sums=sums, progress=progress)
    return _summary(spec, prepared, source=origin)


def prepare(name: str, *, data_dir: Path | None, progress: OnProgress | None = None) -> Imported:
    """Download the official files through TFDS and prepare them; a set that is there is left as it is.

    DataError for a host that cannot be reached (told within two seconds), a failed download, a wrong checksum.
    """
    folder = data_dir or default_data_dir()
    if name == BUNDLED:
        return Imported(name, *COUNTS, official_checksums=None, out=bundled_path(), partial=False)
    spec = find(name)
    if (folder / spec.folder).is_dir():
        return _summary(spec, inspect(spec, folder), source=None)
    url = spec.official[0].url
    if not reachable(url):
        raise DataError(f"no network: {url.split('/')[2]} does not answer; {missing(spec, folder)}")
    from xbar_cli.data.builders import download

    def fetch(manager: Any) -> Mapping[str, Split]:
        if progress is not None:
            progress(f"downloading {wanted_files(spec)}", 0, 0)
        return read_splits(spec, download(spec, manager), allow_partial=False)

    sums = {file.name: file.sha256 for file in spec.official}
    prepared = _write(spec, data_dir=folder, fetch=fetch, counts=spec.counts, sums=sums, progress=progress)
    return _summary(spec, prepared, source=None)


def _summary(spec: Spec, prepared: Prepared, *, source: Path | None) -> Imported:
    return Imported(
        spec.name,
        *prepared.counts,
        official_checksums=prepared.official_checksums,
        out=prepared.folder,
        partial=prepared.is_partial(spec),
        source=source,
    )


def _write(
    spec: Spec,
    *,
    data_dir: Path,
    fetch: Callable[[Any], Mapping[str, Split]],
    counts: tuple[int, int],
    sums: Mapping[str, str],
    progress: OnProgress | None,
) -> Prepared:
    """Write the set aside, read it back, keep the decoded arrays as its cache, then put it in its place."""
    from xbar_cli.data.builders import write

    is_partial = counts != spec.counts
    facts = {
        "official_checksums": are_official(spec, sums),
        "partial": is_partial,
        "files": dict(sums),
        "written_by": f"xbar-cli {importlib.metadata.version('xbar-cli')}",
    }
    description = f"{spec.description} {partial_note(spec, counts)}." if is_partial else spec.description
    try:
        with _staging(data_dir) as staging:
            _check_space(data_dir, spec, counts)
            write(spec, root=staging, fetch=fetch, facts=facts, description=description, progress=progress)
            staged = inspect(spec, staging)
            if staged.counts != counts:
                raise DataError(f"{data_dir}: {counts} records wanted, {staged.counts} written; nothing was kept")
            write_cache(staged, decode(staged, spec, progress=progress))
            _install(staged.folder, data_dir / spec.folder, aside=staging / "replaced")
    except OSError as error:
        raise DataError(f"cannot write to {data_dir}: {error.strerror or error}; nothing was kept") from error
    return inspect(spec, data_dir)


def _check_space(data_dir: Path, spec: Spec, counts: tuple[int, int]) -> None:
    """Records are no larger than the pixels and a little; the cache is as large as the pixels."""
    wanted = sum(counts) * 2 * (spec.pixels + _RECORD_OVERHEAD)
    free = shutil.disk_usage(data_dir).free
    if free < wanted:
        raise DataError(f"{data_dir}: not enough disk space: {wanted} bytes wanted, {free} free")


@contextmanager
def _staging(data_dir: Path) -> Iterator[Path]:
    """A temporary directory inside `data_dir`, locked against other imports; what killed ones left is cleared."""
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = os.open(data_dir, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(f"{data_dir}: another import is under way; try again when it has ended") from error
        for stale in data_dir.glob(f"{_STAGING}*"):
            _recover(stale, data_dir)
        staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=data_dir))
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    finally:
        os.close(lock)


def _install(staged: Path, target: Path, *, aside: Path) -> None:
    """Move `staged` to `target`; what was there goes to `aside`, and back if the move fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        aside.mkdir()
        (aside / "target").write_text(str(target.relative_to(aside.parent.parent)))
        target.rename(aside / "set")
    try:
        staged.rename(target)
    except BaseException:
        if (aside / "set").exists():
            (aside / "set").rename(target)
        raise


def _recover(stale: Path, data_dir: Path) -> None:
    """Clear what a killed import left; a set that it had moved aside goes back when nothing took its place."""
    replaced = stale / "replaced"
    if (replaced / "set").is_dir() and (replaced / "target").is_file():
        target = data_dir / (replaced / "target").read_text()
        if not target.exists():
            (replaced / "set").rename(target)
    shutil.rmtree(stale, ignore_errors=True)
