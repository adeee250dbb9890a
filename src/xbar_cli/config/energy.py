"""Configuration of `xbar energy` and `xbar pareto`."""

from typing import Annotated, Literal

from pydantic import Field

from .arrays import WiresSection
from .base import NonNegativeQuantity, PositiveQuantity, Quantity, Section, require

Model = Literal["resparc", "neurosim", "isaac"]
PRESETS = {"acm-table1": "neurosim", "biased-table1": "isaac", "neat": "resparc"}
"""The presets, and the model of each."""

GIVEN = "--accuracy"
"""What a summary says that an accuracy is from which was asked for."""


class ResistancesSection(WiresSection):
    """Resistances of the arrays: with one of them above 0, some reads are solved and their dissipation is counted."""

    reads: Annotated[int, Field(ge=1, le=10_000)] = 8
    """Input vectors of each layer that are solved."""


class EnergyConfig(Section):
    """Everything that determines an energy estimate."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    run: str = ""
    data_dir: str | None = None
    model: Model = "resparc"
    preset: Literal["acm-table1", "biased-table1", "neat"] | None = None
    images: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """Images whose activations are averaged (the first of the test set): 256, fewer of large networks, when absent; 0: the
    worst case, every row at full drive."""
    activity: str | None = None
    """An evaluate run: its accuracy, its input coding, voltages, converters and resistances are costed; or an energy run, whose
    activity is taken over too."""
    baseline: str | None = None
    """A mapped run of the same network: the gain over it, split into gate voltage and conductances."""
    accuracy: Annotated[Quantity, Field(ge=0, le=1)] | None = None
    """Of the operations, the share that is right; that of the run when absent."""
    node_nm: PositiveQuantity | None = None
    """neurosim: technology node, 14 nm when absent (that of the preset)."""
    input_bits: Annotated[int, Field(ge=1, le=32)] | None = None
    """Bits of an input: pulses, or the resolution of voltages and pulse widths; the model's constant when absent."""
    adc_bits: Annotated[int, Field(ge=1, le=16)] | None = None
    """Of the converters; the model's own rule when absent."""
    columns_per_adc: Annotated[int, Field(ge=1, le=65536)] | None = None
    """Columns of a tile that one converter serves in turn; the model's own when absent: a tile's, 16 for neurosim."""
    rows_at_once: Annotated[int, Field(ge=1, le=65536)] | None = None
    """Rows of a tile that are driven in one read; all of them when absent."""
    adc_input: Literal["column", "pair"] | None = None
    """What is converted: each column's current (default), or the difference of the two columns of a weight (de)."""
    tiles: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Arrays of the chip: spare ones take copies of slow layers; as many as needed when absent."""
    pipeline: bool = False
    """Every layer works on an image of its own."""
    constants: str | None = None
    """A file in place of the model's constants."""
    energy: dict[str, dict[str, NonNegativeQuantity]] = Field(default_factory=dict)
    """Constants of the model to override, by section and name."""
    array: ResistancesSection = ResistancesSection()

    def check(self) -> None:
        """Rules that join several keys."""
        require(
            bool(self.run) != (self.preset is not None),
            "xbar energy takes a mapped RUN or --preset NAME: give exactly one of them",
        )
        if self.preset is not None:
            model = PRESETS[self.preset]
            require(self.model == model, f"--preset {self.preset} belongs to --model {model}, not to {self.model}")
            idle = ["data_dir", "images", "activity", "baseline", "tiles", "pipeline", "input_bits", "array"]
            idle += ["columns_per_adc", "rows_at_once", "adc_input"]
            idle += [] if self.preset == "biased-table1" else ["accuracy"]
            idle += [] if self.preset == "acm-table1" else ["adc_bits"]
            fields = type(self).model_fields
            given = [name for name in idle if getattr(self, name) != fields[name].default]
            require(not given, f"--preset {self.preset} has no use for {', '.join(given)}; leave it out")
        require(
            self.model == "neurosim" or self.node_nm is None,
            f"--node is of --model neurosim; {self.model} has one technology",
        )
        require(
            self.images != 0 or self.activity is None,
            "--images 0 is the worst case, without data: leave out --activity",
        )
        require(
            self.images != 0 or not self.array.wires().any,
            "--images 0 is the worst case, without data: leave out the resistances",
        )

    @property
    def overrides(self) -> dict[str, float]:
        """Overridden constants by dotted key."""
        return {f"{section}.{name}": v for section, names in self.energy.items() for name, v in names.items()}


class ParetoConfig(Section):
    """Everything that determines a Pareto front."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    runs: tuple[str, ...] = ()
    against: Literal["energy", "area", "latency"] = "energy"

    def check(self) -> None:
        """A front needs points."""
        require(len(self.runs) > 0, "xbar pareto needs at least one RUN")
