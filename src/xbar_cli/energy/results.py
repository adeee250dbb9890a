"""What an energy run keeps: summary, results.nc with the activity, the figure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from xbar_cli.chip.activity import LayerActivity, from_values, to_field
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.energy.digital import PART
from xbar_cli.energy.models.tree import FIGURES, Component, as_json, group, parts_of, scaled
from xbar_cli.energy.models.work import LayerWork
from xbar_cli.energy.plan import ChipPlan
from xbar_cli.errors import RunError
from xbar_cli.figures import drawing
from xbar_cli.figures.labels import Label, prefixed
from xbar_cli.figures.style import KINDS, PAGE
from xbar_cli.runs.results import RESULTS, Field, field, numbers, opened, write_fields

ARRAY = ("cells", "crossbar", "gate_lines", "lines", "wires", "sources", "neurons")
"""Parts that are the arrays themselves: what is left are the circuits around them."""
UNITS = {"energy_joule": "J", "area_m2": "m2", "latency_seconds": "s", "leakage_watt": "W"}


@dataclass(frozen=True)
class Costed:
    """A network that was costed.

    Attributes:
        works: of the layers on arrays.
        layers: their costs for one image, one copy each.
        digital: those of the other layers.
        unit: the digital unit; None where nothing needs one.
        macs: multiply-accumulates of the digital layers.
        chip: copies of layers, and their time.
        pipelined: whether every layer works on an image of its own.
    """

    works: list[LayerWork]
    layers: dict[str, Component]
    digital: dict[str, Component]
    unit: Component | None
    macs: dict[str, int]
    chip: ChipPlan
    pipelined: bool

    @property
    def every(self) -> dict[str, Component]:
        """All layers."""
        return self.layers | self.digital

    @property
    def times(self) -> tuple[float, float]:
        """Latency of an image, and time between images [s]: digital layers take their turn in the one unit."""
        digital = sum(layer.latency_seconds for layer in self.digital.values())
        latency, interval = self.chip.latency_seconds + digital, self.chip.interval_seconds
        return latency, max(interval, digital) if self.pipelined else latency


def tree_of(config: EnergyConfig, costed: Costed) -> Component:
    """The chip, for one image."""
    chip, copies = costed.chip, dict(zip(costed.layers, costed.chip.copies, strict=True))
    built = [scaled(layer, area_m2=copies[name], leakage_watt=copies[name]) for name, layer in costed.layers.items()]
    unused = config.tiles - chip.tiles if config.tiles is not None else 0
    extra = (
        [Component("unused_tiles", area_m2=unused * sum(part.area_m2 for part in built) / chip.tiles)] if unused else []
    )
    extra += [costed.unit] if costed.unit is not None else []
    return group(config.model, [*built, *costed.digital.values(), *extra], latency_seconds=costed.times[0])


def summarise(
    config: EnergyConfig,
    mapped: dict[str, Any],
    path: Path,
    costed: Costed,
    *,
    trained_note: str | None,
    device_bits: int | None,
) -> dict[str, Any]:
    """The summary without accuracy: figures of one image, and of the chip that computes it."""
    works, layers, chip = costed.works, costed.layers, costed.chip
    root, (latency, interval) = tree_of(config, costed), costed.times
    digital = sum(leaf.energy_joule for leaf in root.leaves() if leaf.name == PART)
    return {
        "command": "energy",
        "model": config.model,
        "run": str(path),
        "network": mapped["network"],
        "dataset": mapped["dataset"],
        "dataset_note": trained_note,
        "scheme": mapped["scheme"],
        "bits": device_bits,
        "tile": list(works[0].tile),
        "vg_volt": [work.vg for work in works],
        "energy_joule": root.energy_joule,
        "array_joule": sum(p.energy_joule for layer in layers.values() for p in layer.children if p.name in ARRAY),
        "digital_joule": digital,
        "digital_share": digital / root.energy_joule if root.energy_joule else None,
        "digital_layers": list(costed.digital),
        "digital_macs": sum(costed.macs.values()),
        "area_m2": root.area_m2,
        "latency_seconds": latency,
        "interval_seconds": interval,
        "leakage_watt": root.leakage_watt,
        "leakage_joule": root.leakage_watt * interval,
        "devices": sum(work.devices for work in works),
        "tiles": config.tiles or chip.tiles,
        "copies": dict(zip(layers, chip.copies, strict=True)),
        "pipelined": config.pipeline,
        "operations": 2 * (sum(work.macs for work in works) + sum(costed.macs.values())),
        "breakdown": breakdown(root, costed),
    }


def breakdown(root: Component, costed: Costed) -> dict[str, Any]:
    """Energy of each part in all layers, the layers, and the whole tree with shares."""
    parts, total = parts_of(costed.every.values()), root.energy_joule
    known = {work.name: {"vg_volt": work.vg, "tiles": work.tiles, "positions": work.positions} for work in costed.works}
    return {
        **{f"{name}_joule": value for name, value in parts.items()},
        "shares": {name: value / total if total else None for name, value in parts.items()},
        "layers": {
            name: {
                **known.get(name, {"vg_volt": None, "tiles": 0, "macs": costed.macs.get(name)}),
                "energy_joule": layer.energy_joule,
                **{f"{part.name}_joule": part.energy_joule for part in layer.children},
                "latency_seconds": layer.latency_seconds,
                "area_m2": layer.area_m2,
            }
            for name, layer in costed.every.items()
        },
        "tree": as_json(root),
    }


def write_results(folder: Path, layers: dict[str, Component], activity: dict[str, LayerActivity]) -> None:
    """results.nc: the figures of every layer for one image, and the activity that they follow from."""
    names = np.asarray(list(layers), dtype=object)
    fields: dict[str, Field] = {"layer": Field(("layer",), names, {})}
    for figure in FIGURES:
        values = [getattr(layer, figure) for layer in layers.values()]
        fields[figure] = field(
            ("layer",), values, unit=UNITS[figure], long_name=figure.rpartition("_")[0].replace("_", " ")
        )
    for part in dict.fromkeys(part.name for layer in layers.values() for part in layer.children):
        values = [layer.part_joule(part) for layer in layers.values()]
        fields[f"{part}_joule"] = field(("layer",), values, unit="J", long_name=part.replace("_", " "))
    fields |= {f"{name}_activity": to_field(name, found) for name, found in activity.items()}
    write_fields(folder / RESULTS, fields, attributes={"xbar_kind": "energy"})


def read_activity(path: Path, rows: dict[str, int]) -> dict[str, LayerActivity]:
    """The activity of layers of so many `rows` in an earlier energy run. Raises RunError where it holds none of them."""
    found: dict[str, LayerActivity] = {}
    with opened(path / RESULTS, kind="energy") as dataset:
        for name, count in rows.items():
            stored = dataset.get(f"{name}_activity")
            if stored is None or "pulse_bits" not in stored.attrs or len(stored) != count:
                raise RunError(f"activity = {path}: it holds no activity of layer {name}")
            found[name] = from_values(numbers(dataset, f"{name}_activity", *stored.dims), stored.attrs)
    return found


def draw(folder: Path, layers: dict[str, Component], *, caption: str) -> Path:
    """Energy of one image, a bar a layer, stacked from its parts."""
    names = list(layers)
    parts = list(dict.fromkeys(part.name for layer in layers.values() for part in layer.children))
    values = {p: [layer.part_joule(p) for layer in layers.values()] for p in parts}
    largest = max(layer.energy_joule for layer in layers.values())
    label = prefixed(Label("energy per image", unit="J"), largest)
    kept = {p: v for p, v in values.items() if max(v) > 1e-3 * largest}

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        base = np.zeros(len(names))
        places = np.arange(len(names))[::-1]
        for number, (part, v) in enumerate(kept.items()):
            heights = np.asarray(v) * label.factor
            axes.barh(
                places,
                heights,
                left=base,
                color=KINDS[number % len(KINDS)],
                hatch=("", "///")[number // len(KINDS) % 2],
                label=part.replace("_", " "),
            )
            base = base + heights
        axes.set_yticks(places, names)
        axes.set_xlabel(label.text)
        axes.grid(axis="y", visible=False)
        drawing.legend_above(figure, axes)

    hidden = [p.replace("_", " ") for p in parts if p not in kept]
    note = f"; below 0.1 % of the largest layer: {', '.join(hidden)}" if hidden else ""
    height = 22 + 4 * drawing.legend_rows(list(kept), width=PAGE) + 5 * len(names)
    return drawing.save(folder / "energy.png", paint, caption=caption + note, width=PAGE, height=max(50, height))
