"""Configuration of `xbar energy` and `xbar pareto`."""

from typing import Annotated, Literal

from pydantic import Field

from .arrays import WiresSection
from .base import NonNegativeQuantity, Option, PositiveQuantity, Quantity, RootSection, in_unit, require, within

Model = Literal["resparc", "neurosim", "isaac"]
PRESETS = {"acm-table1": "neurosim", "biased-table1": "isaac", "neat": "resparc"}
"""The presets, and the model of each."""

GIVEN = "--accuracy"
"""What a summary says that an accuracy is from which was asked for."""


class ResistancesSection(WiresSection):
    """Resistances of the arrays: with one of them above 0, some reads are solved and their dissipation is counted."""

    reads: Annotated[int, Field(ge=1, le=10_000)] = 8
    """Input vectors of each layer that are solved."""


class EnergyConfig(RootSection):
    """Everything that determines an energy estimate."""

    run: str = ""
    """Map run; the command's argument."""
    model: Annotated[Model, Option()] = "resparc"
    """Cost model."""
    preset: Annotated[Literal["acm-table1", "biased-table1", "neat"] | None, Option()] = None
    """A paper's table in place of a run."""
    images: Annotated[int | None, Field(ge=0, le=1_000_000), Option()] = None
    """Images whose activity is averaged, the first of the test set (default 256, fewer of large networks); 0 is the worst
    case, every row at full drive."""
    activity: Annotated[str | None, Option(metavar="RUN")] = None
    """An evaluate run, of which accuracy, coding, voltages, converters and resistances are taken over; or an energy run, its
    activity with them."""
    baseline: Annotated[str | None, Option(metavar="RUN")] = None
    """A mapped run of the same network: the gain over it, by gate voltage and by conductances."""
    accuracy: Annotated[Quantity | None, Field(ge=0, le=1), Option(metavar="SHARE")] = None
    """Share of the operations that is right (default the run's own accuracy)."""
    node_nm: Annotated[Annotated[PositiveQuantity, within(1, 1000, "nm"), in_unit("nm")] | None, Option()] = None
    """neurosim: technology node, 7 to 130 nm (default 14, or that of the preset)."""
    line_charge: Annotated[Literal["read", "column"], Option()] = "read"
    """neurosim: word lines and driven rows are charged once a read, or once for each column of it, as NeuroSim counts them."""
    input_bits: Annotated[int | None, Field(ge=1, le=32), Option()] = None
    """Bits of an input: pulses, or the resolution of voltages and pulse widths (default 8, isaac 16)."""
    adc_bits: Annotated[int | None, Field(ge=1, le=16), Option()] = None
    """Bits of the converters (default 8; isaac by rows and device bits)."""
    columns_per_adc: Annotated[int | None, Field(ge=1, le=65536), Option()] = None
    """Columns of a tile that one converter serves in turn (default a tile's; neurosim 16)."""
    rows_at_once: Annotated[int | None, Field(ge=1, le=65536), Option()] = None
    """Rows of a tile driven in one read (default all)."""
    adc_input: Annotated[Literal["column", "pair"] | None, Option()] = None
    """What is converted: each column (default), or the difference of the two of a weight (de)."""
    accumulate: Annotated[Literal["digital", "analog"] | None, Option()] = None
    """isaac, resparc: what tiles below each other and groups of rows give is added as codes (default), or as charge that is
    converted once."""
    tiles: Annotated[int | None, Field(ge=1, le=10_000_000), Option()] = None
    """Arrays of the chip: spare ones take copies of slow layers (default as needed)."""
    pipeline: Annotated[bool, Option()] = False
    """Every layer works on an image of its own."""
    array: ResistancesSection = ResistancesSection()
    constants: Annotated[str | None, Option(metavar="FILE")] = None
    """TOML file in place of the model's constants."""
    energy: dict[str, dict[str, Annotated[NonNegativeQuantity, within(0, 1e30)]]] = Field(default_factory=dict)
    """Constants of the model to override, by section and name."""
    data_dir: Annotated[str | None, Option(metavar="DIR")] = None
    """Where imported data sets are."""

    def check(self) -> None:
        """Rules that join several keys."""
        require(
            bool(self.run) != (self.preset is not None),
            "xbar energy takes a mapped RUN or `preset`: give exactly one of them",
        )
        if self.preset is not None:
            model = PRESETS[self.preset]
            require(self.model == model, f"preset = {self.preset} belongs to model = {model}, not to {self.model}")
            idle = ["data_dir", "images", "activity", "baseline", "tiles", "pipeline", "input_bits", "array"]
            idle += ["columns_per_adc", "rows_at_once", "adc_input", "accumulate"]
            idle += [] if self.preset == "biased-table1" else ["accuracy"]
            idle += [] if self.preset == "acm-table1" else ["adc_bits"]
            fields = type(self).model_fields
            given = [name for name in idle if getattr(self, name) != fields[name].default]
            require(
                not given,
                f"preset = {self.preset} has no use for {', '.join(f'`{name}`' for name in given)}; leave it out",
            )
        require(
            self.model == "neurosim" or self.node_nm is None,
            f"`node_nm` is of model = neurosim; {self.model} has one technology",
        )
        require(
            self.model == "neurosim" or self.line_charge == "read",
            f"line_charge = column is how neurosim counts; {self.model} charges a line once a read",
        )
        require(
            self.images != 0 or self.activity is None,
            "images = 0 is the worst case, without data: leave out `activity`",
        )
        require(
            self.images != 0 or not self.array.wires().any,
            "images = 0 is the worst case, without data: leave out the resistances",
        )

    @property
    def overrides(self) -> dict[str, float]:
        """Overridden constants by dotted key."""
        return {f"{section}.{name}": v for section, names in self.energy.items() for name, v in names.items()}


class ParetoConfig(RootSection):
    """Everything that determines a Pareto front."""

    runs: tuple[str, ...] = ()
    """Energy and evaluate runs; the command's arguments."""
    against: Annotated[Literal["energy", "area", "latency"], Option()] = "energy"
    """Cost that accuracy is weighed against."""

    def check(self) -> None:
        """A front needs points."""
        require(len(self.runs) > 0, "xbar pareto needs at least one RUN")
