"""Mean, spread and confidence interval of Monte-Carlo samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Estimate:
    """Mean of n samples.

    Attributes:
        mean: sample mean.
        std: sample standard deviation (n − 1); 0 for a single sample.
        ci95: Student's 95 % confidence interval of the mean; None for a single sample.
    """

    mean: float
    std: float
    ci95: tuple[float, float] | None


def estimate(samples: Sequence[float]) -> Estimate:
    """The mean of independent samples with its 95 % confidence interval."""
    values = np.asarray(samples, dtype=np.float64)
    mean = float(values.mean())
    if values.size < 2:
        return Estimate(mean=mean, std=0.0, ci95=None)
    std = float(values.std(ddof=1))
    half = float(stats.t.ppf(0.975, values.size - 1)) * std / np.sqrt(values.size)
    return Estimate(mean=mean, std=std, ci95=(mean - half, mean + half))
