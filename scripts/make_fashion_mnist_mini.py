"""Make the bundled data set `fashion_mnist_mini` from the files of Debian's package dataset-fashion-mnist.

The first 400 training and 100 test images of each class, in the original order. The same files give the same bytes.

    python scripts/make_fashion_mnist_mini.py [--from DIR] [--out FILE]

DIR holds the four idx.gz files; without it the folder of the installed Debian package is used.
"""

import argparse
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

from xbar_cli.data.bundled_set import ARRAYS, content_sha256
from xbar_cli.data.catalogue import FASHION_MNIST
from xbar_cli.data.sources import debian_fashion_mnist, locate, read_splits
from xbar_cli.errors import DataError

PER_CLASS = {"train": 400, "test": 100}
DEFAULT_OUT = Path(__file__).resolve().parents[1] / "src/xbar_cli/data/bundled/fashion_mnist_mini.npz"


def build(source: Path) -> dict[str, np.ndarray]:
    """The four arrays of the subset, from the official files in `source`."""
    splits = read_splits(FASHION_MNIST, locate(FASHION_MNIST, source, allow_partial=False), allow_partial=False)
    arrays = {}
    for name, split in splits.items():
        first = [np.flatnonzero(split.labels == label)[: PER_CLASS[name]] for label in range(10)]
        index = np.sort(np.concatenate(first))
        arrays[f"{name}_images"], arrays[f"{name}_labels"] = split.images[index], split.labels[index]
    return arrays


def write(arrays: dict[str, np.ndarray], out: Path) -> None:
    """Write the arrays as an npz file without times or other changing bytes."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in ARRAYS:
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, arrays[name], version=(1, 0), allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3
            member.external_attr = 0o644 << 16
            archive.writestr(member, buffer.getvalue(), compresslevel=9)


def main() -> None:
    """Build the subset and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", type=Path, help="directory with the four idx.gz files")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="npz file to write")
    options = parser.parse_args()
    source = options.source or debian_fashion_mnist()
    if source is None:
        sys.exit("Error: Debian's package dataset-fashion-mnist is not installed; give its files with --from DIR")
    try:
        arrays = build(source)
    except DataError as error:
        sys.exit(f"Error: {error}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write(arrays, options.out)
    print(f"{options.out}: {options.out.stat().st_size} bytes, content sha256 {content_sha256(arrays)}")


if __name__ == "__main__":
    main()
