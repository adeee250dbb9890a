"""NEAT: weights restricted to the linear range of their layer's gate voltage (neat, Section III)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from xbar_cli.cell.file import copy_cell, load_cell
from xbar_cli.config.base import parse_quantity
from xbar_cli.config.methods import NeatMethod
from xbar_cli.config.train import TrainConfig
from xbar_cli.data.batches import network_inputs
from xbar_cli.device.cell import Cell
from xbar_cli.errors import ConfigError
from xbar_cli.figures import kinds
from xbar_cli.mapping.window import cell_window, require_range
from xbar_cli.nn.shapes import LayerShape
from xbar_cli.runs.directory import METRICS, Run
from xbar_cli.train.cells import CellCurve, OnCells
from xbar_cli.train.forward import make_forward
from xbar_cli.train.injection import injected, on_cells
from xbar_cli.train.loop import State
from xbar_cli.train.session import (
    Conclusion,
    Ended,
    Method,
    Phase,
    Restricted,
    Session,
    counter,
    measured,
    start_from,
)
from xbar_cli.train.transforms import Transform
from xbar_cli.train.wired import clear, make_renewal, make_room, make_settle, wired_cells
from xbar_cli.trained.fixed import Fixed, TrainedArrays
from xbar_cli.trained.opening import CELL, weight_maxima
from xbar_cli.trained.parts import Part

CALIBRATION = 1000
"""Training images by which the full drive of every layer is chosen."""
ROUNDING = 1e-9
"""Relative error of a W_cut: that of the scale's top, in exact numbers W_max, still covers a weight of W_max."""


def method(
    neat: NeatMethod,
    config: TrainConfig,
    run: Run,
    net: nnx.Module,
    shapes: Sequence[LayerShape],
    plain: Phase,
    parts: Mapping[str, Part],
    ramp: int | None,
) -> Method:
    """Algorithm 2 (restrict, retrain, repeat), after plain training or from the weights of another run."""
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
    noise = on_cells(config.inject, g_off=cell.g_off, g_on=cell.g_on, ramp=ramp)
    transform = injected(config.inject, ramp=ramp)
    if config.inject.effects and noise is not None:
        transform = OnCells(curves_of(neat, cell, net, shapes), noise)
    usual = Method(
        phases=(retrain,) if neat.start is not None else (plain, retrain),
        forward=make_forward(transform, precision=config.training.precision),
        restrict=partial(restrict_session, neat),
        conclude=partial(conclude, neat),
    )
    return usual if config.array.model is None else through_wires(usual, neat, config, cell, net, shapes, parts, noise)


def curves_of(neat: NeatMethod, cell: Cell, net: nnx.Module, shapes: Sequence[LayerShape]) -> dict[str, CellCurve]:
    """How the weights of every layer are cells, for the weights at full scale that `net` has at the start."""
    cuts = cut_offs(neat, cell, {shape.name: getattr(net, shape.name).kernel[...] for shape in shapes})
    return {
        shape.name: CellCurve.of(cell, vg=cuts["vg"][shape.name], w_max=cuts["w_max"][shape.name]) for shape in shapes
    }


def through_wires(
    usual: Method,
    neat: NeatMethod,
    config: TrainConfig,
    cell: Cell,
    net: nnx.Module,
    shapes: Sequence[LayerShape],
    parts: Mapping[str, Part],
    noise: Transform | None,
) -> Method:
    """The same rounds on the arrays of 1T-1R cells with wires; injected noise is on the cells."""
    start = {shape.name: getattr(net, shape.name).kernel[...] for shape in shapes}
    cuts = cut_offs(neat, cell, start)
    arrays = wired_cells(
        net, cell, shapes, vg=cuts["vg"], w_max=cuts["w_max"], arrays=config.array, tile=config.mapping.array_size,
        images=jnp.asarray(network_inputs(parts["train"][0][:CALIBRATION])),
        noise=noise, refold=neat.refold,
    )  # fmt: skip
    make_room(net, arrays)
    renewal = make_renewal(arrays, every=neat.refold)
    return replace(
        usual,
        forward=arrays.forward,
        settle=make_settle(nnx.split(net)[0], renewal),
        settled=arrays.forward,
        renewal=renewal,
    )


def gate_voltage(neat: NeatMethod) -> float:
    """The homogeneous gate voltage [V]."""
    try:
        return float(parse_quantity(neat.vg))
    except ValueError as error:
        raise ConfigError(f"neat.vg: {error}; or auto for each layer's own") from None


def search_list(cell: Cell) -> list[float]:
    """The gate voltages with a linear range and a surrogate, ascending [V]; ConfigError where there is none."""
    found = [float(v) for index, v in enumerate(cell.vg) if cell.is_usable(index)]
    if not found:
        raise ConfigError(
            "neat.vg = auto: the cell has no linear range, or no surrogate, at any gate voltage of its table"
        )
    return found


def check_offset(gates: list[float], offset: float) -> None:
    """Raise ConfigError before anything is trained, unless the offset leads to gate voltages of the list, or to its end."""
    if abs(offset) > gates[-1] - gates[0] + 1e-6:
        raise ConfigError(
            f"neat.vg_offset = {offset:g} leads out of the cell's gate voltages, {gates[0]:g} to {gates[-1]:g} V"
        )
    try:
        for gate in gates:
            shifted(gate, offset, vg=gates)
    except ValueError as error:
        raise ConfigError(f"neat.vg_offset: {error}") from None


def restrict_session(
    neat: NeatMethod, session: Session, state: State, kept: Mapping[str, Any], epoch: int
) -> Restricted:
    """Restrict every layer to its ±W_cut; the share of its weights in range before."""
    del epoch
    kernels = session.kernels(state)
    if "w_cut" not in kept:
        kept = cut_offs(neat, load_cell(session.run.path / CELL), kernels)
    restricted, before = restrict_kernels(kernels, kept["w_cut"])
    kept = {**kept, "in_range": before}
    keys = {"vg_volt": "vg", "w_cut": "w_cut", "in_range_fraction": "in_range"}
    metrics = {key: [kept[name][layer] for layer in session.layers] for key, name in keys.items()}
    return Restricted(restricted, kept, metrics)


def cut_offs(neat: NeatMethod, cell: Cell, kernels: Mapping[str, Array]) -> dict[str, dict[str, float]]:
    """W_max, gate voltage and W_cut of every layer, from the weights as they are."""
    values = {name: np.asarray(kernel) for name, kernel in kernels.items()}
    w_max = {name: float(value) for name, value in weight_maxima(values, scale=neat.weight_scale).items()}
    if neat.vg == "auto":
        vg = heterogeneous(cell, neat, {name: float(np.abs(values[name]).max()) for name in w_max}, w_max)
    else:
        vg = dict.fromkeys(w_max, gate_voltage(neat))
    w_cut = {name: cell_window(cell, vg=vg[name], w_max=limit, volt=None).w_cut for name, limit in w_max.items()}
    return {"w_max": w_max, "vg": vg, "w_cut": w_cut}


def heterogeneous(cell: Cell, neat: NeatMethod, largest: dict[str, float], w_max: dict[str, float]) -> dict[str, float]:
    """Algorithm 1: a gate voltage for every layer [V]."""
    gates = search_list(cell)
    chosen: dict[str, float] = {}
    for name, value in largest.items():
        w_cut = [cell_window(cell, vg=v, w_max=w_max[name], volt=None).w_cut for v in gates]
        chosen[name] = choose_gate(
            value, vg=gates, w_cut=w_cut, rule=neat.vg_rule or "previous", offset=neat.vg_offset or 0.0
        )
    return chosen


def conclude(neat: NeatMethod, session: Session, ended: Ended) -> Conclusion:
    """Gate voltages, cut-offs, shares in range, and the accuracy without retraining; figures of the weights."""
    kept, count = ended.progress.method, counter(session)
    before, after = session.kernels(ended.start), session.kernels(ended.final)
    restricted, at_start = restrict_kernels(before, kept["w_cut"])
    without_retraining = session.with_values(ended.start, restricted)
    draw(neat, session, kept, before, after)
    shares = {
        "in_range_fraction": [kept["in_range"][name] for name in session.layers],
        "in_range_fraction_at_start": [at_start[name] for name in session.layers],
        f"start_{session.metric}": measured(session, count, ended.start, part="test"),
        f"restricted_{session.metric}": measured(session, count, without_retraining, part="test"),
    }
    vg, w_max, w_cut = ({name: kept[key][name] for name in session.layers} for key in ("vg", "w_max", "w_cut"))
    config, net = session.config, session.network(ended.final)
    clear(net, session.layers)
    height, width = config.mapping.array_size
    arrays = None if config.array.model is None else TrainedArrays(config.array, f"{height}x{width}")
    fixed = Fixed(vg=vg, w_max=w_max, w_cut=w_cut, weight_scale=neat.weight_scale, arrays=arrays)
    return Conclusion(net, fixed, shares)


def draw(
    neat: NeatMethod, session: Session, kept: Mapping[str, Any], before: Mapping[str, Array], after: Mapping[str, Array]
) -> None:
    """The figures of a NEAT run: weights of every layer before and after, shares in range by round, gate voltages."""
    layers = session.layers
    kinds.weight_distributions(
        session.run.figures / "weights.png",
        before={name: np.asarray(before[name]).ravel() for name in layers},
        after={name: np.asarray(after[name]).ravel() for name in layers},
        limits=dict(kept["w_cut"]),
        caption=f"{session.config.network.name} on {session.config.dataset.name}; dashed: ±W_cut",
    )
    rounds = [line for line in session.run.read_metrics() if "in_range_fraction" in line]
    kinds.rounds(
        session.run.figures / "in_range.png",
        reached=[line[f"validation_{session.metric}"] for line in rounds],
        metric=session.metric,
        percent=session.measure("validation").is_share,
        shares={name: [line["in_range_fraction"][n] for line in rounds] for n, name in enumerate(layers)},
        caption=f"metrics: {METRICS}",
    )
    kinds.stacked_bars(
        session.run.figures / "gate_voltages.png",
        parts={"V_g": [kept["vg"][name] for name in layers]},
        names=layers,
        y_label=r"gate voltage $V_\mathrm{g}$ (V)",
        caption=f"rule: {neat.vg_rule or 'previous'}" if neat.vg == "auto" else "homogeneous",
    )


def restrict_kernels(
    kernels: Mapping[str, Array], w_cut: Mapping[str, float]
) -> tuple[dict[str, Array], dict[str, float]]:
    """By layer, `W ← clip(W, −W_cut, +W_cut)`, and the share of the weights with |W| ≤ W_cut before (neat, Fig. 9).

    References:
        neat, Algorithm 2, step 1, and eq. (3).
    """
    inside = {name: (jnp.abs(kernels[name]) <= limit).astype(jnp.float32) for name, limit in w_cut.items()}
    restricted = {name: jnp.clip(kernels[name], -limit, limit) for name, limit in w_cut.items()}
    return restricted, {name: float(jnp.mean(there)) for name, there in inside.items()}


def choose_gate(largest: float, *, vg: Sequence[float], w_cut: Sequence[float], rule: str, offset: float) -> float:
    """The gate voltage [V] of a layer: the search ends where W_cut covers its largest weight.

    Args:
        largest: max |W_l|.
        vg: the search list, ascending [V].
        w_cut: W_cut at each.
        rule: `covering`, the first that covers, or `previous`, the one before it; the largest where none covers.
        offset: added to what the rule finds [V]; the list bounds it, and the nearest of the list is taken.

    Raises:
        ValueError: an empty list, an unknown rule, or an offset that leads between two of the list.

    References:
        neat, Algorithm 1; "we set the last V_g as the optimal" has two readings, and "optimal V_g − 0.05" is the offset.
    """
    if not vg:
        raise ValueError("vg must have at least one gate voltage")
    if rule not in ("previous", "covering"):
        raise ValueError(f"rule must be previous or covering, got {rule!r}")
    covering = next((index for index, cut in enumerate(w_cut) if cut >= largest * (1 - ROUNDING)), None)
    index = len(vg) - 1 if covering is None else covering - (rule == "previous")
    return shifted(vg[max(index, 0)], offset, vg=vg)


def shifted(gate: float, offset: float, *, vg: Sequence[float]) -> float:
    """The gate voltage of the list that is `offset` above `gate` [V], or the end of the list that bounds it.

    ValueError where the offset leads between two of the list.
    """
    wanted = min(max(gate + offset, vg[0]), vg[-1])
    nearest = min(vg, key=lambda v: abs(v - wanted))
    if abs(nearest - wanted) > 1e-6:
        listed = ", ".join(f"{v:g}" for v in vg)
        raise ValueError(
            f"offset {offset:g} V leads from {gate:g} V to {wanted:g} V, which is not in the list {listed}"
        )
    return nearest
