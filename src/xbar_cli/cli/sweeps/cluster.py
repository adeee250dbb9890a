"""Options of commands whose runs are computed by processes here, or on a cluster."""

from collections.abc import Callable
from typing import Any

import click


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
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="Limit of each run (default none).",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def require_one(workers: int | None, scheduler: str | None) -> None:
    """A usage error where both are given."""
    if workers is not None and scheduler is not None:
        raise click.UsageError("--workers starts processes here and --scheduler uses a cluster: give one of them")
