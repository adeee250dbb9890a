"""`xbar plot` and `xbar new`, as a user meets them."""

import json
import os
import subprocess
import sys
import tomllib

import numpy as np
import pytest
import tomli_w

from tests.pictures.grids import SEED, TILE, WIRE, grid
from xbar_cli.config.load import flatten
from xbar_cli.errors import ConfigError
from xbar_cli.pictures.grid import read_grid
from xbar_cli.pictures.runs import chips, curve
from xbar_cli.runs.results import field, write_fields
from xbar_cli.runs.seal import seal


@pytest.fixture
def sweep(tmp_path):
    """The folder of a sweep that is done, without its runs."""
    folder = tmp_path / "study"
    folder.mkdir()
    made = grid(SEED, WIRE, TILE)
    dims = tuple(axis.keys[0] for axis in made.axes)
    fields = {
        axis.keys[0]: field((axis.keys[0],), axis.values[0], unit=axis.units[0], long_name="") for axis in made.axes
    }
    values = made.figures["accuracy_mean"]
    fields |= {name: field(dims, values, unit="1", long_name="") for name in ("accuracy_mean", "ideal_accuracy")}
    write_fields(folder / "results.nc", fields, attributes={"xbar_kind": "sweep", "experiment": "study"})
    (folder / "summary.json").write_text(json.dumps({"command": "run", "list": []}))
    (folder / "config.toml").write_text('name = "study"\n')
    return folder


def test_the_example_of_the_issue_draws_a_file(xbar, sweep, tmp_path):
    out = tmp_path / "f.png"
    found = xbar("plot", sweep, "--x", "r_wire", "--y", "accuracy", "--by", "tile", "--out", out, "--json")
    assert found.code == 0
    assert found.json["y"] == "accuracy_mean"
    assert found.json["out"] == [str(out)]
    assert (
        found.json["caption"]
        == "accuracy against wire resistance, lines: array size; mean ± standard deviation of 3 seeds"
    )
    assert out.read_bytes().startswith(b"\x89PNG")
    again = xbar("plot", sweep, "--out", out)
    assert (again.code, again.err) == (1, f"Error: {out} exists; overwrite it, or choose another name\n")
    assert xbar("plot", sweep, "--out", out, "--overwrite").code == 0


def test_a_file_of_results_and_a_part_of_them_can_be_drawn(xbar, sweep, tmp_path):
    part = ("--where", "tile=32x32", "--where", "tile=64x64", "--where", "r_wire=1", "--where", "r_wire=5.0")
    found = xbar("plot", sweep / "results.nc", *part, "--out", tmp_path / "g", "--format", "png,svg", "--json")
    assert [file.rpartition("/")[2] for file in found.json["out"]] == ["g.png", "g.svg"]
    assert xbar("plot", sweep, "--facet", "tile", "--width", 175, "--out", tmp_path / "h", "--json").json["panels"] == 3


def test_what_is_written_is_what_is_read(sweep):
    found = read_grid(sweep / "results.nc")
    made = grid(SEED, WIRE, TILE)
    assert found.keys == made.keys
    assert [axis.units for axis in found.axes] == [axis.units for axis in made.axes]
    np.testing.assert_array_equal(found.figures["accuracy_mean"], made.figures["accuracy_mean"])
    assert found.axes[2].values[0].tolist() == TILE[1]


BAD = {
    "near": (("--x", "r_wir"), "x = 'r_wir' is not swept; did you mean r_wire? there are seed, r_wire, tile"),
    "far": (("--by", "qqq"), "by = 'qqq' is not swept; there are seed, r_wire, tile"),
    "figure": (("--y", "accurac"), "y = 'accurac' is not there; did you mean accuracy?"),
    "twice": (("--x", "tile", "--by", "tile"), "name one axis twice"),
    "where": (("--where", "tile"), "where = 'tile': write KEY=VALUE"),
    "no value": (("--where", "tile=7"), "where = 'tile=7': evaluate.mapping.tile has the values 128x128, 32x32, 64x64"),
    "format": (("--format", "gif"), "'gif' is no format of a picture; use png, pdf, svg"),
    "other end": (("--out", "x.jpg"), "'jpg' is no format of a picture; use png, pdf, svg"),
    "ends": (("--format", "png", "--out", "x.pdf"), "out ends in .pdf and format is png"),
    "heat": (("--kind", "heat", "--where", "tile=32x32", "--x", "r_wire"), "a heat map has two axes"),
}


@pytest.mark.parametrize(("words", "message"), BAD.values(), ids=BAD)
def test_bad_wishes_are_one_line(xbar, sweep, words, message):
    found = xbar("plot", sweep, *words)
    assert (found.code, found.out, found.err.count("\n")) == (1, "", 1)
    assert message in found.err


def run_folder(folder, **summary):
    """A run that is done, of its summary alone."""
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps(summary))
    seal(folder)
    return folder


def test_runs_are_drawn_as_what_they_are(xbar, tmp_path):
    at = {"metric_value": 0.5, "metric_ci95": [0.4, 0.6]}
    aged = run_folder(tmp_path / "aged", command="evaluate", metric="accuracy",
                      ages=[{"t_seconds": 3600.0, **at}, {"t_seconds": 86400.0, **at}])  # fmt: skip
    said = xbar("plot", aged, "--out", tmp_path / "c", "--json").json["caption"]
    assert said == "accuracy against time since programming; 95 % interval over chips"
    chips = run_folder(
        tmp_path / "chips", command="evaluate", metric="accuracy", accuracy_samples=[0.1, 0.2, 0.4], ideal_accuracy=0.5
    )
    assert xbar("plot", chips, "--out", tmp_path / "b", "--json").json["caption"] == "chips against accuracy"
    assert "y: an evaluation is drawn as the distribution" in xbar("plot", chips, "--y", "accuracy").err
    assert "no run there" in xbar("plot", tmp_path / "nothing").err
    assert "is a run of `xbar map`" in xbar("plot", run_folder(tmp_path / "map", command="map")).err


def test_a_training_is_drawn_by_its_epochs(xbar, tmp_path):
    lines = [{"step": i, "phase": "train", "epoch": i, "loss": 1 / i, "seconds": 1.0} for i in (1, 2, 3)]
    lines += [{"phase": "test", "accuracy": 0.5}]
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    net = tmp_path / "net"
    (net / "summary.json").write_text(json.dumps({"command": "train"}))
    seal(net)
    assert curve(net).figures["loss"].tolist() == [1, 1 / 2, 1 / 3]
    assert xbar("plot", net, "--out", tmp_path / "a", "--json").json["caption"] == "loss against epoch"
    (net / "metrics.jsonl").write_text("[1]\n")
    assert "damaged" in xbar("plot", net, "--out", tmp_path / "d").err


def test_the_bars_of_chips_are_their_counts():
    found = chips({"metric": "accuracy", "accuracy_samples": [0.5, 0.5, 0.9, 0.9, 0.9, 0.1], "ideal_accuracy": 0.95})
    counts = np.asarray(found.panels[0].lines[0].y)
    assert (counts.sum(), counts[0], counts[-1]) == (6, 1, 3)
    assert found.marks == (("mean of 6 chips", pytest.approx(63.3333, abs=1e-3)), ("floating point", pytest.approx(95)))
    with pytest.raises(ConfigError, match="fewer than three chips"):
        chips({"metric": "accuracy", "accuracy_samples": [0.5, 0.5]})


@pytest.mark.slow
def test_evaluations_and_trainings_that_were_run_are_drawn(xbar, small, tmp_path):
    words = ("eval", small, "--samples", 3, "--images", 100, "--quiet")
    assert xbar("plot", small, "--y", "loss", "--out", tmp_path / "a").code == 0
    assert xbar(*words, "--variation", 0.1, "--out", tmp_path / "chips").code == 0
    assert xbar("plot", tmp_path / "chips", "--out", tmp_path / "b").out.startswith("chips against accuracy")
    drift = ("--effect", "drift:nu=0.1,nu_sigma=0,t0=20", "--at", "1h,1y")
    assert xbar(*words, *drift, "--out", tmp_path / "aged").code == 0
    assert xbar("plot", tmp_path / "aged", "--out", tmp_path / "c").out.startswith("accuracy against time")


def test_damaged_results_are_one_line(xbar, sweep):
    (sweep / "results.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 200)
    found = xbar("plot", sweep)
    assert (found.code, found.err.count("\n")) == (1, 1)
    assert "is missing or damaged" in found.err


def test_a_new_experiment_is_written_listed_and_runs_dry(xbar, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    listed = xbar("new", "--list")
    assert len(listed.out.splitlines()) == 8
    assert set(xbar("new", "--list", "--json").json["templates"]) >= {"ir-drop", "drift"}
    assert xbar("new", "mine", "--from", "ir-drop").out.startswith("written: mine.toml\n")
    assert xbar("run", "mine.toml", "--dry-run", "--json").json["points"] == 54
    assert xbar("run", "mine.toml", "--dry-run", "--only", "net", "--json").json["points"] == 3
    assert "there is no stage 'nett'; stages: net, evaluate" in xbar("run", "mine.toml", "--only", "nett").err
    assert "'gif' is no format of a picture" in xbar("run", "mine.toml", "--figure-format", "png,gif").err
    assert not (tmp_path / "runs").exists()
    again = xbar("new", "mine", "--from", "ir-drop")
    assert (again.code, again.err) == (1, "Error: mine.toml exists; overwrite it, or choose another name\n")
    assert "did you mean ir-drop?" in xbar("new", "other", "--from", "ir-dro").err
    assert (xbar("new").code, xbar("new", "mine").code) == (2, 2)


def test_the_shell_completes_commands_options_and_templates():
    def completed(*words):
        environment = os.environ | {"_XBAR_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(("xbar", *words)),
                                    "COMP_CWORD": str(len(words))}  # fmt: skip
        code = "from xbar_cli.cli.shared.start import run; run()"
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert completed("pl") == ["plot"]
    assert completed("new", "--fr") == ["--from"]
    assert completed("new", "x", "--from", "own") == ["own-device", "own-network"]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "template", ["ir-drop", "bits-and-schemes", "adc", "faults", "drift", "own-network", "own-device"]
)
def test_every_template_runs_reduced_and_draws(xbar, template, tmp_path, monkeypatch):
    few = [
        "net.training.epochs=1",
        "net.dataset.train_images=500",
        "evaluate.monte_carlo.images=50",
        "evaluate.monte_carlo.samples=2",
    ]
    few += ["evaluate.monte_carlo.samples=1"] if template == "ir-drop" else []
    monkeypatch.chdir(tmp_path)
    assert xbar("new", "t", "--from", template).code == 0
    tree = tomllib.loads((tmp_path / "t.toml").read_text())
    tree["sweep"] = {key: values if key == "zip" else values[-2:] for key, values in flatten(tree["sweep"])}
    (tmp_path / "t.toml").write_text(tomli_w.dumps(tree))
    settings = [word for setting in few for word in ("--set", setting)]
    found = xbar("run", "t.toml", *settings, "--workers", 2, "--out", "out", "--json", "--quiet")
    assert (found.code, found.json["failed"]) == (0, 0)
    pictures = found.json["pictures"]
    assert pictures
    assert all((tmp_path / file).exists() for picture in pictures for file in picture["files"])
    assert (tmp_path / "out" / "points.csv").read_text().count("\n") == found.json["points"] + 1
