"""`xbar pareto`: fronts, and the runs that make one."""

import json

import pytest

from xbar_cli.cli.main import guarded
from xbar_cli.cli.pareto import swept_columns
from xbar_cli.workflows.pareto import front


def test_a_front_is_what_nothing_beats():
    points = [(1.0, 0.5), (2.0, 0.5), (2.0, 0.9), (3.0, 0.8), (0.5, 0.1), (1.0, 0.5)]
    assert front(points) == [True, False, True, False, True, True]
    for i, (cost, accuracy) in enumerate(points):
        better = [j for j, (c, a) in enumerate(points) if c <= cost and a >= accuracy and (c < cost or a > accuracy)]
        assert front(points)[i] == (not better)


def test_pareto_of_schemes(xbar, trained, tmp_path):
    words = []
    for scheme, bits in (("de", 4), ("acm", 4), ("acm", 1)):
        name = f"{scheme}{bits}"
        assert xbar("map", trained, "--scheme", scheme, "--bits", bits, "--out", tmp_path / name).code == 0
        words.append(tmp_path / f"energy-{name}")
        given = ("--accuracy", 0.8) if name != "acm4" else ()
        assert xbar("energy", tmp_path / name, "--images", 8, *given, "--out", words[-1]).code == 0
    evaluated = tmp_path / "eval"
    assert xbar(
        "eval", tmp_path / "acm4", "--variation", "0.1", "--samples", 2, "--set", "monte_carlo.images=100", "--out", evaluated
    ).code == 0  # fmt: skip
    found = xbar("pareto", *words, evaluated, "--json", "--out", tmp_path / "p").json
    points = {point["run"]: point for point in found["points"]}
    assert points[str(words[1])]["accuracy_from"].startswith("evaluate run")
    assert points[str(words[1])]["accuracy_ci95"] is not None
    assert found["front"] == [p["run"] for p in found["points"] if p["on_front"]["energy"]]
    assert found["points"][0]["on_front"]["energy"]  # nothing is cheaper than the cheapest
    costs = [p["energy_joule"] for p in found["points"]]
    assert costs == sorted(costs)
    assert (tmp_path / "p" / "figures" / "pareto.png").stat().st_size > 5000
    assert "*" in xbar("pareto", *words, evaluated, "--against", "area", "--out", tmp_path / "q").out
    other = tmp_path / "other"
    assert (
        xbar("energy", tmp_path / "de4", "--model", "isaac", "--images", 8, "--accuracy", 0.8, "--out", other).code == 0
    )
    for given, message in (
        ((words[0], other), "cannot be compared"),
        ((words[1],), "no accuracy of the arrays"),
        ((words[0], evaluated), "no energy run is given"),
        ((evaluated,), "no energy run"),
        ((trained,), "needs a `energy` run or a `evaluate` run"),
    ):
        refused = xbar("pareto", *given, "--out", tmp_path / "x")
        assert refused.code == 1
        assert message in refused.err


SWEEP = """
name = "chips"
[stages.map]
command = "map"
run = "{run}"
mapping.bits = 4
[stages.evaluate]
command = "evaluate"
run = "@map"
monte_carlo = {{ samples = 2, images = 50 }}
[stages.energy]
command = "energy"
run = "@map"
images = 8
[sweep]
evaluate.variation.amount = [0.05, 0.1]
"""


def test_the_points_of_a_sweep_are_those_of_its_runs(xbar, trained, tmp_path):
    file = tmp_path / "chips.toml"
    file.write_text(SWEEP.format(run=trained))
    found = xbar("run", file, "--workers", 1, "--out", tmp_path / "s", "--json").json
    swept = xbar("pareto", tmp_path / "s", "--json", "--out", tmp_path / "p").json["points"]
    assert len({point["run"] for point in swept}) == 1  # one energy run for chips of both amounts
    told = {point["accuracy_from"].split()[-1]: point["accuracy"] for point in swept}
    for entry in found["list"]:
        pair = [entry["runs"][stage] for stage in ("energy", "evaluate")]
        (alone,) = xbar("pareto", *pair, "--json", "--out", tmp_path / entry["runs"]["evaluate"][-6:]).json["points"]
        assert told[alone["accuracy_from"].split()[-1]] == alone["accuracy"] == entry["figures"]["accuracy"]
        assert {"accuracy", "accuracy_std", "energy_joule"} <= set(entry["figures"])
    file.write_text(SWEEP.format(run=trained).replace("[stages.energy]", "[stages.again]").replace("images = 8\n", "").replace(
        'command = "energy"', 'command = "evaluate"\nmonte_carlo = { samples = 2, images = 40 }'))  # fmt: skip
    both = xbar("run", file, "--workers", 1, "--out", tmp_path / "b", "--json").json["list"][0]["figures"]
    assert {"evaluate.accuracy", "again.accuracy"} <= set(both)
    refused = xbar("pareto", tmp_path / "b", "--out", tmp_path / "x")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "a point has 0 energy and 2 evaluate runs" in refused.err


WIRED = """
name = "wired"
[stages.map]
command = "map"
run = "{run}"
[stages.evaluate]
command = "evaluate"
run = "@map"
array.model = "lumped"
monte_carlo = {{ samples = 4, images = 50 }}
variation.amount = 0.1
[stages.energy]
command = "energy"
run = "@map"
images = 8
[sweep]
map.mapping.bits = [2, 4]
evaluate.array.r_source_ohm = [100, 2000]
[search]
objectives = ["max accuracy_mean", "min energy_joule"]
budget.chips = 16
race = {{ first = 2, margin = 0.005 }}
"""


@pytest.fixture(scope="module")
def wired(trained, tmp_path_factory):
    """An experiment whose accuracies know of resistances that its costs leave out, as a grid and as a search."""
    folder = tmp_path_factory.mktemp("wired")
    (folder / "wired.toml").write_text(WIRED.format(run=trained))
    for command in ("run", "search"):
        words = (command, folder / "wired.toml", "--workers", 1, "--out", folder / command, "--quiet")
        assert guarded([str(word) for word in words]) == 0
    return folder


def test_a_sweep_whose_costs_leave_resistances_out_has_a_front_and_a_note(xbar, wired, tmp_path):
    folder = wired / "run"
    found = xbar("pareto", folder, "--json", "--out", tmp_path / "p")
    entries = json.loads((folder / "summary.json").read_text())["list"]
    told = {tuple(point["values"].values()): point for point in found.json["points"]}
    assert found.code == 0
    assert len(told) == len(entries) == 4
    for entry in entries:
        point = told[tuple(entry["values"].values())]
        assert (point["accuracy"], point["energy_joule"]) == (
            entry["figures"]["accuracy"],
            entry["figures"]["energy_joule"],
        )
        assert f"source {entry['values']['evaluate.array.r_source_ohm']} ohm" in point["disagreement"]
    figures = [(entry["figures"]["energy_joule"], entry["figures"]["accuracy"]) for entry in entries]
    best = {tuple(entry["values"].values()) for entry, mark in zip(entries, front(figures), strict=True) if mark}
    assert {values for values, point in told.items() if point["on_front"]["energy"]} == best
    assert "not of one hardware at 4 of 4 points" in found.err
    lines = xbar("pareto", folder, "--out", tmp_path / "t").out.splitlines()
    head = next(line for line in lines if "accuracy [%]" in line)
    assert "r_source" in head
    assert any("2000" in line for line in lines)
    pair = [entries[0]["runs"][stage] for stage in ("energy", "evaluate")]
    refused = xbar("pareto", *pair, "--out", tmp_path / "x")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "that is other hardware" in refused.err


def test_swept_keys_have_a_column_each_and_linked_ones_share_it():
    values = [{"evaluate.converters.adc_bits": bits, "energy.adc_bits": bits, "map.mapping.tile": tile, "net.seed": 0}
              for bits, tile in ((4, "32x32"), (6, "32x32"), (6, "64x64"))]  # fmt: skip
    points = [{"values": one} for one in values]
    assert swept_columns(points) == {"adc_bits": ["4", "6", "6"]}
    values[0]["energy.adc_bits"] = 5
    assert swept_columns(points) == {"converters.adc_bits": ["4", "6", "6"], "energy.adc_bits": ["5", "6", "6"]}


def test_a_search_has_the_front_of_its_designs_with_all_chips(xbar, wired, tmp_path):
    folder = wired / "search"
    summary = json.loads((folder / "summary.json").read_text())
    complete = [entry for entry in summary["list"] if entry["state"] == "complete"]
    assert any(len(entry["runs"]["evaluate"]) > 1 for entry in complete)  # two chips first, then the others
    points = xbar("pareto", folder, "--json", "--out", tmp_path / "p").json["points"]
    told = {tuple(sorted(point["values"].items())): point for point in points}
    assert len(told) == len(complete) > 1
    for entry in complete:
        point = told[tuple(sorted(entry["values"].items()))]
        assert point["accuracy"] == pytest.approx(entry["figures"]["accuracy_mean"], rel=1e-12)
        assert point["energy_joule"] == entry["figures"]["energy_joule"]
        assert point["accuracy_ci95"][0] <= point["accuracy"] <= point["accuracy_ci95"][1]
    best = {tuple(sorted(entry["values"].items())) for entry in summary["front"]}
    assert {values for values, point in told.items() if point["on_front"]["energy"]} == best


@pytest.mark.parametrize("damage", [{"list": 3}, {"list": [{"state": "done", "runs": 3, "values": {}}]}, {"list": []}])
def test_a_sweep_without_points_is_one_line(xbar, wired, tmp_path, damage):
    folder = tmp_path / "s"
    folder.mkdir()
    summary = json.loads((wired / "run" / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | damage))
    (folder / "done").write_text("")
    found = xbar("pareto", folder, "--out", tmp_path / "p", "--quiet")
    assert (found.code, found.err.count("\n")) == (1, 1)
    assert "damaged" in found.err or "no point of that sweep is done" in found.err


def test_no_run_is_a_usage_error(xbar):
    assert xbar("pareto").code == 2


@pytest.mark.parametrize("preset", [("neurosim", "acm-table1")])
def test_presets_make_no_front(xbar, tmp_path, preset):
    model, name = preset
    assert xbar("energy", "--model", model, "--preset", name, "--out", tmp_path / "a").code == 0
    assert "is a preset" in xbar("pareto", tmp_path / "a", "--out", tmp_path / "x").err


@pytest.mark.parametrize(("run", "key"), [("evaluate", "accuracy_mean"), ("energy", "area_m2")])
@pytest.mark.parametrize("value", [None, "much", float("inf")])
def test_figures_that_no_run_has_are_one_line(xbar, trained, tmp_path, run, key, value):
    assert xbar("map", trained, "--bits", 4, "--out", tmp_path / "m").code == 0
    assert xbar("energy", tmp_path / "m", "--images", 8, "--out", tmp_path / "energy").code == 0
    assert xbar("eval", tmp_path / "m", "--samples", 1, "--images", 20, "--out", tmp_path / "evaluate").code == 0
    file = tmp_path / run / "summary.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    (tmp_path / run / "done").write_text("")
    found = xbar("pareto", tmp_path / "energy", tmp_path / "evaluate", "--out", tmp_path / "p")
    assert (found.code, found.err.count("Error: ")) == (1, 1)
    assert "damaged" in found.err
