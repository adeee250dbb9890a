"""The weight at full scale of every layer: what training fixed, the largest, a number, or the one that costs least."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from xbar_cli.device.levels import LIMIT_SHARES, weight_limit
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.placing import LimitShare, Placement, place, span_of
from xbar_cli.nn.score import Measure
from xbar_cli.trained import build
from xbar_cli.trained.fixed import Fixed
from xbar_cli.trained.opening import Trained, kernel_measure, weight_maxima
from xbar_cli.trained.parts import held_out

Weights = dict[str, NDArray[np.float64]]
"""By layer: one number, or one per output."""


def full_weights(trained: Trained, placements: Mapping[str, Placement]) -> Weights:
    """The weight at full scale of the layers, each placed as `placements` says by its name."""
    found: Weights = {}
    for placement in {id(placement): placement for placement in placements.values()}.values():
        largest = maxima(trained, placement, list(placements))
        own = {name: largest[name] for name, its in placements.items() if its is placement}
        found |= limited(trained, placement, own)
    return found


def limited(trained: Trained, placement: Placement, largest: Weights) -> Weights:
    """The weight at full scale of layers that are placed alike, of their `largest`.

    What neat fixed before it restricted the weights, and a limit that tat trained with, stay unless something else is asked
    for; ConfigError for what cannot be, as a limit to be chosen without levels.
    """
    fixed, limit = trained.fixed, placement.weight_limit
    if fixed.w_max is not None and limit != "max":
        raise ConfigError(
            f"mapping.weight_limit = {limit}: this run was restricted to the linear range at its own scale; another one would "
            "move its weights out of it"
        )
    match limit:
        case "max":
            kept = trained_limits(fixed, placement)
            return largest if kept is None else {name: kept[name] for name in largest}
        case "largest":
            return largest
        case "auto":
            share = best_share(trained, placement, largest)
            return {name: value * share for name, value in largest.items()}
        case LimitShare(share):
            return {name: value * share for name, value in largest.items()}
        case number:
            return {name: np.full_like(value, number) for name, value in largest.items()}


def maxima(trained: Trained, placement: Placement, names: list[str]) -> Weights:
    """W_max of the layers: what neat fixed, else from the weights themselves."""
    fixed, scale = trained.fixed, placement.weight_scale
    if fixed.w_max is None:
        own = {name: trained.kernels[name] for name in names}
        return weight_maxima(own, scale=placement.largest_of)
    if scale not in (None, fixed.weight_scale):
        raise ConfigError(
            f"mapping.weight_scale = {scale}: this run was restricted with scale {fixed.weight_scale!r}; another one would "
            "move its weights out of the linear range"
        )
    return {name: np.asarray(fixed.w_max[name]) for name in names}


def trained_limits(fixed: Fixed, placement: Placement) -> Weights | None:
    """The weight limits that a run was trained with (tat); None where it was the largest weight, or none."""
    if fixed.weight_limits is None:
        return None
    if placement.weight_scale not in (None, "layer"):
        raise ConfigError(
            f"mapping.weight_scale = {placement.weight_scale}: this run was trained with a weight limit of each layer; "
            "mapping.weight_limit = largest leaves it"
        )
    return {name: np.asarray(limit) for name, limit in fixed.weight_limits.items()}


def best_share(trained: Trained, placement: Placement, largest: Mapping[str, NDArray[np.float64]]) -> float:
    """The share of each layer's largest weight at which the levels cost the least on images held out of training.

    References:
        Chakraborty, Roy, Roy (tat), section III-C.
    """
    if placement.devices.levels is None:
        raise ConfigError(
            "mapping.weight_limit = auto chooses for the levels of the devices: it needs mapping.bits or mapping.levels"
        )
    inputs, labels = held_out(trained)
    measure = Measure.of(build.metric_of(trained.data, None, key="metric"), labels)
    reached, kernels = kernel_measure(trained.net, inputs, labels, measure=measure), trained.kernels

    def score(share: float) -> float:
        values = {}
        for name, limit in largest.items():
            kernel = kernels[name]
            span = span_of(placement.devices, placement.scheme, vg=None, w_max=limit * share)
            placed = place(placement.scheme, kernel.reshape(-1, kernel.shape[-1]), span)
            values[name] = placed.decoded().astype(np.float32).reshape(kernel.shape)
        return measure.sign * reached(values)

    return weight_limit(jnp.ones(1), rule="auto", score=score, shares=LIMIT_SHARES)
