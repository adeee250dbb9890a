"""What every command that makes a run does around its workflow: directory, progress, summary, output."""

import functools
import shlex
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xbar_cli.interruption import AGAIN, held, unwinding

from .console import print_json
from .reporter import reporting

if TYPE_CHECKING:
    from xbar_cli.runs.trackers.tracker import TrackerName

START_AGAIN = "the same command with --overwrite starts again"
"""After Ctrl-C, where there was no time to remove what is half done."""


def execute(
    command: str,
    config: Any,
    *,
    workflow: Callable[..., dict[str, Any]],
    show: Callable[[dict[str, Any]], None],
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    resume: Path | None = None,
    keep_partial: bool = False,
    track: "Sequence[TrackerName]" = (),
) -> None:
    """Run `workflow(config, run, reporter=…)` in a run directory, the default one without `out`, and print its summary.

    With `resume` an interrupted run goes on instead of a new one; `keep_partial` leaves one that has a checkpoint, so that it
    can. `track` names the trackers that are told.
    """
    from xbar_cli.config.load import flatten
    from xbar_cli.runs.directory import default_out, new_run, partial, reopened_run
    from xbar_cli.runs.trackers.tracking import check_trackers, tracked

    target, finished = resume or out or default_out(command, config.in_use()), False
    final = partial(target).with_name(target.name.removesuffix(".partial"))
    check_trackers(track, final)
    if quiet:
        hush()
    fresh = functools.partial(new_run, target, overwrite=overwrite, keep_partial=keep_partial)
    opened = fresh() if resume is None else reopened_run(resume)
    told = functools.partial(way_on, command, final, can_resume=keep_partial, named=out is not None)
    with unwinding(lambda: told(finished=finished)), opened as run, reporting(quiet=quiet) as reporter:
        settings = dict(flatten(config if isinstance(config, dict) else config.in_use()))
        with tracked(track, run, settings, command=command, reporter=reporter) as (followed, tracking):
            summary = workflow(config, followed, reporter=reporter)
            with held():
                run.finish(summary, overwrite=overwrite)
                finished = True
            tracking.finish(summary)
    if as_json:
        print_json(summary)
    else:
        show(summary)
        click.echo(f"run: {summary['out']}")


def hush() -> None:
    """No notes on the runs that are opened."""
    from xbar_cli.runs.seal import RunNote

    warnings.simplefilter("ignore", RunNote)


def way_on(command: str, final: Path, *, can_resume: bool, named: bool, finished: bool) -> str:
    """How to go on after Ctrl-C in a `command` whose run was to be at `final`.

    `can_resume`: it has `--resume`; `named`: the place was given, and the same command finds it again; `finished`: the run is
    complete.
    """
    from xbar_cli.runs.directory import partial, resumable

    if finished:
        return f"the run is complete: {final}"
    if can_resume and resumable(partial(final)):
        return f"`xbar {command} --resume {shlex.quote(str(final))}` goes on"
    return START_AGAIN if named and partial(final).exists() else AGAIN
