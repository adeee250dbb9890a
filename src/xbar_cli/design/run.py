"""`xbar design`: parameters of arrays by gradient descent through the physics, checked by the ordinary commands."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xbar_cli.config.chips.design import DesignConfig
from xbar_cli.config.load import write_toml
from xbar_cli.nn.score import Measure
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.results import RESULTS, Field, field, write_fields
from xbar_cli.statistics import estimate

from .building import BuiltDesign, checked, write_configs
from .costs import Costing
from .descent import Descent, descend, sensitivities
from .drawing import draw
from .objective import Objective
from .opening import open_bench
from .parameters import Parameter
from .rounding import rounded
from .weights import keep, moved, retrained, trainable, weights_in

NETWORK = "network"
"""The train run of weights that descended, in the run of its design."""


def run(config: DesignConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Design as `config` says into `run`; returns the summary."""
    if (unusual := environment.drawing_note(config.seed)) is not None:
        reporter.note(unusual)
    reporter.doing(f"opening {config.run}")
    bench, chosen = open_bench(config, reporter=reporter)
    write_toml(run.path / CONFIG, config)
    costing = Costing.of(bench, model=config.design.cost_model)
    objective = Objective(bench, costing, chosen, config.design, config.seed)
    tell_free(objective, reporter)
    began = time.perf_counter()
    descent = descend(objective, reporter=reporter)
    values = rounded(objective, descent, reporter=reporter)
    seconds = time.perf_counter() - began
    reporter.doing("taking the slopes at the design")
    slopes = sensitivities(objective, descent.shares)
    reporter.doing("mapping, evaluating and costing the start")
    before = checked(objective, {p.name: p.start for p in chosen}, run.path / "check", reporter=reporter)
    kept = keep_weights(objective, descent, run)
    own = run.path / NETWORK if kept else None
    reporter.doing("mapping, evaluating and costing the design")
    after = checked(objective, values, run.path / "check", reporter=SILENT, network=own)
    write_configs(objective, after, run, network=kept.get("network_run", config.run))
    write_fields(run.path / RESULTS, history_fields(chosen, descent), attributes={"xbar_kind": "design"})
    draw(run.figures / "descent.png", chosen, descent, caption=f"{bench.trained.network} on {bench.trained.dataset}")
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    return summary(objective, descent, values, slopes, before, after) | kept | {
        "design_seconds": seconds, "out": str(run.final),
    }  # fmt: skip


def keep_weights(objective: Objective, descent: Descent, run: Run) -> dict[str, Any]:
    """Write the network whose weights descended along into the run; what the summary says of it, nothing where they stayed."""
    weights = weights_in(descent.shares)
    if not weights:
        return {}
    bench, final = objective.bench, run.final / NETWORK
    changed = retrained(bench.trained, bench.split, weights)
    keep(changed, run.path / NETWORK, final=final, seed=objective.seed)
    return {"network_run": str(final), "weights_moved": moved(weights_in(trainable(bench.split)), weights)}


def tell_free(objective: Objective, reporter: Reporter) -> None:
    """Say which parameters cost nothing that is weighed: they go where the loss is least."""
    settings = objective.settings
    costly = {
        "vg": "energy", "v_read": "energy", "r_on": "energy", "r_off": "energy", "wire_width": "area", "weight_limit": "energy",
        "adc_bits": "energy area", "adc_range": "", "tile": "energy area latency", "r_source": "", "r_neuron": "",
    }  # fmt: skip
    weighed = [name for name in ("energy", "area", "latency") if getattr(settings, f"{name}_weight")]
    free = [p.name for p in objective.chosen if not set(costly[p.name.partition(":")[0]].split()) & set(weighed)]
    if free:
        reporter.note(f"nothing that is weighed depends on {', '.join(free)}: the loss alone decides")


def summary(
    objective: Objective,
    descent: Descent,
    values: Mapping[str, float],
    slopes: Mapping[str, Mapping[str, float]],
    before: BuiltDesign,
    after: BuiltDesign,
) -> dict[str, Any]:
    """The summary, as summary.json holds it."""
    metric = after.summary["metric"]
    sign = Measure.of(metric, np.zeros(1)).sign
    chips = [found.summary[f"{metric}_samples"] for found in (before, after)]
    won = estimate((sign * (np.asarray(chips[1]) - np.asarray(chips[0]))).tolist())
    reached = {p.name: float(p.at(float(descent.shares[p.name]))) for p in objective.chosen}
    return {
        "command": "design",
        "run": objective.bench.config.run,
        "network": objective.bench.trained.network,
        "dataset": objective.bench.trained.dataset,
        "metric": metric,
        "images": after.summary["images"],
        "samples": len(chips[1]),
        f"ideal_{metric}": after.summary[f"ideal_{metric}"],
        "metric_value": after.summary["metric_value"],
        "metric_ci95": after.summary["metric_ci95"],
        **after.costs,
        "start": {key: before.summary[key] for key in ("metric_value", "metric_ci95")} | dict(before.costs),
        "won": won.mean,
        "won_ci95": None if won.ci95 is None else list(won.ci95),
        "parameters": [
            {"name": p.name, "unit": p.unit, "start": p.start, "low": p.low, "high": p.high, "reached": reached[p.name],
             "built": values[p.name], "slopes": dict(slopes[p.name])}
            for p in objective.chosen
        ],
        "cost_model": objective.costing.model,
        "weights": {name: getattr(objective.settings, f"{name}_weight") for name in ("energy", "area", "latency")},
        "steps": len(descent.history),
        "chips_seen": len(descent.history) * objective.settings.step_chips,
    }  # fmt: skip


def history_fields(chosen: Sequence[Parameter], descent: Descent) -> dict[str, Field]:
    """results.nc: every step."""
    units = {p.name: p.unit for p in chosen} | {"energy_joule": "J", "area_m2": "m2", "latency_seconds": "s"}
    named = {name: name.replace(":", "_") for name in descent.history[0]}
    fields = {"step": field(("step",), np.arange(len(descent.history)), unit="1", long_name="step of the descent")}
    for name, plain in named.items():
        values = np.asarray([line[name] for line in descent.history])
        fields[plain] = field(("step",), values, unit=units.get(name, "1"), long_name=name)
    return fields
