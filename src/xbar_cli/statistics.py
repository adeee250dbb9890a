"""What Monte-Carlo samples say: mean, spread, intervals, yield, and when there are enough of them.

scipy.stats costs half a second to import; scipy.special, which it calls for quantiles, a tenth of that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from xbar_cli.vectors import Floats

MIN_SAMPLES = 20
"""Fewest chips of a sequential run, which a width of 0.17 or more could stop before."""
RULED_OUT = math.log(2 / 0.05)
"""Logarithm of the capital at which a mean is ruled out: 5 %, in halves for the two sides."""
MOST_STAKED, CAUTION, PRIOR_VARIANCE = 0.95, 0.7, 0.05
"""Share of the capital staked at most, weight of the largest loss in a stake, and variance taken for that of one sample
before the first: the interval holds for any; these take few chips over those of benchmarks/coverage.py."""
HALVINGS = 40
SKEWED = 3.0
"""Standard errors by which a skewness must differ from that of normal samples for a note; 0.8 % of normal 25 do."""
Interval = tuple[float, float]
ANYTHING: Interval = (-math.inf, math.inf)
ACCURACY: Interval = (0.0, 1.0)
"""Where an accuracy can be."""


@dataclass(frozen=True)
class Estimate:
    """Mean of n samples.

    Attributes:
        mean: sample mean.
        std: sample standard deviation (n − 1); 0 for a single sample.
        ci95: 95 % confidence interval of the mean; None for a single sample.
    """

    mean: float
    std: float
    ci95: Interval | None


def estimate(samples: Sequence[float], *, within: Interval = ANYTHING) -> Estimate:
    """The mean of independent samples with Student's 95 % confidence interval, which ends where samples can.

    Accuracy:
        Exact for normal samples. Of skewed and rarely failing ones it covers less, and no look at few of them shows it:
        25 chips hold none of 5 % dead ones in 28 of 100 runs (docs/monte_carlo.md).
    """
    values = np.asarray(samples, dtype=np.float64)
    mean = float(values.mean())
    if values.size < 2:
        return Estimate(mean=mean, std=0.0, ci95=None)
    std = float(values.std(ddof=1)) if np.ptp(values) > 0 else 0.0  # the mean of equal values may round
    half = float(half_width(std, values.size))
    return Estimate(mean=mean, std=std, ci95=(max(mean - half, within[0]), min(mean + half, within[1])))


def half_width(std: ArrayLike, n: ArrayLike) -> Floats:
    """Half of Student's 95 % interval of the mean of n samples with this standard deviation, elementwise."""
    n = np.asarray(n, np.float64)
    return special.stdtrit(n - 1, 0.975) * np.asarray(std, np.float64) / np.sqrt(n)


def bounded(samples: Sequence[float], *, width: float | None = None) -> Estimate:
    """The mean of independent accuracies with a 95 % interval that holds whatever their distribution in [0, 1] is.

    Args:
        samples: accuracies, in the order in which they were drawn.
        width: that a sequential run waits for: the interval is then meant to be narrowest there, and holds whenever the run
            stops. None for a number of samples that was fixed beforehand.
    """
    found = estimate(samples)
    if found.ci95 is None:
        return found
    low, high = bounded_interval(np.asarray(samples, np.float64), width=width)
    return replace(found, ci95=(float(low), float(high)))


def bounded_interval(x: Floats, *, width: float | None = None) -> tuple[Floats, Floats]:
    """95 % interval of the mean of samples in [0, 1], along the last axis: what a gambler was not ruled out by.

    Before each sample a stake is set on the mean being above m, from the samples before it alone: the capital, the product
    of `1 + stake (x - m)`, is a martingale if m is the mean, and reaches 40 with a probability of 1/40 at most, ever
    (Ville). The lower end is the largest m at which it did; the upper end is that of `1 - x`, mirrored.

    Args:
        x: samples [... n], in the order in which they were drawn.
        width: see `bounded`.

    Accuracy:
        95 % or more, for any distribution in [0, 1] and any rule of stopping. In 2000 simulated runs each that stop by
        their width 98 % or more (benchmarks/coverage.py; docs/monte_carlo.md).

    References:
        Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, Journal of the Royal Statistical
        Society B 86 (2024), theorem 3 and section 4: capital of predictable stakes, here hedged over two sides.
    """
    x = np.asarray(x, np.float64)
    return _lower_end(x, width=width), 1 - _lower_end(1 - x, width=width)


def capital(x: Floats, m: ArrayLike, *, width: float | None = None) -> Floats:
    """Logarithm of the capital after each sample [... n] of who holds that the mean is above m."""
    m = np.asarray(m, np.float64)[..., None]
    return np.cumsum(np.log1p(np.minimum(_stakes(x, width=width), MOST_STAKED / np.maximum(m, 1e-12)) * (x - m)), -1)


def _stakes(x: Floats, *, width: float | None) -> Floats:
    """What is staked at each sample [... n], from those before it: nearly all where they agree, less the more they spread."""
    before = np.arange(x.shape[-1])
    total, square = (np.cumsum(v, -1) - v for v in (x, x**2))
    spread = np.maximum(square - total**2 / np.maximum(before, 1), 0.0)
    variance = (PRIOR_VARIANCE + spread) / np.maximum(before, 1)
    mean = (0.5 + total) / (before + 1)
    reach = np.sqrt(2 * RULED_OUT * variance / x.shape[-1]) if width is None else width / 2
    return reach / (variance + CAUTION * reach * mean)


def _lower_end(x: Floats, *, width: float | None) -> Floats:
    """The largest mean that is ruled out from above: the capital falls with m, so that halving finds it."""
    stakes, inside = _stakes(x, width=width), x.mean(-1)
    outside = np.zeros_like(inside)
    for _ in range(HALVINGS):
        m = ((outside + inside) / 2)[..., None]
        won = np.log1p(np.minimum(stakes, MOST_STAKED / np.maximum(m, 1e-12)) * (x - m)).sum(-1) >= RULED_OUT
        outside, inside = np.where(won, m[..., 0], outside), np.where(won, inside, m[..., 0])
    return outside


def skewness(samples: Sequence[float]) -> float | None:
    """Skewness of the distribution that the samples are of (adjusted for n); None for fewer than 3, or without spread."""
    values = np.asarray(samples, np.float64)
    if values.size < 3 or np.ptp(values) == 0:
        return None
    n, away = values.size, values - values.mean()
    return float((away**3).mean() / (away**2).mean() ** 1.5 * math.sqrt(n * (n - 1)) / (n - 2))


def is_skewed(samples: Sequence[float]) -> bool:
    """Whether the samples are further from symmetry than normal ones come by chance; never of fewer than 7.

    References:
        Cramér, Mathematical methods of statistics (1946), section 29.3: standard error of the skewness of normal samples.
    """
    n, found = len(samples), skewness(samples)
    if found is None:
        return False
    error = math.sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))
    return abs(found) > SKEWED * error


def sampling_error(accuracy: float, images: int) -> float:
    """Standard error of an accuracy measured on a random test set: sqrt(p (1 - p) / n)."""
    return math.sqrt(max(accuracy * (1 - accuracy), 0.0) / images)


def with_test_set(found: Estimate, *, images: int) -> Interval | None:
    """95 % interval of the mean over other chips *and* other test images; None for a single sample.

    The two errors are independent, and on each side what they reach adds in squares. The images' part is that of one chip:
    it is the most that it can be, because chips that differ in which images they get wrong average some of it away.

    References:
        Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927): the images' part,
        which is not nothing where all answers were right.
    """
    if found.ci95 is None:
        return None
    images_low, images_high = wilson(found.mean, images)
    low = found.mean - math.hypot(found.mean - found.ci95[0], found.mean - images_low)
    high = found.mean + math.hypot(found.ci95[1] - found.mean, images_high - found.mean)
    return max(low, ACCURACY[0]), min(high, ACCURACY[1])


def wilson(share: float, n: int) -> Interval:
    """Wilson's 95 % interval of a probability, from the share of n draws."""
    z = float(special.ndtri(0.975))
    centre, scale = (share + z**2 / (2 * n)), 1 + z**2 / n
    half = z * math.sqrt(max(share * (1 - share), 0.0) / n + (z / (2 * n)) ** 2)
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)


@dataclass(frozen=True)
class Yield:
    """Share of the chips that reach an accuracy.

    Attributes:
        fraction: of the sampled chips.
        ci95: 95 % interval of the share of all chips.
    """

    fraction: float
    ci95: Interval


def yield_at(samples: Sequence[float], threshold: float, *, width: float | None = None) -> Yield:
    """The share of chips with at least this accuracy.

    Args:
        samples: accuracies, in the order in which they were drawn.
        threshold: accuracy of a good chip.
        width: of the interval of the mean that a sequential run waited for: what stopped it depends on the chips, and the
            share's interval is then `bounded`'s. None for a number of samples that was fixed beforehand.

    References:
        Clopper and Pearson, The use of confidence or fiducial limits illustrated in the case of the binomial,
        Biometrika 26 (1934).
    """
    # an accuracy is a whole number of images: what rounds to the threshold reaches it
    good = np.asarray(samples, np.float64) >= threshold - 1e-12
    if width is not None:
        low, high = bounded_interval(good.astype(np.float64), width=width)
    else:
        from scipy import stats

        found = stats.binomtest(int(good.sum()), good.size).proportion_ci(0.95, method="exact")
        low, high = found.low, found.high
    return Yield(float(good.mean()), (float(low), float(high)))


def enough(samples: Sequence[float], *, width: float) -> bool:
    """Whether there are so many chips that `bounded`'s interval is no wider than `width`: when a sequential run stops."""
    if len(samples) < fewest(width):
        return False
    low, high = bounded_interval(np.asarray(samples, np.float64), width=width)
    return bool(high - low <= width)


def fewest(width: float) -> int:
    """The fewest chips whose interval can be this narrow: those that all agree, and all that is there staked on it.

    No rule that holds for all chips of accuracies in [0, 1] takes many fewer: fewer than 3 / width may well hold none of a
    share of bad chips that moves the mean by `width`.
    """
    return max(MIN_SAMPLES, math.ceil(RULED_OUT / -math.log1p(-width))) if width < 1 else MIN_SAMPLES
