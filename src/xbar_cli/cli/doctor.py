"""`xbar doctor`."""

import click

from xbar_cli.cli.shared.console import print_json, print_table


@click.command(epilog="Example: xbar doctor --json")
@click.option("--data-dir", metavar="DIR", help="Where imported data sets are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else.")
@click.pass_context
def doctor(ctx: click.Context, data_dir: str | None, as_json: bool) -> None:
    """Check this machine: versions, JAX devices, ngspice, data sets, and what to do about each missing thing.

    Exits with 1 when something that xbar needs is missing; data sets that are not imported are no fault.
    """
    from xbar_cli.workflows.doctor import run

    report = run(data_dir=data_dir)
    if as_json:
        print_json(report)
    else:
        rows = [(f["name"], "ok" if f["ok"] else "MISSING", f["found"], f["remedy"]) for f in report["findings"]]
        print_table(f"xbar doctor: {report['processor']}", ["", "", "found", "what to do"], rows)
    ctx.exit(0 if report["healthy"] else 1)
