"""`xbar characterize` and its subcommands."""

from .cell import characterize as characterize
