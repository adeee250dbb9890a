"""Commands that draw the same kind of figure again get the picture that was drawn: matplotlib takes longer than they do."""

import functools
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

DIGITS = re.compile(r"[-−+]?\d[\d.,e+-]*")


def form(text) -> str:
    """A text without its numbers."""
    return DIGITS.sub("0", text.get_text())


def health(values) -> tuple:
    """What decides whether values can be drawn: how they are finite, and whether any is above, at or below 0."""
    values = np.asarray(values, float)
    return (
        bool(np.isfinite(values).all()),
        *(bool(mark.any()) for mark in (values > 0, values == 0, values < 0)),
    )


def kind(figure: Figure) -> tuple:
    """Two figures of one kind differ in numbers only: texts, scales, artists and which values can be drawn are the same."""
    parts = []
    for axes in figure.axes:
        texts = [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        if axes.get_legend() is not None:
            texts += axes.get_legend().get_texts()
        lines = [(health(line.get_xdata(orig=False)), health(line.get_ydata(orig=False))) for line in axes.lines]
        patches = [health(patch.get_extents().bounds) for patch in axes.patches]
        axis = [axes.get_xscale(), axes.get_yscale(), health(axes.get_xlim()), health(axes.get_ylim())]
        artists = [type(artist).__name__ for artist in axes.get_children()]
        parts.append((*map(form, texts), *axis, *lines, *sorted(set(patches)), *artists))
    texts = [form(text) for text in figure.texts]
    texts += [form(text) for legend in figure.legends for text in legend.get_texts()]
    return (*figure.get_size_inches(), *texts, *parts)


DRAW = Figure.savefig
DRAWN: dict[tuple, bytes] = {}
"""Pictures by kind, of this process."""


@functools.wraps(DRAW)
def savefig(figure, path, **options):
    """`Figure.savefig` that draws the first figure of each kind."""
    found = kind(figure)
    if found not in DRAWN:
        buffer = BytesIO()
        DRAW(figure, buffer, format="png", **options)
        DRAWN[found] = buffer.getvalue()
    Path(path).write_bytes(DRAWN[found])


@pytest.fixture(autouse=True)
def few_figures(monkeypatch):
    """Figures of the tests of a module or folder that takes this fixture in are drawn once a kind."""
    monkeypatch.setattr(Figure, "savefig", savefig)
