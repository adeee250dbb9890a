"""What a summary says of repair: what was done, what it left, and what it takes of devices, reads and writes."""

import math
from typing import Any

import numpy as np

from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.chip.repair.asked import grid_of
from xbar_cli.chip.sample import Tally
from xbar_cli.config.chips.repair import Remedies, RepairSection

READS = WRITES = 2
"""Of every device in a march test: written off and read, written on and read, which tells on, off and open apart."""


def repair_told(section: RepairSection, network: MappedNetwork, tally: Tally) -> dict[str, Any]:
    """The entry `repair` of a summary; nothing without repair. Counts are those of one chip, shares means over chips."""
    remedies = section.wanted
    if not remedies.any:
        return {}
    found = {key: float(np.mean([chip[key] for chip in tally.repaired])) for key in tally.repaired[0]}
    rms = {key.replace("mean_square", "rms_error"): math.sqrt(found.pop(key)) for key in list(found) if "square" in key}
    mapped, built = devices_of(network, Remedies()), devices_of(network, remedies)
    tested = built if section.fault_map == "march" else 0
    return {
        "repair": {
            "remedies": section.remedies,
            "fault_map": section.fault_map,
            **found,
            **rms,
            "ensemble": remedies.ensemble,
            "devices": built,
            "added_devices": built - mapped,
            "devices_factor": built / mapped,
            "test_reads": READS * tested,
            "test_writes": WRITES * tested,
            "digital_signs": signs_of(network) * remedies.ensemble if remedies.sign_flip else 0,
            "averages": sum(layer.kernel[-1] for layer in network.layers.values()) if remedies.ensemble > 1 else 0,
        }
    }


def devices_of(network: MappedNetwork, remedies: Remedies) -> int:
    """Devices of a chip, spare ones and copies with them."""
    grids = [grid_of(network, layer, remedies) for layer in network.layers.values()]
    checks = sum(2 * grid.rows * len(grid.strips) for grid in grids) if remedies.code else 0
    return remedies.ensemble * (checks + sum(math.prod(grid.built) for grid in grids))


def signs_of(network: MappedNetwork) -> int:
    """Signs that flips take: one for every output of every tile."""
    grids = [grid_of(network, layer, Remedies()) for layer in network.layers.values()]
    return sum(len(grid.bands) * grid.columns // 2 for grid in grids)
