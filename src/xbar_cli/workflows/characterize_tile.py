"""`xbar characterize tile`: node voltages and device currents of one resistive array with wires."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from xbar_cli.array.lumped import lumped_dual
from xbar_cli.array.nodal import solve
from xbar_cli.array.published import published, published_dual
from xbar_cli.array.wires import Wires
from xbar_cli.chip.mapped import load_mapped
from xbar_cli.config.load import write_toml
from xbar_cli.config.ranges import parse_tile
from xbar_cli.config.tile import TileConfig, TileSection
from xbar_cli.errors import ConfigError
from xbar_cli.figures import drawing, kinds
from xbar_cli.figures.style import CELLS, PAGE
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.opening import open_run
from xbar_cli.runs.results import RESULTS, field, write_fields
from xbar_cli.vectors import Matrix, Vector
from xbar_cli.workflows.characterize_array import distance


def run(config: TileConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Solve the array of `config` into `run`; returns the summary."""
    del reporter
    tile, rng = config.tile, np.random.default_rng(config.seed)
    g, name, paired = conductances(tile, rng)
    v = rng.uniform(0, tile.v_max_volt, g.shape[0])
    wires = tile.wires()
    with jax.enable_x64(True):
        found = solve(jnp.asarray(g), jnp.asarray(v), wires)
    word, bit = (np.asarray(part, np.float64) for part in (found.word, found.bit))
    current, ideal = g * (word - bit), g * v[:, None]
    columns = np.asarray(found.current, np.float64)
    write_toml(run.path / CONFIG, config)
    write_fields(run.path / RESULTS, fields(g, v, word, bit, current), attributes={"xbar_kind": "tile"})
    caption = f"{name}, {g.shape[0]}×{g.shape[1]} devices, {wires}, inputs up to {tile.v_max_volt:g} V"
    formed = models(g, v, wires)
    draw(run.figures / "tile.png", v=v, word=word, bit=bit, lost=ideal - current, caption=caption)
    kinds.differences(
        run.figures / "currents.png", reference=columns * 1e6, models={k: i * 1e6 for k, i in formed.items()},
        x_label="column current, solved (µA)", y_label="model − solved (% of solved)",
        caption=caption,
    )  # fmt: skip
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    lost = 1 - columns / ideal.sum(axis=0)
    return {
        "command": "characterize tile",
        "tile": list(g.shape),
        "conductances": name,
        "worst_word_drop_volt": float((v[:, None] - word).max()),
        "worst_bit_rise_volt": float(bit.max()),
        "mean_current_loss": float(lost.mean()),
        "worst_current_loss": float(lost.max()),
        "models": {name: distance(values, columns) for name, values in formed.items()},
        "pairs": pairs(g, v, wires) if paired else None,
        "power_watt": float(v @ current.sum(axis=1)),
        "out": str(run.final),
    }


def conductances(tile: TileSection, rng: np.random.Generator) -> tuple[Matrix, str, bool]:
    """The array's conductances [rows cols] [S], what they are, and whether two columns each are the pair of a weight."""
    if tile.run is None:
        return rng.uniform(1 / tile.r_off_ohm, 1 / tile.r_on_ohm, parse_tile(tile.size)), "random conductances", False
    path = Path(tile.run)
    open_run(path, commands=("map",), use="xbar characterize tile")
    network = load_mapped(path)
    if network.cell is not None:
        raise ConfigError(f"{path} is mapped on 1T-1R cells: their currents are those of xbar characterize array")
    name = tile.layer or next(iter(network.layers))
    if name not in network.layers:
        raise ConfigError(f"tile.layer = {name}: {path} has {', '.join(network.layers)}")
    rows, cols = network.tile
    g = network.layers[name].stacked[:rows, :cols].astype(np.float64)
    return g, f"first tile of {name}", network.scheme == "de" and g.shape[1] % 2 == 0


def models(g: Matrix, v: Vector, wires: Wires) -> dict[str, Vector]:
    """Column currents [cols] [A] without resistances, and in the published closed form, which knows sources and neurons alone."""
    with jax.enable_x64(True):
        folded = published(jnp.asarray(g), Wires(source=wires.source, neuron=wires.neuron))
        return {"ideal": v @ g, "published": v @ np.asarray(folded.g_eff, np.float64)}


def pairs(g: Matrix, v: Vector, wires: Wires) -> dict[str, float]:
    """Distance of the published closed form from the exact arrays where the two columns of a weight share their neuron (tat).

    The first of two columns is driven with +V, the second with −V; the wires' own resistances are left out.
    """
    ends = Wires(source=wires.source, neuron=wires.neuron)
    with jax.enable_x64(True):
        halves = jnp.asarray(g[:, ::2]), jnp.asarray(g[:, 1::2])
        near, exact = (v @ np.asarray(fold(*halves, ends).g_eff, np.float64) for fold in (published_dual, lumped_dual))
    return distance(near, exact)


def fields(g: Matrix, v: Matrix, word: Matrix, bit: Matrix, current: Matrix) -> dict[str, Any]:
    """results.nc: what every node and device has."""
    at = ("row", "col")
    return {
        "conductance": field(at, g, unit="S", long_name="conductance of the device"),
        "input": field(("row",), v, unit="V", long_name="source voltage"),
        "word": field(at, word, unit="V", long_name="voltage of the word line at the device"),
        "bit": field(at, bit, unit="V", long_name="voltage of the bit line at the device"),
        "current": field(at, current, unit="A", long_name="current through the device"),
    }


def draw(path: Path, *, v: Matrix, word: Matrix, bit: Matrix, lost: Matrix, caption: str) -> None:
    """Three maps of the array: drop on the word lines, rise on the bit lines, current lost to the wires."""

    def panels(figure: Figure) -> None:
        maps = (
            ("drop on the word line (mV)", (v[:, None] - word) * 1e3),
            ("rise on the bit line (mV)", bit * 1e3),
            ("current lost (µA)", lost * 1e6),
        )
        for axes, (title, values) in zip(figure.subplots(1, 3, sharey=True), maps, strict=True):
            image = axes.imshow(values, aspect="auto", cmap=CELLS, interpolation="nearest")
            axes.grid(visible=False)
            axes.set_xlabel("bit line")
            figure.colorbar(image, ax=axes, orientation="horizontal", location="top").set_label(title)
        figure.axes[0].set_ylabel("word line (sources at the left)")

    drawing.save(path, panels, caption=caption, width=PAGE, height=76)
