"""Seconds of first commands: compilation in an empty cache, the second start, an import of data.

    python benchmarks/starting.py [--json]

LeNet-5, not trained, two chips on the bundled images: `xbar eval` on ideal arrays and on exact ones of 128×128 with 1 ohm wires,
each in an empty cache, then the latter again. At most 15 s more than the ideal one, and 5 s in all. `xbar data import mnist` of
70 000 pictures, the bundled ones repeated: at most 8 s. All are whole commands, imports of Python included.
"""

import argparse
import gzip
import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from xbar_cli.cli.shared.console import print_json, print_table
from xbar_cli.data.bundled_set import bundled_path

COUNTS = {"train": 60_000, "t10k": 10_000}


def seconds(*words: str, cache: Path) -> float:
    """Wall time of a command [s], with what it compiles kept in `cache`."""
    began = time.perf_counter()
    found = subprocess.run(
        [Path(sys.executable).with_name("xbar"), *words],
        env=os.environ | {"XBAR_CACHE_DIR": str(cache)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if found.returncode:
        raise SystemExit(f"xbar {' '.join(words)}: {found.stderr.strip()}")
    return time.perf_counter() - began


def evaluations(folder: Path) -> list[dict[str, object]]:
    """First evaluations in empty caches, and the second one."""
    seconds("train", "--network", "lenet5", "--epochs", "0", "--out", f"{folder}/net", cache=folder / "training")
    common = ("eval", f"{folder}/net", "--tile", "128x128", "--samples", "2")
    wired = (*common, "--array", "nodal", "--r-wire", "1")
    ideal = seconds(*common, cache=folder / "ideal")
    first = seconds(*wired, cache=folder / "nodal")
    second = min(seconds(*wired, cache=folder / "nodal") for _ in range(3))
    return [
        {"what": "eval, ideal, empty cache", "seconds": ideal},
        {"what": "eval --array nodal, empty cache", "seconds": first, "allowed": ideal + 15.0},
        {"what": "eval --array nodal, second start (best of 3)", "seconds": second, "allowed": 5.0},
    ]


def imported(folder: Path) -> dict[str, object]:
    """The import of as many pictures as MNIST has."""
    with np.load(bundled_path()) as bundled:
        images, labels = bundled["train_images"].squeeze(-1), bundled["train_labels"]
    source = folder / "mnist"
    source.mkdir()
    for part, count in COUNTS.items():
        pick = np.arange(count)[::-1] % len(labels)  # as they are, they are known as another set's
        for kind, values in (("images-idx3", images[pick]), ("labels-idx1", labels[pick])):
            head = struct.pack(f">I{values.ndim}I", 0x0800 + values.ndim, *values.shape)
            packed = gzip.compress(head + values.astype(np.uint8).tobytes(), compresslevel=1)
            (source / f"{part}-{kind}-ubyte.gz").write_bytes(packed)
    taken = seconds(
        "data", "import", "mnist", "--from", str(source), "--data-dir", str(folder / "data"), cache=folder / "import"
    )
    return {"what": "data import mnist, 70 000 pictures", "seconds": taken, "allowed": 8.0}


def main() -> int:
    """Measure and print; 1 where a command takes longer than allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cases = [*evaluations(Path(folder)), imported(Path(folder))]
    if options.json:
        print_json({"commands": cases})
    else:
        rows = [(c["what"], f"{c['seconds']:.1f}", f"{c['allowed']:.1f}" if "allowed" in c else "") for c in cases]
        print_table("whole commands", ("command", "seconds", "allowed"), rows)
    return int(any(float(str(c["seconds"])) > float(str(c.get("allowed", np.inf))) for c in cases))


if __name__ == "__main__":
    sys.exit(main())
