"""Joules of an evaluation that is tried: of an image, and what is spent once, by the model of `xbar energy`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.energy.opening import activity_of, digital_macs
from xbar_cli.energy.policies import MODEL, CostedArrays
from xbar_cli.energy.results import tree_of
from xbar_cli.errors import XbarError
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.trained.opening import Trained
from xbar_cli.workflows.energy import costed_of


@dataclass(frozen=True)
class Joules:
    """What an evaluation's chips take.

    Attributes:
        image: of an image [J]; None where no model costs such arrays.
        once: of what is done to a chip once besides writing targets [J]: a fit of its outputs, programming by pulses; None where
            no model has it.
    """

    image: float | None
    once: float | None


def joules_of(
    config: EvaluateConfig, trained: Trained, network: MappedNetwork, result: Mapping[str, Any], *, reporter: Reporter
) -> Joules:
    """Those of an evaluation that found `result`, its network with the activity that mapping kept."""
    try:
        arrays = CostedArrays.of(config, trained, network, result)
        return Joules(image_joule(arrays), once_joule(config, arrays, result))
    except XbarError as error:
        reporter.note(f"joules are not known: {error}")
        return Joules(None, None)


def image_joule(arrays: CostedArrays) -> float:
    """Energy of an image [J], as `xbar energy` has it whose activity is of an evaluation of the mapped network."""
    asked, network, trained = EnergyConfig(model=MODEL), arrays.network, arrays.trained
    activity, _ = activity_of(asked, network, lambda: trained, network, arrays.coding, reporter=SILENT)
    works = arrays.works(network, activity)
    digital = [name for name in trained.layers if name not in network.layers]
    macs = digital_macs(trained, digital) if digital else {}
    return tree_of(asked, costed_of(asked, arrays.constants, works, network, arrays.repair, macs=macs)).energy_joule


def once_joule(config: EvaluateConfig, arrays: CostedArrays, result: Mapping[str, Any]) -> float | None:
    """Energy of what is done to a chip once [J]; None with repair, whose march test and written copies no model has."""
    if arrays.repair is not None:
        return None
    programmed = result["programming"]["joules_mean"] if "programming" in result else 0.0
    if config.decoding.calibrate is None:
        return programmed
    fitted = arrays.fit(config.calibration.images).joule
    return None if fitted is None else programmed + fitted
