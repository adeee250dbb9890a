"""A training that starts from another run: what it takes over of that run's configuration where nothing else is asked for."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from xbar_cli.errors import XbarError
from xbar_cli.outside import read_toml
from xbar_cli.runs.directory import CONFIG

TAKEN = ("network", "dataset")
"""Tables that are taken over, each unless the configuration names another network or data set."""


def start_of(tree: Mapping[str, Any]) -> str | None:
    """The run that the tables of a training name as its start; None where it has none."""
    method = tree.get("method", "ideal")
    own = tree.get(method) if isinstance(method, str) else None
    found = tree.get("start", own.get("start") if isinstance(own, Mapping) else None)
    return found if isinstance(found, str) and found else None


def with_start(tree: Mapping[str, Any], read: Callable[[str], Mapping[str, Any] | None]) -> dict[str, Any]:
    """The tables of a training, with network and data set of the run that it starts from where it names none of its own.

    What it says besides, such as a number of training images, stays. `read` is the configuration of a run; None where there is
    none, of which the training itself complains.
    """
    found, start = dict(tree), start_of(tree)
    config = None if start is None else read(start)
    if config is None:
        return found
    for name in TAKEN:
        own, theirs = tree.get(name, {}), config.get(name)
        if isinstance(own, Mapping) and "name" not in own and isinstance(theirs, Mapping):
            found[name] = {**theirs, **own}
            if name == "dataset" and str(tree.get("seed", 0)) != str(config.get("seed", 0)):
                # the same images are held out, whatever the seed
                found[name].setdefault("split_seed", config.get("seed", 0))
    return found


def config_of(run: str) -> Mapping[str, Any] | None:
    """The configuration that a run was made with; None where it cannot be read."""
    try:
        return read_toml(Path(run) / CONFIG)
    except XbarError:
        return None
