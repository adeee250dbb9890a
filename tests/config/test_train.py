"""`xbar train`: precedence of shorthands and their keys, what contradicts a run to resume, rules that join keys."""

import pytest

from xbar_cli.config.load import resolve, resume_config, write_toml
from xbar_cli.config.train import TrainConfig
from xbar_cli.errors import ConfigError
from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.grid import expand

TAT = {"method": "tat", "array": "lumped", "technology": "taox"}


def given(file=None, options=None, settings=()):
    options = options or {}
    names = {key: "--" + key.rpartition(".")[2].replace("_", "-") for key in options}
    return {"config_file": file, "options": options, "option_names": names, "settings": settings}


def load(options=None, settings=(), file=None):
    return resolve(TrainConfig, **given(file, options, settings))


def refused(options=None, settings=(), file=None):
    """The one line that says why."""
    with pytest.raises(ConfigError) as caught:
        load(options, settings, file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def toml(tmp_path):
    def write(text):
        file = tmp_path / "c.toml"
        file.write_text(text)
        return file

    return write


@pytest.fixture
def resume(tmp_path):
    """Resume an interrupted run that was made with `stored` options; `more` are given besides."""

    def found(stored, **more):
        folder = tmp_path / "run.partial"
        folder.mkdir(exist_ok=True)
        write_toml(folder / "config.toml", load(stored))
        return resume_config(TrainConfig, tmp_path / "run", **given(**more))

    return found


@pytest.mark.parametrize("name", ["bits = 5", "mapping.bits = 5"])
def test_both_spellings_of_a_key_have_one_precedence(toml, name):
    file = toml(f'method = "tat"\narray = "lumped"\ntechnology = "taox"\n{name}\n')
    assert load(file=file).mapping.bits == 5
    assert load({"bits": "3"}, file=file).mapping.bits == 3
    for settings in (
        ["mapping.bits=4"],
        ["bits=4"],
        ["mapping={bits=4}"],
        ["bits=2", "mapping.bits=4"],
    ):
        found = load({"bits": "3"}, settings, file)
        assert (found.mapping.bits, found.array.model) == (4, "lumped")
    assert load({"bits": "3"}, ["tat={}"], file).mapping.bits == 3


def test_the_method_may_come_from_any_source(toml):
    file = toml("bits = 5\n")
    assert load({"method": "periphery"}, file=file).method.bits == 5
    assert load(settings=["method=periphery", "periphery.bits=4"], file=file).method.bits == 4
    assert refused(file=file) == "method = ideal does not use `bits`; it belongs to tat, periphery, biased"
    assert "method = biased does not use `array`" in refused({"method": "biased", "array": "lumped"})


def test_a_bad_shorthand_is_named_as_it_was_given(toml):
    assert refused({**TAT, "bits": "0"}).startswith("--bits: mapping.bits = '0'")
    assert refused({**TAT, "bits": "3"}, ["mapping.bits=0"]).startswith("--set: mapping.bits = 0")
    assert "c.toml: mapping.bits = 0" in refused(TAT, file=toml("bits = 0\n"))


def test_both_spellings_in_one_source_are_refused(toml, tmp_path):
    message = "bits and mapping.bits say the same: give one of them"
    file = toml('method = "tat"\nbits = 3\narray = "lumped"\n[mapping]\nbits = 4\ntechnology = "taox"\n')
    assert refused(file=file) == f"{file}: {message}"
    with pytest.raises(ValueError, match=message):
        TrainConfig.model_validate({"method": "tat", "bits": 3, "mapping": {"bits": 4}})
    stages = tmp_path / "e.toml"
    stages.write_text('[stages.net]\ncommand = "train"\nmethod = "tat"\nbits = 3\nmapping.bits = 4\n')
    with pytest.raises(ConfigError, match=f"stages.net: {message}"):
        expand(load_experiment(stages))


@pytest.mark.parametrize("method", ["tatt", "[1]", "{a=1}", "3"])
def test_an_unknown_method_is_what_is_wrong_first(method):
    line = refused({"array": "lumped"}, [f"method={method}"])
    assert line.startswith("--set: method = ")
    assert "'ideal', 'neat', 'tat', 'periphery', 'biased' or 'insitu'" in line


def test_a_section_that_is_a_value(toml):
    assert refused({"method": "neat", "start": "x"}, ["neat=3"]).startswith("--set: neat = 3: ")
    assert "'neat' is a value, not a section" in refused({"method": "neat", "start": "x"}, file=toml("neat = 3\n"))
    with pytest.raises(ValueError, match="neat = 3 is a value, not a section"):
        TrainConfig.model_validate({"method": "neat", "start": "x", "neat": 3})


@pytest.mark.parametrize(
    ("options", "source"),
    [
        ({"bits": "5"}, "--bits: mapping.bits = 5"),
        ({"array": "published"}, "--array: array.model = 'published'"),
        ({"start": "x"}, "--start: tat.start = 'x'"),
        ({"tile": "64x64"}, "--tile: mapping.tile"),
        ({"weight_limit": "0.5"}, "--weight-limit: mapping.weight_limit"),
        ({"technology": "rram2bit"}, "--technology: mapping.technology"),
        ({"inject": "normal:0.1"}, "--inject: inject.sigma = 0.1"),
        ({"inject": "states:scale=0.5"}, "--inject: inject."),
        ({"training.epochs": "3"}, "--epochs: training.epochs = 3"),
        ({"seed": "1"}, "--seed: seed = 1"),
    ],
)
def test_what_differs_from_the_run_to_resume_is_refused(resume, options, source):
    with pytest.raises(ConfigError) as caught:
        resume({**TAT, "bits": "3"}, options=options)
    assert str(caught.value).startswith(source)
    assert "but the run to resume has" in str(caught.value)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ({"method": "periphery"}, {"scheme": "de"}),
        ({"method": "biased", "start": "x"}, {"encoding": "differential"}),
    ],
)
def test_shorthands_of_other_methods_are_compared_too(resume, method, options):
    with pytest.raises(ConfigError, match="but the run to resume has"):
        resume(method, options=options)


def test_what_differs_in_a_file_is_refused(resume, toml):
    with pytest.raises(ConfigError, match=r"c\.toml: mapping\.bits = 4, but the run to resume has 3"):
        resume({**TAT, "bits": "3"}, file=toml("bits = 4\n"))


def test_what_agrees_with_the_run_to_resume_is_accepted(resume, toml):
    stored = {**TAT, "bits": "3", "inject": "normal:0.1", "training.epochs": "4"}
    same = resume(stored, options=stored, file=toml("bits = 3\n[training]\n"), settings=["mapping.bits=3"])
    assert same == resume(stored) == resume(stored, settings=["inject.sigma=100m"])
    assert (same.mapping.bits, same.training.epochs, same.inject.sigma) == (3, 4, 0.1)


def test_keys_of_an_earlier_version_are_refused_by_name(toml):
    with pytest.raises(ConfigError, match=r"tat\.(array|technology)"):
        load(file=toml('method = "tat"\n[tat]\narray = "nodal"\ntechnology = "taox"\n'))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "neat", "neat.cell": "x", "neat.vg": "auto", "start": "y", "neat.rounds": "3"},
        {**TAT, "tile": "64x64", "array.r_source_ohm": "1k", "levels": "7"},
        {"method": "periphery", "bits": "4", "scheme": "bc"},
        {"method": "biased", "start": "y", "bits": "4"},
        {"method": "insitu", "insitu.algorithm": "tiki-taka", "insitu.transfer_rate": "0.5"},
    ],
    ids=["ideal", "neat", "tat", "periphery", "biased", "insitu"],
)
def test_what_is_written_of_every_method_reads_back_the_same(options, tmp_path):
    config = load(options)
    write_toml(tmp_path / "c.toml", config)
    assert load(file=tmp_path / "c.toml").in_use() == config.in_use()
    assert load(file=tmp_path / "c.toml").method == config.method


NEAT = {"method": "neat", "neat.cell": "x", "neat.vg": "0.8"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"array": "lumped", "start": "y"}, "method = neat trains through array.model = gated, not lumped"),
        ({"array.r_wire_ohm": "1", "start": "y"}, "array.* keys, mapping.tile and neat.refold need array.model = gated"),
        ({"refold": "8", "start": "y"}, "array.* keys, mapping.tile and neat.refold need array.model = gated"),
        ({"array": "gated", "array.r_wire_ohm": "1"}, "array.model = gated of method = neat needs neat.start"),
        ({"array": "gated", "start": "y", "array.wired": "exact"}, "training takes products and does not use array.wired"),
        ({"array": "gated", "start": "y", "bits": "4"}, "method = neat does not use `bits`"),
    ],
)  # fmt: skip
def test_arrays_that_neat_cannot_train_through(given, said):
    given = {("neat.refold" if key == "refold" else key): value for key, value in given.items()}
    assert said in refused({**NEAT, **given})


def test_arrays_that_neat_trains_through():
    config = load({**NEAT, "start": "y", "array": "gated", "tile": "64x64", "array.r_wire_ohm": "2.5"})
    assert config.array.in_use() == {"model": "gated", "r_wire_ohm": 2.5}
    assert config.mapping.array_size == (64, 64)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"levels": "12"}, "mapping.levels = 12 is not 2^bits - 1, such as 7 or 15"),
        ({"levels": "7", "bits": "4"}, "mapping.levels = 7 and mapping.bits = 4 disagree"),
        ({"levels": "uniform"}, "method = tat trains on 0 and equal steps"),
        ({"tile": "64x31"}, "mapping.tile = 64x31 parts the two columns of a weight"),
        ({"weight_limit": "auto"}, "it needs tat.start"),
        ({"array": "ideal"}, "array.model = 'ideal': input should be 'published', 'lumped', 'nodal' or 'gated'"),
        ({"array": "gated"}, "method = tat needs array.model = published, lumped or nodal"),
        ({"array.r_wire_ohm": "2"}, "array.model = lumped does not use array.r_wire_ohm"),
        ({"array.model": "published", "array.r_wire_ohm": "2"}, "does not use array.r_wire_ohm; nodal or gated does"),
        ({"mapping.top": "range"}, "method = tat does not use mapping.top"),
        ({"method": "ideal"}, "method = ideal does not use `array`; it belongs to neat, tat"),
        ({"periphery.nonlinearity": "2"}, "method = tat does not use periphery.nonlinearity"),
    ],
)
def test_arrays_and_devices_that_tat_cannot_train_on(given, said):
    assert said in refused({**TAT, **given})
    assert "technology" not in refused({**TAT, **given})  # nothing that was given besides is named


def test_neurons_of_tat_are_shared_unless_something_else_is_said():
    assert load(TAT).array.neuron == "shared"
    assert load({**TAT, "array.neuron": "separate"}).array.neuron == "separate"
    assert load({**TAT, "array": "nodal"}).array.neuron is None


def test_momentum_belongs_to_sgd_given_or_by_default():
    momentum = {"training.momentum": "0.9"}
    assert load({"method": "periphery", **momentum}).training.momentum == 0.9
    assert load({"training.optimizer": "sgd", **momentum}).training.momentum == 0.9
    for options in ({}, {"method": "periphery", "training.optimizer": "adam"}):
        assert "training.momentum belongs to training.optimizer = sgd" in refused({**options, **momentum})


def test_the_rate_of_retraining_by_sgd_must_be_given():
    neat = {"method": "neat", "neat.cell": "x", "neat.vg": "0.8", "training.optimizer": "sgd"}
    assert refused(neat) == "training.optimizer = sgd needs neat.learning_rate: the default 1e-5 is Adam's"
    assert load({**neat, "neat.learning_rate": "1e-3"}).method.learning_rate == 1e-3
    assert load({**neat, "training.optimizer": "adam"}).method.learning_rate == 1e-5
