"""`python -m tests.fuzz.trial`: runs of every kind with every kind of damage, into each command that reads them.

Each file deleted, cut at ten places, with bits flipped; each key of summary.json and config.toml missing, empty and of another
type. Once with the list of files that `done` holds (the seal), and once with an empty `done` as runs of xbar 0.1 have it, so
that what is behind the seal is tried. What is accepted must give the undamaged result, or say what it ignored.
"""

import argparse
import collections
import contextlib
import copy
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.fuzz.case import HERE, Case, Edit, write
from tests.fuzz.good import RUNS, make
from tests.fuzz.judge import Outcome
from tests.fuzz.nasty import leaves
from tests.fuzz.workers import Limits, judged
from xbar_cli.caches import keep_compiled
from xbar_cli.outside import printable, read_toml
from xbar_cli.runs.seal import DONE, UNSEALED

TRAIN = ["train", "--config", "{good}/train.toml"]
METHODS = {
    "neat": ["--method", "neat", "--cell", "{good}/cell", "--vg", "0.8", "--rounds", "1", "--epochs-per-round", "1"],
    "tat": ["--method", "tat", "--array", "published", "--technology", "taox", "--r-source", "100"],
    "periphery": ["--method", "periphery"],
    "insitu": ["--method", "insitu"],
    "biased": ["--method", "biased", "--start", "{good}/net"],
}
EVALUATE = ["--variation", "0.1", "--samples", "2", "--images", "20"]
MORE = {
    **{name: [*TRAIN, *words] for name, words in METHODS.items()},
    "imported": ["import", "{good}/net.safetensors", "--network", "mlp", "--set", "network.hidden=4"],
    "gated": ["map", "{good}/neat"],
    "checked": ["verify", "--cases", "{good}/cases.json"],
    "compared": ["compare", "{good}/chips", "{good}/other"],
    "front": ["pareto", "{good}/chips", "{good}/cost"],
    "sweep": ["run", "{good}/experiment.toml", "--workers", "1"],
}
"""Runs of the kinds that the fuzzer does without."""
KEPT = "kept.partial"
"""A training that was interrupted after its last epoch."""


@dataclass(frozen=True)
class Reading:
    """A command that reads a run: its arguments, the runs it needs, and the one that is damaged."""

    command: str
    argv: tuple[str, ...]
    copies: tuple[str, ...]
    damaged: str

    def case(self, edits: Sequence[Edit] = (), *, kind: str) -> Case:
        """The command with the run damaged."""
        return Case(f"{self.command}: {kind}", self.argv, {name: name for name in self.copies}, tuple(edits))


def readings(good: Path) -> list[Reading]:
    """Every command with every run that it reads."""

    def made(command: str, run: str, *words: str, needs: Sequence[str] = ()) -> Reading:
        argv = (*(word.replace("@", f"{HERE}/") for word in words), "--out", f"{HERE}/out", "--json")
        return Reading(command, argv, (run, *needs), run)

    mapped = str(good / "mapped")  # as the runs made of it name it
    few = ("--samples", "1", "--images", "10", "--variation", "0.1")
    fast = ("--config", f"{HERE}/train.toml", "--method", "biased")
    pair, trade = ("compare", "@chips", "@other"), ("pareto", "@chips", "@cost")
    found = [
        *(made("map", run, "map", f"@{run}") for run in ("net", *METHODS, "imported")),
        *(made("evaluate", run, "eval", f"@{run}", *few) for run in ("net", *METHODS, "mapped", "gated")),
        made("evaluate", "cell", "eval", "@net", "--cell", "@cell", "--vg", "0.8", *few, needs=("net",)),
        *(made("energy", run, "energy", f"@{run}") for run in ("mapped", "gated")),
        made("energy", "chips", "energy", mapped, "--activity", "@chips"),
        made("energy", "cost", "energy", mapped, "--activity", "@cost"),
        *(made("pareto", run, *trade, needs=other) for run, other in (("chips", ("cost",)), ("cost", ("chips",)))),
        *(made("compare", run, *pair, needs=other) for run, other in (("chips", ("other",)), ("other", ("chips",)))),
        made("characterize tile", "mapped", "characterize", "tile", "--set", "tile.run=@mapped"),
        made("train", "net", "train", *fast, "--start", "@net", needs=("train.toml",)),
        made("train", "cell", "train", "--config", f"{HERE}/train.toml", "--method", "neat", "--cell", "@cell", "--vg", "0.8",
             "--rounds", "1", "--epochs-per-round", "1", needs=("train.toml",)),
        made("run", "sweep", "run", "@experiment.toml", "--dry-run", needs=("experiment.toml",)),
        Reading("train --resume", ("train", "--resume", f"{HERE}/kept", "--json"), (KEPT,), KEPT),
    ]  # fmt: skip
    found = [reading if reading.command != "run" else replace(reading, argv=tuple(
        word.replace(f"{HERE}/out", f"{HERE}/sweep") for word in reading.argv)) for reading in found]  # fmt: skip
    for run in [name for name in (*RUNS, *MORE) if name != "stats"]:
        page = f"{HERE}/page.html"
        found.append(Reading("report", ("report", f"{HERE}/{run}", "--out", page, "--json"), (run,), run))
        found.append(Reading("ls", ("ls", HERE), (run,), run))
    return found


def make_all(good: Path) -> None:
    """Every run, and the interrupted training."""
    make(good)
    make(good, MORE)
    if not (good / KEPT).exists():
        from xbar_cli.cli.main import guarded
        from xbar_cli.workflows import train

        whole, train.conclude = train.conclude, interrupted
        try:
            words = [
                "train",
                "--config",
                str(good / "train.toml"),
                "--set",
                "training.epochs=2",
                "--out",
                str(good / "kept"),
            ]
            assert guarded(words) == 130
        finally:
            train.conclude = whole


def interrupted(*_: Any) -> dict[str, Any]:
    """As Ctrl-C between the last epoch and the end."""
    raise KeyboardInterrupt


def damages(folder: Path, run: str, *, bits: int) -> Iterator[tuple[str, Edit]]:
    """Every damage of a run, with the kind of each."""
    rng = random.Random(run)
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / DONE):
        name, size = f"{run}/{path.relative_to(folder)}", path.stat().st_size
        yield "deleted", Edit(name, "delete")
        for tenth in range(10 if size else 0):
            yield "cut", Edit(name, "truncate", size * tenth // 10)
        for _ in range(bits if size else 0):
            yield "bit", Edit(name, "flip", rng.randrange(8 * size))
    for path in sorted([*folder.rglob("summary.json"), *folder.rglob("config.toml")]):
        name = f"{run}/{path.relative_to(folder)}"
        for kind, text in key_damages(path):
            yield kind, write(name, text)


def key_damages(path: Path) -> Iterator[tuple[str, str]]:
    """The file with each key in turn missing, null (TOML: an empty text) and of another type."""
    toml = path.suffix == ".toml"
    tree = read_toml(path) if toml else json.loads(path.read_text())
    for way in leaves(tree):
        if any(isinstance(part, int) and part > 0 for part in way):
            continue
        for kind in ("missing", "null", "type"):
            changed = copy.deepcopy(tree)
            node = changed
            for part in way[:-1]:
                node = node[part]
            if kind == "missing":
                del node[way[-1]]
            else:
                node[way[-1]] = ("" if toml else None) if kind == "null" else another_type(node[way[-1]])
            yield f"key {kind}", tomli_w.dumps(changed) if toml else json.dumps(changed)


def another_type(value: Any) -> Any:
    """A value of another type."""
    match value:
        case bool() | None:
            return 3
        case str():
            return 7
        case int() | float():
            return "x"
        case list():
            return {"a": 1}
        case _:
            return [1, "x"]


def cases(good: Path, wanted: Iterable[Reading], *, bits: int, part: tuple[int, int] = (1, 1)) -> Iterator[Case]:
    """These commands with every damage, sealed and not: the `part` (k, n), the k-th of n drawn ones of about one size."""
    rng, (chosen, parts) = random.Random(0), part
    for reading in wanted:
        folder = good / reading.damaged
        unsealed = [
            write(f"{reading.damaged}/{p.relative_to(folder)}", "") for p in folder.rglob(DONE) if p.stat().st_size
        ]
        for kind, edit in damages(folder, reading.damaged, bits=bits):
            for seal, others in (("sealed", []), ("unsealed", [e for e in unsealed if e.path != edit.path])):
                if (others or seal == "sealed") and int(rng.random() * parts) == chosen - 1:
                    yield reading.case([edit, *others], kind=f"{kind}, {seal}")


OUTCOMES = ("line", "same", "noted", "unchecked", "silent", "traceback", "slow", "partial", "long", "died")
"""One line; accepted with the same result; with another and a note of what was ignored; with another, and told only that the
run has no list of its files; with another without a word; and what may never be."""
BROKEN = OUTCOMES[4:]


def classified(outcome: Outcome, usual: Outcome) -> str:
    """What became of a case, the undamaged outcome being known."""
    if outcome.verdict != "accepted":
        return outcome.verdict
    if outcome.result == usual.result:
        return "same"
    told = set(outcome.text.splitlines()) - set(usual.text.splitlines())
    if any(UNSEALED not in line for line in told):
        return "noted"
    return "unchecked" if told else "silent"


def tried(wanted: Iterable[Case], *, good: Path, workers: int) -> Iterator[tuple[Case, str, Outcome]]:
    """Every case with what became of it."""
    undamaged = [reading.case(kind="good") for reading in readings(good)]
    usual: dict[Any, Outcome] = {}
    for _, case, outcome in judged(enumerate(undamaged), good=good, workers=workers, limits=Limits()):
        assert outcome.verdict == "accepted", (case.argv, outcome)
        usual[case.argv, tuple(case.copies)] = outcome
    for _, case, outcome in judged(enumerate(wanted), good=good, workers=workers, limits=Limits()):
        yield case, classified(outcome, usual[case.argv, tuple(case.copies)]), outcome


def main() -> int:
    """Run the trial."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.trial", description=__doc__)
    parser.add_argument("--bits", type=int, default=200, help="bits flipped in each file")
    parser.add_argument("--part", default="1/1", help="of the cases, such as 3/10: the third of ten that are drawn")
    parser.add_argument("--only", default="", help="commands and runs with this text in them, as `map net`")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--good", type=Path, help="folder of good inputs, made where they are not there")
    parser.add_argument("--save", type=Path, help="append what broke a promise to this file")
    given = parser.parse_args()
    good = given.good or Path(tempfile.mkdtemp(prefix="trial-good-"))
    keep_compiled()
    make_all(good)
    began = time.monotonic()
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    chosen = [reading for reading in readings(good) if given.only in f"{reading.command} {reading.damaged}"]
    k, n = map(int, given.part.split("/"))
    wanted = list(cases(good, chosen, bits=given.bits, part=(k, n)))
    results = tried(wanted, good=good, workers=given.workers)
    with contextlib.suppress(KeyboardInterrupt):  # the table of what was tried till then
        for case, became, outcome in track(
            results, total=len(wanted), console=Console(stderr=True), description="damages"
        ):
            counts[case.kind][became] += 1
            if became in BROKEN:
                print(f"{became}: {case.kind}: {' '.join(case.argv)}: {[(e.path, e.op, e.at) for e in case.edits[:1]]}")
                print(f"    {printable(' | '.join(outcome.text.strip().splitlines()[-3:])[-400:])}", flush=True)
                if given.save:
                    with given.save.open("a") as file:
                        file.write(case.line() + "\n")
    show(counts, seconds=time.monotonic() - began)
    return 1 if any(count[name] for count in counts.values() for name in BROKEN) else 0


def show(counts: dict[str, collections.Counter[str]], *, seconds: float) -> None:
    """The table of what became of every kind of damage, by command and by damage."""
    for title, place in (("command", 0), ("damage", 1)):
        grouped: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        for kind, found in counts.items():
            grouped[kind.split(": ")[place]] += found
        total = sum(grouped.values(), collections.Counter())
        table = Table(title, "cases", *OUTCOMES, title=f"{total.total()} damages, {seconds:.0f} s")
        for kind, found in [*sorted(grouped.items()), ("all", total)]:
            table.add_row(kind, str(found.total()), *(str(found[name]) for name in OUTCOMES))
        Console(width=160).print(table)


if __name__ == "__main__":
    sys.exit(main())
