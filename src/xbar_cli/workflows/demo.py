"""`xbar demo`: the whole pipeline on the bundled data set, one run directory a step, finished steps reused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.config.hardware import MapConfig
from xbar_cli.config.load import flatten, read_toml
from xbar_cli.config.train import TrainConfig
from xbar_cli.figures import kinds
from xbar_cli.reporter import Reporter
from xbar_cli.runs.directory import CONFIG, DONE, new_run, partial, reopened_run, resumable
from xbar_cli.runs.opening import read_summary
from xbar_cli.runs.seal import require_intact
from xbar_cli.workflows import characterize, energy, evaluate, train
from xbar_cli.workflows import map as map_

GATES = ("1.0", "0.9", "0.8", "0.75")
"""Gate voltages of the table [V]; the first is the baseline of the energies."""
VARIATIONS = ((0.0, "additive"), (0.02, "additive"), (0.05, "additive"), (0.15, "additive"), (0.15, "proportional"))
ROBUST, AGAINST = ("1.0", "0.8"), 0.15
"""Gate voltages at which the network that was trained against additive variation is shown, and that variation."""
ROUNDS, RETRAIN_RATE = 10, 1e-4
"""The paper retrains 30 rounds at 1e-5 on 50 000 images; with 3600 a tenth of the steps at ten times the rate."""


def run(root: Path, *, seed: int, reporter: Reporter) -> dict[str, Any]:
    """Run what is not there yet below `root`; the rows of the demo's table and the figures."""
    cell = root / "cell"
    found = step(characterize.run, CharacterizeConfig(seed=seed), cell, reporter)
    gates = {f"{vg:g}": index for index, vg in enumerate(found["vg_volt"])}
    start = root / "ideal"
    step(train.run, train_config(seed), start, reporter)
    rows = []
    for vg in GATES:
        row = one_gate(root, vg, seed=seed, cell=cell, start=start, reporter=reporter)
        row["g_cut_siemens"] = found["g_cut_siemens"][gates[f"{float(vg):g}"]]
        rows.append(row)
    against = robust(root, seed=seed, cell=cell, reporter=reporter)
    for row in rows:
        row["robust"] = against.get(f"{row['vg_volt']:g}")
        row["energy_ratio"] = row["energy_joule"] / rows[0]["energy_joule"]
    pictures = [draw(root, rows), *sorted(cell.glob("figures/*.png"))]
    pictures.append(root / f"energy-{GATES[-1]}" / "figures" / "energy.png")
    return {"command": "demo", "rows": rows, "figures": [str(path) for path in pictures], "out": str(root)}


def train_config(seed: int, **neat: Any) -> TrainConfig:
    """Training of the demo's network: LeNet-5 on the bundled data; with `neat`, restricted and retrained."""
    if not neat:
        return TrainConfig(seed=seed)
    section = {"rounds": ROUNDS, "epochs_per_round": 2, "learning_rate": RETRAIN_RATE, **neat}
    return TrainConfig.model_validate({"seed": seed, "method": "neat", "neat": section})


def one_gate(root: Path, vg: str, *, seed: int, cell: Path, start: Path, reporter: Reporter) -> dict[str, Any]:
    """Restrict and retrain at one gate voltage, map, evaluate under every variation, cost."""
    net, mapped = root / f"neat-{vg}", root / f"map-{vg}"
    trained = step(train.run, train_config(seed, cell=str(cell), vg=vg, start=str(start)), net, reporter)
    step(map_.run, MapConfig(seed=seed, run=str(net)), mapped, reporter)
    row: dict[str, Any] = {
        "vg_volt": float(vg),
        "w_cut_over_w_max": trained["w_cut"][0] / trained["w_max"][0],
        "in_range_at_start": share(trained, "in_range_fraction_at_start"),
        "in_range": share(trained, "in_range_fraction"),
        "start_accuracy": trained["start_accuracy"],
        "restricted_accuracy": trained["restricted_accuracy"],
        "retrained_accuracy": trained["test_accuracy"],
        "hardware": [],
    }
    for amount, model in VARIATIONS:
        config = EvaluateConfig.model_validate(
            {"seed": seed, "run": str(mapped), "variation": {"amount": amount, "model": model}}
        )
        name = f"eval-{vg}-{model}-{amount * 100:g}"
        result = step(evaluate.run, config, root / name, reporter)
        row["hardware"].append({"variation": amount, "variation_model": model, **accuracy(result)})
    cost = step(energy.run, EnergyConfig(seed=seed, run=str(mapped)), root / f"energy-{vg}", reporter)
    row["energy_joule"] = cost["array_joule"]  # cells and gate lines: V_g changes nothing of the circuits around them
    return row


def robust(root: Path, *, seed: int, cell: Path, reporter: Reporter) -> dict[str, dict[str, Any]]:
    """What training against the variation reaches under it, by gate voltage."""
    start, found = root / "robust", {}
    step(train.run, TrainConfig.model_validate({"seed": seed, "robust": True}), start, reporter)
    for vg in ROBUST:
        net, mapped = root / f"robust-{vg}", root / f"robust-map-{vg}"
        neat = {"cell": str(cell), "vg": vg, "start": str(start)}
        config = TrainConfig.model_validate({"seed": seed, "robust": True, "method": "neat", "neat": neat})
        trained = step(train.run, config, net, reporter)
        step(map_.run, MapConfig(seed=seed, run=str(net)), mapped, reporter)
        asked = EvaluateConfig.model_validate(
            {"seed": seed, "run": str(mapped), "variation": {"amount": AGAINST, "model": "additive"}}
        )
        result = step(evaluate.run, asked, root / f"robust-eval-{vg}", reporter)
        found[f"{float(vg):g}"] = {"variation": AGAINST, "test_accuracy": trained["test_accuracy"], **accuracy(result)}
    return found


def share(trained: dict[str, Any], key: str) -> float:
    """A layer-wise share of the weights as the network's."""
    counts = trained["weights"]
    return sum(n * f for n, f in zip(counts, trained[key], strict=True)) / sum(counts)


def accuracy(result: dict[str, Any]) -> dict[str, Any]:
    """The figures of an evaluation that the table shows."""
    return {key: result[key] for key in ("accuracy_mean", "accuracy_std", "accuracy_ci95", "clamped_fraction")}


def step(workflow: Callable[..., dict[str, Any]], config: Any, out: Path, reporter: Reporter) -> dict[str, Any]:
    """The summary of the run at `out`, computed now unless it is complete with the same configuration."""
    config.check()
    if (out / DONE).exists() and same(out, config):
        require_intact(out)
        return read_summary(out)
    reporter.note(f"{out}")
    goes_on = resumable(partial(out)) and same(partial(out), config)
    with reopened_run(out) if goes_on else new_run(out, overwrite=True, keep_partial=True) as run:
        summary = workflow(config, run, reporter=reporter)
        run.finish(summary, overwrite=True)
    return summary


def same(folder: Path, config: Any) -> bool:
    """Whether the run in `folder` has this configuration."""
    stored = folder / CONFIG
    if not stored.exists():
        return False
    return dict(flatten(read_toml(stored))) == dict(flatten(config.in_use()))


def draw(root: Path, rows: list[dict[str, Any]]) -> Path:
    """Accuracy against gate voltage: floating point, restricted, retrained, and on the chips."""
    lines: dict[str, tuple[list[float], list[tuple[float, float]] | None]] = {
        "restricted only (floating point)": ([row["restricted_accuracy"] for row in rows], None),
        "retrained (floating point)": ([row["retrained_accuracy"] for row in rows], None),
    }
    for index, (amount, model) in enumerate(VARIATIONS):
        results = [row["hardware"][index] for row in rows]
        means = [r["accuracy_mean"] for r in results]
        ends = [(low, high) for low, high in (r["accuracy_ci95"] for r in results)]
        label = "1T-1R arrays" if amount == 0 else f"1T-1R arrays, {amount * 100:g} % {model}"
        lines[label] = (means, ends if amount else None)
    return kinds.accuracy_lines(
        root / "accuracy.png",
        x=[row["vg_volt"] for row in rows],
        lines=lines,
        x_label=r"gate voltage $V_\mathrm{g}$ (V)",
        caption="NEAT on LeNet-5, fashion_mnist_mini; 1000 test images; bars: 95 % intervals over 25 chips",
    )
