"""The file formats against independent readers, and what is said of damaged files."""

import gzip
import io

import numpy as np
import pytest
from PIL import Image

from xbar_cli.data.catalogue import CIFAR100
from xbar_cli.data.formats import check_labels, gunzip, parse_cifar, parse_idx
from xbar_cli.data.records import from_record, pixels_of, png, to_record
from xbar_cli.errors import DataError

HEADER = bytes.fromhex("00000803 00000002 00000002 00000003".replace(" ", ""))


def test_idx_by_hand():
    images = parse_idx(HEADER + bytes(range(12)), n_dimensions=3, name="f")
    assert images.tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]
    assert parse_idx(b"\0\0\x08\x01\0\0\0\x03abc", n_dimensions=1, name="f").tolist() == [97, 98, 99]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (HEADER + bytes(11), r"f: truncated: wanted 28 bytes for 2 records, found 27"),
        (HEADER + bytes(13), r"f: too long: wanted 28 bytes for 2 records, found 29"),
        (HEADER[:9], r"f: truncated: wanted at least 16 bytes, found 9"),
        (b"\0\0\x08\x01" + HEADER[4:] + bytes(12), r"wanted magic number 0x00000803, found 0x00000801"),
        (b"\0\0\x08\x03" + b"\xff" * 12, r"truncated: wanted 79228162458924105385300197391"),
    ],
)
def test_damaged_idx(content, match):
    with pytest.raises(DataError, match=match):
        parse_idx(content, n_dimensions=3, name="f")


def test_gzip_whole_cut_damaged_and_too_large():
    content = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    packed = gzip.compress(content)
    assert gunzip(packed, limit=5000, name="f") == (content, True)
    assert gunzip(gzip.compress(content[:10]) + gzip.compress(content[10:]), limit=5000, name="f") == (content, True)
    part, complete = gunzip(packed[:3000], limit=5000, name="f")
    assert not complete
    assert 2000 < len(part) < 3000
    assert content.startswith(part)
    with pytest.raises(DataError, match=r"f: unpacks to more than 4999 bytes"):
        gunzip(packed, limit=4999, name="f")
    with pytest.raises(DataError, match=r"f: damaged gzip file"):
        gunzip(packed[:-8] + b"01234567", limit=5000, name="f")


def test_gzip_bomb_is_not_unpacked():
    bomb = gzip.compress(bytes(10_000_000))
    with pytest.raises(DataError, match="unpacks to more than 1000 bytes"):
        gunzip(bomb, limit=1000, name="f")


def test_cifar_records(official):
    split = official.splits(CIFAR100)["train"]
    content = official.members(CIFAR100, {"train": split, "test": split})["train.bin"]
    labels, images = parse_cifar(content, label_bytes=2, shape=(32, 32, 3), name="f")
    assert np.array_equal(images, split.images)
    assert np.array_equal(labels[:, 1], split.labels)
    assert np.array_equal(labels[:, 0], split.coarse)
    with pytest.raises(DataError, match=r"f: truncated: .* 3074 bytes \(36888 bytes for 12\), found 36887 bytes"):
        parse_cifar(content[:-1], label_bytes=2, shape=(32, 32, 3), name="f")
    with pytest.raises(DataError, match="truncated"):
        parse_cifar(b"", label_bytes=2, shape=(32, 32, 3), name="f")


def test_labels_out_of_range():
    check_labels(np.array([1, 26]), first=1, n_classes=26, name="f")
    with pytest.raises(DataError, match=r"f: label 27 of record 1 is out of range: it must be 1 … 26"):
        check_labels(np.array([1, 27]), first=1, n_classes=26, name="f")
    with pytest.raises(DataError, match="label 0 of record 0"):
        check_labels(np.array([0, 26]), first=1, n_classes=26, name="f")


@pytest.mark.parametrize("channels", [1, 3])
def test_png_reads_back_with_pillow(channels):
    pixels = np.random.default_rng(1).integers(0, 256, (28, 30, channels), dtype=np.uint8)
    image = Image.open(io.BytesIO(png(pixels)))
    assert image.mode == ("L" if channels == 1 else "RGB")
    assert np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)
    assert np.array_equal(pixels_of(png(pixels), pixels.shape), pixels)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("filtered", [False, True])
def test_images_that_others_wrote_are_read_too(mode, filtered):
    """Pillow filters the rows of smooth pictures; a chunk before the pixels is skipped."""
    smooth = np.add.outer(np.arange(28), np.arange(30)).astype(np.uint8)
    pixels = np.stack([smooth] * len(mode), axis=-1)
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze(), mode).save(buffer, "png", **({} if filtered else {"gamma": 0.5}))
    assert np.array_equal(pixels_of(buffer.getvalue(), pixels.shape), pixels)
    with pytest.raises(ValueError, match="reshape"):
        pixels_of(buffer.getvalue(), (28, 29, len(mode)))


def test_a_record_is_what_tfds_writes():
    from tensorflow_datasets.core.example_serializer import ExampleSerializer
    from tensorflow_datasets.core.features.feature import TensorInfo

    pixels = np.random.default_rng(2).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    example = {"label": 7, "image": png(pixels), "id": "train_00001", "coarse_label": np.int64(3)}
    record = to_record(example)
    specs = {name: TensorInfo(shape=(), dtype=np.object_) for name in ("image", "id")}
    specs |= {name: TensorInfo(shape=(), dtype=np.int64) for name in ("label", "coarse_label")}
    theirs = ExampleSerializer(specs).get_tf_example(example)
    assert record == theirs.SerializeToString(deterministic=True)
    image, label = from_record(record, pixels.shape)
    assert label == 7
    assert np.array_equal(image, pixels)


def test_what_is_no_record_is_refused():
    pixels = np.zeros((4, 5, 1), np.uint8)
    with pytest.raises(ValueError, match="no Example"):
        from_record(b"\xff\xff", pixels.shape)
    with pytest.raises(IndexError):
        from_record(b"", pixels.shape)
    broken = bytearray(png(pixels))
    broken[44] ^= 255
    with pytest.raises(ValueError, match="damaged image"):
        from_record(to_record({"image": bytes(broken), "label": 1}), pixels.shape)
