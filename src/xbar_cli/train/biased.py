"""Biased training: after each epoch the important columns move to weights whose top slice errs least (biased, III-B).

The paper restricts between epochs. What a network of a few epochs learns under the restriction depends on that: it may also
be restricted after every step, or in every forward pass with gradients passing straight through. The columns that are
important are found between epochs in any case, and layers keep them as `important` where steps need them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jaxtyping import Bool, Float

from xbar_cli.config.methods import BiasedMethod
from xbar_cli.config.ranges import parse_tile
from xbar_cli.config.train import TrainConfig
from xbar_cli.device.technologies import load_technology
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.bitslice import SliceFormat, filling_bits
from xbar_cli.mapping.states import (
    column_importance,
    error_current,
    favourable_states,
    favourable_table,
    is_favourable,
    nearest_favourable,
    select_columns,
    state_order,
    weight_mask,
)
from xbar_cli.nn.shapes import LayerShape
from xbar_cli.numerics import straight_through
from xbar_cli.train.forward import make_forward
from xbar_cli.train.injection import injected
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
from xbar_cli.train.transforms import Site, Transform
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
        tile_rows: rows over which the importance of a column is summed; None for all that the layer has.
        absolute: whether importance adds |SI_w|.
    """

    fmt: SliceFormat
    favourable: tuple[int, ...]
    slice_index: int
    important: float
    tile_rows: int | None
    absolute: bool

    def __call__(self, kernel: Float[Array, "*window out"], si: Float[Array, "*window out"]) -> Array:
        """The kernel with its important columns restricted."""
        return self.moved(kernel, self.chosen(si))

    def chosen(self, si: Float[Array, "*window out"]) -> Bool[Array, "*window out"]:
        """The weights of the important columns, of the importance of every weight."""
        s = si.reshape(-1, si.shape[-1])
        tile_rows = self.tile_rows or s.shape[0]
        hi = column_importance(s, tile_rows=tile_rows, absolute=self.absolute)
        columns = select_columns(hi, percent=100 * self.important)
        return weight_mask(columns, rows=s.shape[0], tile_rows=tile_rows).reshape(si.shape)

    def moved(self, kernel: Float[Array, "*window out"], chosen: Bool[Array, "*window out"]) -> Array:
        """The kernel with the chosen weights restricted."""
        return nearest_favourable(
            kernel, self.fmt, favourable=self.favourable, slice_index=self.slice_index, restrict=chosen
        )

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


Rules = Mapping[str, Restriction]
"""By layer: each has the format of its own."""


def restrict_columns(
    kernels: Mapping[str, Array], si: Mapping[str, Array], rules: Rules
) -> tuple[dict[str, Array], dict[str, float]]:
    """The kernels with every layer restricted, and the share of its weights that were favourable before, by layer."""
    before = {name: rules[name].favourable_fraction(kernels[name]) for name in si}
    return {name: rules[name](kernels[name], importance) for name, importance in si.items()}, before


@dataclass(frozen=True)
class StraightThrough:
    """A transform of every kernel: what is important is restricted, gradients are those of the weights as they are.

    Attributes:
        rules: by layer.
        noise: on the restricted weights; None for nothing.
    """

    rules: Rules
    noise: Transform | None = None

    def __call__(self, site: Site, kernel: Array) -> Array:
        """The kernel as its products see it."""
        rule, chosen = self.rules[site.name], site.layer.important[...]
        found = straight_through(lambda w: rule.moved(w, chosen), kernel)
        return found if self.noise is None else self.noise(site, found)


def project(rules: Rules, net: Any) -> None:
    """Restrict the important columns of a network, in place."""
    for name, rule in rules.items():
        layer = getattr(net, name)
        layer.kernel[...] = rule.moved(layer.kernel[...], layer.important[...])


def method(
    section: BiasedMethod,
    config: TrainConfig,
    net: nnx.Module,
    shapes: Sequence[LayerShape],
    plain: Phase,
    ramp: int | None,
) -> Method:
    """An epoch of training, importance, restriction; the best weights after a restriction are kept."""
    common = restriction(section)
    start_from(net, str(section.start), config)
    formats = formats_of(section, net, shapes)
    rules = {name: replace(common, fmt=fmt) for name, fmt in formats.items()}
    noise = injected(config.inject, technology=section.technology, formats=formats, ramp=ramp)
    straight, kept = section.restrict_at == "straight", section.restrict_at != "epoch"
    for layer in shapes if kept else ():
        getattr(net, layer.name).important = nnx.BatchStat(jnp.zeros(layer.kernel, bool))
    importance = make_importance(nnx.split(net)[0], list(rules))

    def restrict(session: Session, state: State, kept_so_far: Mapping[str, Any], epoch: int) -> Restricted:
        del kept_so_far
        seen = session.network(state)
        if kept:
            project(rules, seen)
        si = importance(nnx.state(seen), session.epoch_batches(epoch, images=section.images))
        restricted, before = restrict_columns(session.kernels(state), si, rules)
        columns = {name: rules[name].chosen(found) for name, found in si.items()} if kept else {}
        metrics = {"favourable_fraction": [before[name] for name in session.layers]}
        return Restricted({} if straight else restricted, {"favourable": before}, metrics, columns)

    phase = replace(plain, name="biased", restrict_every=1, restrict_first=kept, select=section.select)
    return Method(
        (phase,),
        make_forward(StraightThrough(rules, noise) if straight else noise, precision=config.training.precision),
        project=partial(project, rules) if section.restrict_at == "step" else None,
        restrict=restrict,
        conclude=partial(conclude, section, rules),
    )


def formats_of(section: BiasedMethod, net: nnx.Module, shapes: Sequence[LayerShape]) -> dict[str, SliceFormat]:
    """How the weights of each layer are cut into slices: as the section says, or on a scale of their own."""
    fmt = section.slices()
    if section.weight_scale == "format":
        return {layer.name: fmt for layer in shapes}
    whole = section.weight_scale == "power"
    kernels = {layer.name: np.asarray(getattr(net, layer.name).kernel[...]) for layer in shapes}
    return {
        name: replace(fmt, fraction_bits=filling_bits(kernel, weight_bits=fmt.weight_bits, whole=whole))
        for name, kernel in kernels.items()
    }


def conclude(section: BiasedMethod, rules: Rules, session: Session, ended: Ended) -> Conclusion:
    """Shares of favourable weights and accuracies, at the start and at the end."""
    count = counter(session)
    started, reached = (measured(session, count, state, part="test") for state in (ended.start, ended.final))
    if session.measure("test").is_share and started - reached > LARGE_LOSS:
        session.reporter.note(
            f"the restriction costs {(started - reached) * 100:.0f} points: few small weights have states "
            f"{section.favourable} under encoding {section.encoding}; try another pair"
        )
    net, before = session.network(ended.final), session.kernels(ended.start)
    if section.restrict_at != "epoch":
        project(rules, net)
        for name in rules:
            delattr(getattr(net, name), "important")
    fmt = next(iter(rules.values())).fmt
    figures = {
        f"start_{session.metric}": started,
        "favourable_states": list(next(iter(rules.values())).favourable),
        **state_figures(section.technology),
        "favourable_fraction_at_start": [rule.favourable_fraction(before[name]) for name, rule in rules.items()],
        "favourable_fraction": [
            rule.favourable_fraction(getattr(net, name).kernel[...]) for name, rule in rules.items()
        ],
        "important_fraction": section.important,
        "restrict_at": section.restrict_at,
        "selected_on": section.select,
    }
    own = None if section.weight_scale == "format" else {name: rule.fmt.fraction_bits for name, rule in rules.items()}
    fixed = Fixed(
        scheme="bitslice",
        technology=section.technology,
        bits=fmt.device_bits,
        slices=section.slices(),
        fraction_bits=own,
    )
    return Conclusion(net, fixed, figures)


def state_figures(technology: str) -> dict[str, Any]:
    """Error of every state, `|mean − target| + σ`, relative to the step between states, and the order of the states by it."""
    states = load_technology(technology).states
    if states is None:
        return {}
    step = np.diff(states.target).mean()
    errors = error_current(states, v_read=1.0) / step
    return {
        "state_errors": errors.tolist(),
        "state_relative_spreads": (states.sigma / states.mean).tolist(),
        "state_order": list(state_order(states)),
    }


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
        tile_rows=parse_tile(section.tile)[0] if section.importance == "tile" else None, absolute=section.absolute,
    )  # fmt: skip
