"""`xbar import`: a network trained elsewhere becomes a train run."""

from pathlib import Path
from typing import Any

import numpy as np

from xbar_cli.config.devices import ImportConfig
from xbar_cli.config.load import write_toml
from xbar_cli.errors import RunError
from xbar_cli.nn.foreign import adopt, layout_of
from xbar_cli.nn.shapes import layer_shapes, parameters, set_parameters
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.results import MODEL, read_tensors
from xbar_cli.workflows import build
from xbar_cli.workflows.models import network_accuracy, save_weights
from xbar_cli.workflows.reporter import SILENT, Reporter


def run(config: ImportConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Bring the tensors of `config` into `run` and measure them; returns the summary of a train run.

    Raises:
        RunError: the file is missing or damaged, or its tensors are not those of the network.
    """
    tensors = read_tensors(Path(config.file))
    data = build.dataset(config.dataset.name, data_dir=config.dataset.data_dir)
    shape = build.image_shape(data)
    net = build.network(config.network, shape=shape, n_classes=data.n_classes, seed=0)
    layers = layer_shapes(net, shape=shape)
    wanted = {name: value.shape for name, value in parameters(net).items()}
    try:
        layout = layout_of(tensors) if config.layout == "auto" else config.layout
        adopted = adopt(tensors, wanted, layers=[layer.name for layer in layers], layout=layout)
        set_parameters(net, adopted.parameters)
    except ValueError as error:
        raise RunError(f"{config.file}: {error}") from None
    for layer in adopted.without_bias:
        reporter.note(f"{adopted.sources[layer]} has no bias: that of {layer} is 0")
    write_toml(run.path / CONFIG, config)
    save_weights(run.path / MODEL, net)
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    return {
        "command": "train",
        "method": "import",
        "file": Path(config.file).name,
        "layout": layout,
        "sources": adopted.sources,
        "network": config.network.name,
        "dataset": config.dataset.name,
        "dataset_note": data.note,
        "layers": [layer.name for layer in layers],
        "weights": [int(np.prod(layer.kernel)) for layer in layers],
        "test_accuracy": network_accuracy(net, data.test_images, data.test_labels),
        "train_accuracy": network_accuracy(net, data.train_images, data.train_labels),
        "epochs": 0,
        "vg_volt": None,
        "in_range_fraction": None,
        "out": str(run.final),
    }
