"""Configuration to objects: the only place where a name chooses a network, a data set or a cell."""

from pathlib import Path

from flax import nnx

from xbar_cli.data.datasets import Dataset, load
from xbar_cli.errors import ConfigError
from xbar_cli.nn.lenet import LeNet5
from xbar_cli.nn.mlp import Mlp

MLP_HIDDEN = 500
"""Hidden units of `mlp`: 784-500-10 (tat, Section IV-A)."""


def network(name: str, *, shape: tuple[int, int, int], n_classes: int, seed: int) -> nnx.Module:
    """The network `name` for images of `shape` [h w c], initialised from `seed`.

    Raises:
        ConfigError: the network is unknown or cannot take images of this shape.
    """
    rngs = nnx.Rngs(seed)
    try:
        match name:
            case "mlp":
                return Mlp(shape=shape, n_classes=n_classes, hidden=MLP_HIDDEN, rngs=rngs)
            case "lenet5":
                return LeNet5(shape=shape, n_classes=n_classes, rngs=rngs)
    except ValueError as error:
        raise ConfigError(f"network {name}: {error}") from None
    raise ConfigError(f"network.name = {name!r} is not known; known: mlp, lenet5")


def dataset(name: str, *, data_dir: str | None) -> Dataset:
    """The data set `name`; DataError where it is not there."""
    return load(name, data_dir=Path(data_dir) if data_dir else None)


def image_shape(data: Dataset) -> tuple[int, int, int]:
    """[h w c] of the images."""
    _, height, width, channels = data.train_images.shape
    return height, width, channels
