"""The effects on a chip, together: as text, which of them go with each other, what they are of some devices, in training."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from xbar_cli.outside import did_you_mean, quoted

from .base import Quantity, Section, duration, parse_quantity, require
from .effects import EFFECTS, Ageing, AnyEffect, OnDevices, Smooth, States, step_of
from .known.keys import takes_time
from .ranges import TechnologyName

if TYPE_CHECKING:
    from xbar_cli.device.chip import Step
    from xbar_cli.device.figures import Devices


def parse_effect(value: Any) -> Any:
    """`model:key=value,key=value` as a table; anything but a text is returned as it is."""
    if not isinstance(value, str):
        return value
    model, _, rest = value.partition(":")
    require_effect(model)
    table = {"model": model}
    for part in filter(None, rest.split(",")):
        key, equals, text = part.partition("=")
        if not equals:
            raise ValueError(f"{quoted(value)}: write {model}:key=value,key=value with keys {_keys(model)}")
        table[key.strip()] = text.strip()
    if unknown := [key for key in table if key != "model" and key not in _keys(model).split(", ")]:
        near = did_you_mean(unknown[0], _keys(model).split(", "))
        raise ValueError(f"{quoted(value)}: {model} has no {quoted(unknown[0])}{near}; its keys are {_keys(model)}")
    return table


def require_effect(model: str) -> None:
    """Raise ValueError unless there is an effect of this name."""
    if model not in EFFECTS:
        raise ValueError(f"{quoted(model)} is no effect{did_you_mean(model, EFFECTS)}; use {', '.join(EFFECTS)}")


def require_amounts(effect: Any) -> Any:
    """The table of an effect, if it has every key without a default; else ValueError, with what the effect takes."""
    model = effect.get("model") if isinstance(effect, Mapping) else None
    if model not in EFFECTS:
        return effect
    fields = EFFECTS[model].model_fields
    absent = [key for key, info in fields.items() if info.is_required() and key not in effect]
    if absent:
        example = ",".join(f"{key}={'1h' if takes_time(fields[key]) else 'X'}" for key in absent)
        raise ValueError(f"{model} needs {', '.join(absent)}: write {model}:{example}; it takes {_keys(model)}")
    return effect


def listed(value: Any) -> Any:
    """Effects by their names, `{drift: {t: 1h}}`, as a list of tables; anything else as it is."""
    if not isinstance(value, Mapping) or "model" in value:
        return value
    found: list[Any] = []
    for model, table in value.items():
        require_effect(model)
        if not isinstance(table, Mapping):
            raise ValueError(
                f"{model} = {quoted(table)} must be a table of {_keys(model)}, such as {model}.{_first(model)}"
            )
        found.append({"model": model, **table})
    return found


def _first(model: str) -> str:
    return _keys(model).partition(",")[0]


def effect_text(effect: Mapping[str, Any]) -> str:
    """An effect's table as `parse_effect` reads it."""
    rest = ",".join(f"{key}={value}" for key, value in effect.items() if key != "model")
    return f"{effect['model']}:{rest}"


def _keys(model: str) -> str:
    """The keys of an effect."""
    return ", ".join(key for key in EFFECTS[model].model_fields if key != "model")


_OneEffect = Annotated[
    Annotated[AnyEffect, Field(discriminator="model")], BeforeValidator(require_amounts), BeforeValidator(parse_effect)
]


def agree(chosen: Sequence[AnyEffect]) -> Sequence[AnyEffect]:
    """The effects; ValueError where two say the same thing of a device, or two ages of one chip."""
    for number, effect in enumerate(chosen):
        others = [other.model for other in chosen[:number] if effect.once is not None and other.once == effect.once]
        if others:
            raise ValueError(f"{others[0]} and {effect.model} cannot act together: {effect.once}")
    ages = {effect.model: effect.t for effect in chosen if isinstance(effect, Ageing)}
    if len(set(ages.values())) > 1:
        told = " and ".join(model if t is None else f"{model}:t={t:g}" for model, t in ages.items())
        raise ValueError(f"{told} contradict each other: a chip has one age [s]")
    return chosen


Effects = Annotated[tuple[_OneEffect, ...], AfterValidator(agree), BeforeValidator(listed)]
"""Effects on a chip: a list of texts or tables with a `model`, or a table of them by name, `effects.drift.t = "1h"`."""


def steps_of(chosen: Sequence[OnDevices], devices: "Devices") -> "list[Step]":
    """The effects on a chip's memristors, in physical order, each under a name of its own."""
    from xbar_cli.device.chip import in_order

    return in_order([step_of(effect, devices) for effect in chosen])


def described(effect: AnyEffect) -> str:
    """An effect on transistors or reads, in one line."""
    given = effect.model_dump(exclude_none=True, exclude={"model"})
    return f"{effect.stage}: {effect.model} ({', '.join(f'{key} = {value:g}' for key, value in given.items())})"


def effect_said(effect: AnyEffect) -> str:
    """An effect with what was given of it."""
    given = effect.model_dump(exclude_none=True, exclude_defaults=True, exclude={"model"})
    ages = {"t": duration(given.pop("t"))} if "t" in given else {}
    shown = {key: f"{value:g}" if isinstance(value, float) else value for key, value in given.items()} | ages
    words = [f"{key} = {value}" for key, value in shown.items()]
    return f"{effect.model} ({', '.join(words)})" if words else effect.model


def remarks(chosen: Sequence[AnyEffect], devices: "Devices") -> list[str]:
    """What a user should know of the effects' figures."""
    from xbar_cli.device.figures import statistics_of

    measured = [effect for effect in chosen if isinstance(effect, States | Smooth)]
    found = (statistics_of(devices, effect.model, file=effect.file)[1] for effect in measured)
    return [note for note in found if note is not None]


class InjectSection(Section):
    """Noise on the weights of every training step, as the standard baseline."""

    model: Literal["additive", "proportional", "lognormal", "chip_to_chip", "stuck"] = "additive"
    """additive (or normal): in units of the layer's largest weight; proportional and lognormal: of the weight; one draw
    for the whole network; a share of the weights at 0."""
    sigma: Annotated[Quantity, Field(ge=0, le=10)] = 0.0
    """Standard deviation, in the unit of the model; of stuck, the share."""
    effects: Effects | None = None
    """Or any effects of evaluate on the devices that hold the weights: a new chip at every step."""
    technology: TechnologyName | None = None
    """Of those devices: a name or a file; the method's own, or 30 and 300 kohm, when absent."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        require(self.model != "stuck" or self.sigma < 1, "inject.model = stuck takes a share below 1")
        require(self.effects is None or self.sigma == 0, "inject.effects and inject.sigma: give one of them")
        require(
            all(effect.stage != "read" for effect in self.effects or ()),
            "inject = read_noise or pcm_read: every product of a training is a read; use inject = normal:X",
        )
        require(
            all(effect.model != "mismatch" for effect in self.effects or ()),
            "inject = mismatch: training has no access transistors; use inject = normal:X",
        )
        require(bool(self.effects) or self.technology is None, "inject.technology belongs to inject.effects")
        return self


INJECT_MODELS = ("normal", "additive", "proportional", "lognormal", "chip_to_chip", "stuck")


def parse_injection(value: object) -> object:
    """`normal:0.1`, `additive:0.1`, …, a number alone (additive) or `effect:key=value` as the table of an InjectSection.

    A key of any effect is `technology`, that of the devices.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"sigma": value}
    if not isinstance(value, str):
        return value
    model, colon, sigma = value.rpartition(":")
    if "=" in value or value in EFFECTS:
        name, _, rest = value.partition(":")
        parts = {part.partition("=")[0].strip(): part for part in rest.split(",")}
        technology = parts.pop("technology", None)
        effect = {"effects": [f"{name}:{','.join(parts.values())}"]}
        return effect if technology is None else effect | {"technology": technology.partition("=")[2].strip()}
    if not colon:
        return {"sigma": parse_quantity(value)}
    if model not in INJECT_MODELS:
        raise ValueError(
            f"{quoted(model)} is no injected noise; use {', '.join(INJECT_MODELS)} with a number, or an effect of evaluate "
            "such as states:scale=0.5"
        )
    return {"model": "additive" if model == "normal" else model, "sigma": parse_quantity(sigma)}
