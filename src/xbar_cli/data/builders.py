"""TFDS without TensorFlow: builders that write the official folders, and a reader of such folders.

The records carry the official name, version, features and keys, so that the stock `tfds.data_source(name, data_dir=…)`
reads what is written here, in the order in which the official builder would have stored it, and the other way round.
"""

import importlib.util
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xbar_cli.data.catalogue import SPLITS, Spec, import_again
from xbar_cli.data.records import from_record, png, to_record
from xbar_cli.data.sources import Split
from xbar_cli.errors import DataError
from xbar_cli.reporter import OnProgress

"""Called with what is being done, how much of it is done, and how much there is."""

FILE_FORMAT = "array_record"
_STEP = 2000
_CONNECT_SECONDS, _READ_SECONDS, _RETRIES = 5, 30, 2


@contextmanager
def _replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    """Another value of a module's variable for a while; TFDS has no argument for what is set this way."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


@contextmanager
def _quiet_tfds() -> Iterator[Any]:
    """TFDS itself, without its progress bars, log lines and the deprecation warnings of its imports."""
    if importlib.util.find_spec("array_record") is None:
        raise DataError("full data sets need the package array_record, which is not installed for this platform")
    with warnings.catch_warnings(), ExitStack() as stack:
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        import tensorflow_datasets as tfds
        from absl import logging
        from tensorflow_datasets.core.utils import tqdm_utils

        stack.enter_context(_replaced(tqdm_utils, "_active", False))
        verbosity = logging.get_verbosity()
        stack.callback(logging.set_verbosity, verbosity)
        logging.set_verbosity(logging.ERROR)
        yield tfds


def write(
    spec: Spec,
    *,
    root: Path,
    fetch: Callable[[Any], Mapping[str, Split]],
    facts: Mapping[str, Any],
    description: str,
    progress: OnProgress | None = None,
) -> Path:
    """Write a data set to `root/name[/config]/version`, which is returned; DataError where it cannot be (a full disk).

    Args:
        spec: the data set.
        root: an empty directory that plays the TFDS data directory.
        fetch: gives the splits; is handed TFDS's download manager.
        facts: kept with the data set as `metadata.json`; JSON values.
        description: kept in `dataset_info.json`.
        progress: told of the images written.
    """
    with _quiet_tfds() as tfds:
        builder = _builder_class(tfds, spec, fetch=fetch, facts=facts, description=description, progress=progress)(
            data_dir=root, config=spec.tfds_config, file_format=FILE_FORMAT
        )
        try:
            with _patient_downloads(), _same_bytes():
                builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
        except RuntimeError as error:
            reason = str(error).partition("write() failed: ")[2].partition(";")[0]
            if not reason:
                raise
            raise DataError(
                f"{root.parent}: cannot write the records of {spec.name}: {reason}; nothing kept"
            ) from error
    return root / spec.folder


@contextmanager
def _same_bytes() -> Iterator[None]:
    """The features of a record in one order (left alone, it changes from process to process), and no conversions of TFDS."""
    from tensorflow_datasets.core.example_serializer import ExampleSerializer

    def serialize(_self: Any, example: Any) -> bytes:
        return to_record(example)

    with _replaced(ExampleSerializer, "serialize_example", serialize):
        yield


@contextmanager
def _patient_downloads() -> Iterator[None]:
    """TFDS's downloads with time limits and few retries (its own: no limit, ten retries, 204 s without a network)."""
    from tensorflow_datasets.core.download import downloader

    limited = partial(downloader._open_url, timeout=(_CONNECT_SECONDS, _READ_SECONDS))
    with _replaced(downloader, "MAX_RETRIES", _RETRIES), _replaced(downloader, "_open_url", limited):
        yield


def download(spec: Spec, manager: Any) -> dict[str, Path]:
    """The official files by member or archive name, got by TFDS's download manager and checked by the registered checksums.

    Raises DataError for no connection, an error status, or a file with another checksum.
    """
    from requests.exceptions import RequestException
    from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError
    from tensorflow_datasets.core.download.util import DownloadError

    try:
        paths = manager.download({file.name: file.url for file in spec.official})
    except NonMatchingChecksumError as error:
        raise DataError(f"{spec.name}: a downloaded file has not the registered sha256; nothing was kept") from error
    except (RequestException, DownloadError) as error:
        raise DataError(f"{spec.name}: download failed ({error}); nothing was kept") from error
    return {name if spec.archive else name.removesuffix(".gz"): Path(path) for name, path in paths.items()}


def _builder_class(
    tfds: Any,
    spec: Spec,
    *,
    fetch: Callable[[Any], Mapping[str, Split]],
    facts: Mapping[str, Any],
    description: str,
    progress: OnProgress | None,
) -> Any:
    """The class of the builder: the official name, version, features and keys of `spec`."""
    from tensorflow_datasets.core.download import checksums
    from tensorflow_datasets.core.utils import Size

    configs = [tfds.core.BuilderConfig(name=spec.tfds_config)] if spec.tfds_config else []
    registered = {file.url: checksums.UrlInfo(Size(file.size), file.sha256, file.name) for file in spec.official}

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # pyright: ignore
        """The TensorFlow-free twin of an official builder."""

        name = spec.tfds_name
        VERSION = tfds.core.Version(spec.version)
        BUILDER_CONFIGS = configs
        url_infos = registered

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(
                builder=self,
                description=description,
                features=tfds.features.FeaturesDict(_features(tfds, spec)),
                supervised_keys=("image", "label"),
                homepage=spec.homepage,
                metadata=tfds.core.MetadataDict(facts),
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            return {name: self._generate_examples(name, split) for name, split in fetch(dl_manager).items()}

        def _generate_examples(self, name: str, split: Split) -> Iterator[tuple[int, dict[str, Any]]]:
            return _examples(name, split, has_id=spec.layout == "cifar", progress=progress)

        def _log_download_bytes(self) -> None:
            """TFDS prints here on stdout, which belongs to the command's result."""

        def _log_download_done(self) -> None:
            """As above."""

    return Builder


def _features(tfds: Any, spec: Spec) -> dict[str, Any]:
    """The official features; class names only where the official builder has names."""
    label = tfds.features.ClassLabel
    named = spec.tfds_classes == len(spec.class_names)
    features: dict[str, Any] = {
        "image": tfds.features.Image(shape=spec.shape),
        "label": label(names=list(spec.class_names)) if named else label(num_classes=spec.tfds_classes),
    }
    if spec.layout == "cifar":
        features["id"] = tfds.features.Text()
    if spec.coarse_names:
        features["coarse_label"] = label(names=list(spec.coarse_names))
    return features


def _examples(
    name: str, split: Split, *, has_id: bool, progress: OnProgress | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of one split under the official keys 0, 1, 2, …; images as PNG bytes, which need no TensorFlow."""
    total = len(split.labels)
    for index, (pixels, label) in enumerate(zip(split.images, split.labels, strict=True)):
        record: dict[str, Any] = {
            "image": png(pixels),
            "label": int(label),
        }
        if has_id:
            record["id"] = f"{name}_{index:05d}"
        if split.coarse is not None:
            record["coarse_label"] = int(split.coarse[index])
        yield index, record
        done = index + 1
        if progress is not None and (done % _STEP == 0 or done == total):
            progress(f"writing {name}", done, total)


def read(folder: Path, spec: Spec, *, progress: OnProgress | None = None) -> dict[str, np.ndarray]:
    """All images and labels of a prepared folder, in the stored order; DataError where they cannot be read.

    `train_images` uint8 [n h w c], `train_labels` int64 [n] as stored, and the same of `test`.
    """
    arrays = {}
    try:
        with _quiet_tfds() as tfds:
            builder = tfds.builder_from_directory(folder)
            for split in SPLITS:
                source = builder.as_data_source(split=split).data_source
                images = np.empty((len(source), *spec.shape), np.uint8)
                labels = np.empty(len(source), np.int64)
                for start in range(0, len(source), _STEP):
                    stop = min(start + _STEP, len(source))
                    for index, record in enumerate(source.__getitems__(list(range(start, stop))), start):
                        images[index], labels[index] = from_record(record, spec.shape)
                    if progress is not None:
                        progress(f"reading {split}", stop, len(source))
                arrays[f"{split}_images"], arrays[f"{split}_labels"] = images, labels
    except (OSError, ValueError, KeyError, IndexError, RuntimeError, NotImplementedError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{folder}: the prepared data set cannot be read ({reason}); {import_again(spec)}") from error
    return arrays
