"""What is done to chips on the way through their life, in reads, conversions, pulses and joules.

Reads cost what the model resparc says of the same arrays; what digital logic does of a fit is not counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xbar_cli.array.wires import Wires
from xbar_cli.chip.activity import LayerActivity, full_drive
from xbar_cli.chip.life.history import Moment
from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.effects import PcmDrift, PcmProgramming, PcmRead
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.energy.activity import Coding, measure
from xbar_cli.energy.agreement import of_evaluation, wires_of
from xbar_cli.energy.constants import Constants, figures, load
from xbar_cli.energy.costs import costs, repaired_costs, works_of
from xbar_cli.energy.models.work import LayerWork
from xbar_cli.energy.operation import coding_of, reading_of
from xbar_cli.energy.reading import Reading
from xbar_cli.errors import ConfigError
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.trained.opening import Trained
from xbar_cli.trained.parts import held_out

MODEL = "resparc"
IMAGES = 64
"""Test images whose activity stands for that of the images that outputs are fitted to."""


@dataclass(frozen=True)
class Spent:
    """What something takes.

    Attributes:
        reads: of all arrays of a layer, one after the other, or of one device.
        conversions: of currents.
        pulses: that write; None where nothing says how many.
        joule: of all of them [J]; None where nothing says.
    """

    reads: int = 0
    conversions: int = 0
    pulses: int | None = 0
    joule: float | None = 0.0

    def times(self, n: int) -> "Spent":
        """So often; what is not known stays so unless it is never done."""
        if n == 0:
            return Spent()
        pulses = None if self.pulses is None else n * self.pulses
        return Spent(n * self.reads, n * self.conversions, pulses, None if self.joule is None else n * self.joule)


@dataclass(frozen=True)
class CostedArrays:
    """The arrays of an evaluation, as reads of them are costed; `repair` is what its summary says of repair, None without."""

    trained: Trained
    network: MappedNetwork
    reading: Reading
    coding: Coding
    constants: Constants
    wires: Wires
    repair: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls, config: EvaluateConfig, trained: Trained, network: MappedNetwork, result: Mapping[str, Any]
    ) -> "CostedArrays":
        """Those that are evaluated. Raises ConfigError where no energy can be computed of them."""
        constants, stated = load(MODEL), of_evaluation(Path(config.run), config, result)
        asked = EnergyConfig(run=config.run, model=MODEL)
        reading = reading_of(asked, constants, network, stated, device_bits=None)
        coding, wires = coding_of(constants, network, reading, stated), wires_of(stated)
        return cls(trained, network, reading, coding, constants, wires, result.get("repair"))

    @property
    def copies(self) -> int:
        """Of every array."""
        return 1 if self.repair is None else self.repair["ensemble"]

    def works(self, network: MappedNetwork, activity: dict[str, LayerActivity]) -> list[LayerWork]:
        """What one image, or input vector, of that activity asks of one copy of the arrays."""
        works, _ = works_of(
            EnergyConfig(model=MODEL), self.constants, lambda: self.trained, network, self.coding, self.reading, activity,
            self.wires, reporter=SILENT,
        )  # fmt: skip
        return works

    def read(self, network: MappedNetwork, activity: dict[str, LayerActivity]) -> Spent:
        """One image, or input vector, of that activity; every copy is read."""
        works = self.works(network, activity)
        parts = repaired_costs(costs(EnergyConfig(model=MODEL), self.constants, works, network), self.repair)
        joule = sum(layer.energy_joule - layer.part_joule("digital") for layer in parts.values())
        reads, conversions = sum(work.reads for work in works), sum(work.drives * work.sensed for work in works)
        return Spent(self.copies * reads, self.copies * conversions, 0, joule)

    def image(self) -> Spent:
        """An image on average."""
        images = min(IMAGES, len(self.trained.data.test_labels))
        activity = measure(self.trained, self.network, self.coding.wanted, images=images, reporter=SILENT)
        return self.read(self.network, activity)

    def fit(self, images: int) -> Spent:
        """What outputs are fitted to once: the pictures that are held out of so many."""
        return self.image().times(len(held_out(self.trained, images=images)[0]))

    def summed_current(self) -> Spent:
        """All rows of every layer at full drive, once."""
        one = replace(
            self.network, layers={name: replace(layer, signed=False) for name, layer in self.network.layers.items()}
        )
        rows = {name: len(layer.stacked) for name, layer in one.layers.items()}
        return self.read(one, {name: full_drive(count, 1, self.coding.wanted) for name, count in rows.items()})

    def writing(self, config: EvaluateConfig) -> Spent:
        """All devices once, spare ones at G_off too: pulses, each verified by a read and a conversion of its own."""
        known = programming_of(config, self.network)
        if known is None:
            return Spent(0, 0, None, None)
        layers, spare = self.network.layers.values(), 0
        if self.repair is not None:
            spare = self.repair["devices"] - self.copies * sum(layer.conductance.size for layer in layers)
        devices = self.copies * sum(int((layer.conductance > 0).sum()) for layer in layers) + spare
        siemens = self.copies * sum(float(layer.conductance.sum()) for layer in layers) + spare * self.network.g_off
        watts = siemens * known["verify_volt"] ** 2
        pulses = round(devices * known["pulses"])
        scale = 2.0 ** (self.reading.adc_bits - self.constants["adc.energy_bits"])
        each = known["pulse_joule"] + self.constants["adc.energy_joule"] * scale
        return Spent(pulses, pulses, pulses, pulses * each + known["pulses"] * watts * known["verify_seconds"])


def programming_of(config: EvaluateConfig, network: MappedNetwork) -> dict[str, float] | None:
    """What writing one of the devices takes: as asked for, or of their kind; None where nothing says."""
    kinds = PcmProgramming | PcmDrift | PcmRead
    is_pcm = network.technology == "pcm" or any(isinstance(effect, kinds) for effect in config.variation.effects)
    asked = {"pulse_joule": config.ageing.pulse_joule, "pulses": config.ageing.pulses}
    if not is_pcm and None in asked.values():
        return None
    shipped = figures("programming")
    found = {key.removeprefix("pcm."): value for key, value in shipped.items()}
    return found | {key: float(value) for key, value in asked.items() if value is not None}


def with_costs(
    ages: Sequence[Mapping[str, Any]],
    config: EvaluateConfig,
    trained: Trained,
    network: MappedNetwork,
    result: Mapping[str, Any],
    lives: Sequence[Moment],
    *,
    reporter: Reporter,
) -> list[dict[str, Any]]:
    """What the summary says of each time, and what policies have spent until then; null where no model costs such arrays."""
    try:
        spent = spent_until(config, trained, network, result, lives)
    except ConfigError as error:
        reporter.note(f"what ageing.recalibrate costs is not known: {error}")
        return [{**age, "spent": None} for age in ages]
    return [{**age, "spent": cost} for age, cost in zip(ages, spent, strict=True)]


def spent_until(
    config: EvaluateConfig, trained: Trained, network: MappedNetwork, result: Mapping[str, Any], lives: Sequence[Moment]
) -> list[dict[str, Any]]:
    """What policies have spent at every moment since the chip was programmed first. ConfigError as `CostedArrays.of`."""
    arrays, kinds = CostedArrays.of(config, trained, network, result), config.ageing.policies
    fit = Spent()
    if "global" in kinds:
        fit = arrays.summed_current()
    elif kinds.keys() - {"reprogram"}:
        fit = arrays.fit(config.calibration.images)
    write = arrays.writing(config) if "reprogram" in kinds else Spent()
    found = []
    for moment in lives:
        corrected, written = fit.times(moment.corrections), write.times(moment.programmings - 1)
        known = written.joule is not None
        found.append(
            {
                "reads": corrected.reads + written.reads,
                "conversions": corrected.conversions + written.conversions,
                "pulses": written.pulses,
                "correction_joule": corrected.joule,
                "programming_joule": written.joule,
                "joule": (corrected.joule or 0.0) + (written.joule or 0.0) if known else None,
            }
        )
    return found
