"""One section per training method: what it needs besides a network, data and plain training."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from xbar_cli.errors import ConfigError

from .arrays import ArrayModel, ArraySection, Neuron, WiredError, WiredWay
from .base import (
    LayerChoice,
    LearningRate,
    Magnitude,
    Option,
    Quantity,
    Section,
    VoltText,
    in_unit,
    require,
    text_of,
    within,
)
from .chips.insitu import InsituMethod
from .hardware import MappingSection
from .ranges import Bits, FavourableStates, TechnologyName, TileSize, WeightLimit, parse_tile

if TYPE_CHECKING:
    from xbar_cli.mapping.bitslice import SliceFormat

Encoding = Literal["offset", "twos_complement", "differential"]


class IdealMethod(Section):
    """Plain training."""

    shares: ClassVar[tuple[str, ...]] = ("mapping.tile",)

    name: Literal["ideal"] = "ideal"
    start: Annotated[str | None, Option(metavar="RUN")] = None
    """The train run to go on from (default fresh weights, or those of an ONNX file)."""


class NeatMethod(Section):
    """NEAT: restrict to ±W_cut, retrain, repeat (Algorithm 2, eq. 3).

    With `array.model = gated` the rounds go through the arrays of 1T-1R cells with wires, as `xbar evaluate` has them.
    """

    shares: ClassVar[tuple[str, ...]] = (*(f"array.{key}" for key in ArraySection.model_fields), "mapping.tile")

    name: Literal["neat"] = "neat"
    cell: Annotated[str | None, Option(metavar="RUN")] = None
    """The characterize run whose linear ranges apply."""
    vg: Annotated[VoltText | None, Option(metavar="VOLT|auto")] = None
    """Gate voltage of every layer, one of the cell's table, or each layer's own (auto: Algorithm 1)."""
    vg_rule: Annotated[Literal["previous", "covering"] | None, Option()] = None
    """auto takes the gate voltage before the first whose W_cut covers the layer's weights, or that one (default previous)."""
    vg_offset: Annotated[Annotated[Quantity, within(-100, 100, "V"), in_unit("V")] | None, Option(metavar="VOLT")] = (
        None
    )
    """auto adds this to every layer's gate voltage, such as -0.05 (default 0)."""
    start: Annotated[str | None, Option(metavar="RUN")] = None
    """The train run to start from (default none: a network is trained first)."""
    rounds: Annotated[int, Field(ge=0, le=10_000), Option()] = 30
    """Rounds of restricting and retraining."""
    epochs_per_round: Annotated[int, Field(ge=1, le=1000), Option()] = 2
    """Epochs of a round."""
    learning_rate: Annotated[LearningRate, Option("--retrain-learning-rate", metavar="X")] = 1e-5
    """Adam's rate of retraining."""
    weight_scale: Annotated[Literal["network", "layer"], Option()] = "network"
    """Whose largest weight is W_max."""
    refold: Annotated[Annotated[int, Field(ge=1, le=100_000)] | None, Option()] = None
    """gated with resistances: steps between two folds (default 256, or an epoch's); with 1, gradients pass through."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        require(self.cell is not None, "method = neat needs neat.cell, a characterize run")
        require(
            self.vg is not None, "method = neat needs neat.vg, a gate voltage of the cell's table, or neat.vg = auto"
        )
        if self.vg != "auto":
            require(
                self.vg_rule is None and self.vg_offset is None,
                "neat.vg_rule and neat.vg_offset belong to neat.vg = auto",
            )
        else:
            require(
                self.weight_scale == "network",
                "neat.vg = auto needs the network's W_max; leave neat.weight_scale = layer away",
            )
        return self


class TatMethod(Section):
    """Technology aware training: discretised weights on non-ideal arrays in every forward pass.

    The arrays are those of `[array]`, the devices and what stands on them those of `[mapping]`, as `xbar evaluate` and
    `xbar map` have them.
    """

    shares: ClassVar[tuple[str, ...]] = (
        *(f"array.{key}" for key in ArraySection.model_fields),
        *(f"mapping.{key}" for key in ("technology", "bits", "levels", "weight_limit", "layers", "tile")),
    )

    name: Literal["tat"] = "tat"
    start: Annotated[str | None, Option(metavar="RUN")] = None
    """The train run to start from (default fresh weights)."""
    corner: Annotated[Quantity, Field(ge=-10, le=10), Option(metavar="K")] = 0.0
    """Chip-to-chip corner k, in units of the technology's sigma."""
    sigma_chip: Annotated[Quantity, Field(ge=0, le=1)] | None = None
    """Chip-to-chip sigma; the technology's when absent."""
    refold: Annotated[Annotated[int, Field(ge=1, le=100_000)] | None, Option()] = None
    """Steps between two solutions of lumped or nodal arrays (default 256, or an epoch's); with 1, gradients pass through.

    In between, a device conducts what the closed form says times its part of that in the last solution."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        require(self.sigma_chip is None or self.corner != 0, "tat.sigma_chip needs tat.corner, the sigmas off")
        return self


class TatArray(ArraySection):
    """The arrays that tat, or neat (gated), trains through."""

    models: ClassVar[tuple[ArrayModel, ...]] = ("published", "lumped", "nodal", "gated")

    model: Annotated[Literal["published", "lumped", "nodal", "gated"] | None, Option("--array")] = None  # pyright: ignore[reportIncompatibleVariableOverride]
    """tat: the paper's closed form, the exact arrays, or with wires; neat: 1T-1R cells with resistances (gated)."""
    neuron: Annotated[Neuron | None, Option()] = None
    """One for the two columns of a weight (default, but in nodal arrays), or one for each column."""
    wired: WiredWay | None = None
    """Training takes products."""
    wired_error: WiredError | None = None
    """Training takes products."""

    @model_validator(mode="before")
    @classmethod
    def _shared(cls, given: Any) -> Any:
        """The two columns of a weight share their neuron, as in the paper, unless something else is said."""
        wanted = isinstance(given, Mapping) and given.get("model") in ("published", "lumped")
        return {"neuron": "shared", **given} if wanted else given


class TatMapping(MappingSection):
    """The devices that tat trains on: pairs on levels at 0 and at equal steps of ratio R_off/R_on."""

    bits: Annotated[Bits | None, Option(metavar="B")] = 4
    """Bits of a magnitude."""
    levels: Annotated[str, BeforeValidator(text_of), Option(metavar="N")] = "ratio"
    """The bits of a magnitude as a number of levels besides 0 (default 15)."""
    weight_limit: Annotated[WeightLimit, Option(metavar="max|auto|VALUE")] = "max"
    """Weight at the highest level: the layer's largest at each step (max, the default), or, of a run to start from, the share
    of it at which the levels cost the least accuracy on held-out images (auto)."""
    layers: Annotated[LayerChoice | None, Option(metavar="all|dense|PATTERN[,...]")] = None
    """Layers on arrays (default all)."""
    technology: Annotated[TechnologyName | None, Option(metavar="NAME|FILE|RUN")] = None
    """Sets R_on and the ratio of the levels, R_off/R_on."""
    tile: Annotated[TileSize | None, Option(metavar="ROWSxCOLS")] = None
    """Size of one array, two columns an output (default the layer's; 128x128 of converters)."""

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, given: Any) -> Any:
        """A number of levels as the bits that it has."""
        levels = str(given.get("levels")) if isinstance(given, Mapping) else ""
        if not re.fullmatch(r"[0-9]{1,5}", levels):
            return given
        bits = int(levels).bit_length()
        require(
            int(levels) == 2**bits - 1 and bits > 0, f"mapping.levels = {levels} is not 2^bits - 1, such as 7 or 15"
        )
        require(
            str(given.get("bits", bits)) == str(bits),
            f"mapping.levels = {levels} and mapping.bits = {given.get('bits')} disagree: give one of them",
        )
        return {**given, "levels": "ratio", "bits": bits}

    @model_validator(mode="after")
    def _agree(self) -> Self:
        require(
            self.levels == "ratio",
            f"method = tat trains on 0 and equal steps, mapping.levels = ratio or their number, not {self.levels}",
        )
        named = self.weight_limit != "largest" and not self.weight_limit.endswith("%")
        require(named, "mapping.weight_limit of method = tat is max, auto or a number above 0")
        columns = 2 if self.tile is None else parse_tile(self.tile)[1]
        require(
            columns % 2 == 0,
            f"mapping.tile = {self.tile} parts the two columns of a weight: take an even number of columns",
        )
        return self


class PeripheryMethod(Section):
    """Training the conductances M >= 0 behind a fixed periphery matrix (acm)."""

    name: Literal["periphery"] = "periphery"
    scheme: Annotated[Literal["de", "bc", "acm"], Option()] = "acm"
    """The mapping."""
    bits: Annotated[Bits | None, Option(metavar="B")] = None
    """Bits of one device (default any conductance)."""
    nonlinearity: Annotated[Quantity, Field(ge=-20, le=20), Option(metavar="NU")] = 0.0
    """nu of the conductance's curve against pulses (default 0, a straight line)."""
    nonlinearity_down: Annotated[Annotated[Quantity, Field(ge=-20, le=20)] | None, Option(metavar="NU")] = None
    """nu of the curve that pulses down follow (default as up)."""
    initial: Annotated[Literal["pulses", "conductance"], Option()] = "pulses"
    """Devices begin about the middle of their pulses or of their conductances, which with nu are not the same (bc: of their
    conductances, where its reference is)."""
    activation_bits: Annotated[int, Field(ge=0, le=16), Option(metavar="B")] = 8
    """Bits of every layer's inputs; 0 for floating point."""
    weight_limit: Annotated[Magnitude, Option(metavar="max|auto|VALUE")] = 4.0
    """Conductance range in standard deviations of the weights at the start."""


class BiasedMethod(Section):
    """Biased training: the most significant slice of important weights in favourable states (biased, III-B)."""

    name: Literal["biased"] = "biased"
    start: Annotated[str | None, Option(metavar="RUN")] = None
    """The train run to start from."""
    important: Annotated[Quantity, Field(ge=0, le=1), Option(metavar="M")] = 0.3
    """Share m of the columns of each layer that are restricted; 0 restricts nothing."""
    restrict_at: Annotated[Literal["epoch", "step", "straight"], Option()] = "epoch"
    """When: after an epoch; after every step too; or in every forward pass, gradients passing straight through (default
    epoch, as in the paper)."""
    favourable: Annotated[FavourableStates, Option(metavar="STATES|best:N")] = "best:3"
    """Favourable states of a device, such as 0,1,3, or the N of least error current of the technology (default best:3;
    docs/training.md says which of them weights have)."""
    technology: Annotated[TechnologyName, Option(metavar="NAME|FILE|RUN")] = "rram2bit"
    """Whose state table orders the states."""
    encoding: Annotated[Encoding, Option()] = "offset"
    """Code of negative weights."""
    weight_scale: Annotated[Literal["format", "layer", "power"], Option()] = "format"
    """Weights as they are (format, the default), or each layer by the factor that makes the largest weight it starts with the
    largest of the format (layer), or by the power of two below (power)."""
    weight_bits: Annotated[int, Field(ge=2, le=16)] = 8
    """Bits of a weight, the sign with them."""
    fraction_bits: Annotated[int, Field(ge=0, le=16)] = 6
    """Bits behind the point."""
    bits: Annotated[Bits, Option(metavar="B")] = 2
    """Bits of one device."""
    slice: Annotated[int, Field(ge=-16, le=15)] = -1
    """The slice that is restricted, 0 the least significant, -1 the most."""
    importance: Annotated[Literal["column", "tile"], Option()] = "column"
    """Over what the importance of a column is summed: all its crossbars (default, as in the paper), or each apart."""
    tile: Annotated[TileSize, Option(metavar="ROWSxCOLS")] = "128x128"
    """importance = tile: the crossbar, over whose rows the importance of a column is summed."""
    absolute: bool = False
    """Sum |SI_w| instead of SI_w, which can cancel."""
    images: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """Training images over which importance is summed, new ones each epoch."""
    select: Annotated[Literal["validation", "test"], Option()] = "validation"
    """What chooses the epoch kept (default validation; the paper's is test)."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        require(self.start is not None, "method = biased needs biased.start, a trained run")
        require(
            self.importance == "tile" or "tile" not in self.model_fields_set or self.tile == "128x128",
            "biased.tile belongs to biased.importance = tile",
        )
        require(
            self.weight_scale == "format" or self.fraction_bits == 6,
            f"biased.fraction_bits belongs to biased.weight_scale = format, not to {self.weight_scale}",
        )
        return self

    def slices(self) -> "SliceFormat":
        """How weights are cut into slices; ConfigError where slices do not fit."""
        from xbar_cli.mapping.bitslice import SliceFormat

        sizes = {"weight_bits": self.weight_bits, "fraction_bits": self.fraction_bits, "device_bits": self.bits}
        try:
            return SliceFormat(**sizes, encoding=self.encoding)
        except ValueError as error:
            raise ConfigError(f"method = biased: {error}") from None


AnyMethod = IdealMethod | NeatMethod | TatMethod | PeripheryMethod | BiasedMethod | InsituMethod
METHODS: Mapping[str, type[Section]] = {kind.model_fields["name"].default: kind for kind in get_args(AnyMethod)}
"""The section of each method by its name."""


def check_method(value: Any) -> Any:
    """`value`, if it is a method or the table of one; PydanticCustomError where it names none."""
    name = value.get("name") if isinstance(value, Mapping) else getattr(value, "name", None)
    if not (isinstance(name, str) and name in METHODS):
        *others, last = (repr(name) for name in METHODS)
        raise PydanticCustomError("method", "Input should be {names}", {"names": f"{', '.join(others)} or {last}"})
    return value
