"""From the configuration to a training method: the only place where its name chooses one."""

from collections.abc import Sequence

from flax import nnx

from xbar_cli.config.train import TrainConfig
from xbar_cli.nn.shapes import LayerShape
from xbar_cli.runs.directory import Run
from xbar_cli.train.forward import make_forward
from xbar_cli.train.transforms import Injection
from xbar_cli.workflows import train_arrays, train_biased, train_neat, train_periphery
from xbar_cli.workflows.train_session import Method, Phase


def method_of(config: TrainConfig, run: Run, net: nnx.Module, shapes: Sequence[LayerShape]) -> Method:
    """The method of `config` for a fresh network, which it may change: start weights, trained devices in place of weights.

    Args:
        config: of the run.
        run: files that the method depends on are copied into it.
        net: the fresh network.
        shapes: its layers.
    """
    training, inject = config.training, config.inject
    plain = Phase(
        "train", training.epochs, config.learning_rate, schedule=training.schedule, keep=training.keep
    )  # fmt: skip
    noise = Injection(model=inject.model, sigma=inject.sigma) if inject.sigma > 0 else None
    match config.method:
        case "ideal":
            return Method((plain,), make_forward(noise, precision=training.precision))
        case "neat":
            return train_neat.method(config, run, net, plain, noise)
        case "tat":
            return train_arrays.method(config, net, shapes, plain, noise)
        case "periphery":
            return train_periphery.method(config, net, shapes, plain, noise)
        case "biased":
            return train_biased.method(config, net, shapes, plain, noise)
