"""Tables of results.nc: what it holds, and the points of a sweep."""

from itertools import product
from typing import Any

from xbar_cli.report.tables import Table, comparing
from xbar_cli.runs.listing import Entry
from xbar_cli.runs.results import RESULTS, read_dataset


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
    names.sort(key=lambda name: name not in dims)  # the trial's number names its row
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


def swept_keys(entry: Entry) -> int:
    """How many columns of a sweep's table are swept keys."""
    return len(read_dataset(entry.path / RESULTS).coords)
