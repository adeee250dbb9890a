"""What happens to devices between their targets and a read: one entry an effect, of which a chip is composed."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from .base import NonNegativeQuantity, PositiveQuantity, Quantity, Section

Share = Annotated[Quantity, Field(ge=0, le=1)]
Relative = Annotated[Quantity, Field(ge=0, le=10)]


class WriteVerify(Section):
    """Programming until the conductance is within a tolerance (Alibart et al., Nanotechnology 23, 075201)."""

    model: Literal["write_verify"]
    tolerance: Relative
    """Accepted distance over the target."""
    tolerance_siemens: NonNegativeQuantity = 0.0
    """Accepted distance besides [S]."""
    sigma_over_tolerance: PositiveQuantity = 1.0
    """Spread of one attempt over the accepted distance."""


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
    sigma: Relative


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
    """Devices stuck at G_on, at G_off, or open."""

    model: Literal["stuck"]
    on: Share = 0.0
    off: Share = 0.0
    open: Share = 0.0


class Drift(Section):
    """G (t/t0)^-nu, nu drawn per device; the technology's t0 and nu when absent (Le Gallo et al. 2018)."""

    model: Literal["drift"]
    t: PositiveQuantity
    t0: PositiveQuantity | None = None
    nu: Annotated[Quantity, Field(ge=-1, le=1)] | None = None
    nu_sigma: NonNegativeQuantity | None = None


class PcmDrift(Section):
    """Drift whose mean and spread depend on the state of a phase-change device (Nandakumar et al., ICECS 2019)."""

    model: Literal["pcm_drift"]
    t: PositiveQuantity
    t0: PositiveQuantity = 20.0


class ReadNoise(Section):
    """New at every read: sqrt((sigma (G_on - G_off))^2 + (relative G)^2)."""

    model: Literal["read_noise"]
    sigma: Relative = 0.0
    relative: Relative = 0.0


STAGE = {
    "write_verify": "programming",
    "additive": "device",
    "proportional": "device",
    "lognormal": "device",
    "states": "device",
    "smooth": "device",
    "chip_corner": "chip",
    "chip_to_chip": "chip",
    "stuck": "faults",
    "drift": "drift",
    "pcm_drift": "drift",
    "read_noise": "read",
}
"""When each effect acts: programming, device, chip, faults, drift, read."""

AnyEffect = (
    WriteVerify | Additive | Proportional | Lognormal | States | Smooth | ChipCorner | ChipToChip | Stuck | Drift | PcmDrift
    | ReadNoise
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
