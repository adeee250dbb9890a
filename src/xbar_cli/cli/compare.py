"""`xbar compare`."""

from pathlib import Path
from typing import Any

import click

from xbar_cli.report.said import interval, method, value, verdict

from .shared.console import print_table, say
from .shared.running import execute


@click.command(epilog="Example: xbar compare runs/eval-de runs/eval-acm")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--out", type=click.Path(path_type=Path), help="Run directory (default runs/compare-TIME-HASH).")
@click.option("--overwrite", is_flag=True, help="Replace a complete run at --out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else.")
@click.option("--quiet", is_flag=True, help="No notes.")
def compare(a: str, b: str, out: Path | None, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Compare two evaluate runs: B − A over the same chips where both drew the same, with interval and p."""
    from xbar_cli.runs.directory import default_out
    from xbar_cli.workflows.compare import run

    config = {"a": a, "b": b}
    target = out or default_out("compare", config)
    execute("compare", config, workflow=run, show=show, out=target, overwrite=overwrite, as_json=as_json, quiet=quiet)


def show(summary: dict[str, Any]) -> None:
    """Print the summary as a table."""
    (mean_a, mean_b), (error_a, error_b) = summary["accuracy_mean"], summary["test_set_error"]
    p = summary["p_value"]
    rows = [
        (f"A: {summary['a']}", f"{mean_a:.4f}", f"±{error_a:.4f}"),
        (f"B: {summary['b']}", f"{mean_b:.4f}", f"±{error_b:.4f}"),
        ("B − A", f"{summary['difference']:+.4f}", f"±{summary['difference_test_set_error']:.4f}"),
        ("its 95 % interval over chips", interval(summary), ""),
        ("p of no difference over chips", "–" if p is None else f"{p:.3g}", ""),
    ]
    print_table(f"{method(summary)}, {summary['images']} images", ["", "accuracy", "std error over test sets"], rows)
    if summary["differ_in"]:
        told = (f"{key} {' / '.join(map(value, both))}" for key, both in summary["differ_in"].items())
        say(f"A / B differ in: {', '.join(told)}")
    say(verdict(summary))
