"""Weights that descend beside the parameters of a design, and the train run that keeps what they became."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from xbar_cli.config.devices import ImportConfig
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.placing import LimitShare, Placement
from xbar_cli.runs.directory import new_run
from xbar_cli.runs.results import MODEL
from xbar_cli.trained.fixed import Fixed
from xbar_cli.trained.network_file import keep_network_file, kept_network
from xbar_cli.trained.opening import Trained, weight_maxima
from xbar_cli.workflows.importing import as_it_is

PREFIX = "weights:"
"""What the names of weights begin with among all that descends."""
LEFT = ("arrays",)
"""What a training may have fixed: the evaluation of a design says its arrays itself."""


@dataclass(frozen=True)
class FullScale:
    """The weight at full scale, as it follows the weights.

    Attributes:
        scale: it is the largest of the `network`, of the `layer` or of the `column`.
        share: of that; 1 where the share is designed.
    """

    scale: str
    share: float

    def __call__(self, kernels: Mapping[str, Array]) -> dict[str, Array]:
        """By layer, one number or one an output."""
        largest = weight_maxima(kernels, scale=self.scale, xp=jnp)
        return {name: self.share * value for name, value in largest.items()}


def full_scale(placement: Placement, *, designed: bool) -> FullScale | None:
    """How the weight at full scale follows the weights; None where it is a number."""
    scale = placement.largest_of
    match placement.weight_limit:
        case "max" | "largest":
            return FullScale(scale, 1.0)
        case LimitShare(share):
            return FullScale(scale, 1.0 if designed else share)
        case _:
            return None


def require_free(trained: Trained, run: str) -> None:
    """ConfigError where weights cannot be trained along: their training fixed what would no longer be of them."""
    kept = Fixed()
    names = [f.name for f in fields(Fixed) if f.name not in LEFT]
    own = [name for name in names if getattr(trained.fixed, name) != getattr(kept, name)]
    if own:
        raise ConfigError(
            f"design.train_weights: the training of {run} fixed {', '.join(own)} for its own weights; start from one that is not "
            f"bound to devices, as method = ideal leaves it"
        )


def trainable(split: tuple[Any, Any]) -> dict[str, Array]:
    """The parameters of a network by the names that they descend under; running statistics stay."""
    _, state = split
    flat = nnx.to_flat_state(nnx.filter_state(state, nnx.Param))
    return {PREFIX + _dotted(path): jnp.asarray(leaf[...]) for path, leaf in flat}


def weights_in(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The weights among all that descends, by their own names."""
    return {name.removeprefix(PREFIX): value for name, value in variables.items() if name.startswith(PREFIX)}


def with_values(state: Any, weights: Mapping[str, Any]) -> Any:
    """The state of a network with these parameters in it."""
    flat = dict(nnx.to_flat_state(state))
    named = {_dotted(path): path for path in flat}
    for name, value in weights.items():
        flat[named[name]] = flat[named[name]].replace(value)
    return nnx.from_flat_state(list(flat.items()))


def _dotted(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path))


def retrained(trained: Trained, split: tuple[Any, Any], weights: Mapping[str, Any]) -> Trained:
    """The trained network with other weights, in single precision."""
    graphdef, state = split
    single = jax.tree.map(_single, with_values(state, weights))
    return replace(trained, net=nnx.merge(graphdef, single))


def _single(value: Any) -> Array:
    value = jnp.asarray(value)
    return value.astype(jnp.float32) if jnp.issubdtype(value.dtype, jnp.floating) else value


def keep(trained: Trained, folder: Path, *, final: Path, seed: int) -> dict[str, Any]:
    """Write a network as a train run into `folder`, which will be `final`; returns its summary.

    Its weights come from a design as those of `xbar import` come from elsewhere, and it is such a run.
    """
    own = trained.config
    config = ImportConfig(file=str(final / MODEL), network=own.network, dataset=own.dataset, layout="xbar", seed=seed)
    with new_run(folder, overwrite=True) as run:
        keep_network_file(kept_network(own.network, trained.run.path), run.path)
        found = as_it_is(config, "xbar", trained.net, trained.data, run, metric=trained.summary["metric"])
        found |= {"designed_from": str(trained.run.path), "out": str(final)}
        run.finish(found, overwrite=True)
    return found


def moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    """How far weights went: the rms of their change over the rms of what they were."""
    change = sum(float(np.sum((np.asarray(after[n]) - np.asarray(before[n])) ** 2)) for n in after)
    return (change / sum(float(np.sum(np.asarray(before[n]) ** 2)) for n in after)) ** 0.5


def in_use(values: Array) -> Array:
    """Floating-point numbers in the precision of the process; others as they are."""
    return jnp.asarray(values, float) if jnp.issubdtype(values.dtype, jnp.floating) else values
