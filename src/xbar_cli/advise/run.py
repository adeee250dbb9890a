"""`xbar advise`: the evaluation as it is, without each imperfection, and with each remedy, on the same chips."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from xbar_cli.config.chips.advise import AdviseConfig
from xbar_cli.config.chips.evaluate import EvaluateConfig, changed
from xbar_cli.config.load import flatten, stored, write_toml
from xbar_cli.config.train import TrainConfig
from xbar_cli.energy.policies import MODEL
from xbar_cli.errors import XbarError
from xbar_cli.nn.score import Measure
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run, new_run
from xbar_cli.runs.opening import open_run
from xbar_cli.runs.results import RESULTS, field, write_fields
from xbar_cli.statistics import estimate
from xbar_cli.tasks import MetricName
from xbar_cli.workflows import evaluate, train

from .changes import Change, remedies, without_one
from .joules import Joules, joules_of

REMEDIES = "repair.remedies"
ROBUST = "robust"
"""Folder of the training against variation, in the run."""


@dataclass(frozen=True)
class Tried:
    """An evaluation that was tried.

    Attributes:
        values: the metric of every chip.
        devices: on arrays, spare ones and copies too.
        joules: that it takes; None where nobody asked.
    """

    values: Sequence[float]
    devices: int
    joules: Joules | None = None


def run(config: AdviseConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Try what `config` asks for into `run`; returns the summary."""
    open_run(Path(config.run), commands=("train",), use="xbar advise")
    if (unusual := environment.drawing_note(config.seed)) is not None:
        reporter.note(unusual)
    base = config.evaluation()
    with_layers = base.model_copy(update={"monte_carlo": base.monte_carlo.model_copy(update={"per_layer": True})})
    first, whole = tried(with_layers, reporter, costed=True)
    write_toml(run.path / CONFIG, config)
    metric = whole["metric"]
    layers = {name: found["cost"] for name, found in whole.get("per_layer", {}).items()}
    costliest = whole.get("costliest_layer") if len(layers) > 1 else None
    losses, wins = list(without_one(base)), list(remedies(base, costliest=costliest))
    done = Trials(base, first, metric, total=len(losses) + len(wins) + 1 + config.advise.train, reporter=reporter)
    less, more = done.all(losses), done.all(wins, costed=True)
    if (together := all_that_win(wins, more)) is not None:
        more += done.all([together], costed=True)
    if config.advise.train:
        trained = done.all([against_variation(base, run, reporter=reporter)], costed=True)
        own = {"changes": {"run": str(run.final / ROBUST)}, "once_joule": None}  # no model has the joules of a training
        more += [row | own for row in trained]
    found = {
        "command": "advise", "network": whole["network"], "dataset": whole["dataset"], "metric": metric,
        "images": whole["images"], "samples": len(first.values), f"ideal_{metric}": whole[f"ideal_{metric}"],
        "metric_value": whole["metric_value"], "metric_ci95": whole["metric_ci95"], "devices": first.devices,
        **taken(first), "cost_model": MODEL,
        "settings": settings(base), "per_layer": dict(sorted(layers.items(), key=lambda item: -item[1])),
        "without": less, "remedies": sorted(more, key=lambda row: -row["won"]), "trained": config.advise.train,
    }  # fmt: skip
    write_results(run, first, done)
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    return found | {"out": str(run.final)}


def tried(config: EvaluateConfig, reporter: Reporter = SILENT, *, costed: bool = False) -> tuple[Tried, dict[str, Any]]:
    """An evaluation, and all that it found; its joules where they are asked for (`costed`)."""
    opened, trained, network = evaluate.open_network(config, reporter, keep_activity=costed)
    _, result, _ = evaluate.measured(opened, trained, network, reporter=reporter)
    names = {"network": trained.network, "dataset": trained.dataset}
    mapped = sum(network.devices(name) for name in network.layers)
    devices = result["repair"]["devices"] if "repair" in result else mapped
    joules = joules_of(opened, trained, network, result, reporter=reporter) if costed else None
    return Tried(result[f"{result['metric']}_samples"], devices, joules), result | names


def taken(found: Tried) -> dict[str, float | None]:
    """What the summary says of joules; nothing where nobody asked."""
    return {} if found.joules is None else {"energy_joule": found.joules.image, "once_joule": found.joules.once}


@dataclass
class Trials:
    """Changes of one evaluation, one after the other on the same chips.

    Attributes:
        base: the evaluation.
        first: what it reaches.
        metric: that is to be better.
        total: of the changes.
        reporter: is told.
    """

    base: EvaluateConfig
    first: Tried
    metric: MetricName
    total: int
    reporter: Reporter

    def __post_init__(self) -> None:
        self.values: dict[str, Sequence[float]] = {}

    def all(self, changes: Iterable[Change], *, costed: bool = False) -> list[dict[str, Any]]:
        """The rows of changes, with joules where they are `costed`; what does not go with the rest is left out."""
        rows = []
        for change in changes:
            try:
                found, _ = tried(changed(self.base, change.keys), costed=costed)
            except (XbarError, ValidationError) as error:
                self.reporter.note(f"{change.name}: not tried ({str(error).splitlines()[0]})")
            else:
                self.values[change.name] = found.values
                rows.append(self.row(change, found))
            self.reporter.progress("changes", len(self.values), self.total)
        return rows

    def row(self, change: Change, found: Tried) -> dict[str, Any]:
        """What a change reaches, and wins on the same chips."""
        sign = Measure.of(self.metric, np.zeros(1)).sign
        mean, won = estimate(list(found.values)), paired(self.first.values, found.values, sign=sign)
        return {
            "name": change.name, "changes": dict(change.keys), "cost": change.cost, "devices": found.devices, **taken(found),
            "metric_value": mean.mean, "metric_ci95": None if mean.ci95 is None else list(mean.ci95),
            "won": won.mean, "won_ci95": None if won.ci95 is None else list(won.ci95),
        }  # fmt: skip


def paired(before: Sequence[float], after: Sequence[float], *, sign: float) -> Any:
    """What the same chips win; a single value stands for as many as there are of the other."""
    one, other = np.broadcast_arrays(np.asarray(before, float), np.asarray(after, float))
    return estimate((sign * (other - one)).tolist())


def all_that_win(wins: Sequence[Change], rows: Sequence[Mapping[str, Any]]) -> Change | None:
    """The remedies that win with an interval above 0 together, but for layers made digital; None for fewer than two."""
    sure = {row["name"] for row in rows if row["won_ci95"] is not None and row["won_ci95"][0] > 0}
    chosen = [change for change in wins if change.name in sure and "mapping.layers" not in change.keys]
    if len(chosen) < 2:
        return None
    keys = {key: value for change in chosen for key, value in change.keys.items()}
    if repaired := [change.keys[REMEDIES] for change in chosen if REMEDIES in change.keys]:
        keys[REMEDIES] = ",".join(repaired)
    return Change("; ".join(change.name for change in chosen), keys, "; ".join(c.cost for c in chosen if c.cost))


def against_variation(base: EvaluateConfig, run: Run, *, reporter: Reporter) -> Change:
    """The same network trained with `robust`, kept in the run."""
    config = stored(TrainConfig, Path(base.run))
    tree = config.in_use()
    kept = {key: tree[key] for key in ("seed", "network", "dataset") if key in tree}
    wanted = TrainConfig.model_validate({**kept, "robust": True})
    with new_run(run.path / ROBUST, overwrite=True) as opened:
        opened.finish(train.run(wanted, opened, reporter=reporter), overwrite=True)
    return Change("trained against variation", {"run": str(run.path / ROBUST)}, "a training")


def settings(config: EvaluateConfig) -> dict[str, Any]:
    """The keys of an evaluation that are not their defaults."""
    usual = dict(flatten(EvaluateConfig().in_use()))
    return {key: value for key, value in flatten(config.in_use()) if usual.get(key) != value}


def write_results(run: Run, first: Tried, done: Trials) -> None:
    """results.nc: the metric of every chip, as it is and after every change."""
    names = ["as it is", *done.values]
    chips = max(map(len, (first.values, *done.values.values())))
    values = np.stack([np.broadcast_to(np.asarray(v, float), chips) for v in (first.values, *done.values.values())])
    fields: Mapping[str, Any] = {
        "change": field(("change",), np.asarray(names, object), unit="", long_name="change of the evaluation"),
        "chip": field(("chip",), np.arange(chips), unit="1", long_name="chip"),
        "value": field(("change", "chip"), values, unit="1", long_name=done.metric),
    }
    write_fields(run.path / RESULTS, dict(fields), attributes={"xbar_kind": "advise"})
