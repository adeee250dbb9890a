"""What every effect on a chip's devices says, and the numbers that effects are given in."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from xbar_cli.config.base import Quantity, Section, asks_percent, parse_seconds, parse_share, parse_time

Share = Annotated[Quantity, BeforeValidator(parse_share), BeforeValidator(asks_percent), Field(ge=0, le=1)]
"""From 0 to 1, as 0.05 or 5%."""
Relative = Annotated[Quantity, BeforeValidator(parse_share), Field(ge=0, le=10)]
"""Over something, as 0.05 or 5%."""
Time = Annotated[float, BeforeValidator(parse_time), Field(ge=1e-9, le=1e12)]
"""From a nanosecond to 30 000 years [s], as 3600, 60m or 1h."""
PulseTime = Annotated[float, BeforeValidator(parse_seconds), Field(ge=1e-9, le=1e12)]
"""Of a pulse [s], as 250n or 1ms."""

Stage = Literal["programming", "device", "chip", "drift", "faults", "transistor", "read"]
"""When an effect acts; transistor and read are no part of the memristors."""


class Effect(Section):
    """What every effect says.

    Attributes:
        stage: when it acts.
        once: why a chip has one effect that says so at most; None where it may have several.
    """

    stage: ClassVar[Stage]
    once: ClassVar[str | None] = None
