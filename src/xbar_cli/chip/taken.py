"""A mapping takes up what a training fixed of its devices, where nothing else is asked for."""

from pathlib import Path
from typing import Any

from xbar_cli.config.hardware import MappingSection
from xbar_cli.errors import ConfigError
from xbar_cli.reporter import Reporter
from xbar_cli.trained.fixed import Fixed

CHOSEN = ("scheme", "bits", "levels", "weight_limit", "weight_scale", "weight_bits", "fraction_bits", "encoding")
"""Settings of a mapping that trained conductances (periphery) have fixed."""

ASKED = ("scheme", "bits", "levels", "technology", "r_on_ohm", "r_off_ohm")
"""Settings that ask for devices: with one of them none are taken up."""

FORMAT = ("fraction_bits", "bits", "weight_bits", "encoding")
"""How weights are cut into slices."""

DEFAULTS = {key: field.default for key, field in MappingSection.model_fields.items()}


def mapping_of(fixed: Fixed, mapping: MappingSection, *, of: Path, cell: bool, reporter: Reporter) -> MappingSection:
    """The mapping with what the training of a run has fixed.

    Conductances that were trained (periphery) have a scheme and nothing else. Weights trained in slices (biased) or on levels
    (tat) go onto these where no scheme, device or cell is given; the reporter is told.

    Args:
        fixed: what the training fixed.
        mapping: as asked for.
        of: the run.
        cell: whether 1T-1R cells are asked for.
        reporter: is told what was taken up.

    Raises:
        ConfigError: a setting that a periphery run has fixed otherwise, or that does not go with what is taken up.
    """
    if fixed.devices is not None:
        return _as_trained(fixed, mapping, of=of)
    offered = _offered(fixed)
    if cell or any(getattr(mapping, key) != DEFAULTS[key] for key in ASKED):
        kept = ("layers", *(FORMAT if mapping.scheme == "bitslice" else ()))
        offered = {key: value for key, value in offered.items() if key in kept}
    update = {key: value for key, value in offered.items() if getattr(mapping, key) == DEFAULTS[key] != value}
    if update:
        said = ", ".join(f"{key} {value}" for key, value in update.items())
        reporter.note(f"{of} was trained for these devices, which the mapping takes: {said}")
    mapping = mapping.model_copy(update=update)
    mapping.rules()
    return mapping


def _offered(fixed: Fixed) -> dict[str, Any]:
    """The settings of a mapping that a training of weights leaves."""
    found: dict[str, Any] = {"scheme": fixed.scheme, "technology": fixed.technology, "levels": fixed.levels}
    if fixed.slices is not None:
        found |= {"fraction_bits": fixed.slices.fraction_bits, "bits": fixed.slices.device_bits}
        found |= {"weight_bits": fixed.slices.weight_bits, "encoding": fixed.slices.encoding}
    found |= {"bits": fixed.bits, "layers": fixed.layers}
    return {key: value for key, value in found.items() if value is not None}


def _as_trained(fixed: Fixed, mapping: MappingSection, *, of: Path) -> MappingSection:
    """The mapping of trained conductances."""
    given = [
        key for key in CHOSEN if getattr(mapping, key) not in (DEFAULTS[key], fixed.scheme if key == "scheme" else None)
    ]
    if given:
        keys = ", ".join(f"mapping.{key}" for key in given)
        raise ConfigError(f"{of} trained its conductances behind scheme {fixed.scheme}; leave out {keys}")
    return mapping.model_copy(update={"scheme": fixed.scheme})
