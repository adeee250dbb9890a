"""Chips at a time of their life: devices of the age they have then, outputs corrected when a policy acted last."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
from jax import Array

from xbar_cli.chip.conversion.drawn import Range
from xbar_cli.chip.fabricate import Fabricator, make_fabricator
from xbar_cli.chip.fold import Residuals, make_folder
from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.life.history import Moment, Policy, moments
from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.chip.prepare import make_calibrator, make_preparer, nominal_ranges
from xbar_cli.chip.programming.writer import Writer, writer_of
from xbar_cli.chip.repair.asked import repairing
from xbar_cli.chip.repair.fabricator import RepairedFabricator
from xbar_cli.chip.sample import Prepare
from xbar_cli.config.chips.ageing import AgeingSection
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.converters import DecodingSection
from xbar_cli.config.effect_list import steps_of
from xbar_cli.config.effects import PcmRead, read_spread_of
from xbar_cli.config.variation import VariationSection
from xbar_cli.device.chip import Step
from xbar_cli.nn.reading import Circuit, Correction
from xbar_cli.trained.opening import Trained
from xbar_cli.trained.parts import held_out

SHORTEST = 1e-9
"""An age that any effect takes [s]."""
OLD = 1e12
"""An age at which every effect acts [s]."""


@dataclass(frozen=True)
class Aged:
    """The chips of an evaluation at one moment.

    Attributes:
        moment: how old they are, and what was done to them.
        correct: the policy that corrects their outputs; None: nothing does.
        variation: the effects, at no age yet.
    """

    moment: Moment
    correct: Policy | None
    variation: VariationSection

    def configured(self, config: EvaluateConfig) -> EvaluateConfig:
        """The evaluation at this moment alone."""
        told = {"variation": self.variation.at_age(self.moment.age), "ageing": AgeingSection()}
        return config.model_copy(update=told)

    def steps(self, network: MappedNetwork, *, age: float | None = None) -> list[Step]:
        """The effects on devices at an age [s] (that of the moment), what programming leaves drawn anew each time."""
        effects = self.variation.at_age(self.moment.age if age is None else age).on_devices()
        steps, writes = steps_of(effects, network), self.moment.programmings
        if writes == 1:
            return steps
        return [
            replace(step, name=f"{step.name}, write {writes}") if step.stage == "programming" else step
            for step in steps
        ]

    def writer(self, config: EvaluateConfig, hardware: Hardware) -> Writer | None:
        """What programmed the chips last."""
        return writer_of(config.programming, when_new(self.variation, hardware), writes=self.moment.programmings)

    def reading(self, hardware: Hardware, *, age: float) -> Hardware:
        """The hardware whose reads are as noisy as at an age [s]."""
        return read_at(self.variation, hardware, age=age)

    def fabricator(
        self, config: EvaluateConfig, trained: Trained, hardware: Hardware, *, age: float
    ) -> Fabricator | RepairedFabricator:
        """What makes the chips as they were at an age [s], repaired as they are: faults have no age, nor has their repair."""
        steps, writer = self.steps(hardware.network, age=age), self.writer(config, hardware)
        plain = make_fabricator(hardware.network, steps, negative=config.variation.negative, writer=writer)
        return repairing(plain, hardware, config.repair.wanted, trained)

    def preparer(self, config: EvaluateConfig, trained: Trained, hardware: Hardware) -> tuple[Prepare, int]:
        """As `prepare.make_preparer`, with corrections that were fitted to the chip when the policy acted last."""
        if self.correct is None:
            return make_preparer(trained, hardware, config.decoding, images=config.calibration.images)
        assert self.moment.fitted_at is not None
        fold = make_folder(hardware)
        ranges = nominal_ranges(trained, hardware, images=config.calibration.images)
        then = self.fabricator(config, trained, hardware, age=self.moment.fitted_at)
        if self.correct.kind == "global":
            earliest = first_read(config.variation, hardware.network)[0]
            new = self.fabricator(config, trained, hardware, age=earliest)

            def correct(key: Array) -> Mapping[str, Correction]:
                return compensation(new(key).conductances, then(key).conductances)

            return _preparer(fold, ranges, correct), 0
        pictures, _ = held_out(trained, images=config.calibration.images)
        calibrate = make_calibrator(trained, DecodingSection(calibrate=_fit(self.correct)), pictures=pictures)
        fold_then = make_folder(self.reading(hardware, age=self.moment.fitted_at))

        def fit(key: Array) -> Mapping[str, Correction]:
            circuit, _ = fold_then(then(key).conductances, key, ranges)
            return calibrate(circuit, key)

        return _preparer(fold, ranges, fit), len(pictures)


def read_at(variation: VariationSection, hardware: Hardware, *, age: float) -> Hardware:
    """The hardware whose reads are as noisy as at an age [s]."""
    noises = variation.at_age(age).read_noises()
    return replace(hardware, noises=tuple(read_spread_of(noise, hardware.network) for noise in noises))


def when_new(variation: VariationSection, hardware: Hardware) -> Hardware:
    """The hardware whose reads are as noisy as the first that are modelled: while it is programmed, however old it is read."""
    if not variation.ageing():
        return hardware
    return read_at(variation, hardware, age=first_read(variation, hardware.network)[0])


def _fit(policy: Policy) -> Any:
    """What a policy fits."""
    assert policy.kind in ("gain", "affine")
    return policy.kind


def _preparer(
    fold: Callable[..., tuple[Circuit, Residuals]],
    ranges: Mapping[str, Range],
    correct: Callable[[Array], Mapping[str, Correction]],
) -> Prepare:
    """The function from a chip's devices and key to its circuit with corrections that the key alone gives."""

    def prepare(conductances: dict[str, Array], key: Array) -> tuple[Circuit, Residuals]:
        circuit, residuals = fold(conductances, key, ranges)
        return replace(circuit, corrections=dict(correct(key))), residuals

    return prepare


def compensation(new: Any, then: Any) -> dict[str, Correction]:
    """Gain of each layer by which its summed current has fallen since it was new: all rows driven, all columns added.

    Args:
        new: conductances at the first read [S], as `Chip.conductances` has them.
        then: when the current was measured last [S].

    References:
        Joshi et al., Accurate deep neural network inference using computational phase-change memory, Nature
        Communications 11, 2473 (2020): global drift compensation.
    """
    before, after = summed(new), summed(then)
    return {name: Correction(gain=g / after[name], offset=jnp.zeros((), g.dtype)) for name, g in before.items()}


def summed(conductances: Any) -> dict[str, Array]:
    """Summed conductance of each layer's devices where they stand, in all copies [S]; no line is driven that holds none."""
    if isinstance(conductances, Mapping):
        return {name: jnp.sum(g) for name, g in conductances.items()}
    parts = [{name: jnp.sum(built.at_home) for name, built in copy.items()} for copy in conductances]
    return {name: jnp.stack([part[name] for part in parts]).sum() for name in parts[0]}


def first_read(variation: VariationSection, network: MappedNetwork) -> tuple[float, str]:
    """The earliest time at which the devices are modelled [s], and its name."""
    steps = steps_of(variation.at_age(OLD).on_devices(), network)
    known = [(SHORTEST, "the shortest time")]
    known += [(float(s.parameters["t0_seconds"]), f"t0 of {s.name}") for s in steps if "t0_seconds" in s.parameters]
    known += [
        (effect.t_read, "t_read of pcm_read") for effect in variation.read_noises() if isinstance(effect, PcmRead)
    ]
    return max(known)


def life(config: EvaluateConfig, network: MappedNetwork) -> list[Aged]:
    """The chips at every time that is asked for. ConfigError where one is before the first read."""
    ageing, variation = config.ageing, config.variation
    earliest, named = first_read(variation, network)
    policies = [Policy(kind, period) for kind, period in ageing.policies.items()]
    write = next((policy for policy in policies if policy.kind == "reprogram"), None)
    correct = next((policy for policy in policies if policy.kind != "reprogram"), None)
    found = moments(ageing.times, reprogram=write, correct=correct, earliest=earliest, named=named)
    return [Aged(moment, correct, variation) for moment in found]


def at_ages(results: Sequence[Mapping[str, Any]], chips: Sequence[Aged]) -> list[dict[str, Any]]:
    """What the summary says of each time: the metric with its interval, and what was done to the chips until then."""
    ages = []
    for result, aged in zip(results, chips, strict=True):
        metric, moment = result["metric"], aged.moment
        ages.append(
            {
                "t_seconds": moment.time,
                "age_seconds": moment.age,
                "programmings": moment.programmings,
                "corrections": moment.corrections,
                "corrected_at_age_seconds": moment.fitted_at,
                **{key: result[key] for key in ("metric_value", "metric_ci95", "metric_loss")},
                f"{metric}_std": result[f"{metric}_std"],
                f"{metric}_samples": result[f"{metric}_samples"],
            }
        )
    return ages
