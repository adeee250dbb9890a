"""What a training asks of a data set and of a network, by the task."""

import jax
from flax import nnx

from xbar_cli.config.train import TrainConfig
from xbar_cli.data.datasets import Dataset
from xbar_cli.errors import ConfigError
from xbar_cli.trained import build


def require_fit(config: TrainConfig, data: Dataset, net: nnx.Module) -> None:
    """Raise ConfigError where the training cannot be of this data set: one line, naming the key."""
    training, shape = config.training, list(build.input_shape(data))
    if training.augment != "none" and (len(shape) != 3 or build.input_dtype(data).kind == "i"):
        raise ConfigError(
            f"training.augment = {training.augment} mirrors and shifts pictures [height width channels]; an input of data set "
            f"{data.name} has shape {shape}"
        )
    if data.task == "regression":
        if training.label_smoothing:
            raise ConfigError(
                f"training.label_smoothing belongs to tasks with classes; that of {data.name} is regression"
            )
        if config.method.name == "biased":
            raise ConfigError(
                f"method = biased ranks columns by the scores of the right classes; the task of {data.name} is regression"
            )
    if data.task != "classification":
        require_answers(config.network.name, data, net)


def require_answers(network: str, data: Dataset, net: nnx.Module) -> None:
    """Raise ConfigError where a network's outputs are not of the shape that the task wants: nothing is computed."""
    example = jax.ShapeDtypeStruct((2, *build.input_shape(data)), build.input_dtype(data))
    places = () if data.task == "regression" else data.train_labels.shape[1:]
    found, wanted = list(jax.eval_shape(net, example).shape[1:]), [*places, data.outputs]  # type: ignore[arg-type]
    if found != wanted:
        raise ConfigError(
            f"network {network} gives an output of shape {found} for an input; {data.task} of data set {data.name} wants "
            f"{wanted}: FILE.py:NAME gives a network of your own"
        )
