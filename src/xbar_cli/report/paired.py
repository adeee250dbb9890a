"""Two evaluations compared chip by chip: in pairs where chip i of both is drawn alike, else as independent."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from xbar_cli.errors import RunError
from xbar_cli.report.compared import Evaluation, chips_apart, differences, require_same_test
from xbar_cli.statistics import is_skewed, sampling_error
from xbar_cli.vectors import Vector

LEVEL = 0.05
"""p below which a difference counts as one."""


@dataclass(frozen=True)
class Comparison:
    """The mean of b minus the mean of a.

    Attributes:
        method: `paired t`, `Welch t`; `identical` where every chip has the same accuracy in both; `exact` where no chip
            differs from another within either.
        difference: of the means, b - a.
        ci95: 95 % confidence interval of the difference over chips.
        p: two-sided, of no difference over chips; None where `exact`: there is no test.
    """

    method: str
    difference: float
    ci95: tuple[float, float]
    p: float | None

    @property
    def better(self) -> str | None:
        """`a` or `b` where the difference is significant over chips, or exact; None else."""
        if self.difference == 0 or (self.p is not None and self.p >= LEVEL):
            return None
        return "b" if self.difference > 0 else "a"


def compare(a: Sequence[float] | Vector, b: Sequence[float] | Vector, *, paired: bool, resolution: float) -> Comparison:
    """Student's paired t test over chips, or Welch's for independent ones: `a`, `b` are the accuracies of each chip.

    Chip i of both is the same where they are `paired`; `resolution` is the smallest step of an accuracy, 1 / images. ValueError
    for unequal counts of pairs, or fewer than two chips in either.

    References:
        Student, The probable error of a mean, Biometrika 6 (1908); Welch, The generalization of Student's problem,
        Biometrika 34 (1947).
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if min(x.size, y.size) < 2:
        raise ValueError(f"a, b: a spread needs at least 2 chips, not {x.size} and {y.size}")
    if paired and x.size != y.size:
        raise ValueError(f"paired: as many chips in both, not {x.size} and {y.size}")
    if x.size == y.size and bool(np.array_equal(x, y)):
        return Comparison("identical", 0.0, (0.0, 0.0), 1.0)
    difference = float(y.mean() - x.mean())
    if max(np.ptp(x), np.ptp(y)) == 0:
        return Comparison("exact", difference, (difference, difference), None)
    if paired:
        d = y - x
        # equal differences of chips that do spread: all that is known of their spread is the rounding
        variance = max(float(d.var(ddof=1)), resolution**2 / 12 if np.ptp(d) < 1e-12 else 0.0) / d.size
        freedom = d.size - 1.0
    else:
        parts = np.asarray([x.var(ddof=1) / x.size, y.var(ddof=1) / y.size])
        variance = float(parts.sum())
        freedom = variance**2 / float((parts**2 / np.asarray([x.size - 1, y.size - 1])).sum())
    error = math.sqrt(variance)
    half = float(special.stdtrit(freedom, 0.975)) * error
    p = float(2 * special.stdtr(freedom, -abs(difference) / error))
    ends = max(difference - half, -1.0), min(difference + half, 1.0)  # accuracies differ by no more
    return Comparison("paired t" if paired else "Welch t", difference, ends, p)


@dataclass(frozen=True)
class OnChips:
    """Two evaluations compared, with the accuracies of the chips that were.

    `apart` says why chip i of one is not chip i of the other, None where chips were paired; `alone` counts those of either that
    have no counterpart, and were left out of the pairs.
    """

    found: Comparison
    a: Vector
    b: Vector
    apart: str | None
    alone: int


def on_chips(a: Evaluation, b: Evaluation) -> OnChips:
    """Compare two evaluations: the chips that both have in pairs where chip i of both is drawn alike, else as independent."""
    require_same_test(a, b)
    x, y = a.samples.reshape(-1), b.samples.reshape(-1)
    apart = None if a.fixed or b.fixed else chips_apart(a, b)
    # where nothing varies, one chip is all of them
    if a.fixed and b.fixed:
        x, y = x[:1].repeat(2), y[:1].repeat(2)
    elif a.fixed:
        x = np.full(y.size, x[0])
    elif b.fixed:
        y = np.full(x.size, y[0])
    common = min(x.size, y.size)
    alone = 0 if apart else max(x.size, y.size) - common
    if apart is None:
        x, y = x[:common], y[:common]
    if common < 2:
        raise RunError("one chip says nothing of their spread: evaluate 2 chips or more (monte_carlo.samples)")
    return OnChips(compare(x, y, paired=apart is None, resolution=1 / a.images), x, y, apart, alone)


def figures(a: Evaluation, b: Evaluation, pair: OnChips) -> dict[str, Any]:
    """What the comparison comes to, as `xbar compare` writes it."""
    found, means = pair.found, [float(pair.a.mean()), float(pair.b.mean())]
    errors = [sampling_error(mean, e.images) for mean, e in zip(means, (a, b), strict=True)]
    of_pairs = over_images(a, b)
    return {
        "method": found.method,
        "samples": [int(a.samples.size), int(b.samples.size)],
        "common_chips": int(pair.a.size) if pair.apart is None and not (a.fixed or b.fixed) else None,
        "not_paired_because": pair.apart,
        "differ_in": differences(a, b),
        "images": a.images,
        "accuracy_mean": means,
        "difference": found.difference,
        "difference_ci95": list(found.ci95),
        "p_value": found.p,
        "identical": found.method == "identical",
        "better": found.better,
        "test_set_error": errors,
        "difference_test_set_error": math.hypot(*errors) if of_pairs is None else of_pairs,
        "images_paired": of_pairs is not None,
    }


def over_images(a: Evaluation, b: Evaluation) -> float | None:
    """Standard error of the difference over test sets: that of the mean difference of each image, which both answered.

    Over all chips of each, also those that are left out of pairs. None where a run does not say what it made of each image
    (an older version).
    """
    if a.answered is None or b.answered is None or a.answered.size < 2:
        return None
    return float((b.answered - a.answered).std(ddof=1) / math.sqrt(a.answered.size))


def notes(a: Evaluation, b: Evaluation, pair: OnChips) -> list[str]:
    """What has to be said of how they were compared."""
    said = []
    if pair.alone:
        sizes = f"{a.path} has {a.samples.size} chips and {b.path} {b.samples.size}"
        said.append(f"{sizes}: the first {pair.a.size} are in both and are compared, {pair.alone} are left out")
    for one in (a, b):
        if one.random is None and not (a.fixed or b.fixed):
            said.append(f"{one.path} does not say how it drew random numbers (an older version): taken for as usual")
    skewed = (pair.b - pair.a,) if pair.apart is None else (pair.a, pair.b)
    if pair.found.method in ("paired t", "Welch t") and any(is_skewed(values.tolist()) for values in skewed):
        what = "differences of the chips" if pair.apart is None else "accuracies of the chips"
        said.append(
            f"the {what} are skewed: p and the interval are Student's, which take them as normal; more chips make it matter less"
        )
    return said
