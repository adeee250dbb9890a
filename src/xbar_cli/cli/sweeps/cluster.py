"""Options of commands whose runs are computed by processes here, or on a cluster."""

from collections.abc import Callable
from typing import Any

import click


class Seconds(click.ParamType[float]):
    """A time above 0, with its unit or in seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; Click's own error for what is no time above 0."""
        from xbar_cli.config.base import parse_time

        try:
            found = float(parse_time(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if found <= 0:
            self.fail(f"{found:g} s is no time above 0", param, ctx)
        return found


def cluster_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --workers, --scheduler, --retries and --timeout."""
    options = (
        click.option(
            "--workers", type=click.IntRange(1, 1024), metavar="N", help="Processes here (default one a processor)."
        ),
        click.option(
            "--scheduler", metavar="ADDRESS", help="An existing Dask cluster instead, such as tcp://host:8786."
        ),
        click.option(
            "--retries", type=click.IntRange(0, 100), default=2, show_default=True, help="More tries of a failed run."
        ),
        click.option(
            "--timeout",
            type=Seconds(),
            metavar="TIME",
            help="Limit of each run, such as 600, 10m or 2h (default none).",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def require_one(workers: int | None, scheduler: str | None) -> None:
    """A usage error where both are given."""
    if workers is not None and scheduler is not None:
        raise click.UsageError("--workers starts processes here and --scheduler uses a cluster: give one of them")
