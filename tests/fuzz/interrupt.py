"""`python -m tests.fuzz.interrupt`: commands killed at random moments, and the advice that is found followed to the letter.

A command is run whole once; then again and again, each time killed (SIGKILL) or interrupted (SIGINT, as Ctrl-C does) at a
random moment of the time that it takes here and now. Ctrl-C goes to the whole process group, as a terminal sends it; every
third is followed by a second one. What the terminal advises, or what the next try says, is done until the command is
complete; its files must be the bytes of the whole run, but for times and paths. Each trial is a line of the results file, and
the same command goes on where the file ends.
"""

import argparse
import gzip
import hashlib
import json
import os
import random
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.fuzz.good import make
from xbar_cli.config.load import CHECKED
from xbar_cli.runs.metrics import CHECKSUM

UNTOLD = ("done", ".xbar.json", ".lock")
"""Files that hold digests of others, with their times."""
HISTORY = ("out", "cached", "runs_cached", "runs_computed", "attempts", "created", "state")
"""Keys of a summary that say where, and what was done this time."""
TRIES = 4
"""How often advice is followed."""
TOO_LATE = "ended before"
"""The command was done at that moment: no trial, another moment is drawn."""
AGAIN_EVERY = 44
"""Trials after which the commands are timed anew: others use the machine too."""


def commands(good: Path) -> dict[str, list[str]]:
    """A command line for everything that can be interrupted; `{out}` is where it writes."""
    config = str(good / "train.toml")
    cell = str(good / "cell")
    trains = {
        "ideal": [],
        "neat": ["--cell", cell, "--vg", "0.8", "--rounds", "1", "--epochs-per-round", "1"],
        "tat": ["--array", "published", "--technology", "taox", "--r-source", "100"],
        "periphery": [],
        "insitu": [],
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


def xbar(words: list[str]) -> subprocess.Popen[str]:
    """The command line in a process of its own."""
    code = "from xbar_cli.cli.shared.start import run; run()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def content(out: Path) -> dict[str, str]:
    """A digest of every file that holds results."""
    found: dict[str, str] = {}
    for path in sorted(out.rglob("*")):
        name = str(path.relative_to(out))
        if not path.is_file() or path.name in UNTOLD or path.suffix == ".log" or "logs/" in name:
            continue
        data = path.read_bytes()
        if path.suffix == ".json":
            data = json.dumps(timeless(json.loads(data)), sort_keys=True).encode()
        if path.suffix == ".jsonl":
            data = json.dumps([timeless(json.loads(line)) for line in data.splitlines()]).encode()
        if path.suffix == ".toml":  # whose checksum is of the places in it too
            data = data.partition(CHECKED.encode())[0]
        if path.suffix == ".npz":  # besides the arrays, when the files were written that they were read from
            with np.load(path) as stored:
                data = b"".join(name.encode() + stored[name].tobytes() for name in stored if name != "fingerprint")
        found[name] = hashlib.sha256(data.replace(str(out).encode(), b"OUT")).hexdigest()
    return found


def timeless(value):
    """A summary without times and places, checksums of them, and without what a sweep did this time and what before."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if "second" not in k and k not in (*HISTORY, CHECKSUM)}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def advised(said: str, argv: list[str], out: Path) -> list[str]:
    """The command line that the terminal advises: one in backticks, the same with --overwrite, or the same."""
    if (found := re.search(r"`xbar ([^`]*)`", said)) is not None:
        return shlex.split(found[1])
    return placed(argv, out) + (["--overwrite"] if "--overwrite" in said else [])


def listens(pid: int) -> bool:
    """Whether the thread that waits for Ctrl-C is there: before, Python itself starts, and says what it likes."""
    return len(os.listdir(f"/proc/{pid}/task")) > 1


def interrupted(argv: list[str], out: Path, *, kind: str, moments: list[float]) -> tuple[str, int, str]:
    """Start a command and kill or interrupt it: (a verdict where it is bad, exit status, what was said)."""
    process, began = xbar(placed(argv, out)), time.monotonic()
    for moment in moments:
        time.sleep(max(0.0, began + moment - time.monotonic()))
        while kind == "SIGINT" and process.poll() is None and not listens(process.pid):
            time.sleep(0.001)
        if process.poll() is None and kind == "SIGINT":
            os.killpg(process.pid, signal.SIGINT)
        elif process.poll() is None:
            process.kill()
    said = process.communicate(timeout=120)[1]
    lines = [line for line in said.splitlines() if line.strip()]
    if kind == "SIGINT" and process.returncode not in (0, 130):
        return "no 130", process.returncode, said
    if process.returncode == 130 and (len(lines) != 1 or not lines[0].startswith("Error: interrupted; ")):
        return "not one line", process.returncode, said
    return "Traceback" if "Traceback" in said else "", process.returncode, said


def trial(argv: list[str], out: Path, *, kind: str, moments: list[float]) -> tuple[str, str]:
    """One interruption, and what followed: (verdict, what was said)."""
    bad, code, said = interrupted(argv, out, kind=kind, moments=moments)
    if bad:
        return bad, said
    if code == 0:
        return TOO_LATE, said
    words = advised(said if code == 130 else "", argv, out)
    heard = [said.strip()]
    for _ in range(TRIES):
        process = xbar(words)
        said = process.communicate(timeout=300)[1]
        if process.returncode == 0 or "is a complete run" in said or "there is nothing to resume" in said:
            return "done", " | ".join(heard)
        heard.append(said.strip())
        words = advised(said.strip().splitlines()[-1], argv, out)
    return "advice failed", " | ".join(heard)


def timed(argv: list[str], out: Path) -> tuple[float, dict[str, str]]:
    """How long the whole command takes now [s], and what it writes."""
    shutil.rmtree(out, ignore_errors=True)
    began = time.monotonic()
    process = xbar(placed(argv, out))
    said = process.communicate()[1]
    assert process.returncode == 0, f"{argv}: {said}"
    return time.monotonic() - began, content(out)


def told(results: Path) -> list[dict]:
    """The trials so far."""
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def show(trials: list[dict]) -> int:
    """Print a table of the trials, and what was bad; how many were."""
    heads = sorted({f"{found['kind']} {found['verdict']}" for found in trials})
    table = Table("command", *heads)
    for name in dict.fromkeys(found["command"] for found in trials):
        own = [f"{found['kind']} {found['verdict']}" for found in trials if found["command"] == name]
        table.add_row(name, *(str(own.count(head)) for head in heads))
    every = [f"{found['kind']} {found['verdict']}" for found in trials]
    table.add_row("all", *(str(every.count(head)) for head in heads))
    Console().print(table)
    bad = [found for found in trials if found["verdict"] != "done"]
    for found in bad:
        print(json.dumps(found))
    return len(bad)


def judged(name: str, argv: list[str], out: Path, *, whole: tuple[float, dict[str, str]], kind: str, rng) -> dict:
    """A trial at a random moment, as a line of the results file."""
    shutil.rmtree(out, ignore_errors=True)
    moments = [rng.uniform(0, whole[0])]
    if kind == "SIGINT" and rng.random() < 1 / 3:
        moments.append(moments[0] + rng.uniform(0, 2.5))
    try:
        verdict, said = trial(argv, out, kind=kind, moments=moments)
    except subprocess.TimeoutExpired:
        verdict, said = "hangs", ""
    if verdict == TOO_LATE:
        return judged(name, argv, out, whole=whole, kind=kind, rng=rng)
    if verdict == "done" and (found := content(out)) != whole[1]:
        verdict = "other bytes"
        said += f" | {sorted(k for k in {**found, **whole[1]} if found.get(k) != whole[1].get(k))}"
    left = sorted(path.name for path in out.parent.glob(f"{out.name}.*"))
    if verdict == "done" and left:
        verdict, said = "leftovers", f"{said} | {left}"
    return {
        "command": name, "kind": kind, "moments": [round(moment, 3) for moment in moments],
        "of": round(whole[0], 3), "verdict": verdict, "said": said[-600:],
    }  # fmt: skip


def main() -> int:
    """Run the trials."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.interrupt", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--interrupts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--good", type=Path)
    parser.add_argument("--results", type=Path, default=Path(tempfile.gettempdir()) / "fuzz-interrupt.jsonl")
    parser.add_argument("--only", help="one command")
    given = parser.parse_args()
    good = given.good or Path(tempfile.mkdtemp(prefix="fuzz-good-"))
    make(good)
    idx_files(good / "mnist")
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-interrupt-"))
    lines = {name: argv for name, argv in commands(good).items() if given.only in (None, name)}
    kinds = ["SIGINT" if n % 3 == 2 else "SIGKILL" for n in range(given.kills + given.interrupts)]
    whole: dict[str, tuple[float, dict[str, str]]] = {}
    for number in range(len(told(given.results)), len(kinds)):
        if number % AGAIN_EVERY == 0:
            whole = {}
        name = list(lines)[number % len(lines)]
        if name not in whole:
            whole[name] = timed(lines[name], scratch / "whole")
        out, rng = scratch / f"out{number}", random.Random(f"{given.seed} {number}")
        line = judged(name, lines[name], out, whole=whole[name], kind=kinds[number], rng=rng)
        with given.results.open("a") as file:
            file.write(json.dumps(line) + "\n")
        for path in scratch.glob(f"out{number}*"):
            shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(scratch, ignore_errors=True)
    return 1 if show(told(given.results)) else 0


if __name__ == "__main__":
    sys.exit(main())
