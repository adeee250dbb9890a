"""What the runs of a report do not share, told in lines; and the page that holds them."""

import json
from html.parser import HTMLParser

import pytest

from xbar_cli.report.agreement import disagreements
from xbar_cli.report.page import RunSection, render
from xbar_cli.report.tables import Table
from xbar_cli.runs.listing import Entry
from xbar_cli.runs.results import digest

DRAWN = {"jax_default_prng_impl": "threefry2x32", "first_bits": [1, 2, 3, 4]}


@pytest.fixture
def entry(tmp_path):
    """An evaluation by name, with what its summary says otherwise than the others."""

    def make(name, *, command="evaluate", random=None, config=None, **summary):
        path = tmp_path / name
        path.mkdir(exist_ok=True)
        if random is not None:
            (path / "env.json").write_text(json.dumps({"random": random}))
        usual = {"command": command, "dataset": "mnist", "images": 1000, "test_images_sha256": "aa"}
        return Entry(path, "done", usual | summary, {"seed": 0} | (config or {}))

    return make


def test_runs_that_share_everything_have_nothing_said_of_them(entry):
    assert disagreements([entry("a", random=DRAWN), entry("b", random=DRAWN)]) == []
    assert disagreements([]) == []


@pytest.mark.parametrize(
    ("key", "value", "begins"),
    [("dataset", "cifar10", "other data sets: mnist (a); cifar10 (b): "),
     ("images", 500, "other numbers of test images: 1000 (a); 500 (b): "),
     ("test_images_sha256", "bb", "other test images: aa (a); bb (b): ")],
)  # fmt: skip
def test_what_accuracies_are_of_is_told_with_both_values_and_names(entry, key, value, begins):
    (line,) = disagreements([entry("a"), entry("b", **{key: value})])
    assert line.startswith(begins)


def test_other_numbers_of_images_are_not_told_twice_as_other_images(entry):
    lines = disagreements([entry("a"), entry("b", images=500, test_images_sha256="bb")])
    assert len(lines) == 1
    assert "numbers of test images" in lines[0]


def test_a_training_shares_its_data_set_but_no_test_images(entry):
    assert disagreements([entry("a"), entry("t", command="train", images=9, test_images_sha256="cc")]) == []
    assert len(disagreements([entry("a"), entry("t", command="train", dataset="cifar10")])) == 1
    assert disagreements([entry("a"), entry("m", command="map", dataset="cifar10")]) == []


def test_three_values_are_named_with_the_runs_that_have_each(entry):
    runs = [entry("a"), entry("b", images=500), entry("c"), entry("d", images=20)]
    (line,) = disagreements(runs)
    assert "1000 (a, c); 500 (b); 20 (d)" in line


def test_one_seed_that_drew_other_numbers_is_told_but_not_another_seed(entry):
    other = DRAWN | {"first_bits": [9, 9, 9, 9]}
    (line,) = disagreements([entry("a", random=DRAWN), entry("b", random=other)])
    assert line.startswith("other random numbers of seed 0: ")
    assert line.endswith("(a, b): not the same chips")
    assert disagreements([entry("a", random=DRAWN), entry("b", random=other, config={"seed": 1})]) == []


def test_weights_that_were_replaced_since_are_told(entry, tmp_path):
    net = tmp_path / "net"
    net.mkdir()
    (net / "summary.json").write_text(json.dumps({"command": "train"}))
    (net / "done").touch()
    (net / "model.safetensors").write_bytes(b"weights")
    made = {"config": {"run": str(net)}}
    assert disagreements([entry("a", weights_sha256=digest(b"weights"), **made)]) == []
    (line,) = disagreements([entry("a", weights_sha256="0123", **made)])
    assert line.startswith("a evaluated other weights (0123) than ")
    (net / "model.safetensors").unlink()
    assert disagreements([entry("a", weights_sha256="0123", **made)]) == []


class Reader(HTMLParser):
    """Tags, links and texts of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.sources = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.texts.append(data.strip())


def read(page):
    reader = Reader()
    reader.feed(page)
    return reader


def section(name, **given):
    return RunSection(name=name, path=f"runs/{name}", command="evaluate", state="done", tables=[], **given)


def test_a_page_escapes_what_runs_say_and_asks_nobody_for_anything():
    evil = '<script src="http://x.example/">'
    table = Table(evil, ["a & b"], [[evil], [None]])
    page = read(render(evil, sections=[section(evil)], overview=table, notes=[evil]))
    assert page.tags.count("script") == 1
    assert evil in page.texts
    assert "–" in page.texts
    assert all(source.startswith(("#", "data:")) for source in page.sources)


def test_more_runs_than_one_have_a_list_of_contents_with_their_places():
    one, two = (read(render("t", sections=[section(n) for n in names], overview=None)) for names in ("a", "ab"))
    assert "nav" not in one.tags
    assert [s for s in two.sources if s.startswith("#run")] == ["#run-1", "#run-2"]
    assert two.sources.count("#contents") == 2


def test_figures_are_inside_and_long_tables_folded():
    tables = [Table("open", ["x"], [[1]]), Table("closed", ["x"], [[2]], folded=True), Table("empty", ["x"], [])]
    made = RunSection("a", "p", "train", "done", tables=tables, figures=[("loss", "QUJD", "")])
    page = read(render("t", sections=[made], overview=None))
    assert "data:image/png;base64,QUJD" in page.sources
    assert page.tags.count("details") == 1
    assert page.tags.count("table") == 2
