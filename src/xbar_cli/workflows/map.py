"""`xbar map`: put the weights of a train run on devices."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xbar_cli.chip.mapped import ORIGIN, TECHNOLOGY, MappedNetwork, to_dataset
from xbar_cli.chip.place import map_network
from xbar_cli.chip.resolve import resolve_cell, resolve_mapping
from xbar_cli.config.hardware import MapConfig
from xbar_cli.config.load import write_toml
from xbar_cli.figures import kinds
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.results import MODEL, RESULTS, write_dataset
from xbar_cli.runs.seal import seal
from xbar_cli.trained.fixed import DEVICES
from xbar_cli.trained.network_file import KEPT, KEPT_GRAPH
from xbar_cli.trained.opening import CELL, Trained, open_trained

WHERE_NEEDED = (DEVICES, KEPT, KEPT_GRAPH)
"""Files of a train run that only some have."""


def run(config: MapConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Map the train run of `config` into `run`; returns the summary."""
    reporter.doing(f"opening {config.run}")
    trained = open_trained(Path(config.run), use="xbar map", data_dir=config.data_dir)
    write_toml(run.path / CONFIG, config)
    reporter.progress("map", 0, 2)
    gates = resolve_cell(trained, config.cell, config.mapping.per_layer)
    config.read.complete(cell=gates is not None, drive_ends=gates is not None)
    placement = resolve_mapping(trained, config.mapping, gates, read=config.read, reporter=reporter)
    network = map_network(
        trained, placement, gates, read=config.read, images=config.calibration.images, reporter=reporter, keep_activity=True
    )  # fmt: skip
    reporter.progress("map", 1, 2)
    write_dataset(run.path / RESULTS, to_dataset(network))
    if gates is not None:
        shutil.copyfile(gates.file, run.path / CELL)
    if network.technology is not None and network.technology.endswith(".toml"):
        shutil.copyfile(network.technology, run.path / TECHNOLOGY)
    keep_origin(trained, run.path / ORIGIN)
    draw(network, run)
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    reporter.progress("map", 2, 2)
    return summary(trained, network) | {"out": str(run.final)}


def keep_origin(trained: Trained, folder: Path) -> None:
    """Copy what of a train run later commands need: summary, configuration, weights, trained conductances."""
    folder.mkdir()
    for name in ("summary.json", CONFIG, MODEL, *WHERE_NEEDED):
        if (trained.run.path / name).exists() or name not in WHERE_NEEDED:
            shutil.copyfile(trained.run.path / name, folder / name)
    seal(folder)


def summary(trained: Trained, network: MappedNetwork) -> dict[str, Any]:
    """The summary, as summary.json holds it."""
    errors = {name: weight_errors(trained.kernels[name], network, name) for name in network.layers}
    layers = [layer_summary(network, name, errors=squares) for name, squares in errors.items()]
    tiles, devices = (sum(layer[key] for layer in layers) for key in ("tiles", "devices"))
    squares, count = sum(float(e.sum()) for e in errors.values()), sum(e.size for e in errors.values())
    return {
        "command": "map",
        "network": trained.network,
        "dataset": trained.dataset,
        "dataset_note": trained.data.note,
        "scheme": network.scheme,
        "technology": Path(network.technology).stem if network.technology else None,
        "g_off_siemens": network.g_off,
        "g_on_siemens": network.g_on,
        "tile": list(network.tile),
        "devices": devices,
        "tiles": tiles,
        "utilisation": devices / (tiles * network.tile[0] * network.tile[1]),
        "weight_rmse": float(np.sqrt(squares / count)),
        "clipped_fraction": network.clipped_fraction,
        "scale_kept": network.scale_kept,
        "input": network.read.input,
        "v_read_volt": network.read_volt,
        "dac_bits": network.read.dac_bits,
        "layers": layers,
        "digital_layers": [name for name in trained.layers if name not in network.layers],
    }


def weight_errors(kernel: NDArray[np.float32], network: MappedNetwork, name: str) -> NDArray[np.float32]:
    """Squares of what the devices of a layer stand for less its weights [rows out]."""
    return (network.decoded(name) - kernel.reshape(-1, kernel.shape[-1])) ** 2


def layer_summary(network: MappedNetwork, name: str, *, errors: NDArray[np.float32]) -> dict[str, Any]:
    """The summary of one layer."""
    layer, tiles, devices = network.layers[name], network.tiles(name), network.devices(name)
    rows, cols = layer.conductance.shape
    return {
        "name": name,
        "rows": rows,
        "cols": cols,
        "devices": devices,
        "tiles": tiles,
        "vg_volt": layer.vg,
        "slope_siemens": layer.slope.tolist(),
        "scale_kept": layer.scale_kept,
        "utilisation": devices / (tiles * network.tile[0] * network.tile[1]),
        "weight_rmse": float(np.sqrt(errors.mean())),
        "clipped_fraction": layer.clipped_fraction,
        "beyond_fraction": layer.beyond_fraction,
        "absent_fraction": float(np.mean(layer.conductance == 0)),
        "full_scale_activation": layer.full_scale,
        "signed_activation": layer.signed,
    }


def draw(network: MappedNetwork, run: Run) -> None:
    """Histogram of the programmed conductances of each layer."""
    kinds.histograms(
        run.figures / "conductances.png",
        values={name: layer.conductance.ravel() * 1e6 for name, layer in network.layers.items()},
        x_label="programmed memristor conductance $G$ (µS)",
        caption=f"scheme {network.scheme}, G_off {network.g_off * 1e6:.3g} µS, G_on {network.g_on * 1e6:.3g} µS",
    )
