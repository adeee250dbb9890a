"""Trained networks as runs hold them: weights, and what NEAT fixed when it trained them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx
from numpy.typing import NDArray

from xbar_cli.config.load import read_toml
from xbar_cli.data.datasets import Dataset
from xbar_cli.nn.shapes import kernels, parameters, set_parameters
from xbar_cli.runs.directory import CONFIG, Run, open_run
from xbar_cli.runs.results import MODEL, read_tensors, write_tensors
from xbar_cli.workflows import build

CELL = "cell.nc"
"""The characterised cell, copied into every run that depends on one."""


@dataclass(frozen=True)
class Trained:
    """A train run, opened.

    Attributes:
        run: its directory.
        summary: its summary.json.
        config: its config.toml.
        net: the network with the run's weights.
        data: the data set it was trained on.
    """

    run: Run
    summary: dict[str, Any]
    config: dict[str, Any]
    net: nnx.Module
    data: Dataset

    @property
    def kernels(self) -> dict[str, NDArray[np.float32]]:
        """The kernels by layer name, in the order of the summary's layers."""
        found = kernels(parameters(self.net))
        return {name: found[name] for name in self.summary["layers"]}


def open_trained(path: Path, *, use: str, data_dir: str | None = None) -> Trained:
    """The train run at `path`, ready to compute.

    Args:
        path: the run directory.
        use: what it is wanted for, for error messages.
        data_dir: where to look for its data set instead of where the run found it.
    """
    run, summary = open_run(path, commands=("train",), use=use)
    config = read_toml(run.path / CONFIG)
    data = build.dataset(config["dataset"]["name"], data_dir=data_dir or config["dataset"].get("data_dir"))
    shape, name = build.image_shape(data), config["network"]["name"]
    # shapes alone: initial weights would be drawn, and compiled for, only to be replaced
    net = nnx.eval_shape(lambda: build.network(name, shape=shape, n_classes=data.n_classes, seed=0))
    set_parameters(net, read_tensors(run.path / MODEL))
    return Trained(run=run, summary=summary, config=config, net=net, data=data)


def save_weights(path: Path, net: nnx.Module) -> None:
    """Write every parameter of `net` as safetensors."""
    write_tensors(path, parameters(net))


def weight_maxima(values: dict[str, NDArray[np.float32]], *, scale: str) -> dict[str, float]:
    """W_max of each layer: the largest |w| of the whole network (`network`) or of the layer (`layer`)."""
    own = {name: float(np.abs(kernel).max()) for name, kernel in values.items()}
    return own if scale == "layer" else dict.fromkeys(own, max(own.values()))
