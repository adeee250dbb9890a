"""The page of `xbar report`: one HTML file with its style, pictures and script inside, which asks nobody for anything."""

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup, escape

from xbar_cli.report.tables import Table

MOST_PARTS = 3
"""Runs of a page up to which its contents name the parts of each."""


@dataclass(frozen=True)
class LiveChart:
    """An interactive chart: its caption, and what Vega-Lite draws, data with it."""

    title: str
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class RunSection:
    """What a page says of one run.

    Attributes:
        name: of the run.
        path: where it is.
        command: that made it.
        state: such as `done`.
        tables: in their order; empty ones are left out.
        figures: title, the picture as base64, and what its file says of it.
        charts: interactive ones.
        key: name and value of the figures that one looks for first.
        origin: one line on where it comes from.
    """

    name: str
    path: str
    command: str
    state: str
    tables: Sequence[Table]
    figures: Sequence[tuple[str, str, str]] = field(default=())
    charts: Sequence[LiveChart] = field(default=())
    key: Sequence[tuple[str, str]] = field(default=())
    origin: str = ""


@dataclass(frozen=True)
class SideBySide:
    """What a page says of two runs beside each other: sentences, then tables."""

    title: str
    lines: Sequence[str]
    tables: Sequence[Table]


class Content(NamedTuple):
    """A line of the list of contents, with the parts of a run by place."""

    place: str
    title: str
    about: str = ""
    parts: Sequence[tuple[str, str]] = ()


def render(
    title: str,
    *,
    sections: Sequence[RunSection],
    overview: Table | None,
    notes: Sequence[str] = (),
    comparison: SideBySide | None = None,
    library: str | None = None,
) -> str:
    """The page; everything in it is escaped. `library` is the script that draws charts, needed where there are some."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["to_json"] = lambda value: json.dumps(finite(value), allow_nan=False)
    environment.filters["breakable"] = breakable
    style, scripts = asset("page.css"), [*([library] if library else []), asset("page.js")]
    return environment.from_string(asset("page.html")).render(
        title=title, style=style, scripts=scripts, policy=policy(scripts=scripts, styles=[style]), sections=sections,
        overview=overview, notes=notes, comparison=comparison, aligned=aligned,
        contents=list(contents(sections, overview=overview, comparison=comparison)),
    )  # fmt: skip


def breakable(name: Any) -> Markup:
    """A name that may go on in the next line after a dot, a slash or an underscore."""
    return Markup(re.sub(r"([._/])(?=\w)", r"\1<wbr>", str(escape(name))))


@cache
def asset(name: str) -> str:
    """A file of this package."""
    return files("xbar_cli.report").joinpath(name).read_text(encoding="utf-8")


def policy(*, scripts: Sequence[str], styles: Sequence[str], more: str = "") -> str:
    """A policy that lets these scripts and styles be, by their SHA-256: no other code, and nothing from elsewhere."""
    rules = [
        "default-src 'none'", f"script-src {digests(scripts)}", f"style-src {digests(styles)}", "img-src data:",
        "base-uri 'none'", "form-action 'none'", *([more] if more else []),
    ]  # fmt: skip
    return "; ".join(rules)


def digests(texts: Sequence[str]) -> str:
    """The texts as a policy names them."""
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(t.encode()).digest()).decode()}'" for t in texts)


def finite(value: Any) -> Any:
    """A value as every browser reads it in JSON: null for what is no finite number, `?` for half a character."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {finite(str(key)): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def aligned(table: Table) -> list[bool]:
    """Which columns hold numbers alone, and are set to the right."""
    return [column > 0 and _numeric([row[column] for row in table.rows]) for column in range(len(table.head))]


def _numeric(cells: Sequence[Any]) -> bool:
    texts = [str(cell) for cell in cells if cell not in (None, "–", "")]
    try:
        return bool(texts) and all(math.isfinite(float(text)) for text in texts)
    except ValueError:
        return False


def contents(
    sections: Sequence[RunSection], *, overview: Table | None, comparison: SideBySide | None
) -> Iterator[Content]:
    """The list of contents; the parts of runs where there are few."""
    if comparison is not None:
        yield Content("comparison", comparison.title)
    if overview is not None:
        yield Content("overview", overview.title)
    for number, section in enumerate(sections, start=1):
        place = f"run-{number}"
        named = list(parts(section, place)) if len(sections) <= MOST_PARTS else []
        if len(sections) == 1:
            yield from (Content(*part) for part in named)
        else:
            yield Content(place, section.name, section.command, named)


def parts(section: RunSection, place: str) -> Iterator[tuple[str, str]]:
    """Place and title of what a section holds."""
    yield from ((f"{place}-figure-{n}", f"Figure: {name}") for n, (name, *_) in enumerate(section.figures, start=1))
    yield from ((f"{place}-chart-{n}", f"Chart: {c.title}") for n, c in enumerate(section.charts, start=1))
    shown = [table for table in section.tables if table.rows]
    yield from ((f"{place}-table-{n}", table.title) for n, table in enumerate(shown, start=1))
