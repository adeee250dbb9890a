"""What a mapped run saves against another one: by its gate voltages, and by its conductances."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from xbar_cli.config.energy import EnergyConfig
from xbar_cli.energy.constants import Constants
from xbar_cli.energy.dissipation import Resistances
from xbar_cli.energy.work import LayerWork
from xbar_cli.errors import ConfigError
from xbar_cli.workflows.energy_costs import Layers, costs, works_of
from xbar_cli.workflows.energy_opening import Opened, activity_of, coding_of
from xbar_cli.workflows.mapped import MappedNetwork
from xbar_cli.workflows.reporter import Reporter


def gain(
    config: EnergyConfig,
    constants: Constants,
    works: list[LayerWork],
    layers: Layers,
    network: MappedNetwork,
    *,
    reporter: Reporter,
) -> dict[str, Any]:
    """What this run saves against the baseline, split in two: its gate voltages at the baseline's conductances, then the rest.

    Raises:
        ConfigError: another network, arrays without gates, or resistances, which the split leaves out.
    """
    assert config.baseline is not None
    path = Path(config.baseline)
    opened = Opened(path, use="--baseline", data_dir=config.data_dir)
    base = opened.network
    if network.cell is None or base.cell is None or any(len(w.watt) > 1 for w in works):
        raise ConfigError("--baseline compares gate voltages: both runs need 1T-1R cells, without resistances")
    shapes = [{name: layer.conductance.shape for name, layer in n.layers.items()} for n in (base, network)]
    if shapes[0] != shapes[1]:
        raise ConfigError(f"--baseline {path}: it is another network, or mapped by another scheme")
    lowered = replace(
        base, layers={n: replace(layer, vg=network.layers[n].vg) for n, layer in base.layers.items()}, cell=network.cell
    )
    codings = [coding_of(config, constants, case) for case in (base, lowered)]
    most = max(codings, key=lambda coding: coding.wanted.orders)
    activity, _ = activity_of(config, opened, most, reporter=reporter)
    totals = []
    for case, coding in zip((base, lowered), codings, strict=True):
        case_works, _ = works_of(
            config, constants, opened, case, coding, activity, Resistances(0.0, 0.0, 0.0, 0.0), reporter=reporter
        )
        totals.append(parts_of(costs(config, constants, case_works, case)))
    start, middle, end = (*totals, parts_of(layers))
    arrays = split(start, middle, end, ("cells", "gate_lines"))
    return {"baseline": str(path), **split(start, middle, end, None), "arrays": arrays}


def parts_of(layers: Layers) -> dict[str, float]:
    """Energy of each part, over all layers [J]."""
    found: dict[str, float] = {}
    for layer in layers.values():
        for part in layer.leaves():
            found[part.name] = found.get(part.name, 0.0) + part.energy_joule
    return found


def split(
    start: dict[str, float], middle: dict[str, float], end: dict[str, float], parts: tuple[str, ...] | None
) -> dict[str, float]:
    """Shares of the baseline's energy that are saved, of all parts or of some."""
    e = [sum(v for k, v in case.items() if parts is None or k in parts) for case in (start, middle, end)]
    return {
        "baseline_joule": e[0],
        "saved": 1 - e[2] / e[0],
        "by_gate_voltage": (e[0] - e[1]) / e[0],
        "by_conductances": (e[1] - e[2]) / e[0],
    }
