"""Biased training in a training run: favourable states from a technology, important columns restricted each epoch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flax import nnx

from xbar_cli.config.methods import BiasedSection
from xbar_cli.config.ranges import parse_tile
from xbar_cli.config.train import TrainConfig
from xbar_cli.device.technologies import load_technology
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.bitslice import SliceFormat
from xbar_cli.mapping.states import favourable_states, favourable_table, state_order
from xbar_cli.nn.shapes import LayerShape
from xbar_cli.train.biased import Restriction, make_importance, restrict_columns
from xbar_cli.train.forward import make_forward
from xbar_cli.train.loop import State
from xbar_cli.train.session import Method, Phase, Progress, Session, accuracy, counter, start_from
from xbar_cli.train.transforms import Transform

LARGE_LOSS = 0.1
"""Accuracy that a restriction may cost before the user is told."""


def method(
    config: TrainConfig, net: nnx.Module, shapes: Sequence[LayerShape], plain: Phase, noise: Transform | None
) -> Method:
    """An epoch of plain training, importance, restriction; the best weights after a restriction are kept."""
    section = config.biased
    rule = restriction(section)
    start_from(net, str(section.start), config)
    importance = make_importance(nnx.split(net)[0], [layer.name for layer in shapes])

    def restrict(session: Session, progress: Progress, epoch: int) -> dict[str, Any]:
        si = importance(nnx.state(session.net), session.epoch_batches(epoch, images=section.images))
        before = restrict_columns(session.net, si, rule)
        progress.method["favourable"] = before
        return {"favourable_fraction": [before[name] for name in session.layers]}

    def conclude(session: Session, states: dict[str, State], progress: Progress) -> dict[str, Any]:
        del progress
        after, count = favourable_fractions(session, rule), counter(session)
        nnx.update(session.net, states["start"])
        before = favourable_fractions(session, rule)
        nnx.update(session.net, states["final"])
        started, ended = (accuracy(session, count, states[name], part="test") for name in ("start", "final"))
        if started - ended > LARGE_LOSS:
            session.reporter.note(
                f"the restriction costs {(started - ended) * 100:.0f} points: few small weights have states "
                f"{section.favourable} under encoding {section.encoding}; try another pair"
            )
        return {
            "start_accuracy": started,
            "favourable_states": list(rule.favourable),
            "favourable_fraction_at_start": before,
            "favourable_fraction": after,
            "important_fraction": section.important,
            "encoding": section.encoding,
            "selected_on": section.select,
        }

    return Method(
        (replace(plain, name="biased", restrict_every=1, select=section.select),),
        make_forward(noise, precision=config.training.precision),
        restrict=restrict,
        conclude=conclude,
    )


def favourable_fractions(session: Session, rule: Restriction) -> list[float]:
    """Share of the weights of every layer whose slice is favourable."""
    return [rule.favourable_fraction(getattr(session.net, name).kernel[...]) for name in session.layers]


def slice_format(section: BiasedSection) -> SliceFormat:
    """How weights are cut into slices.

    Raises:
        ConfigError: slices that do not fit.
    """
    try:
        return SliceFormat(
            weight_bits=section.weight_bits, fraction_bits=section.fraction_bits, device_bits=section.bits,
            encoding=section.encoding,
        )  # fmt: skip
    except ValueError as error:
        raise ConfigError(f"--method biased: {error}") from None


def restriction(section: BiasedSection) -> Restriction:
    """The restriction that the configuration asks for.

    Raises:
        ConfigError: slices that do not fit, states that the technology does not have, a set that no weight has.
    """
    technology = load_technology(section.technology)
    fmt = slice_format(section)
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
        raise ConfigError(f"--method biased: {error}") from None
    return Restriction(
        fmt=fmt, favourable=tuple(sorted(favourable)), slice_index=section.slice, important=section.important,
        tile_rows=parse_tile(section.tile)[0], absolute=section.absolute,
    )  # fmt: skip
