"""The page and its exports, and the listing, from run directories written by hand."""

import base64
import csv
import io
import json
from html.parser import HTMLParser

import h5py
import numpy as np
import pytest
import tomli_w

from xbar_cli.errors import ConfigError, RunError
from xbar_cli.report.tables import MAX_ROWS, Table, by_command, in_markdown, shortened
from xbar_cli.runs.listing import listing
from xbar_cli.runs.results import field, write_fields
from xbar_cli.runs.selecting import named
from xbar_cli.workflows.report import run

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def make(folder, summary, *, config=None, figure=None, results=None, done=True):
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(summary))
    if config is not None:
        (folder / "config.toml").write_text(tomli_w.dumps(config))
    if figure:
        (folder / "figures").mkdir()
        (folder / "figures" / f"{figure}.png").write_bytes(PIXEL)
    if results:
        write_fields(folder / "results.nc", results, attributes={})
    if done:
        (folder / "done").touch()
    return folder


@pytest.fixture
def runs(tmp_path):
    """A net, its evaluation and a sweep, as the commands leave them."""
    root = tmp_path / "runs"
    net = make(
        root / "net",
        {
            "command": "train",
            "network": "mlp",
            "dataset": "d",
            "method": "ideal",
            "test_accuracy": 0.9,
            "layers": ["a", "b"],
        },
        config={"seed": 5, "network": {"name": "mlp"}},
    )
    (net / "metrics.jsonl").write_text('{"step": 1, "loss": 0.5, "seconds": 2.0}\n')
    (net / "env.json").write_text(json.dumps({"commit": "c0ffee", "versions": {"jax": "0.10"}}))
    make(
        root / "eval",
        {"command": "evaluate", "accuracy_mean": 0.85, "accuracy_samples": list(np.linspace(0.8, 0.9, 25)),
         "note": "<script>alert(1)</script>", "layers": [{"name": "x", "tiles": 2}, {"name": "y", "tiles": 3}],
         "breakdown": {"layers": {"x": {"joule": 1e-9}}}},
        config={"run": str(net), "variation": {"amount": 0.15}},
        figure="accuracy",
    )  # fmt: skip
    sweep = {
        "a.seed": field(("a.seed",), [0, 1], unit="1", long_name="seed"),
        "accuracy_mean": field(("a.seed",), [0.5, np.nan], unit="1", long_name="accuracy"),
        "images": field(("a.seed",), [100.0, 100.0], unit="1", long_name="images"),
    }
    listed = [{"name": "a.seed=1", "state": "failed", "stage": "a", "reason": "why", "log": "l"}]
    make(
        root / "sweep",
        {"command": "run", "points": 2, "done": 1, "failed": 1, "list": listed},
        results=sweep,
        done=False,
    )
    return root


class Links(HTMLParser):
    """Everything in a page that could ask for something."""

    def __init__(self):
        super().__init__()
        self.found, self.tags = [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.found += [value for name, value in attrs if name in ("src", "href", "action", "srcset", "data")]


def test_a_page_holds_everything_and_asks_for_nothing(runs, tmp_path):
    out = tmp_path / "page.html"
    summary = run(
        [runs / "net", runs / "eval", runs / "sweep"], out=out, csv_out=None, markdown_out=None, overwrite=False
    )
    page = out.read_text()
    links = Links()
    links.feed(page)
    assert summary["figures"] == 1
    assert all(link.startswith(("data:", "#")) for link in links.found)
    assert not links.tags & {"iframe", "object"}
    assert page.count("<script>") == 1
    assert "url(" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert base64.b64encode(PIXEL).decode() in page
    assert "&lt;script&gt;alert(1)" in page
    for text in ("c0ffee", "variation.amount", "25 values, 0.8 … 0.9, mean 0.85", "0.85", "why", "width=device-width", "1e-09",
                 "the same in all: images 100"):  # fmt: skip
        assert text in page.replace("<wbr>", "")
    with pytest.raises(RunError, match="exists; overwrite"):
        run([runs / "net"], out=out, csv_out=None, markdown_out=None, overwrite=False)


def test_the_exports_hold_the_figures_in_full(runs, tmp_path):
    table, text = tmp_path / "t.csv", tmp_path / "t.md"
    run([runs / "eval", runs / "sweep"], out=tmp_path / "p.html", csv_out=table, markdown_out=text, overwrite=False)
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert [row["command"] for row in rows] == ["evaluate", "run", "run"]
    assert [row["accuracy_mean"] for row in rows] == ["0.85", "0.5", ""]
    assert (rows[0]["network"], rows[0]["train_seed"], rows[0]["variation"], rows[2]["a.seed"]) == (
        "mlp",
        "5",
        "0.15",
        "1",
    )
    evaluated, swept = text.read_text().split("## ")[1:]
    assert "| accuracy_mean | 0.85 |" in evaluated
    assert "a.seed" in swept


def test_runs_that_do_not_agree_are_named_with_their_values(runs, tmp_path):
    def evaluated(name, **summary):
        folder = make(
            runs / name,
            {"command": "evaluate", "accuracy_mean": 0.8, "images": 100, "dataset": "d", "test_images_sha256": "aa"}
            | summary,
            config={"run": str(runs / "net"), "seed": 0},
        )
        (folder / "env.json").write_text(json.dumps({"random": {"jax_enable_x64": name == "wide", "first_bits": [1]}}))
        return folder

    def notes(*folders):
        paths = {"out": tmp_path / "p.html", "csv_out": None, "markdown_out": None}
        return run([*folders], **paths, overwrite=True)["notes"]

    first, again = evaluated("first"), evaluated("again")
    assert notes(first, again, runs / "net") == []
    assert notes(first, again, evaluated("others", test_images_sha256="bb")) == [
        "other test images: aa (first, again); bb (others): their accuracies are of other tests"
    ]
    assert notes(first, evaluated("set", dataset="e")) == [
        "other data sets: d (first); e (set): their accuracies are of other tasks"
    ]
    assert notes(first, evaluated("wide")) == [
        "other random numbers of seed 0: jax_enable_x64 False and True (first, wide): not the same chips"
    ]
    (runs / "net" / "model.safetensors").write_bytes(b"trained anew")
    replaced = evaluated("old", weights_sha256="0123")
    assert notes(replaced)[0].startswith(f"old evaluated other weights (0123) than {runs / 'net'} holds now")
    assert "old evaluated other weights" in (tmp_path / "p.html").read_text()


def test_long_tables_keep_their_ends():
    table = shortened(Table("t", ["n"], [[n] for n in range(1001)]))
    assert len(table.rows) <= MAX_ROWS
    assert (table.rows[0], table.rows[-1]) == ([0], [1000])
    assert "of 1001 rows" in table.note


def test_what_cannot_be_reported_is_one_line(runs, tmp_path):
    (runs / "half.partial").mkdir()
    make(runs / "bad", {"no": "command"})
    make(runs / "points", {"command": "run", "list": [{"state": 3}]})
    make(runs / "new", {"command": "map"}, results={"x": field((), 1.0, unit="1", long_name="x")})
    with h5py.File(runs / "new" / "results.nc", "a") as file:
        file.attrs["xbar_format"] = 99
    for name, message in (
        ("none", "no run there"),
        ("half", "half-written"),
        ("bad", "damaged"),
        ("points", r"list\.0\.state = 3"),
        ("new", "format 99; this version reads"),
    ):
        with pytest.raises(RunError, match=message) as error:
            run([runs / name], out=tmp_path / "p.html", csv_out=None, markdown_out=None, overwrite=False)
        assert "\n" not in str(error.value)
    assert not (tmp_path / "p.html").exists()
    make(runs / "stateless", {"command": "run", "list": [{"name": "a"}]})
    run([runs / "stateless"], out=tmp_path / "p.html", csv_out=None, markdown_out=None, overwrite=False)


def test_the_listing_follows_inputs_and_tolerates_damage(runs):
    make(runs / "bad", {"no": "command"})
    make(runs / "deep" / "x", {"command": "map"}, done=False)
    (runs / "half.partial").mkdir()
    found = listing(runs)
    by_path = {entry["path"].rpartition("/")[2]: entry for entry in found["runs"]}
    assert set(by_path) == {"net", "eval", "sweep", "half.partial"}
    assert (
        by_path["eval"] | {"network": "mlp", "dataset": "d", "train_seed": 5, "variation": 0.15, "accuracy": 0.85}
        == by_path["eval"]
    )
    assert (by_path["sweep"]["state"], by_path["half.partial"]["state"]) == ("incomplete", "interrupted")
    assert {entry["path"].rpartition("/")[2]: entry["reason"] for entry in found["damaged"]} == {
        "bad": "summary.json is damaged (command: field required); make it anew with the command that made it",
        "x": "half-written: no `done` in it",
    }  # fmt: skip
    with pytest.raises(RunError, match="no such folder"):
        listing(runs / "nowhere")


def test_runs_of_a_sweep_are_listed_by_its_own_folder_and_by_terms(runs):
    make(runs / "sweep" / "evaluate-1", {"command": "evaluate", "accuracy_mean": 0.7})
    make(runs / "deep" / "search", {"command": "search", "experiment": "s"})
    make(runs / "deep" / "search" / "net-1", {"command": "train", "test_accuracy": 0.7})

    def names(folder, **more):
        return {entry["path"].removeprefix(f"{runs}/") for entry in listing(folder, **more)["runs"]}

    assert names(runs) == {"net", "eval", "sweep", "deep/search"}
    assert names(runs / "sweep") == {"sweep", "sweep/evaluate-1"}
    assert names(runs, where=["accuracy=0.7"]) == {"sweep/evaluate-1", "deep/search/net-1"}


@pytest.mark.parametrize(
    ("name", "known", "key"),
    [
        ("r_wire", ["sweep.evaluate.array.r_wire_ohm", "array.r_wire_ohm"], "array.r_wire_ohm"),
        ("effects", ["variation.effects", "effects_said"], "variation.effects"),
        ("bits", ["mapping.bits", "converters.adc_bits"], "mapping.bits"),
        ("accuracy", ["accuracy", "ideal_accuracy"], "accuracy"),
    ],
)
def test_an_end_is_the_key_that_all_others_end_with(name, known, key):
    assert named(name, known) == key


def test_an_end_of_two_keys_is_neither():
    with pytest.raises(ConfigError, match=r"'seed' is net\.seed, evaluate\.seed: write more of it"):
        named("seed", ["net.seed", "evaluate.seed"])


def test_markdown_has_a_table_a_command_without_empty_columns():
    head = ["run", "command", "map.bits", "accuracy_mean", "epochs", *(f"figure_{n}" for n in range(20))]
    rest = [None] * 20
    swept = [["s", "run", bits, 0.1 * bits, None, *range(bits, bits + 20)] for bits in (2, 4, 6)]
    rows = [*swept, ["t", "train", None, None, 3, *rest]]
    text = in_markdown(by_command(head, rows))
    sweep, train = text.split("## ")[1:]
    assert sweep.splitlines()[2:5] == ["| map.bits | accuracy_mean |", "| --- | --- |", "| 2 | 0.2 |"]
    assert "the same in all: run s" in sweep
    assert "epochs" not in sweep
    assert "bits" not in train
    assert "| 3 |" in train
