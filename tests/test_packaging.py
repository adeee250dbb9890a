"""The wheel, built as the Dockerfile builds it: from what it copies, and nothing else."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of the files in the wheel."""
    source = tmp_path_factory.mktemp("source")
    first = DOCKERFILE.split("\nFROM ")[1]
    for line in re.findall(r"^COPY (?!--from)(.+)$", first, re.MULTILINE):
        *names, _ = line.split()
        for name in names:
            place = ROOT / name
            shutil.copytree(place, source / name) if place.is_dir() else shutil.copy(place, source / name)
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(source / "dist")],
        cwd=source, capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return zipfile.ZipFile(next((source / "dist").glob("*.whl"))).namelist()


@pytest.mark.parametrize("folder", ["spice_netlists", "experiments", "data/bundled", "experiment/templates", "watch"])
def test_the_wheel_has_every_file_of_the_checkout(wheel, folder):
    own = ROOT / folder if folder in ("spice_netlists", "experiments") else ROOT / "src/xbar_cli" / folder
    files = subprocess.run(["git", "ls-files", "."], cwd=own, capture_output=True, text=True, check=True).stdout.split()
    assert files
    assert {f"xbar_cli/{folder}/{name}" for name in files} <= set(wheel)


def test_the_image_takes_only_extras_that_there_are():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    taken = re.search(r"\[([a-z,]+)\]", DOCKERFILE)
    assert taken
    assert set(taken[1].split(",")) <= set(declared)


def test_what_the_image_copies_is_not_ignored():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]
    }
    assert copied == kept
