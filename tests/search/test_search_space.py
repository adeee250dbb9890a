"""The space of a search: axes from their tables, conditions, how many designs; bad input in one line each."""

from pathlib import Path

import pytest

from tests.searched import SEARCH, STAGES, SWEEP, written
from xbar_cli.errors import XbarError
from xbar_cli.experiment.file import load_experiment
from xbar_cli.search.asked import load_search, rungs
from xbar_cli.search.conditions import parse_condition
from xbar_cli.search.space import Dimension, Listed, Real, Space, Whole

FULL = Space(
    (
        Dimension(("map.scheme",), Listed((("de",), ("bc",)))),
        Dimension(("map.bits",), Whole(1, 3), parse_condition("map.scheme == 'de'", where="")),
        Dimension(("map.x", "energy.x"), Real(0.5, 1.5, step=0.5), parse_condition("map.bits >= 2", where="")),
    )
)


def test_an_axis_that_does_not_count_leaves_its_keys_alone_and_so_do_those_that_hang_on_it():
    positions = {"map.scheme": 0, "map.bits": 2, "map.x": 1.0}
    assert FULL.design(positions) == {"map.scheme": "de", "map.bits": 2, "map.x": 1.0, "energy.x": 1.0}
    assert FULL.design(positions | {"map.bits": 1}) == {"map.scheme": "de", "map.bits": 1}
    assert FULL.design(positions | {"map.scheme": 1}) == {"map.scheme": "bc"}


def test_the_grid_has_each_design_once():
    designs = [FULL.design(positions) for positions in FULL.grid()]
    by_hand = [{"map.scheme": "de", "map.bits": 1}, {"map.scheme": "bc"}]
    by_hand += [{"map.scheme": "de", "map.bits": b, "map.x": x, "energy.x": x} for b in (2, 3) for x in (0.5, 1.0, 1.5)]
    assert len(designs) == FULL.size() == len(by_hand)
    assert all(design in by_hand for design in designs)
    assert Space((*FULL.dimensions, Dimension(("net.a",), Real(0, 1)))).size() is None


def test_corners_look_at_both_ends_of_each_axis():
    corners = list(FULL.corners())
    assert {c["map.bits"] for c in corners} == {1, 3}
    assert {c["map.scheme"] for c in corners} == {0, 1}
    assert len(corners) == 4


@pytest.mark.parametrize(
    ("text", "values", "holds"),
    [
        ("a.b in [1, 2]", {"a.b": 2}, True),
        ("a.b != 'x' and c.d < 3", {"a.b": "y", "c.d": 2.5}, True),
        ("a.b != 'x' and c.d < 3", {"a.b": "y", "c.d": 3}, False),
        ("a.b > 1", {"a.b": "text"}, False),
        ("a.b == true", {}, False),
    ],
)
def test_conditions(text, values, holds):
    assert all(term.holds(values) for term in parse_condition(text, where="")) is holds


def loaded(tmp_path, text, settings=()):
    return load_search(written(tmp_path, text), settings=settings)


def test_lists_of_a_sweep_are_axes_and_the_same_file_is_a_grid(tmp_path):
    file = written(tmp_path, STAGES + SWEEP + SEARCH)
    search = load_search(file)
    assert search.space.size() == 45
    assert search.chips == 8
    assert rungs(search) == [2, 4, 8]
    assert [d.values.ordered for d in search.space.dimensions] == [True, True, True]
    assert len(load_experiment(file).axes) == 3
    assert load_experiment(file).stages == search.experiment.stages


def test_axes_of_every_kind_and_the_place_of_a_list_taken(tmp_path):
    text = STAGES + SWEEP + SEARCH
    text += 'map.mapping.scheme = {choices = ["de", "bc"]}\nmap.mapping.bits = {low = 1, high = 6, step = 2}\n'
    text += 'evaluate.variation.amount = {low = "10m", high = 0.2, log = true, when = "map.mapping.scheme == \'de\'"}\n'
    text += 'evaluate.array.r_wire_ohm = {low = 0.0, high = 1.0, also = ["energy.array.r_wire_ohm"]}\n'
    space = loaded(tmp_path, text).space
    kinds = {d.name: d.values for d in space.dimensions}
    assert kinds["map.mapping.bits"] == Whole(1, 5, step=2)
    assert kinds["evaluate.variation.amount"] == Real(0.01, 0.2, log=True)
    assert kinds["map.mapping.scheme"] == Listed((("de",), ("bc",)))
    assert list(kinds)[:2] == ["evaluate.array.r_source_ohm", "energy.adc_bits"]
    found = space.design(dict.fromkeys(kinds, 0) | {"evaluate.array.r_wire_ohm": 0.123456789})
    assert found["evaluate.array.r_wire_ohm"] == found["energy.array.r_wire_ohm"] == 0.123457


BAD = {
    "map.mapping.bits = {log = true}": "search.map.mapping.bits: low and high missing: an axis is",
    "map.mapping.bits = {low = 1}": "search.map.mapping.bits: high missing",
    "map.mapping.bits = 3": "search.map.mapping.bits = 3: an axis is",
    "map.mapping.bits = {low = 4, high = 1}": "low = 4 is above high = 1",
    "map.mapping.bits = {low = 'x', high = 1}": "bits.low: 'x' is not a number",
    "map.mapping.bits = {low = true, high = 1}": "bits.low = True must be a number",
    "evaluate.variation.amount = {low = 0, high = 1.0, log = true}": "low = 0: a logarithmic axis begins above 0",
    "evaluate.variation.amount = {low = 0.1, high = 1.0, log = true, step = 0.1}": "log and step: give one of them",
    "evaluate.variation.amount = {low = 0.1, high = 1.0, step = 0.0}": "must be above 0",
    "evaluate.variation.amount = {low = 0.1, high = 1.0, log = 'yes'}": "must be true or false",
    "evaluate.variation.amount = {low = 0.1, hihg = 1.0}": "unknown 'hihg'",
    "map.mapping.bits = {choices = []}": "must be a list of values",
    "map.mapping.bits = {choices = [1, 1]}": "a value is listed twice",
    "map.mapping.bits = {choices = [1], low = 1}": "choices and low",
    "map.mapping.bits = {choices = [99]}": "stages.map: mapping.bits = 99",
    "maps.mapping.bits = {low = 1, high = 2}": "search: unknown key 'maps'",
    "map.command = {choices = ['train']}": "name a key of the stage",
    "map.mapping.bits = {low = 1, high = 2, when = 'bits'}": "when = 'bits' is no condition; write KEY == VALUE",
    "map.mapping.bits = {low = 1, high = 2, when = 'a.b == c'}": "'c' is no value",
    "map.mapping.bits = {low = 1, high = 2, when = 'a.b == 3'}": "when: 'a.b' is no axis",
    "map.mapping.bits = {low = 1, high = 2, when = 'map.mapping.bits == 3'}": "goes round in a circle",
    "map.mapping.bits = {low = 1, high = 2, also = ['evaluate.array.r_source_ohm']}": "",
    "map.mapping.bits = {low = 1, high = 2, also = ['map.mapping.bits']}": "two axes set this key",
    "map.mapping.bits = {low = 1, high = 2, also = 3}": "must be a list of dotted keys",
    "budget = {trials = 0}": "search: budget.trials = 0",
    "budgets = 3": "search: unknown key 'budgets'",
    "sampler = 'best'": "search: sampler = 'best'",
    "constraints = ['accuracy_mean > 0.8']": "'accuracy_mean > 0.8' is no constraint; write FIGURE >= NUMBER",
    "reference = {area_m2 = 1.0}": "'area_m2' is no objective",
    "sampler = 'grid'\nevaluate.variation.amount = {low = 0.1, high = 0.2}": "has no end of values",
}


@pytest.mark.parametrize("line", [line for line, said in BAD.items() if said])
def test_bad_input_is_one_line_that_says_where_and_what_is_allowed(tmp_path, line):
    with pytest.raises(XbarError) as error:
        loaded(tmp_path, STAGES + SWEEP + SEARCH + line + "\n")
    assert BAD[line] in str(error.value)
    assert str(tmp_path / "formulas.toml") in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (STAGES + SWEEP, "a search needs a table [search] with objectives"),
        (STAGES + SEARCH, "search: no axis: give STAGE.key"),
        (STAGES + SWEEP + "[search]\nobjectives = []\n", "search: objectives = []"),
        (STAGES + SWEEP + "[search]\nobjectives = ['best accuracy']\n", "is no objective; write max FIGURE or min"),
        (STAGES + SWEEP + "[search]\nobjectives = ['max a', 'min a']\n", "a figure is named twice"),
        (STAGES.replace("monte_carlo.samples = 8", "monte_carlo.ci_width = 0.1") + SWEEP + SEARCH, "race = false"),
        (STAGES + 'activity = "@evaluate"\n' + SWEEP + SEARCH, "energy reads the run of evaluate"),
    ],
)
def test_a_search_that_cannot_be_is_one_line(tmp_path, text, said):
    with pytest.raises(XbarError) as error:
        loaded(tmp_path, text)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_what_a_race_cannot_cut_is_taken_without_one(tmp_path):
    text = STAGES.replace("monte_carlo.samples = 8", "monte_carlo.ci_width = 0.1") + SWEEP + SEARCH + "race = false\n"
    assert rungs(loaded(tmp_path, text)) == [1000]


def test_settings_reach_stages_and_the_search(tmp_path):
    search = loaded(tmp_path, STAGES + SWEEP + SEARCH, settings=["search.seed=3", "net.training.epochs=2"])
    assert search.section.seed == 3
    assert search.experiment.stages["net"]["training"]["epochs"] == 2


def test_what_designs_follow_from_makes_the_identity_and_the_budget_does_not(tmp_path):
    text = STAGES + SWEEP + SEARCH

    def identity(*settings):
        return loaded(Path(tmp_path), text, settings=settings).identity

    assert identity() == identity("search.budget.trials=7")
    others = [identity(s) for s in ("search.seed=1", "search.batch=4", "net.seed=3", "search.race=false")]
    assert len({identity(), *others}) == 5
