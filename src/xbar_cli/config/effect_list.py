"""The effects on a chip, together: as text, which of them go with each other, and what they are of some devices."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from .effects import EFFECTS, AnyEffect, Drift, OnDevices, PcmDrift, PcmRead, Smooth, States, step_of

if TYPE_CHECKING:
    from xbar_cli.device.chip import Step
    from xbar_cli.device.figures import Devices


def parse_effect(value: Any) -> Any:
    """`model:key=value,key=value` as a table; anything but a text is returned as it is.

    Raises:
        ValueError: an unknown model, or a part that is no key=value.
    """
    if not isinstance(value, str):
        return value
    model, _, rest = value.partition(":")
    if model not in EFFECTS:
        raise ValueError(f"{model!r} is no effect; use {', '.join(EFFECTS)}")
    table = {"model": model}
    for part in filter(None, rest.split(",")):
        key, equals, text = part.partition("=")
        if not equals:
            raise ValueError(f"{value!r}: write {model}:key=value,key=value with keys {_keys(model)}")
        table[key.strip()] = text.strip()
    if unknown := [key for key in table if key != "model" and key not in _keys(model).split(", ")]:
        raise ValueError(f"{value!r}: {model} has no {unknown[0]!r}; its keys are {_keys(model)}")
    return table


def _keys(model: str) -> str:
    """The keys of an effect."""
    return ", ".join(key for key in EFFECTS[model].model_fields if key != "model")


_OneEffect = Annotated[Annotated[AnyEffect, Field(discriminator="model")], BeforeValidator(parse_effect)]


def agree(chosen: Sequence[AnyEffect]) -> Sequence[AnyEffect]:
    """The effects, if no two of them contradict each other.

    Raises:
        ValueError: two that say the same thing of a device, or two ages of one chip.
    """
    for number, effect in enumerate(chosen):
        others = [other.model for other in chosen[:number] if effect.once is not None and other.once == effect.once]
        if others:
            raise ValueError(f"{others[0]} and {effect.model} cannot act together: {effect.once}")
    ages = {effect.model: effect.t for effect in chosen if isinstance(effect, Drift | PcmDrift | PcmRead)}
    if len(set(ages.values())) > 1:
        told = " and ".join(f"{model}:t={t:g}" for model, t in ages.items())
        raise ValueError(f"{told} contradict each other: a chip has one age [s]")
    return chosen


Effects = Annotated[tuple[_OneEffect, ...], AfterValidator(agree)]


def steps_of(chosen: Sequence[OnDevices], devices: "Devices") -> "list[Step]":
    """The effects on a chip's memristors, in physical order, each under a name of its own.

    Raises:
        ConfigError: an effect that needs figures of a technology which are not there, or statistics of other devices.
    """
    from xbar_cli.device.chip import in_order

    return in_order([step_of(effect, devices) for effect in chosen])


def described(effect: AnyEffect) -> str:
    """An effect on transistors or reads, in one line."""
    given = effect.model_dump(exclude_none=True, exclude={"model"})
    return f"{effect.stage}: {effect.model} ({', '.join(f'{key} = {value:g}' for key, value in given.items())})"


def remarks(chosen: Sequence[AnyEffect], devices: "Devices") -> list[str]:
    """What a user should know of the effects' figures."""
    from xbar_cli.device.figures import statistics_of

    measured = [effect for effect in chosen if isinstance(effect, States | Smooth)]
    found = (statistics_of(devices, effect.model, file=effect.file)[1] for effect in measured)
    return [note for note in found if note is not None]
