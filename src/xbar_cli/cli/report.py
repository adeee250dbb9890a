"""`xbar report`."""

from pathlib import Path

import click

from .shared.console import note, print_json


@click.command(epilog="Example: xbar report runs/schemes --out schemes.html --csv schemes.csv")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="The page (default runs/report-TIME-HASH.html)."
)
@click.option("--csv", "csv_out", metavar="FILE", type=click.Path(path_type=Path), help="Also the figures as CSV.")
@click.option(
    "--markdown", "markdown_out", metavar="FILE", type=click.Path(path_type=Path), help="Also the figures as Markdown."
)
@click.option(
    "--interactive", is_flag=True, help="Also charts that answer to the pointer (pip install 'xbar-cli[interactive]')."
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else.")
def report(
    runs: tuple[Path, ...],
    out: Path | None,
    csv_out: Path | None,
    markdown_out: Path | None,
    interactive: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """One HTML page of runs and sweeps: key figures, pictures, sortable tables, configuration, provenance.

    Of two runs also what they differ in, and of two evaluations the difference paired by chip, as `xbar compare` has it. One
    file that opens from disk, on a phone too, and asks nobody for anything.
    """
    from xbar_cli.runs.directory import default_out
    from xbar_cli.workflows.report import run

    if out is None:
        folder = default_out("report", {"runs": [str(path) for path in runs]})
        out = folder.with_name(folder.name + ".html")
    summary = run(
        runs, out=out, csv_out=csv_out, markdown_out=markdown_out, overwrite=overwrite, interactive=interactive
    )
    if as_json:
        print_json(summary)
        return
    for line in summary["notes"]:
        note(line)
    for name in ("out", "csv", "markdown"):
        if summary[name]:
            click.echo(f"{'report' if name == 'out' else name}: {summary[name]}")
