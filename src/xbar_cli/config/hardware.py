"""Configuration of `xbar map` and `xbar evaluate`: mapping, array, variation."""

import math
from typing import Annotated, Literal

from pydantic import Field

from .arrays import ArraySection
from .base import OpenResistance, PositiveQuantity, Quantity, Section, Text, require
from .converters import ConvertersSection, DecodingSection, ReadSection
from .effects import STAGE, Additive, AnyEffect, AnyReadNoise, Effects, Mismatch, PcmRead, Proportional, ReadNoise
from .monte_carlo import MonteCarloSection
from .ranges import TileSize, WeightLimit

VariationModel = Literal["additive", "proportional"]


class MappingSection(Section):
    """Signed weights on the columns of arrays."""

    scheme: Literal["de", "bc", "acm", "bitslice"] | None = None
    """de when absent, or that of a run whose conductances were trained (periphery)."""
    weight_scale: Literal["network", "layer", "column"] | None = None
    """What |W| = full scale means: the largest of the network (default with a cell), of the layer (default without), or
    of the output column."""
    weight_limit: WeightLimit = "max"
    """The |W| at full scale: that largest one (max, where training fixed none), the largest in any case (largest), a number,
    or the share of the largest that costs the least accuracy (auto, tat)."""
    layers: Literal["all", "dense"] | None = None
    """Layers on arrays, the others being digital: all when absent, or those that training had there."""
    bits: Annotated[int, Field(ge=1, le=16)] | None = None
    """Bits of one device: 2^bits conductance levels; any conductance when absent (2 bits for slices)."""
    levels: str = "uniform"
    """Levels at equal steps from G_off to G_on (uniform), 0 and equal steps of ratio R_off/R_on (ratio, tat), or a file."""
    weight_bits: Annotated[int, Field(ge=2, le=16)] = 8
    """Bit slices: bits of a fixed-point weight, the sign with them."""
    fraction_bits: Annotated[int, Field(ge=-64, le=64)] | None = None
    """Bit slices: bits behind the point, below 0 and above weight_bits too; when absent, the most of each layer at which no
    weight of it is clipped."""
    encoding: Literal["offset", "twos_complement", "differential"] = "offset"
    map_target: Literal["effective", "memristor"] = "effective"
    """With a cell: |W| is linear in the cell's effective conductance (neat, II-B) or in the memristor's own."""
    top: Literal["range", "device"] | None = None
    """With a cell, the top of the scale whatever the bits: the upper edge of the linear range G_cut (default where weights were
    restricted to it, and of bit slices), or the memristor's G_on (default else: no weight is cut that a device could hold)."""
    technology: str | None = None
    """A device technology by name, or one's own as a TOML file: the resistances between which weights are mapped."""
    r_on_ohm: PositiveQuantity | None = None
    r_off_ohm: OpenResistance | None = None
    """inf: the lowest level is an absent device, G = 0."""
    tile: TileSize = "128x128"

    @property
    def chosen(self) -> str:
        """The scheme."""
        return self.scheme or "de"

    def rules(self) -> None:
        """Rules that join several keys."""
        check_resistances(self)
        sliced = {"weight_bits": 8, "fraction_bits": None, "encoding": "offset"}
        given = [key for key, default in sliced.items() if getattr(self, key) != default]
        require(
            self.scheme == "bitslice" or not given,
            f"{', '.join(f'mapping.{key}' for key in given)} belong to --scheme bitslice, not to {self.chosen}",
        )
        if self.scheme == "bitslice":
            require(self.levels == "uniform", "--scheme bitslice has uniform levels; leave out --levels")
            require(
                self.weight_scale is None and self.weight_limit == "max",
                "--scheme bitslice scales weights by --fraction-bits; leave out --weight-scale and --weight-limit",
            )
        if self.levels == "ratio":
            require(
                self.chosen == "de", f"--levels ratio has absent devices, which needs --scheme de, not {self.chosen}"
            )
            require(self.bits is not None, "--levels ratio needs --bits B: 2^B levels, 0 with them")
            require(
                self.r_off_ohm != math.inf, "--levels ratio has 0 and a lowest level of R_off: --r-off must be finite"
            )
        elif self.levels != "uniform":
            require(self.bits is None, "--levels FILE has its own levels; leave out --bits")


class CellReference(Section):
    """The 1T-1R cell of the arrays: a characterize run and a gate voltage."""

    run: str | None = None
    vg: Text | None = None


class VariationSection(Section):
    """What befalls the programmed conductances of a chip."""

    amount: Annotated[Quantity, Field(ge=0, le=10)] = 0.0
    """Standard deviation of one normal variation, first of the list."""
    model: VariationModel = "additive"
    effects: Effects = ()
    """The others: programming, device, chip, drift, faults, transistor, read. They act in this order."""
    negative: Literal["clamp", "reflect", "allow"] = "clamp"
    """What becomes of conductances below 0."""

    def all_effects(self) -> list[AnyEffect]:
        """Every effect, `amount` with them."""
        if self.amount == 0:
            return list(self.effects)
        kinds = {"additive": Additive, "proportional": Proportional}
        return [kinds[self.model](model=self.model, sigma=self.amount), *self.effects]

    def on_devices(self) -> list[AnyEffect]:
        """The effects that make a chip's memristors what they are."""
        return [effect for effect in self.all_effects() if STAGE[effect.model] not in ("transistor", "read")]

    def mismatch(self) -> Mismatch | None:
        """The spread of the access transistors, if there is one."""
        return next((effect for effect in self.effects if isinstance(effect, Mismatch)), None)

    def read_noises(self) -> list[AnyReadNoise]:
        """The effects that are new at every read."""
        return [effect for effect in self.effects if isinstance(effect, ReadNoise | PcmRead)]


class CalibrationSection(Section):
    """The training images whose activations set each layer's full-scale row voltage."""

    images: Annotated[int, Field(ge=1, le=1_000_000)] = 1000


class MapConfig(Section):
    """Everything that determines a mapping."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    run: str = ""
    data_dir: str | None = None
    mapping: MappingSection = MappingSection()
    cell: CellReference = CellReference()
    read: ReadSection = ReadSection()
    calibration: CalibrationSection = CalibrationSection()

    def check(self) -> None:
        """Rules that join several keys."""
        self.mapping.rules()


class EvaluateConfig(Section):
    """Everything that determines an evaluation."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    run: str = ""
    data_dir: str | None = None
    array: ArraySection = ArraySection()
    converters: ConvertersSection = ConvertersSection()
    decoding: DecodingSection = DecodingSection()
    mapping: MappingSection = MappingSection()
    cell: CellReference = CellReference()
    variation: VariationSection = VariationSection()
    monte_carlo: MonteCarloSection = MonteCarloSection()
    calibration: CalibrationSection = CalibrationSection()

    def check(self) -> None:
        """Rules that join several keys."""
        self.mapping.rules()
        self.converters.rules()
        self.decoding.rules()
        self.monte_carlo.rules()

    @property
    def observes(self) -> bool:
        """Whether evaluating looks at training images, however the network was mapped."""
        return bool(self.converters.dac_range or self.converters.adc_bits or self.decoding.calibrate)


def check_resistances(mapping: MappingSection) -> None:
    """R_on below R_off where both are given, and a conductance that single precision holds with its squares and sums."""
    require(
        mapping.r_on_ohm is None or 1e-12 <= mapping.r_on_ohm <= 1e12,
        f"mapping.r_on_ohm = {mapping.r_on_ohm} must lie from 1e-12 to 1e12 ohm (--r-on)",
    )
    if mapping.r_on_ohm is not None and mapping.r_off_ohm is not None:
        require(
            mapping.r_on_ohm < mapping.r_off_ohm,
            f"mapping.r_on_ohm = {mapping.r_on_ohm:g} must be below mapping.r_off_ohm = {mapping.r_off_ohm:g} "
            "(--r-on, --r-off)",
        )
