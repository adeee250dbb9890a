"""`python -m tests.fuzz.environment`: what surrounds a command is bad, and it ends in one line or succeeds.

Full disks (a small tmpfs), folders that can't be written, no home, poisoned caches, two processes with one `--out`, links in
runs that lead outside, an endless log. To be run by root on Linux, on a machine that allows mounts; takes some minutes.
"""

import argparse
import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

import xbar_cli.workflows.energy
import xbar_cli.workflows.evaluate
import xbar_cli.workflows.report
import xbar_cli.workflows.train  # noqa: F401 (what forked commands need)
from tests.fuzz.interrupt import commands, idx_files, placed
from xbar_cli.caches import discard, keep_compiled
from xbar_cli.cli.main import guarded

CODE = "from xbar_cli.cli.shared.start import run; run()"
BOUND = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""Takes from root what lets it write where it may not."""
FEW = ("train ideal", "map", "run", "characterize", "data import")


class Trials:
    """Outcomes by trial, in order."""

    def __init__(self, good: Path, scratch: Path) -> None:
        self.good, self.scratch = good, scratch
        self.rows: list[tuple[str, str, str]] = []

    def run(self, words: list[str], *, unset: str = "", obeys: bool = False, **variables: str) -> tuple[int, str]:
        """The command, as a user whom permissions bind where it `obeys`: its exit status and what it says on stderr."""
        if not (variables or unset or obeys) and words[0] != "run":
            return self.forked(words)
        env = {key: value for key, value in os.environ.items() if key != unset} | variables
        words = [*(BOUND if obeys else []), sys.executable, "-c", CODE, *words]
        try:
            done = subprocess.run(words, capture_output=True, text=True, env=env, timeout=300, cwd=self.scratch)
        except subprocess.TimeoutExpired:
            return -1, "hangs"
        return done.returncode, done.stderr

    def forked(self, words: list[str]) -> tuple[int, str]:
        """The same without the seconds in which everything is imported."""
        log = self.scratch / "stderr.txt"
        if (child := os.fork()) == 0:
            os.chdir(self.scratch)
            os.dup2(os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644), 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            code = 70
            try:
                code = guarded(words)
            except BaseException:
                traceback.print_exc()
            sys.stderr.flush()
            os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), log.read_text()

    def judge(self, name: str, code: int, said: str, *, wanted: tuple[int, ...] = (0, 1), fault: str = "") -> None:
        """Record a trial: at most one line beginning with `Error:` where it failed, notes where it did not."""
        lines = [line for line in said.splitlines() if line.strip()]
        if code not in wanted:
            fault = fault or f"exit status {code}"
        if "Traceback" in said or (code and (len(lines) != 1 or not lines[0].startswith("Error: "))):
            fault = fault or "not one line"
        self.rows.append((name, fault or ("done" if code == 0 else "one line"), " | ".join(lines)[-300:]))
        print(*self.rows[-1], sep=" · ", flush=True)


@contextmanager
def tmpfs(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A disk of a few kilobytes."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def files(folder: Path) -> dict[str, bytes]:
    """Everything below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def full_disk(trials: Trials) -> None:
    """Each command on disks that fill up at its start, in its middle, and near its end; then with room again."""
    for name, argv in commands(trials.good).items():
        for kilobytes in (0, 24, 120, 400) if name in FEW else (0, 120):
            with tmpfs(trials.scratch / "disk", kilobytes or 16) as disk:
                if not kilobytes:
                    fill(disk)
                code, said = trials.run([*placed(argv, disk / "out"), *overwriting(argv)])
                trials.judge(f"{name} on a disk of {kilobytes} KiB", code, said, fault=left(disk, argv, code, said))


def overwriting(argv: list[str]) -> list[str]:
    """Quiet, where the command can be."""
    return [] if argv[0] == "data" else ["--quiet"]


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def left(disk: Path, argv: list[str], code: int, said: str) -> str:
    """What is wrong with what a failed command left."""
    found = sorted(path.name for path in disk.iterdir() if path.name != "filler")
    if code == 0 or argv[0] in ("run", "data"):
        return "" if code == 0 or not list(disk.rglob(".xbar-import-*")) else "staging left"
    allowed = ["out.partial"] if "--resume" in said else []
    return "" if found == allowed else f"left {found}"


def full_caches(trials: Trials) -> None:
    """No room where caches or temporary files go."""
    for name in FEW:
        argv = commands(trials.good)[name]
        with tmpfs(trials.scratch / "disk", 16) as disk:
            fill(disk)
            out = trials.scratch / "cached"
            code, said = trials.run(placed(argv, out), XBAR_CACHE_DIR=str(disk / "cache"))
            trials.judge(f"{name}, no room for caches", code, said, wanted=(0,))
            shutil.rmtree(out, ignore_errors=True)
            code, said = trials.run(placed(argv, out), TMPDIR=str(disk))
            trials.judge(f"{name}, no room for temporary files", code, said)
            for path in trials.scratch.glob("cached*"):
                shutil.rmtree(path)


def read_only(trials: Trials) -> None:
    """Into a folder without the right to write, a read-only disk and /proc; with a cache and a home of that kind, too."""
    closed = trials.scratch / "closed"
    closed.mkdir(mode=0o555)
    with tmpfs(trials.scratch / "disk", 16) as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for name, argv in commands(trials.good).items():
            for folder in (closed, disk, Path("/proc")) if name in FEW else (closed,):
                code, said = trials.run(placed(argv, folder / "out"), obeys=True)
                trials.judge(f"{name} into {folder.name}, which is read-only", code, said, wanted=(1,))
        for name in FEW:
            for folder in (closed, disk):
                out = trials.scratch / "elsewhere"
                where = {"HOME": str(folder), "XBAR_CACHE_DIR": str(folder / "cache"), "TMPDIR": str(folder)}
                code, said = trials.run(placed(commands(trials.good)[name], out), obeys=True, **where)
                trials.judge(f"{name}, home and caches in {folder.name}, which is read-only", code, said)
                for path in trials.scratch.glob("elsewhere*"):
                    shutil.rmtree(path)
    trials.judge("the folder is empty", 0, "", fault=str(list(closed.iterdir()) or ""))


def no_home(trials: Trials) -> None:
    """HOME unset, empty, missing or closed: with XBAR_CACHE_DIR unset too."""
    argv = ["train", "--config", str(trials.good / "train.toml"), "--quiet"]
    homes: dict[str, dict[str, str]] = {
        "unset": {}, "empty": {"HOME": ""}, "missing": {"HOME": "/nowhere/home"}, "a file": {"HOME": "/etc/hostname"},
    }  # fmt: skip
    before = os.environ.pop("XBAR_CACHE_DIR", None)
    for name, variables in homes.items():
        for command in (
            argv,
            ["doctor"],
            ["data", "ls"],
            ["characterize", "--vg-range", "0.8", "--set", "sweep.g_points=16"],
        ):
            words = [
                *command,
                *(["--out", str(trials.scratch / "homeless")] if command[0] in ("train", "characterize") else []),
            ]
            code, said = trials.run(words, unset="" if variables else "HOME", **variables)
            trials.judge(f"{command[0]}, HOME {name}", code, said, wanted=(0,))
            shutil.rmtree(trials.scratch / "homeless", ignore_errors=True)
    if before is not None:
        os.environ["XBAR_CACHE_DIR"] = before


def poisoned(trials: Trials) -> None:
    """Every file of a warm cache is garbage, empty, a folder, a link; every folder is a file."""
    cache = trials.scratch / "cache"
    lines = commands(trials.good)
    for name in ("characterize", "evaluate"):
        argv = [
            word
            for word in lines[name]
            if word != "sweep.cache=false" and not (word == "--set" and name == "characterize")
        ]
        expected = None
        for how, poison in {"warm": None, **POISONS}.items():
            discard(cache)
            out = trials.scratch / "poisoned"
            trials.run(placed(argv, out), XBAR_CACHE_DIR=str(cache))
            expected = expected or results(out)
            shutil.rmtree(out)
            outside = trials.scratch / "outside"
            outside.write_bytes(b"mine")
            if poison is not None:
                poison(cache, outside)
            code, said = trials.run(placed(argv, out), XBAR_CACHE_DIR=str(cache))
            fault = "" if code or results(out) == expected else "other results"
            fault = fault or ("" if outside.read_bytes() == b"mine" else "a file outside was changed")
            trials.judge(f"{name}, cache: {how}", code, said, wanted=(0,), fault=fault)
            shutil.rmtree(out, ignore_errors=True)


def results(out: Path) -> dict[str, bytes]:
    """The files of a run that hold numbers only."""
    return {name: data for name, data in files(out).items() if name.endswith((".nc", ".safetensors"))}


def _garbage(cache: Path, _: Path) -> None:
    for path in [path for path in cache.rglob("*") if path.is_file()]:
        path.write_bytes(bytes(range(256)) * 8)


def _cut(cache: Path, _: Path) -> None:
    for path in [path for path in cache.rglob("*") if path.is_file()]:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _emptied(cache: Path, _: Path) -> None:
    for path in [path for path in cache.rglob("*") if path.is_file()]:
        path.write_bytes(b"")


def _folders(cache: Path, _: Path) -> None:
    for path in [path for path in cache.rglob("*") if path.is_file()]:
        path.unlink()
        path.mkdir()


def _links(cache: Path, outside: Path) -> None:
    for path in [path for path in cache.rglob("*") if path.is_file()]:
        path.unlink()
        path.symlink_to(outside)


def _a_file(cache: Path, _: Path) -> None:
    shutil.rmtree(cache)
    cache.write_bytes(b"no folder")


def _files(cache: Path, _: Path) -> None:
    for path in list(cache.iterdir()):
        shutil.rmtree(path)
        path.write_bytes(b"no folder")


def _pipes(cache: Path, _: Path) -> None:
    for path in [path for path in cache.rglob("*") if path.is_file()]:
        path.unlink()
        os.mkfifo(path)


POISONS: dict[str, Callable[[Path, Path], None]] = {
    "garbage": _garbage, "cut": _cut, "emptied": _emptied, "folders for files": _folders, "links outside": _links,
    "a file for the folder": _a_file, "files for its folders": _files, "pipes for files": _pipes,
}  # fmt: skip


def two_at_once(trials: Trials) -> None:
    """Two processes with one place: one makes the run, the other says so; with and without --overwrite."""
    lines = commands(trials.good)
    for name in ("train ideal", "map", "evaluate", "run", "characterize", "data import"):
        for extra in ([], ["--overwrite"]) if lines[name][0] not in ("run", "data") else ([],):
            out = trials.scratch / "both"
            words = [sys.executable, "-c", CODE, *placed(lines[name], out), *extra]
            pair = [
                subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(3)
            ]
            ended = [(process.communicate(timeout=300)[1], process.returncode) for process in pair]
            won = sum(code == 0 for _, code in ended)
            for said, code in ended:
                trials.judge(f"{name} {' '.join(extra)}, one of three", code, said, fault="" if won else "nobody won")
            kept = sorted(path.name for path in trials.scratch.glob("both*"))
            trials.judge(f"{name} {' '.join(extra)}, what is there", 0, "", fault="" if kept == ["both"] else str(kept))
            for path in trials.scratch.glob("both*"):
                shutil.rmtree(path)


def links(trials: Trials) -> None:
    """A file of a complete run, or of an interrupted one, or its folder, is a link to what is not its own."""
    outside = trials.scratch / "mine"
    for name in [*(path.name for path in (trials.good / "net").iterdir()), "new"]:
        for command in (["map"], ["eval", "--samples", "2"], ["report", "--overwrite"], ["energy"], ["ls"], ["train"]):
            fake = trials.scratch / ("net.partial" if command[0] == "train" else "net")
            shutil.copytree(trials.good / "net", fake)
            outside.mkdir()
            (outside / "thesis.tex").write_text("…")
            target = outside / "thesis.tex"
            if (fake / name).is_file():
                target = outside / name
                shutil.copy(fake / name, target)
            (fake / name).unlink(missing_ok=True)
            (fake / name).symlink_to(target)
            before = files(outside)
            run = str(trials.scratch / "net")
            words = [
                command[0],
                *(["--resume"] if command[0] == "train" else []),
                run if command[0] != "ls" else str(trials.scratch),
            ]
            out = [] if command[0] in ("ls", "train") else ["--out", str(trials.scratch / "linked")]
            code, said = trials.run([*words, *command[1:], *out])
            fault = "" if files(outside) == before else "what is outside was changed"
            trials.judge(f"{command[0]}, {name} of the run is a link", code, said, fault=fault)
            for path in (fake, outside, *trials.scratch.glob("linked*"), *trials.scratch.glob("net*")):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def folder_links(trials: Trials) -> None:
    """The place of a run, or of an unfinished one, is itself a link to a folder of somebody."""
    for name in ("out", "out.partial", "out.replaced", "out.partial/checkpoints"):
        for extra in ([], ["--overwrite"], ["--resume"]):
            outside = trials.scratch / "mine"
            outside.mkdir()
            (outside / "thesis.tex").write_text("…")
            place = trials.scratch / name
            place.parent.mkdir(exist_ok=True)
            if place.parent.name == "out.partial":
                shutil.copy(trials.good / "net" / "config.toml", place.parent)
            place.symlink_to(outside)
            out = str(trials.scratch / "out")
            words = ["train", "--config", str(trials.good / "train.toml")]
            code, said = trials.run(
                ["train", "--resume", out] if extra == ["--resume"] else [*words, "--out", out, *extra]
            )
            fault = "" if files(outside) == {"thesis.tex": "…".encode()} else "what is outside was changed"
            trials.judge(f"train {' '.join(extra)}, {name} is a link", code, said, fault=fault)
            for path in (*trials.scratch.glob("out*"), outside):
                path.unlink() if path.is_symlink() else shutil.rmtree(path)


def long_logs(trials: Trials) -> None:
    """80 MB and 300 MB of metrics.jsonl in a run that report and ls look at, and in one that is resumed."""
    line = json.dumps({"step": 1, "phase": "train", "epoch": 1, "loss": 0.5, "validation_accuracy": 0.5}) + "\n"
    for megabytes in (80, 300):
        for sealed in (True, False):
            fake = trials.scratch / "long"
            shutil.copytree(trials.good / "net", fake)
            with (fake / "metrics.jsonl").open("w") as file:
                for _ in range(megabytes):
                    file.write(line * (10**6 // len(line)))
            (fake / "done").write_text("")
            if sealed:
                from xbar_cli.runs.seal import seal

                (fake / "done").unlink()
                seal(fake)
            for words in (
                ["report", str(fake), "--out", str(trials.scratch / "page.html"), "--overwrite"],
                ["ls", str(trials.scratch)],
            ):
                code, said = trials.run(words)
                trials.judge(f"{words[0]}, {megabytes} MB of log, {'sealed' if sealed else 'of 0.1'}", code, said)
            shutil.rmtree(fake)


TRIALS = {
    trial.__name__: trial
    for trial in (full_disk, full_caches, read_only, no_home, poisoned, two_at_once, links, folder_links, long_logs)
}


def main() -> int:
    """Run the trials."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.environment", description=__doc__)
    parser.add_argument("--good", type=Path)
    parser.add_argument("--only", choices=TRIALS, action="append")
    given = parser.parse_args()
    keep_compiled()
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-environment-"))
    scratch.chmod(stat.S_IRWXU | stat.S_IROTH | stat.S_IXOTH)
    good = given.good or scratch / "good"
    if not (good / "stats").exists():  # in a process of its own: what has computed is not to be forked
        code = f"from pathlib import Path; from tests.fuzz.good import make; make(Path({str(good)!r}))"
        subprocess.run([sys.executable, "-c", code], check=True)
    idx_files(good / "mnist")
    trials = Trials(good, scratch)
    table = Table("trials", "done", "one line", "bad")
    bad = []
    for name, trial in TRIALS.items():
        if given.only is None or name in given.only:
            before = len(trials.rows)
            trial(trials)
            own = [verdict for _, verdict, _ in trials.rows[before:]]
            bad += [row for row in trials.rows[before:] if row[1] not in ("done", "one line")]
            done, line = own.count("done"), own.count("one line")
            table.add_row(name, str(done), str(line), str(len(own) - done - line))
    Console().print(table)
    for row in bad:
        print("BAD", *row, sep=" · ")
    shutil.rmtree(scratch, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
