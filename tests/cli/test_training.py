"""Every training method by its command: its figures, the devices it leaves, and the same bits after an interruption."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

from xbar_cli.cli.train import show
from xbar_cli.config.network import NetworkSection
from xbar_cli.config.train import DatasetSection, TrainConfig
from xbar_cli.data.datasets import Dataset
from xbar_cli.nn.shapes import layer_shapes
from xbar_cli.runs.checkpoint import Checkpoints
from xbar_cli.runs.directory import Run
from xbar_cli.train.session import network_of
from xbar_cli.train.tat import on_arrays
from xbar_cli.trained.parts import held_out, split_parts


class Interrupted(Exception):
    pass


@pytest.mark.parametrize(
    "name", [*(pytest.param(n, marks=pytest.mark.slow) for n in ("ideal", "neat", "tat", "biased")), "periphery"]
)
def test_an_interrupted_run_ends_with_the_same_bits(xbar, methods, tmp_path, monkeypatch, name):
    words = ("train", *methods[name], "--json")
    whole = xbar(*words, "--out", tmp_path / "whole").json
    save = Checkpoints.save
    saved = []

    def save_and_stop(self, step, tree, record):
        save(self, step, tree, record)
        saved.append(step)
        raise Interrupted

    monkeypatch.setattr(Checkpoints, "save", save_and_stop)
    for _ in range(2):  # twice: after the first epoch, and after the second
        with pytest.raises(Interrupted):
            xbar(
                *words,
                *(() if not saved else ("--resume", tmp_path / "cut")),
                *(("--out", tmp_path / "cut") if not saved else ()),
            )
    monkeypatch.setattr(Checkpoints, "save", save)
    resumed = xbar("train", "--resume", tmp_path / "cut", "--json").json
    assert saved == [1, 2]
    assert (tmp_path / "cut" / "model.safetensors").read_bytes() == (
        tmp_path / "whole" / "model.safetensors"
    ).read_bytes()
    timed = ("out", "wall_seconds")
    assert {k: v for k, v in resumed.items() if k not in timed} == {k: v for k, v in whole.items() if k not in timed}
    once, twice = (
        [{k: v for k, v in line.items() if k != "seconds"} for line in Run(path, path).read_metrics()]
        for path in (tmp_path / "whole", tmp_path / "cut")
    )
    assert once == twice
    assert whole["test_accuracy"] > 0.2


slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("scheme", "columns"),
    [pytest.param("de", 24, marks=slow), pytest.param("bc", 13, marks=slow), ("acm", 13)],
)
def test_trained_devices_go_onto_arrays_as_they_are(xbar, tiny, tmp_path, scheme, columns):
    words = (*tiny, "--epochs", 2, "--method", "periphery", "--bits", 3, "--activation-bits", 0)
    run, out = tmp_path / "run", tmp_path / "map"
    trained = xbar("train", *words, "--scheme", scheme, "--json", "--out", run).json
    devices = load_file(run / "devices.safetensors")["hidden"]
    assert devices.shape == (784, columns)
    inner = devices[:, :-1] if scheme == "bc" else devices
    np.testing.assert_allclose(inner * 7, np.round(inner * 7), atol=1e-4)
    mapped = xbar("map", run, "--json", "--out", out).json
    assert (mapped["scheme"], mapped["layers"][0]["cols"]) == (scheme, columns)
    assert mapped["weight_rmse"] < 1e-6
    # a resolved configuration, as a sweep passes it on, is not taken for a wish
    again = xbar("map", "--config", out / "config.toml", run, "--json", "--out", tmp_path / "again").json
    assert again["scheme"] == scheme
    found = xbar("eval", out, "--variation", 0, "--json", "--out", tmp_path / "eval").json
    assert found["accuracy_mean"] == pytest.approx(trained["test_accuracy"], abs=0.002)
    other = "de" if scheme != "de" else "acm"
    refused = xbar("map", run, "--scheme", other, "--bits", 3, "--out", tmp_path / "no")
    assert refused.code == 1
    assert f"trained its conductances behind scheme {scheme}; leave out --scheme, --bits" in refused.err


def test_which_epoch_is_kept_and_when_to_stop(xbar, tiny, tmp_path):
    """A rate that learns nothing is stopped after the second epoch; one that jumps about leaves another last than best."""
    still = ("train", *tiny, "--learning-rate", 1e-12, "--epochs", 5, "--early-stop", 1, "--json")
    assert xbar(*still, "--out", tmp_path / "still").json["epochs"] == 2
    wild = ("train", *tiny, "--learning-rate", 0.05, "--epochs", 4, "--json")
    best, last = (xbar(*wild, "--keep", keep, "--out", tmp_path / keep).json for keep in ("best", "last"))
    seen = [line["validation_accuracy"] for line in Run(tmp_path / "last", tmp_path / "last").read_metrics()]
    assert (best["validation_accuracy"], last["validation_accuracy"]) == (max(seen), seen[-1])
    assert (best["epochs"], last["epochs"]) == (4, 4)


def test_levels_are_another_word_for_bits(xbar, tiny, tmp_path):
    words = ("train", *tiny, "--method", "tat", "--array", "published", "--technology", "taox", "--epochs", 1, "--json")
    levels, bits, four = (
        xbar(*words, *more, "--out", tmp_path / str(n)).json["test_accuracy_without_arrays"]
        for n, more in enumerate([("--levels", 3), ("--bits", 2), ()])
    )
    assert levels == bits != four


def test_every_layer_has_its_own_gate_voltage(xbar, tiny, cell, start, tmp_path):
    words = (
        "train",
        *tiny,
        "--method",
        "neat",
        "--cell",
        cell,
        "--start",
        start,
        "--vg",
        "auto",
        "--rounds",
        0,
        "--json",
    )
    found = {rule: xbar(*words, "--vg-rule", rule, "--out", tmp_path / rule).json for rule in ("previous", "covering")}
    for previous, covering in zip(found["previous"]["vg_volt"], found["covering"]["vg_volt"], strict=True):
        assert covering - previous == pytest.approx(0.1) or previous == covering == 0.8
    assert max(found["covering"]["vg_volt"]) == 1.0  # the layer with the network's largest weight
    assert found["covering"]["restricted_accuracy"] == found["covering"]["start_accuracy"]
    lower = xbar(*words, "--vg-offset", "-0.1", "--out", tmp_path / "lower").json
    assert lower["vg_volt"] == [max(v - 0.1, 0.8) for v in found["previous"]["vg_volt"]]
    mapped = xbar("map", tmp_path / "previous", "--json", "--out", tmp_path / "map").json
    assert [layer["vg_volt"] for layer in mapped["layers"]] == found["previous"]["vg_volt"]
    assert {p.name for p in (tmp_path / "previous" / "figures").iterdir()} == {
        "weights.png", "in_range.png", "gate_voltages.png",
    }  # fmt: skip


def test_biased_training_says_what_it_selected_on(xbar, tiny, start, tmp_path, capsys):
    words = ("train", *tiny, "--method", "biased", "--start", start, "--epochs", 1)
    found = xbar(*words, "--favourable", "best:3", "--important", 1, "--json", "--out", tmp_path / "a").json
    assert found["favourable_states"] == [0, 1, 3]
    assert found["favourable_fraction"] == [1.0, 1.0]
    assert found["selected_on"] == "validation"
    assert max(found["favourable_fraction_at_start"]) < 0.7
    assert "selected on" not in capsys.readouterr().out
    show(xbar(*words, "--select", "test", "--json", "--out", tmp_path / "b").json)
    shown = capsys.readouterr().out
    assert "selected on" in shown
    assert "biased upwards" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--method", "biased"), "needs --start, a trained run"),
        (("--bits", 4), "--method ideal does not use --bits"),
        (("--method", "neat", "--bits", 4), "--method neat does not use --bits; it belongs to tat, periphery, biased"),
        (("--method", "periphery", "--start", "x"), "does not use --start; it belongs to ideal, neat, tat, biased"),
        (("--method", "neat", "--vg", "0.8", "--cell", "x", "--vg-rule", "covering"), "belong to --vg auto"),
        (("--method", "biased", "--start", "x", "--favourable", "a,b"), "names no states"),
        (("--method", "periphery", "--bits", 0), "periphery.bits"),
        (("--inject", "cauchy:0.1"), "is no injected noise"),
        (("--inject", "stuck:1"), "share below 1"),
        (("--inject", "states:scale=0.5"), "takes its figures from a technology"),
        (("--inject", "read_noise:sigma=0.1"), "use --inject normal:X"),
        (("--inject", "states:size=0.5"), "states has no 'size'"),
        (("--inject", "lognormal"), "sigma"),
        (("--inject", "lognormal:sigma=0.1,technology="), "inject.technology"),
        (("--momentum", 0.9), "--momentum belongs to --optimizer sgd"),
        (("--fold-norm",), "lenet5 has no batch norm"),
        (("--train-images", 100000), "has 4000 training images"),
        (("--train-images", 10, "--set", "dataset.validation_fraction=0.95"), "must leave samples to train on"),
        (
            ("--method", "tat", "--array", "lumped", "--technology", "taox", "--set", "tat.sigma_chip=1"),
            "needs --corner",
        ),
        (
            ("--method", "tat", "--array", "lumped", "--technology", "taox", "--levels", 8),
            "Error: --levels 8 is not 2^bits - 1",
        ),
        (
            ("--method", "tat", "--array", "lumped", "--technology", "taox", "--levels", 7, "--bits", 4),
            "Error: --levels 7 and --bits 4 disagree: give one of them",
        ),
        (
            (
                "--method",
                "tat",
                "--array",
                "lumped",
                "--technology",
                "taox",
                "--corner",
                -10,
                "--set",
                "tat.sigma_chip=0.1",
            ),
            "leaves no conductance",
        ),
        (
            ("--method", "neat", "--vg", 1, "--cell", "x", "--start", "x", "--learning-rate", 1),
            "--retrain-learning-rate",
        ),
        (
            ("--method", "biased", "--start", "x", "--select", "test", "--set", "training.keep=last"),
            "--keep last chooses none",
        ),
    ],
)
def test_bad_combinations_are_one_line(xbar, tmp_path, words, message):
    found = xbar("train", *words, "--out", tmp_path / "run")
    assert found.code in (1, 2)
    assert message in found.err
    assert len(found.err.strip().splitlines()) == 1
    assert not list(tmp_path.glob("run*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--method", "biased", "--dataset", "fashion_mnist_mini", "--seed", 5),
            "was trained on images that are held out here: its --seed or",
        ),
        (("--method", "biased", "--train-images", 500), "its --train-images is 600"),
        (("--method", "biased", "--hidden", 13), "its --hidden is 12 and here it is 13; ask for the same"),
        (("--method", "neat", "--vg", "auto", "--vg-offset", "-0.03"), "which is not in the list 0.8, 0.9, 1"),
        (("--method", "neat", "--vg", "auto", "--vg-offset", "-5"), "leads out of the cell's gate voltages"),
    ],
)
def test_a_start_that_does_not_fit_is_one_line(xbar, tiny, cell, start, tmp_path, words, message):
    more = ("--cell", cell) if "neat" in words else ("--epochs", 1)
    found = xbar("train", *tiny, *more, "--start", start, *words, "--out", tmp_path / "run")
    assert found.code == 1
    assert message in found.err
    assert len(found.err.strip().splitlines()) == 1
    assert not list(tmp_path.glob("run*"))


def test_a_cell_that_lost_its_tables_is_one_line(xbar, tiny, cell, start, tmp_path):
    """Of a run without the list of its files, so that nothing tells before they are looked for."""
    lost = tmp_path / "cell"
    shutil.copytree(cell, lost)
    (lost / "results.nc").unlink()
    (lost / "done").write_text("")
    words = ("--method", "neat", "--vg", "0.8", "--cell", lost, "--start", start, "--out", tmp_path / "run")
    found = xbar("train", *tiny, *words)
    assert found.code == 1
    (line,) = (line for line in found.err.splitlines() if line.startswith("Error"))
    assert "results.nc" in line
    assert "Traceback" not in found.err


def test_hidden_units_that_come_to_the_same_are_the_same():
    assert network_of(NetworkSection(name="mlp")) == network_of(NetworkSection(name="mlp", hidden=500))
    assert network_of(NetworkSection(name="mlp", width=0.5)) != network_of(NetworkSection(name="mlp"))


def test_a_start_without_its_batch_norm_is_refused(xbar, tmp_path):
    words = ("train", "--network", "cnn", "--width", 0.05, "--train-images", 100, "--epochs", 0)
    assert xbar(*words, "--fold-norm", "--out", tmp_path / "folded").code == 0
    tat = ("--method", "tat", "--array", "published", "--technology", "taox", "--start", tmp_path / "folded")
    found = xbar(*words, *tat, "--out", tmp_path / "run")
    assert (found.code, "--fold-norm and has no batch norm left" in found.err) == (1, True)


@pytest.mark.parametrize(
    "method",
    [
        (),
        ("--method", "tat", "--array", "published", "--technology", "taox", "--r-source", 800),
        ("--method", "periphery", "--bits", 4),
    ],
)
def test_any_effect_of_a_chip_is_injected(xbar, tiny, tmp_path, method):
    words = ("train", *tiny, "--epochs", 2, *method, "--json")
    effect = ("--inject", "states:scale=0.5,technology=rram2bit")
    plain, noisy = (
        xbar(*words, *more, "--out", tmp_path / str(n)).json["train_accuracy"] for n, more in enumerate([(), effect])
    )
    assert plain != noisy
    assert noisy > 0.2


def dots():
    """200 images of one pixel, which is the image's number."""
    images, labels = np.arange(200, dtype=np.uint8).reshape(200, 1, 1, 1), (np.arange(200) % 2).astype(np.int32)
    return Dataset("dots", images, labels, images, labels, 2, ("even", "odd"), None)


def test_the_split_seed_alone_draws_what_is_held_out():
    def found(seed, split_seed=None):
        section = DatasetSection(**({} if split_seed is None else {"split_seed": split_seed}))
        return set(split_parts(section, dots(), seed=seed)["validation"][0].ravel())

    assert found(0) != found(5)
    assert found(5, 0) == found(0)
    assert found(0, 5) == found(5)


def test_calibration_takes_no_image_that_the_run_was_fitted_to():
    section = {"train_images": 100, "validation_fraction": 0.2, "split_seed": 3}
    config = TrainConfig(seed=1, dataset=DatasetSection(**section))
    trained = SimpleNamespace(config=config, data=dots())
    parts = split_parts(DatasetSection(**section), trained.data, seed=1)
    pictures, labels = held_out(trained, images=1000)
    assert len(pictures) == len(labels) == 20
    assert set(pictures.ravel()) == set(parts["validation"][0].ravel())
    assert not set(pictures.ravel()) & set(parts["train"][0].ravel())
    assert len(held_out(trained, images=5)[1]) == 5


def test_another_seed_may_keep_the_held_out_part(xbar, tiny, start, tmp_path):
    words = ("train", *tiny, "--epochs", 1, "--method", "biased", "--start", start, "--seed", 5)
    found = xbar(*words, "--set", "dataset.split_seed=0", "--out", tmp_path / "run")
    assert found.code == 0


@pytest.mark.slow
def test_training_goes_through_arrays_with_wires(xbar, tiny, start, tmp_path):
    words = ("train", *tiny, "--method", "tat", "--array", "nodal", "--technology", "taox", "--r-wire", 40)
    words = (*words, "--tile", "98x24", "--start", start, "--json")
    lost = xbar(*words, "--epochs", 0, "--out", tmp_path / "lost").json
    found = xbar(*words, "--epochs", 3, "--refold", 6, "--corner", 1, "--out", tmp_path / "won").json
    assert lost["test_accuracy"] < lost["test_accuracy_without_arrays"] - 0.02
    assert found["test_accuracy"] > lost["test_accuracy"] + 0.02


@pytest.mark.parametrize("bias", ["digital", "row"])
def test_dense_layers_are_those_that_are_no_convolution(bias):
    section = NetworkSection(name="lenet5", bias=bias)
    shapes = layer_shapes(section.build(shape=(28, 28, 1), outputs=10, seed=0), shape=(28, 28, 1))
    asked = {"method": "tat", "array": "published", "technology": "taox"}
    for layers, found in (("dense", {"fc1", "fc2", "fc3"}), ("all", None)):
        config = TrainConfig.model_validate({**asked, "layers": layers})
        assert on_arrays(config.method, config.array, config.mapping, shapes).layers == found


def test_biases_as_rows_go_through_the_whole_pipeline(xbar, tiny, tmp_path):
    words = (*tiny, "--epochs", 1, "--bias", "row")
    trained = xbar("train", *words, "--out", tmp_path / "net", "--json").json
    assert trained["weights"] == [785 * 12, 13 * 10]
    mapped = xbar("map", tmp_path / "net", "--out", tmp_path / "map", "--json").json
    assert mapped["devices"] == 2 * sum(trained["weights"])
    found = xbar("eval", tmp_path / "map", "--variation", 0, "--images", 200, "--json").json
    assert found["accuracy_mean"] == pytest.approx(found["ideal_accuracy"], abs=0.011)
    assert xbar("energy", tmp_path / "map", "--json").json["energy_joule"] > 0
