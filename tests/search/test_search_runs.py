"""Searches from end to end on formulas: against all designs by hand, with and without a race, interrupted, in bad company."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests import searched as by_formula
from tests.searched import SEARCH, STAGES, SWEEP, accuracy, digest, energy, searched, written
from xbar_cli.errors import XbarError
from xbar_cli.experiment.file import JOURNAL, load_experiment
from xbar_cli.experiment.plan import make_plan
from xbar_cli.runs.listing import listing
from xbar_cli.search import study
from xbar_cli.workflows import report

ALL = [
    {"bits": b, "r_source": r, "adc_bits": a}
    for b, r, a in itertools.product((1, 2, 3, 4, 6), (0.0, 100.0, 300.0), (4, 6, 8))
]


@pytest.fixture
def file(tmp_path):
    return written(tmp_path, STAGES + SWEEP + SEARCH)


def by_hand():
    """Mean accuracy and energy of every design, and which are on the front."""
    points = [(float(accuracy(design, range(8)).mean()), energy(design)) for design in ALL]
    best = [(a, e) for a, e in points if not any(b >= a and f <= e and (b, f) != (a, e) for b, f in points)]
    return points, sorted(best)


def found(summary):
    """The front of a search."""
    return sorted((entry["figures"]["accuracy_mean"], entry["figures"]["energy_joule"]) for entry in summary["front"])


def area(points, worst):
    """The hypervolume of two objectives as a staircase."""
    total, height = 0.0, worst[0]
    for a, e in sorted(set(points), key=lambda p: (p[1], -p[0])):
        if a > height and e < worst[1]:
            total += (a - height) * (worst[1] - e)
            height = a
    return total


def test_the_grid_without_a_race_is_every_design_by_hand(file, tmp_path):
    settings = ["search.sampler=grid", "search.race=false", "search.budget=1000"]
    summary, engine = searched(file, tmp_path / "out", settings=settings)
    points, best = by_hand()
    assert summary["trials"] == summary["complete"] == len(ALL)
    np.testing.assert_allclose(found(summary), best)
    assert summary["chips"] == engine.chips == 8 * 15  # ADC bits are of the energy alone here
    worst = min(a for a, _ in points), max(e for _, e in points)
    assert summary["reference"] == pytest.approx({"accuracy_mean": worst[0], "energy_joule": worst[1]})
    assert summary["hypervolume"] == pytest.approx(area(points, worst), rel=1e-9)


def test_the_race_finds_the_same_front_with_fewer_chips_and_the_same_means(file, tmp_path):
    settings = ["search.sampler=grid", "search.budget=1000"]
    summary, engine = searched(file, tmp_path / "out", settings=settings)
    _, best = by_hand()
    np.testing.assert_allclose(found(summary), best)
    assert summary["chips"] == engine.chips < 0.8 * 8 * 15
    assert summary["dropped"] > 0.2 * len(ALL)
    rungs = {entry["reason"].rpartition(" after ")[2] for entry in summary["list"] if entry["state"] == "dropped"}
    assert rungs <= {"2 chips", "4 chips"}


def test_a_dropped_design_is_beaten_by_all_of_its_chips_too_or_nearly(file, tmp_path):
    summary, _ = searched(file, tmp_path / "out", settings=["search.sampler=grid", "search.budget=1000"])
    points, _ = by_hand()
    for entry in (e for e in summary["list"] if e["state"] == "dropped"):
        v = entry["values"]
        design = {"bits": v["map.mapping.bits"], "r_source": float(v["evaluate.array.r_source_ohm"]),
                  "adc_bits": v["energy.adc_bits"]}  # fmt: skip
        a, e = float(accuracy(design, range(8)).mean()), energy(design)
        assert any(b > a - 0.01 and f <= e for b, f in points)  # of two that are much alike either may go


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
def test_a_search_keeps_to_its_budget_and_tries_no_design_twice(file, tmp_path, sampler):
    settings = [f"search.sampler={sampler}", "search.budget.chips=60", "search.batch=4"]
    summary, engine = searched(file, tmp_path / "out", settings=settings)
    assert engine.chips == summary["chips"] <= 60
    own = [str(entry["values"]) for entry in summary["list"] if entry["state"] != "repeated"]
    assert len(own) == len(set(own)) >= 6


def test_a_space_that_is_used_up_ends_the_search(file, tmp_path):
    settings = ["search.sampler=tpe", "search.budget=1000", "evaluate.monte_carlo.samples=2"]
    summary, _ = searched(file, tmp_path / "out", settings=settings)
    assert summary["trials"] - summary["repeated"] == len(ALL)
    assert found(summary)


def test_the_same_seed_gives_the_same_trials_and_another_one_others(file, tmp_path):
    runs = [
        searched(file, tmp_path / str(n), settings=["search.budget=20", f"search.seed={seed}"])[0]
        for n, seed in enumerate((0, 0, 1))
    ]
    assert digest(runs[0]) == digest(runs[1]) != digest(runs[2])


def test_a_larger_budget_goes_on(file, tmp_path):
    first, _ = searched(file, tmp_path / "out", settings=["search.budget=16"])
    second, engine = searched(file, tmp_path / "out", settings=["search.budget=32"])
    whole, _ = searched(file, tmp_path / "whole", settings=["search.budget=32"])
    assert second["list"][: len(first["list"])] == first["list"]
    assert digest(second) == digest(whole)
    assert engine.chips == second["chips"] - first["chips"]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_interrupted_at_any_call_it_ends_with_the_same_trials(file, tmp_path, sampler):
    settings = [f"search.sampler={sampler}", "search.budget=20"]
    whole, engine = searched(file, tmp_path / "whole", settings=settings)
    for call in range(1, engine.calls, 3):
        out = tmp_path / f"cut{call}"
        with pytest.raises(KeyboardInterrupt):
            searched(file, out, settings=settings, dies_at=call)
        assert digest(searched(file, out, settings=settings)[0]) == digest(whole)


def test_killed_twice_no_trial_is_lost_and_none_is_there_twice(file, tmp_path):
    settings = ["search.budget=20", "search.seed=5"]
    whole, _ = searched(file, tmp_path / "whole", settings=settings)
    for call in (2, 3):
        words = [sys.executable, by_formula.__file__, file, tmp_path / "cut", call, *settings]
        killed = subprocess.run(list(map(str, words)), cwd=Path(by_formula.__file__).parents[1], env=_environment())
        assert killed.returncode == -9
    with (tmp_path / "cut" / JOURNAL).open("ab") as journal:
        journal.write(b'{"op_code":6,"worker_id":"half of a li')
    again, _ = searched(file, tmp_path / "cut", settings=settings)
    assert digest(again) == digest(whole)
    assert [entry["trial"] for entry in again["list"]] == list(range(len(again["list"])))


def _environment():
    root = Path(by_formula.__file__).parents[1]
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}", "PYTHONWARNINGS": "ignore"}


def test_killed_between_any_two_lines_of_the_journal_it_ends_with_the_same_trials(file, tmp_path):
    settings = ["search.budget=10", "search.batch=4"]
    whole, _ = searched(file, tmp_path / "whole", settings=settings)
    lines = (tmp_path / "whole" / JOURNAL).read_bytes().splitlines(keepends=True)
    for kept in range(5, len(lines), max(len(lines) // 9, 1)):
        out = tmp_path / f"cut{kept}"
        (out / "logs").mkdir(parents=True)
        (out / JOURNAL).write_bytes(b"".join(lines[:kept]))
        assert digest(searched(file, out, settings=settings)[0]) == digest(whole), kept


def test_a_journal_of_another_experiment_or_a_damaged_one_is_one_line(file, tmp_path):
    out = tmp_path / "out"
    searched(file, out, settings=["search.budget=8"])
    with pytest.raises(XbarError, match="is of another experiment, or its stages, axes, objectives, sampler or seed"):
        searched(file, out, settings=["search.budget=8", "net.seed=1"])
    (out / JOURNAL).write_bytes(b"no journal\n" + (out / JOURNAL).read_bytes())
    with pytest.raises(XbarError, match="is damaged"):
        searched(file, out, settings=["search.budget=8"])


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ('"ideal_accuracy":0.95', '"ideal_accuracy":"<b>"'),
        ('"samples":[0', '"samples":[["x"],0'),
        ('"plan":{"start":0', '"plan":{"start":"x"'),
    ],
)
def test_what_is_not_as_it_was_written_in_the_journal_is_one_line(file, tmp_path, said, instead):
    searched(file, tmp_path / "out", settings=["search.budget=4"])
    text = (tmp_path / "out" / JOURNAL).read_text()
    assert said in text
    (tmp_path / "out" / JOURNAL).write_text(text.replace(said, instead, 1))
    with pytest.raises(XbarError, match=f"{JOURNAL} of the search is damaged"):
        searched(file, tmp_path / "out", settings=["search.budget=4"])


def test_a_folder_of_something_else_is_left_alone(file, tmp_path):
    out = tmp_path / "out"
    (out / "logs").mkdir(parents=True)
    (out / "summary.json").write_text('{"command": "run"}')
    with pytest.raises(XbarError, match="holds the results of `xbar run`"):
        searched(file, out)
    searched(file, tmp_path / "search", settings=["search.budget=2"])
    with pytest.raises(XbarError, match="is the folder of a search"):
        make_plan(load_experiment(file), tmp_path / "search")


def test_a_figure_that_no_stage_yields_is_told_with_those_there_are_and_leaves_nothing(file, tmp_path):
    with pytest.raises(XbarError, match=r"no last stage yields 'joules'; there are energy_joule"):
        searched(file, tmp_path / "out", settings=["search.objectives=['max accuracy_mean', 'min joules']"])
    summary, _ = searched(file, tmp_path / "out", settings=["search.budget=8"])
    assert summary["complete"] + summary["dropped"] == 8


def test_a_figure_that_is_no_mean_over_chips_takes_no_race(file, tmp_path):
    settings = ["search.objectives=['max accuracy_std']", "search.budget=8"]
    with pytest.raises(XbarError, match=r"accuracy_std is no mean over chips.*search\.race = false"):
        searched(file, tmp_path / "out", settings=settings)
    summary, _ = searched(file, tmp_path / "out", settings=[*settings, "search.race=false"])
    assert summary["complete"] == 8


def test_constraints_that_nothing_meets_are_said_with_the_nearest(file, tmp_path):
    settings = ["search.sampler=grid", "search.budget=1000", "search.constraints=['accuracy_mean >= 0.99']"]
    summary, _ = searched(file, tmp_path / "out", settings=settings)
    assert summary["front"] == []
    assert summary["feasible"] == 0
    assert summary["hypervolume"] == 0
    assert summary["infeasible"] > 30
    points, _ = by_hand()
    assert summary["nearest"]["figures"]["accuracy_mean"] == pytest.approx(max(a for a, _ in points), abs=0.01)


def test_constraints_leave_what_meets_them(file, tmp_path):
    settings = ["search.sampler=grid", "search.budget=1000", "search.constraints=['energy_joule <= 9n']"]
    summary, _ = searched(file, tmp_path / "out", settings=settings)
    points, _ = by_hand()
    inside = [(a, e) for a, e in points if e <= 9e-9]
    best = [(a, e) for a, e in inside if not any(b >= a and f <= e and (b, f) != (a, e) for b, f in inside)]
    np.testing.assert_allclose(found(summary), sorted(best))


def test_what_fails_is_told_and_the_rest_goes_on(file, tmp_path):
    settings = ["search.sampler=grid", "search.budget=1000"]
    summary, _ = searched(file, tmp_path / "out", settings=settings, fails=lambda design: design["bits"] == 3)
    assert summary["failed"] == 9
    assert {e["reason"] for e in summary["list"] if e["state"] == "failed"} == {"stage evaluate: it is broken"}
    assert not any(entry["values"]["map.mapping.bits"] == 3 for entry in summary["front"])


def test_what_a_search_leaves_is_read_by_others(file, tmp_path):
    out = tmp_path / "out"
    summary, _ = searched(file, out, settings=["search.budget=12"])
    with xr.open_dataset(out / "results.nc", engine="h5netcdf") as dataset:
        assert dataset.sizes["trial"] == summary["trials"]
        assert int(dataset["on_front"].sum()) == len(summary["front"])
        assert int(dataset["chips"].sum()) == summary["chips"]
    rows = (out / "trials.csv").read_text().splitlines()
    assert len(rows) == 1 + summary["trials"]
    assert rows[0].startswith(
        "trial,map.mapping.bits,evaluate.array.r_source_ohm,energy.adc_bits,state,on_front,chips,"
    )
    assert {path.name for path in (out / "figures").iterdir()} == {"front.png", "history.png"}
    listed = listing(tmp_path)
    assert listed["damaged"] == []
    entry = next(run for run in listed["runs"] if run["command"] == "search")
    assert (entry["trials"], entry["state"]) == (summary["trials"], "done")
    page = tmp_path / "page.html"
    assert report.run([out], out=page, csv_out=tmp_path / "t.csv", markdown_out=None, overwrite=False)["figures"] == 2
    assert "on_<wbr>front" in page.read_text()
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 1 + summary["trials"]


def test_a_missing_extra_is_one_line_with_what_installs_it(file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(XbarError, match=r"pip install 'xbar-cli\[search\]'"):
        searched(file, tmp_path / "out")
    assert study.INSTALL == "pip install 'xbar-cli[search]'"


def test_conditional_axes_and_numbers_without_end(tmp_path):
    text = STAGES + SEARCH + "map.mapping.bits = {low = 1, high = 6}\nenergy.adc_bits = {choices = [4, 6, 8]}\n"
    text += "evaluate.array.r_source_ohm = {low = 1, high = 300.0, log = true, when = 'map.mapping.bits >= 3'}\n"
    summary, _ = searched(written(tmp_path, text), tmp_path / "out", settings=["search.budget=24"])
    for entry in summary["list"]:
        assert ("evaluate.array.r_source_ohm" in entry["values"]) is (entry["values"]["map.mapping.bits"] >= 3)
    values = [e["values"].get("evaluate.array.r_source_ohm") for e in summary["list"]]
    assert all(1 <= v <= 300 for v in values if v is not None)
    assert np.isfinite(summary["hypervolume"])
