"""NEAT in a training run: gate voltages, restriction to their linear ranges, and what becomes of the weights."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from xbar_cli.cell.file import copy_cell, load_cell
from xbar_cli.config.base import parse_quantity
from xbar_cli.config.methods import NeatSection
from xbar_cli.config.train import TrainConfig
from xbar_cli.device.cell import Cell
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.window import cell_window, require_range
from xbar_cli.nn.shapes import kernels, parameters
from xbar_cli.runs import figures
from xbar_cli.runs.directory import METRICS, Run
from xbar_cli.train.forward import make_forward
from xbar_cli.train.loop import State
from xbar_cli.train.neat import choose_gate, in_range_fraction, restrict_network, shifted
from xbar_cli.train.session import Method, Phase, Progress, Session, accuracy, counter, snapshot, start_from
from xbar_cli.train.transforms import Transform
from xbar_cli.trained.opening import CELL, weight_maxima


def method(config: TrainConfig, run: Run, net: nnx.Module, plain: Phase, noise: Transform | None) -> Method:
    """Algorithm 2 (restrict, retrain, repeat), after plain training or from the weights of another run."""
    neat = config.neat
    if not (run.path / CELL).exists():  # a run that goes on keeps its own
        copy_cell(Path(str(neat.cell)), run.path / CELL)
    cell = load_cell(run.path / CELL)
    if neat.vg == "auto":
        check_offset(search_list(cell), neat.vg_offset or 0.0)
    else:
        require_range(cell, gate_voltage(neat))
    if neat.start is not None:
        start_from(net, neat.start, config)
    retrain = Phase(
        "retrain", neat.rounds * neat.epochs_per_round, neat.learning_rate,
        restrict_every=neat.epochs_per_round, restrict_first=True, keep="last",
    )  # fmt: skip
    return Method(
        phases=(retrain,) if neat.start is not None else (plain, retrain),
        forward=make_forward(noise, precision=config.training.precision),
        restrict=restrict,
        conclude=conclude,
    )


def gate_voltage(neat: NeatSection) -> float:
    """The homogeneous gate voltage [V]."""
    try:
        return float(parse_quantity(neat.vg))
    except ValueError as error:
        raise ConfigError(f"neat.vg: {error}; or auto for each layer's own") from None


def search_list(cell: Cell) -> list[float]:
    """The gate voltages with a linear range and a surrogate, ascending [V].

    Raises:
        ConfigError: there is none.
    """
    found = [float(v) for index, v in enumerate(cell.vg) if cell.is_usable(index)]
    if not found:
        raise ConfigError("--vg auto: the cell has no linear range, or no surrogate, at any gate voltage of its table")
    return found


def check_offset(gates: list[float], offset: float) -> None:
    """The offset must lead from every gate voltage of the list to another or to its end, before anything is trained.

    Raises:
        ConfigError: it leads between two of the list, or out of it from everywhere.
    """
    if abs(offset) > gates[-1] - gates[0] + 1e-6:
        raise ConfigError(
            f"--vg-offset {offset:g} leads out of the cell's gate voltages, {gates[0]:g} to {gates[-1]:g} V"
        )
    try:
        for gate in gates:
            shifted(gate, offset, vg=gates)
    except ValueError as error:
        raise ConfigError(f"--vg-offset: {error}") from None


def restrict(session: Session, progress: Progress, epoch: int) -> dict[str, Any]:
    """Restrict every layer to its ±W_cut; the share of its weights in range before."""
    del epoch
    record = progress.method
    if "w_cut" not in record:
        record |= cut_offs(session)
    record["in_range"] = restrict_network(session.net, record["w_cut"])
    keys = {"vg_volt": "vg", "w_cut": "w_cut", "in_range_fraction": "in_range"}
    return {key: [record[name][layer] for layer in session.layers] for key, name in keys.items()}


def cut_offs(session: Session) -> dict[str, dict[str, float]]:
    """W_max, gate voltage and W_cut of every layer, from the weights as they are."""
    neat = session.config.neat
    cell = load_cell(session.run.path / CELL)
    values = kernels(parameters(session.net))
    found = weight_maxima({name: values[name] for name in session.layers}, scale=neat.weight_scale)
    w_max = {name: float(value) for name, value in found.items()}
    if neat.vg == "auto":
        vg = heterogeneous(cell, neat, {name: float(np.abs(values[name]).max()) for name in w_max}, w_max)
    else:
        vg = dict.fromkeys(w_max, gate_voltage(neat))
    w_cut = {name: cell_window(cell, vg=vg[name], w_max=limit, volt=None).w_cut for name, limit in w_max.items()}
    return {"w_max": w_max, "vg": vg, "w_cut": w_cut}


def heterogeneous(
    cell: Cell, neat: NeatSection, largest: dict[str, float], w_max: dict[str, float]
) -> dict[str, float]:
    """Algorithm 1: a gate voltage for every layer [V]."""
    gates = search_list(cell)
    chosen: dict[str, float] = {}
    for name, value in largest.items():
        w_cut = [cell_window(cell, vg=v, w_max=w_max[name], volt=None).w_cut for v in gates]
        chosen[name] = choose_gate(
            value, vg=gates, w_cut=w_cut, rule=neat.vg_rule or "previous", offset=neat.vg_offset or 0.0
        )
    return chosen


def conclude(session: Session, states: dict[str, State], progress: Progress) -> dict[str, Any]:
    """Gate voltages, cut-offs, shares in range, and the accuracy without retraining; figures of the weights."""
    net, record, count = session.net, progress.method, counter(session)
    final = snapshot(net)
    nnx.update(net, states["start"])
    before = kernels(parameters(net))
    at_start = [in_range_fraction(jnp.asarray(before[n]), w_cut=record["w_cut"][n]) for n in session.layers]
    start_accuracy = accuracy(session, count, states["start"], part="test")
    restrict_network(net, record["w_cut"])
    restricted_accuracy = accuracy(session, count, nnx.state(net), part="test")
    nnx.update(net, final)
    draw(session, progress, before)
    return {
        "vg_volt": [record["vg"][name] for name in session.layers],
        "in_range_fraction": [record["in_range"][name] for name in session.layers],
        "in_range_fraction_at_start": at_start,
        "w_max": [record["w_max"][name] for name in session.layers],
        "w_cut": [record["w_cut"][name] for name in session.layers],
        "weight_scale": session.config.neat.weight_scale,
        "start_accuracy": start_accuracy,
        "restricted_accuracy": restricted_accuracy,
    }


def draw(session: Session, progress: Progress, before: dict[str, np.ndarray]) -> None:
    """The figures of a NEAT run: weights of every layer before and after, shares in range by round, gate voltages."""
    record, layers = progress.method, session.layers
    after = kernels(parameters(session.net))
    figures.weight_distributions(
        session.run.figures / "weights.png",
        before={name: before[name].ravel() for name in layers},
        after={name: after[name].ravel() for name in layers},
        limits=record["w_cut"],
        caption=f"{session.config.network.name} on {session.config.dataset.name}; dashed: ±W_cut",
    )
    rounds = [line for line in session.run.read_metrics() if "in_range_fraction" in line]
    figures.rounds(
        session.run.figures / "in_range.png",
        accuracy=[line["validation_accuracy"] for line in rounds],
        shares={name: [line["in_range_fraction"][n] for line in rounds] for n, name in enumerate(layers)},
        caption=f"metrics: {METRICS}",
    )
    figures.stacked_bars(
        session.run.figures / "gate_voltages.png",
        parts={"V_g": [record["vg"][name] for name in layers]},
        names=layers,
        y_label="gate voltage V_g [V]",
        caption=f"rule: {session.config.neat.vg_rule or 'previous'}"
        if session.config.neat.vg == "auto"
        else "homogeneous",
    )
