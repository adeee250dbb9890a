"""Ranges of converters that a training learned with the weights: kept in its summary, read from a run."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, FiniteFloat

from xbar_cli.config.base import Section
from xbar_cli.config.ranges import Bits, TileSize, parse_tile

RangesOfLayers = dict[str, Annotated[FiniteFloat, Field(gt=0)]]


class LearnedRanges(Section):
    """Ranges by layer, for converters of these bits. Whatever has no bits has no ranges."""

    model_config = ConfigDict(strict=True)

    dac_bits: Bits | None = None
    """Of every layer's inputs."""
    inputs: RangesOfLayers = Field(default_factory=dict)
    """The activation of the highest code."""
    adc_bits: Bits | None = None
    """Of the converters of pairs of columns, with signed codes."""
    outputs: RangesOfLayers = Field(default_factory=dict)
    """The highest code in units of the layer's outputs."""
    tile: TileSize | None = None
    """That these stand behind: the rows of one are what a converter sees the sum of."""

    def rows(self, rows: int) -> int | None:
        """Rows of a layer of so many that a converter was trained to see the sum of; None without converters."""
        return None if self.tile is None else min(parse_tile(self.tile)[0], rows)

    @classmethod
    def read(cls, found: Mapping[str, Any], layers: list[str]) -> Self:
        """What a summary says of these layers; ValueError where it says something else."""
        learned = cls(**found)
        for kind, bits, ranges in (
            ("inputs", learned.dac_bits, learned.inputs),
            ("outputs", learned.adc_bits, learned.outputs),
        ):
            if sorted(ranges) != (sorted(layers) if bits else []):
                raise ValueError(f"{kind} of its learned ranges are not those of its layers")
        if (learned.adc_bits is None) != (learned.tile is None):
            raise ValueError("its learned ranges of outputs have no tile, or its tile no ranges")
        return learned
