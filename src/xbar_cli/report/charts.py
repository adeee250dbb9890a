"""Charts of runs that answer to the pointer: what Vega-Lite draws of learning curves, chips and sweeps.

Fields have names of our own, and what runs call them stands in titles: a name with a dot or a bracket is a path to Vega-Lite.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xbar_cli.errors import ConfigError
from xbar_cli.report.page import LiveChart
from xbar_cli.report.tables import HEADLINES, text

MOST_LINES = 12
"""Lines of a chart of a sweep."""
MOST_MARKS = 2000
"""Of a chart; of more every nth is drawn, and the last."""
INSTALL = "pip install 'xbar-cli[interactive]'"
CONFIG = {
    "background": None,
    "axis": {"labelColor": "currentColor", "titleColor": "currentColor", "gridColor": "#8884", "domainColor": "#888",
             "tickColor": "#888"},
    "legend": {"labelColor": "currentColor", "titleColor": "currentColor", "orient": "bottom", "columns": 2, "labelLimit": 260},
    "view": {"stroke": None},
    "range": {"category": ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#8a6d00"],
        "symbol": ["circle", "square", "triangle-up", "diamond", "cross"],
    },
}  # fmt: skip
"""Colours that a light and a dark page share, and that colour-blind readers tell apart (Okabe and Ito)."""


def library() -> str:
    """The script that draws charts, Vega-Lite with all that it needs. ConfigError where its package is not there."""
    try:
        import vl_convert
    except ImportError:
        raise ConfigError(f"interactive charts need vl-convert-python, which is not here: {INSTALL}") from None
    # the end of a script within it would end it
    return (
        vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
        .replace("</script", "<\\/script")
        .replace("<!--", "<\\!--")
    )


def spec(
    values: Sequence[Mapping[str, Any]], *, encoding: Mapping[str, Any], layer: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A chart as wide as its place."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json", "width": "container", "height": 260,
        "autosize": {"type": "fit-x", "contains": "padding"}, "config": CONFIG, "data": {"values": list(values)},
        "encoding": dict(encoding), "layer": list(layer),
    }  # fmt: skip


def learning(lines: Sequence[Mapping[str, Any]]) -> Iterator[LiveChart]:
    """A chart of each figure of metrics.jsonl over the epochs of all phases."""
    names = dict.fromkeys(
        name for line in lines for name, value in line.items()
        if name not in ("step", "epoch") and isinstance(value, int | float) and not isinstance(value, bool)
    )  # fmt: skip
    for name in names:
        rows = [
            {"x": line.get("step"), "y": line[name], "phase": text(line.get("phase"))}
            for line in lines
            if isinstance(line.get(name), int | float)
        ]
        if len(rows) < 2:
            continue
        rows = thinned(rows)
        phases = len({row["phase"] for row in rows}) > 1
        encoding = {
            "x": {"field": "x", "type": "quantitative", "title": "epoch", "axis": {"tickMinStep": 1}},
            "y": {"field": "y", "type": "quantitative", "title": name, "scale": {"zero": False}},
            "tooltip": [_tip("x", "epoch"), _tip("y", name), _tip("phase", "phase", kind="nominal")],
        } | ({"color": {"field": "phase", "type": "nominal", "title": "phase"}} if phases else {})
        yield LiveChart(f"{name} by epoch", spec(rows, encoding=encoding, layer=LINE))


LINES = {"field": "line", "type": "nominal", "title": None}
"""Lines are told apart by colour and mark."""
LINE = (
    {"mark": {"type": "line", "interpolate": "linear"}},
    {"mark": {"type": "point", "filled": True, "size": 60}},
)
"""Points with lines between them."""


def chips(summary: Mapping[str, Any]) -> Iterator[LiveChart]:
    """The metric of every chip, with its number, and the network's own."""
    metric = str(summary.get("metric", "accuracy"))
    values, ideal = summary.get(f"{metric}_samples"), summary.get(f"ideal_{metric}")
    if not isinstance(values, list) or len(values) < 2 or not all(isinstance(v, int | float) for v in values):
        return
    rows = thinned([{"x": number, "y": value} for number, value in enumerate(values)])
    encoding = {
        "x": {
            "field": "x",
            "type": "quantitative",
            "title": "chip",
            "axis": {"tickMinStep": 1},
            "scale": {"padding": 12},
        },
        "y": {"field": "y", "type": "quantitative", "title": metric, "scale": {"zero": False}},
        "tooltip": [_tip("x", "chip"), _tip("y", metric)],
    }
    layer: list[dict[str, Any]] = [{"mark": {"type": "point", "filled": True, "size": 60}}]
    if isinstance(ideal, int | float):
        layer.append({
            "mark": {"type": "rule", "strokeDash": [4, 4], "color": "#888"}, "data": {"values": [{"y": ideal}]},
            "encoding": {"x": {"value": 0}, "x2": {"value": "width"}, "tooltip": [_tip("y", "floating point")]},
        })  # fmt: skip
    yield LiveChart(f"{metric} of every chip" + (", dashed: floating point" if len(layer) > 1 else ""),
                spec(rows, encoding=encoding, layer=layer))  # fmt: skip


def points(head: Sequence[str], rows: Sequence[Sequence[Any]], *, swept: int) -> Iterator[LiveChart]:
    """The first headline figure of a sweep's points against its last numeric key, a line for each value of the others.

    Args:
        head: names of the columns.
        rows: a point each.
        swept: how many columns, from the first on, are swept keys; the others are figures.
    """
    varied = [i for i in range(swept) if len({text(row[i]) for row in rows}) > 1]
    along = next((i for i in reversed(varied) if all(isinstance(row[i], int | float) for row in rows)), None)
    figure = next((head.index(name) for name in HEADLINES if name in head[swept:]), None)
    if along is None or figure is None:
        return
    others = [i for i in varied if i != along]
    names = {i: head[i].rpartition(".")[2] for i in others}
    lines = [
        {"x": row[along], "y": row[figure], "line": ", ".join(f"{names[i]} {text(row[i])}" for i in others)}
        for row in rows
        if isinstance(row[figure], int | float)
    ]
    if len(lines) < 2 or len({line["line"] for line in lines}) > MOST_LINES:
        return
    encoding = {
        "x": {"field": "x", "type": "quantitative", "title": head[along], "scale": {"zero": False}},
        "y": {"field": "y", "type": "quantitative", "title": head[figure], "scale": {"zero": False}},
        "tooltip": [
            _tip("x", head[along]),
            _tip("y", head[figure]),
            *([_tip("line", "of", kind="nominal")] if others else []),
        ],
    } | ({"color": LINES, "shape": LINES | {"legend": None}} if others else {})
    yield LiveChart(f"{head[figure]} against {head[along]}", spec(lines, encoding=encoding, layer=LINE))


def thinned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most `MOST_MARKS` rows: every nth, and the last."""
    step = -(-len(rows) // MOST_MARKS)
    return rows if step == 1 else [*rows[::step], *([rows[-1]] if (len(rows) - 1) % step else [])]


def _tip(name: str, title: str, *, kind: str = "quantitative") -> dict[str, Any]:
    return {"field": name, "type": kind, "title": title} | ({"format": ".5~g"} if kind == "quantitative" else {})
