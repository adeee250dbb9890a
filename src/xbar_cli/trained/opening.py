"""Trained networks as runs hold them: weights, data, and what training fixed of their devices."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from xbar_cli.array.ideal import Contract
from xbar_cli.config.devices import ImportConfig
from xbar_cli.config.load import stored
from xbar_cli.config.train import TrainConfig
from xbar_cli.data.batches import DataInputs, Labels, eval_batches
from xbar_cli.data.datasets import Dataset
from xbar_cli.errors import RunError
from xbar_cli.nn.layers import digital
from xbar_cli.nn.score import Measure
from xbar_cli.nn.shapes import kernels, parameters, set_parameters
from xbar_cli.outside import quoted
from xbar_cli.runs.directory import CONFIG, SUMMARY, Run
from xbar_cli.runs.opening import open_run
from xbar_cli.runs.results import MODEL, read_tensors, write_tensors
from xbar_cli.runs.seal import ANEW
from xbar_cli.tasks import MetricName
from xbar_cli.trained import build
from xbar_cli.trained.fixed import Fixed
from xbar_cli.trained.network_file import kept_network

CELL = "cell.nc"
"""The characterised cell, copied into every run that depends on one."""


@dataclass(frozen=True)
class Trained:
    """A train run, opened.

    Attributes:
        run: its directory.
        summary: its summary.json.
        config: what it was made with, by `train` or by `import`.
        net: the network with the run's weights.
        data: the data set it was trained on.
    """

    run: Run
    summary: dict[str, Any]
    config: TrainConfig | ImportConfig
    net: nnx.Module
    data: Dataset

    @cached_property
    def fixed(self) -> Fixed:
        """What its training fixed of its devices."""
        return Fixed.read(self.summary, self.config, self.run.path)

    @property
    def layers(self) -> list[str]:
        """Names of its layers in the order they compute."""
        return list(self.summary["layers"])

    @property
    def network(self) -> str:
        """The network's name."""
        return self.summary["network"]

    @property
    def dataset(self) -> str:
        """The data set's name."""
        return self.summary["dataset"]

    @property
    def method(self) -> str:
        """How it was trained."""
        return self.summary["method"]

    @property
    def kernels(self) -> dict[str, NDArray[np.float32]]:
        """The kernels by layer name, in the order of the layers."""
        found = kernels(parameters(self.net))
        return {name: found[name] for name in self.layers}


def open_trained(path: Path, *, use: str, data_dir: str | None = None) -> Trained:
    """The train run at `path`, ready to compute; `use` is what it is wanted for, for error messages.

    Its data set is looked for in `data_dir`, or else where the run found it.
    """
    run, summary = open_run(path, commands=("train",), use=use)
    config = stored(ImportConfig if summary["method"] == "import" else TrainConfig, run.path)
    require_agreement(summary, config, run.path)
    data = build.dataset(config.dataset.name, data_dir=data_dir or config.dataset.data_dir)
    network = kept_network(config.network, run.path)
    # shapes alone: initial weights would be drawn, and compiled for, only to be replaced
    net = nnx.eval_shape(lambda: build.network(network, data, seed=0))
    try:
        set_parameters(net, read_tensors(run.path / MODEL))
        names = [layer.name for layer in build.shapes_of(net, data)]
    except ValueError as error:
        raise RunError(
            f"{run.path}: {MODEL} is not of its network for data set {data.name} as it is now ({error}); {ANEW}"
        ) from None
    if names != summary["layers"]:
        raise RunError(
            f"{run.path}: {SUMMARY} names layers {quoted(summary['layers'])}, its network has {names}; {ANEW}"
        )
    return Trained(run=run, summary=summary, config=config, net=net, data=data)


def require_agreement(summary: Mapping[str, Any], config: TrainConfig | ImportConfig, run: Path) -> None:
    """Raise RunError where summary and configuration of a run say different things."""
    own = {"network": config.network.name, "dataset": config.dataset.name}
    own |= {"method": config.method.name} if isinstance(config, TrainConfig) else {}
    for key, value in own.items():
        if summary[key] != value:
            raise RunError(
                f"{run}: {key} is {quoted(summary[key])} in {SUMMARY} and {quoted(value)} in {CONFIG}; {ANEW}"
            )


def save_weights(path: Path, net: nnx.Module) -> None:
    """Write every parameter of `net` as safetensors."""
    write_tensors(path, parameters(net))


def weight_maxima(values: Mapping[str, Any], *, scale: str, xp: Any = np) -> dict[str, Any]:
    """W_max of each layer: the largest |w| of the whole network (`network`), of the layer, or of each output (`column`).

    Where all are 0 any scale is right, and 1 is taken. `xp` is the module that computes: NumPy in float64, or jax.numpy in the
    precision of the process.
    """
    wide = float if xp is jnp else np.float64
    columns = {name: xp.abs(kernel).reshape(-1, kernel.shape[-1]).max(axis=0) for name, kernel in values.items()}
    own: dict[str, Any] = columns if scale == "column" else {name: each.max() for name, each in columns.items()}
    if scale == "network":
        most: Any = xp.stack(list(own.values())).max()
        own = dict.fromkeys(own, most)
    return {name: xp.asarray(xp.where(largest > 0, largest, 1.0), wide) for name, largest in own.items()}


def kernel_measure(
    net: nnx.Module, images: DataInputs, labels: Labels, *, measure: Measure
) -> Callable[[dict[str, NDArray[np.float32]]], float]:
    """The function from kernels by layer, in the place of the network's own, to the metric."""
    graphdef, state = nnx.split(net)
    batches = eval_batches(images, labels, batch_size=min(500, len(labels)))
    parts = [tuple(map(jnp.asarray, part)) for part in batches]

    @jax.jit
    def count(state: Any, kernels: dict[str, jax.Array], x: jax.Array, y: jax.Array, weight: jax.Array) -> jax.Array:
        def product(name: str, x: jax.Array, kernel: jax.Array, contract: Contract) -> jax.Array:
            return contract(x, kernels.get(name, kernel))

        return measure.total(nnx.merge(graphdef, state)(x, product), y, weight)

    def reached(kernels: dict[str, NDArray[np.float32]]) -> float:
        replaced = {name: jnp.asarray(kernel) for name, kernel in kernels.items()}
        total = sum(float(count(state, replaced, *part)) for part in parts)
        return measure.value(total, len(labels), of="the network with the weights that arrays leave")

    return reached


def network_measure(net: nnx.Module, images: DataInputs, labels: Labels, *, metric: MetricName) -> float:
    """The metric of a network in floating point."""
    measure = Measure.of(metric, labels)
    graphdef, state = nnx.split(net)
    count = jax.jit(lambda state, x, y, weight: measure.total(nnx.merge(graphdef, state)(x, digital), y, weight))
    parts = eval_batches(images, labels, batch_size=min(1000, len(labels)))
    total = sum(float(count(state, *map(jnp.asarray, part))) for part in parts)
    return measure.value(total, len(labels), of="the network in floating point")
