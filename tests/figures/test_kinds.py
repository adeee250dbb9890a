"""Figures of runs: what is drawn is what was given, in the unit that the axis says."""

import numpy as np
import pytest
from PIL import Image

from tests import analytic
from xbar_cli.cell import plots
from xbar_cli.figures import drawing, kinds
from xbar_cli.figures.formats import also, asked
from xbar_cli.figures.style import COLUMN


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved, as matplotlib has them."""
    kept = []

    class Kept(drawing.Figure):
        def savefig(self, *args, **given):
            kept.append(self)
            super().savefig(*args, **given)

    monkeypatch.setattr(drawing, "Figure", Kept)
    return kept


def bars(axes):
    return np.array(
        [[patch.get_x() + patch.get_width() / 2, patch.get_y(), patch.get_height()] for patch in axes.patches]
    )


def test_the_same_values_are_the_same_bytes(tmp_path):
    given = {"samples": [0.8, 0.9], "reference": 0.95, "caption": "two chips"}
    one, two = (kinds.sample_accuracies(tmp_path / f"{n}.png", **given).read_bytes() for n in "ab")
    assert one == two
    other = kinds.sample_accuracies(tmp_path / "c.png", **(given | {"reference": 0.94})).read_bytes()
    assert one != other
    assert one.startswith(b"\x89PNG")
    assert b"Software" not in one


def test_chips_are_drawn_sorted_in_percent_with_their_mean(tmp_path, drawn):
    kinds.sample_accuracies(tmp_path / "a.png", samples=[0.9, 0.7, 0.8], reference=0.95, caption="c")
    (axes,) = drawn[0].axes
    chips, mean, reference = axes.lines
    np.testing.assert_allclose(chips.get_xydata(), [[1, 70], [2, 80], [3, 90]])
    assert mean.get_ydata()[0] == pytest.approx(80)
    assert reference.get_ydata()[0] == pytest.approx(95)
    assert axes.get_ylabel().endswith("(%)")


def test_intervals_are_drawn_from_their_ends(tmp_path, drawn):
    x, mean = np.array([1.0, 2.0]), np.array([5.0, 7.0])
    kinds.estimates(
        tmp_path / "a.png", x=x, mean=mean, low=mean - [1.0, 2.0], high=mean + np.array([0.5, 0.25]), x_label="x", y_label="y",
        label="l", caption="c",
    )  # fmt: skip
    (container,) = drawn[0].axes[0].containers
    ends = np.array([segment[:, 1] for segment in container[2][0].get_segments()])
    np.testing.assert_allclose(ends, [[4, 5.5], [5, 7.25]])


def test_lines_of_accuracies_have_bars_where_there_are_intervals(tmp_path, drawn):
    lines = {"with": ([0.8, 0.9], [(0.7, 0.85), (0.88, 0.95)]), "without": ([0.6, 0.5], None)}
    kinds.accuracy_lines(tmp_path / "a.png", x=[0.1, 0.2], lines=lines, x_label="x", caption="c")
    first, second = drawn[0].axes[0].containers
    np.testing.assert_allclose(first[0].get_ydata(), [80, 90])
    ends = np.array([segment[:, 1] for segment in first[2][0].get_segments()])
    np.testing.assert_allclose(ends, [[70, 85], [88, 95]])
    np.testing.assert_allclose(second[0].get_ydata(), [60, 50])
    assert not second[2]
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["with", "without"]


def test_differences_are_relative_in_percent(tmp_path, drawn):
    reference = np.array([1.0, 2.0, 4.0])
    kinds.differences(
        tmp_path / "a.png", reference=reference, models={"m": reference * [1.01, 1.0, 0.98]}, x_label="x", y_label="y",
        caption="c",
    )  # fmt: skip
    np.testing.assert_allclose(drawn[0].axes[0].lines[0].get_ydata(), [1, 0, -2], atol=1e-9)


def test_stacked_bars_stand_on_each_other(tmp_path, drawn):
    parts = {"cells": [1.0, 2.0], "adc": [3.0, 0.5]}
    kinds.stacked_bars(tmp_path / "a.png", parts=parts, names=["a", "b"], y_label="y", caption="c")
    np.testing.assert_allclose(bars(drawn[0].axes[0]), [[0, 0, 1], [1, 0, 2], [0, 1, 3], [1, 2, 0.5]])
    assert [label.get_text() for label in drawn[0].axes[0].get_xticklabels()] == ["a", "b"]


def test_histograms_share_their_bins_and_count_every_device(tmp_path, drawn):
    values = {"a": np.linspace(0, 1, 50), "b": np.linspace(0.5, 2, 70)}
    kinds.histograms(tmp_path / "a.png", values=values, x_label="G [S]", caption="c")
    counts = [sum(patch.get_height() for patch in axes.patches) for axes in drawn[0].axes]
    assert counts == [50, 70]
    lefts = [[patch.get_x() for patch in axes.patches] for axes in drawn[0].axes]
    np.testing.assert_allclose(lefts[0], lefts[1])
    assert drawn[0].axes[-1].get_xlabel() == "G [S]"
    kinds.histograms(tmp_path / "b.png", values={"a": np.full(9, 3.0)}, x_label="G [S]", caption="c")
    assert sum(patch.get_height() for patch in drawn[1].axes[0].patches) == 9


def test_the_limits_of_restricted_weights_are_marked_on_both_sides(tmp_path, drawn):
    w = {"a": np.linspace(-1, 1, 101)}
    kinds.weight_distributions(
        tmp_path / "a.png", before=w, after={"a": np.clip(w["a"], -0.4, 0.4)}, limits={"a": 0.4}, caption="c"
    )
    assert sorted(line.get_xdata()[0] for line in drawn[0].axes[0].lines) == [-0.4, 0.4]


def test_of_many_layers_a_legend_names_some_and_the_last(tmp_path, drawn):
    shares = {f"layer{k}": [0.5, 0.9] for k in range(20)}
    kinds.rounds(tmp_path / "a.png", reached=[0.6, 0.8], shares=shares, caption="c")
    named = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert len(named) <= drawing.MOST_NAMED + 1
    assert {"layer0", "layer19"} <= set(named)
    assert len(drawn[0].axes[1].lines) == 20
    np.testing.assert_allclose(drawn[0].axes[0].lines[0].get_ydata(), [60, 80])


def test_names_of_many_bars_stand_upright(tmp_path, drawn):
    for count in (drawing.MOST_NAMED, drawing.MOST_NAMED + 1):
        names = [f"l{k}" for k in range(count)]
        kinds.stacked_bars(tmp_path / "a.png", parts={"p": [1.0] * count}, names=names, y_label="y", caption="c")
    turned = [figure.axes[0].get_xticklabels()[0].get_rotation() for figure in drawn]
    assert turned == [0, 90]


def test_a_caption_stands_in_the_file_and_not_in_the_picture(tmp_path, drawn):
    long = "a parameter of the run, 1 Ω " * 30
    with also("svg,pdf"):
        kinds.sample_accuracies(tmp_path / "a.png", samples=[0.5], reference=0.5, caption=long)
    (figure,) = drawn[:1]
    assert figure.texts == []
    assert [axes.get_title() for axes in figure.axes] == [""]
    said = " ".join(long.split())
    with Image.open(tmp_path / "a.png") as opened:
        assert opened.info["Description"] == said
    assert said in (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(("length", "rows"), [(1, 1), (16, 2), (21, 4)])
def test_a_legend_takes_the_rows_that_its_names_need(length, rows):
    assert drawing.legend_rows(["n" * length] * 4, width=COLUMN) == rows
    assert drawing.legend_rows([], width=COLUMN) == 0


def test_mathematics_takes_the_room_that_is_seen():
    assert drawing.legend_columns([r"$G_\mathrm{cut}$"] * 9, width=COLUMN) == drawing.legend_columns(
        ["Gcut"] * 9, width=COLUMN
    )


def test_figures_are_as_wide_as_a_column_and_are_png_alone_unless_asked(tmp_path, drawn):
    kinds.sample_accuracies(tmp_path / "a.png", samples=[0.5], reference=0.5, caption="c")
    assert drawn[0].get_figwidth() == pytest.approx(85 / 25.4)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert asked() == ()


def test_learning_is_drawn_over_all_phases_with_their_borders(tmp_path, drawn):
    lines = [
        {"phase": "train", "loss": 2.0, "validation_accuracy": 0.5},
        {"phase": "retrain", "in_range_fraction": [1.0]},
        {"phase": "retrain", "loss": 1.0, "validation_accuracy": None},
        {"phase": "retrain", "loss": 0.5, "validation_accuracy": 0.75},
    ]
    assert kinds.learning(tmp_path / "a.png", lines=lines, caption="c") is not None
    above, below = drawn[0].axes
    np.testing.assert_allclose(above.lines[0].get_xydata(), [[1, 2], [2, 1], [3, 0.5]])
    np.testing.assert_allclose(below.lines[0].get_ydata(), [50, np.nan, 75])
    assert below.lines[1].get_xdata()[0] == 1.5
    assert [text.get_text() for text in above.texts] == ["retrain"]
    assert kinds.learning(tmp_path / "b.png", lines=lines[1:2], caption="c") is None
    assert not (tmp_path / "b.png").exists()


def test_the_linear_range_is_drawn_in_microsiemens_and_says_where_there_is_none(tmp_path, drawn):
    vg, nan = np.array([0.7, 0.8, 0.9]), np.nan
    plots.linear_range(
        tmp_path / "a.png", vg=vg, g_lo=np.array([nan, 4e-6, 3e-6]), g_cut=np.array([nan, 2e-5, 3e-5]),
        g_cut_second=np.array([1e-5, 3e-5, 3e-5]), g_off=analytic.G_OFF, g_on=analytic.G_ON, bounds=("a", "b"), caption="c",
    )  # fmt: skip
    (axes,) = drawn[0].axes
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    np.testing.assert_allclose(lines[r"$G_\mathrm{cut}$, a"], [nan, 20, 30])
    np.testing.assert_allclose(lines[r"$G_\mathrm{lo}$, a"], [nan, 4, 3])
    marks = [(text.get_text(), text.xy[0]) for text in axes.texts if text.get_text() == "none"]
    assert marks == [("none", 0.7)]


def test_a_panel_a_gate_voltage_shows_a_line_a_conductance(tmp_path, drawn):
    vin, g, vg = analytic.V_IN, np.array([5e-6, 2e-5]), np.array([0.9, 1.0, 1.2])
    g_eff = np.stack([analytic.current(g[:, None], vin, gate) / vin for gate in vg])
    plots.effective_conductance(tmp_path / "a.png", vin=vin, g=g, vg=vg, g_eff=g_eff, caption="c")
    assert [panel.get_title() for panel in drawn[0].axes] == [
        rf"$V_\mathrm{{g}}$ = {gate} V" for gate in ("0.9", "1", "1.2")
    ]
    for panel, values in zip(drawn[0].axes, g_eff, strict=True):
        np.testing.assert_allclose([line.get_ydata() for line in panel.lines], 1e6 * values)


def test_the_tolerance_figure_marks_its_bound_and_shows_few_of_many_gate_voltages(tmp_path, drawn):
    g, vg = np.linspace(3e-6, 3e-5, 8), np.linspace(0.7, 1.0, 31)
    tm = np.full((31, 8), 0.02)
    plots.tolerance(
        tmp_path / "a.png", g=g, vg=vg, tm=tm, span=np.stack([0.9 * g + 0 * vg[:, None], 1.0 * g + 0 * vg[:, None]]),
        bound=0.025, metric="spread", caption="c",
    )  # fmt: skip
    left, _right = drawn[0].axes
    assert len(left.lines) == plots.MOST_LINES + 1
    assert left.lines[-1].get_ydata()[0] == pytest.approx(2.5)
    np.testing.assert_allclose(left.lines[0].get_ydata(), 2.0)
