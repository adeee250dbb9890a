"""What an energy run opens: a mapped network, and how data drives it. Network and data set only where they are needed."""

from functools import cached_property
from pathlib import Path

from xbar_cli.config.energy import EnergyConfig
from xbar_cli.energy.constants import Constants
from xbar_cli.runs.directory import open_run
from xbar_cli.workflows.activity import LayerActivity, full_drive
from xbar_cli.workflows.energy_activity import Coding, measure, worst_case
from xbar_cli.workflows.map import ORIGIN
from xbar_cli.workflows.mapped import MappedNetwork, load_mapped
from xbar_cli.workflows.models import Trained, open_trained
from xbar_cli.workflows.reporter import Reporter

WORST, MEASURED, CALIBRATION = "worst case", "measured", "calibration"
"""Where activity is from: every row at full drive, test images, or the images that the map run calibrated with."""


class Opened:
    """A map run; its trained network and data set are opened where they are asked for: they take longer than all the rest."""

    def __init__(self, path: Path, *, use: str, data_dir: str | None) -> None:
        _, self.summary = open_run(path, commands=("map",), use=use)
        _, self.origin = open_run(path / ORIGIN, commands=("train",), use=use)
        self.path, self.data_dir = path, data_dir
        self.network = load_mapped(path)

    @cached_property
    def trained(self) -> Trained:
        """The network in floating point, and its data."""
        return open_trained(self.path / ORIGIN, use="xbar energy", data_dir=self.data_dir)


def coding_of(config: EnergyConfig, constants: Constants, network: MappedNetwork) -> Coding:
    """How the model drives rows: resparc by amplitudes, the others bit by bit."""
    powers = {}
    if network.cell is not None:
        cell = network.cell
        gates = {name: layer.vg for name, layer in network.layers.items() if layer.vg is not None}
        powers = {name: cell.power[cell.index(vg)] for name, vg in gates.items()}
    return Coding(None if config.model == "resparc" else config.input_bits or round(constants["input.bits"]), powers)


def activity_of(
    config: EnergyConfig, opened: Opened, coding: Coding, *, reporter: Reporter
) -> tuple[dict[str, LayerActivity], str]:
    """The activity of a mapped network and where it is from: what the map run kept, unless images are asked for.

    Where it kept nothing, or nothing of such inputs, the network is passed over test images.
    """
    kept = opened.network.activity
    if config.images == 0:
        rows = {name: (len(seen.squares), seen.positions) for name, seen in kept.items()}
        full = {name: full_drive(*shape, coding.wanted) for name, shape in rows.items()}
        return full or worst_case(opened.trained, coding), WORST
    if config.images is None and kept and coding.covered(kept):
        return kept, CALIBRATION
    found = measure(opened.trained, opened.network, coding.wanted, images=config.images, reporter=reporter)
    return found, MEASURED
