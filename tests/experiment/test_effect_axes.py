"""Swept keys that reach into effects, and what a dry run finds of every point before anything is computed."""

import pytest

from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.effect_list import EFFECTS
from xbar_cli.config.known.keys import fields_of, takes_time, types_of, unit_in
from xbar_cli.errors import ConfigError, XbarError
from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.grid import expand
from xbar_cli.experiment.naming import short_name, short_names, telling
from xbar_cli.experiment.results import coordinates
from xbar_cli.figures.labels import label_of_key
from xbar_cli.pictures.naming import is_value
from xbar_cli.pictures.values import along

NET = '[stages.net]\ncommand = "train"\n'
EVALUATE = NET + '[stages.e]\ncommand = "evaluate"\nrun = "@net"\n'


@pytest.fixture
def load(tmp_path):
    def load(text, **options):
        (tmp_path / "e.toml").write_text(text)
        return load_experiment(tmp_path / "e.toml", **options)

    return load


def effects(experiment):
    return [point.runs["e"].config["variation"]["effects"] for point in expand(experiment)]


FORMS = {
    "texts": 'variation.effects = ["stuck:on=0.01", "drift:nu=0.05,t0=20"]\n',
    "tables": '[[stages.e.variation.effects]]\nmodel = "stuck"\non = 0.01\n'
    '[[stages.e.variation.effects]]\nmodel = "drift"\nnu = 0.05\nt0 = 20\n',
    "by name": "variation.effects.stuck.on = 0.01\nvariation.effects.drift = {nu = 0.05, t0 = 20}\n",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_swept_key_reaches_into_effects_however_they_are_written(load, form):
    found = effects(load(EVALUATE + form + '[sweep]\ne.variation.effects.drift.t = ["30s", "1h"]\n'))
    assert [[(e["model"], e.get("t")) for e in of_point] for of_point in found] == [
        [("stuck", None), ("drift", 30.0)],
        [("stuck", None), ("drift", 3600.0)],
    ]
    assert all(of_point[1]["nu"] == 0.05 for of_point in found)


def test_an_effect_that_is_not_there_is_added_and_the_run_is_that_of_the_list(load):
    swept = expand(load(EVALUATE + '[sweep]\ne.variation.effects.stuck.on = [0.01, "2%"]\n'))
    listed = expand(load(EVALUATE + '[sweep]\ne.variation.effects = [["stuck:on=0.01"], ["stuck:on=0.02"]]\n'))
    assert [p.runs["e"].key for p in swept] == [p.runs["e"].key for p in listed]
    whole = '"e.variation.effects" = [["drift:nu=0.1,t0=1,t=1h"], []]\n'
    both = effects(load(EVALUATE + f"[sweep]\n'e.variation.effects.stuck.on' = [0.1, 0.2]\n{whole}"))
    assert [[e["model"] for e in of_point] for of_point in both] == [["drift", "stuck"], ["stuck"]] * 2
    set_ = load(EVALUATE + FORMS["texts"], settings=["e.variation.effects.drift.t=1d"])
    assert effects(set_)[0][1]["t"] == 86400.0


def test_times_and_rates_are_numbers_with_their_units_on_axes(load):
    experiment = load(
        EVALUATE + FORMS["texts"] + '[sweep]\ne.variation.effects.drift.t = ["30s", "1h", "1d"]\n'
        'e.variation.effects.stuck.on = [0.01, "2%"]\ne.variation.effects.mismatch.sigma = ["10m", "20m"]\n'
    )  # fmt: skip
    found = coordinates(experiment)
    time, stuck, sigma = found.values()
    assert (time.values.tolist(), time.attrs["units"]) == ([30.0, 3600.0, 86400.0], "s")
    assert (stuck.values.tolist(), stuck.attrs["units"]) == ([0.01, 0.02], "1")
    assert (sigma.values.tolist(), sigma.attrs["units"]) == ([0.01, 0.02], "V")
    drawn = along(next(iter(found)), time.values, unit="s")
    assert (drawn.names, drawn.scale, drawn.label.words) == (("30 s", "1 h", "1 d"), "log", "time since programming")
    assert is_value(3600.0, "1h")
    assert not is_value(3600.0, "2h")


def test_every_number_of_every_effect_has_words_on_an_axis_and_times_are_known():
    fields = {key: info for key, info in fields_of(EvaluateConfig).items() if key.startswith("variation.effects.")}
    assert {key.split(".")[2] for key in fields if key.count(".") == 3} == set(EFFECTS)
    for key, info in fields.items():
        number = {float, int} & set(types_of(info.annotation))
        assert not number or label_of_key(key).words != key.rpartition(".")[2].replace("_", " "), key
        clock = label_of_key(key).clock
        assert clock == takes_time(info), key
    assert unit_in(fields["variation.effects.retention.kelvin"]) == "K"


BAD = {
    "no run": (NET + '[stages.e]\ncommand = "evaluate"', 'stages.e: `run` is missing: evaluate needs the run of a train or map '
               'stage, such as run = "@net"'),
    "alone": ('[stages.e]\ncommand = "map"', "stages.e: `run` is missing: map needs the run of a train stage"),
    "kind": (NET + '[stages.e]\ncommand = "energy"\nrun = "@net"', "run = '@net' is a train stage; a map stage is wanted"),
    "gate": (
        NET + '[stages.c]\ncommand = "characterize"\n[stages.e]\ncommand = "evaluate"\nrun = "@net"\ncell.run = "@c"\n'
        '[sweep]\ne.cell.vg = ["0.8", "0.83"]\ne.array.r_wire_ohm = [1]\n',
        "point vg=0.83, r_wire=1: stages.e: cell.vg = '0.83' is not among the gate voltages of its cell's stage (0.7,",
    ),
    "no gate": (
        NET + '[stages.c]\ncommand = "characterize"\n[stages.e]\ncommand = "evaluate"\nrun = "@net"\ncell.run = "@c"',
        "cell.run is given and cell.vg is missing",
    ),
    "no cell": (EVALUATE + 'cell.vg = "0.8"', "cell.vg is given and cell.run is missing"),
    "mapped": (
        NET + '[stages.m]\ncommand = "map"\nrun = "@net"\n[stages.e]\ncommand = "evaluate"\nrun = "@m"\ncell.vg = "0.8"',
        "cell.vg: stage m has mapped already",
    ),
    "amount": (EVALUATE + 'variation.effects = ["lognormal"]', "lognormal needs sigma: write lognormal:sigma=X; it takes sigma"),
    "age": (EVALUATE + "variation.effects.drift.nu = 0.1", "effect drift needs t=, the age of the chip"),
    "bare": (EVALUATE + "variation.effects.drift = 3", "drift = 3 must be a table of t, t0, nu, nu_sigma"),
    "effect": (EVALUATE + "[sweep]\ne.variation.effects.drit.t = [1]", "'drit' is no effect (did you mean drift?)"),
    "parameter": (
        EVALUATE + "[sweep]\ne.variation.effects.stuck.onn = [1]",
        "point stuck.onn=1: stages.e: unknown key 'variation.effects.stuck.onn' (did you mean variation.effects.stuck.on?)",
    ),
    "twice": (
        EVALUATE + 'variation.effects = ["additive:sigma=1", "additive:sigma=2"]\n'
        "[sweep]\ne.variation.effects.additive.sigma = [1]",
        "2 effects are additive: which of them is meant is not said",
    ),
    "no parameter": (
        EVALUATE + 'variation.effects = ["stuck:on=0"]\n[sweep]\ne.variation.effects.drift = [1]', "name an effect and one of its"
    ),
    "technology": (EVALUATE + 'mapping.technology = "taxo"', "mapping.technology = 'taxo' is no technology (did you mean taox?)"),
    "data set": (NET + 'dataset.name = "fashion_mnist_min"', "is no data set (did you mean fashion_mnist_mini?)"),
    "network": (NET + 'network.name = "resnet2"', "'resnet2' is no network (did you mean resnet20?)"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_a_point_that_cannot_run_is_found_before_anything_runs(load, text, message):
    with pytest.raises(ConfigError) as failed:
        expand(load(text))
    assert message in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_run_that_is_not_there_is_found_with_the_one_that_may_be_meant(load, tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "done").touch()
    with pytest.raises(XbarError, match=r"nett: no such run directory \(did you mean net\?\)"):
        expand(load(f'[stages.e]\ncommand = "evaluate"\nrun = "{tmp_path}/nett"'))


def test_points_are_called_by_the_shortest_names_of_what_they_sweep():
    keys = ["e.array.r_wire_ohm", "e.mapping.tile", "e.array.model", "e.variation.effects.drift.t", "a.seed", "b.seed"]
    assert short_names(keys) == {
        "e.array.r_wire_ohm": "r_wire", "e.mapping.tile": "tile", "e.array.model": "array",
        "e.variation.effects.drift.t": "drift.t", "a.seed": "a.seed", "b.seed": "b.seed",
    }  # fmt: skip
    assert set(short_names(["e.variation.amount", "e.variation.model"]).values()) == {
        "variation.amount",
        "variation.model",
    }
    assert short_name({"e.array.r_wire_ohm": 1, "e.mapping.tile": "64x64"}) == "r_wire=1, tile=64x64"


def test_what_moves_with_another_stage_is_named_once():
    effects = [["stuck:on=0.05,off=0.05"], ["stuck:row=0.02"]]
    points = [
        {
            "net.seed": seed,
            "base.seed": seed,
            "e.seed": 7 + seed,
            "f.variation.effects": one,
            "r.variation.effects": one,
        }
        for seed in (0, 1)
        for one in effects
    ]
    kept = telling(points)
    assert kept == ["net.seed", "e.seed", "f.variation.effects"]
    assert short_name(points[0], names=short_names(kept)) == "net.seed=0, e.seed=7, effects=stuck:on=0.05,off=0.05"
    assert telling([{"net.seed": 0, "base.seed": 0}, {"net.seed": 1, "base.seed": 2}]) == ["net.seed", "base.seed"]
    assert short_names(telling([{"net.seed": 0, "base.seed": 0}])) == {"net.seed": "seed"}
