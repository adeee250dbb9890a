"""Racing: after a few chips, which designs another one beats by the paired test over the same chips, or break a constraint."""

from collections.abc import Sequence

from xbar_cli.search.objectives import Constraint, Goal
from xbar_cli.search.trial import DROPPED, INFEASIBLE, REPEATED, SHARES, Trial
from xbar_cli.statistics import ACCURACY, ANYTHING, estimate
from xbar_cli.workflows.compare import on_chips

FEWEST = 2
"""Chips below which no test says anything."""


def compared(d: Trial, e: Trial, objective: Goal, *, n: int, margin: float) -> tuple[bool, bool]:
    """Whether e is better than d in an objective, and whether it is no worse, as far as `n` chips tell.

    A mean over chips is better where the 95 % interval of the difference says so, over the same chips in pairs where chip i of
    both is drawn alike; it is no worse where the interval reaches no further than `margin` below. Other figures are exact.
    """
    chips, others = d.mean_of(objective.figure), e.mean_of(objective.figure)
    if chips is None or others is None:
        gain = objective.sign * (e.value(objective.figure) - d.value(objective.figure))
        return gain > 0, gain >= 0
    pair = chips.evaluation(n, of=d.number), others.evaluation(n, of=e.number)
    if min((one.samples.size for one in pair if not one.fixed), default=FEWEST) < FEWEST:
        return False, False
    found = on_chips(*pair).found
    low = min(objective.sign * end for end in found.ci95)
    return low > 0, low >= -margin


def beaten_by(d: Trial, e: Trial, objectives: Sequence[Goal], *, n: int, margin: float) -> bool:
    """Whether e is no worse than d in any objective, and better in one."""
    better = False
    for objective in objectives:
        gains, holds = compared(d, e, objective, n=n, margin=margin)
        if not holds:
            return False
        better = better or gains
    return better


def may_beat(e: Trial, constraints: Sequence[Constraint], *, n: int) -> bool:
    """Whether others are measured by a design after `n` chips: it has them, is in the race, and meets all constraints."""
    if e.state == REPEATED or (e.state in (DROPPED, INFEASIBLE) and e.rung <= n):
        return False
    return e.rung >= n and bool(e.figures) and all(_mean(e, c, n) <= 0 for c in constraints)


def _mean(e: Trial, constraint: Constraint, n: int) -> float:
    """How far the figure is on the wrong side, by the first `n` chips."""
    chips = e.mean_of(constraint.figure)
    value = e.value(constraint.figure) if chips is None else float(chips.evaluation(n, of=e.number).samples.mean())
    return constraint.violation(value)


def broken(d: Trial, constraints: Sequence[Constraint], *, n: int) -> Constraint | None:
    """The first constraint that a design breaks for certain: the whole 95 % interval of its mean over `n` chips does."""
    for constraint in constraints:
        chips = d.mean_of(constraint.figure)
        if chips is None:
            ends = (d.value(constraint.figure),)
        else:
            found = estimate(
                chips.evaluation(n, of=d.number).samples.tolist(),
                within=ACCURACY if chips.metric in SHARES else ANYTHING,
            )
            ends = (found.mean,) if chips.fixed else found.ci95 or ()
        if ends and all(constraint.violation(end) > 0 for end in ends):
            return constraint
    return None


def rival(
    d: Trial,
    others: Sequence[Trial],
    objectives: Sequence[Goal],
    constraints: Sequence[Constraint],
    *,
    n: int,
    margin: float,
) -> Trial | None:
    """The first of the others that beats d after `n` chips."""
    for e in others:
        if e.number != d.number and may_beat(e, constraints, n=n) and beaten_by(d, e, objectives, n=n, margin=margin):
            return e
    return None
