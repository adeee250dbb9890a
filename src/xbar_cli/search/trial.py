"""One design that is tried: what became of it, its chips so far, its figures; as the study's journal keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import FiniteFloat, TypeAdapter

from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted
from xbar_cli.report.compared import Evaluation
from xbar_cli.statistics import ACCURACY, ANYTHING, estimate

T = TypeVar("T")
RUNNING, COMPLETE, DROPPED, INFEASIBLE, FAILED, REPEATED = (
    "running", "complete", "dropped", "infeasible", "failed", "repeated",
)  # fmt: skip
"""What becomes of a trial: all of its chips are there; another design beats it on the same chips; it does not meet a
constraint; a stage failed or refuses it; an earlier trial is the same design."""
MOST_NAMED = 8
"""Figures that an error names."""
SHARES = ("accuracy", "top5")
"""Metrics that are shares of right answers."""


def checked(kind: type[T], found: Mapping[str, Any]) -> T:
    """A value of a dataclass from what a file holds. ValueError where it is of other types, or something is missing."""
    return TypeAdapter(kind).validate_python(dict(found))


@dataclass(frozen=True)
class Chips:
    """The chips of one evaluation of a design so far.

    Attributes:
        metric: what they are measured by.
        samples: its value for each chip, from the first on.
        seed: of the chips.
        images: that each chip saw.
        fixed: all chips are the same.
        devices: shapes of the devices by layer.
        tested: digest of the test images.
        data: the data set.
    """

    metric: str
    samples: tuple[FiniteFloat, ...]
    seed: int
    images: int
    fixed: bool
    devices: Mapping[str, Any] | None = None
    tested: str | None = None
    data: str | None = None

    @property
    def means(self) -> tuple[str, ...]:
        """The figures that are their mean."""
        return f"{self.metric}_mean", "metric_value"

    def evaluation(self, n: int, *, of: int) -> Evaluation:
        """The first `n` of them as `xbar compare` takes them; of a trial with this number."""
        samples = np.asarray(self.samples[:1] if self.fixed else self.samples[:n], np.float64)
        return Evaluation(Path(f"trial {of}"), samples, self.seed, self.images, self.fixed, self.data, self.tested,
                          devices=self.devices)  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """A design that is tried.

    Attributes:
        number: of the trial, from 0.
        values: the design, by dotted key.
        state: see `RUNNING`.
        figures: by stage and name, of the last stages.
        chips: by stage that evaluates.
        rung: chips of each evaluation after which it was judged last.
        spent: evaluations of one chip that were made for it, and for no trial before.
        runs: run directories by stage, one for each part of the chips.
        reason: one line where it failed, or was dropped.
    """

    number: int
    values: Mapping[str, Any]
    state: str = RUNNING
    figures: Mapping[str, Mapping[str, FiniteFloat]] = field(default_factory=dict)
    chips: Mapping[str, Chips] = field(default_factory=dict)
    rung: int = 0
    spent: int = 0
    runs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reason: str | None = None

    @property
    def design(self) -> str:
        """Its values as one text: equal designs have equal ones."""
        return repr(sorted(self.values.items()))

    def named(self) -> dict[str, float]:
        """The figures by the names that a sweep gives them: with the stage where two stages have one of the name."""
        every = [name for found in self.figures.values() for name in found]
        return {
            name if every.count(name) == 1 else f"{stage}_{name}": value
            for stage, found in self.figures.items()
            for name, value in found.items()
        }

    def place(self, figure: str) -> tuple[str, str]:
        """Stage and name of a figure as it is asked for; ConfigError where no stage has it, or several have."""
        stages = [stage for stage, found in self.figures.items() if figure in found]
        if len(stages) == 1:
            return stages[0], figure
        for stage, found in self.figures.items():
            for mark in "._":
                name = figure.removeprefix(f"{stage}{mark}")
                if name != figure and name in found:
                    return stage, name
        if stages:
            raise ConfigError(f"{quoted(figure)} is a figure of stages {', '.join(stages)}: write {stages[0]}_{figure}")
        known = sorted(self.named())
        near = get_close_matches(figure, known, n=4, cutoff=0.4) or known[:MOST_NAMED]
        more = f" and {len(known) - len(near)} more" if len(known) > len(near) else ""
        raise ConfigError(f"no last stage yields {quoted(figure)}; there are {', '.join(near) or 'no figures'}{more}")

    def value(self, figure: str) -> float:
        """A figure."""
        stage, name = self.place(figure)
        return self.figures[stage][name]

    def mean_of(self, figure: str) -> Chips | None:
        """The chips whose mean a figure is; None where it is none."""
        stage, name = self.place(figure)
        chips = self.chips.get(stage)
        return chips if chips is not None and name in chips.means else None

    def record(self) -> dict[str, Any]:
        """What the journal keeps besides number and design."""
        found = asdict(self)
        return {key: value for key, value in found.items() if key not in ("number", "values")}

    def recorded(self, record: Mapping[str, Any]) -> "Trial":
        """This trial as the journal has it. ValueError where that is none."""
        return checked(Trial, {**record, "number": self.number, "values": self.values})


def joined_chips(before: Chips | None, summary: Mapping[str, Any], *, seed: int, fixed: bool) -> Chips:
    """The chips before, and those of another part."""
    metric = str(summary["metric"]) if "metric" in summary else "accuracy"
    samples = tuple(float(x) for x in summary[f"{metric}_samples"])
    return Chips(metric, (*(before.samples if before else ()), *samples), seed, int(summary["images"]), fixed,
                 summary.get("chip_devices"), summary.get("test_images_sha256"), summary.get("dataset"))  # fmt: skip


def joined_figures(
    before: Mapping[str, float] | None, figures: Mapping[str, float], chips: Chips
) -> dict[str, float]:  # fmt: skip
    """The figures of an evaluation whose chips were computed in parts: those of all chips, and what all parts agree in."""
    if before is None:
        return dict(figures)
    found = estimate(chips.samples, within=ACCURACY if chips.metric in SHARES else ANYTHING)
    same = {name: value for name, value in figures.items() if before.get(name) == value}
    means = dict.fromkeys(chips.means, found.mean)
    spread = {f"{chips.metric}_std": found.std, "samples": float(len(chips.samples))}
    ends = dict(zip(("low", "high"), found.ci95 or (), strict=False))
    intervals = {f"{name}_ci95_{end}": x for name in (chips.metric, "metric") for end, x in ends.items()}
    return same | means | spread | intervals
