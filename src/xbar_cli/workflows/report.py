"""`xbar report`: runs as one page that needs nothing but itself, and as CSV or Markdown."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xbar_cli.errors import ConfigError, RunError
from xbar_cli.experiment.results import is_time, scalars, unit_of
from xbar_cli.outside import MEGABYTE, read_text
from xbar_cli.report.agreement import disagreements
from xbar_cli.report.beside import beside
from xbar_cli.report.charts import chips, learning, library, points
from xbar_cli.report.headline import key_figures, origin
from xbar_cli.report.opening import open_run_entry, picture, title_of, write_texts
from xbar_cli.report.page import LiveChart, RunSection, render
from xbar_cli.report.results import points_tables, results_tables, sweep_table, swept_keys
from xbar_cli.report.tables import (
    Table,
    as_csv,
    by_command,
    comparing,
    in_markdown,
    pairs,
    records,
    tables_within,
    text,
    upright,
)
from xbar_cli.runs import environment
from xbar_cli.runs.directory import DONE, METRICS
from xbar_cli.runs.listing import SWEEPS, Entry, describe
from xbar_cli.runs.metrics import CHECKSUM
from xbar_cli.runs.seal import require_intact

LARGEST_LOG = 256 * MEGABYTE
"""Of metrics.jsonl."""


def run(
    paths: Sequence[Path],
    *,
    out: Path,
    csv_out: Path | None,
    markdown_out: Path | None,
    overwrite: bool,
    interactive: bool = False,
) -> dict[str, Any]:
    """Write a page of the runs to `out`, and their table of figures where asked for. RunError where a file is there already.

    `interactive`: with charts that answer to the pointer besides the figures.
    """
    files = [path for path in (out, csv_out, markdown_out) if path is not None]
    for path in files:
        if path.exists() and not overwrite:
            raise RunError(f"{path} exists; overwrite it, or choose another name")
    drawing = library() if interactive else None
    entries = [open_run_entry(path) for path in paths]
    sections = [section(entry, interactive=interactive) for entry in entries]
    head, rows = table_of_figures(entries)
    notes = disagreements(entries)
    compared = beside(*entries) if len(entries) == 2 else None
    overview = upright(comparing("Runs", head, rows)) if len(entries) > 1 and compared is None else None
    drawing = drawing if any(s.charts for s in sections) else None
    page = render(
        title_of(sections), sections=sections, overview=overview, notes=notes, comparison=compared, library=drawing
    )
    texts = {out: page}
    if csv_out is not None:
        texts[csv_out] = as_csv(head, rows)
    if markdown_out is not None:
        texts[markdown_out] = in_markdown(by_command(head, rows))
    write_texts(texts)
    return {
        "command": "report",
        "runs": [str(path) for path in paths],
        "figures": sum(len(s.figures) for s in sections),
        "charts": sum(len(s.charts) for s in sections),
        "notes": notes,
        "csv": str(csv_out) if csv_out else None,
        "markdown": str(markdown_out) if markdown_out else None,
        "out": str(out),
    }


def section(entry: Entry, *, interactive: bool = False) -> RunSection:
    """Everything that the page says of a run."""
    lines = metrics_lines(entry)
    tables = [*summary_tables(entry), *results_tables(entry), *metrics_tables(lines)]
    tables.append(Table("Configuration", ["key", "value"], pairs(entry.config), folded=True))
    # a sweep's provenance is that of its runs
    inside = (path for path in sorted(entry.path.glob("*/env.json")) if (path.parent / DONE).exists())
    where = next(iter([*entry.path.glob("env.json"), *inside]), None)
    found: Mapping[str, Any] = {}
    if where is not None:
        if where.parent != entry.path:
            require_intact(where.parent, only=(where.name,))
        found = environment.read(where)
        tables.append(Table("Provenance", ["what", "value"], pairs(found), folded=True))
    pictures = [(p.stem.replace("_", " "), *picture(p)) for p in sorted(entry.path.glob("figures/*.png"))]
    drawn = charts_of(entry, lines) if interactive else []
    return RunSection(
        entry.path.name, str(entry.path), str(entry.command), entry.state, tables, pictures, drawn,
        key=key_figures(entry.summary), origin=origin(found),
    )  # fmt: skip


def charts_of(entry: Entry, lines: Sequence[Mapping[str, Any]]) -> list[LiveChart]:
    """The charts of a run: how it learned, its chips, the points of a sweep."""
    head, rows = sweep_table(entry) if entry.command in SWEEPS else ([], [])
    swept = points(head, rows, swept=swept_keys(entry)) if rows else ()
    return [*learning(lines), *chips(entry.summary), *swept]


def summary_tables(entry: Entry) -> list[Table]:
    """The summary: plain values in one table, tables within it as tables."""
    plain: list[tuple[str, str, str]] = []
    tables: list[Table] = []
    for name, value in entry.summary.items():
        if name in ("command", "out", "list") or value is None:
            continue
        if isinstance(value, Mapping):
            tables += tables_within(name, value)
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            tables.append(records(name, value))
        else:
            plain.append((name, text(value), "" if unit_of(name) == "1" else unit_of(name)))
    found = [Table("Summary", ["figure", "value", "unit"], plain)]
    if entry.command in SWEEPS:
        found += points_tables(entry)
    return found + tables


def metrics_lines(entry: Entry) -> list[dict[str, Any]]:
    """What the lines of metrics.jsonl say, but for what took how long."""
    path = entry.path / METRICS
    if not path.exists():
        return []
    try:
        lines = [json.loads(line) for line in read_text(path, most=LARGEST_LOG).splitlines()]
        if not all(isinstance(line, dict) for line in lines):
            raise ValueError
    except (ConfigError, ValueError, RecursionError):
        raise RunError(f"{path} is damaged, or too long") from None
    return [{key: value for key, value in line.items() if not is_time(key) and key != CHECKSUM} for line in lines]


def metrics_tables(lines: Sequence[Mapping[str, Any]]) -> list[Table]:
    """The lines of metrics.jsonl."""
    table = records("Metrics", lines)
    return [Table(table.title, table.head, table.rows, folded=True, note=table.note)] if lines else []


def table_of_figures(entries: Sequence[Entry]) -> tuple[list[str], list[list[Any]]]:
    """A row for each run, and for each point of a sweep: path, keys, and every figure that is a number."""
    records_: list[dict[str, Any]] = []
    for entry in entries:
        head, rows = sweep_table(entry) if entry.command in SWEEPS else ([], [])
        named = {"run": str(entry.path), "command": entry.command}
        if rows:
            records_ += [named | dict(zip(head, row, strict=True)) for row in rows]
        else:
            keys = {k: v for k, v in describe(entry).items() if k not in ("path", "state", "accuracy")}
            records_.append(named | keys | scalars(entry.summary))
    head = list(dict.fromkeys(key for record in records_ for key in record))
    return head, [[record.get(key) for key in head] for record in records_]
