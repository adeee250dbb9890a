"""What is drawn is what was given, readable in grey, within its frame, the same bytes for the same values."""

import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from PIL import Image

from tests.pictures.grids import SCHEME, SEED, TILE, VG, WIRE, grid
from xbar_cli.figures.drawing import by_rows
from xbar_cli.figures.saving import save
from xbar_cli.figures.style import DASHES, KINDS, MARKERS, colours
from xbar_cli.pictures.choosing import KeysAsked, picture_of
from xbar_cli.pictures.painting import paint

BROKEN = ("evaluate.array.r_wire_ohm", [0.0, 0.1, 1.0, 10.0, 100.0], "ohm")


def luminance(colour):
    return float(np.dot(to_rgb(colour), (0.2126, 0.7152, 0.0722)))


def test_lines_bands_labels_and_legend_are_those_of_the_picture():
    picture = picture_of(grid(SEED, ("a.b.r_wire_ohm", [0.0, 1.0, 2.0, 4.0, 6.0, 9.0], "ohm"), TILE), "accuracy_mean")
    figure = paint(picture)
    (axes,) = figure.axes
    for line, drawn in zip(picture.panels[0].lines, axes.lines, strict=True):
        np.testing.assert_allclose(drawn.get_xydata(), np.transpose([picture.x.places, line.y]))
    for line, band in zip(picture.panels[0].lines, axes.collections, strict=True):
        heights = band.get_paths()[0].vertices[:, 1]
        assert heights.min() == pytest.approx(min(line.low))
        assert heights.max() == pytest.approx(max(line.high))
    assert axes.get_title() == ""
    assert axes.get_xlabel() == r"wire resistance $r_\mathrm{wire}$ (Ω)"
    assert axes.get_ylabel() == "accuracy (%)"
    assert figure.get_supxlabel() == "mean ± standard deviation of 3 seeds"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["32×32", "64×64", "128×128"]
    assert not legend.get_frame_on()


def test_bars_of_names_stand_beside_each_other():
    picture = picture_of(grid(SEED, TILE, SCHEME), "accuracy_mean", KeysAsked(x=SCHEME[0]))
    (axes,) = paint(picture).axes
    places = np.asarray([container[0].get_xdata() for container in axes.containers])
    assert len(np.unique(places)) == 9
    np.testing.assert_array_equal(np.round(places), [[0, 1, 2]] * 3)
    line = picture.panels[0].lines[0]
    ends = np.asarray([segment[:, 1] for segment in axes.containers[0][2][0].get_segments()])
    np.testing.assert_allclose(ends, np.transpose([line.low, line.high]))
    assert axes.containers[0][0].get_linestyle() == "None"  # schemes have no order
    assert [label.get_text() for label in axes.get_xticklabels()] == ["de", "bc", "acm"]


def test_long_names_stand_below_the_panel_and_within_the_picture():
    names = [f"drift:t={days}d,t0=20s,nu=0.05,nu_sigma=0.02" for days in (1, 30, 365)] + ["stuck:off=0.1"]
    short = paint(picture_of(grid(SEED, TILE, SCHEME), "accuracy_mean", KeysAsked(x=SCHEME[0])))
    figure = paint(
        picture_of(
            grid(SEED, TILE, ("evaluate.variation.effects", names)),
            "accuracy_mean",
            KeysAsked(x="evaluate.variation.effects"),
        )
    )
    (axes,) = figure.axes
    renderer = FigureCanvasAgg(figure).get_renderer()
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {90}
    for label in (*axes.get_xticklabels(), axes.xaxis.label):
        box = label.get_window_extent(renderer)
        assert box.y0 >= 0
        assert box.y1 < axes.get_window_extent(renderer).y0
    tall, usual = (one.axes[0].get_window_extent().height for one in (figure, short))
    assert tall > 0.8 * usual


def test_zero_of_a_broken_axis_is_labelled_apart():
    picture = picture_of(grid(BROKEN), "accuracy_mean")
    (axes,) = paint(picture).axes
    assert picture.x.scale == "broken"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.1", "1", "10", "100"]
    assert len(axes.texts) == 2  # the two strokes
    np.testing.assert_allclose(axes.lines[0].get_xdata()[1:], [-1, 0, 1, 2])
    assert axes.lines[0].get_xdata()[0] < -1.3


def test_cells_are_values_and_written_where_few():
    picture = picture_of(grid(VG, WIRE), "accuracy_mean", KeysAsked(kind="heat"))
    figure = paint(picture)
    np.testing.assert_allclose(figure.axes[0].collections[0].get_array(), picture.panels[0].cells)
    assert [text.get_text() for text in figure.axes[0].texts] == [f"{v:.1f}" for v in np.ravel(picture.panels[0].cells)]
    assert figure.axes[-1].get_ylabel() == "accuracy (%)"


def test_lines_are_told_apart_without_colours():
    assert len({*MARKERS}) == len({*map(str, DASHES)}) == len({*KINDS}) == 8
    for count in range(2, 9):
        greys = [luminance(colour) for colour in colours(count, ranked=True)]
        assert greys == sorted(greys)
        assert np.diff(greys).min() > 0.03
    (axes,) = paint(picture_of(grid(WIRE, SCHEME), "accuracy_mean")).axes
    assert len({(line.get_marker(), str(line.get_linestyle())) for line in axes.lines}) == 3


@pytest.mark.parametrize(("across", "order"), [(4, "aebcd"), (3, "adbec"), (2, "acebd"), (1, "abcde"), (5, "abcde")])
def test_legends_read_from_left_to_right(across, order):
    assert "".join(by_rows("abcde", across=across)) == order


def holes(shape):
    values = np.linspace(0.1, 0.9, 27).reshape(shape)
    values[:, 1, :], values[0, 0, 0] = np.nan, np.nan
    return values


def decades(shape):
    """Energies whose spread over seeds is larger than their mean."""
    return np.broadcast_to(np.asarray([1, 0.01, 5])[:, None, None] * np.geomspace(1e-9, 1e-5, 5)[None, :, None], shape)


PICTURES = {
    "decades": (grid(SEED, WIRE, TILE, energy_joule=decades, units={"energy_joule": "J"}), None),
    "lines": (grid(SEED, WIRE, TILE), None),
    "panels": (grid(SEED, VG, TILE, SCHEME), None),
    "one panel too few": (grid(SEED, VG, TILE, ("a.b.c", ["w", "x", "y", "z"])), None),
    "cells of one value": (grid(VG, WIRE, accuracy_mean=lambda shape: np.full(shape, 0.5)), KeysAsked(kind="heat")),
    "heat": (grid(VG, WIRE), KeysAsked(kind="heat")),
    "names": (grid(SEED, ("a.b.c", [f"a long name {i}" for i in range(7)])), None),
}


@pytest.mark.parametrize("width", [85, 175])
@pytest.mark.parametrize(("sweep", "asked"), PICTURES.values(), ids=PICTURES)
def test_every_text_is_inside_of_the_frame_and_the_width_is_that_of_the_column(sweep, asked, width):
    figure = paint(picture_of(sweep, next(iter(sweep.figures)), asked), width=width)
    assert figure.get_figwidth() == pytest.approx(width / 25.4)
    renderer = FigureCanvasAgg(figure).get_renderer()
    drawn, margin = figure.get_tightbbox(renderer), 1 / 72
    assert drawn.x0 >= -margin
    assert drawn.y0 >= -margin
    assert drawn.x1 <= figure.get_figwidth() + margin
    assert drawn.y1 <= figure.get_figheight() + margin
    for legend in figure.legends:
        box = legend.get_window_extent(renderer)
        assert not any(box.overlaps(axes.get_window_extent(renderer)) for axes in figure.axes)


def test_the_same_values_are_the_same_bytes_in_every_format(tmp_path):
    picture = picture_of(grid(SEED, WIRE), "accuracy_mean")
    once, twice = (
        [
            path.read_bytes()
            for path in save(paint(picture), tmp_path / name, formats=("png", "pdf", "svg"), caption="c")
        ]
        for name in ("a.b", "c")
    )
    assert once == twice
    assert [content[:4] for content in once[:2]] == [b"\x89PNG", b"%PDF"]
    assert (tmp_path / "a.b.svg").exists()
    with Image.open(tmp_path / "a.b.png") as image:
        assert image.width == pytest.approx(85 / 25.4 * 300, abs=1)
        assert image.text["Description"] == "c"


def test_texts_of_a_run_draw_nothing_but_themselves(tmp_path):
    hostile = ["<script>alert(1)</script>", r"$\frac{1}{0}$", "a$b", "x\x00\n\ud800y", "]]>&amp;"]
    sweep = grid(("net.x.<b>$y$</b>", hostile), VG, TILE)
    picture = picture_of(sweep, "accuracy_mean", KeysAsked(by="net.x.<b>$y$</b>", facet=TILE[0]))
    (path,) = save(paint(picture), tmp_path / "h", formats=("svg",), caption=picture.caption + "<script>")
    tags = {element.tag.rpartition("}")[2] for element in ET.parse(path).iter()}
    assert "script" not in tags
    assert "g" in tags


def test_drawing_leaves_the_settings_of_matplotlib_alone_and_depends_on_none(tmp_path, monkeypatch):
    def drawn(name):
        figure = paint(picture_of(grid(WIRE), "accuracy_mean"))
        return save(figure, tmp_path / name, formats=("svg",), caption="")[0].read_bytes()

    plain = drawn("a")
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 20)
    monkeypatch.setitem(matplotlib.rcParams, "axes.grid", False)
    before = dict(matplotlib.rcParams)
    assert drawn("b") == plain
    assert dict(matplotlib.rcParams) == before
