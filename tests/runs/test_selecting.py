"""Listed runs: terms over their keys, names by their ends, and what differs between them."""

import pytest

from xbar_cli.errors import ConfigError
from xbar_cli.runs.selecting import differing, leaves, named, parse_term, values_of

CONFIG = {
    "seed": 1, "run": "runs/net", "array": {"model": "nodal", "r_wire_ohm": 2.5},
    "variation": {"amount": 0.1, "effects": [{"model": "stuck", "on": 0.01, "open": 0.0}, {"model": "drift", "t": 10}]},
}  # fmt: skip
SUMMARY = {"accuracy_mean": 0.8, "samples": 25, "layers": [1, 2], "network": "mlp"}
DESCRIBED = {"path": "runs/e", "command": "evaluate", "accuracy": 0.8, "network": "mlp"}
VALUES = values_of(DESCRIBED, CONFIG, SUMMARY)


def test_effects_are_texts_as_the_command_line_has_them():
    assert dict(leaves(CONFIG))["variation.effects"] == "stuck:on=0.01,open=0.0 drift:t=10"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("accuracy", "accuracy"), ("r_wire", "array.r_wire_ohm"), ("array.r_wire_ohm", "array.r_wire_ohm"),
        ("amount", "variation.amount"), ("effects", "variation.effects"), ("accuracy_mean", "accuracy_mean"),
    ],
)  # fmt: skip
def test_a_key_is_named_by_its_end_with_or_without_its_unit(name, key):
    assert named(name, list(VALUES)) == key


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("accuracyy", list(VALUES), "near: accuracy"),
        ("bits", ["a.bits", "b.bits"], "'bits' is a.bits, b.bits: write more of it"),
    ],
)
def test_a_name_that_is_none_or_several_is_answered(name, known, said):
    with pytest.raises(ConfigError, match=said):
        named(name, known)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("accuracy>0.7", True), ("accuracy >= 0.8", True), ("accuracy<0.8", False), ("r_wire=2.5", True), ("model!=ideal", True),
        ("command==evaluate", True), ("network=MLP", True), ("samples<=24", False),
    ],
)  # fmt: skip
def test_terms(text, holds):
    term = parse_term(text)
    key = "array.model" if term.name == "model" else named(term.name, list(VALUES))
    assert term.holds(VALUES, key) is holds
    assert not term.holds({}, key)


@pytest.mark.parametrize("text", ["accuracy", "accuracy>", ">3", "a b > 3", ""])
def test_what_is_no_term_is_refused(text):
    with pytest.raises(ConfigError, match="is no term"):
        parse_term(text)


def test_texts_have_no_order():
    with pytest.raises(ConfigError, match="no number"):
        parse_term("network>3").holds(VALUES, "network")


def test_what_differs_leaves_places_and_known_columns_out():
    other = values_of(DESCRIBED, CONFIG | {"run": "runs/other", "array": {"model": "ideal"}}, SUMMARY)
    assert differing([VALUES, other], besides=["array.model"]) == ["array.r_wire_ohm"]
    assert differing([VALUES, VALUES], besides=[]) == []
