"""Folders of pictures or sounds, one a class; beside each other, or within `train` and `test`."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from xbar_cli.data.own.raw import LARGEST_BYTES, Ingest, Raw, Rows
from xbar_cli.errors import DataError
from xbar_cli.outside import MEGABYTE, quoted, require_file

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".tif", ".tiff"}
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM", "TIFF")
SOUNDS = {".wav"}
MOST_BYTES = 256 * MEGABYTE
"""Of one file."""
MOST_PIXELS = 2**26

Files = list[tuple[Path, str]]
"""Files and the classes that they belong to."""


def read_folder(folder: Path, wanted: Ingest) -> Raw:
    """The pictures (uint8 [n h w c]) or sounds (float32 [n samples channels], −1 to 1) of the folders in `folder`.

    Raises:
        DataError: no such folders, no files in one, files of both kinds, of other sizes or rates, or damaged ones.
    """
    if all((folder / part).is_dir() for part in ("train", "test")):
        parts = [_files(folder / part) for part in ("train", "test")]
    else:
        parts = [_files(folder)]
    kinds = {path.suffix.lower() in SOUNDS for files in parts for path, _ in files}
    if len(kinds) > 1:
        raise DataError(f"{folder}: holds pictures and sounds; a data set is of one of them")
    reader: Callable[[list[Path], Ingest], tuple[np.ndarray, dict[str, object]]] = _sounds if kinds.pop() else _pictures
    x, facts = reader([path for files in parts for path, _ in files], wanted)
    y = np.asarray([name for files in parts for _, name in files])
    n = len(parts[0])
    test = Rows(x[n:], y[n:]) if len(parts) == 2 else None
    return Raw(Rows(x[:n], y[:n]), test, named=True, facts=facts)


def _files(folder: Path) -> Files:
    """The files of every class, in the order of their names."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not classes:
        raise DataError(f"{folder}: no folders in it; one for each class is wanted, with its pictures or wav files")
    found: Files = []
    for entry in classes:
        files = sorted(p for p in entry.iterdir() if p.suffix.lower() in PICTURES | SOUNDS and p.is_file())
        if not files:
            raise DataError(f"{entry}: no pictures ({', '.join(sorted(PICTURES))}) and no wav files in it")
        found += [(path, entry.name) for path in files]
    return found


def _pictures(files: Sequence[Path], wanted: Ingest) -> tuple[np.ndarray, dict[str, object]]:
    from PIL import Image, UnidentifiedImageError

    def opened(path: Path) -> "Image.Image":
        require_file(path, most=MOST_BYTES)
        try:
            image = Image.open(path, formats=FORMATS)
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
            raise DataError(f"{path}: no picture that can be read ({quoted(str(error).split(': ')[-1])})") from None
        if image.width * image.height > MOST_PIXELS:
            raise DataError(f"{path}: {image.width}x{image.height} pixels; at most {MOST_PIXELS} are read")
        return image

    size, grey = wanted.size, True
    for path in files:
        with opened(path) as image:
            own = (image.height, image.width)
            size = size or own
            if wanted.size is None and own != size:
                raise DataError(
                    f"{path}: {own[0]}x{own[1]} pixels, and {files[0].name} has {size[0]}x{size[1]}; give `size` to bring all "
                    "to one"
                )
            grey = grey and image.mode in ("1", "L", "LA")
    assert size is not None
    shape = (len(files), *size, 1 if grey else 3)
    _require_room(files[0].parent.parent, shape, 1)
    x = np.empty(shape, np.uint8)
    for k, path in enumerate(files):
        try:
            with opened(path) as image:
                found = image.convert("L" if grey else "RGB")
                if wanted.size is not None:
                    found = found.resize((size[1], size[0]), Image.Resampling.BILINEAR)
                x[k] = np.asarray(found).reshape(shape[1:])
        except (OSError, ValueError, SyntaxError) as error:
            raise DataError(f"{path}: a damaged picture ({quoted(str(error))})") from None
    return x, {"size": list(size), "channels": shape[-1]}


def _sounds(files: Sequence[Path], wanted: Ingest) -> tuple[np.ndarray, dict[str, object]]:
    rate, sounds = wanted.rate, []
    for path in files:
        own, samples = _sound(path)
        rate = rate or own
        if own != rate:
            raise DataError(f"{path}: {own} Hz, and {rate} Hz are wanted, as of all files; resample it")
        if sounds and samples.shape[1] != sounds[0].shape[1]:
            raise DataError(f"{path}: {samples.shape[1]} channels, and {files[0].name} has {sounds[0].shape[1]}")
        sounds.append(samples if wanted.length is None else samples[: wanted.length])
    length = wanted.length or max(len(samples) for samples in sounds)
    shape = (len(files), length, sounds[0].shape[1])
    _require_room(files[0].parent.parent, shape, 4)
    x = np.zeros(shape, np.float32)
    for k, samples in enumerate(sounds):
        x[k, : len(samples)] = samples
    return x, {"rate_hertz": rate, "length": length}


def _sound(path: Path) -> tuple[int, np.ndarray]:
    """The rate [Hz] of a wav file and its samples [samples channels], from −1 to 1."""
    from scipy.io import wavfile

    require_file(path, most=MOST_BYTES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            rate, samples = wavfile.read(path)
    except Exception as error:  # scipy's reader raises what its struct, NumPy and it itself raise
        raise DataError(f"{path}: no wav file that can be read ({quoted(str(error))})") from None
    samples = samples.reshape(len(samples), -1)
    if not samples.size:
        raise DataError(f"{path}: no samples in it")
    match samples.dtype.kind:
        case "u":
            return rate, (samples.astype(np.float32) - 128) / 128
        case "i":
            return rate, (samples / -float(np.iinfo(samples.dtype).min)).astype(np.float32)
        case _:
            return rate, samples.astype(np.float32)


def _require_room(folder: Path, shape: Sequence[int], width: int) -> None:
    size = width * int(np.prod(shape, dtype=np.int64))
    if size > LARGEST_BYTES:
        raise DataError(f"{folder}: {list(shape)} numbers take {size} bytes; at most {LARGEST_BYTES} are kept")
