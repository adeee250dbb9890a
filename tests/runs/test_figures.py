"""Figures of runs: what is drawn is what was given, in the unit that the axis says."""

import numpy as np
import pytest

from tests import analytic
from xbar_cli.cell import plots
from xbar_cli.runs import figures


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved, as matplotlib has them."""
    kept = []

    class Kept(figures.Figure):
        def savefig(self, *args, **given):
            kept.append(self)
            super().savefig(*args, **given)

    monkeypatch.setattr(figures, "Figure", Kept)
    return kept


def bars(axes):
    return np.array(
        [[patch.get_x() + patch.get_width() / 2, patch.get_y(), patch.get_height()] for patch in axes.patches]
    )


def test_the_same_values_are_the_same_bytes(tmp_path):
    given = {"samples": [0.8, 0.9], "reference": 0.95, "caption": "two chips"}
    one, two = (figures.sample_accuracies(tmp_path / f"{n}.png", **given).read_bytes() for n in "ab")
    assert one == two
    other = figures.sample_accuracies(tmp_path / "c.png", **(given | {"reference": 0.94})).read_bytes()
    assert one != other
    assert one.startswith(b"\x89PNG")
    assert b"Software" not in one


def test_chips_are_drawn_sorted_in_percent_with_their_mean(tmp_path, drawn):
    figures.sample_accuracies(tmp_path / "a.png", samples=[0.9, 0.7, 0.8], reference=0.95, caption="c")
    (axes,) = drawn[0].axes
    chips, mean, reference = axes.lines
    np.testing.assert_allclose(chips.get_xydata(), [[1, 70], [2, 80], [3, 90]])
    assert mean.get_ydata()[0] == pytest.approx(80)
    assert reference.get_ydata()[0] == pytest.approx(95)
    assert axes.get_ylabel().endswith("[%]")


def test_intervals_are_drawn_from_their_ends(tmp_path, drawn):
    x, mean = np.array([1.0, 2.0]), np.array([5.0, 7.0])
    figures.estimates(
        tmp_path / "a.png", x=x, mean=mean, low=mean - [1.0, 2.0], high=mean + np.array([0.5, 0.25]), x_label="x", y_label="y",
        title="t", label="l", caption="c",
    )  # fmt: skip
    (container,) = drawn[0].axes[0].containers
    ends = np.array([segment[:, 1] for segment in container[2][0].get_segments()])
    np.testing.assert_allclose(ends, [[4, 5.5], [5, 7.25]])


def test_lines_of_accuracies_have_bars_where_there_are_intervals(tmp_path, drawn):
    lines = {"with": ([0.8, 0.9], [(0.7, 0.85), (0.88, 0.95)]), "without": ([0.6, 0.5], None)}
    figures.accuracy_lines(tmp_path / "a.png", x=[0.1, 0.2], lines=lines, x_label="x", title="t", caption="c")
    first, second = drawn[0].axes[0].containers
    np.testing.assert_allclose(first[0].get_ydata(), [80, 90])
    ends = np.array([segment[:, 1] for segment in first[2][0].get_segments()])
    np.testing.assert_allclose(ends, [[70, 85], [88, 95]])
    np.testing.assert_allclose(second[0].get_ydata(), [60, 50])
    assert not second[2]
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["with", "without"]


def test_differences_are_relative_in_percent(tmp_path, drawn):
    reference = np.array([1.0, 2.0, 4.0])
    figures.differences(
        tmp_path / "a.png", reference=reference, models={"m": reference * [1.01, 1.0, 0.98]}, x_label="x", y_label="y",
        title="t", caption="c",
    )  # fmt: skip
    np.testing.assert_allclose(drawn[0].axes[0].lines[0].get_ydata(), [1, 0, -2], atol=1e-9)


def test_stacked_bars_stand_on_each_other(tmp_path, drawn):
    parts = {"cells": [1.0, 2.0], "adc": [3.0, 0.5]}
    figures.stacked_bars(tmp_path / "a.png", parts=parts, names=["a", "b"], y_label="y", caption="c")
    np.testing.assert_allclose(bars(drawn[0].axes[0]), [[0, 0, 1], [1, 0, 2], [0, 1, 3], [1, 2, 0.5]])
    assert [label.get_text() for label in drawn[0].axes[0].get_xticklabels()] == ["a", "b"]


def test_histograms_share_their_bins_and_count_every_device(tmp_path, drawn):
    values = {"a": np.linspace(0, 1, 50), "b": np.linspace(0.5, 2, 70)}
    figures.histograms(tmp_path / "a.png", values=values, x_label="G [S]", caption="c")
    counts = [sum(patch.get_height() for patch in axes.patches) for axes in drawn[0].axes]
    assert counts == [50, 70]
    lefts = [[patch.get_x() for patch in axes.patches] for axes in drawn[0].axes]
    np.testing.assert_allclose(lefts[0], lefts[1])
    assert drawn[0].axes[-1].get_xlabel() == "G [S]"
    figures.histograms(tmp_path / "b.png", values={"a": np.full(9, 3.0)}, x_label="G [S]", caption="c")
    assert sum(patch.get_height() for patch in drawn[1].axes[0].patches) == 9


def test_the_limits_of_restricted_weights_are_marked_on_both_sides(tmp_path, drawn):
    w = {"a": np.linspace(-1, 1, 101)}
    figures.weight_distributions(
        tmp_path / "a.png", before=w, after={"a": np.clip(w["a"], -0.4, 0.4)}, limits={"a": 0.4}, caption="c"
    )
    assert sorted(line.get_xdata()[0] for line in drawn[0].axes[0].lines) == [-0.4, 0.4]


def test_of_many_layers_a_legend_names_some_and_the_last(tmp_path, drawn):
    shares = {f"layer{k}": [0.5, 0.9] for k in range(20)}
    figures.rounds(tmp_path / "a.png", reached=[0.6, 0.8], shares=shares, caption="c")
    named = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert len(named) <= figures.MOST_NAMED + 1
    assert named[0] == "layer0"
    assert named[-1] == "layer19"
    assert len(drawn[0].axes[1].lines) == 20
    np.testing.assert_allclose(drawn[0].axes[0].lines[0].get_ydata(), [60, 80])


def test_names_of_many_bars_stand_upright(tmp_path, drawn):
    for count in (figures.MOST_NAMED, figures.MOST_NAMED + 1):
        names = [f"l{k}" for k in range(count)]
        figures.stacked_bars(tmp_path / "a.png", parts={"p": [1.0] * count}, names=names, y_label="y", caption="c")
    turned = [figure.axes[0].get_xticklabels()[0].get_rotation() for figure in drawn]
    assert turned == [0, 90]


def test_a_long_caption_is_broken_and_makes_room_for_itself(tmp_path, drawn):
    for caption in ("short", "a parameter of the run " * 30):
        figures.sample_accuracies(tmp_path / "a.png", samples=[0.5], reference=0.5, caption=caption)
    short, long = drawn
    lines = long.texts[0].get_text().splitlines()
    assert len(lines) > 3
    assert " ".join(lines).split() == ("a parameter of the run " * 30).split()
    assert max(map(len, lines)) <= figures.LETTERS * 6.4
    assert long.axes[0].get_position().y0 > short.axes[0].get_position().y0
    assert "$" not in long.texts[0].get_text()


def test_the_linear_range_is_drawn_in_microsiemens_and_says_where_there_is_none(tmp_path, drawn):
    vg, nan = np.array([0.7, 0.8, 0.9]), np.nan
    plots.linear_range(
        tmp_path / "a.png", vg=vg, g_lo=np.array([nan, 4e-6, 3e-6]), g_cut=np.array([nan, 2e-5, 3e-5]),
        g_cut_second=np.array([1e-5, 3e-5, 3e-5]), g_off=analytic.G_OFF, g_on=analytic.G_ON, bounds=("a", "b"), caption="c",
    )  # fmt: skip
    (axes,) = drawn[0].axes
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    np.testing.assert_allclose(lines["G_cut, a"], [nan, 20, 30])
    np.testing.assert_allclose(lines["G_lo, a"], [nan, 4, 3])
    marks = [(text.get_text(), text.xy[0]) for text in axes.texts if text.get_text() == "none"]
    assert marks == [("none", 0.7)]


def test_a_panel_a_gate_voltage_shows_a_line_a_conductance(tmp_path, drawn):
    vin, g, vg = analytic.V_IN, np.array([5e-6, 2e-5]), np.array([0.9, 1.0, 1.2])
    g_eff = np.stack([analytic.current(g[:, None], vin, gate) / vin for gate in vg])
    plots.effective_conductance(tmp_path / "a.png", vin=vin, g=g, vg=vg, g_eff=g_eff, caption="c")
    assert [panel.get_title() for panel in drawn[0].axes] == ["V_g = 0.9 V", "V_g = 1 V", "V_g = 1.2 V"]
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
