"""What the stages of an experiment take of each other, checked before anything runs: runs that are there, of the right kind."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from xbar_cli.config.base import parse_quantity, require
from xbar_cli.config.known.offers import data_sets, require_technology
from xbar_cli.config.load import flatten
from xbar_cli.config.ranges import gate_voltages
from xbar_cli.experiment.own_files import check_file
from xbar_cli.outside import did_you_mean, quoted
from xbar_cli.runs.opening import require_run

TAKES: dict[tuple[str, str], tuple[str, ...]] = {
    ("map", "run"): ("train",),
    ("evaluate", "run"): ("train", "map"),
    ("energy", "run"): ("map",),
    ("energy", "baseline"): ("map",),
    ("energy", "activity"): ("evaluate", "energy"),
    ("characterize tile", "tile.run"): ("map",),
    **{(command, "cell.run"): ("characterize",) for command in ("map", "evaluate")},
    ("train", "neat.cell"): ("characterize",),
    **{("train", f"{method}.start"): ("train",) for method in ("ideal", "neat", "tat", "biased")},
    **{("train", f"{key}data_dir"): ("data add",) for key in ("dataset.",)},
    **{(command, "data_dir"): ("data add",) for command in ("map", "evaluate", "energy")},
}
"""The commands of the stages that a key of a command may name."""
NEEDED = ("map", "evaluate")
"""Commands that compute nothing without `run`."""
NEAR = 1e-6
"""Gate voltages so close are one [V]."""


class Offered(Protocol):
    """A run that an input may name."""

    @property
    def stage(self) -> str:
        """Its stage."""
        ...

    @property
    def command(self) -> str:
        """Its command."""
        ...

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration."""
        ...


def check_inputs(command: str, config: Mapping[str, Any], runs: Mapping[str, Offered]) -> None:
    """Raise XbarError, with the key, where a stage has no input, or one that is not what its command takes.

    `config` is the stage's configuration with inputs written `@KEY`, of the `runs` by KEY; other inputs are places here.
    """
    given = dict(flatten(config))
    if command in NEEDED:
        offers = [f'"@{run.stage}"' for run in runs.values() if run.command in TAKES[command, "run"]]
        such = f", such as run = {offers[-1]}" if offers else ""
        wanted = " or ".join(TAKES[command, "run"])
        require(bool(given.get("run")), f"`run` is missing: {command} needs the run of a {wanted} stage{such}")
    for key, value in given.items():
        if (command, key) in TAKES and isinstance(value, str) and value:
            _check_kind(key, value, runs, takes=TAKES[command, key])
        elif key.endswith(".technology"):
            require_technology(value, key=key)
    if command == "train" and isinstance(given.get("network.name"), str):
        check_file(given["network.name"], given.get("network.args") or ())
    name = given.get("dataset.name")
    if name is not None and not given.get("dataset.data_dir"):
        known = data_sets()
        require(
            name in known, f"dataset.name = {quoted(name)} is no data set{did_you_mean(name, known)}; see xbar data ls"
        )
    if command in NEEDED:
        _check_gate(given, runs)
    elif given.get("method") == "neat" and given.get("neat.vg") != "auto":
        _check_voltage("neat.vg", given.get("neat.vg"), given.get("neat.cell"), runs)


def _check_kind(key: str, value: str, runs: Mapping[str, Offered], *, takes: tuple[str, ...]) -> None:
    """That an input is the run of a stage of a command that is taken, or a place where there is a run."""
    if value.startswith("@"):
        run, wanted = runs[value[1:]], " or ".join(takes)
        said = f"{key} = {quoted(f'@{run.stage}')} is a {run.command} stage; a {wanted} stage is wanted"
        require(run.command in takes, said)
    elif not key.endswith("data_dir"):
        require_run(Path(value))


def _check_gate(given: Mapping[str, Any], runs: Mapping[str, Offered]) -> None:
    """That a cell comes with a gate voltage of its table, its own or that of the training, and a gate voltage with a cell."""
    cell, vg, run = given.get("cell.run"), given.get("cell.vg"), given.get("run", "")
    if not run.startswith("@"):
        return
    before = runs[run[1:]]
    if before.command == "map":
        own = [key for key in ("cell.run", "cell.vg") if given.get(key) is not None]
        require(not own, f"{', '.join(own)}: stage {before.stage} has mapped already; the cell is its own")
        return
    neat = before.config.get("method") == "neat"
    require(
        cell is None or vg is not None or neat, "cell.run is given and cell.vg is missing, a gate voltage of its table"
    )
    require(vg is None or cell is not None or neat, "cell.vg is given and cell.run is missing, the cell that has it")
    used = cell if cell is not None else dict(flatten(before.config)).get("neat.cell")
    _check_voltage("cell.vg", vg, used, runs)


def _check_voltage(key: str, vg: Any, cell: Any, runs: Mapping[str, Offered]) -> None:
    """That a gate voltage is one of those that the stage of the cell sweeps, where it says which."""
    if vg is None or not isinstance(cell, str) or not cell.startswith("@"):
        return
    config = dict(flatten(runs[cell[1:]].config))
    if "sweep.vg_range" not in config or "cell.table" in config:
        return
    start, stop, count = gate_voltages(config["sweep.vg_range"])
    volt = float(parse_quantity(str(vg)))
    step = (stop - start) / max(count - 1, 1)
    swept = [start + n * step for n in range(count)]
    known = ", ".join(f"{v:g}" for v in swept[:8]) + (", …" if count > 8 else "")
    there = any(math.isclose(volt, v, abs_tol=NEAR) for v in swept)
    require(there, f"{key} = {quoted(vg)} is not among the gate voltages of its cell's stage ({known} V)")
