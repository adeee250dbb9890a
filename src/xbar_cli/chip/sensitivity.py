"""Which layer's non-ideality costs the most: each layer alone on its arrays, the others in floating point."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.figure import Figure

from xbar_cli.array.ideal import LinearLayer
from xbar_cli.chip.sample import Alone, Leaves, Sampler
from xbar_cli.figures import drawing
from xbar_cli.figures.style import KINDS
from xbar_cli.nn.reading import Circuit
from xbar_cli.nn.score import ACCURACY, Measure
from xbar_cli.statistics import Estimate


def only(circuit: Circuit, layer: str, kernels: Mapping[str, Array]) -> Circuit:
    """The circuit with one layer on arrays, and the network's own kernels in the place of all others."""
    return Circuit(
        layers={name: part if name == layer else LinearLayer(kernels[name]) for name, part in circuit.layers.items()},
        adcs={name: adc for name, adc in circuit.adcs.items() if name == layer},
        noises={name: noise for name, noise in circuit.noises.items() if name == layer},
        corrections={name: c for name, c in circuit.corrections.items() if name == layer},
        copies=tuple(only(copy, layer, kernels) for copy in circuit.copies),
    )


def each_alone(sampler: Sampler, kernels: Mapping[str, Any]) -> dict[str, Alone]:
    """For each layer, what puts it alone on arrays in the circuits of chips."""
    return {name: _alone(sampler, name, kernels) for name in kernels}


def _alone(sampler: Sampler, layer: str, kernels: Mapping[str, Any]) -> Alone:
    shared = sampler.executor.shared({name: jnp.asarray(kernel) for name, kernel in kernels.items()})

    def restrict(kernels: dict[str, Array], number: Array, leaves: Leaves) -> Leaves:
        del number
        circuit = only(jax.tree.unflatten(sampler.trees[None], leaves), layer, kernels)
        found, sampler.trees[layer] = jax.tree.flatten(circuit)
        return found

    stage = sampler.executor.stage(restrict)
    return lambda numbers, leaves: stage(shared, numbers, leaves)


def summarise(found: Mapping[str, Estimate], *, ideal: float, measure: Measure = ACCURACY) -> dict[str, Any]:
    """The metric with each layer alone on arrays, and what it costs against the `ideal` one; the costliest layer."""
    layers = {
        name: {
            f"{measure.metric}_mean": value.mean,
            f"{measure.metric}_std": value.std,
            "cost": measure.loss(value.mean, ideal),
            "cost_ci95": None if value.ci95 is None else sorted(measure.loss(end, ideal) for end in value.ci95),
        }
        for name, value in found.items()
    }
    return {"per_layer": layers, "costliest_layer": max(layers, key=lambda name: layers[name]["cost"])}


def draw(path: Path, summary: Mapping[str, Any], *, caption: str, measure: Measure = ACCURACY) -> Path:
    """A bar for each layer: what is lost of the metric with it alone on arrays, with its interval over chips."""
    layers = summary["per_layer"]
    scale, unit = (100, " (%)") if measure.is_share else (1, "")
    costs = np.asarray([layer["cost"] for layer in layers.values()]) * scale
    ends = np.asarray([v["cost_ci95"] or [v["cost"]] * 2 for v in layers.values()]).T * scale

    def bars(figure: Figure) -> None:
        axes = figure.subplots()
        axes.bar(
            range(len(layers)),
            costs,
            yerr=np.abs(ends - costs),
            capsize=2,
            color=KINDS[1],
            error_kw={"elinewidth": 1},
        )
        axes.axhline(0, color="0.4", linewidth=0.8)
        drawing.name_bars(axes, list(layers))
        axes.set(ylabel=f"{measure.metric} lost\n(layer alone on arrays){unit}")
        axes.grid(axis="x", visible=False)
        if any(layer["cost_ci95"] for layer in layers.values()):
            drawing.note_below(figure, "mean over chips; bars: 95 % interval")

    return drawing.save(path, bars, caption=caption)
