"""The `xbar` command: subcommands loaded when called, errors in one line, exit codes 0, 1, 2 and 130."""

import contextlib
import errno
import importlib
import keyword
import re
import shlex
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import click

from xbar_cli import interruption
from xbar_cli.errors import XbarError
from xbar_cli.outside import LONGEST_QUOTE, clean_text, did_you_mean, printable, quoted

from .shared.console import note
from .shared.start import run as run

COMMANDS = {
    "characterize": ("characterize", "SPICE sweep of a 1T-1R cell: linear range and surrogate."),
    "train": ("train", "Train a network, plainly or inside a cell's linear range."),
    "import": ("importing", "Make a train run of a network trained elsewhere."),
    "layers": ("layers", "What of a network sits on arrays, and what stays digital and why."),
    "partition": ("layers", "Which layers to keep digital, for a loss of accuracy."),
    "design": ("sweeps.design", "Parameters of arrays by gradient through their physics."),
    "advise": ("advise", "What costs a network its accuracy on chips, and what wins it back."),
    "map": ("map", "Put a network's weights on devices."),
    "evaluate": ("evaluate", "Monte-Carlo accuracy on non-ideal arrays (also: eval)."),
    "energy": ("energy", "Energy, area and latency of a mapped network."),
    "pareto": ("pareto", "Accuracy against energy and area over runs."),
    "verify": ("verify", "Check the array models against oracles from outside."),
    "new": ("sweeps.new", "Write an experiment file to start from."),
    "run": ("sweeps.run", "Run a pipeline or a sweep from a file, on Dask."),
    "plot": ("sweeps.plot", "Draw a sweep or a run for print."),
    "search": ("sweeps.search", "Search designs: several objectives, chips raced, on Dask."),
    "reproduce": ("reproduce", "The papers' figures and tables: ours beside theirs."),
    "watch": ("sweeps.watch", "A page on a sweep or a training at work."),
    "compare": ("compare", "Compare two evaluations chip by chip."),
    "ls": ("ls", "List runs with their keys and figures."),
    "report": ("report", "One HTML page of runs: figures, tables, configuration."),
    "demo": ("demo", "The whole pipeline on the bundled data set."),
    "fit": ("fit", "Statistics of measured devices."),
    "data": ("data", "List, import and prepare data sets."),
    "doctor": ("doctor", "Check this machine: versions, devices, ngspice, data sets."),
}
LONGEST_LINE = 600
"""Characters of an error."""
ALIASES = {"eval": "evaluate"}


class Commands(click.Group):
    """Loads a subcommand's module only when it is asked for: `xbar --help` imports no JAX."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order of a pipeline."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called `cmd_name`, or its alias."""
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"xbar_cli.cli.{COMMANDS[name][0]}")
        return getattr(module, f"{name}_" if keyword.iskeyword(name) else name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named; where there is none, Click's error with the one that may be meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = did_you_mean(args[0], [*COMMANDS, *ALIASES])
            raise click.UsageError(f"{error.message.removesuffix('.')}{near}.", error.ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """The command; Ctrl-C as Click's own error, which it passes on without an empty line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Help lines, without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


EXAMPLE = """\b
Example:
  xbar characterize --vg-range 0.7:1.0:0.05 --out runs/cell
  xbar train --method neat --vg 0.8 --cell runs/cell --out runs/net
  xbar eval runs/net --variation 0.05"""


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=EXAMPLE
)
@click.version_option(package_name="xbar-cli", prog_name="xbar")
def cli() -> None:
    """Neural networks on memristive crossbars: accuracy, energy, area and latency."""


def guarded(arguments: list[str]) -> int:
    """Run the command line; the exit code. Expected failures become one line on stderr."""
    interruption.begin()
    try:
        for word in arguments:
            if not clean_text(word).strip():
                raise ValueError("an argument is empty")
    except ValueError as error:
        return _fail(str(error), 2)
    try:
        with noted():
            code = cli.main(args=arguments, prog_name="xbar", standalone_mode=False, obj=tuple(arguments))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        hint = f" (see {error.ctx.command_path} -h)" if error.ctx else ""
        return _fail(_values_cut(error.format_message()) + hint, 2)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _fail(interruption.message(), interruption.code())
    except Exception as error:
        return _failed(error)
    return code if isinstance(code, int) else 0


def _failed(error: Exception) -> int:
    """The line on what a command raised, and its exit code; what nobody expects is raised again."""
    if interruption.asked():  # a library made another error of Ctrl-C
        return _fail(interruption.message(), interruption.code())
    if isinstance(error, XbarError):
        click.echo(getattr(error, "trace", ""), err=True, nl=False)  # of the user's own file
        return _fail("; ".join([str(error), *way_on(error)]), 1)
    if isinstance(error, BrokenPipeError):
        sys.stdout = None  # the reader is gone: nothing left to flush
        return 1
    line = storage_failure(error) or device_failure()
    if line is None:
        raise error
    return _fail(line, 1)


@contextlib.contextmanager
def noted() -> Iterator[None]:
    """Notes on the runs that a command opens are printed on stderr, each once."""
    from xbar_cli.runs.seal import RunNote

    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, RunNote):
                note(str(message))
            else:
                others(message, category, *place, **more)

        warnings.simplefilter("default", RunNote)
        warnings.showwarning = show
        yield


def way_on(error: XbarError) -> list[str]:
    """What to do about a place that is taken, as it is typed."""
    from xbar_cli.runs.directory import TakenPlace

    if not isinstance(error, TakenPlace):
        return []
    if error.state == "complete":
        return ["--overwrite replaces it, or choose another --out"]
    if error.state == "resumable":
        return [f"`xbar train --resume {shlex.quote(str(error.out))}` goes on, --overwrite starts again"]
    return ["--overwrite starts it again"]


def storage_failure(error: BaseException | None) -> str | None:
    """One line where the error, or one behind it, says that disk, memory or open files end, or not to write; else None."""
    while error is not None:
        text = str(error)
        if "No space left on device" in text or "Disk quota exceeded" in text:
            return f"the disk is full: free some space, or choose another --out; {interruption.way_on()}"
        if isinstance(error, PermissionError) or "Read-only file system" in text:
            where = f": {error.filename}" if isinstance(error, OSError) and error.filename else ""
            return f"cannot write{where} (permission denied or read-only)"
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text:
            return f"the memory is full: make the batch, the tile or the network smaller; {interruption.way_on()}"
        if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.EMFILE, errno.ENFILE):
            return f"{quoted(error.filename)}: {error.strerror}"
        error = error.__cause__ or error.__context__
    return None


def device_failure() -> str | None:
    """One line where it is JAX that does not start, as with a platform that is not here; else None."""
    from xbar_cli.runs.environment import jax_failure

    line = jax_failure()
    return None if line is None else f"{line}; unset what is wrong, and see `xbar doctor`"


def _values_cut(message: str) -> str:
    """A message of Click with the values that it quotes cut; paths stay whole."""
    return re.sub(rf"'[^'/]{{{LONGEST_QUOTE},}}'", lambda found: f"{found[0][:LONGEST_QUOTE]}…'", message)


def _fail(message: str, code: int) -> int:
    line = printable(" ".join(message.split()))
    if len(line) > LONGEST_LINE:  # a message of a library that quotes its input, or a path without an end
        line = f"{line[: LONGEST_LINE // 2]} … {line[-LONGEST_LINE // 3 :]}"
    note(f"Error: {line}")
    return code
