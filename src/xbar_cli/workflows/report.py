"""`xbar report`: runs as one page that needs nothing but itself, and as CSV or Markdown."""

import base64
import json
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from xbar_cli.errors import ConfigError, RunError
from xbar_cli.experiment.results import is_time, scalars, unit_of
from xbar_cli.outside import MEGABYTE, read_text
from xbar_cli.report.agreement import disagreements
from xbar_cli.report.page import RunSection, render
from xbar_cli.report.tables import Table, as_csv, as_markdown, comparing, pairs, records, tables_within, text
from xbar_cli.runs import environment
from xbar_cli.runs.directory import DONE, METRICS, partial
from xbar_cli.runs.listing import SWEEPS, Entry, describe, open_entry
from xbar_cli.runs.metrics import CHECKSUM
from xbar_cli.runs.results import RESULTS, read_dataset
from xbar_cli.runs.seal import ANEW, require_intact
from xbar_cli.runs.whole import write_whole

PNG = b"\x89PNG\r\n\x1a\n"
LARGEST_LOG = 256 * MEGABYTE
"""Of metrics.jsonl."""


def run(
    paths: Sequence[Path], *, out: Path, csv_out: Path | None, markdown_out: Path | None, overwrite: bool
) -> dict[str, Any]:
    """Write a page of the runs to `out`, and their table of figures where asked for. RunError where a file is there already."""
    files = [path for path in (out, csv_out, markdown_out) if path is not None]
    for path in files:
        if path.exists() and not overwrite:
            raise RunError(f"{path} exists; overwrite it, or choose another name")
    entries = [open_run_entry(path) for path in paths]
    sections = [section(entry) for entry in entries]
    head, rows = table_of_figures(entries)
    notes = disagreements(entries)
    overview = comparing("Runs", head, rows) if len(entries) > 1 else None
    texts = {out: render(", ".join(s.name for s in sections), sections=sections, overview=overview, notes=notes)}
    if csv_out is not None:
        texts[csv_out] = as_csv(head, rows)
    if markdown_out is not None:
        texts[markdown_out] = as_markdown(head, rows)
    for path, content in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content.encode("utf-8", "backslashreplace").decode(), follow=True)
        except OSError as error:
            raise RunError(f"{path} cannot be written: {error.strerror}") from None
    return {
        "command": "report",
        "runs": [str(path) for path in paths],
        "figures": sum(len(s.figures) for s in sections),
        "notes": notes,
        "csv": str(csv_out) if csv_out else None,
        "markdown": str(markdown_out) if markdown_out else None,
        "out": str(out),
    }


def open_run_entry(path: Path) -> Entry:
    """The run at `path`, complete or a sweep with points to do; RunError where there is none, half of one, or a damaged one."""
    entry = open_entry(path) if path.is_dir() else None
    if entry is None:
        if partial(path).is_dir():
            raise RunError(f"{path} is half-written (it was interrupted, or still runs); see {partial(path)}")
        raise RunError(f"{path}: no run there; `xbar ls` lists runs")
    if entry.state in ("damaged", "interrupted", "at work"):
        raise RunError(f"{path}: {entry.reason or 'not a complete run'}")
    if (path / DONE).exists():
        require_intact(path)
    return entry


def section(entry: Entry) -> RunSection:
    """Everything that the page says of a run."""
    tables = [*summary_tables(entry), *results_tables(entry), *metrics_tables(entry)]
    tables.append(Table("Configuration", ["key", "value"], pairs(entry.config), folded=True))
    # a sweep's provenance is that of its runs
    inside = (path for path in sorted(entry.path.glob("*/env.json")) if (path.parent / DONE).exists())
    where = next(iter([*entry.path.glob("env.json"), *inside]), None)
    if where is not None:
        if where.parent != entry.path:
            require_intact(where.parent, only=(where.name,))
        tables.append(Table("Provenance", ["what", "value"], pairs(environment.read(where)), folded=True))
    pictures = [(p.stem.replace("_", " "), picture(p)) for p in sorted(entry.path.glob("figures/*.png"))]
    return RunSection(entry.path.name, str(entry.path), str(entry.command), entry.state, tables, pictures)


def picture(path: Path) -> str:
    """A figure of a run in base64. A link is not followed: the page would show what lies outside of the run."""
    content = b"" if path.is_symlink() or not path.is_file() else path.read_bytes()
    if not content.startswith(PNG):
        raise RunError(f"{path} is no picture; {ANEW}")
    return base64.b64encode(content).decode()


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
    found = [Table("Summary", ["", "value", "unit"], plain)]
    if entry.command in SWEEPS:
        found += points_tables(entry)
    return found + tables


def points_tables(entry: Entry) -> list[Table]:
    """What became of each point of a sweep; with its figures where there are results."""
    listed = entry.summary.get("list", [])
    failed = [[p.get(key) for key in ("name", "stage", "reason", "log")] for p in listed if p.get("state") == "failed"]
    tables = [Table("Failed points", ["point", "stage", "reason", "log"], failed)] if failed else []
    head, rows = sweep_table(entry)
    return [*tables, comparing("Points", head, rows)] if rows else tables


def sweep_table(entry: Entry) -> tuple[list[str], list[list[Any]]]:
    """A row for each point of a sweep: swept values, then figures."""
    if not (entry.path / RESULTS).exists():
        return [], []
    dataset = read_dataset(entry.path / RESULTS)
    dims = list(dict.fromkeys(str(d) for v in dataset.data_vars.values() for d in v.dims))
    keys, names = [str(c) for c in dataset.coords], [str(v) for v in dataset.data_vars]
    rows: list[list[Any]] = []
    for index in product(*(range(dataset.sizes[dim]) for dim in dims)):
        at = dataset.isel(dict(zip(dims, index, strict=True)))
        rows.append([at[name].values.item() for name in [*keys, *names]])
    return [*keys, *names], rows


def results_tables(entry: Entry) -> list[Table]:
    """What results.nc holds."""
    if not (entry.path / RESULTS).exists():
        return []
    dataset = read_dataset(entry.path / RESULTS)
    rows = [
        (
            str(name),
            " × ".join(f"{dim} {dataset.sizes[dim]}" for dim in v.dims),
            v.attrs.get("units", ""),
            v.attrs.get("long_name", ""),
        )
        for name, v in dataset.variables.items()
    ]
    return [Table(RESULTS, ["variable", "over", "unit", "what"], rows, folded=True)]


def metrics_tables(entry: Entry) -> list[Table]:
    """The lines of metrics.jsonl."""
    path = entry.path / METRICS
    if not path.exists():
        return []
    try:
        lines = [json.loads(line) for line in read_text(path, most=LARGEST_LOG).splitlines()]
        if not all(isinstance(line, dict) for line in lines):
            raise ValueError
    except (ConfigError, ValueError, RecursionError):
        raise RunError(f"{path} is damaged, or too long") from None
    shown = [{key: value for key, value in line.items() if not is_time(key) and key != CHECKSUM} for line in lines]
    table = records("Metrics", shown)
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
