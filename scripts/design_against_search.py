"""Whether a search's front has anything better than what `xbar design` found, on the same chips and images.

    xbar search experiments/design_search.toml --out runs/searched
    xbar design runs/searched/net-… --array nodal --r-wire 2 --variation 0.05 --adc-bits 6 --tile 64x64 \
      --over adc_bits=3:8 --over tile=32:128 --over weight_limit=0.3:1 --energy-weight 0.2 --out runs/designed
    python scripts/design_against_search.py experiments/design_search.toml runs/searched runs/designed

The values of the design are one more trial of the search, with all of its chips: every figure is of the same stages.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xbar_cli.errors import RunError
from xbar_cli.runs.opening import read_summary
from xbar_cli.runs.sweep import Outcome
from xbar_cli.search.asked import Search, load_search
from xbar_cli.search.engine import Cluster
from xbar_cli.search.heats import run_heats
from xbar_cli.search.outcome import on_front, vector
from xbar_cli.search.racing import beaten_by
from xbar_cli.search.run import told
from xbar_cli.search.study import open_study
from xbar_cli.search.trial import Trial

AXES: Mapping[str, tuple[str, Any]] = {
    "tile": ("map.mapping.tile", lambda value: f"{value:.0f}x{value:.0f}"),
    "weight_limit": ("map.mapping.weight_limit", lambda value: f"{100 * value:.0f}%"),
    "adc_bits": ("evaluate.converters.adc_bits", round),
}
"""The axis of the search that a designed parameter is, and its value there."""


class Quiet:
    """Says nothing of the runs."""

    def started(self, key: str) -> None:
        """Nothing."""

    def ended(self, key: str, outcome: Outcome) -> None:
        """Nothing."""

    def tick(self) -> None:
        """Nothing."""


def seconds_of(folder: Path, trials: Sequence[Trial]) -> float:
    """Processor time of every run that the trials asked for, each counted once [s]."""
    keys = {key for trial in trials for runs in trial.runs.values() for key in runs}
    costs = [json.loads((folder / "logs" / f"{key}.cost.json").read_text(encoding="utf-8")) for key in keys]
    return float(sum(cost["cpu_seconds"] for cost in costs))


def designed(search: Search, summary: Mapping[str, Any], number: int) -> Trial:
    """The trial that has the built values of a design."""
    built = {one["name"]: one["built"] for one in summary["parameters"]}
    if missed := [name for name in AXES if name not in built]:
        raise RunError(f"{summary['out']} did not design {', '.join(missed)}, which the search varies")
    values = {key: made(built[name]) for name, (key, made) in AXES.items()}
    shared = next(d.keys for d in search.space.dimensions if "evaluate.converters.adc_bits" in d.keys)
    values |= dict.fromkeys(shared, values["evaluate.converters.adc_bits"])
    return Trial(number, values)


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether figures that are good when small are nowhere larger, and somewhere smaller."""
    return bool(np.all(np.less_equal(one, other)) and np.any(np.less(one, other)))


def main() -> None:
    """Compare, print, and write the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("experiment", type=Path)
    parser.add_argument("search", type=Path, help="folder of the complete search")
    parser.add_argument("design", type=Path, help="run directory of xbar design")
    parser.add_argument("--set", action="append", default=[], help="as of the search", metavar="KEY=VALUE")
    parser.add_argument("--workers", type=int, default=1)
    found = parser.parse_args()
    search = load_search(found.experiment, settings=found.set)
    trials = told(search, open_study(search, found.search))
    summary = read_summary(found.design)
    new = designed(search, summary, len(trials))
    with Cluster(search.experiment, found.search, found.workers, None, 0, None, Quiet()) as engine:
        (mine,) = run_heats(search, [new], [], engine=engine, out=found.search)
    best = on_front(search, trials)
    above = [t for t in best if dominates(vector(search, t), vector(search, mine))]
    surely = [t for t in best if beaten_by(mine, t, search.objectives, n=search.chips, margin=0.0)]
    table = {
        "design": {"values": mine.values, **{o.figure: mine.value(o.figure) for o in search.objectives}},
        "front": [{"trial": t.number, **{o.figure: t.value(o.figure) for o in search.objectives}} for t in best],
        "better_by_their_means": [t.number for t in above],
        "better_by_the_paired_test": [t.number for t in surely],
        "search_cpu_seconds": seconds_of(found.search, trials),
        "design_wall_seconds": summary["design_seconds"],
    }
    print(json.dumps(table, indent=1, default=str))


if __name__ == "__main__":
    main()
