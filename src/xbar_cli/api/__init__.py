"""The commands as functions: keyword arguments as the options are called, results with their figures, files and datasets.

Loads nothing but these lines until a function is called.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from .result import Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from flax import nnx

    from xbar_cli.nn.sites.crossbar import Crossbar

    from .common import Kept, RunOf
    from .keywords import (
        AdviseKeywords,
        CharacterizeKeywords,
        DesignKeywords,
        EnergyKeywords,
        EvaluateKeywords,
        MapKeywords,
        PartitionKeywords,
        TrainKeywords,
    )


def characterize(**options: "Unpack[CharacterizeKeywords]") -> Result:
    """Simulate a 1T-1R cell: its linear range at every gate voltage and its surrogate, as `xbar characterize` does.

    Args:
        **options: of the command, such as `vg_range="0.7:1.0:0.05"`; those of every function: see `Kept`.

    Returns:
        Figures such as `vg_volt` and `g_cut_siemens` (a list in the order of V_g); `dataset` holds tables and surrogates.
    """
    from .calls import call

    return call("characterize", None, options)


def train(**options: "Unpack[TrainKeywords]") -> Result:
    """Train a network, plainly or by a method, as `xbar train` does.

    Args:
        **options: of the command, such as `network="mlp"`, `method="neat"`, `cell=` a result of `characterize`; `resume=` an
            interrupted run; those of every function: see `Kept`.

    Returns:
        Figures such as `test_accuracy`; no `dataset`.
    """
    from .calls import call

    return call("train", None, options)


def place(run: "RunOf", /, **options: "Unpack[MapKeywords]") -> Result:
    """Put a network's weights on devices, as `xbar map` does.

    Args:
        run: a result of `train`, or its folder.
        **options: of the command, such as `scheme="acm"`; those of every function: see `Kept`.

    Returns:
        Figures such as `devices`; `dataset` holds the conductances of every layer [S].
    """
    from .calls import call

    return call("map", run, options)


def evaluate(run: "RunOf", /, **options: "Unpack[EvaluateKeywords]") -> Result:
    """Monte-Carlo accuracy on non-ideal arrays, as `xbar evaluate` does.

    Args:
        run: a result of `train` or `place`, or its folder.
        **options: of the command, such as `variation=0.1`, `samples=25`; those of every function: see `Kept`.

    Returns:
        Figures such as `accuracy_mean`, `accuracy_ci95`; `dataset` holds the accuracy of every chip.
    """
    from .calls import call

    return call("evaluate", run, options)


def partition(run: "RunOf", /, **options: "Unpack[PartitionKeywords]") -> Result:
    """Which layers to keep digital, as `xbar partition` does.

    Args:
        run: a result of `train`, or its folder.
        **options: of the command, such as `loss=0.01`; those of every function: see `Kept`.

    Returns:
        Figures such as `layers`, which `evaluate` and `place` take; `dataset` holds the accuracy of every chip at every step.
    """
    from .calls import call

    return call("partition", run, options)


def advise(run: "RunOf", /, **options: "Unpack[AdviseKeywords]") -> Result:
    """What costs a network its accuracy on chips, and what wins it back, as `xbar advise` does.

    Args:
        run: a result of `train`, or its folder.
        **options: of the command, such as `variation=0.15`, `samples=10`; those of every function: see `Kept`.

    Returns:
        Figures such as `without` and `remedies`, the best first: lists of what each wins back on the same chips; `dataset` holds
        the accuracy of every chip with each change.
    """
    from .calls import call

    return call("advise", run, options)


def design(run: "RunOf", /, **options: "Unpack[DesignKeywords]") -> Result:
    """Parameters of arrays by gradient through their physics, as `xbar design` does.

    Args:
        run: a result of `train`, or its folder.
        **options: of the command, such as `over=["adc_bits", "tile=32:128"]`, `energy_weight=0.1`; those of every function: see
            `Kept`.

    Returns:
        Figures such as `parameters`, `won`, `energy_joule`; `dataset` holds every step of the descent.
    """
    from .calls import call

    return call("design", run, options)


def energy(run: "RunOf | None" = None, /, **options: "Unpack[EnergyKeywords]") -> Result:
    """Energy, area and latency, as `xbar energy` does.

    Args:
        run: a result of `place`, or its folder; none with `preset`.
        **options: of the command, such as `model="isaac"`, `activity=` a result of `evaluate`; those of every function: see
            `Kept`.

    Returns:
        Figures such as `energy_joule`; `dataset` holds those of every layer.
    """
    from .calls import call

    return call("energy", run, options)


def compare(a: "RunOf", b: "RunOf", /, **options: "Unpack[Kept]") -> Result:
    """Whether one of two evaluations is better, over the same chips, as `xbar compare` does.

    Args:
        a: a result of `evaluate`, or its folder.
        b: another.
        **options: those of every function: see `Kept`.

    Returns:
        Figures such as `difference` (b − a), `difference_ci95`, `p_value`, `better`; no `dataset`.
    """
    from .calls import compared

    return compared(a, b, options)


def to_crossbar(
    network: "nnx.Module | Callable[..., Any]",
    *,
    shape: tuple[int, ...],
    dtype: Any = "float32",
    parameters: Any = None,
) -> "Crossbar":
    """A network of your own whose products with its parameters can sit on arrays: see `nn.sites.crossbar.to_crossbar`.

    Args:
        network: an `nnx.Module` that takes a batch, or a function `(parameters, batch) -> outputs`.
        shape: of one input, without the images' axis.
        dtype: of the inputs.
        parameters: any tree of arrays, for a function.

    Raises:
        ConfigError: no product to put on arrays, or a program that arrays cannot follow.
    """
    from xbar_cli.errors import ConfigError
    from xbar_cli.nn.sites import crossbar

    try:
        return crossbar.to_crossbar(network, shape=shape, dtype=dtype, parameters=parameters)
    except ValueError as error:
        raise ConfigError(f"network: {error}") from error


def open_result(path: str | Path) -> Result:
    """The result of a complete run that a function or a command made.

    Raises:
        RunError: there is none, or it is damaged.
    """
    from .calls import opened

    return opened(Path(path))
