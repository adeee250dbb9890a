"""Items of the papers: every file of experiments/ is read whole, and what is wrong in one is said in one line."""

import pytest

from xbar_cli.errors import ConfigError
from xbar_cli.experiment.file import load_experiment
from xbar_cli.experiment.grid import expand
from xbar_cli.reproduce.items import PAPERS, differences, experiments_folder, find_items, read_item, replaced
from xbar_cli.reproduce.sections import PRESETS

ITEM = """
name = "small"
[stages.net]
command = "train"
network.name = "mlp"
training.epochs = 5
[stages.map]
command = "map"
run = "@net"
[stages.evaluate]
command = "evaluate"
run = "@map"
[sweep]
map.mapping.bits = [1, 2, 4]
evaluate.variation.amount = [0.1, 0.2]
net.seed = [0, 1]

[reproduce]
figure = "Fig. 1"
title = "accuracy"
claim = "more bits err less"
[[reproduce.expect]]
what = "won by bits [points]"
value = "evaluate.accuracy_mean"
where = { bits = 4, amount = 0.1 }
minus = { value = "evaluate.accuracy_mean", where = { bits = 1 } }
scale = 100
direction = ">"
[[reproduce.plot]]
x = "bits"
x_label = "bits"
y_label = "accuracy [%]"
[[reproduce.plot.line]]
value = "evaluate.accuracy_mean"
by = "amount"
[reproduce.smoke]
net.training.epochs = 1
map.mapping.bits = [1, 4]
net.seed = 3
"""
ITEMS = {
    paper: {"fig4a", "fig4b", "fig5a", "fig5b", "fig6a", "fig6b", "fig7a", "fig7b", "table1"} if paper == "tat" else names
    for paper, names in {
        "neat": {*(f"fig{n}" for n in (2, 3, 4, 5, 7, 8, 9, 10, 11)), "table1"},
        "tat": set(),
        "acm": {*(f"fig5{c}" for c in "abcdefgh"), "fig6", "table1"},
        "biased": {"fig4", "fig7", "fig8", "fig9", "table1"},
    }.items()
}  # fmt: skip
"""Those of the papers that have figures and tables of results."""


@pytest.fixture
def write(tmp_path):
    def write(*changes, text=ITEM):
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        folder = tmp_path / "neat"
        folder.mkdir(exist_ok=True)
        (folder / "fig1.toml").write_text(text)
        return folder / "fig1.toml"

    return write


@pytest.mark.parametrize("paper", PAPERS)
def test_every_item_of_a_paper_is_there_and_is_read_at_its_smallest_and_its_full_size(paper):
    folder = experiments_folder()
    smoke, full = (find_items(paper, preset, folder=folder) for preset in ("smoke", "full"))
    assert ITEMS[paper] <= {item.name for item in smoke}
    for small, whole in zip(smoke, full, strict=True):
        names = {p.runs[s].config["dataset"]["name"] for p in small.points for s, c in small.experiment.commands.items()
                 if c == "train"}  # fmt: skip
        assert names <= {"fashion_mnist_mini"}, "the smallest size needs no data set that is not bundled"
        assert len(small.points) <= len(whole.points)
        assert not whole.smaller


def test_an_item_is_an_experiment_that_runs_by_itself_as_its_middle_size(write):
    file = write()
    alone = expand(load_experiment(file))
    item = read_item(file, "desk")
    assert [point.runs for point in item.points] == [point.runs for point in alone]
    assert item.smaller == ()


def test_a_size_replaces_keys_and_axes_and_says_what_it_has_in_place_of_the_papers(write):
    item = read_item(write(), "smoke")
    assert len(item.points) == 2 * 2
    assert {run.config["training"]["epochs"] for p in item.points for s, run in p.runs.items() if s == "net"} == {1}
    assert {run.config["seed"] for p in item.points for s, run in p.runs.items() if s == "net"} == {3}
    assert set(item.smaller) == {
        "net.training.epochs = 1, in full 5", "net.seed = 3, in full [0, 1]", "map.mapping.bits = [1, 4], in full [1, 2, 4]"
    }  # fmt: skip


def test_a_key_that_leaves_the_grid_leaves_its_group_too():
    tree = {"stages": {"a": {"command": "train"}, "b": {"command": "train"}},
            "sweep": {"a.seed": [0, 1], "b.seed": [0, 1], "b.training.epochs": [1, 2],
                      "zip": [["a.seed", "b.seed", "b.training.epochs"]]}}  # fmt: skip
    one = replaced(tree, {"a": {"seed": 5}}, where="here")
    assert one["sweep"]["zip"] == [["b.seed", "b.training.epochs"]]
    two = replaced(one, {"b": {"seed": 5}}, where="here")
    assert two["sweep"] == {"b.training.epochs": [1, 2]}
    assert two["stages"]["b"] == {"command": "train", "seed": 5}
    assert differences(two, two) == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('figure = "Fig. 1"', "", "reproduce: figure"),
        ('figure = "Fig. 1"', 'figure = "Fig. 1"\nfigures = 2', "unknown key 'figures'"),
        ('direction = ">"', "", "nothing is expected: give paper and tolerance, or direction"),
        ('direction = ">"', 'direction = "="', "expect.0.direction"),
        ('direction = ">"', "paper = 3", "paper and tolerance go together"),
        ('"evaluate.accuracy_mean"\nwhere', '"accuracy"\nwhere', "names no figure; write STAGE.FIGURE"),
        ('"evaluate.accuracy_mean"\nwhere', '"chip.accuracy"\nwhere', "no stage 'chip'; stages: net, map, evaluate"),
        ("where = { bits = 4,", "where = { bits = 3,", "no point has bits = 3; it is 1, 4"),
        ("where = { bits = 4,", "where = { levels = 4,", "'levels' is not swept; swept are map.mapping.bits"),
        ("where = { bits = 4, amount = 0.1 }", "where = { bits = 4 }", "2 points of one seed are left"),
        ('x = "bits"', 'x = "levels"', "x = 'levels' is neither swept nor STAGE.LIST"),
        ('by = "amount"', 'by = "sigma"', "'sigma' is not swept"),
        ("net.training.epochs = 1", "chip.training.epochs = 1", "reproduce.smoke: 'chip.training.epochs': write STAGE.key"),
        ("net.training.epochs = 1", "net.training.epoch = 1", "unknown key 'training.epoch'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line_that_names_the_file_and_the_key(write, old, new, said):
    with pytest.raises(ConfigError) as error:
        read_item(write((old, new)), "smoke")
    assert said in str(error.value)
    assert "fig1.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_the_items_are_found_by_name_in_the_order_of_their_numbers(write):
    file = write()
    folder = file.parent
    for name in ("fig10", "fig2", "table1"):
        (folder / f"{name}.toml").write_text(ITEM)
    (folder / "other.toml").write_text(ITEM[: ITEM.index("[reproduce]")])
    found = find_items("neat", "smoke", folder=folder.parent)
    assert [item.name for item in found] == ["fig1", "fig2", "fig10", "table1"]
    assert [item.name for item in find_items("all", "desk", folder=folder.parent, only="fig2")] == ["fig2"]
    with pytest.raises(ConfigError, match="no item 'fig3'; there are fig1, fig2, fig10, table1"):
        find_items("neat", "smoke", folder=folder.parent, only="fig3")


def test_sizes_are_three():
    assert PRESETS == ("smoke", "desk", "full")
