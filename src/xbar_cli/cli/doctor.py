"""`xbar doctor`."""

from collections.abc import Mapping
from typing import Any

import click

from xbar_cli.cli.shared.console import print_json, print_table

TITLES = {"needed": "What xbar needs", "extra": "Extras, for those who want them", "data set": "Data sets"}


@click.command(epilog="Example: xbar doctor --json")
@click.option("--data-dir", metavar="DIR", help="Where imported data sets are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else.")
@click.pass_context
def doctor(ctx: click.Context, data_dir: str | None, as_json: bool) -> None:
    """Check this machine: versions, JAX devices, ngspice, data sets, and what to do about each missing thing.

    Exits with 1 when something that xbar needs is missing; extras that are not installed and data sets that are not
    imported are no fault.
    """
    from xbar_cli.workflows.doctor import run

    report = run(data_dir=data_dir)
    if as_json:
        print_json(report)
    else:
        for group, title in TITLES.items():
            found = [f for f in report["findings"] if f["group"] == group]
            rows = [(f["name"].removeprefix("data set "), _state(f), f["found"], f["remedy"]) for f in found]
            columns = ["", "", "found", "what to do"] if any(row[-1] for row in rows) else ["", "", "found"]
            print_table(title, columns, [row[: len(columns)] for row in rows])
        click.echo(_verdict(report))
    ctx.exit(0 if report["healthy"] else 1)


def _state(finding: Mapping[str, Any]) -> str:
    return "ok" if finding["there"] and finding["ok"] else "optional" if finding["ok"] else "MISSING"


def _verdict(report: Mapping[str, Any]) -> str:
    missing = [f["name"] for f in report["findings"] if not f["ok"]]
    return f"{report['processor']}: " + (f"missing: {', '.join(missing)}" if missing else "all that xbar needs is here")
