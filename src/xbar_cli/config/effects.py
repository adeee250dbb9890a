"""What happens to devices between their targets and a read: one entry an effect, of which a chip is composed."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from .base import Quantity, Section

Share = Annotated[Quantity, Field(ge=0, le=1)]
Relative = Annotated[Quantity, Field(ge=0, le=10)]
Time = Annotated[Quantity, Field(ge=1e-9, le=1e12)]
"""From a nanosecond to 30 000 years [s]."""


class WriteVerify(Section):
    """Programming until the conductance is within a tolerance (Alibart et al., Nanotechnology 23, 075201)."""

    model: Literal["write_verify"]
    tolerance: Relative
    """Accepted distance over the target."""
    tolerance_siemens: Annotated[Quantity, Field(ge=0, le=1)] = 0.0
    """Accepted distance besides [S]."""
    sigma_over_tolerance: Annotated[Quantity, Field(ge=1e-3, le=1e3)] = 1.0
    """Spread of one attempt over the accepted distance."""


class PcmProgramming(Section):
    """What iterative programming leaves of a phase-change device's target (Nandakumar et al., ICECS 2019)."""

    model: Literal["pcm_programming"]
    scale: Relative = 1.0
    """Multiplies the noise."""


class Additive(Section):
    """Normal, sigma in units of G_on - G_off (acm, IV-B)."""

    model: Literal["additive"]
    sigma: Relative


class Proportional(Section):
    """Normal, sigma in units of the conductance."""

    model: Literal["proportional"]
    sigma: Relative


class Lognormal(Section):
    """G exp(sigma N(0, 1)) (Vortex, DAC 2015)."""

    model: Literal["lognormal"]
    sigma: Annotated[Quantity, Field(ge=0, le=3)]
    """Of the natural logarithm: 3 puts a third of the devices off by more than 20 times."""


class States(Section):
    """Mean and spread of each state of a multi-level device (biased, Fig. 4): the technology's table, or a file's."""

    model: Literal["states"]
    file: str | None = None
    """Statistics that `xbar fit` wrote; the technology's own when absent."""
    scale: Relative = 1.0
    """Multiplies the spread of every state."""


class Smooth(Section):
    """Mean and spread interpolated over the conductance, from statistics that `xbar fit --smooth` wrote."""

    model: Literal["smooth"]
    file: str


class ChipCorner(Section):
    """Every device of the chip k sigma off (tat, III-C)."""

    model: Literal["chip_corner"]
    k: Annotated[Quantity, Field(ge=-10, le=10)]
    sigma: Relative | None = None
    """Relative standard deviation between chips; the technology's when absent."""


class ChipToChip(Section):
    """One normal draw for all devices of the chip (tat, III-C, k drawn)."""

    model: Literal["chip_to_chip"]
    sigma: Relative | None = None
    """Relative standard deviation between chips; the technology's when absent."""


class Stuck(Section):
    """Devices stuck at G_on, at G_off, or open; they stay there, whatever else acts. Absent devices (G = 0) cannot be stuck."""

    model: Literal["stuck"]
    on: Share = 0.0
    off: Share = 0.0
    open: Share = 0.0

    @model_validator(mode="after")
    def _rates(self) -> Self:
        if not self.model_fields_set & {"on", "off", "open"}:
            raise ValueError("stuck needs at least one of on=, off=, open=")
        if self.on + self.off + self.open > 1:
            raise ValueError("stuck: the rates on, off and open add up to more than 1")
        return self


class Drift(Section):
    """G (t/t0)^-nu, nu drawn per device, of its mean's sign; the technology's t0 and nu when absent (Le Gallo et al. 2018)."""

    model: Literal["drift"]
    t: Time
    t0: Time | None = None
    nu: Annotated[Quantity, Field(ge=-1, le=1)] | None = None
    nu_sigma: Annotated[Quantity, Field(ge=0, le=1)] | None = None


class PcmDrift(Section):
    """Drift whose mean and spread depend on the state of a phase-change device (Nandakumar et al., ICECS 2019)."""

    model: Literal["pcm_drift"]
    t: Time
    t0: Time = 20.0


class Mismatch(Section):
    """The threshold voltage of every cell's access transistor, N(0, sigma²), drawn once a chip."""

    model: Literal["mismatch"]
    sigma: Annotated[Quantity, Field(ge=0, le=0.2)] | None = None
    """Standard deviation [V]; that of `xbar characterize --vth-sigma` when absent."""
    scale: Relative = 1.0
    """Multiplies it."""


class ReadNoise(Section):
    """New at every read: sqrt((sigma (G_on - G_off))^2 + (relative G)^2)."""

    model: Literal["read_noise"]
    sigma: Relative = 0.0
    relative: Relative = 0.0

    @model_validator(mode="after")
    def _given(self) -> Self:
        if not self.model_fields_set & {"sigma", "relative"}:
            raise ValueError("read_noise needs sigma= or relative=")
        return self


class PcmRead(Section):
    """New at every read: 1/f noise of a phase-change device of age t (Nandakumar et al., ICECS 2019)."""

    model: Literal["pcm_read"]
    t: Time
    t_read: Time = 250e-9
    """Width of the read pulse [s]."""

    @model_validator(mode="after")
    def _later(self) -> Self:
        if self.t < self.t_read:
            raise ValueError(f"pcm_read: t = {self.t:g} s must be at least t_read = {self.t_read:g} s")
        return self


AnyReadNoise = ReadNoise | PcmRead

STAGE = {
    "write_verify": "programming",
    "pcm_programming": "programming",
    "additive": "device",
    "proportional": "device",
    "lognormal": "device",
    "states": "device",
    "smooth": "device",
    "chip_corner": "chip",
    "chip_to_chip": "chip",
    "drift": "drift",
    "pcm_drift": "drift",
    "stuck": "faults",
    "mismatch": "transistor",
    "read_noise": "read",
    "pcm_read": "read",
}
"""When each effect acts: programming, device, chip, drift, faults; transistor and read are no part of the memristors."""

AnyEffect = (
    WriteVerify | PcmProgramming | Additive | Proportional | Lognormal | States | Smooth | ChipCorner | ChipToChip | Drift
    | PcmDrift | Stuck | Mismatch | ReadNoise | PcmRead
)  # fmt: skip


def parse_effect(value: Any) -> Any:
    """`model:key=value,key=value` as a table; anything but a text is returned as it is.

    Raises:
        ValueError: an unknown model, or a part that is no key=value.
    """
    if not isinstance(value, str):
        return value
    model, _, rest = value.partition(":")
    if model not in STAGE:
        raise ValueError(f"{model!r} is no effect; use {', '.join(STAGE)}")
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
    kind = next(kind for kind in get_args(AnyEffect) if get_args(kind.model_fields["model"].annotation) == (model,))
    return ", ".join(key for key in kind.model_fields if key != "model")


Effect = Annotated[Annotated[AnyEffect, Field(discriminator="model")], BeforeValidator(parse_effect)]

EXCLUSIVE = (
    (("write_verify", "pcm_programming"), "each says what programming leaves"),
    (("states", "smooth"), "each is the measured spread of the same devices"),
    (("chip_corner", "chip_to_chip"), "each says how far off the chip is"),
    (("drift", "pcm_drift"), "each says how devices age"),
    (("stuck",), "one entry takes all its rates"),
    (("mismatch",), "a transistor has one threshold voltage"),
    (("pcm_read",), "a device has one 1/f noise"),
)
"""Effects of which a chip can have one, and why."""


def agree(chosen: Sequence[AnyEffect]) -> Sequence[AnyEffect]:
    """The effects, if no two of them contradict each other.

    Raises:
        ValueError: two that say the same thing of a device, or two ages of one chip.
    """
    for models, reason in EXCLUSIVE:
        found = [effect.model for effect in chosen if effect.model in models]
        if len(found) > 1:
            raise ValueError(f"{found[0]} and {found[1]} cannot act together: {reason}")
    ages = {effect.model: effect.t for effect in chosen if isinstance(effect, Drift | PcmDrift | PcmRead)}
    if len(set(ages.values())) > 1:
        told = " and ".join(f"{model}:t={t:g}" for model, t in ages.items())
        raise ValueError(f"{told} contradict each other: a chip has one age [s]")
    return chosen


Effects = Annotated[tuple[Effect, ...], AfterValidator(agree)]
