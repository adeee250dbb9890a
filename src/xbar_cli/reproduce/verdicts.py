"""Verdicts, computed: of each expectation from what was found and what was fixed before, of an item from its expectations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from xbar_cli.reproduce.sections import Expect, Preset
from xbar_cli.reproduce.values import Absent, ItemRuns, SeedMean, quantity

Judgement = Literal["met", "direction only", "not met", "not run"]
"""Of an expectation."""
Verdict = Literal["reproduced", "reproduced under a stated assumption", "direction only", "refuted", "not run"]
"""Of an item."""
VERDICTS: tuple[Verdict, ...] = (
    "reproduced", "reproduced under a stated assumption", "direction only", "refuted", "not run",
)  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """An expectation and what was found.

    Attributes:
        expect: what was fixed before.
        ours: what was found; None where it was not.
        judgement: see `judge`.
        reason: why it was not found.
    """

    expect: Expect
    ours: SeedMean | None
    judgement: Judgement
    reason: str = ""

    def sentence(self) -> str:
        """What was found against what was expected, in one sentence."""
        expect = self.expect
        if self.ours is None:
            return f"{expect.what}: {self.reason}"
        said = f"{expect.what}: {shown(self.ours)}"
        if expect.paper is not None:
            said += f", paper {expect.paper:g} ± {expect.tolerance:g}"
        if expect.direction is not None:
            said += f", {'above' if expect.direction == '>' else 'below'} {expect.than:g} expected"
            if self.ours.ci95 is not None and self.ours.ci95[0] <= expect.than <= self.ours.ci95[1]:
                said += " (which its interval holds)"
        return said


def shown(ours: SeedMean) -> str:
    """A quantity as it is read: mean, interval, seeds."""
    interval = "" if ours.ci95 is None else f" [{ours.ci95[0]:.4g}, {ours.ci95[1]:.4g}]"
    return f"{ours.mean:.4g}{interval} (n = {ours.n})"


def judge(expect: Expect, found: ItemRuns) -> Judged:
    """Judge an expectation: `met` is within the tolerance and on the claimed side; `direction only` on the side alone.

    The mean decides; where the interval holds the bound of a claim of order, the sentence says so.
    """
    try:
        ours = quantity(expect, found)
    except Absent as absent:
        return Judged(expect, None, "not run", str(absent))
    near = expect.paper is None or abs(ours.mean - expect.paper) <= (expect.tolerance or 0.0)
    side = expect.direction is None or (ours.mean > expect.than if expect.direction == ">" else ours.mean < expect.than)
    if near and side:
        return Judged(expect, ours, "met")
    return Judged(expect, ours, "direction only" if side and expect.direction is not None else "not met")


def judge_all(expects: Sequence[Expect], found: ItemRuns, *, preset: Preset) -> list[Judged]:
    """The expectations of a size, judged."""
    return [judge(expect, found) for expect in expects if preset in expect.presets]


def verdict_of(judged: Sequence[Judged], *, assumes: bool) -> Verdict:
    """The verdict of an item.

    `refuted` where an expectation is not met, its direction included; else `direction only` where one has only that; else
    `reproduced`, under a stated assumption where the item `assumes` something. What was not run is left out; `not run` where
    that is all.
    """
    found = [one.judgement for one in judged if one.judgement != "not run"]
    if not found:
        return "not run"
    if "not met" in found:
        return "refuted"
    if "direction only" in found:
        return "direction only"
    return "reproduced under a stated assumption" if assumes else "reproduced"


def why(judged: Sequence[Judged], verdict: Verdict) -> str:
    """One sentence: what decided the verdict, and how many expectations are met."""
    match verdict:
        case "reproduced" | "reproduced under a stated assumption":
            wanted = "met"
        case "direction only":
            wanted = "direction only"
        case "refuted":
            wanted = "not met"
        case "not run":
            wanted = "not run"
        case _:
            assert_never(verdict)
    deciding = next(one for one in judged if one.judgement == wanted)
    met = sum(one.judgement == "met" for one in judged)
    return f"{deciding.sentence()}; {met} of {len(judged)} met"
