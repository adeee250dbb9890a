"""`python -m tests.fuzz`: a seeded series of bad inputs and what became of them; exit 1 where a promise was broken."""

import argparse
import collections
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.fuzz.case import Case
from tests.fuzz.good import make
from tests.fuzz.judge import Outcome
from tests.fuzz.kinds import draw
from tests.fuzz.workers import ANY, Limits, judged
from xbar_cli.outside import printable

CORPUS = Path(__file__).parent / "corpus.jsonl"
"""Every input that ever broke a promise."""
COLUMNS = {
    "line": "one line", "accepted": "accepted", "traceback": "traceback", "slow": "over 10 s CPU", "partial": "partial left",
    "long": "long or no line", "died": "died",
}  # fmt: skip
"""What can become of an input, and how the table calls it."""
LIMITED = Limits(memory=4 * 2**30, files=64)


def corpus() -> list[Case]:
    """The inputs that once broke a promise."""
    return [Case.of(line) for line in CORPUS.read_text().splitlines()] if CORPUS.exists() else []


def options() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="inputs besides the corpus")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limited", action="store_true", help="4 GiB of address space and 64 open files")
    parser.add_argument("--good", type=Path, help="folder of good inputs, made where they are not there")
    parser.add_argument("--save", type=Path, help="append what broke a promise to this file, as the corpus has it")
    parser.add_argument(
        "--log", type=Path, help="append what became of each input; those that the file has are not run"
    )
    parser.add_argument("--replay", type=Path, help="the inputs of such a --save file, in place of a series")
    return parser.parse_args()


def series(given: argparse.Namespace, good: Path) -> Iterator[tuple[int, Case]]:
    """The inputs, numbered: those of the corpus below 0."""
    if given.replay:
        yield from ((n, Case.of(line)) for n, line in enumerate(given.replay.read_text().splitlines()))
        return
    yield from ((-1 - n, case) for n, case in enumerate(corpus()))
    yield from ((n, draw(n, seed=given.seed, good=good)) for n in range(given.first, given.first + given.count))


def logged(path: Path | None) -> dict[int, tuple[str, Outcome]]:
    """The kind and outcome of the inputs that a log has, by number."""
    found: dict[int, tuple[str, Outcome]] = {}
    for line in path.read_text().splitlines() if path is not None and path.exists() else ():
        entry = json.loads(line)
        found[entry["number"]] = entry["kind"], Outcome(**entry["outcome"])
    return found


def main() -> int:
    """Run the series."""
    given = options()
    good = given.good or Path(tempfile.mkdtemp(prefix="fuzz-good-"))
    make(good)
    known = logged(given.log)
    found = list(known.values())
    broken: list[tuple[Case, Outcome]] = []
    began = time.monotonic()
    cases = ((number, case) for number, case in series(given, good) if number not in known)
    total = None if given.replay else len(corpus()) + given.count - len(known)
    limits = LIMITED if given.limited else ANY
    results = judged(cases, good=good, workers=given.workers, limits=limits)
    for number, case, outcome in track(
        results, total=total, console=Console(stderr=True), description="inputs", disable=not sys.stderr.isatty()
    ):
        found.append((case.kind, outcome))
        if given.log:
            append(given.log, json.dumps({"number": number, "kind": case.kind, "outcome": asdict(outcome)}))
        if not outcome.good:
            broken.append((case, outcome))
            if given.save:
                append(given.save, case.line())
    report(found, broken, seconds=time.monotonic() - began)
    return 0 if all(outcome.good for _, outcome in found) else 1


def append(path: Path, line: str) -> None:
    """One line more in a file."""
    with path.open("a") as file:
        file.write(line + "\n")


def report(found: list[tuple[str, Outcome]], broken: list[tuple[Case, Outcome]], *, seconds: float) -> None:
    """The table of what became of every kind, and the broken promises with their last lines."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    cpu: dict[str, float] = collections.defaultdict(float)
    for kind, outcome in found:
        for name in (kind, "all"):
            counts[name][outcome.verdict] += 1
            cpu[name] += outcome.cpu
    title = f"{len(found)} inputs, {cpu['all']:.0f} s of a processor, {seconds:.0f} s by the clock"
    table = Table("kind", "inputs", *COLUMNS.values(), "ms CPU each", title=title)
    for kind in sorted(counts, key=lambda name: (name == "all", name)):
        total, bold = counts[kind].total(), "bold" if kind == "all" else None
        cells = (str(counts[kind][verdict]) for verdict in COLUMNS)
        table.add_row(kind, str(total), *cells, f"{1000 * cpu[kind] / total:.0f}", style=bold)
    Console(width=140).print(table)
    for case, outcome in broken[:200]:
        words = " ".join(word[:60] for word in case.argv)
        print(f"{outcome.verdict}: {case.kind}: {printable(words)}")
        print(f"    {printable(' | '.join(outcome.text.strip().splitlines()[-3:])[-400:])}")


if __name__ == "__main__":
    sys.exit(main())
