"""`xbar compare`: is one evaluation better than another, over the same chips?"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray
from scipy import stats

from xbar_cli.errors import RunError
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run, open_run
from xbar_cli.runs.results import RESULTS, read_dataset
from xbar_cli.workflows.reporter import SILENT, Reporter
from xbar_cli.workflows.statistics import sampling_error

ADC_SPREAD = ("adc_gain_error", "adc_offset_error")
"""Keys of the converters that differ between chips, besides the effects on devices."""
LEVEL = 0.05
"""p below which a difference counts as one."""
Samples = NDArray[np.float64]


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


@dataclass(frozen=True)
class Evaluation:
    """What an evaluate run says for a comparison.

    Attributes:
        path: the run.
        samples: accuracy of each chip.
        seed: of the chips.
        images: test images that each chip saw.
        fixed: nothing varies between its chips.
        data: the data set, where the run that it evaluated is still there.
    """

    path: Path
    samples: Samples
    seed: int
    images: int
    fixed: bool
    data: str | None


def compare(
    a: Sequence[float] | Samples, b: Sequence[float] | Samples, *, paired: bool, resolution: float
) -> Comparison:
    """Student's paired t test over chips, or Welch's for independent ones.

    Args:
        a: accuracy of each chip of the first.
        b: of the second; chip i of both is the same where `paired`.
        paired: whether they are.
        resolution: smallest step of an accuracy: 1 / images.

    Raises:
        ValueError: `paired` with unequal counts, or fewer than two chips in either.

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
    half = float(stats.t.ppf(0.975, freedom)) * error
    p = float(2 * stats.t.sf(abs(difference) / error, freedom))
    return Comparison("paired t" if paired else "Welch t", difference, (difference - half, difference + half), p)


def open_evaluation(path: Path) -> Evaluation:
    """The evaluate run at `path`.

    Raises:
        RunError: it is none, damaged, or written by a newer version.
    """
    run, summary = open_run(path, commands=("evaluate",), use="xbar compare")
    dataset = read_dataset(run.path / RESULTS)
    try:
        samples = np.asarray(dataset["accuracy"].values, np.float64).squeeze()
        config = _config(run.path)
        found = Evaluation(
            path=path,
            samples=samples,
            seed=int(config["seed"]),
            images=int(summary["images"]),
            fixed=not (summary["effects"] or any(config.get("converters", {}).get(key) for key in ADC_SPREAD)),
            data=summary.get("dataset") or _data(Path(config["run"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} lacks what a comparison needs ({error})") from None
    if samples.ndim != 1:
        raise RunError(f"{path}: its accuracies have {samples.ndim} axes; compare runs of one condition")
    return found


def _config(folder: Path) -> dict[str, Any]:
    from xbar_cli.config.load import read_toml

    return read_toml(folder / CONFIG)


def _data(source: Path) -> str | None:
    try:
        return json.loads((source / "summary.json").read_text(encoding="utf-8")).get("dataset")
    except (OSError, ValueError):
        return None


def on_chips(a: Evaluation, b: Evaluation) -> Comparison:
    """Compare two evaluations: paired where chip i of both is drawn alike, else as independent.

    Raises:
        RunError: not the same test set, or too few chips.
    """
    if a.data and b.data and a.data != b.data:
        raise RunError(f"{a.path} is of data set {a.data} and {b.path} of {b.data}: they cannot be compared")
    if a.images != b.images:
        raise RunError(f"{a.path} saw {a.images} test images and {b.path} {b.images}: evaluate both on the same")
    x, y = a.samples.reshape(-1), b.samples.reshape(-1)
    # where nothing varies, one chip is all of them
    if a.fixed:
        x = np.full(y.size, x[0])
    elif b.fixed:
        y = np.full(x.size, y[0])
    if a.fixed and b.fixed:
        x, y = x[:1].repeat(2), y[:1].repeat(2)
    if min(x.size, y.size) < 2:
        raise RunError("one chip says nothing of their spread: evaluate with --samples 2 or more")
    paired = a.fixed or b.fixed or (a.seed == b.seed and x.size == y.size)
    return compare(x, y, paired=paired, resolution=1 / a.images)


def run(config: dict[str, str], run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Compare the evaluate runs `config["a"]` and `config["b"]` into `run`; returns the summary."""
    a, b = (open_evaluation(Path(config[name])) for name in ("a", "b"))
    found = on_chips(a, b)
    (run.path / CONFIG).write_text(tomli_w.dumps(config), encoding="utf-8")
    environment.write(run.path / "env.json", environment.describe(seed=a.seed))
    errors = [sampling_error(float(e.samples.mean()), e.images) for e in (a, b)]
    return {
        "command": "compare",
        "a": config["a"],
        "b": config["b"],
        "method": found.method,
        "samples": [int(a.samples.size), int(b.samples.size)],
        "images": a.images,
        "accuracy_mean": [float(a.samples.mean()), float(b.samples.mean())],
        "difference": found.difference,
        "difference_ci95": list(found.ci95),
        "p_value": found.p,
        "identical": found.method == "identical",
        "better": found.better,
        "test_set_error": errors,
        "difference_test_set_error": math.hypot(*errors),
        "out": str(run.final),
    }
