"""Import, prepare and load: through the stock TFDS reader, and with everything that can go wrong."""

import dataclasses
import fcntl
import functools
import gzip
import hashlib
import http.server
import importlib.machinery
import importlib.resources
import json
import os
import resource
import socket
import sys
import tarfile
import threading
import time
import types
import warnings
import zipfile

import numpy as np
import pytest

from xbar_cli.data import archives, builders, catalogue, importers, sources
from xbar_cli.data import staging as staging_of
from xbar_cli.data.catalogue import CIFAR10, CIFAR100, EMNIST_LETTERS, FASHION_MNIST, MNIST, SPECS
from xbar_cli.data.datasets import load, names, status
from xbar_cli.data.importers import import_dataset, prepare
from xbar_cli.data.prepared import CACHE_NAME, default_data_dir
from xbar_cli.errors import DataError


class InstalledTensorFlow:
    """An import hook under which TensorFlow seems installed; importing it fails the test."""

    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name == "tensorflow" else None

    def create_module(self, spec):
        raise AssertionError("something imports TensorFlow")

    def exec_module(self, module):
        pass


@pytest.fixture(autouse=True)
def no_tensorflow(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [InstalledTensorFlow(), *sys.meta_path])


def take(spec, tmp_path, official, *, how="gz", seed=0, n_train=12, allow_partial=True, **changes):
    splits = official.splits(spec, seed=seed, n_train=n_train)
    for split, change in changes.items():
        splits[split] = change(splits[split])
    source = official.write(spec, tmp_path / f"official{seed}", splits, how=how)
    made = import_dataset(spec.name, source=source, data_dir=tmp_path / "data", allow_partial=allow_partial)
    return splits, made


def sorted_records(images, labels):
    return sorted((image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True))


@pytest.mark.parametrize(
    ("spec", "how"),
    [(MNIST, "gz"), (FASHION_MNIST, "plain"), (CIFAR10, "plain"), (CIFAR100, "tar"), (EMNIST_LETTERS, "zip")],
)
def test_stock_tfds_reads_back_every_bit(spec, how, tmp_path, official):
    splits, made = take(spec, tmp_path, official, how=how)
    assert (made.train, made.test, made.partial, made.official_checksums) == (12, 5, True, False)
    assert made.out == tmp_path / "data" / spec.folder
    assert [path.name for path in (tmp_path / "data").iterdir()] == [spec.tfds_name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import tensorflow_datasets as tfds

        stock_name = "/".join(spec.folder.split("/")[:-1])
        for name, split in splits.items():
            records = list(tfds.data_source(stock_name, split=name, data_dir=tmp_path / "data", download=False))
            images, labels = [record["image"] for record in records], [record["label"] for record in records]
            assert sorted_records(images, labels) == sorted_records(split.images, split.labels)
            for record in records if spec.layout == "cifar" else ():
                index = int(record["id"].decode().removeprefix(f"{name}_"))
                assert np.array_equal(record["image"], split.images[index])
                assert split.coarse is None or record["coarse_label"] == split.coarse[index]
    loaded = load(spec.name, data_dir=tmp_path / "data")
    assert loaded.note == f"partial: 12 of {spec.counts[0]} training and 5 of {spec.counts[1]} test images"
    upright = splits["train"].images.swapaxes(1, 2) if spec.transposed else splits["train"].images
    expected = sorted_records(upright, splits["train"].labels - spec.first_label)
    assert sorted_records(loaded.train_images, loaded.train_labels) == expected
    assert loaded.n_classes == len(loaded.class_names) == len(spec.class_names)


def test_the_features_of_a_record_stand_in_one_order(tmp_path, official):
    """Left alone it is another from process to process, and an import twice is not the same bytes."""
    from array_record.python.array_record_module import ArrayRecordReader

    _, made = take(CIFAR100, tmp_path, official, how="tar")
    reader = ArrayRecordReader(str(next(made.out.glob("*-test.array_record-*"))))
    for record in reader.read_all():
        places = [
            record.index(b"\n" + bytes([len(name)]) + name) for name in (b"coarse_label", b"id", b"image", b"label")
        ]
        assert places == sorted(places)
    reader.close()


def test_order_is_that_of_the_official_builder(tmp_path, official):
    """TFDS stores records by the hash of their official keys 0, 1, 2, … salted with the split's name."""
    from tensorflow_datasets.core.hashing import Hasher

    splits, _ = take(MNIST, tmp_path, official)
    order = np.argsort([Hasher("train").hash_key(index) for index in range(12)])
    loaded = load("mnist", data_dir=tmp_path / "data")
    assert np.array_equal(loaded.train_images, splits["train"].images[order])
    assert np.array_equal(loaded.train_labels, splits["train"].labels[order])


def test_registered_checksums_are_those_of_tfds():
    folder = importlib.resources.files("tensorflow_datasets") / "url_checksums"
    for spec in SPECS:
        lines = [line.split("\t") for line in (folder / f"{spec.tfds_name}.txt").read_text().splitlines()]
        theirs = {(url, int(size), sha256) for url, size, sha256, _ in lines}
        assert {(file.url, file.size, file.sha256) for file in spec.official} == theirs
    assert [len(spec.class_names) for spec in SPECS] == [10, 10, 10, 100, 26]
    assert len(CIFAR100.coarse_names) == 20


def patch(name, old, new):
    """A change of one file of the official MNIST files."""

    def change(folder):
        path = folder / name
        content = gzip.decompress(path.read_bytes())
        assert old in content
        path.write_bytes(gzip.compress(content.replace(old, new, 1), 1))

    return change


def truncate(name, size):
    def change(folder):
        path = folder / name
        path.write_bytes(path.read_bytes()[:size])

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            truncate("train-images-idx3-ubyte.gz", 5000),
            r"train-images.*truncated: wanted 9424 bytes for 12 .*found \d+",
        ),
        (truncate("t10k-labels-idx1-ubyte.gz", 12), r"t10k-labels.*truncated: wanted at least 8 bytes, found 1"),
        (patch("train-images-idx3-ubyte.gz", b"\0\0\x08\x03", b"\0\0\x09\x03"), r"wanted magic number 0x00000803"),
        (patch("t10k-images-idx3-ubyte.gz", b"\0\0\0\x1c", b"\0\0\0\x0e"), r"t10k-images.*too long: wanted 1976 bytes"),
        (patch("t10k-labels-idx1-ubyte.gz", b"\0\0\0\x05", b"\0\0\0\x05\x0a"), r"t10k-labels.*too long: .*found 14"),
        (lambda folder: (folder / "t10k-labels-idx1-ubyte.gz").unlink(), r"incomplete: no t10k-labels-idx1-ubyte"),
        (
            lambda folder: (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"\x1f\x8bxx"),
            r"t10k-labels.*damaged gzip",
        ),
    ],
)
def test_damaged_files_are_refused_and_leave_nothing(change, match, tmp_path, official):
    source = official.write(MNIST, tmp_path / "official", official.splits(MNIST), how="gz")
    change(source)
    with pytest.raises(DataError, match=match) as caught:
        import_dataset("mnist", source=source, data_dir=tmp_path / "data", allow_partial=True)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data").exists()


def test_wrong_content_is_refused(tmp_path, official):
    wrong_label = {"test": lambda split: dataclasses.replace(split, labels=split.labels + 20)}
    fewer_labels = {"test": lambda split: dataclasses.replace(split, labels=split.labels[:-1])}
    small = {"train": lambda split: dataclasses.replace(split, images=split.images[:, :14])}
    for changes, match in (
        (wrong_label, "it must be 0 … 9"),
        (fewer_labels, "5 labels wanted"),
        (small, r"\(14, 28\)"),
    ):
        with pytest.raises(DataError, match=match):
            take(MNIST, tmp_path, official, **changes)
    with pytest.raises(DataError, match=r"60000 train images wanted, 12 found; a partial set"):
        take(MNIST, tmp_path, official, allow_partial=False)
    with pytest.raises(DataError, match=r"no data_batch_2.bin.*cifar-10-binary.tar.gz.*a partial set"):
        take(CIFAR10, tmp_path, official, how="plain", allow_partial=False)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("wanted", "other"), [(FASHION_MNIST, MNIST), (MNIST, FASHION_MNIST)])
@pytest.mark.parametrize("split", ["train", "test"])
def test_another_sets_files_under_the_same_names_are_told_by_their_first_labels(
    wanted, other, split, tmp_path, official
):
    """However they are packed: none of these files has a registered checksum."""
    splits = official.splits(wanted, n_train=40, n_test=30)
    first = np.array([int(digit) for digit in other.first_labels[split == "test"]], np.uint8)
    splits[split].labels[:20] = first
    source = official.write(wanted, tmp_path / "official", splits, how="plain")
    message = (
        f"{split} labels begin with .* as {other.name}'s do, not {wanted.name}'s; .*xbar data import {other.name}`"
    )
    with pytest.raises(DataError, match=message):
        import_dataset(wanted.name, source=source, data_dir=tmp_path / "data", allow_partial=True)
    assert not (tmp_path / "data").exists()
    splits[split].labels[19] = (first[19] + 1) % 10
    source = official.write(wanted, tmp_path / "nearly", splits, how="plain")
    assert import_dataset(wanted.name, source=source, data_dir=tmp_path / "data", allow_partial=True).train == 40


def test_another_sets_files_are_told_by_their_checksums(tmp_path, official, monkeypatch):
    """A file with a sha256 that is registered for another set, whatever is in it."""
    source = official.write(FASHION_MNIST, tmp_path / "official", official.splits(FASHION_MNIST), how="gz")
    name = "t10k-images-idx3-ubyte.gz"
    digest = hashlib.sha256((source / name).read_bytes()).hexdigest()
    files = tuple(dataclasses.replace(f, sha256=digest) if f.name == name else f for f in MNIST.official)
    specs = tuple(dataclasses.replace(spec, official=files) if spec is MNIST else spec for spec in SPECS)
    monkeypatch.setattr(sources, "SPECS", specs)
    with pytest.raises(DataError, match=f"{name} is mnist's {name}, not fashion_mnist's; .*xbar data import mnist"):
        import_dataset("fashion_mnist", source=source, data_dir=tmp_path / "data", allow_partial=True)


def evil_tar(path, name, size=1, kind=tarfile.REGTYPE):
    """One member whose header claims `size` zeros; at most 3 MB of them follow."""
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    path.write_bytes(gzip.compress(member.tobuf() + bytes(min(size, 3_000_000) + 1024), 1))


def evil_zip(path, name, content=b"x"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)


@pytest.mark.parametrize(
    ("spec", "make", "match"),
    [
        (CIFAR10, lambda path: evil_tar(path, "../test_batch.bin"), "unsafe member name '../test_batch.bin'"),
        (CIFAR10, lambda path: evil_tar(path, "/test_batch.bin"), "unsafe member name"),
        (CIFAR10, lambda path: evil_tar(path, "x/test_batch.bin", 200_000_000), "more than the official file"),
        (CIFAR10, lambda path: evil_tar(path, "x/other", 10**12), "unpacks to more than 1000000 bytes"),
        (CIFAR10, lambda path: evil_tar(path, "x/test_batch.bin", 0, tarfile.SYMTYPE), "the archive holds no"),
        (
            CIFAR10,
            lambda path: path.write_bytes(gzip.compress(bytes(5000), 1)[:20]),
            r"official file has 170052171 bytes",
        ),
        (CIFAR10, lambda path: path.write_bytes(b"no archive"), r"damaged or truncated.*found 10"),
        (EMNIST_LETTERS, lambda path: evil_zip(path, "gzip/../../x"), "unsafe member name"),
        (EMNIST_LETTERS, lambda path: path.write_bytes(b"PK\5\6" + bytes(17)), "damaged or truncated"),
        (
            EMNIST_LETTERS,
            lambda path: evil_zip(path, "gzip/emnist-letters-train-images-idx3-ubyte.gz", bytes(99_000_000)),
            "more than the official file can hold",
        ),
    ],
)
def test_hostile_archives(spec, make, match, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_MAX_UNPACKED", 1_000_000)
    source = tmp_path / "official"
    source.mkdir()
    make(source / spec.archive)
    with pytest.raises(DataError, match=match):
        import_dataset(spec.name, source=source, data_dir=tmp_path / "data", allow_partial=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["official"]


def test_truncated_archive_names_both_sizes(tmp_path, official):
    source = official.write(CIFAR10, tmp_path / "official", official.splits(CIFAR10), how="tar")
    archive = source / CIFAR10.archive
    archive.write_bytes(archive.read_bytes()[:20_000])
    with pytest.raises(DataError, match=r"official file has 170052171 bytes, found 20000"):
        import_dataset("cifar10", source=archive, data_dir=tmp_path / "data", allow_partial=True)


def test_python_archive_and_wrong_sources(tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"x")
    for name, source, match in (
        ("cifar10", tmp_path, "holds pickles.*cifar-10-binary.tar.gz"),
        ("cifar10", tmp_path / "cifar-10-python.tar.gz", "holds pickles"),
        ("mnist", tmp_path / "cifar-10-python.tar.gz", "is a file: give the directory that holds train-images"),
        ("mnist", tmp_path / "absent", "no such directory"),
        ("mnist", None, "say from where the files of mnist are"),
        (
            "minst",
            tmp_path,
            r"unknown data set 'minst' \(did you mean mnist\?\): it must be one of fashion_mnist_mini, mnist",
        ),
        ("fashion_mnist_mini", tmp_path, "inside the package"),
    ):
        with pytest.raises(DataError, match=match):
            import_dataset(name, source=source, data_dir=tmp_path / "data", allow_partial=True)


def test_interrupted_import_keeps_the_old_set(tmp_path, official):
    take(MNIST, tmp_path, official)
    before = load("mnist", data_dir=tmp_path / "data")
    source = official.write(MNIST, tmp_path / "other", official.splits(MNIST, seed=5), how="gz")

    def interrupt(what, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset("mnist", source=source, data_dir=tmp_path / "data", allow_partial=True, progress=interrupt)
    after = load("mnist", data_dir=tmp_path / "data")
    assert np.array_equal(before.train_images, after.train_images)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mnist"]


def test_what_a_killed_import_left_is_recovered(tmp_path, official):
    """Killed between the two renames: the old set lies aside. The next import puts it back and clears up."""
    _, made = take(CIFAR10, tmp_path, official, how="plain")
    aside = tmp_path / "data" / ".xbar-import-dead" / "replaced"
    aside.mkdir(parents=True)
    (aside / "target").write_text(CIFAR10.folder)
    made.out.rename(aside / "set")
    take(MNIST, tmp_path, official)
    assert load("cifar10", data_dir=tmp_path / "data").train_images.shape == (12, 32, 32, 3)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["cifar10", "mnist"]


def test_failed_move_puts_the_old_set_back(tmp_path):
    target, staging = tmp_path / "mnist" / "3.0.1", tmp_path / "staging"
    target.mkdir(parents=True)
    staging.mkdir()
    (target / "old").touch()
    with pytest.raises(FileNotFoundError):
        staging_of.install(staging / "absent", target, aside=staging / "replaced")
    assert (target / "old").exists()


def test_two_imports_at_once_and_a_full_disk(tmp_path, official, monkeypatch):
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    lock = os.open(data_dir, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(DataError, match="another import is under way"):
        take(MNIST, tmp_path, official)
    os.close(lock)
    monkeypatch.setattr("shutil.disk_usage", lambda path: types.SimpleNamespace(free=1000))
    with pytest.raises(DataError, match=r"not enough disk space: 40256 bytes wanted, 1000 free"):
        take(MNIST, tmp_path, official)
    assert not list(data_dir.iterdir())


def test_disk_that_fills_up(tmp_path, official):
    """A limit on the size of files stands for a full disk: array_record fails in the middle of the records."""
    source = official.write(MNIST, tmp_path / "official", official.splits(MNIST, n_train=40), how="gz")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        with pytest.raises(DataError, match=r"cannot write .*File too large"):
            import_dataset("mnist", source=source, data_dir=tmp_path / "data", allow_partial=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / "data").iterdir())


def test_cache_is_used_and_renewed(tmp_path, official, monkeypatch):
    data_dir = tmp_path / "data"
    _, made = take(MNIST, tmp_path, official)
    calls = []
    read = builders.read
    monkeypatch.setattr(builders, "read", lambda *args, **kwargs: calls.append(1) or read(*args, **kwargs))
    first = load("mnist", data_dir=data_dir)
    assert not calls
    os.utime(made.out / "dataset_info.json", ns=(1, 1))
    for damage in (
        lambda cache: None,
        lambda cache: cache.write_bytes(cache.read_bytes()[:-50]),
        lambda cache: cache.unlink(),
    ):
        damage(made.out / CACHE_NAME)
        calls.clear()
        for _ in range(2):
            assert np.array_equal(load("mnist", data_dir=data_dir).train_images, first.train_images)
        assert len(calls) == 1
    other, _ = take(MNIST, tmp_path, official, seed=1)
    loaded = load("mnist", data_dir=data_dir)
    assert sorted_records(loaded.test_images, loaded.test_labels) == sorted_records(
        other["test"].images, other["test"].labels
    )


def test_foreign_and_damaged_folders(tmp_path, official):
    data_dir = tmp_path / "data"
    _, made = take(MNIST, tmp_path, official)
    row = next(row for row in status(data_dir) if row.name == "mnist")
    assert (row.available, row.train, row.test) == (True, 12, 5)
    (made.out / "metadata.json").unlink()
    assert load("mnist", data_dir=data_dir).note.startswith("partial")
    assert prepare("mnist", data_dir=data_dir).official_checksums is None
    shard = next(made.out.glob("*train.array_record*"))
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cannot be read|records wanted"):
        load("mnist", data_dir=data_dir)
    shard.unlink()
    with pytest.raises(DataError, match=r"incomplete, no mnist-train.array_record-00000-of-00001; import it again"):
        load("mnist", data_dir=data_dir)
    info = json.loads((made.out / "dataset_info.json").read_text())
    (made.out / "dataset_info.json").write_text(json.dumps({**info, "fileFormat": "tfrecord"}))
    with pytest.raises(DataError, match="prepared in format 'tfrecord', xbar reads array_record"):
        load("mnist", data_dir=data_dir)
    assert [row.available for row in status(data_dir)] == [True, *[False] * 5, *[True] * 3]
    (made.out / "dataset_info.json").write_text("{")
    with pytest.raises(DataError, match="missing or damaged"):
        load("mnist", data_dir=data_dir)


@pytest.mark.parametrize("hanging", [False, True])
def test_offline_is_told_within_two_seconds(hanging, tmp_path, monkeypatch, no_proxy):
    def lookup(*args, **kwargs):
        time.sleep(4 * hanging)
        raise socket.gaierror(socket.EAI_AGAIN, "no network")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    for spec in SPECS if not hanging else SPECS[:1]:
        for call in (prepare, load):
            start = time.perf_counter()
            with pytest.raises(DataError) as caught:
                call(spec.name, data_dir=tmp_path)
            assert time.perf_counter() - start < 2
            message = str(caught.value)
            assert f"`xbar data import {spec.name}`" in message
            assert spec.official[0].name in message
            assert "\n" not in message
    assert not list(tmp_path.iterdir())


@pytest.fixture
def server(tmp_path):
    """A local web server of `tmp_path/www`."""
    www = tmp_path / "www"
    www.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=www)) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield www, f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()
        thread.join()


def test_prepare_downloads_through_tfds(server, tmp_path, official, monkeypatch, no_proxy):
    www, address = server
    splits = official.splits(MNIST, seed=3)
    official.write(MNIST, www, splits, how="gz")
    files = []
    for file in MNIST.official:
        content = (www / file.name).read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        files.append(catalogue.OfficialFile(address + file.name, len(content), sha256))
    local = dataclasses.replace(MNIST, official=tuple(files), counts=(12, 5))
    monkeypatch.setattr(importers, "find", lambda name: local)
    data_dir = tmp_path / "data"

    wrong = dataclasses.replace(local, official=(dataclasses.replace(files[0], sha256="0" * 64), *files[1:]))
    monkeypatch.setattr(importers, "find", lambda name: wrong)
    with pytest.raises(DataError, match="not the registered sha256"):
        prepare("mnist", data_dir=data_dir)
    absent = dataclasses.replace(local, official=(dataclasses.replace(files[0], url=address + "x.gz"), *files[1:]))
    monkeypatch.setattr(importers, "find", lambda name: absent)
    with pytest.raises(DataError, match=r"download failed .*404"):
        prepare("mnist", data_dir=data_dir)
    assert not list(data_dir.iterdir())

    monkeypatch.setattr(importers, "find", lambda name: local)
    made = prepare("mnist", data_dir=data_dir)
    assert (made.train, made.test, made.official_checksums, made.partial) == (12, 5, True, False)
    assert [path.name for path in data_dir.iterdir()] == ["mnist"]
    loaded = load("mnist", data_dir=data_dir)
    expected = sorted_records(splits["train"].images, splits["train"].labels)
    assert sorted_records(loaded.train_images, loaded.train_labels) == expected


def test_names_and_default_directory(monkeypatch, tmp_path):
    assert names() == ("fashion_mnist_mini", "mnist", "fashion_mnist", "cifar10", "cifar100", "emnist_letters")
    for variable, folder in (("TFDS_DATA_DIR", "a"), ("XBAR_DATA_DIR", "b")):
        monkeypatch.setenv(variable, str(tmp_path / folder))
        assert default_data_dir() == tmp_path / folder
    with pytest.raises(DataError, match=r"data set mnist is not in .*b"):
        load("mnist", data_dir=None)
    with pytest.raises(DataError, match="unknown data set"):
        load("svhn", data_dir=None)


@pytest.mark.data
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_imported_full_set(spec):
    """A set that is there has the official class counts (a partial one only its own)."""
    if not next(row.available for row in status(None) if row.name == spec.name):
        pytest.skip(f"{spec.name} is not in {default_data_dir()}")
    loaded = load(spec.name, data_dir=None)
    assert loaded.train_images.shape[1:] == spec.shape
    assert set(np.unique(loaded.train_labels)) == set(range(len(spec.class_names)))
    if len(loaded.train_labels) == spec.counts[0] and spec is not MNIST:
        assert np.all(np.bincount(loaded.train_labels) == spec.counts[0] // len(spec.class_names))
    if spec is MNIST and loaded.note is None:
        assert np.bincount(loaded.train_labels)[:3].tolist() == [5923, 6742, 5958]
