"""`xbar ls`: the runs in a folder with the keys and figures that tell them apart. Reads JSON and TOML only."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xbar_cli.errors import ConfigError, RunError
from xbar_cli.outside import read_toml
from xbar_cli.runs.directory import CONFIG, DONE, SUMMARY, at_work
from xbar_cli.runs.opening import read_summary
from xbar_cli.runs.seal import require_intact
from xbar_cli.runs.selecting import differing, named, parse_term, values_of

KEYS: dict[str, tuple[str, ...]] = {
    "network": ("network.name",),
    "dataset": ("dataset.name",),
    "method": ("method",),
    "card": ("cell.card",),
    "scheme": ("mapping.scheme",),
    "bits": ("mapping.bits",),
    "array": ("array.model",),
    "vg": ("neat.vg", "cell.vg", "sweep.vg_range"),
    "variation": ("variation.amount",),
    "samples": ("monte_carlo.samples",),
    "seed": ("seed",),
    "train_seed": (),
}
"""Column of the listing: the summary's own key of this name, else the first of these keys of the configuration."""
FIGURES = {
    "accuracy": ("accuracy_mean", "test_accuracy"),
    "accuracy_std": ("accuracy_std",),
    "energy_joule": ("energy_joule",),
    "difference": ("difference",),
    "p_value": ("p_value",),
}
"""Figure of the listing: the first of these keys that the summary has."""
SWEEPS = ("run", "search")
"""Commands whose folder holds the runs of others."""
INHERITED = ("network", "dataset", "method", "scheme", "bits", "vg", "train_seed")
"""Columns that a run takes from the run it was made of."""


@dataclass(frozen=True)
class Entry:
    """A run directory.

    Attributes:
        path: where it is.
        state: `done`, `at work`, `interrupted`, `incomplete` (a sweep with points to do), or `damaged`.
        summary: its summary; empty where it is not done.
        config: its resolved configuration; empty where it has none.
        reason: one line where it is damaged.
    """

    path: Path
    state: str
    summary: Mapping[str, Any]
    config: Mapping[str, Any]
    reason: str | None = None

    @property
    def command(self) -> str | None:
        """The command that made it."""
        return self.summary.get("command")


def find_runs(folder: Path, *, inside: bool = True) -> Iterator[Entry]:
    """Every run in a folder, at any depth, by path; what lies inside of a run is part of it, but for a sweep's runs.

    Those of a sweep that lies in the folder are found where it is looked `inside` of sweeps.
    """
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder")
    yield from _found(folder, deeper=True, inside=inside)


def _found(folder: Path, *, deeper: bool, inside: bool) -> Iterator[Entry]:
    """The runs in a folder; those of a sweep in this very folder where it is looked `deeper`."""
    entry = open_entry(folder)
    if entry is not None:
        yield entry
        if entry.command not in SWEEPS or not deeper:
            return
    try:
        children = sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    except OSError as error:
        yield Entry(folder, "damaged", {}, {}, reason=f"cannot be read ({error.strerror})")
        return
    for child in children:
        if os.access(child, os.R_OK | os.X_OK):
            yield from _found(child, deeper=inside, inside=inside)
        else:
            yield Entry(child, "damaged", {}, {}, reason="cannot be read (permission denied)")


def open_entry(folder: Path) -> Entry | None:
    """The run in this very folder; None where it is none."""
    if folder.name.endswith(".partial"):
        return Entry(folder, "at work" if at_work(folder) else "interrupted", {}, _config(folder)[0])
    if not (folder / DONE).exists() and not (folder / SUMMARY).exists():
        return None
    config, problem = _config(folder)
    try:
        if (folder / DONE).exists():
            require_intact(folder, only=(SUMMARY, CONFIG))
        summary = read_summary(folder)
    except RunError as error:
        return Entry(folder, "damaged", {}, config, reason=str(error).removeprefix(f"{folder}: "))
    if problem is not None:
        return Entry(folder, "damaged", summary, config, reason=problem)
    if not (folder / DONE).exists():
        if summary["command"] in SWEEPS:
            return Entry(folder, "incomplete", summary, config)
        return Entry(folder, "damaged", summary, config, reason="half-written: no `done` in it")
    return Entry(folder, "done", summary, config)


def _config(folder: Path) -> tuple[dict[str, Any], str | None]:
    """The configuration, and what is wrong with it; a run without one is not wrong."""
    if not (folder / CONFIG).exists():
        return {}, None
    try:
        return read_toml(folder / CONFIG), None
    except ConfigError:
        return {}, f"{CONFIG} is damaged"


def describe(entry: Entry) -> dict[str, Any]:
    """One entry of the listing: path, state, command, keys and figures."""
    found: dict[str, Any] = {"path": str(entry.path), "state": entry.state, "command": entry.command}
    if entry.command == "run":
        found |= {name: entry.summary.get(name) for name in ("experiment", "points", "done", "failed")}
    if entry.command == "search":
        found |= {name: entry.summary.get(name) for name in ("experiment", "trials", "complete", "failed")}
    return found | keys_of(entry) | figures_of(entry.summary)


def keys_of(entry: Entry, *, depth: int = 4) -> dict[str, Any]:
    """The keys that tell this run apart, those of the run that it was made of with them."""
    found: dict[str, Any] = {}
    for name, keys in KEYS.items():
        values = [entry.summary.get(name), *(_at(entry.config, key) for key in keys)]
        value = next((v for v in values if isinstance(v, (str, int, float)) and not isinstance(v, bool)), None)
        if value is not None:
            found[name] = value
    source = source_of(entry) if depth else None
    if source is not None:
        before = keys_of(source, depth=depth - 1)
        if source.command == "train" and "seed" in before:
            before["train_seed"] = before["seed"]
        if source.command == "map":  # its mapping applies: the evaluation's own section is not used
            found = {name: value for name, value in found.items() if name not in ("scheme", "bits", "vg")}
        found = {name: before[name] for name in INHERITED if name in before} | found
    return {name: found[name] for name in KEYS if name in found}


def source_of(entry: Entry) -> Entry | None:
    """The run that this one was made of, where it is still there."""
    source = entry.config.get("run")
    if not isinstance(source, str) or not source:
        inside = entry.path / "train"
        return open_entry(inside) if inside.is_dir() else None
    folder = Path(source)
    # moved together, the two lie side by side
    for place in (folder, entry.path.parent / folder.name, entry.path / "train"):
        if place.is_dir():
            return open_entry(place)
    return None


def _at(tree: Any, key: str) -> Any:
    for name in key.split("."):
        if not isinstance(tree, Mapping) or name not in tree:
            return None
        tree = tree[name]
    return tree


def figures_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a summary that are listed."""
    found = {name: next((summary[key] for key in keys if isinstance(summary.get(key), (int, float))), None)
             for name, keys in FIGURES.items()}  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def listing(folder: Path, *, where: Sequence[str] = (), sort: str | None = None) -> dict[str, Any]:
    """The runs in a folder, those alone of which all terms `where` are true, and what is damaged.

    Runs of a sweep in the folder are among them where there are terms, and where the folder is the sweep's own.

    Runs of one command come with what differs in their configurations besides the listing's own columns (`differs`). With `sort`
    they are in the order of a key, falling where it begins with `-`; those without it come last. ConfigError where none has such
    a key.
    """
    entries = list(find_runs(folder, inside=bool(where)))
    runs = [(describe(e), e) for e in entries if e.state != "damaged"]
    every = [values_of(described, entry.config, entry.summary) for described, entry in runs]
    known = list(dict.fromkeys(key for values in every for key in values))
    terms = [(term, named(term.name, known)) for term in map(parse_term, where)] if runs else []
    kept = [n for n, values in enumerate(every) if all(term.holds(values, key) for term, key in terms)]
    if sort is not None and runs:
        key = named(sort.removeprefix("-"), known)
        having = [n for n in kept if every[n].get(key) is not None]
        having.sort(key=lambda n: _order(every[n][key]), reverse=sort.startswith("-"))
        kept = having + [n for n in kept if every[n].get(key) is None]
    told = {key for keys in KEYS.values() for key in keys}
    found = []
    for n in kept:
        alike = [every[m] for m in kept if every[m]["command"] == every[n]["command"]]
        differs = {key: every[n].get(key) for key in differing(alike, besides=sorted(told))}
        found.append(runs[n][0] | ({"differs": differs} if differs else {}))
    return {
        "command": "ls",
        "runs": found,
        "damaged": [{"path": str(e.path), "reason": e.reason} for e in entries if e.state == "damaged"],
        "out": str(folder),
    }


def _order(value: Any) -> tuple[bool, float, str]:
    """Numbers by size, then texts."""
    number = isinstance(value, (int, float))
    return (not number, float(value) if number else 0.0, "" if number else str(value))


def columns(folder: Path, names: Sequence[str], *, of: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By path, what the runs `of` a folder have of some keys, under the names that were asked for."""
    entries = [entry for entry in find_runs(folder) if str(entry.path) in set(of)]
    every = {str(e.path): values_of(describe(e), e.config, e.summary) for e in entries}
    known = list(dict.fromkeys(key for values in every.values() for key in values))
    keys = {name: named(name, known) for name in names}
    return {path: {name: values.get(key) for name, key in keys.items()} for path, values in every.items()}
