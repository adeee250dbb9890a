"""Changes of an evaluation: one imperfection less, or one remedy more."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.ranges import parse_tile

SMALLEST = 16
"""Rows and columns of the smallest tile that is proposed."""


@dataclass(frozen=True)
class Change:
    """Some keys of an evaluation with other values.

    Attributes:
        name: of it, in words.
        keys: dotted keys and their values; None takes a key away.
        cost: what it costs besides devices, in words.
    """

    name: str
    keys: Mapping[str, Any]
    cost: str = ""


def without_one(config: EvaluateConfig) -> Iterator[Change]:
    """The evaluation without each of its imperfections."""
    variation, array, converters = config.variation, config.array, config.converters
    if variation.amount:
        yield Change(f"{variation.amount * 100:g} % {variation.model} variation", {"variation.amount": 0.0})
    effects = [effect.model_dump(exclude_none=True) for effect in variation.effects]
    for number, effect in enumerate(effects):
        rest = [other for n, other in enumerate(effects) if n != number]
        yield Change(f"effect {effect['model']}", {"variation.effects": rest or None})
    resistances = [key for key in type(array).model_fields if key.startswith("r_") and getattr(array, key)]
    if resistances:
        yield Change("resistances of the arrays", dict.fromkeys((f"array.{key}" for key in resistances), 0.0))
    if config.mapping.bits is not None and config.mapping.levels == "uniform" and config.mapping.scheme != "bitslice":
        yield Change(f"{config.mapping.bits}-bit devices", {"mapping.bits": None})
    if converters.adc_bits is not None:
        of_adc = [key for key in type(converters).model_fields if key.startswith("adc_") and key != "adc_bits"]
        gone = {f"converters.{key}": None for key in ("adc_bits", *of_adc, "columns_per_adc", "rows_at_once")}
        yield Change(f"{converters.adc_bits}-bit converters", gone)


def remedies(config: EvaluateConfig, *, costliest: str | None) -> Iterator[Change]:
    """What may win accuracy back; `costliest` is the layer that loses most alone on arrays."""
    mapping, converters = config.mapping, config.converters
    weights = mapping.chosen != "bitslice"
    if weights and mapping.weight_scale != "column":
        yield Change("a scale a column", {"mapping.weight_scale": "column"}, "a digital factor a column")
    if weights and mapping.weight_limit == "max":
        yield Change("cut weights at 70 % of the largest", {"mapping.weight_limit": "70%"})
    if config.decoding.calibrate is None:
        keys = {"decoding.calibrate": "affine", "decoding.per": "column"}
        yield Change(
            "calibrate every column", keys, "held-out images through every chip, a factor and an offset a column"
        )
    if mapping.bits is not None and mapping.levels == "uniform":
        yield Change("two bits more a device", {"mapping.bits": mapping.bits + 2})
    yield from smaller_tiles(config)
    yield from repairs(config)
    if converters.adc_bits is not None:
        yield Change(
            "two bits more a converter",
            {"converters.adc_bits": converters.adc_bits + 2},
            "converters: about four times the energy",
        )
    if costliest is not None:
        kept = mapping.layers or "all"
        pattern = f"!{costliest}" if kept in ("all", "dense") else f"{kept},!{costliest}"
        yield Change(f"{costliest} digital", {"mapping.layers": pattern}, "its products in digital")


def repairs(config: EvaluateConfig) -> Iterator[Change]:
    """What is done about stuck devices whose places are known, and copies, which ask for nothing."""
    stuck = any(effect.model == "stuck" for effect in config.variation.effects)
    if stuck and config.mapping.chosen == "de":
        keys = {"repair.remedies": "sign-flip,differential,permute", "repair.fault_map": "march"}
        cost = "a march test of every chip, a sign an output of a tile, addresses"
        yield Change("repair stuck devices", keys, cost)
    if config.differing:
        yield Change("three copies averaged", {"repair.remedies": "ensemble=3"}, "three times the devices and joules")


def smaller_tiles(config: EvaluateConfig) -> Iterator[Change]:
    """Tiles of half the rows and columns, where lines have resistance."""
    array = config.array
    rows, columns = parse_tile(config.mapping.tile or "128x128")
    resisting = any(getattr(array, key) for key in type(array).model_fields if key.startswith("r_"))
    if resisting and min(rows, columns) >= 2 * SMALLEST:
        yield Change(
            "tiles of half the size", {"mapping.tile": f"{rows // 2}x{columns // 2}"}, "twice the converters, and more"
        )
