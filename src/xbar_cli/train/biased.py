"""Biased training: after each epoch the important columns move to weights whose top slice errs least (biased, III-B)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from xbar_cli.config.methods import BiasedMethod
from xbar_cli.config.ranges import parse_tile
from xbar_cli.config.train import TrainConfig
from xbar_cli.device.technologies import load_technology
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.bitslice import SliceFormat
from xbar_cli.mapping.states import (
    column_importance,
    favourable_states,
    favourable_table,
    is_favourable,
    nearest_favourable,
    select_columns,
    state_order,
    weight_mask,
)
from xbar_cli.nn.shapes import LayerShape
from xbar_cli.train.forward import make_forward
from xbar_cli.train.loop import State
from xbar_cli.train.session import (
    Conclusion,
    Ended,
    Method,
    Phase,
    Restricted,
    Session,
    counter,
    measured,
    start_from,
)
from xbar_cli.train.transforms import Transform
from xbar_cli.trained.fixed import Fixed

Importance = Callable[[State, Iterable[tuple[Array, Array]]], dict[str, Array]]

LARGE_LOSS = 0.1
"""Accuracy that a restriction may cost before the user is told."""


@dataclass(frozen=True)
class Restriction:
    """Which weights move where.

    Attributes:
        fmt: how weights are cut into slices.
        favourable: states that the devices of the slice may be in.
        slice_index: the slice, −1 for the most significant.
        important: share m of the columns of each layer.
        tile_rows: rows of a crossbar.
        absolute: whether importance adds |SI_w|.
    """

    fmt: SliceFormat
    favourable: tuple[int, ...]
    slice_index: int
    important: float
    tile_rows: int
    absolute: bool

    def __call__(self, kernel: Float[Array, "*window out"], si: Float[Array, "*window out"]) -> Array:
        """The kernel with its important columns restricted."""
        w, s = (value.reshape(-1, value.shape[-1]) for value in (kernel, si))
        hi = column_importance(s, tile_rows=self.tile_rows, absolute=self.absolute)
        columns = select_columns(hi, percent=100 * self.important)
        chosen = weight_mask(columns, rows=w.shape[0], tile_rows=self.tile_rows)
        moved = nearest_favourable(
            w, self.fmt, favourable=self.favourable, slice_index=self.slice_index, restrict=chosen
        )
        return moved.reshape(kernel.shape)

    def favourable_fraction(self, kernel: Array) -> float:
        """Share of the weights whose slice is favourable."""
        good = is_favourable(kernel, self.fmt, favourable=self.favourable, slice_index=self.slice_index)
        return float(good.astype(jnp.float32).mean())


def make_importance(graphdef: Any, layers: list[str]) -> Importance:
    """The function `(network state, batches) -> SI_w by layer`, `SI_w = ∂Q/∂w`, `Q = Σ_batch Σ_classes P·L`.

    P are the scores before the softmax, L the one-hot labels.

    References:
        Diware et al. (biased), eq. (1).
    """

    @jax.jit
    def gradient(state: State, images: Array, labels: Array) -> dict[str, Array]:
        def q(net: nnx.Module) -> Array:
            scores = net(images)  # type: ignore[operator]
            return jnp.take_along_axis(scores, labels[..., None], axis=-1).sum()

        found = nnx.grad(q)(nnx.merge(graphdef, state))
        return {name: found[name]["kernel"][...] for name in layers}

    def importance(state: State, batches: Iterable[tuple[Array, Array]]) -> dict[str, Array]:
        total: dict[str, Array] = {}
        for images, labels in batches:
            part = gradient(state, images, labels)
            total = {name: part[name] + total[name] if total else part[name] for name in layers}
        return total

    return importance


def restrict_columns(
    kernels: Mapping[str, Array], si: Mapping[str, Array], rule: Restriction
) -> tuple[dict[str, Array], dict[str, float]]:
    """The kernels with every layer restricted, and the share of its weights that were favourable before, by layer."""
    before = {name: rule.favourable_fraction(kernels[name]) for name in si}
    return {name: rule(kernels[name], importance) for name, importance in si.items()}, before


def method(
    section: BiasedMethod,
    config: TrainConfig,
    net: nnx.Module,
    shapes: Sequence[LayerShape],
    plain: Phase,
    noise: Transform | None,
) -> Method:
    """An epoch of plain training, importance, restriction; the best weights after a restriction are kept."""
    rule = restriction(section)
    start_from(net, str(section.start), config)
    importance = make_importance(nnx.split(net)[0], [layer.name for layer in shapes])

    def restrict(session: Session, state: State, kept: Mapping[str, Any], epoch: int) -> Restricted:
        del kept
        si = importance(state, session.epoch_batches(epoch, images=section.images))
        restricted, before = restrict_columns(session.kernels(state), si, rule)
        metrics = {"favourable_fraction": [before[name] for name in session.layers]}
        return Restricted(restricted, {"favourable": before}, metrics)

    return Method(
        (replace(plain, name="biased", restrict_every=1, select=section.select),),
        make_forward(noise, precision=config.training.precision),
        restrict=restrict,
        conclude=partial(conclude, section, rule),
    )


def conclude(section: BiasedMethod, rule: Restriction, session: Session, ended: Ended) -> Conclusion:
    """Shares of favourable weights and accuracies, at the start and at the end."""
    count = counter(session)
    started, reached = (measured(session, count, state, part="test") for state in (ended.start, ended.final))
    if session.measure("test").is_share and started - reached > LARGE_LOSS:
        session.reporter.note(
            f"the restriction costs {(started - reached) * 100:.0f} points: few small weights have states "
            f"{section.favourable} under encoding {section.encoding}; try another pair"
        )
    before, after = (
        [rule.favourable_fraction(kernel) for kernel in session.kernels(state).values()]
        for state in (ended.start, ended.final)
    )
    figures = {
        f"start_{session.metric}": started,
        "favourable_states": list(rule.favourable),
        "favourable_fraction_at_start": before,
        "favourable_fraction": after,
        "important_fraction": section.important,
        "selected_on": section.select,
    }
    fmt = rule.fmt
    fixed = Fixed(scheme="bitslice", technology=section.technology, bits=fmt.device_bits, slices=fmt)
    return Conclusion(session.network(ended.final), fixed, figures)


def restriction(section: BiasedMethod) -> Restriction:
    """The restriction asked for. ConfigError for states that the technology does not have, or a set that no weight has."""
    technology = load_technology(section.technology)
    fmt = section.slices()
    try:
        rule, _, count = section.favourable.partition(":")
        if rule != "best":
            favourable = tuple(int(state) for state in section.favourable.split(","))
        elif technology.states is None:
            raise ValueError(f"technology {technology.name} has no table of states to choose the best of")
        elif len(technology.states.target) != 2**section.bits:
            raise ValueError(
                f"technology {technology.name} has {len(technology.states.target)} states, {section.bits} bits have "
                f"{2**section.bits}"
            )
        else:
            favourable = favourable_states(state_order(technology.states), configuration=int(count))
        favourable_table(fmt, tuple(sorted(favourable)), section.slice)
    except ValueError as error:
        raise ConfigError(f"method = biased: {error}") from None
    return Restriction(
        fmt=fmt, favourable=tuple(sorted(favourable)), slice_index=section.slice, important=section.important,
        tile_rows=parse_tile(section.tile)[0], absolute=section.absolute,
    )  # fmt: skip
