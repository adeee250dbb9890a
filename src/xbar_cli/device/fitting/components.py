"""The spread of a state in two parts: from device to device, and from one write of a device to the next.

References:
    Searle, Casella, McCulloch, Variance Components (1992), Section 3.6: estimators of the one-way classification by analysis of
    variance, of unequal numbers too.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class Components(NamedTuple):
    """Standard deviations [S] of every state: `device` between the means of devices, `cycle` between the writes of one."""

    device: np.ndarray
    cycle: np.ndarray


def components(
    measured: Float[np.ndarray, " n"], state: Int[np.ndarray, " n"], device: Int[np.ndarray, " n"]
) -> Components | None:
    """The two parts of the spread of each state; None where some state has no device that was written twice, or one device.

    With a devices of n_d writes, N in all: the cycle's variance is that within devices, MSW = sum (y - mean_d)^2 / (N - a); the
    devices' is (MSB - MSW) / n_0 with MSB = sum n_d (mean_d - mean)^2 / (a - 1) and n_0 = (N - sum n_d^2 / N) / (a - 1), 0 where
    that is below 0.

    Args:
        measured: conductances [S].
        state: the state of each, from 0 on.
        device: the device of each, from 0 on.
    """
    found: list[tuple[float, float]] = []
    for each in range(int(state.max()) + 1):
        of_state = state == each
        values, numbers = measured[of_state], np.unique(device[of_state], return_inverse=True)[1]
        counts = np.bincount(numbers)
        total, devices = values.size, counts.size
        if devices < 2 or total == devices:
            return None
        means = np.bincount(numbers, weights=values) / counts
        within = float(np.sum((values - means[numbers]) ** 2)) / (total - devices)
        between = float(np.sum(counts * (means - values.mean()) ** 2)) / (devices - 1)
        size = (total - float(np.sum(counts**2)) / total) / (devices - 1)
        found.append((float(np.sqrt(max((between - within) / size, 0.0))), float(np.sqrt(within))))
    return Components(*np.asarray(found, np.float64).T)
