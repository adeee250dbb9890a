"""Effects of age, reads and temperature on devices, besides drift: retention, read disturb, heat."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, assert_never

from pydantic import Field, model_validator

from xbar_cli.config.base import Quantity, in_unit, require

from .effect import Effect, Time

if TYPE_CHECKING:
    from xbar_cli.device.figures import Devices
    from xbar_cli.types import Array

Kelvin = Annotated[Quantity, in_unit("K"), Field(ge=4, le=1000)]
Coefficient = Annotated[Quantity, Field(ge=-0.1, le=0.1)]
LogSpread = Annotated[Quantity, Field(ge=0, le=3)]


class Retention(Effect):
    """G_inf + (G - G_inf) exp(-t/tau): devices lose their state to G_off or G_on, sooner when hot (Arrhenius)."""

    model: Literal["retention"]
    stage: ClassVar = "drift"
    once: ClassVar = "a device is lost to one state"
    tau: Time
    """Median time constant at 300 K [s]."""
    to: Literal["off", "on"] = "off"
    """The state that it ends in."""
    tau_sigma: LogSpread = 0.0
    """Standard deviation between devices of the natural logarithm of the time constant."""
    ea: Annotated[Quantity, in_unit("eV"), Field(ge=0, le=5)] = 0.0
    """Activation energy [eV]."""
    kelvin: Kelvin = 300.0
    """Temperature of the device [K]."""
    t: Time | None = None
    """Age of the chip [s], such as 1h; that of `--at` where several times are evaluated."""

    @model_validator(mode="after")
    def _activated(self) -> Self:
        if self.kelvin != 300 and self.ea == 0:
            raise ValueError("retention: kelvin= changes nothing without ea=, the activation energy in eV")
        return self


class ReadDisturb(Effect):
    """Every read takes a share of what parts a device from G_on or G_off: G_inf + (G - G_inf) exp(-share rate t)."""

    model: Literal["read_disturb"]
    stage: ClassVar = "drift"
    once: ClassVar = "each says what a read does to a device"
    share: Annotated[Quantity, Field(ge=0, le=1)]
    """Median share that one read takes."""
    rate: Annotated[Quantity, Field(gt=0, le=1e12)]
    """Reads a second."""
    to: Literal["off", "on"] = "on"
    """The state that reads move it to."""
    share_sigma: LogSpread = 0.0
    """Standard deviation between devices of the share's natural logarithm."""
    t: Time | None = None
    """Age of the chip [s], such as 1h; that of `--at` where several times are evaluated."""


class Temperature(Effect):
    """Resistances at another temperature than 300 K: R (1 + alpha (T - 300 K)), alpha linear in G from off to on."""

    model: Literal["temperature"]
    stage: ClassVar = "drift"
    once: ClassVar = "a chip has one temperature"
    kelvin: Kelvin
    """Temperature of the devices [K]."""
    alpha_on: Coefficient = 0.0
    """Of the resistance at G_on [1/K], above 0 in metals."""
    alpha_off: Coefficient = 0.0
    """Of the resistance at G_off [1/K], below 0 where carriers are activated."""

    @model_validator(mode="after")
    def _coefficients(self) -> Self:
        if not self.model_fields_set & {"alpha_on", "alpha_off"}:
            raise ValueError("temperature needs alpha_on= or alpha_off=, per kelvin")
        if any(1 + alpha * (self.kelvin - 300) <= 0 for alpha in (self.alpha_on, self.alpha_off)):
            raise ValueError(f"temperature: at {self.kelvin:g} K these coefficients leave no resistance")
        return self


Relaxing = Retention | ReadDisturb
"""Effects that know how old a chip is."""


def age_of(effect: Any) -> float:
    """The age that an effect is told [s]; ConfigError where it is not."""
    require(
        effect.t is not None,
        f"effect {effect.model} needs t=, the age of the chip, such as {effect.model}:t=1h, or ageing.at, several of them",
    )
    assert effect.t is not None
    return effect.t


def model_of(
    effect: Retention | ReadDisturb | Temperature, devices: "Devices"
) -> "tuple[Callable[..., Array], dict[str, Any]]":
    """The function that an effect is, and its numbers."""
    from xbar_cli.device.ageing import relaxation, temperature

    ends = {"on": devices.g_on, "off": devices.g_off}
    match effect:
        case Retention():
            tau = relaxation.arrhenius(effect.tau, activation_ev=effect.ea, kelvin=effect.kelvin)
            spent = {"amount": age_of(effect) / tau, "spread": effect.tau_sigma}
            return relaxation.relaxed, {**spent, "toward": ends[effect.to]}
        case ReadDisturb():
            spent = {"amount": effect.share * effect.rate * age_of(effect), "spread": effect.share_sigma}
            return relaxation.relaxed, {**spent, "toward": ends[effect.to]}
        case Temperature():
            known = {"kelvin": effect.kelvin, "alpha_on": effect.alpha_on, "alpha_off": effect.alpha_off}
            return temperature.heated, {**known, "g_on": devices.g_on, "g_off": devices.g_off}
        case _:
            assert_never(effect)
