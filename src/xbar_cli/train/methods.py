"""From the configuration to a training method: the only place where its name chooses one."""

from collections.abc import Mapping, Sequence
from typing import assert_never

from flax import nnx

from xbar_cli.config.base import require
from xbar_cli.config.methods import BiasedMethod, IdealMethod, InsituMethod, NeatMethod, PeripheryMethod, TatMethod
from xbar_cli.config.train import TrainConfig
from xbar_cli.nn.shapes import LayerShape
from xbar_cli.runs.directory import Run
from xbar_cli.tasks import MetricName
from xbar_cli.train import biased, learned, neat, periphery, tat
from xbar_cli.train.injection import injected
from xbar_cli.train.insitu import training as insitu
from xbar_cli.train.session import Method, Phase, start_from
from xbar_cli.trained.parts import Part


def method_of(
    config: TrainConfig,
    run: Run,
    net: nnx.Module,
    shapes: Sequence[LayerShape],
    parts: Mapping[str, Part],
    metric: MetricName,
) -> Method:
    """The method of `config` for a fresh network, which it may change: start weights, trained devices in place of weights.

    Args:
        config: of the run.
        run: files that the method depends on are copied into it.
        net: the fresh network.
        shapes: its layers.
        parts: of the data set, as `split_parts` has them.
        metric: that is to be good.
    """
    training, inject, method = config.training, config.inject, config.method
    ramp = ramp_steps(config, images=len(parts["train"][1]))
    plain = Phase("train", training.epochs, config.learning_rate, schedule=training.schedule, keep=training.keep)
    match method:
        case IdealMethod():
            if method.start is not None:
                start_from(net, method.start, config)
            return learned.plainly(config, net, shapes, plain, injected(inject, ramp=ramp), parts["train"])
        case NeatMethod():
            return neat.method(method, config, run, net, shapes, plain, parts, ramp)
        case TatMethod():
            noise = injected(inject, technology=config.mapping.technology, absent=True, ramp=ramp)
            return tat.method(method, config, net, shapes, plain, noise, parts, metric)
        case PeripheryMethod():
            return periphery.method(method, config, net, shapes, plain, injected(inject, paired=False, ramp=ramp))
        case BiasedMethod():
            return biased.method(method, config, net, shapes, plain, ramp)
        case InsituMethod():
            return insitu.method(method, config, net, shapes, plain)
        case _:
            assert_never(method)


def ramp_steps(config: TrainConfig, *, images: int) -> int | None:
    """The steps over which injected noise grows, half of those that the training has; None where it is constant.

    ConfigError where nothing is injected, or neat trains in two phases.
    """
    if config.training.inject_schedule == "constant":
        return None
    method, epochs, inject = config.method, config.training.epochs, config.inject
    require(
        bool(inject.effects) or inject.sigma > 0, "training.inject_schedule = ramp: nothing is injected; give inject"
    )
    if isinstance(method, NeatMethod):
        require(
            method.start is not None,
            "training.inject_schedule = ramp of method = neat needs neat.start: before its rounds there is another training",
        )
        epochs = method.rounds * method.epochs_per_round
    return epochs * config.training.steps_of(images) // 2
