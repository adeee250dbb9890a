"""Configuration of `xbar evaluate` and `xbar partition`."""

import copy
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import model_validator

from xbar_cli.config.arrays import ArraySection
from xbar_cli.config.base import Option, RootSection, require
from xbar_cli.config.converters import ConvertersSection, DecodingSection
from xbar_cli.config.hardware import CalibrationSection, CellReference, MappingSection
from xbar_cli.config.monte_carlo import MonteCarloSection, PartitionSection
from xbar_cli.config.variation import VariationSection

from .ageing import AgeingSection
from .ageing_effects import age_of
from .programming import ProgrammingSection
from .repair import RepairSection


class EvaluateConfig(RootSection):
    """Everything that determines an evaluation."""

    run: str = ""
    """Train, import or map run; the command's argument."""
    variation: VariationSection = VariationSection()
    programming: ProgrammingSection = ProgrammingSection()
    ageing: AgeingSection = AgeingSection()
    repair: RepairSection = RepairSection()
    monte_carlo: MonteCarloSection = MonteCarloSection()
    array: ArraySection = ArraySection()
    converters: ConvertersSection = ConvertersSection()
    decoding: DecodingSection = DecodingSection()
    mapping: MappingSection = MappingSection()
    cell: CellReference = CellReference()
    calibration: CalibrationSection = CalibrationSection()
    data_dir: Annotated[str | None, Option(metavar="DIR")] = None
    """Where imported data sets are."""

    @model_validator(mode="after")
    def ages(self) -> Self:
        """Rules that join times and programming with what else is asked for."""
        if self.ageing.at is None:
            for effect in self.variation.ageing():
                age_of(effect)
        self.programming.agree(self.variation)
        self.ageing.agree(self.variation, ci_width=self.monte_carlo.ci_width, calibrate=self.decoding.calibrate)
        self.repair.agree(self.variation)
        require(
            self.repair.remedies is None or self.programming.method is None,
            "repair.remedies and programming.method both say what devices are aimed at: give one of them",
        )
        return self

    @property
    def differing(self) -> bool:
        """Whether chips differ: else one is enough."""
        return bool(self.variation.all_effects()) or self.converters.random or self.programming.method is not None

    @property
    def first_chip(self) -> int:
        """Number of the first chip; 0 where all are the same."""
        return (self.monte_carlo.first or 0) if self.differing else 0

    @property
    def observes(self) -> bool:
        """Whether evaluating looks at training images, however the network was mapped."""
        fitted = self.decoding.calibrate or self.ageing.recalibrate
        return bool(self.converters.dac_range or self.converters.adc_bits or fitted)


def changed(config: EvaluateConfig, keys: Mapping[str, Any]) -> EvaluateConfig:
    """The evaluation with other values of some keys; ConfigError or ValidationError where they do not go together."""
    tree = copy.deepcopy(config.in_use())
    for key, value in keys.items():
        *sections, name = key.split(".")
        table = tree
        for section in sections:
            table = table.setdefault(section, {})
        if value is None:
            table.pop(name, None)
        else:
            table[name] = value
    return EvaluateConfig.model_validate(tree)


class PartitionConfig(EvaluateConfig):
    """A partition: an evaluation, and what it may lose."""

    partition: PartitionSection = PartitionSection()

    def check(self) -> None:
        """What says nothing here is an error."""
        for key in (*PARTITION_WITHOUT, "monte_carlo.first"):
            name = key.removeprefix("monte_carlo.")
            default = MonteCarloSection.model_fields[name].default
            require(getattr(self.monte_carlo, name) == default, f"{key} belongs to xbar evaluate: leave it out")
        require(self.ageing.at is None, "ageing.at belongs to xbar evaluate: leave it out")
        require(self.repair.remedies is None, "repair.remedies belongs to xbar evaluate: leave it out")
        require(self.programming.method is None, "programming.method belongs to xbar evaluate: leave it out")


PARTITION_WITHOUT = ("monte_carlo.ci_width", "monte_carlo.max_samples", "monte_carlo.yield_at", "monte_carlo.per_layer")
"""Keys of an evaluation for which a partition has no use."""
