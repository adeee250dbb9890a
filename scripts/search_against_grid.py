"""Searches of an experiment with several seeds against its whole grid, which was run before: hypervolumes and chips.

    xbar run experiments/search_lenet5.toml --out runs/grid
    python scripts/search_against_grid.py experiments/search_lenet5.toml runs/grid [--seeds 3] [--out FOLDER]

Chip i is a function of the seed and i alone, so that the first chips of a design are the first of the grid's: what a search
asks to be computed is looked up there, and counted as if it were computed. Hypervolumes are of the means over all chips, up to
the worst values of the grid.
"""

import argparse
import contextlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xbar_cli.errors import RunError
from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.grid import Point, StageRun
from xbar_cli.experiment.plan import make_plan, read_summary
from xbar_cli.runs.directory import new_run
from xbar_cli.runs.sweep import Outcome
from xbar_cli.search.asked import EVALUATE, Search, chips_in, load_search
from xbar_cli.search.objectives import front, hypervolume, small
from xbar_cli.search.run import run
from xbar_cli.search.trial import Trial


class Grid:
    """The grid's runs by design, and an engine of a search that looks things up in them."""

    def __init__(self, search: Search, folder: Path, out: Path) -> None:
        """Of a complete grid in a folder; `out` takes what is looked up."""
        self.search, self.out = search, out
        plan = make_plan(load_experiment(search.experiment.file), folder)
        self.summaries = {key: summary for key in plan.runs if (summary := read_summary(folder / key)) is not None}
        lacking = sum(run.key not in self.summaries for point in plan.points for run in plan.last_runs(point))
        if lacking:
            raise RunError(f"{folder}: {lacking} runs of the grid are not there; `xbar run` computes them")
        self.whole = {self.name(point): point for point in plan.points}
        self.points = plan.points

    def name(self, point: Point) -> str:
        """The design of a point, whatever its chips are."""
        last = [point.runs[stage].config for stage in self.search.experiment.last]
        kept = [{key: value for key, value in config.items() if key != "monte_carlo"} for config in last]
        return json.dumps(kept, sort_keys=True, default=str)

    def __call__(self, points: Sequence[Point]) -> Mapping[str, Outcome]:
        """Enter what the grid has of these points."""
        for point in points:
            found = self.whole[self.name(point)]
            for stage in self.search.experiment.last:
                self.enter(point.runs[stage], self.summaries[found.runs[stage].key])
        return {}

    def enter(self, stage: StageRun, summary: Mapping[str, Any]) -> None:
        """One run, cut to the chips that are asked for."""
        if read_summary(self.out / stage.key) is not None:
            return
        kept = dict(summary)
        if stage.command == EVALUATE:
            wanted = stage.config["monte_carlo"]
            first = wanted.get("first") or 0
            samples = summary["accuracy_samples"][first : first + wanted["samples"]]
            kept |= {"accuracy_samples": samples, "accuracy_mean": float(np.mean(samples)), "samples": len(samples)}
        with new_run(self.out / stage.key, overwrite=True) as directory:
            directory.finish(kept, overwrite=True)

    def vectors(self) -> list[tuple[float, ...]]:
        """The objectives of every point, so that small is good."""
        found: list[tuple[float, ...]] = []
        for point in self.points:
            figures = {
                stage: {k: v for k, v in self.summaries[point.runs[stage].key].items() if isinstance(v, int | float)}
                for stage in self.search.experiment.last
            }
            trial = Trial(0, {}, figures=figures)
            found.append(small(self.search.objectives, [trial.value(o.figure) for o in self.search.objectives]))
        return found

    def chips(self) -> int:
        """Evaluations of a chip in the whole grid."""
        found = {point.runs[stage].key: len(chips) for point in self.points for stage, chips in chips_in(point).items()}
        return sum(found.values())


class Silent:
    """Says nothing of how a search stands."""

    def standing(self, trials: Sequence[Trial], search: Search) -> None:
        """Nothing."""


def compared(file: Path, folder: Path, out: Path, *, seed: int, settings: Sequence[str] = ()) -> dict[str, Any]:
    """One search against the grid."""
    search = load_search(file, settings=[*settings, f"search.seed={seed}"])
    grid = Grid(search, folder, out)
    every = grid.vectors()
    ends = tuple(max(column) for column in zip(*every, strict=True))
    found = run(search, out=out, engine=lambda: contextlib.nullcontext(grid), watcher=Silent())
    best = [
        small(search.objectives, [entry["figures"][o.figure] for o in search.objectives]) for entry in found["front"]
    ]
    return {
        "seed": seed,
        "designs": found["trials"] - found["repeated"],
        "complete": found["complete"],
        "chips": found["chips"],
        "share_of_chips": found["chips"] / grid.chips(),
        "hypervolume_ratio": hypervolume(best, ends) / hypervolume(every, ends),
        "front": len(best),
        "front_of_grid": sum(front(every)),
        "grid_chips": grid.chips(),
        "grid_points": len(every),
    }


def main() -> None:
    """Compare searches with the seeds 0, 1, … with the grid; one JSON object a seed, then their means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path)
    parser.add_argument("grid", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="search.KEY=VALUE")
    parser.add_argument("--out", type=Path, help="keep the searches here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        base = given.out or Path(scratch)
        found = [
            compared(given.experiment, given.grid, base / f"seed{seed}", seed=seed, settings=given.settings)
            for seed in range(given.seeds)
        ]
    for row in found:
        print(json.dumps(row))
    for key in ("hypervolume_ratio", "share_of_chips"):
        values = [row[key] for row in found]
        print(f"{key}: n = {len(values)}, mean {np.mean(values):.4f}, min {min(values):.4f}, max {max(values):.4f}")


if __name__ == "__main__":
    main()
