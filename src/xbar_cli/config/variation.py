"""Configuration of what befalls the devices of a chip."""

from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field

from .base import Option, Quantity, Section, asks_percent, parse_share
from .effect_list import Effects, effect_said
from .effects import (
    EFFECTS,
    Additive,
    Ageing,
    AnyEffect,
    AnyReadNoise,
    Mismatch,
    OnDevices,
    PcmRead,
    Proportional,
    ReadNoise,
)

VariationModel = Literal["additive", "proportional"]
_BESIDES = ", ".join(name for name in EFFECTS if name not in get_args(VariationModel))


class VariationSection(Section):
    """What befalls the programmed conductances of a chip."""

    amount: Annotated[
        Quantity, BeforeValidator(asks_percent), BeforeValidator(parse_share), Field(ge=0, le=10), Option("--variation")
    ] = 0.0
    """Standard deviation X of a normal variation, the first of the effects, such as 0.05 or 5%."""
    model: Annotated[VariationModel, Option("--variation-model")] = "additive"
    """additive: σ = X (G_on − G_off), the default; proportional: σ = X G."""
    effects: Annotated[
        Effects,
        Field(description=f"Another effect on the devices, may be repeated: {_BESIDES}. They act in physical order."),
        Option("--effect", metavar="MODEL:KEY=VALUE,…", repeatable=True),
    ] = ()
    negative: Annotated[Literal["clamp", "reflect", "allow"], Option()] = "clamp"
    """What becomes of conductances below 0."""

    def all_effects(self) -> list[AnyEffect]:
        """Every effect, `amount` with them."""
        if self.amount == 0:
            return list(self.effects)
        kinds = {"additive": Additive, "proportional": Proportional}
        return [kinds[self.model](model=self.model, sigma=self.amount), *self.effects]

    def on_devices(self) -> list[OnDevices]:
        """The effects that make a chip's memristors what they are."""
        return [effect for effect in self.all_effects() if not isinstance(effect, Mismatch | ReadNoise | PcmRead)]

    def mismatch(self) -> Mismatch | None:
        """The spread of the access transistors, if there is one."""
        return next((effect for effect in self.effects if isinstance(effect, Mismatch)), None)

    def read_noises(self) -> list[AnyReadNoise]:
        """The effects that are new at every read."""
        return [effect for effect in self.effects if isinstance(effect, ReadNoise | PcmRead)]

    def ageing(self) -> list[Ageing]:
        """The effects that know how old the chip is."""
        return [effect for effect in self.effects if isinstance(effect, Ageing)]

    def said(self) -> str:
        """What acts, in words: `5 % additive variation, stuck (off = 0.01)`."""
        first = [f"{self.amount * 100:g} % {self.model} variation"] if self.amount else []
        return ", ".join([*first, *map(effect_said, self.effects)]) or "no variation"

    def at_age(self, age: float) -> Self:
        """The same at an age [s]."""
        aged = [
            type(effect).model_validate({**effect.model_dump(), "t": age}) if isinstance(effect, Ageing) else effect
            for effect in self.effects
        ]
        return self.model_copy(update={"effects": tuple(aged)})
