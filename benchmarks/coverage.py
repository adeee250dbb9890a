"""How often the 95 % intervals of `xbar evaluate` hold the true mean accuracy, by simulation, and how many chips they take.

    python benchmarks/coverage.py [--json] [--runs 1000] [--chips 25] [--quick]

Chips with accuracies of a known distribution are drawn: normal ones (0.85, and a standard deviation), exponential and
lognormal losses, normal ones (0.85 ± 0.01) of which a share is dead (0.1), and chips that are all right (1) or all wrong
(0). Every run draws chips until it stops by the rule of `--ci-width W`, here looked at after every 2 % more chips, and its
interval holds the true mean or not; beside it the rule of Student's interval alone, from the tenth chip on. `ever` is the
share of the runs in which the interval did not hold the mean at any number of chips: no rule of stopping fails more often.
Then the same for a fixed number of chips, `--samples 25`: Student's interval, the one that holds whatever the distribution
is, and how often the note on skewed samples is printed.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from xbar_cli.cli.shared.console import print_json, print_table
from xbar_cli.statistics import RULED_OUT, bounded_interval, capital, fewest, half_width, is_skewed, yield_at

Floats = NDArray[np.float64]
IMAGES, MOST, GOOD, DEAD, SPREAD = 1000, 1500, 0.85, 0.1, 0.01
WIDTHS = (0.02, 0.05, 0.1)
STUDENT_MINIMUM, LOOKS = 10, 1.02
AT_ONCE = 200


@dataclass(frozen=True)
class Case:
    """A distribution of accuracies.

    Attributes:
        draw: accuracies of this shape.
        mean: of the distribution.
    """

    draw: Callable[[np.random.Generator, tuple[int, ...]], Floats]
    mean: float


def make(draw: Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.floating[Any]]]) -> Case:
    """The distribution that `draw` draws of, as accuracies of whole images; its mean from eight million draws."""

    def whole(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        return np.round(np.clip(draw(rng, shape).astype(np.float64), 0, 1) * IMAGES) / IMAGES

    rng = np.random.default_rng(99)
    return Case(whole, float(np.mean([whole(rng, (1_000_000,)).mean() for _ in range(8)])))


def bimodal(share: float) -> Case:
    """A share of the chips is dead."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        return np.where(rng.random(shape) < share, DEAD, rng.normal(GOOD, SPREAD, shape))

    return make(draw)


def cases() -> dict[str, Case]:
    """By name."""
    normal = {f"normal, σ = {s:g}": make(lambda r, shape, s=s: r.normal(GOOD, s, shape)) for s in (0.002, 0.01, 0.05)}
    skewed = {
        "exponential loss, mean 0.03": make(lambda r, shape: 0.9 - r.exponential(0.03, shape)),
        "lognormal loss, σ = 1": make(lambda r, shape: 0.95 - 0.02 * r.lognormal(0, 1, shape)),
        "lognormal loss, σ = 1.5": make(lambda r, shape: 0.95 - 0.02 * r.lognormal(0, 1.5, shape)),
    }
    dead = {f"{share:.0%} dead": bimodal(share) for share in (0.01, 0.02, 0.05, 0.1, 0.2)}
    return (
        normal
        | skewed
        | dead
        | {"2 % all wrong, others all right": make(lambda r, shape: 1.0 * (r.random(shape) >= 0.02))}
    )


def moments(x: Floats) -> tuple[Floats, Floats, Floats]:
    """How many, mean and standard deviation of the first 2, 3, … samples along the last axis."""
    n = np.arange(1, x.shape[-1] + 1, dtype=np.float64)
    about = x - x[..., :1]
    mean = np.cumsum(about, -1) / n
    variance = np.maximum(np.cumsum(about**2, -1) / n - mean**2, 0) * n / np.maximum(n - 1, 1)
    return n[1:], (mean + x[..., :1])[..., 1:], np.sqrt(variance)[..., 1:]


def student_interval(mean: Floats, std: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Student's interval, with the rounding to whole images as least spread."""
    half = half_width(np.maximum(std, 1 / IMAGES / np.sqrt(12)), n)
    return mean - half, mean + half


def by_student(x: Floats, *, width: float) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Where the intervals of runs [runs n] end that stop by Student's interval, and after how many chips."""
    n, mean, std = moments(x)
    low, high = student_interval(mean, std, n)
    narrow = (high - low <= width) & (n >= STUDENT_MINIMUM)
    at = np.where(narrow.any(1), narrow.argmax(1), n.size - 1)
    rows = np.arange(len(x))
    return low[rows, at], high[rows, at], n[at].astype(np.int64)


def by_width(x: Floats, *, width: float) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """The same of runs that stop by the interval that holds whatever the distribution is."""
    runs, most = x.shape
    low, high, chips = np.zeros(runs), np.ones(runs), np.full(runs, most)
    going, n = np.arange(runs), min(fewest(width), most)
    while going.size:
        low[going], high[going] = bounded_interval(x[going, :n], width=width)
        chips[going] = n
        going = going[high[going] - low[going] > width] if n < most else going[:0]
        n = min(int(n * LOOKS) + 1, most)
    return low, high, chips


def ever_ruled_out(x: Floats, mean: float, *, width: float) -> NDArray[np.bool_]:
    """Whether the true mean was outside of the interval at any number of chips [runs]."""
    above, below = capital(x, mean, width=width), capital(1 - x, 1 - mean, width=width)
    return np.maximum(above, below).max(-1) >= RULED_OUT


def sequential(case: Case, *, width: float, runs: int, most: int) -> dict[str, Any]:
    """Runs that stop by their width: share of the intervals that hold the mean, and chips, of both rules."""
    rng, share = np.random.default_rng(7), float(np.mean(case.draw(np.random.default_rng(5), (1_000_000,)) >= 0.8))
    rows: list[tuple[Any, ...]] = []
    for _ in range(0, runs, AT_ONCE):
        x = case.draw(rng, (AT_ONCE, most))
        held = lambda low, high: (low <= case.mean) & (case.mean <= high)  # noqa: E731
        (*student, few), (*ends, chips) = by_student(x, width=width), by_width(x, width=width)
        goods = [yield_at(one[:n].tolist(), 0.8, width=width).ci95 for one, n in zip(x, chips, strict=True)]
        good, reached = [low <= share <= high for low, high in goods], ends[1] - ends[0] <= width
        ever = ever_ruled_out(x, case.mean, width=width)
        rows += zip(held(*student), few, held(*ends), chips, reached, good, ever, strict=True)
    names = ("student_coverage", "student_chips", "coverage", "chips", "reached", "yield_coverage", "ever")
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))


def fixed(case: Case, *, chips: int, runs: int) -> dict[str, Any]:
    """Runs of a fixed number of chips: share of the intervals that hold the mean, their widths, and how many are noted."""
    x = case.draw(np.random.default_rng(11), (runs, chips))
    mean, std, n = x.mean(1), x.std(1, ddof=1), np.full(runs, float(chips))
    found: dict[str, Any] = {"noted": float(np.mean([is_skewed(row) for row in x.tolist()]))}
    intervals = (student_interval(mean, std, n), bounded_interval(x))
    for rule, (low, high) in zip(("student", "bounded"), intervals, strict=True):
        held = (low <= case.mean) & (case.mean <= high)
        found[rule] = {"coverage": float(held.mean()), "width": float((high - low).mean())}
    return found


def measure(*, runs: int, chips: int, most: int) -> dict[str, Any]:
    """Everything."""
    every = cases()
    widths: dict[str, Any] = {}
    for name, case in every.items():
        widths[name] = {f"{w:g}": sequential(case, width=w, runs=runs, most=most) for w in WIDTHS}
        print(f"{name}: {widths[name]}", file=sys.stderr, flush=True)  # the whole takes minutes
    return {
        "runs": runs,
        "most": most,
        "sequential": widths,
        "chips": chips,
        "fixed": {name: fixed(case, chips=chips, runs=runs) for name, case in every.items()},
        # standard error of a coverage of 95 %
        "error": float(stats.binom(runs, 0.95).std() / runs),
    }


FORMS = {"student_coverage": ".1%", "student_chips": ".0f", "coverage": ".1%", "chips": ".0f", "reached": ".0%",
         "yield_coverage": ".1%", "ever": ".1%"}  # fmt: skip


def show(found: dict[str, Any]) -> None:
    """Print tables."""
    rows = [
        (name, width, *(f"{v[key]:{form}}" for key, form in FORMS.items()))
        for name, of_case in found["sequential"].items()
        for width, v in of_case.items()
    ]
    head = ["chips", "W", "Student alone", "chips", "--ci-width", "chips", "reached", "yield", "ever"]
    title = f"{found['runs']} runs that stop by their width, or at {found['most']} chips (± {found['error']:.1%})"
    print_table(title, head, rows)
    rows = [
        (name, *(f"{v[rule][key]:{form}}" for rule in ("student", "bounded") for key, form in
         (("coverage", ".1%"), ("width", ".4f"))), f"{v['noted']:.1%}")
        for name, v in found["fixed"].items()
    ]  # fmt: skip
    head = ["chips", "Student", "width", "bounded", "width", "noted as skewed"]
    print_table(f"{found['runs']} runs of --samples {found['chips']}", head, rows)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=1000, help="rounded up to a multiple of 200")
    parser.add_argument("--chips", type=int, default=25)
    parser.add_argument("--most", type=int, default=MOST, help="chips at which a run stops whatever its width is")
    parser.add_argument("--quick", action="store_true", help="200 runs of at most 400 chips")
    words = parser.parse_args()
    runs, most = (AT_ONCE, 400) if words.quick else (words.runs, words.most)
    found = measure(runs=-(-runs // AT_ONCE) * AT_ONCE, chips=words.chips, most=most)
    print_json(found) if words.json else show(found)


if __name__ == "__main__":
    main()
