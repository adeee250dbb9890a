"""Configuration of what stands around arrays: row drive, converters, and the calibration of decoded outputs."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from xbar_cli.outside import quoted

from .base import LayerChoice, Option, Section, Text, Voltage, parse_quantity, require
from .effects import Relative
from .ranges import Bits

LARGEST_RANGE = 1e12
"""Of a converter, in its own units; the inverse is the smallest."""


def parse_range(text: str) -> tuple[str, float]:
    """(`max`, `levels` or `lloyd`, 0), (`percentile`, P) or (`value`, X) of the rule for a converter's range; else ValueError."""
    form = "write max, percentile:P or a number from 1e-12 to 1e12"
    if text in ("max", "levels", "lloyd"):
        return text, 0.0
    rule, colon, number = text.rpartition(":")
    try:
        value = float(parse_quantity(number))
    except ValueError:
        raise ValueError(f"{quoted(text)} is no range; {form}") from None
    if rule not in ("", "percentile") or (colon and not rule):
        raise ValueError(f"{quoted(text)} is no range; {form}")
    if rule == "percentile" and not 0 < value <= 100:
        raise ValueError(f"{quoted(text)}: a percentile is above 0 and at most 100")
    if not 1 / LARGEST_RANGE <= value <= LARGEST_RANGE:
        raise ValueError(f"{quoted(text)} is no range; {form}")
    return rule or "value", value


def _dac_range(text: str) -> str:
    rule, _ = parse_range(text)
    if rule in ("levels", "lloyd"):
        raise ValueError(f"{rule!r} is a range of the ADC; write max, percentile:P or a number above 0")
    return text


def _adc_range(text: str) -> str:
    parse_range(text)
    return text


_OF_ADCS = (
    "adc_range", "adc_gain_error", "adc_offset_error", "columns_per_adc", "rows_at_once", "adc_input", "adc_kind",
    "adc_mismatch", "adc_noise", "accumulate", "per_layer",
)  # fmt: skip
"""Keys that say nothing without an ADC."""


class ReadSection(Section):
    """How rows are read: what decides the conductances that cells are programmed to, and the range of the row drive."""

    input: Annotated[Literal["amplitude", "bitserial", "pwm"], Option()] = "amplitude"
    """Inputs as voltages, bit by bit at one voltage, or as pulse widths at one voltage (default amplitude; evaluate: the
    mapped run's)."""
    v_read_volt: Annotated[Voltage | None, Option()] = None
    """1T-1R: that one voltage (default the largest of the cell's table; evaluate: the mapped run's)."""
    dac_bits: Annotated[Bits | None, Option()] = None
    """Bits of an input (default any value; evaluate: the mapped run's)."""
    dac_range: Annotated[
        Annotated[Text, AfterValidator(_dac_range)] | None, Option(metavar="max|percentile:P|VALUE")
    ] = None
    """Activation of the full drive of each layer: the largest of the calibration images, a percentile of them, or a number
    (default max, or what training or mapping fixed)."""

    table: ClassVar[str] = "read"
    """Its name in a configuration, for messages."""

    def complete(self, *, cell: bool, drive_ends: bool) -> None:
        """Rules for what is given and taken over together; `drive_ends`: row drive ends somewhere without a DAC."""
        require(
            self.v_read_volt is None or self.input != "amplitude",
            f"{self.table}.v_read_volt is the one voltage of {self.table}.input = bitserial or pwm; amplitude inputs take all",
        )
        require(
            self.input == "amplitude" or self.dac_bits is not None,
            f"{self.table}.input = {self.input} needs {self.table}.dac_bits: the "
            f"{'cycles' if self.input == 'bitserial' else 'widths'} of an input",
        )
        require(
            self.v_read_volt is None or cell,
            f"{self.table}.v_read_volt needs 1T-1R cells: resistive arrays are linear in voltage",
        )
        require(
            self.dac_range is None or self.dac_bits is not None or drive_ends,
            f"{self.table}.dac_range: linear arrays without {self.table}.dac_bits take any input; leave it out or give "
            f"{self.table}.dac_bits",
        )


AdcRange = Annotated[Text, AfterValidator(_adc_range)]


class OwnConverters(Section):
    """What the converters of the layers that a pattern fits have of their own."""

    layers: LayerChoice
    """Names or patterns, as `mapping.layers` has them."""
    adc_bits: Bits | None = None
    """Their bits."""
    adc_range: AdcRange | None = None
    """Their full scale, or thresholds."""


class ConvertersSection(ReadSection):
    """Row drive, and converters before and behind the arrays; how a mapped run is read is the default of an evaluation."""

    table: ClassVar[str] = "converters"
    adc_bits: Annotated[Bits | None, Option()] = None
    """Bits of the converters of every tile (default none: currents add up exactly)."""
    adc_range: Annotated[AdcRange | None, Option(metavar="max|percentile:P|VALUE|levels|lloyd")] = None
    """Full scale of each layer's converters: what reads of the calibration images give (default max), a share of the most
    that a read gives, with bitslice a code for each level of a device (levels), or uneven thresholds that err least on those
    reads (lloyd).

    Reads are those of the nominal chip; codes of levels start at the current of devices at the lowest level."""
    adc_gain_error: Annotated[Relative | None, Option(metavar="SIGMA")] = None
    """Standard deviation of the converters' gains."""
    adc_offset_error: Annotated[Relative | None, Option(metavar="SIGMA")] = None
    """Standard deviation of the converters' offsets, in units of the full scale."""
    columns_per_adc: Annotated[int | None, Field(ge=1, le=65536), Option()] = None
    """Neighbouring columns of a tile that share a converter, and its errors; whole pairs where pairs are converted (default
    1 column, or 1 pair)."""
    rows_at_once: Annotated[int | None, Field(ge=1, le=65536), Option()] = None
    """Rows of a tile driven in one read; codes of reads are added (default all)."""
    adc_input: Annotated[Literal["column", "pair"] | None, Option()] = None
    """What is converted: each column (default), or the difference of the two of a weight, with signed codes (de)."""
    adc_kind: Annotated[Literal["ideal", "sar", "ramp", "flash"] | None, Option()] = None
    """How converters are built: ideal (default), successive approximation, a ramp that those of a tile share, or a comparator
    for each code."""
    adc_mismatch: Annotated[Relative | None, Option(metavar="SIGMA")] = None
    """Relative standard deviation of their units: a unit capacitor (sar), a step of the ramp (ramp), or the offset of a
    comparator in steps (flash)."""
    adc_noise: Annotated[Relative | None, Option(metavar="SIGMA")] = None
    """Thermal noise of a conversion at the converter's input, root mean square in steps (LSB)."""
    accumulate: Annotated[Literal["digital", "analog"] | None, Option()] = None
    """How what tiles below each other and groups of rows give is added: as codes (default), or as charge that is converted
    once."""

    per_layer: Annotated[tuple[OwnConverters, ...], Field(min_length=1, max_length=1000)] | None = None
    """Bits and ranges of some layers alone; of the patterns that fit a layer the first counts."""

    @model_validator(mode="after")
    def rules(self) -> Self:
        """Rules that join several keys, of the layers too that have converters of their own."""
        self._agree()
        for each in self.per_layer or ():
            self.of(each)._agree()
        return self

    def _agree(self) -> None:
        for key in _OF_ADCS:
            require(
                getattr(self, key) is None or self.adc_bits is not None,
                f"converters.{key} needs converters.adc_bits: there is no ADC",
            )
        require(
            self.adc_input != "pair" or self.adc_bits != 1,
            "converters.adc_input = pair needs 2 or more converters.adc_bits: codes of both signs and 0",
        )
        shared = self.columns_per_adc or 1
        require(
            self.adc_input != "pair" or shared == 1 or shared % 2 == 0,
            f"converters.columns_per_adc = {shared}: with converters.adc_input = pair a converter serves whole pairs, an even "
            "number of columns",
        )
        kind = self.adc_kind or "ideal"
        require(
            kind != "ideal" or self.adc_mismatch is None,
            "converters.adc_mismatch is of the parts of a converter: give converters.adc_kind = sar, ramp or flash",
        )
        require(
            self.adc_range != "lloyd" or (kind != "sar" and (self.adc_bits or 0) <= 12),
            "converters.adc_range = lloyd takes thresholds of their own: converters.adc_kind = ideal, ramp or flash, and at most "
            "12 converters.adc_bits",
        )
        most = {"ramp": 12, "flash": 8}.get(kind, 16)
        require(
            (self.adc_bits or 0) <= most,
            f"converters.adc_kind = {kind} compares with each code: converters.adc_bits = {self.adc_bits} is more than {most}",
        )

    @property
    def read(self) -> ReadSection:
        """How rows are read, without what is behind the arrays."""
        return ReadSection(**{key: getattr(self, key) for key in ReadSection.model_fields})

    def over(self, read: ReadSection, *, drive_ends: bool) -> Self:
        """These converters with what they do not say taken from how a network was mapped to be `read`.

        Unless row drive ends somewhere without a DAC (`drive_ends`), its range says nothing without one.
        """
        taken = {key for key in ReadSection.model_fields if key not in self.model_fields_set}
        if "input" in self.model_fields_set and self.input == "amplitude":
            taken.discard("v_read_volt")
        if not drive_ends and not (read if "dac_bits" in taken else self).dac_bits:
            taken.discard("dac_range")
        return self.model_copy(update={key: getattr(read, key) for key in taken})

    def of(self, own: OwnConverters | None) -> Self:
        """The converters of layers that have some of their `own`."""
        given = {} if own is None else own.model_dump(exclude_none=True, exclude={"layers"})
        return self.model_copy(update={**given, "per_layer": None})

    def check(self, *, model: str, scheme: str, cell: bool) -> None:
        """What the array model, the mapping scheme or resistive devices have no use for is an error."""
        for each in self.per_layer or ():
            self.of(each).check(model=model, scheme=scheme, cell=cell)
        self.complete(cell=cell, drive_ends=model == "gated")
        levels, pairs = self.adc_range == "levels", self.adc_input == "pair"
        require(not levels or self.dac_bits is not None, "converters.adc_range = levels needs converters.dac_bits")
        require(
            not levels or scheme == "bitslice",
            f"converters.adc_range = levels counts the levels of mapping.scheme = bitslice; this is {scheme}",
        )
        require(
            not pairs or scheme == "de",
            f"converters.adc_input = pair subtracts the two columns of mapping.scheme = de; {scheme} has none",
        )

    def check_pairs(self, tile: tuple[int, int], *, widths: Mapping[str, int]) -> None:
        """Columns are subtracted at one array's edge: no tile [rows cols] may part the two of a weight. `widths` are by layer."""
        parted = ", ".join(name for name, width in widths.items() if width > tile[1])
        require(
            self.adc_input != "pair" or tile[1] % 2 == 0 or not parted,
            f"converters.adc_input = pair subtracts the two columns of a weight, and tiles of {tile[1]} columns part those of "
            f"{parted}: take an even number of columns, mapping.tile = {tile[0]}x{tile[1] + 1}",
        )

    @property
    def differing(self) -> bool:
        """Whether converters of one kind are not all alike."""
        return bool(self.adc_gain_error or self.adc_offset_error or self.adc_mismatch)

    @property
    def random(self) -> bool:
        """Whether chips of the same devices differ by their converters: how these are built, or the noise of a conversion."""
        return self.differing or bool(self.adc_noise)

    @property
    def analog(self) -> bool:
        """Whether charges are added in front of the converters."""
        return self.accumulate == "analog"

    @property
    def path(self) -> Literal["folded", "tiled"]:
        """Converters at every tile leave nothing to fold."""
        return "folded" if self.adc_bits is None else "tiled"


class DecodingSection(Section):
    """Outputs are decoded at the nominal scale; optionally each chip is calibrated against the floating-point network."""

    calibrate: Annotated[Literal["gain", "affine"] | None, Option()] = None
    """Fit each chip's decoded outputs to the floating-point network's by a gain, or gain and offset, over held-out training
    images (default: decoded at the nominal scale)."""
    per: Annotated[Literal["layer", "column"] | None, Option("--calibrate-per")] = None
    """One fit a layer (default) or an output column."""

    @model_validator(mode="after")
    def rules(self) -> Self:
        """Rules that join several keys."""
        require(
            self.per is None or self.calibrate is not None, "decoding.per needs decoding.calibrate = gain or affine"
        )
        return self
