"""Configuration to data: the only place where a name chooses a data set; and what a network sees of it."""

from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from xbar_cli.config.network import NetworkSection
from xbar_cli.data.datasets import Dataset, load
from xbar_cli.errors import ConfigError
from xbar_cli.nn.score import metrics_of
from xbar_cli.nn.shapes import LayerShape, layer_shapes
from xbar_cli.tasks import MetricName


def dataset(name: str, *, data_dir: str | None) -> Dataset:
    """The data set `name`; DataError where it is not there."""
    return load(name, data_dir=Path(data_dir) if data_dir else None)


def input_shape(data: Dataset) -> tuple[int, ...]:
    """Of one input: [h w c] of a picture, any other of numbers and tokens."""
    return data.train_images.shape[1:]


def input_dtype(data: Dataset) -> np.dtype[Any]:
    """Of the inputs as a network sees them: int32 of tokens, else float32."""
    return np.dtype(np.int32 if data.train_images.dtype == np.int32 else np.float32)


def network(section: NetworkSection, data: Dataset, *, seed: int) -> nnx.Module:
    """The network of a section for the inputs and the task of a data set, initialised from `seed`."""
    return section.build(shape=input_shape(data), dtype=input_dtype(data), outputs=data.outputs, seed=seed)


def shapes_of(net: nnx.Module, data: Dataset) -> list[LayerShape]:
    """The layers of a network for the inputs of a data set, in the order they compute."""
    return layer_shapes(net, shape=input_shape(data), dtype=input_dtype(data))


def metric_of(data: Dataset, asked: MetricName | None, *, key: str) -> MetricName:
    """The metric asked for, or the task's first one.

    Raises:
        ConfigError: it is none of the task, or says nothing of so few classes.
    """
    known = metrics_of(data.task)
    if asked is not None and asked not in known:
        raise ConfigError(
            f"{key} = {asked}: data set {data.name} is one of {data.task}, which is measured by {', '.join(known)}"
        )
    if asked == "top5" and data.outputs <= 5:
        raise ConfigError(f"{key} = top5 is always 1 of the {data.outputs} classes of data set {data.name}")
    return asked or known[0]
