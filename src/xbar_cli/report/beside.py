"""Two runs beside each other: what their configurations differ in, and, of evaluations, the difference paired by chip."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xbar_cli.config.load import flatten
from xbar_cli.errors import RunError
from xbar_cli.report.page import SideBySide
from xbar_cli.report.said import interval, method, verdict
from xbar_cli.report.tables import Table, text
from xbar_cli.runs.listing import Entry

PLACES = ("run", "a", "b")
"""Keys of a configuration that are paths of other runs."""


def beside(a: Entry, b: Entry) -> SideBySide | None:
    """What the page says of two runs of one command; None where they are of two commands, which have little in common."""
    if a.command != b.command or a.command is None:
        return None
    lines, tables = [f"A is {a.path}, B is {b.path}."], []
    if a.command == "evaluate":
        try:
            found, said = paired(a.path, b.path)
        except RunError as error:
            lines.append(f"Not compared by chip: {error}.")
        else:
            lines += [f"{method(found)}, {found['images']} images.", verdict(found), *said]
            tables.append(difference_table(found))
    differing = differing_keys(a.config, b.config)
    if not differing:
        lines.append("Their configurations are the same.")
    tables.append(Table("Differs in the configuration", ["key", "A", "B"], differing))
    figures = differing_keys(_figures(a.summary), _figures(b.summary))
    tables.append(Table("Differs in the summary", ["figure", "A", "B", "B − A"], [_with_difference(a, b, row) for row in figures],
                        folded=bool(differing)))  # fmt: skip
    return SideBySide("Comparison of the two runs", lines, tables)


def paired(a: Path, b: Path) -> tuple[dict[str, Any], list[str]]:
    """What `xbar compare` says of two evaluations, and its notes. RunError where they cannot be compared."""
    from xbar_cli.report.compared import open_evaluation
    from xbar_cli.report.paired import figures, notes, on_chips

    one, other = open_evaluation(a), open_evaluation(b)
    pair = on_chips(one, other)
    return figures(one, other, pair), notes(one, other, pair)


def difference_table(found: Mapping[str, Any]) -> Table:
    """Both means and their difference, over the chips and over test sets."""
    (mean_a, mean_b), (error_a, error_b) = found["accuracy_mean"], found["test_set_error"]
    p = found["p_value"]
    rows = [
        ("A", f"{mean_a:.4f}", None, f"±{error_a:.4f}"),
        ("B", f"{mean_b:.4f}", None, f"±{error_b:.4f}"),
        (
            "B − A",
            f"{found['difference']:+.4f}",
            interval(found),
            f"±{found['difference_test_set_error']:.4f}",
        ),
        ("p of no difference over chips", None if p is None else f"{p:.3g}", None, None),
    ]
    return Table("Accuracy", ["", "mean", "95 % interval over chips", "std error over test sets"], rows)


def differing_keys(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Keys whose values differ, with both; a dash where one has none."""
    one, other = dict(flatten(a)), dict(flatten(b))
    keys = dict.fromkeys([*one, *other])
    return [(key, text(one.get(key)), text(other.get(key))) for key in keys if one.get(key) != other.get(key)]


def _figures(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What of a summary is a figure or a fact of the run, not how long it took or where it is."""
    return {
        name: value
        for name, value in summary.items()
        if name not in ("command", "out", "list", *PLACES)
        and not isinstance(value, Mapping)
        and not (isinstance(value, list) and len(value) > 2)
        and ("second" not in name or name.startswith("latency"))
    }


def _with_difference(a: Entry, b: Entry, row: tuple[str, str, str]) -> tuple[str, str, str, str | None]:
    one, other = a.summary.get(row[0]), b.summary.get(row[0])
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (one, other))
    return (*row, f"{other - one:+.6g}" if numbers and one is not None and other is not None else None)
