"""`xbar verify`."""

from pathlib import Path
from typing import Any

import click

from xbar_cli.config.verify import VerifyConfig
from xbar_cli.errors import ConfigError
from xbar_cli.interruption import AGAIN, unwinding

from .shared.console import print_json, print_table
from .shared.options import options


@click.command(epilog="Example: xbar verify --cases crossbars.json --json")
@options(VerifyConfig, draws=False)
def verify(config: VerifyConfig, out: Path | None, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Check the array models against Qucs, ngspice, SciPy's sparse LU and closed forms; exit 1 where one fails.

    No run directory is made without --out.
    """
    from xbar_cli.workflows.verify import require_passed

    if overwrite and out is None:
        raise ConfigError("--overwrite replaces the run at --out, and there is no --out")
    summary = _summary(config, out=out, overwrite=overwrite, quiet=quiet)
    if as_json:
        print_json(summary)
    else:
        show(summary)
    require_passed(summary)


def _summary(config: Any, *, out: Path | None, overwrite: bool, quiet: bool) -> dict[str, Any]:
    """Verify, in a run directory only where one is asked for."""
    from xbar_cli.runs.directory import new_run
    from xbar_cli.workflows.verify import run

    from .shared.console import plain
    from .shared.reporter import reporting

    if out is None:
        with reporting(quiet=quiet) as reporter:
            return run(config, reporter=reporter)
    opened = new_run(out, overwrite=overwrite)
    with unwinding(lambda: AGAIN), opened as directory, reporting(quiet=quiet) as reporter:
        summary = plain(run(config, directory, reporter=reporter))
        directory.finish(summary, overwrite=overwrite)
    return summary


def show(summary: dict[str, Any]) -> None:
    """Print the checks, or the cases of a file, as a table."""
    if "checks" in summary:
        rows = [
            (c["model"], c["oracle"], c["n"], _error(c["max_error"]),
             f"{c['allowed']:.0e}{' of full scale' if c['scale'] == 'full scale' else ''}", _word(c["passed"]))
            for c in summary["checks"]
        ]  # fmt: skip
        print_table("xbar verify", ["model", "oracle", "n", "max error", "allowed", "pass"], rows)
        for note in sorted({c["note"] for c in summary["checks"] if c["note"]}):
            click.echo(note)
    else:
        rows = [
            (c["case"], c["model"], "×".join(map(str, c["array"])), _error(c["max_relative_error"]),
             _error(c["max_full_scale_error"]), _error(c["allowed"]), _word(c["passed"]))
            for c in summary["cases"]
        ]  # fmt: skip
        print_table(
            "xbar verify", ["case", "model", "array", "relative error", "of full scale", "allowed", "pass"], rows
        )


def _error(value: float | None) -> str | None:
    return None if value is None else f"{value:.1e}"


def _word(passed: bool | None) -> str:
    return {True: "yes", False: "NO", None: "left out"}[passed]
