"""The weight at full scale of every layer: what training fixed, the largest, a number, or the one that costs least."""

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from xbar_cli.config.base import parse_quantity
from xbar_cli.config.hardware import MappingSection
from xbar_cli.device.levels import LIMIT_SHARES, weight_limit
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.encode import full_scale
from xbar_cli.mapping.placing import Conductances, place
from xbar_cli.trained.opening import Trained, kernel_accuracy, weight_maxima
from xbar_cli.trained.parts import held_out


def restricted(trained: Trained) -> bool:
    """Whether the weights were restricted to the linear range of a cell (neat), which their scale keeps them in."""
    return trained.fixed.w_max is not None


def maxima_of(
    trained: Trained, mapping: MappingSection, names: list[str], *, gated: bool
) -> dict[str, NDArray[np.float64]]:
    """W_max of the layers `names`: what neat fixed before it restricted the weights, else from the weights themselves."""
    fixed = trained.fixed
    if fixed.w_max is not None and mapping.weight_scale in (None, fixed.weight_scale):
        return {name: np.asarray(fixed.w_max[name]) for name in names}
    if fixed.w_max is not None:
        raise ConfigError(
            f"--weight-scale {mapping.weight_scale}: this run was restricted with scale {fixed.weight_scale!r}; "
            "another one would move its weights out of the linear range"
        )
    own = {name: trained.kernels[name] for name in names}
    return weight_maxima(own, scale=mapping.weight_scale or ("network" if gated else "layer"))


def limited(
    trained: Trained,
    maxima: dict[str, NDArray[np.float64]],
    mapping: MappingSection,
    *,
    levels: NDArray[np.float64] | None,
) -> dict[str, NDArray[np.float64]]:
    """W_max under `--weight-limit`: as it is, one number for all layers, or the share of it that keeps accuracy best.

    That accuracy is on the images held out of training. A limit that training fixed stays unless another is
    asked for.

    References:
        Chakraborty, Roy, Roy (tat), section III-C.
    """
    if mapping.weight_limit == "max":
        return fixed_limits(trained, mapping) or maxima
    if restricted(trained):
        raise ConfigError(
            f"--weight-limit {mapping.weight_limit}: this run was restricted to the linear range at its own scale; another "
            "one would move its weights out of it"
        )
    if mapping.weight_limit == "largest":
        return maxima
    if mapping.weight_limit != "auto":
        limit = float(parse_quantity(mapping.weight_limit))
        return {name: np.full_like(value, limit) for name, value in maxima.items()}
    if levels is None:
        raise ConfigError("--weight-limit auto chooses for the levels of the devices: it needs --bits or --levels")

    accuracy = kernel_accuracy(trained.net, *held_out(trained))

    def score(share: float) -> float:
        values = {}
        for name, largest in maxima.items():
            kernel, limit = trained.kernels[name], largest * share
            span = Conductances(
                levels, levels[0], levels[-1], full_scale(mapping.chosen, g_min=levels[0], g_max=levels[-1]) / limit
            )
            placed = place(mapping.chosen, kernel.reshape(-1, kernel.shape[-1]), span)
            values[name] = placed.decoded().astype(np.float32).reshape(kernel.shape)
        return accuracy(values)

    best = weight_limit(jnp.ones(1), rule="auto", score=score, shares=LIMIT_SHARES)
    return {name: value * best for name, value in maxima.items()}


def fixed_limits(trained: Trained, mapping: MappingSection) -> dict[str, NDArray[np.float64]] | None:
    """The weight limits that a run was trained with (tat); None where it was the largest weight, or none.

    Raises:
        ConfigError: a scale other than each layer's own.
    """
    limits = trained.fixed.weight_limits
    if limits is None:
        return None
    if mapping.weight_scale not in (None, "layer"):
        raise ConfigError(
            f"--weight-scale {mapping.weight_scale}: this run was trained with a weight limit of each layer; "
            "--weight-limit largest leaves it"
        )
    return {name: np.asarray(limit) for name, limit in limits.items()}
