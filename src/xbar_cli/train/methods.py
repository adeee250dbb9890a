"""From the configuration to a training method: the only place where its name chooses one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flax import nnx

from xbar_cli.chip.place import R_OFF_OHM, R_ON_OHM
from xbar_cli.config.effect_list import steps_of
from xbar_cli.config.hardware import VariationSection
from xbar_cli.config.train import TrainConfig
from xbar_cli.device.technologies import load_technology
from xbar_cli.nn.shapes import LayerShape
from xbar_cli.runs.directory import Run
from xbar_cli.train import run_biased as train_biased
from xbar_cli.train import run_neat as train_neat
from xbar_cli.train import run_periphery as train_periphery
from xbar_cli.train import run_tat as train_arrays
from xbar_cli.train.forward import make_forward
from xbar_cli.train.session import Method, Phase
from xbar_cli.train.transforms import Fabrication, Injection, Transform
from xbar_cli.trained.parts import Part


def method_of(
    config: TrainConfig, run: Run, net: nnx.Module, shapes: Sequence[LayerShape], parts: Mapping[str, Part]
) -> Method:
    """The method of `config` for a fresh network, which it may change: start weights, trained devices in place of weights.

    Args:
        config: of the run.
        run: files that the method depends on are copied into it.
        net: the fresh network.
        shapes: its layers.
        parts: of the data set, as `split_parts` has them.
    """
    training = config.training
    plain = Phase(
        "train", training.epochs, config.learning_rate, schedule=training.schedule, keep=training.keep
    )  # fmt: skip
    noise = injection(config)
    match config.method:
        case "ideal":
            return Method((plain,), make_forward(noise, precision=training.precision))
        case "neat":
            return train_neat.method(config, run, net, plain, noise)
        case "tat":
            return train_arrays.method(config, net, shapes, plain, noise, parts)
        case "periphery":
            return train_periphery.method(config, net, shapes, plain, noise)
        case "biased":
            return train_biased.method(config, net, shapes, plain, noise)


def injection(config: TrainConfig) -> Transform | None:
    """The noise on the weights of every step; None without any.

    Raises:
        ConfigError: an effect that needs figures of a technology which are not there.
    """
    inject = config.inject
    if not inject.effects:
        floor = 0.0 if config.method == "periphery" else None
        return Injection(model=inject.model, sigma=inject.sigma, floor=floor) if inject.sigma > 0 else None
    name = inject.technology or {"tat": config.tat.technology, "biased": config.biased.technology}.get(config.method)
    if name is None:
        devices = Window(1 / R_ON_OHM, 1 / R_OFF_OHM, None)
    else:
        technology = load_technology(name)
        devices = Window(technology.g_on, technology.g_off, name)
    return Fabrication(
        steps=tuple(steps_of(VariationSection(effects=inject.effects).on_devices(), devices)),
        top=devices.g_on,
        bottom=0.0 if config.method == "tat" else devices.g_off,
        paired=config.method != "periphery",
        fmt=train_biased.slice_format(config.biased) if config.method == "biased" else None,
    )


class Window(NamedTuple):
    """The devices that injected effects act on."""

    g_on: float
    g_off: float
    technology: str | None
