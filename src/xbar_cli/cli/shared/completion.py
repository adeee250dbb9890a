"""What a shell offers while one types: runs, networks, data sets, technologies, effects and their parameters.

`docs/install.md` says how a shell learns to ask. It loads no NumPy, so that the answer comes at once.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
MOST = 500
"""Runs of a folder that are looked at."""
RUNS: dict[str, tuple[str, ...]] = {
    "start": ("train",),
    "cell": ("characterize",),
    "activity": ("evaluate", "energy"),
    "baseline": ("map",),
    "map": ("map",),
    "resume": (),
}
"""By the option that names a run, the commands that make one; none for unfinished ones."""


def offered(names: Callable[[], Iterable[str]]) -> Complete:
    """Names, those that begin with what is typed."""

    def complete(_context: click.Context, _option: click.Parameter, begun: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in names() if name.startswith(begun)]

    return complete


def runs(*commands: str) -> Complete:
    """Complete runs that one of the commands made (any without), of the folder that is typed, or else of here and `runs`."""

    def complete(_context: click.Context, _option: click.Parameter, begun: str) -> list[CompletionItem]:
        from xbar_cli.runs.opening import runs_in

        typed = Path(begun)
        folders = [typed if begun.endswith("/") else typed.parent] + ([Path("runs")] if "/" not in begun else [])
        found = (run for folder in folders for run in runs_in(folder, most=MOST))
        names = dict.fromkeys(str(run) for run in found if not commands or _made_by(run) in commands)
        near = [CompletionItem(name) for name in names if name.startswith(begun) or Path(name).name.startswith(begun)]
        return near or [CompletionItem(begun, type="dir")]

    return complete


def _made_by(run: Path) -> str | None:
    """The command that made a run."""
    try:
        return json.loads((run / "summary.json").read_text(encoding="utf-8"))["command"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def effects(_context: click.Context, _option: click.Parameter, begun: str) -> list[CompletionItem]:
    """Effects, and behind the colon their parameters."""
    from xbar_cli.config.effects import EFFECTS

    model, colon, rest = begun.partition(":")
    if not colon or model not in EFFECTS:
        return [CompletionItem(f"{name}:") for name in EFFECTS if name.startswith(model)]
    given, comma, last = rest.rpartition(",")
    head = f"{model}:{given}{comma}"
    keys = [key for key in EFFECTS[model].model_fields if key != "model" and f"{key}=" not in given]
    return [CompletionItem(f"{head}{key}=") for key in keys if key.startswith(last)]


def or_fitted(shipped: Callable[[], Iterable[str]]) -> Complete:
    """What is shipped, then runs of `xbar fit`."""

    def complete(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
        named = [CompletionItem(name) for name in shipped() if name.startswith(begun)]
        own = [item for item in runs("fit")(context, option, begun) if item.type != "dir"]
        return named + own or [CompletionItem(begun, type="file")]

    return complete


def completion_of(key: str) -> Complete | None:
    """What is offered for the option of a key; None where nothing is known."""
    from xbar_cli.config.known import offers

    leaf = key.rpartition(".")[2]
    if leaf == "technology":
        return or_fitted(offers.technologies)
    if leaf == "switching" or key == "programming.device":
        return or_fitted(offers.switching_models)
    if key in ("cell.run", "tile.run"):
        return runs(*RUNS["cell" if key == "cell.run" else "map"])
    if leaf in RUNS:
        return runs(*RUNS[leaf])
    return {
        "network.name": offered(offers.networks), "dataset.name": offered(offers.data_sets), "variation.effects": effects,
        "inject": effects,
    }.get(key)  # fmt: skip
