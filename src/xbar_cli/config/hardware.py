"""Configuration of `xbar map` and `xbar evaluate`: mapping, array, variation."""

import math
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import DeviceResistance, LayerChoice, OpenResistance, Option, RootSection, Section, VoltText, require
from .converters import ReadSection
from .ranges import OwnSettings, TechnologyName, TileSize, WeightLimit, parse_tile, parse_weight_limit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from xbar_cli.device.cell import Cell
    from xbar_cli.mapping.placing import DeviceRange, Placement, Slices

R_ON_OHM, R_OFF_OHM = 30e3, 300e3
"""Resistance range of arrays without a cell, unless given (neat)."""
DEVICE_BITS = 2
"""Bits of one device of bit-sliced weights, unless given (biased: 8-bit weights in 2-bit devices)."""


def check_resistances(mapping: "MappingSection") -> None:
    """R_on below R_off, the default where one is not given."""
    if mapping.r_on_ohm is not None or mapping.r_off_ohm is not None:
        r_on, r_off = mapping.r_on_ohm or R_ON_OHM, mapping.r_off_ohm or R_OFF_OHM
        require(r_on < r_off, f"mapping.r_on_ohm = {r_on:g} must be below mapping.r_off_ohm = {r_off:g}")


class MappingSection(Section):
    """Signed weights on the columns of arrays."""

    scheme: Annotated[Literal["de", "bc", "acm", "bitslice"] | None, Option()] = None
    """Double element, bias column, adjacent connection, or slices of fixed-point weights (default de, or that of the
    conductances that periphery trained)."""
    weight_scale: Annotated[Literal["network", "layer", "column"] | None, Option()] = None
    """Whose largest |weight| is the full scale: that of the network, of the layer or of the output column (default network
    with a cell, else layer). bitslice: layer scales each by the factor that makes its largest weight the largest integer."""
    weight_limit: Annotated[WeightLimit, Option(metavar="max|largest|auto|VALUE|X%")] = "max"
    """|Weight| at full scale: the largest, or what training fixed (max, the default); the largest in any case; a number; a
    share of the largest, such as 70%; or the share that costs the least accuracy (auto, tat)."""
    layers: Annotated[LayerChoice | None, Option(metavar="all|dense|PATTERN[,...]")] = None
    """Layers on arrays, the others digital: all, dense, or names and patterns such as `fc*,!fc3` or `!head`, the last that
    fits a layer decides (default all, or those that training had there)."""
    bits: Annotated[int | None, Field(ge=1, le=16), Option(metavar="B")] = None
    """Bits of one device: 2^B conductance levels (default any conductance; bitslice 2)."""
    levels: Annotated[str, Option(metavar="uniform|ratio|FILE")] = "uniform"
    """Levels of the devices: equal steps from G_off to G_on, 0 and equal steps of ratio R_off/R_on (tat), or one conductance
    a line of a file."""
    weight_bits: Annotated[int, Field(ge=2, le=16), Option()] = 8
    """bitslice: bits of a weight, the sign with them."""
    fraction_bits: Annotated[int | None, Field(ge=-64, le=64), Option()] = None
    """bitslice: bits behind the point, below 0 and above weight_bits too (default the most of each layer at which no weight
    of it is clipped)."""
    encoding: Annotated[Literal["offset", "twos_complement", "differential"], Option()] = "offset"
    """bitslice: code of negative weights."""
    technology: Annotated[TechnologyName | None, Option(metavar="NAME|FILE|RUN")] = None
    """Device technology, a TOML file with one, or a fit run: the resistances between which weights are mapped, and of a fit of
    states the levels of the devices."""
    tile: Annotated[TileSize | None, Option(metavar="ROWSxCOLS")] = None
    """Size of one array, as built (default 128x128; evaluate: that of the arrays that tat trained through)."""
    pack: Annotated[bool, Option()] = False
    """Groups of a grouped or depthwise convolution share arrays, as many as fit, in place of one array each."""
    map_target: Annotated[Literal["effective", "memristor"], Option()] = "effective"
    """With a cell: the conductance that weights are linear in, the cell's effective one (neat, II-B) or the memristor's."""
    top: Annotated[Literal["range", "device"] | None, Option()] = None
    """With a cell, the top of the scale: the end of the linear range, or the memristor's G_on, where no weight is cut that a
    device could hold (default device; range for bitslice and for weights that neat restricted)."""
    r_on_ohm: Annotated[DeviceResistance | None, Option()] = None
    """Low-resistance state without a cell (default 30k)."""
    r_off_ohm: Annotated[OpenResistance | None, Option()] = None
    """High-resistance state without a cell (default 300k); inf: the lowest level is an absent device, G = 0."""
    per_layer: Annotated[tuple[OwnSettings, ...], Field(min_length=1, max_length=1000)] | None = None
    """Tables of what some layers have of their own; the first whose pattern fits a layer counts."""

    @property
    def chosen(self) -> str:
        """The scheme."""
        return self.scheme or "de"

    @property
    def array_size(self) -> tuple[int, int]:
        """Rows and columns of one array."""
        return parse_tile(self.tile or "128x128")

    @model_validator(mode="after")
    def rules(self) -> Self:
        """Rules that join several keys."""
        check_resistances(self)
        sliced = {"weight_bits": 8, "fraction_bits": None, "encoding": "offset"}
        given = [key for key, default in sliced.items() if getattr(self, key) != default]
        require(
            self.scheme == "bitslice" or not given,
            f"{', '.join(f'mapping.{key}' for key in given)} belong to mapping.scheme = bitslice, not to {self.chosen}",
        )
        if self.scheme == "bitslice":
            require(self.levels == "uniform", "mapping.scheme = bitslice has uniform levels; leave out mapping.levels")
            require(
                self.weight_scale in (None, "layer") and self.weight_limit == "max",
                "mapping.scheme = bitslice scales weights by mapping.fraction_bits or mapping.weight_scale = layer; leave out "
                "other scales and mapping.weight_limit",
            )
            require(
                self.weight_scale is None or self.fraction_bits is None,
                "mapping.weight_scale = layer and mapping.fraction_bits both scale the weights: give one of them",
            )
        if self.levels == "ratio":
            require(
                self.chosen == "de",
                f"mapping.levels = ratio has absent devices, which needs mapping.scheme = de, not {self.chosen}",
            )
            require(self.bits is not None, "mapping.levels = ratio needs mapping.bits, B of 2^B levels, 0 with them")
            require(
                self.r_off_ohm != math.inf,
                "mapping.levels = ratio has 0 and a lowest level of R_off: mapping.r_off_ohm must be finite",
            )
        elif self.levels != "uniform":
            require(self.bits is None, f"mapping.levels = {self.levels} has its own levels; leave out mapping.bits")
        for own in self.per_layer or ():
            self.with_own(own)
        return self

    def with_own(self, own: OwnSettings) -> "MappingSection":
        """The mapping of the layers that have settings of their own."""
        given = own.model_dump(include={"bits", "weight_limit"}, exclude_none=True)
        return MappingSection(**self.model_dump(exclude_unset=True, exclude={"per_layer"}) | given)

    def placement(
        self, cell: "Cell | None" = None, *, volt: float | None = None, restricted: bool = False
    ) -> "Placement":
        """How weights are put on devices.

        Args:
            cell: the 1T-1R cell; None on resistive arrays.
            volt: the one voltage of driven rows that cells are programmed for [V]; None where rows see all.
            restricted: whether the weights were restricted to the cell's linear range, which their scale keeps them in.
        """
        from xbar_cli.mapping.placing import DeviceRange, Placement

        sliced = self.scheme == "bitslice"
        if cell is None:
            devices = self.resistive()
        else:
            self.check_cell()
            top = self.top or ("range" if restricted or sliced else "device")
            devices = DeviceRange(
                cell.g_off, cell.g_on, cell=cell, volt=volt, bits=self.bits, top=top, target=self.map_target
            )
        device_bits = self.bits or DEVICE_BITS
        return Placement(
            scheme=self.chosen,
            devices=devices,
            slices=self._slices(device_bits) if sliced else None,
            layers=self.layers or "all",
            weight_scale=self.weight_scale,
            weight_limit=parse_weight_limit(self.weight_limit),
            tile=self.array_size,
            pack=self.pack,
            own=tuple(
                (own.layers, self.with_own(own).placement(cell, volt=volt, restricted=restricted))
                for own in self.per_layer or ()
            ),
        )

    def _slices(self, device_bits: int) -> "Slices":
        """How weights are cut into slices."""
        from xbar_cli.mapping.placing import Slices

        filled = self.weight_scale is not None
        return Slices(self.weight_bits, self.fraction_bits, device_bits, self.encoding, filled)

    def check_cell(self) -> None:
        """What a cell has of its own is an error."""
        given = [key for key in ("r_on_ohm", "r_off_ohm", "technology") if getattr(self, key) is not None]
        require(
            not given,
            f"{', '.join(f'mapping.{key}' for key in given)}: the cell's own where there is one; characterize it with others",
        )
        require(
            self.levels == "uniform",
            f"mapping.levels = {self.levels} belongs to resistive arrays; 1T-1R cells take mapping.bits alone",
        )

    def resistive(self) -> "DeviceRange":
        """The devices of resistive arrays: of the technology, or of the resistances given."""
        from xbar_cli.device.technologies import load_technology
        from xbar_cli.mapping.placing import DeviceRange

        for key, default in (("map_target", "effective"), ("top", None)):
            value = getattr(self, key)
            require(value == default, f"mapping.{key} = {value} needs a 1T-1R cell: cell.run")
        if self.technology is None:
            g_off, g_on, own = 1 / (self.r_off_ohm or R_OFF_OHM), 1 / (self.r_on_ohm or R_ON_OHM), None
        else:
            technology = load_technology(self.technology)
            require(
                self.r_on_ohm is None and self.r_off_ohm is None,
                f"mapping.technology = {self.technology} sets the resistances; leave out mapping.r_on_ohm and "
                "mapping.r_off_ohm",
            )
            g_off, g_on, own = technology.g_off, technology.g_on, technology.levels
        levels = self.levels_between(g_off, g_on, own=own)
        return DeviceRange(g_off, g_on, levels=levels, technology=self.technology)

    def levels_between(
        self, g_off: float, g_on: float, *, own: "tuple[float, ...] | None" = None
    ) -> "NDArray[np.float64] | None":
        """The levels of resistive devices [S]; None where any conductance can be programmed. `own` are the technology's."""
        import numpy as np

        from xbar_cli.device.levels import check_levels, ratio_levels, read_levels, uniform_levels

        match self.levels:
            case "uniform":
                if self.bits is not None:
                    return uniform_levels(self.bits, g_min=g_off, g_max=g_on)
                return None if own is None else np.asarray(own, np.float64)
            case "ratio":
                assert self.bits is not None
                return ratio_levels(self.bits, ratio=g_on / g_off, limit=g_on)
            case path:
                levels = read_levels(path)
                check_levels(levels, g_off=g_off, g_on=g_on, where=f"mapping.levels = {path}")
                return levels


class CellReference(Section):
    """The 1T-1R cell of the arrays: a characterize run and a gate voltage."""

    run: Annotated[str | None, Option("--cell", metavar="RUN")] = None
    """Characterize run whose 1T-1R cell the arrays are made of."""
    vg: Annotated[VoltText | None, Option(metavar="VOLT")] = None
    """Gate voltage of every layer (default the run's own)."""


class CalibrationSection(Section):
    """The training images whose activations set each layer's full-scale row voltage."""

    images: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """Training images that set the full scale of activations and converters."""


class MapConfig(RootSection):
    """Everything that determines a mapping."""

    run: str = ""
    """Train or import run; the command's argument."""
    mapping: MappingSection = MappingSection()
    cell: CellReference = CellReference()
    read: ReadSection = ReadSection()
    calibration: CalibrationSection = CalibrationSection()
    data_dir: Annotated[str | None, Option(metavar="DIR")] = None
    """Where imported data sets are."""
