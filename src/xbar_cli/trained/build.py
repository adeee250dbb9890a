"""Configuration to objects: the only place where a name chooses a network, a data set or a cell."""

from pathlib import Path

from flax import nnx

from xbar_cli.config.train import NetworkSection
from xbar_cli.data.datasets import Dataset, load
from xbar_cli.errors import ConfigError
from xbar_cli.nn.cnn import Cnn
from xbar_cli.nn.layers import bias_rows
from xbar_cli.nn.lenet import LeNet, LeNet5
from xbar_cli.nn.mlp import Mlp
from xbar_cli.nn.norm import set_epsilon
from xbar_cli.nn.normalisation import Normalisation
from xbar_cli.nn.resnet import ResNet
from xbar_cli.nn.vgg import Vgg, scaled

Built = Mlp | LeNet5 | LeNet | Cnn | Vgg | ResNet
"""The networks there are."""
MLP_HIDDEN = 500
"""Hidden units of `mlp`: 784-500-10 (tat, Section IV-A)."""


def network(config: NetworkSection, *, shape: tuple[int, int, int], n_classes: int, seed: int) -> nnx.Module:
    """The network of `config` for images of `shape` [h w c], initialised from `seed`.

    Raises:
        ConfigError: the network cannot take images of this shape, or a setting that it does not have.
    """
    net = _network(config, shape=shape, n_classes=n_classes, seed=seed)
    set_epsilon(net, config.norm_epsilon)
    net.normalisation = normalisation(config, channels=shape[2])
    if config.bias == "row":
        bias_rows(net)
    return net


def _network(config: NetworkSection, *, shape: tuple[int, int, int], n_classes: int, seed: int) -> Built:
    """The network with digital biases."""
    given = {"shape": shape, "n_classes": n_classes, "rngs": nnx.Rngs(seed)}
    name, width = config.name, config.width
    try:
        match name:
            case "mlp":
                return Mlp(**given, hidden=hidden_units(config), activation=config.activation)
            case "lenet5":
                return LeNet5(**given)
            case "lenet":
                return LeNet(**given, width=width)
            case "cnn":
                return Cnn(**given, width=width)
            case "vgg9" | "vgg11":
                return Vgg(name, **given, width=width)
            case "resnet18" | "resnet20":
                return ResNet(name, **given, width=width, padding=config.padding)
    except ValueError as error:
        raise ConfigError(f"network {name}: {error}") from None


def normalisation(config: NetworkSection, *, channels: int) -> Normalisation | None:
    """What the images go through before the first layer; None where they come as they are.

    Raises:
        ConfigError: neither one number nor one for each channel.
    """
    if config.mean is None and config.std is None:
        return None
    found = Normalisation(config.mean or (0.0,), config.std or (1.0,))
    for key, values in (("mean", found.mean), ("std", found.std)):
        if len(values) not in (1, channels):
            raise ConfigError(
                f"network.{key} has {len(values)} values; give one, or one for each of the {channels} channel(s) of the images"
            )
    return found


def hidden_units(config: NetworkSection) -> int:
    """Hidden units of `mlp`."""
    return config.hidden or scaled(MLP_HIDDEN, config.width)


def dataset(name: str, *, data_dir: str | None) -> Dataset:
    """The data set `name`; DataError where it is not there."""
    return load(name, data_dir=Path(data_dir) if data_dir else None)


def image_shape(data: Dataset) -> tuple[int, int, int]:
    """[h w c] of the images."""
    _, height, width, channels = data.train_images.shape
    return height, width, channels
