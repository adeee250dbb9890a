"""What an energy run opens: a mapped network, and how data drives it. Network and data set only where they are needed."""

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from xbar_cli.chip.activity import LayerActivity, full_drive
from xbar_cli.chip.mapped import ORIGIN, MappedNetwork, load_mapped
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.config.hardware import MapConfig
from xbar_cli.config.load import stored
from xbar_cli.energy.activity import Coding, measure, worst_case
from xbar_cli.energy.agreement import Statement, of_map
from xbar_cli.nn.sites.crossbar import regroup
from xbar_cli.reporter import Reporter
from xbar_cli.runs.opening import open_run
from xbar_cli.trained import build
from xbar_cli.trained.opening import Trained, open_trained

WORST, MEASURED, CALIBRATION = "worst case", "measured", "calibration"
"""Where activity is from: every row at full drive, test images, or the images that the map run calibrated with."""


class Opened:
    """A map run; its trained network and data set are opened where they are asked for: they take longer than all the rest."""

    def __init__(self, path: Path, *, use: str, data_dir: str | None) -> None:
        _, self.summary = open_run(path, commands=("map",), use=use)
        _, self.origin = open_run(path / ORIGIN, commands=("train",), use=use)
        self.path, self.data_dir = path, data_dir
        self.config = stored(MapConfig, path)
        self.network = load_mapped(path)

    @cached_property
    def trained(self) -> Trained:
        """The network in floating point, and its data."""
        trained = open_trained(self.path / ORIGIN, use="xbar energy", data_dir=self.data_dir)
        regroup(trained.net, {name: layer.groups for name, layer in self.network.layers.items()})
        return trained

    @property
    def stated(self) -> Statement:
        """How its devices were programmed to be read."""
        return of_map(self.path, self.config)

    @property
    def device_bits(self) -> int | None:
        """Bits of a device, the most of all layers; None where any conductance is programmed in some layer."""
        formats = [layer.readout.fmt for layer in self.network.layers.values() if layer.readout.fmt is not None]
        if formats:
            return max(fmt.device_bits for fmt in formats)
        mapping = self.config.mapping
        bits = [mapping.bits, *(own.bits or mapping.bits for own in mapping.per_layer or ())]
        return None if None in bits else max(n for n in bits if n is not None)

    @cached_property
    def digital_macs(self) -> dict[str, int]:
        """Multiply-accumulates of an image of the layers that are not on arrays."""
        names = self.summary["digital_layers"]
        return digital_macs(self.trained, names) if names else {}


def digital_macs(trained: Trained, names: Collection[str]) -> dict[str, int]:
    """Multiply-accumulates of an image of the layers of these names."""
    shapes = build.shapes_of(trained.net, trained.data)
    return {shape.name: shape.macs for shape in shapes if shape.name in names}


def activity_of(
    config: EnergyConfig, mapped: MappedNetwork, trained: Callable[[], Trained], network: MappedNetwork, coding: Coding,
    *, reporter: Reporter,
) -> tuple[dict[str, LayerActivity], str]:  # fmt: skip
    """The activity of a network as it is driven, and where it is from: what was kept as it was `mapped`, unless images are asked.

    Where nothing was kept, or nothing of such inputs, the network is passed over test images.
    """
    kept = mapped.activity
    if config.images == 0:
        rows = {name: (len(seen.squares), seen.positions) for name, seen in kept.items()}
        full = {name: full_drive(*shape, coding.wanted) for name, shape in rows.items()}
        return full or worst_case(trained(), coding), WORST
    own = {name: layer.full_scale for name, layer in mapped.layers.items()}
    if config.images is None and kept and coding.covered(kept) and scaled_alike(kept, network, own=own):
        return kept, CALIBRATION
    found = measure(trained(), network, coding.wanted, images=config.images, reporter=reporter)
    return found, MEASURED


def scaled_alike(kept: Mapping[str, LayerActivity], network: MappedNetwork, *, own: Mapping[str, float]) -> bool:
    """Whether kept activity is of the full drive that the network has; `own` where it does not say."""
    return all(
        np.isclose(kept[name].full_scale or own[name], layer.full_scale, rtol=1e-6)
        for name, layer in network.layers.items()
    )
