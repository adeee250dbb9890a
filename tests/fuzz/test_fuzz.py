"""A part of the series of bad inputs, of the damaged runs, and every input that ever broke a promise."""

import itertools
import random

import pytest

from tests.fuzz.__main__ import corpus
from tests.fuzz.good import RUNS, make
from tests.fuzz.judge import judge
from tests.fuzz.kinds import KINDS, draw
from tests.fuzz.trial import BROKEN, cases, classified, readings

COUNT, PARTS = 240, 4


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    make(folder)
    return folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_bad_input_is_one_line_or_accepted(good, part):
    for number in range(part, COUNT, PARTS):
        case = draw(number, seed=17, good=good)
        outcome = judge(case, good=good)
        assert outcome.good, f"input {number}, {case.kind}: {case.argv}: {outcome.text}"


@pytest.mark.timeout(300)
def test_what_once_broke_a_promise_keeps_it(good):
    cases = corpus()
    assert cases, "the corpus is there"
    for case in cases:
        outcome = judge(case, good=good)
        assert outcome.good, f"{case.kind}: {case.argv}: {outcome.text}"


def test_the_series_is_the_same_each_time_and_has_every_kind(good):
    cases = [draw(number, seed=3, good=good) for number in range(400)]
    assert cases == [draw(number, seed=3, good=good) for number in range(400)]
    kinds = {case.kind for case in cases}
    assert len(kinds) == len(dict.fromkeys(kind.__name__ for kind in KINDS))
    assert all(case == type(case).of(case.line()) for case in itertools.islice(cases, 50))


DAMAGES, QUICK = 36, ("energy", "pareto", "compare", "report", "ls", "map")


@pytest.mark.timeout(300)
def test_a_damaged_run_is_one_line_or_gives_the_undamaged_result_or_says_what_it_ignored(good):
    """A few of what `python -m tests.fuzz.trial` tries."""
    wanted = [one for one in readings(good) if one.command in QUICK and {*one.copies} <= {*RUNS}]
    usual = {(one.argv, one.copies): judge(one.case(kind="good"), good=good) for one in wanted}
    assert all(outcome.verdict == "accepted" for outcome in usual.values())
    damaged = random.Random(1).sample(list(cases(good, wanted, bits=3)), DAMAGES)
    for case in damaged:
        outcome = judge(case, good=good)
        became = classified(outcome, usual[case.argv, tuple(case.copies)])
        assert became not in BROKEN, f"{became}: {case.kind}: {case.argv}: {case.edits}: {outcome.text}"
