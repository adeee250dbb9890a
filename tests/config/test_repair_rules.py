"""Repair as text: what is taken, and what is refused in one line."""

import pytest

from xbar_cli.config.chips.advise import AdviseConfig
from xbar_cli.config.chips.evaluate import EvaluateConfig, PartitionConfig
from xbar_cli.config.chips.repair import Remedies, remedies_of
from xbar_cli.config.load import validate
from xbar_cli.errors import ConfigError

STUCK = {"effects": ["stuck:on=0.1"]}


def config(remedies, fault_map=None, kind=EvaluateConfig, **more):
    repair = {"remedies": remedies} | ({} if fault_map is None else {"fault_map": fault_map})
    return validate(kind, {"run": "r", "variation": STUCK, "repair": repair} | more, {})


def test_remedies_are_read_in_any_order():
    text = "spares=4, sign-flip,ensemble=3,permute"
    wanted = Remedies(sign_flip=True, permute=True, spares=4, ensemble=3)
    assert remedies_of(text) == wanted
    assert config(text.split(","), "march").repair.wanted == wanted
    assert wanted.knowing == ["sign-flip", "permute", "spares"]
    assert wanted.moving
    assert not Remedies(differential=True, ensemble=2).moving
    assert not Remedies().any


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mend", "'mend' is no remedy; write sign-flip"),
        ("spares", "'spares' is no remedy"),
        ("permute=2", "'permute=2' is no remedy"),
        ("spares=0", "a whole number from 1 to 4096"),
        ("ensemble=1", "a whole number from 2 to 64"),
        ("ensemble=2.5", "a whole number from 2 to 64"),
        ("permute,permute", "permute is there twice"),
        ("", "'' is no remedy"),
    ],
)
def test_texts_that_are_no_remedies(text, message):
    with pytest.raises(ConfigError, match=message) as raised:
        config(text, "march")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"remedies": "permute"}, "the faults are unknown; give repair.fault_map = march or given"),
        ({"remedies": "ensemble=2", "fault_map": "march"}, "no remedy asks where faults are; leave it out"),
        ({"remedies": None, "fault_map": "given"}, "no remedy asks where faults are; leave it out"),
        ({"remedies": "permute", "fault_map": "given", "variation": {}}, "nothing is stuck; add effect stuck"),
        ({"remedies": "permute", "fault_map": "given", "kind": PartitionConfig}, "belongs to xbar evaluate"),
        ({"remedies": "permute", "fault_map": "given", "kind": AdviseConfig}, "belongs to xbar evaluate"),
    ],
)
def test_what_does_not_go_together(given, message):
    given = dict(given)
    remedies, fault_map = given.pop("remedies"), given.pop("fault_map", None)
    kind = given.pop("kind", EvaluateConfig)
    tree = {"run": "r", "variation": STUCK, **given}
    repair = {key: value for key, value in (("remedies", remedies), ("fault_map", fault_map)) if value}
    with pytest.raises(ConfigError, match=message) as raised:
        validate(kind, {**tree, "repair": repair}, {}).check()
    assert "\n" not in str(raised.value)


def test_repaired_chips_may_age():
    variation = {"effects": ["stuck:on=0.1", "pcm_drift"]}
    found = config("permute", "march", variation=variation, ageing={"at": "1h", "recalibrate": "gain@1d"})
    assert found.ageing.times == (3600.0,)


def test_an_ensemble_needs_neither_faults_nor_a_test():
    assert validate(EvaluateConfig, {"run": "r", "repair": {"remedies": "ensemble=4"}}, {}).repair.wanted.ensemble == 4


@pytest.mark.parametrize("text", ["stuck:row=0.1", "stuck:column=0.1", "stuck:on=0.1,cluster=4"])
def test_stuck_takes_lines_and_clusters(text):
    (effect,) = validate(EvaluateConfig, {"run": "r", "variation": {"effects": [text]}}, {}).variation.effects
    assert effect.lines == ("row" in text or "column" in text)


@pytest.mark.parametrize("text", ["stuck:cluster=4", "stuck:on=0.1,cluster=0", "stuck:row=1.5"])
def test_stuck_refuses(text):
    with pytest.raises(ConfigError):
        validate(EvaluateConfig, {"run": "r", "variation": {"effects": [text]}}, {})
