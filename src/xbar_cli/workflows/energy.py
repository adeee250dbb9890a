"""`xbar energy`: energy, area and latency of a mapped network from its measured activity."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from flax import nnx
from jax import Array

from xbar_cli.array.gated import Drive
from xbar_cli.config.hardware import EnergyConfig
from xbar_cli.config.load import write_toml
from xbar_cli.data.batches import to_float
from xbar_cli.device.cell import Cell
from xbar_cli.device.transistor import Separable
from xbar_cli.energy.resparc import Constants, LayerEnergy, cell_area, cell_power, gate_capacitance, layer_energy
from xbar_cli.errors import ConfigError
from xbar_cli.nn.shapes import LayerShape, layer_inputs, layer_shapes
from xbar_cli.runs import environment, figures
from xbar_cli.runs.directory import CONFIG, Run, open_run
from xbar_cli.runs.results import RESULTS, variable, write_dataset
from xbar_cli.workflows import build
from xbar_cli.workflows.map import ORIGIN
from xbar_cli.workflows.mapped import MappedNetwork, drive_of, load_mapped, surrogates
from xbar_cli.workflows.models import Trained, open_trained
from xbar_cli.workflows.reporter import SILENT, Reporter

BATCH = 128


def run(config: EnergyConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Cost the mapped run of `config`; returns the summary."""
    path = Path(config.run)
    open_run(path, commands=("map",), use="xbar energy")
    trained = open_trained(path / ORIGIN, use="xbar energy", data_dir=config.data_dir)
    network = load_mapped(path)
    if network.cell is None:
        raise ConfigError(
            f"{path} is mapped on resistive arrays; --model resparc costs 1T-1R arrays: map it with --cell RUN"
        )
    write_toml(run.path / CONFIG, config)
    constants = constants_of(config, network.cell)
    layers = cost(config, trained, network, constants, reporter)
    write_dataset(run.path / RESULTS, to_dataset(layers))
    figures.stacked_bars(
        run.figures / "energy.png",
        parts={
            "cells": [layer.cells_joule * 1e9 for layer in layers.values()],
            "gate lines": [layer.gate_lines_joule * 1e9 for layer in layers.values()],
        },
        names=list(layers),
        y_label="energy per image [nJ]",
        caption=f"{trained.summary['network']} on {trained.summary['dataset']}, mean of {config.images} images, "
        f"read time {constants.read_seconds * 1e9:g} ns",
    )
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    return summary(trained, network, layers) | {"images": config.images, "out": str(run.final)}


def constants_of(config: EnergyConfig, cell: Cell) -> Constants:
    """The model's constants for the cell that the run is mapped on."""
    c = config.resparc
    area = cell_area(width_m=cell.width_m, length_m=cell.length_m, feature_m=c.feature_m)
    return Constants(
        read_seconds=c.read_seconds,
        cell_area_m2=area,
        gate_capacitance_farad=gate_capacitance(
            width_m=cell.width_m,
            length_m=cell.length_m,
            pitch_m=float(np.sqrt(area)),
            oxide=c.oxide_capacitance_farad_per_m2,
            overlap=c.overlap_capacitance_farad_per_m,
            wire=c.wire_capacitance_farad_per_m,
        ),
    )


def cost(
    config: EnergyConfig, trained: Trained, network: MappedNetwork, constants: Constants, reporter: Reporter
) -> dict[str, LayerEnergy]:
    """Every layer's energy for one image, from the activations of the first test images."""
    if config.images > len(trained.data.test_labels):
        raise ConfigError(
            f"images = {config.images} is more than the {len(trained.data.test_labels)} test images there are"
        )
    shapes = {layer.name: layer for layer in layer_shapes(trained.net, shape=build.image_shape(trained.data))}
    powers = surrogates(network, "power")
    means = activity(trained, network, shapes, powers, images=config.images, reporter=reporter)
    layers: dict[str, LayerEnergy] = {}
    for name, layer in network.layers.items():
        phases = 2 if layer.signed else 1
        watt = cell_power(powers[name], jnp.asarray(layer.conductance), means[name], phases=phases)
        assert layer.vg is not None
        layers[name] = layer_energy(
            power_watt=float(watt), devices=network.devices(name), positions=shapes[name].positions, phases=phases,
            vg_volt=layer.vg, constants=constants,
        )  # fmt: skip
    return layers


def activity(
    trained: Trained,
    network: MappedNetwork,
    shapes: dict[str, LayerShape],
    powers: dict[str, Separable],
    *,
    images: int,
    reporter: Reporter,
) -> dict[str, Array]:
    """Mean over images and positions of the voltage factors of every row, [rows rank], for each layer."""
    graphdef, state = nnx.split(trained.net)
    drives = {name: drive_of(layer) for name, layer in network.layers.items()}

    @jax.jit
    def sums(state: Any, x: Array) -> dict[str, Array]:
        inputs = layer_inputs(nnx.merge(graphdef, state), x)
        return {name: row_sums(inputs[name], shapes[name], powers[name], drives[name]) for name in shapes}

    pictures = trained.data.test_images[:images]
    total: dict[str, Array] = {}
    for start in range(0, images, BATCH):
        reporter.progress("activity", start, images)
        part = sums(state, jnp.asarray(to_float(pictures[start : start + BATCH])))
        total = {name: total.get(name, 0) + value for name, value in part.items()}
    reporter.progress("activity", images, images)
    return {name: value / (images * shapes[name].positions) for name, value in total.items()}


def row_sums(inputs: tuple[Array, Any], shape: LayerShape, power: Separable, drive: Drive) -> Array:
    """Sum over images and positions of the voltage factors each row of the layer's arrays sees, [rows rank].

    The sum of a product's outputs is linear in its kernel, and its gradient there is the sum of the inputs that meet each
    kernel element, windows and padding included: for dense layers and convolutions alike.
    """
    x, contract = inputs
    factors = power.in_v(power.v_max * drive.fraction(x))  # [..., in, rank]
    kernel = jnp.zeros((*shape.kernel[:-1], 1), x.dtype)

    def total(kernel: Array, f: Array) -> Array:
        return contract(f, kernel).sum()

    per_rank = [jax.grad(total)(kernel, factors[..., k]).reshape(-1) for k in range(power.rank)]
    return jnp.stack(per_rank, axis=-1)


def summary(trained: Trained, network: MappedNetwork, layers: dict[str, LayerEnergy]) -> dict[str, Any]:
    """The summary, as summary.json holds it."""
    cells = sum(layer.cells_joule for layer in layers.values())
    gates = sum(layer.gate_lines_joule for layer in layers.values())
    return {
        "command": "energy",
        "model": "resparc",
        "network": trained.summary["network"],
        "dataset": trained.summary["dataset"],
        "dataset_note": trained.data.note,
        "energy_joule": cells + gates,
        "area_m2": sum(layer.area_m2 for layer in layers.values()),
        "latency_seconds": sum(layer.latency_seconds for layer in layers.values()),
        "breakdown": {
            "cells_joule": cells,
            "gate_lines_joule": gates,
            "layers": {
                name: {
                    "vg_volt": network.layers[name].vg,
                    "cells_joule": layer.cells_joule,
                    "gate_lines_joule": layer.gate_lines_joule,
                    "latency_seconds": layer.latency_seconds,
                    "area_m2": layer.area_m2,
                }
                for name, layer in layers.items()
            },
        },
    }


def to_dataset(layers: dict[str, LayerEnergy]) -> xr.Dataset:
    """results.nc: cost of every layer for one image."""
    units = {"cells_joule": "J", "gate_lines_joule": "J", "latency_seconds": "s", "area_m2": "m2"}
    data = {
        name: variable(("layer",), [getattr(layer, name) for layer in layers.values()], unit=unit,
                       long_name=name.rpartition("_")[0].replace("_", " "))
        for name, unit in units.items()
    }  # fmt: skip
    coordinates = {"layer": xr.Variable(("layer",), list(layers))}
    return xr.Dataset(data, coords=coordinates, attrs={"xbar_kind": "energy"})
