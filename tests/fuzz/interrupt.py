"""`python -m tests.fuzz.interrupt`: commands killed at random moments, and the advice that is found followed to the letter.

A command is run whole once; then again and again, each time killed (SIGKILL) or interrupted (SIGINT, as Ctrl-C does) at a
random moment. What the terminal advises, or what the next try says, is done until the command is complete; its files must be
the bytes of the whole run, but for times, paths and the machine's description.
"""

import argparse
import gzip
import hashlib
import json
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.fuzz.good import make
from tests.fuzz.judge import timeless

UNTOLD = ("env.json", "done", "metrics.jsonl", ".xbar.json", ".lock")
"""Files that hold times, or the machine."""
TRIES = 4
"""How often advice is followed."""


def commands(good: Path) -> dict[str, list[str]]:
    """A command line for everything that can be interrupted; `{out}` is where it writes."""
    config = str(good / "train.toml")
    cell = str(good / "cell")
    trains = {
        "ideal": [],
        "neat": ["--cell", cell, "--vg", "0.8", "--rounds", "1", "--epochs-per-round", "1"],
        "tat": ["--array", "published", "--technology", "taox", "--r-source", "100"],
        "periphery": [],
        "biased": ["--start", str(good / "net")],
    }
    found = {
        f"train {name}": ["train", "--config", config, "--set", "training.epochs=3", "--method", name, *words]
        for name, words in trains.items()
    }
    return found | {
        "run": ["run", str(good / "experiment.toml"), "--workers", "1"],
        "characterize": ["characterize", "--vg-range", "0.7:1.0:0.05", "--set", "sweep.cache=false"],
        "map": ["map", str(good / "net")],
        "evaluate": ["eval", str(good / "mapped"), "--variation", "0.1", "--samples", "8"],
        "import": ["import", str(good / "net.safetensors"), "--network", "mlp", "--set", "network.hidden=4"],
        "data import": ["data", "import", "mnist", "--from", str(good / "mnist"), "--allow-partial"],
    }


def idx_files(folder: Path) -> None:
    """A few hundred pictures as MNIST's files have them."""
    folder.mkdir(exist_ok=True)
    rng = random.Random(0)
    for part, count in (("train", 400), ("t10k", 100)):
        pictures = rng.randbytes(count * 784)
        labels = bytes(n % 10 for n in range(count))
        head = struct.pack(">IIII", 0x803, count, 28, 28)
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + pictures, mtime=0))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(struct.pack(">II", 0x801, count) + labels, mtime=0)
        )


def placed(argv: list[str], out: Path) -> list[str]:
    """The command line with the place that it writes to."""
    return [*argv, "--data-dir" if argv[0] == "data" else "--out", str(out)]


def xbar(words: list[str], **given) -> subprocess.Popen[str]:
    """The command line in a process of its own."""
    code = "from xbar_cli.cli.main import run; run()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **given
    )


def content(out: Path) -> dict[str, str]:
    """A digest of every file that holds results."""
    found: dict[str, str] = {}
    for path in sorted(out.rglob("*")):
        name = str(path.relative_to(out))
        if not path.is_file() or path.name in UNTOLD or path.suffix in (".log", ".png") or "logs/" in name:
            continue
        data = path.read_bytes()
        if path.suffix == ".json":
            data = json.dumps(timeless(json.loads(data)), sort_keys=True).encode()
        found[name] = hashlib.sha256(data.replace(str(out).encode(), b"OUT")).hexdigest()
    return found


def advised(said: str, argv: list[str], out: Path) -> list[str]:
    """The command line that the terminal advises: one in backticks, the same with --overwrite, or the same."""
    if (found := re.search(r"`xbar ([^`]*)`", said)) is not None:
        return found[1].split()
    return placed(argv, out) + (["--overwrite"] if "--overwrite" in said else [])


def trial(argv: list[str], out: Path, *, kind: signal.Signals, after: float) -> tuple[str, str]:
    """One interruption, and what followed: (verdict, what was said)."""
    process = xbar(placed(argv, out))
    time.sleep(after)
    process.send_signal(kind)
    said = process.communicate(timeout=120)[1]
    told = said.strip().splitlines()[-1:] or [""]
    if kind == signal.SIGINT and process.returncode not in (0, 130):
        return "no 130", said
    if "Traceback" in said or (process.returncode == 130 and not told[0].startswith("Error: interrupted")):
        return "traceback", said
    words = advised(told[0] if process.returncode == 130 else "", argv, out)
    for _ in range(TRIES):
        if process.returncode == 0:
            return "done", said
        process = xbar(words)
        said = process.communicate(timeout=300)[1]
        if process.returncode == 0:
            return "done", said
        if "is a complete run" in said:
            return "done", said
        words = advised(said.strip().splitlines()[-1], argv, out)
    return "advice failed", said


def main() -> int:
    """Run the trials."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.interrupt", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--interrupts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--good", type=Path)
    parser.add_argument("--only", help="one command")
    given = parser.parse_args()
    good = given.good or Path(tempfile.mkdtemp(prefix="fuzz-good-"))
    make(good)
    idx_files(good / "mnist")
    rng, scratch = random.Random(given.seed), Path(tempfile.mkdtemp(prefix="fuzz-interrupt-"))
    lines = {name: argv for name, argv in commands(good).items() if given.only in (None, name)}
    whole: dict[str, tuple[float, dict[str, str]]] = {}
    for name, argv in lines.items():
        for _ in range(2):  # the second finds what the first compiled
            shutil.rmtree(scratch / "whole", ignore_errors=True)
            began = time.monotonic()
            process = xbar(placed(argv, scratch / "whole"))
            said = process.communicate()[1]
            assert process.returncode == 0, f"{name}: {said}"
        whole[name] = time.monotonic() - began, content(scratch / "whole")
    kinds = [signal.SIGKILL] * given.kills + [signal.SIGINT] * given.interrupts
    counts: dict[str, dict[str, int]] = {name: {} for name in lines}
    bad = []
    for number, kind in enumerate(track(kinds, console=Console(stderr=True), description="interruptions")):
        name = list(lines)[number % len(lines)]
        seconds, expected = whole[name]
        out = scratch / f"out{number}"
        after = rng.uniform(0, seconds)
        verdict, said = trial(lines[name], out, kind=kind, after=after)
        if verdict == "done" and (found := content(out)) != expected:
            verdict = "other bytes"
            said = ", ".join(sorted(k for k in {**found, **expected} if found.get(k) != expected.get(k)))
        key = f"{kind.name} {verdict}"
        counts[name][key] = counts[name].get(key, 0) + 1
        if verdict != "done":
            bad.append(f"{name}, {kind.name} after {after:.2f} of {seconds:.2f} s: {verdict}: {said[-600:]}")
        shutil.rmtree(out, ignore_errors=True)
    heads = sorted({key for found in counts.values() for key in found})
    table = Table("command", "seconds", *heads)
    for name, found in counts.items():
        table.add_row(name, f"{whole[name][0]:.1f}", *(str(found.get(key, 0)) for key in heads))
    Console().print(table)
    print("\n".join(bad))
    shutil.rmtree(scratch, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
