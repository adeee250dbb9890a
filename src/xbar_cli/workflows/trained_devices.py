"""Conductances that were trained themselves (periphery) go onto the devices as they are, and inputs keep their levels."""

import numpy as np
from numpy.typing import NDArray

from xbar_cli.config.hardware import MappingSection
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.placing import Conductances, Placed
from xbar_cli.mapping.readout import Readout
from xbar_cli.runs.results import read_tensors
from xbar_cli.workflows.models import DEVICES, Trained

CHOSEN = ("scheme", "bits", "levels", "weight_limit", "weight_scale", "weight_bits", "fraction_bits", "encoding")
"""Settings of a mapping that such a run has fixed."""


def mapping_of(trained: Trained, mapping: MappingSection) -> MappingSection:
    """The mapping with what the run has fixed: the scheme that its conductances were trained behind.

    Raises:
        ConfigError: a setting that the run has fixed otherwise.
    """
    if not (trained.run.path / DEVICES).exists():
        return mapping
    scheme = trained.summary["scheme"]
    allowed = {key: field.default for key, field in MappingSection.model_fields.items() if key in CHOSEN}
    given = [
        key for key, default in allowed.items() if getattr(mapping, key) not in (default, key == "scheme" and scheme)
    ]
    if given:
        options = ", ".join("--" + key.replace("_", "-") for key in given)
        raise ConfigError(f"{trained.run.path} trained its conductances behind scheme {scheme}; leave out {options}")
    return mapping.model_copy(update={"scheme": scheme})


def trained_devices(trained: Trained) -> dict[str, NDArray[np.float32]] | None:
    """Conductances of every layer [rows columns], 0 … 1 of the range; None where weights were trained."""
    if not (trained.run.path / DEVICES).exists():
        return None
    found = read_tensors(trained.run.path / DEVICES)
    return {name: found[name].reshape(-1, found[name].shape[-1]) for name in trained.summary["layers"]}


def input_ranges(trained: Trained) -> dict[str, float]:
    """Inputs at the ends of the levels that layers were trained with; empty where these were floating point."""
    return {name: found for name, found in trained.summary.get("input_ranges", {}).items() if found > 0}


def place_devices(trained: Trained, name: str, devices: NDArray[np.float32], span: Conductances) -> Placed:
    """Trained conductances between the ends of the devices' range; `m_max` is its whole span."""
    m_max = trained.summary["m_max"][trained.summary["layers"].index(name)]
    return Placed(
        wanted=span.bottom + devices.astype(np.float64) * (span.top - span.bottom),
        readout=Readout(trained.summary["scheme"]),
        slope=np.asarray((span.top - span.bottom) / m_max),
        digital=np.zeros(()),
        scale_kept=1.0,
        clipped_fraction=0.0,
    )
