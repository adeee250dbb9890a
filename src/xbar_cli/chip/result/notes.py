"""What is said before chips are evaluated."""

from collections.abc import Sequence

from xbar_cli.chip.conversion.learned import told_of_ranges
from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.result import summary as evaluate_summary
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.effect_list import described, remarks
from xbar_cli.config.variation import VariationSection
from xbar_cli.device.chip import Step, describe
from xbar_cli.reporter import Reporter
from xbar_cli.trained.opening import Trained


def effects_in_order(variation: VariationSection, steps: Sequence[Step]) -> list[str]:
    """The effects in the order in which they act, one line each; empty without any."""
    lines = describe(steps, negative=variation.negative).splitlines() if steps else []
    later = [effect for effect in (variation.mismatch(), *variation.read_noises()) if effect is not None]
    return lines + [f"{number}. {described(effect)}" for number, effect in enumerate(later, start=len(lines) + 1)]


def programmed_first(config: EvaluateConfig, order: Sequence[str]) -> list[str]:
    """The effects in their order, with programming by pulses before them."""
    wanted = config.programming
    return list(order) if wanted.method is None else [f"0. programming: {wanted.method} ({wanted.device})", *order]


def tell(
    config: EvaluateConfig, trained: Trained, hardware: Hardware, order: Sequence[str], reporter: Reporter
) -> None:
    """Say what the figures will not show: inputs unlike those of training, converters alike, effects and their figures."""
    converters, bits = config.converters, trained.fixed.activation_bits
    if bits and converters.dac_bits is None:
        reporter.note(f"trained with {bits}-bit inputs: converters.dac_bits = {bits} converts them here too")
    for line in told_of_ranges(trained, hardware):
        reporter.note(line)
    if converters.columns_per_adc and not converters.differing:
        reporter.note(
            "converters.columns_per_adc: converters without converters.adc_gain_error or converters.adc_offset_error are "
            "alike; only costs change"
        )
    if len(order) > 2:
        reporter.note("effects in order: " + "; ".join(order))
    for remark in remarks(config.variation.effects, hardware.network):
        reporter.note(remark)
    if config.differing and (line := evaluate_summary.out_of_reach(config)) is not None:
        reporter.note(line)
