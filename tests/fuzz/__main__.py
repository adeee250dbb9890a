"""`python -m tests.fuzz`: a seeded series of bad inputs and what became of them; exit 1 where a promise was broken."""

import argparse
import collections
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.fuzz.case import Case
from tests.fuzz.good import make
from tests.fuzz.judge import judged
from tests.fuzz.kinds import draw
from xbar_cli.outside import printable

CORPUS = Path(__file__).parent / "corpus.jsonl"
"""Every input that ever broke a promise."""
VERDICTS = ("line", "accepted", "traceback", "slow", "partial", "long", "died")


def corpus() -> list[Case]:
    """The inputs that once broke a promise."""
    return [Case.of(line) for line in CORPUS.read_text().splitlines()] if CORPUS.exists() else []


def main() -> int:
    """Run the series."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="inputs besides the corpus")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limited", action="store_true", help="4 GiB of address space and 64 open files")
    parser.add_argument("--good", type=Path, help="folder of good inputs, made where they are not there")
    parser.add_argument("--save", type=Path, help="append what broke a promise to this file")
    given = parser.parse_args()
    good = given.good or Path(tempfile.mkdtemp(prefix="fuzz-good-"))
    make(good)
    known = corpus()
    numbered = [(-1 - n, case) for n, case in enumerate(known)]
    drawn = ((n, draw(n, seed=given.seed, good=good)) for n in range(given.first, given.first + given.count))
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    broken: list[tuple[Case, str, str]] = []
    began = time.monotonic()

    def all_cases():
        yield from numbered
        yield from drawn

    limits = (4 * 2**30, 64) if given.limited else None
    results = judged(all_cases(), good=good, workers=given.workers, limits=limits)
    console = Console(stderr=True)
    for case, outcome in track(results, total=len(known) + given.count, console=console, description="inputs"):
        counts[case.kind][outcome.verdict] += 1
        if not outcome.good:
            broken.append((case, outcome.verdict, outcome.text))
            if given.save:
                with given.save.open("a") as file:
                    file.write(case.line() + "\n")
    report(counts, broken, seconds=time.monotonic() - began)
    return 1 if broken else 0


def report(counts: dict[str, collections.Counter[str]], broken: list[tuple[Case, str, str]], *, seconds: float) -> None:
    """The table of what became of every kind, and the broken promises with their last lines."""
    table = Table(
        "kind", "inputs", *VERDICTS, title=f"{sum(c.total() for c in counts.values())} inputs, {seconds:.0f} s"
    )
    total: collections.Counter[str] = collections.Counter()
    for kind, found in sorted(counts.items()):
        total += found
        table.add_row(kind, str(found.total()), *(str(found[name]) for name in VERDICTS))
    table.add_row("all", str(total.total()), *(str(total[name]) for name in VERDICTS), style="bold")
    Console().print(table)
    for case, verdict, text in broken[:200]:
        words = " ".join(word[:60] for word in case.argv)
        print(f"{verdict}: {case.kind}: {printable(words)}")
        print(f"    {printable(' | '.join(text.strip().splitlines()[-3:])[-400:])}")


if __name__ == "__main__":
    sys.exit(main())
