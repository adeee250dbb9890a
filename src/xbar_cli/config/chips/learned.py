"""Converters that a training goes through, whose ranges it learns with the weights."""

from typing import Annotated, Literal

from pydantic import Field

from xbar_cli.config.base import Option, Section, require
from xbar_cli.config.ranges import Bits


class TrainConverters(Section):
    """Converters of every layer in the forward pass; their ranges are learned with the weights."""

    dac_bits: Annotated[Bits | None, Option()] = None
    """Bits of every layer's inputs, whose range is learned (default any value)."""
    adc_bits: Annotated[Annotated[int, Field(ge=2, le=16)] | None, Option()] = None
    """Bits of the converters behind every tile, which take the difference of the two columns of a weight, and whose range is
    learned (default none: sums are exact)."""
    range_gradient: Annotated[Literal["lsq", "pact"] | None, Option()] = None
    """What moves a range: what is rounded and what is clipped (lsq, the default), or what is clipped alone (pact)."""

    @property
    def used(self) -> bool:
        """Whether there are any."""
        return self.dac_bits is not None or self.adc_bits is not None

    @property
    def gradient(self) -> Literal["lsq", "pact"]:
        """What moves a range."""
        return self.range_gradient or "lsq"

    def agree(self, method: str, *, tile: bool, fold_norm: bool) -> None:
        """Rules that join these with the rest of a training: its method, whether it says a tile or folds its batch norm."""
        given = ", ".join(
            f"converters.{key}" for key in sorted(self.model_fields_set) if getattr(self, key) is not None
        )
        require(
            method == "ideal" or not given, f"method = {method} does not use {given}; only method = ideal does"
        )  # fmt: skip
        require(
            self.used or self.range_gradient is None,
            "converters.range_gradient needs converters.dac_bits or converters.adc_bits: there is no range to learn",
        )
        require(
            method != "ideal" or not tile or self.adc_bits is not None,
            "mapping.tile of method = ideal is the rows that one converter sees the sum of: it needs converters.adc_bits",
        )
        require(
            self.adc_bits is None or not fold_norm,
            "training.fold_norm scales the outputs that converters.adc_bits learns the ranges of: leave one of them out",
        )
