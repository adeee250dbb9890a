"""The option of commands whose runs trackers are told of."""

from typing import get_args

import click

from xbar_cli.runs.trackers.tracker import TrackerName

track_option = click.option(
    "--track",
    multiple=True,
    type=click.Choice(get_args(TrackerName)),
    help="Tell this tracker too, as it goes, beside the run and without a network; again for more. Changes no result.",
)
