"""Searches whose stages are formulas: what a design comes to is known, and nothing is trained."""

import contextlib
import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np

from xbar_cli.experiment.plan import read_summary
from xbar_cli.runs.directory import new_run
from xbar_cli.search.asked import load_search
from xbar_cli.search.run import run

STAGES = """
name = "formulas"
[stages.net]
command = "train"
[stages.map]
command = "map"
run = "@net"
[stages.evaluate]
command = "evaluate"
run = "@map"
variation.amount = 0.1
monte_carlo.samples = 8
monte_carlo.images = 1000
[stages.energy]
command = "energy"
run = "@map"
"""
SWEEP = """
[sweep]
map.mapping.bits = [1, 2, 3, 4, 6]
evaluate.array.r_source_ohm = [0, 100, 300]
energy.adc_bits = [4, 6, 8]
"""
SEARCH = """
[search]
objectives = ["max accuracy_mean", "min energy_joule"]
"""
IMAGES = 1000


def accuracy(design, chips, *, seed=0):
    """The accuracy of chips of a design: its level, and what the chip's number draws, much the same for all designs."""
    level = 0.9 - 0.5 / 2 ** design["bits"] - 4e-4 * design["r_source"]
    spread = [np.random.default_rng([seed, chip]).normal() for chip in chips]
    own = [np.random.default_rng([seed, chip, design["bits"], int(design["r_source"])]).normal() for chip in chips]
    return np.round((level + 0.03 * np.asarray(spread) + 0.004 * np.asarray(own)).clip(0, 1) * IMAGES) / IMAGES


def energy(design):
    """The energy of a design."""
    return 1e-9 * (1 + design["bits"]) * 2 ** (design["adc_bits"] / 4)


def design_of(runs):
    """What the formulas take of a design's runs."""
    return {
        "bits": runs["map"].config["mapping"].get("bits", 8),
        "r_source": runs["evaluate"].config["array"].get("r_source_ohm") or 0.0,
        "adc_bits": runs["energy"].config.get("adc_bits") or 8,
    }


def evaluated(point):
    """The summary of the evaluation of a point."""
    config = point.runs["evaluate"].config
    wanted = config["monte_carlo"]
    first = wanted.get("first") or 0
    samples = accuracy(design_of(point.runs), range(first, first + wanted["samples"]), seed=config["seed"]).tolist()
    return {
        "command": "evaluate", "metric": "accuracy", "images": IMAGES, "samples": len(samples), "dataset": "formulas",
        "accuracy_samples": samples, "accuracy_mean": float(np.mean(samples)), "accuracy_std": float(np.std(samples, ddof=1)),
        "ideal_accuracy": 0.95, "chip_devices": {"fc": [4, 4]},
    }  # fmt: skip


class Formulas:
    """An engine that writes what the formulas say into run directories; it may fail, or die, at a call."""

    def __init__(self, out, *, dies_at=None, fails=lambda design: False, kill=False):
        self.out, self.dies_at, self.fails, self.kill = out, dies_at, fails, kill
        self.calls = 0
        self.chips = 0

    def __call__(self, points):
        self.calls += 1
        outcomes = {}
        for number, point in enumerate(points):
            if self.calls == self.dies_at and number == len(points) // 2:
                if self.kill:
                    os.kill(os.getpid(), signal.SIGKILL)
                raise KeyboardInterrupt
            if self.fails(design_of(point.runs)):
                from xbar_cli.runs.sweep import Outcome

                outcomes[point.runs["evaluate"].key] = Outcome(False, "it is broken", 0.1, 1)
                continue
            self.write(point.runs["evaluate"], evaluated(point))
            self.write(point.runs["energy"], {"command": "energy", "energy_joule": energy(design_of(point.runs))})
        return outcomes

    def write(self, stage, summary):
        """A run directory, where there is none."""
        if read_summary(self.out / stage.key) is None:
            with new_run(self.out / stage.key, overwrite=True) as directory:
                directory.finish(summary | {"out": str(directory.final)}, overwrite=True)
            self.chips += summary.get("samples", 0)


class Silent:
    """Is told how a search stands, and says nothing."""

    def standing(self, trials, search):
        """Nothing."""


def written(folder, text):
    """An experiment file."""
    folder.mkdir(exist_ok=True, parents=True)
    file = folder / "formulas.toml"
    file.write_text(text)
    return file


def searched(file, out, *, settings=(), **engine):
    """The summary of a search by formulas, and the engine."""
    formulas = Formulas(Path(out), **engine)
    search = load_search(Path(file), settings=settings)
    return run(search, out=Path(out), engine=lambda: contextlib.nullcontext(formulas), watcher=Silent()), formulas


def digest(summary):
    """What a search came to, without places and times."""
    kept = {k: v for k, v in summary.items() if k in ("list", "hypervolume", "chips", "reference")}
    front = [{k: v for k, v in entry.items() if k != "runs"} for entry in summary["front"]]
    return hashlib.sha256(json.dumps([kept, front], sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":  # a process that is killed at its n-th call
    searched(sys.argv[1], sys.argv[2], settings=sys.argv[4:], dies_at=int(sys.argv[3]), kill=True)
