"""What a training fixed of its devices: a mapping takes it up where nothing else is asked for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar_cli.config.hardware import MappingSection
from xbar_cli.config.methods import BiasedSection, TatSection
from xbar_cli.errors import ConfigError, RunError
from xbar_cli.mapping.placing import Conductances, Placed
from xbar_cli.mapping.readout import Readout
from xbar_cli.reporter import Reporter
from xbar_cli.runs.results import read_tensors
from xbar_cli.trained.opening import DEVICES, Trained

CHOSEN = ("scheme", "bits", "levels", "weight_limit", "weight_scale", "weight_bits", "fraction_bits", "encoding")
"""Settings of a mapping that a run of trained conductances (periphery) has fixed."""

ASKED = ("scheme", "bits", "levels", "technology", "r_on_ohm", "r_off_ohm")
"""Settings that ask for devices: with one of them none are taken up."""

FORMAT = ("fraction_bits", "bits", "weight_bits", "encoding")
"""How weights are cut into slices."""


def mapping_of(trained: Trained, mapping: MappingSection, *, cell: bool, reporter: Reporter) -> MappingSection:
    """The mapping with what the run has fixed.

    Conductances that were trained (periphery) have a scheme and nothing else. Weights trained in slices (biased) or on levels
    (tat) go onto these where no scheme, device or cell is given; the reporter is told.

    Args:
        trained: the run.
        mapping: as asked for.
        cell: whether 1T-1R cells are asked for.
        reporter: is told what was taken up.

    Raises:
        ConfigError: a setting that a periphery run has fixed otherwise, or that does not go with what is taken up.
    """
    if (trained.run.path / DEVICES).exists():
        return _periphery(trained, mapping)
    fixed = {"tat": _tat, "biased": _biased}.get(trained.summary["method"], lambda _: {})(trained)
    defaults = {key: field.default for key, field in MappingSection.model_fields.items()}
    if cell or any(getattr(mapping, key) != defaults[key] for key in ASKED):
        taken_up = ("layers", *(FORMAT if mapping.scheme == "bitslice" else ()))
        fixed = {key: value for key, value in fixed.items() if key in taken_up}
    update = {key: value for key, value in fixed.items() if getattr(mapping, key) == defaults[key] != value}
    if update:
        taken = ", ".join(f"{key} {value}" for key, value in update.items())
        reporter.note(f"{trained.run.path} was trained for these devices, which the mapping takes: {taken}")
    mapping = mapping.model_copy(update=update)
    mapping.rules()
    return mapping


def _tat(trained: Trained) -> dict[str, Any]:
    section = TatSection(**trained.config["tat"])
    found = {"technology": section.technology, "levels": "ratio", "bits": section.magnitude_bits}
    return found | ({"layers": "dense"} if section.layers == "dense" else {})


def _biased(trained: Trained) -> dict[str, Any]:
    section = BiasedSection(**trained.config["biased"])
    return {"scheme": "bitslice", "technology": section.technology, **{key: getattr(section, key) for key in FORMAT}}


def _periphery(trained: Trained, mapping: MappingSection) -> MappingSection:
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
    """Conductances of every layer [rows columns], 0 … 1 of the range; None where weights were trained.

    Raises:
        RunError: they were trained, and their file is not there.
    """
    if not (trained.run.path / DEVICES).exists():
        if trained.summary["method"] == "periphery":
            raise RunError(
                f"{trained.run.path} lacks {DEVICES}, the conductances that it trained: train or map it anew"
            )
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
