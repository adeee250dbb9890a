"""Ranges that a training learned with its weights, taken up by converters of the same bits where nothing else is asked for."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import jax.numpy as jnp
from jax import Array

from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.layers import rows_at_once
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.converters import ConvertersSection, ReadSection
from xbar_cli.config.hardware import MappingSection
from xbar_cli.reporter import Reporter
from xbar_cli.trained.learned import LearnedRanges
from xbar_cli.trained.opening import Trained


def learned_drive(learned: LearnedRanges | None, read: ReadSection) -> Mapping[str, float]:
    """The activation of the full drive of every layer, for inputs of the bits that it was learned for; else empty."""
    if learned is None or read.dac_bits is None or read.dac_range is not None or read.dac_bits != learned.dac_bits:
        return {}
    return learned.inputs


def learned_range(learned: LearnedRanges | None, hardware: Hardware, name: str) -> Array | None:
    """Full scale of the converters of a layer over the full voltage [S]; None where none was learned for such converters."""
    if learned is None or not learned.outputs or why_not(learned, hardware, name) is not None:
        return None
    layer = hardware.network.layers[name]
    return jnp.asarray(learned.outputs[name] * layer.slope / layer.full_scale, jnp.float32)


def why_not(learned: LearnedRanges, hardware: Hardware, name: str) -> str | None:
    """Why the learned range of a layer's outputs is not that of its converters; None where it is."""
    converters, layer = hardware.converters, hardware.network.layers[name]
    trained, now = learned.rows(math.prod(layer.kernel[:-1])), rows_at_once(hardware, layer)
    reasons = {
        f"converters.adc_range = {converters.adc_range} is asked for": converters.adc_range is not None,
        f"they are of {learned.adc_bits} bits": converters.adc_bits != learned.adc_bits,
        "they are of converters.adc_input = pair": converters.adc_input != "pair",
        "they are not of inputs bit by bit": hardware.serial,
        f"they are of sums of {trained} rows, and here {now} are converted at once": trained != now,
        "every column has a scale of its own": layer.slope.ndim > 0,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def as_learned(
    trained: Trained, config: EvaluateConfig, *, scheme: str, mapped: bool, reporter: Reporter
) -> EvaluateConfig:
    """The evaluation whose converters see what those of the training saw, where they have its bits and nothing else is said.

    They take pairs of columns, and stand behind tiles of the same size, unless the network is `mapped` already.
    """
    learned, converters = trained.fixed.learned, config.converters
    if learned is None or not learned.outputs or converters.adc_bits != learned.adc_bits or scheme != "de":
        return config
    update: dict[str, Any] = {}
    said: list[str] = []
    if converters.adc_input is None and converters.adc_range is None:
        given: dict[str, Any] = converters.model_dump(exclude_unset=True)
        given["adc_input"] = "pair"
        update["converters"], said = ConvertersSection(**given), ["adc_input pair"]
    if not mapped and config.mapping.tile is None and learned.tile not in (None, _DEFAULT_TILE):
        update["mapping"] = config.mapping.model_copy(update={"tile": learned.tile})
        said.append(f"tile {learned.tile}")
    if said:
        reporter.note(
            f"{trained.run.path} learned ranges of such converters, which the evaluation takes: {', '.join(said)}"
        )
    return config.model_copy(update=update)


_DEFAULT_TILE = "x".join(map(str, MappingSection().array_size))


def taken(trained: Trained, hardware: Hardware) -> dict[str, list[str]]:
    """The layers whose inputs, and whose outputs, are converted at ranges that training learned; empty where it learned none."""
    learned = trained.fixed.learned
    if learned is None:
        return {}
    names = list(hardware.network.layers)
    inputs = names if learned_drive(learned, hardware.converters) else []
    outputs = [name for name in names if learned_range(learned, hardware.of(name), name) is not None]
    return {"inputs": inputs, "outputs": outputs}


def told_of_ranges(trained: Trained, hardware: Hardware) -> Iterator[str]:
    """What is said of the ranges that training learned: whether converters have them, and why not."""
    learned, converters = trained.fixed.learned, hardware.converters
    if learned is None:
        return
    if learned.dac_bits is not None:
        own = f"converters.dac_bits = {learned.dac_bits}"
        if learned_drive(learned, converters):
            yield f"{own}: inputs have the ranges that training learned"
        elif converters.dac_bits is None:
            yield f"trained with {learned.dac_bits}-bit inputs, whose ranges it learned: {own} takes them"
        elif converters.dac_range is not None:
            yield f"the ranges that training learned for inputs are not taken: converters.dac_range = {converters.dac_range}"
        else:
            yield f"the ranges that training learned for inputs are not taken: they are of {learned.dac_bits} bits"
    if learned.adc_bits is None:
        return
    own = f"converters.adc_bits = {learned.adc_bits}"
    if converters.adc_bits is None:
        yield f"trained with {learned.adc_bits}-bit converters, whose ranges it learned: {own} takes them"
        return
    reasons = {name: why_not(learned, hardware.of(name), name) for name in hardware.network.layers}
    if any(reason is None for reason in reasons.values()):
        yield f"{own}: converters have the ranges that training learned"
    for reason in dict.fromkeys(reason for reason in reasons.values() if reason is not None):
        names = ", ".join(name for name, found in reasons.items() if found == reason)
        yield f"the ranges that training learned for outputs are not taken ({names}): {reason}"
