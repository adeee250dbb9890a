"""Help by groups, units of options, near misses of what is typed, and what a shell is offered."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from xbar_cli.cli.main import cli
from xbar_cli.cli.shared import completion
from xbar_cli.cli.shared.declared import declared
from xbar_cli.cli.shared.groups import GROUPS, OUTPUT, Grouped, InGroup, place_of
from xbar_cli.config.characterize import ArrayConfig, CharacterizeConfig, PowerConfig
from xbar_cli.config.chips.design import DesignConfig
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.config.hardware import MapConfig
from xbar_cli.config.tile import TileConfig
from xbar_cli.config.train import TrainConfig
from xbar_cli.outside import did_you_mean

SECTIONS = (EvaluateConfig, TrainConfig, MapConfig, EnergyConfig, CharacterizeConfig, PowerConfig, ArrayConfig, TileConfig,
            DesignConfig)  # fmt: skip


def headings(text):
    return [line[:-1] for line in text.splitlines() if line[:1].isalpha() and line.endswith(":")]


@pytest.mark.parametrize(
    ("command", "groups"),
    [
        ("eval", ["Devices", "Arrays", "Inputs", "Converters", "Monte Carlo", "Mapping", OUTPUT]),
        (
            "train",
            [
                "Method",
                "Network",
                "Data",
                "Training",
                "Of one method",
                "Arrays",
                "Inputs",
                "Converters",
                "Mapping",
                OUTPUT,
            ],
        ),
        ("map", ["Arrays", "Inputs", "Mapping", OUTPUT]),
        ("energy", ["Costs", "Arrays", "Inputs", "Converters", OUTPUT]),
    ],
)
def test_help_shows_options_by_groups(xbar, command, groups):
    assert headings(xbar(command, "-h").out) == groups


def test_what_one_types_first_stands_first(xbar):
    lines = [line.split()[0] for line in xbar("eval", "-h").out.splitlines() if line.startswith("  --")]
    assert lines[:2] == ["--variation", "--effect"]
    for first, later in (
        ("--array", "--neuron"),
        ("--samples", "--ci-width"),
        ("--adc-bits", "--adc-noise"),
        ("--scheme", "--pack"),
    ):
        assert lines.index(first) < lines.index(later)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_option_of_a_section_has_a_group(section):
    loose = [o.key for o in declared(section) if place_of(o.key)[0] == OUTPUT and o.key not in ("seed", "data_dir")]
    assert not loose


def test_the_help_lists_every_option_once():
    for name in ("evaluate", "train"):
        command = cli.get_command(click.Context(cli), name)
        assert isinstance(command, Grouped)
        text = command.get_help(click.Context(command, info_name=name))
        for option in command.params:
            if isinstance(option, click.Option):
                assert sum(line.split()[:1] == [option.opts[0]] for line in text.splitlines()) == 1, option.opts
        assert {o.group for o in command.params if isinstance(o, InGroup)} <= {*GROUPS, OUTPUT}


NEAR = [
    (("trein",), "No such command 'trein' (did you mean train?)"),
    (("evl",), "(did you mean eval?)"),
    (("data", "lss"), "Did you mean 'ls'?"),
    (("train", "--methd", "neat"), "'--method'"),
    (("train", "--method", "naet"), "(did you mean neat?)"),
    (("train", "--network", "rsnet20"), "(did you mean resnet20?)"),
    (("train", "--dataset", "fashion_mnist_min"), "(did you mean fashion_mnist_mini?)"),
    (("train", "--set", "epochs=3"), "(did you mean training.epochs?)"),
    (("train", "--set", "treining.epochs=3"), "(did you mean training?)"),
    (("eval", "x", "--set", "variaton.amount=3"), "(did you mean variation?)"),
    (("eval", "x", "--variation", "5"), "--variation: variation.amount: 5 is 500 %: is 5 % meant? write 0.05 or 5%"),
    (("eval", "x", "--effect", "stuck:on=5"), "is 5 % meant? write 0.05 or 5%"),
    (("eval", "x", "--effect", "lognormal"), "lognormal needs sigma: write lognormal:sigma=X; it takes sigma"),
    (("eval", "x", "--effect", "retention"), "retention needs tau: write retention:tau=1h; it takes tau, to, tau_sigma, ea"),
    (("eval", "x", "--effect", "drift"), "effect drift needs t="),
    (("eval", "x", "--effect", "drfit:t=1h"), "'drfit' is no effect (did you mean drift?)"),
    (("eval", "x", "--effect", "lognormal:sgma=1"), "no 'sgma' (did you mean sigma?); its keys are sigma"),
    (("map", "runs/nett"), "runs/nett: no such run directory (did you mean net?)"),
    (("map", "net"), "net: no such run directory (did you mean runs/net?)"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), NEAR, ids=[" ".join(words) for words, _ in NEAR])
def test_a_near_miss_is_answered_in_one_line(xbar, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XBAR_DATA_DIR", str(tmp_path))
    (tmp_path / "runs" / "net").mkdir(parents=True)
    (tmp_path / "runs" / "net" / "done").touch()
    found = xbar(*words)
    assert found.code in (1, 2)
    assert found.err.count("\n") == 1
    assert message in found.err


def test_what_is_nothing_like_it_is_not_suggested():
    assert did_you_mean("quantum", ["ideal", "lumped"]) == ""
    assert did_you_mean("r-wire", ["array.r_wire_ohm", "array.r_wire"]) == " (did you mean array.r_wire?)"
    assert did_you_mean("x" * 10_000, ["ideal"]) == ""


@pytest.mark.parametrize(
    ("key", "texts"),
    [
        ("array.r_wire_ohm", {"5ohm": 5, "1.5k": 1500, "1.5kΩ": 1500, "2 ohm": 2}),
        ("variation.amount", {"5%": 0.05, "0.05": 0.05}),
        ("cell.vg", {"0.8V": "0.8", "800mV": "800m"}),
        ("converters.v_read_volt", {"300mV": 0.3}),
    ],
)
def test_numbers_take_their_units(key, texts):
    table, _, name = key.partition(".")
    for text, value in texts.items():
        found = getattr(getattr(EvaluateConfig.model_validate({table: {name: text}}), table), name)
        assert found == (value if isinstance(value, str) else pytest.approx(value, rel=1e-15))


def test_effects_and_lengths_take_their_units_and_no_others():
    found = EvaluateConfig.model_validate({"variation": {"effects": [
        "drift:t=60m,nu=0.1,nu_sigma=0,t0=1min", "pcm_read:t=1h,t_read=1ms", "temperature:kelvin=350K,alpha_on=1m",
        "mismatch:sigma=10mV", "stuck:on=1%",
    ]}}).variation.effects  # fmt: skip
    drift, read, hot, mismatch, stuck = found
    assert (drift.t, drift.t0, read.t_read, hot.kelvin, mismatch.sigma, stuck.on) == (3600, 60, 1e-3, 350, 0.01, 0.01)
    cell = CharacterizeConfig.model_validate({"cell": {"width_m": "90nm"}, "sweep": {"vg_range": "0.7V:1V:0.1V"}})
    assert cell.cell.width_m == 90e-9
    for wrong in ({"array": {"r_wire_ohm": "5V"}}, {"cell": {"vg": 3}, "converters": {"v_read_volt": "3ohm"}}):
        with pytest.raises(ValueError, match="is not a number"):
            EvaluateConfig.model_validate(wrong)


def values(items):
    return [item.value for item in items]


def complete(name, option, begun):
    command = cli.get_command(click.Context(cli), name)
    context = click.Context(command, info_name=name)
    parameter = next(p for p in command.params if option in (*p.opts, p.name))
    return values(parameter.shell_complete(context, begun))


def test_a_shell_is_offered_names(tmp_path, monkeypatch):
    monkeypatch.setenv("XBAR_DATA_DIR", str(tmp_path))
    assert complete("train", "--network", "len") == ["lenet5", "lenet"]
    assert complete("train", "--dataset", "fashion_mnist_") == ["fashion_mnist_mini"]
    assert complete("map", "--technology", "ta") == ["taox"]
    assert complete("train", "--switching", "re") == ["reram_sb"]
    assert complete("train", "--method", "n") == ["neat"]
    assert complete("evaluate", "--effect", "pcm_") == ["pcm_programming:", "pcm_drift:", "pcm_read:"]
    assert complete("evaluate", "--effect", "drift:t=1h,n") == ["drift:t=1h,nu=", "drift:t=1h,nu_sigma="]


def test_a_shell_is_offered_runs_of_the_commands_that_fit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, command in (("net", "train"), ("nodes", "energy"), ("half", None)):
        (tmp_path / "runs" / name).mkdir(parents=True)
        if command is not None:
            (tmp_path / "runs" / name / "summary.json").write_text(json.dumps({"command": command}))
            (tmp_path / "runs" / name / "done").touch()
    assert complete("map", "run", "") == ["runs/net"]
    assert complete("map", "run", "runs/n") == ["runs/net"]
    assert complete("evaluate", "run", "ne") == ["runs/net"]
    assert complete("energy", "--activity", "runs/") == ["runs/nodes"]
    assert values(completion.runs()(None, None, "x")) == ["x"]


def test_a_real_shell_gets_its_answer_without_numpy(tmp_path):
    code = (
        "import sys; from xbar_cli.cli.main import guarded\n"
        "try: guarded([])\n"
        "except SystemExit: pass\n"
        "heavy = {'jax', 'numpy', 'xarray', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    asked = {"_XBAR_COMPLETE": "bash_complete", "COMP_WORDS": "xbar train --network lenet", "COMP_CWORD": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=os.environ | asked, cwd=tmp_path
    )
    assert done.stdout.split() == ["plain,lenet5", "plain,lenet"]


def test_install_says_how_a_shell_learns_to_ask():
    text = (Path(__file__).parents[2] / "docs" / "install.md").read_text()
    for shell in ("bash", "zsh", "fish"):
        assert f"_XBAR_COMPLETE={shell}_source xbar" in text
