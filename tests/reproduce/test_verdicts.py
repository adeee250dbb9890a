"""Quantities from summaries against NumPy, and verdicts against what the rules say."""

import math

import numpy as np
import pytest
from scipy import stats

from xbar_cli.experiment.file import parse_experiment
from xbar_cli.experiment.grid import expand
from xbar_cli.figures import drawing
from xbar_cli.reproduce.drawing import Drawn, draw, lines_of
from xbar_cli.reproduce.sections import Compared, Expect, Pick, Plot
from xbar_cli.reproduce.values import Absent, ItemRuns, SeedMean, compared, figure, quantity
from xbar_cli.reproduce.verdicts import Judged, judge, judge_all, verdict_of, why

SEEDS, AMOUNTS = (0, 1, 2), (0.1, 0.2)


def made(stages, sweep, summary_of):
    """The runs of an experiment with made-up summaries, by stage, swept values."""
    experiment = parse_experiment(
        {"name": "made", "stages": stages, "sweep": sweep}, __import__("pathlib").Path("made.toml")
    )
    points = tuple(expand(experiment))
    summaries = {run.key: summary_of(stage, point.values) for point in points for stage, run in point.runs.items()}
    return ItemRuns(experiment, points, summaries)


@pytest.fixture
def found():
    stages = {"net": {"command": "train"}, "tat": {"command": "train", "method": "tat", "tat": {"start": "@net"},
              "mapping": {"technology": "taox"}, "array": {"model": "published", "r_source_ohm": 1.0}},
              "chip": {"command": "evaluate", "run": "@net"}}  # fmt: skip

    def summary(stage, values):
        seed, amount = values["net.seed"], values["chip.variation.amount"]
        return {
            "net": {"test_accuracy": 0.9 + 0.01 * seed, "list": [1.0, 2.0, None], "at": [0.7, 0.8, 0.9]},
            "tat": {"test_accuracy": 0.8 + 0.02 * seed},
            "chip": {
                "accuracy_mean": 0.5 - amount + 0.03 * seed,
                "accuracy_ci95": [0.4, 0.6],
                "zero": 0,
                "part": {"x": 2.0},
            },
        }[stage]

    sweep = {"net.seed": list(SEEDS), "tat.seed": list(SEEDS), "chip.variation.amount": list(AMOUNTS),
             "zip": [["net.seed", "tat.seed"]]}  # fmt: skip
    return made(stages, sweep, summary)


def test_a_quantity_is_the_mean_over_seeds_with_students_interval(found):
    ours = quantity(Compared(value="chip.accuracy_mean", where={"amount": 0.2}, scale=100), found)
    values = 100 * (0.3 + 0.03 * np.array(SEEDS))
    assert ours.n == 3
    assert ours.mean == pytest.approx(values.mean())
    half = stats.t.ppf(0.975, 2) * values.std(ddof=1) / math.sqrt(3)
    assert ours.ci95 == pytest.approx((values.mean() - half, values.mean() + half))


def test_figures_are_compared_seed_by_seed_and_a_run_that_points_share_counts_once(found):
    pick = Compared(value="net.test_accuracy", minus=Pick(value="chip.accuracy_mean", where={"amount": 0.1}))
    values = compared(pick, found)
    assert sorted(values.values()) == pytest.approx(sorted(0.5 - 0.02 * s for s in SEEDS))
    assert quantity(Compared(value="net.test_accuracy"), found).n == 3
    ratio = Compared(value="tat.test_accuracy", over=Pick(value="net.test_accuracy"))
    expected = [(0.8 + 0.02 * s) / (0.9 + 0.01 * s) for s in SEEDS]
    assert quantity(ratio, found).mean == pytest.approx(np.mean(expected))


def test_what_is_compared_with_takes_over_where_but_for_the_keys_that_it_names(found):
    pick = Compared(
        value="chip.accuracy_mean",
        where={"chip.variation.amount": 0.1},
        minus=Pick(value="chip.accuracy_mean", where={"amount": 0.2}),
    )
    assert list(compared(pick, found).values()) == pytest.approx([0.1] * 3)


@pytest.mark.parametrize(("of", "expected"), [("min", 0.3), ("max", 0.4), ("mean", 0.35)])
def test_points_of_one_seed_are_taken_together(found, of, expected):
    pick = Compared(value="chip.accuracy_mean", of=of)
    assert min(compared(pick, found).values()) == pytest.approx(expected)


def test_lists_tables_and_nulls(found):
    summary = next(s for s in found.summaries.values() if "list" in s)
    assert figure(summary, Pick(value="net.list", at=0)) == 1.0
    assert figure(summary, Pick(value="net.list", at={"at": 0.8})) == 2.0
    assert figure(summary, Pick(value="net.list", at=-1, null=0.0)) == 0.0
    assert quantity(Compared(value="chip.part.x", of="mean"), found).mean == 2.0
    for wrong, said in (
        (Pick(value="net.list", at=-1), "net.list is null"),
        (Pick(value="net.list", at={"at": 0.85}), "none at"),
        (Pick(value="net.list", at=7), "none at 7"),
        (Pick(value="net.other"), "the summary of net has no other"),
        (Pick(value="net.test_accuracy", at=0), "is no list"),
    ):
        with pytest.raises(Absent, match=said):
            figure(summary, wrong)
    with pytest.raises(Absent, match="is 0, and something is divided by it"):
        compared(Compared(value="net.test_accuracy", over=Pick(value="chip.zero", of="mean")), found)


def test_of_one_seed_the_interval_is_that_of_the_run(found):
    one = Compared(value="chip.accuracy_mean", where={"amount": 0.1, "net.seed": 1}, scale=100)
    assert quantity(one, found).ci95 == (40, 60)
    assert quantity(one.model_copy(update={"minus": Pick(value="net.test_accuracy")}), found).ci95 is None


def expected(**keys):
    return Expect(what="accuracy", value="net.test_accuracy", **keys)


@pytest.mark.parametrize(
    ("keys", "judgement"),
    [
        ({"paper": 0.92, "tolerance": 0.02}, "met"),
        ({"paper": 0.95, "tolerance": 0.02}, "not met"),
        ({"paper": 0.95, "tolerance": 0.02, "direction": ">", "than": 0.8}, "direction only"),
        ({"paper": 0.92, "tolerance": 0.02, "direction": "<", "than": 0.8}, "not met"),
        ({"direction": ">", "than": 0.9}, "met"),
        ({"direction": "<", "than": 0.9}, "not met"),
        ({"direction": ">", "at": 0}, "not run"),
    ],
)
def test_an_expectation_is_judged_by_number_and_side(found, keys, judgement):
    assert judge(expected(**keys), found).judgement == judgement


def judged(*judgements):
    return [Judged(expected(direction=">"), None, judgement, "none") for judgement in judgements]


@pytest.mark.parametrize(
    ("judgements", "assumes", "verdict"),
    [
        (["met", "met"], False, "reproduced"),
        (["met", "not run"], True, "reproduced under a stated assumption"),
        (["met", "direction only"], False, "direction only"),
        (["direction only", "not met", "met"], True, "refuted"),
        (["not run"], False, "not run"),
        ([], True, "not run"),
    ],
)
def test_the_verdict_of_an_item_is_the_worst_of_what_was_run(judgements, assumes, verdict):
    found = judged(*judgements)
    assert verdict_of(found, assumes=assumes) == verdict
    if found:
        assert why(found, verdict).endswith(f"{judgements.count('met')} of {len(judgements)} met")


def test_a_claim_of_order_within_its_interval_says_so(found):
    one = judge(expected(direction=">", than=0.905), found)
    assert one.judgement == "met"
    assert "which its interval holds" in one.sentence()
    assert not judge_all([expected(direction=">", presets=("full",))], found, preset="smoke")


@pytest.mark.parametrize(("x", "whole"), [((2, 3, 6), True), ((0.5, 1.0, 2.0), False), ((1, 1), False)])
def test_axes_of_counts_have_ticks_at_integers(x, whole, tmp_path, monkeypatch):
    painted = []
    monkeypatch.setattr(drawing, "whole", painted.append)
    plot = Plot(x_label="bits", y_label="y", line=({"value": "chip.accuracy_mean"},))
    line = Drawn("ours", x, tuple(SeedMean(0.1 * at, None, 1) for at in x))
    assert draw(tmp_path / "one.png", plot, [line], caption="c").exists()
    assert bool(painted) is whole


def test_lines_are_drawn_over_swept_keys_and_over_lists(found):
    plot = {"x_label": "x", "y_label": "y"}
    (line,) = lines_of(Plot(x="amount", x_scale=10, line=({"value": "chip.accuracy_mean"},), **plot), found)
    assert line.x == (1, 2)
    assert [y.mean for y in line.y] == pytest.approx([0.43, 0.33])
    (line,) = lines_of(Plot(x="net.at", line=({"value": "net.list"},), **plot), found)
    assert (line.x, [y.mean for y in line.y], line.y[0].n) == ((0.7, 0.8), [1.0, 2.0], 3)
    lines = lines_of(
        Plot(x="net.seed", line=({"value": "chip.accuracy_mean", "by": "amount", "label": "at"},), **plot), found
    )
    assert [line.label for line in lines] == ["at 0.1", "at 0.2"]
    assert lines[1].y[2].mean == pytest.approx(0.36)
