"""`xbar advise`: what it says of a remedy is what the command that it prints finds, on the same chips."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from xbar_cli.advise.changes import remedies, without_one
from xbar_cli.advise.run import all_that_win, paired, tried
from xbar_cli.cli.advise import command, show, spelled
from xbar_cli.config.chips.evaluate import EvaluateConfig, changed
from xbar_cli.config.load import flatten
from xbar_cli.outside import read_json
from xbar_cli.runs.results import read_dataset

WORDS = ("--variation", 0.2, "--effect", "stuck:off=0.02", "--samples", 3, "--images", 100, "--bits", 3)


@pytest.fixture(scope="module")
def advice(shared, start):
    return read_json(shared("advice", "advise", start, *WORDS) / "summary.json")


def test_every_remedy_is_what_its_command_finds(advice, xbar):
    assert {row["name"] for row in advice["without"]} == {"20 % additive variation", "effect stuck", "3-bit devices"}
    row = next(row for row in advice["remedies"] if row["name"] == "a scale a column")
    words = shlex.split(command(advice, row["changes"]))
    assert words[:2] == ["xbar", "eval"]
    found, base = xbar(*words[1:], "--json").json, xbar("eval", *shlex.split(command(advice, {}))[2:], "--json").json
    assert found["metric_value"] == row["metric_value"]
    assert base["metric_value"] == advice["metric_value"]
    difference = np.asarray(found["accuracy_samples"]) - np.asarray(base["accuracy_samples"])
    assert row["won"] == pytest.approx(difference.mean())
    half = 4.302653 * difference.std(ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(row["won_ci95"], [difference.mean() - half, difference.mean() + half], rtol=1e-5)


def parted(found, row):
    """What `xbar map`, and then `xbar eval`, take of a remedy's settings."""
    wanted = {**found["settings"], **{key: value for key, value in row["changes"].items() if value is not None}}
    run = wanted.pop("run")
    own = {key: value for key, value in wanted.items() if key.startswith("mapping.")}
    return (run, *spelled(own)), spelled({key: value for key, value in wanted.items() if key not in own})


def test_joules_of_an_image_are_those_of_map_eval_and_energy(advice, xbar, tmp_path):
    names = ["two bits more a device", "three copies averaged", f"{next(iter(advice['per_layer']))} digital"]
    rows = [row for row in advice["remedies"] if row["name"] in names]
    assert len(rows) == len(names)
    for n, row in enumerate(({"changes": {}, **advice}, *rows)):
        own, rest = parted(advice, row)
        mapped, evaluated = tmp_path / f"m{n}", tmp_path / f"e{n}"
        assert xbar("map", *own, "--out", mapped).code == 0
        assert xbar("eval", mapped, *rest, "--out", evaluated).code == 0
        found = xbar("energy", mapped, "--activity", evaluated, "--json", "--out", tmp_path / f"j{n}").json
        assert row["energy_joule"] == pytest.approx(found["energy_joule"], rel=1e-6)
        assert row["devices"] == found["devices"]
    by_name = {row["name"]: row for row in advice["remedies"]}
    assert by_name[names[1]]["energy_joule"] == pytest.approx(3 * advice["energy_joule"])
    assert by_name[names[1]]["once_joule"] is None  # nothing says what writing the copies takes
    assert by_name[names[0]]["once_joule"] == advice["once_joule"] == 0


def test_a_calibration_costs_once_what_an_evaluation_says_of_a_correction(advice, xbar, tmp_path):
    row = next(row for row in advice["remedies"] if row["name"] == "calibrate every column")
    _, rest = parted(advice, {"changes": {}})
    words = ("--bits", 3, "--effect", "drift:nu=0.1,nu_sigma=0,t0=1", "--at", "1h", "--recalibrate", "affine@1y")
    found = xbar("eval", advice["settings"]["run"], *rest, *words, "--json", "--out", tmp_path / "a").json
    (age,) = found["ages"]
    assert age["corrections"] == 1
    assert row["once_joule"] == pytest.approx(age["spent"]["correction_joule"], rel=1e-6)
    assert row["once_joule"] == pytest.approx(60 * row["energy_joule"], rel=0.1)  # the pictures held out of 600


def test_programming_is_spent_once_and_what_no_model_costs_is_null(start):
    few = {"run": str(start), "monte_carlo": {"samples": 1, "images": 20}}
    program = {"method": "verify", "device": "gokmen_vlasov", "pulses": 20}
    found, result = tried(EvaluateConfig.model_validate({**few, "programming": program}), costed=True)
    assert found.joules is not None
    assert found.joules.once == result["programming"]["joules_mean"] > 0
    array = {"model": "published", "r_source_ohm": 500.0, "r_neuron_ohm": 500.0}
    found, _ = tried(EvaluateConfig.model_validate({**few, "array": array}), costed=True)
    assert found.joules is not None
    assert (found.joules.image, found.joules.once) == (None, None)


def test_tables_fit_eighty_columns(advice, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    show(advice)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("│", "┃", "┏", "└"))]
    assert max(map(len, lines)) <= 80
    (copies,) = (line for line in lines if "three copies averaged" in line and "J" in line)
    assert [cell.strip() for cell in copies.split("│")][-2] == "–"  # writing the copies: no model


def test_remedies_stand_in_order_and_their_chips_are_kept(advice):
    won = [row["won"] for row in advice["remedies"]]
    assert won == sorted(won, reverse=True)
    costs = list(advice["per_layer"].values())
    assert costs == sorted(costs, reverse=True)
    fields = read_dataset(Path(advice["out"]) / "results.nc")
    for row in (*advice["without"], *advice["remedies"]):
        chips = fields["value"].values[list(fields["change"].values).index(row["name"])]
        assert chips.mean() == pytest.approx(row["metric_value"])


def test_what_can_be_changed_depends_on_what_there_is():
    plain = EvaluateConfig(run="x")
    assert not list(without_one(plain))
    names = {change.name for change in remedies(plain, costliest=None)}
    assert names == {"a scale a column", "cut weights at 70 % of the largest", "calibrate every column"}
    tree = {
        "run": "x", "variation": {"amount": 0.1, "effects": ["drift:t=1h,nu=0.1", "read_noise:relative=0.1"]},
        "array": {"model": "nodal", "r_wire_ohm": 1.0}, "converters": {"adc_bits": 6, "dac_bits": 4},
        "mapping": {"bits": 4, "weight_scale": "column", "tile": "64x32", "layers": "fc*"}, "decoding": {"calibrate": "gain"},
    }  # fmt: skip
    full = EvaluateConfig.model_validate(tree)
    for change in without_one(full):
        left = dict(flatten(changed(full, change.keys).in_use()))
        assert left != dict(flatten(full.in_use())), change.name
    less = {change.name: changed(full, change.keys) for change in without_one(full)}
    assert [effect.model for effect in less["effect drift"].variation.effects] == ["read_noise"]
    assert less["6-bit converters"].converters.adc_bits is None
    assert less["resistances of the arrays"].array.r_wire_ohm == 0
    more = {change.name: changed(full, change.keys) for change in remedies(full, costliest="fc2")}
    assert more["three copies averaged"].repair.wanted.ensemble == 3
    assert "repair stuck devices" not in more
    assert more["tiles of half the size"].mapping.tile == "32x16"
    assert more["fc2 digital"].mapping.layers == "fc*,!fc2"
    assert more["two bits more a converter"].converters.adc_bits == 8
    assert "calibrate every column" not in more


def test_only_what_surely_wins_is_put_together():
    plain = EvaluateConfig(run="x")
    wins = list(remedies(plain, costliest="fc1"))
    rows = [{"name": change.name, "won_ci95": [0.01, 0.1]} for change in wins]
    found = all_that_win(wins, rows)
    assert found is not None
    assert dict(found.keys) == {
        "mapping.weight_scale": "column", "mapping.weight_limit": "70%", "decoding.calibrate": "affine", "decoding.per": "column",
    }  # fmt: skip
    assert all_that_win(wins, [row | {"won_ci95": [-0.01, 0.1]} for row in rows]) is None
    assert all_that_win(wins, [row | {"won_ci95": None} for row in rows]) is None


def test_repairs_are_put_together_as_one():
    stuck = EvaluateConfig.model_validate({"run": "x", "variation": {"effects": ["stuck:on=0.1"]}})
    wins = [change for change in remedies(stuck, costliest=None) if "repair.remedies" in change.keys]
    found = all_that_win(wins, [{"name": change.name, "won_ci95": [0.01, 0.1]} for change in wins])
    assert found is not None
    repaired = changed(stuck, found.keys).repair
    assert repaired.wanted.ensemble == 3
    assert repaired.wanted.sign_flip
    assert repaired.fault_map == "march"


def test_a_loss_that_falls_is_won():
    assert paired([2.0, 3.0], [1.0, 1.5], sign=-1).mean == pytest.approx(1.25)
    assert paired([2.0], [3.0, 4.0], sign=1).mean == pytest.approx(1.5)


def test_training_against_variation_is_tried_when_asked(xbar, start, tmp_path, monkeypatch):
    monkeypatch.setattr("xbar_cli.config.chips.robust.CHOICES", {"ideal": {"training": {"epochs": 1}}})
    found = xbar(
        "advise",
        start,
        "--variation",
        0.1,
        "--samples",
        2,
        "--images",
        50,
        "--try-training",
        "--out",
        tmp_path / "a",
        "--json",
    ).json
    row = next(row for row in found["remedies"] if row["name"] == "trained against variation")
    again = xbar(*shlex.split(command(found, row["changes"]))[1:], "--json").json
    assert again["metric_value"] == row["metric_value"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--yield-at", 0.5), "--yield-at"),
        (("--set", "ageing.at=1h", "--effect", "drift:nu=0.1,t0=1"), "ageing.at belongs to xbar evaluate"),
    ],
)
def test_what_says_nothing_here_is_refused(xbar, start, words, said):
    found = xbar("advise", start, *words)
    assert found.code != 0
    assert said in found.err
    assert len(found.err.strip().splitlines()) <= 3


def test_a_run_that_is_none_is_one_line(xbar, cell, tmp_path):
    for run in (tmp_path / "none", cell):
        found = xbar("advise", run)
        assert found.code == 1
        assert len(found.err.strip().splitlines()) == 1
