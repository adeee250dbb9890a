"""What a mapped run saves against another one: by its gate voltages, and by its conductances."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from xbar_cli.array.wires import Wires
from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.energy.agreement import programmed_alike, wires_of
from xbar_cli.energy.constants import Constants
from xbar_cli.energy.costs import costs, works_of
from xbar_cli.energy.models.tree import parts_of
from xbar_cli.energy.opening import Opened, activity_of
from xbar_cli.energy.operation import coding_of
from xbar_cli.energy.results import Costed
from xbar_cli.energy.source import Source, driven
from xbar_cli.errors import ConfigError
from xbar_cli.reporter import Reporter


def gain(
    config: EnergyConfig,
    constants: Constants,
    costed: Costed,
    network: MappedNetwork,
    source: Source,
    *,
    reporter: Reporter,
) -> dict[str, Any]:
    """What this run saves against the baseline, split in two: its gate voltages at the baseline's conductances, then the rest.

    Both are read in the same way; the layers are those on arrays and the digital ones, which are the same in both. Another
    network, arrays without gates, other hardware, or resistances, which the split leaves out, are a ConfigError.
    """
    assert config.baseline is not None
    path = Path(config.baseline)
    if source.repair is not None:
        raise ConfigError(f"`baseline` compares chips without repair, and activity = {config.activity} has some")
    opened = Opened(path, use="`baseline`", data_dir=config.data_dir)
    base, stated = driven(opened.network, source.scales), source.stated
    if network.cell is None or base.cell is None or wires_of(stated).any:
        raise ConfigError("`baseline` compares gate voltages: both runs need 1T-1R cells, without resistances")
    shapes = [{name: layer.conductance.shape for name, layer in n.layers.items()} for n in (base, network)]
    if shapes[0] != shapes[1]:
        raise ConfigError(f"baseline = {path}: it is another network, or mapped by another scheme")
    comparable(config, opened, network)
    lowered = replace(
        base, layers={n: replace(layer, vg=network.layers[n].vg) for n, layer in base.layers.items()}, cell=network.cell
    )
    reading = costed.works[0].reading
    codings = [coding_of(constants, case, reading, stated) for case in (base, lowered)]
    most = max(codings, key=lambda coding: coding.wanted.orders)
    activity, _ = activity_of(config, opened.network, lambda: opened.trained, base, most, reporter=reporter)
    totals = []
    for case, coding in zip((base, lowered), codings, strict=True):
        case_works, _ = works_of(
            config, constants, lambda: opened.trained, case, coding, reading, activity, Wires(), reporter=reporter
        )
        totals.append(parts_of([*costs(config, constants, case_works, case).values(), *costed.digital.values()]))
    start, middle, end = (*totals, parts_of(costed.every.values()))
    arrays = split(start, middle, end, ("cells", "gate_lines"))
    return {"baseline": str(path), **split(start, middle, end, None), "arrays": arrays}


def comparable(config: EnergyConfig, opened: Opened, network: MappedNetwork) -> None:
    """Raise ConfigError where the baseline is of other hardware: tiles, cells, or how its devices were programmed to be read."""
    base, where = opened.network, f"baseline = {opened.path}"
    if base.tile != network.tile:
        sizes = ["x".join(map(str, n.tile)) for n in (base, network)]
        raise ConfigError(f"{where}: it is on arrays of {sizes[0]}, {config.run} on arrays of {sizes[1]}")
    assert base.cell is not None
    assert network.cell is not None
    figures = [f"{c.width_m:g} m x {c.length_m:g} m, inputs up to {c.v_max:g} V" for c in (base.cell, network.cell)]
    if figures[0] != figures[1]:
        raise ConfigError(f"{where}: its cells are {figures[0]}, those of {config.run} {figures[1]}")
    programmed_alike((where, base.read_volt), (config.run, network.read_volt))


def split(
    start: dict[str, float], middle: dict[str, float], end: dict[str, float], parts: tuple[str, ...] | None
) -> dict[str, float]:
    """Shares of the baseline's energy that are saved, of all parts or of some, and the share of its gate lines."""
    e = [sum(v for k, v in case.items() if parts is None or k in parts) for case in (start, middle, end)]
    return {
        "baseline_joule": e[0],
        "saved": 1 - e[2] / e[0],
        "by_gate_voltage": (e[0] - e[1]) / e[0],
        "by_conductances": (e[1] - e[2]) / e[0],
        "gate_lines_share": start.get("gate_lines", 0.0) / e[0],
    }
