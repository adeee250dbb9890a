"""What every command that makes a run does around its workflow: directory, progress, summary, output."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .console import print_json
from .reporter import TerminalReporter

Workflow = Callable[..., dict[str, Any]]
Shower = Callable[[dict[str, Any]], None]


def execute(
    command: str,
    config: Any,
    *,
    workflow: Workflow,
    show: Shower,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    resume: Path | None = None,
    keep_partial: bool = False,
) -> None:
    """Run `workflow(config, run, reporter=…)` in a run directory and print its summary.

    Args:
        command: its name, for the default run directory.
        config: the resolved configuration.
        workflow: computes into the run and returns the summary.
        show: prints the summary as tables.
        out: run directory; None for the default.
        overwrite: replace a complete run at `out`.
        as_json: print the summary as one JSON object instead of tables.
        quiet: no progress, no notes.
        resume: the interrupted run to continue instead of a new one.
        keep_partial: leave an interrupted run that has a checkpoint, so that it can be resumed.
    """
    from xbar_cli.runs.directory import default_out, new_run, partial, reopened_run, resumable
    from xbar_cli.runs.seal import RunNote

    if quiet:
        warnings.simplefilter("ignore", RunNote)
    target = resume or out or default_out(command, config.in_use())
    if resume is not None:
        opened = reopened_run(resume)
    else:
        opened = new_run(target, overwrite=overwrite, keep_partial=keep_partial)
    try:
        with opened as run, TerminalReporter(quiet=quiet) as reporter:
            summary = workflow(config, run, reporter=reporter)
            run.finish(summary, overwrite=overwrite)
    except KeyboardInterrupt as error:
        final = target.with_name(target.name.removesuffix(".partial"))
        if keep_partial and resumable(partial(final)):
            error.add_note(f"`xbar {command} --resume {final}` goes on")
        raise
    if as_json:
        print_json(summary)
    else:
        show(summary)
        click.echo(f"run: {summary['out']}")
