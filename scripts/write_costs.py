"""Keeps the line `# Cost:` at the head of every experiment file: how many runs of what, and what they took the last time.

    python scripts/write_costs.py [FOLDER ...] [--check]

FOLDER is where `xbar run` or `xbar reproduce` left runs (a paper's lie in a folder of its name in it). An experiment whose runs
are all there gets their processor time; any other keeps what it says. Counts are those of the grid, of a paper's item at its
middle size. With --check nothing is written, and a line whose counts are not those of the grid is an error.
"""

import argparse
import re
import sys
from collections import Counter
from pathlib import Path

from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.grid import expand
from xbar_cli.experiment.plan import StageRun, spent_on
from xbar_cli.runs.environment import processor
from xbar_cli.runs.whole import write_whole

ROOT = Path(__file__).resolve().parents[1] / "experiments"
WORDS = {
    "characterize": "simulated cell", "characterize power": "estimate", "characterize tile": "solved array",
    "data add": "data set", "train": "training", "map": "mapping", "evaluate": "evaluation", "energy": "costing",
}  # fmt: skip
"""What a run of each command is called."""
APART = ("search_lenet5.toml", "csv_to_joules.toml")
"""A search, and an experiment on a file of the user's: neither has a grid to count."""
LINE = re.compile(r"^# Cost: +(?P<text>.*)$", re.MULTILINE)


def runs_of(file: Path) -> dict[str, StageRun]:
    """The runs of an experiment, by name."""
    return {run.key: run for point in expand(load_experiment(file)) for run in point.runs.values()}


def counts(runs: dict[str, StageRun]) -> str:
    """How many runs of what."""
    found = Counter(run.command for run in runs.values())
    return ", ".join(
        f"{found[name]} {word}{'s' if found[name] > 1 else ''}" for name, word in WORDS.items() if found[name]
    )


def measured(runs: dict[str, StageRun], folders: list[Path]) -> str | None:
    """What all of the runs took, where one of the folders has them."""
    for folder in folders:
        spent = [spent_on(folder, key) for key in runs]
        if all(spent):
            seconds = sum(one["cpu_seconds"] for one in spent if one)
            return f"{said(seconds)} of a processor, measured ({processor()})"
    return None


def said(seconds: float) -> str:
    """A time in two digits, with its unit."""
    for size, unit in ((3600, "hours"), (60, "minutes")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.2g} {unit}"
    return f"{max(seconds, 1):.2g} s"


def line_of(file: Path, folders: list[Path]) -> tuple[str, str]:
    """The text of the cost as it is, and as it should be."""
    match = LINE.search(file.read_text(encoding="utf-8"))
    if match is None:
        raise SystemExit(f"{file.relative_to(ROOT.parent)} has no line `# Cost:`")
    text, runs = match["text"], runs_of(file)
    rest = text.partition("; ")[2] or "not measured"
    return text, f"{counts(runs)}; {measured(runs, folders) or rest}"


def main() -> int:
    """Write or check every line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where a line would change")
    given = parser.parse_args()
    wrong = 0
    for file in sorted(ROOT.rglob("*.toml")):
        if file.name in APART:
            continue
        folders = [place for folder in given.folders for place in (folder, folder / file.parent.name)]
        old, new = line_of(file, folders)
        if old != new and given.check:
            wrong += 1
            print(f"{file.relative_to(ROOT.parent)}: the cost says `{old}`; the grid says `{new}`", file=sys.stderr)
        elif old != new:
            text = file.read_text(encoding="utf-8")
            write_whole(file, LINE.sub(lambda _, new=new: f"# Cost:     {new}", text, count=1))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
