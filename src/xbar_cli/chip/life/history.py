"""When a chip is read, how old its devices are then, and what was done to it before: policies that act every so often."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from xbar_cli.errors import ConfigError

MOST_EVENTS = 1_000_000
"""Of one policy within a life."""
SLACK = 1e-9
"""Relative: a time that is a period by this much falls on it."""


@dataclass(frozen=True)
class Policy:
    """What is done to a chip every so often.

    Attributes:
        kind: `reprogram` (all devices are written again) or a correction of outputs: `gain`, `affine`, `global`.
        period: time between two of them [s].
    """

    kind: str
    period: float

    def times(self, t: float) -> int:
        """How often it has acted until `t` [s], at `t` itself too."""
        count = math.floor(t / self.period * (1 + SLACK))
        if count > MOST_EVENTS:
            raise ConfigError(
                f"ageing.recalibrate: {self.kind} every {self.period:g} s acts {count:.3g} times within {t:g} s; at most "
                f"{MOST_EVENTS:.0e} are allowed".replace("e+0", "e")
            )
        return count


@dataclass(frozen=True)
class Moment:
    """A time at which a chip is read.

    Attributes:
        time: since it was programmed first [s].
        age: since it was programmed last, the earliest a read can be at least [s].
        programmings: how often it was programmed.
        fitted_at: age at which its outputs were corrected last, on the devices as they are now [s]; None: never.
        corrections: how often they were.
    """

    time: float
    age: float
    programmings: int
    fitted_at: float | None
    corrections: int


def moment(t: float, *, reprogram: Policy | None, correct: Policy | None, earliest: float) -> Moment:
    """The state of a chip at `t` [s] after it was programmed first; `earliest` is the age of its first read [s].

    A chip is corrected when it is new, again after every programming, and then every period of the policy. What is due at `t`
    has been done.
    """
    rewritten = 0 if reprogram is None else reprogram.times(t)
    born = 0.0 if reprogram is None else rewritten * reprogram.period
    age = max(t - born, earliest)
    if correct is None:
        return Moment(t, age, 1 + rewritten, None, 0)
    regular = correct.times(t)
    last = max(born, regular * correct.period)
    apart = (
        0 if reprogram is None else sum(not _falls_on(k * reprogram.period, correct) for k in range(1, rewritten + 1))
    )
    fitted_at = max(min(last, t) - born, earliest)
    return Moment(t, age, 1 + rewritten, fitted_at, 1 + regular + apart)


def _falls_on(t: float, policy: Policy) -> bool:
    """Whether a policy acts at `t` by itself."""
    steps = t / policy.period
    return abs(steps - round(steps)) <= SLACK * max(1.0, steps)


def moments(
    times: Sequence[float], *, reprogram: Policy | None, correct: Policy | None, earliest: float, named: str
) -> list[Moment]:
    """The states at some times [s], which `named` says are no earlier than the first read."""
    if times[0] < earliest:
        raise ConfigError(
            f"ageing.at: {times[0]:g} s is before {named} = {earliest:g} s, the first time that is modelled"
        )
    return [moment(t, reprogram=reprogram, correct=correct, earliest=earliest) for t in times]
