"""What comes in from outside: `xbar import`, a network trained elsewhere becomes a train run; the stage `data add`."""

from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from xbar_cli.config.devices import DataConfig, ImportConfig
from xbar_cli.config.load import write_toml
from xbar_cli.config.network import NetworkSection, graph_file
from xbar_cli.data.datasets import Dataset
from xbar_cli.data.own.adding import add, digest_of
from xbar_cli.data.tensors import read_foreign
from xbar_cli.errors import ConfigError, RunError
from xbar_cli.nn.foreign import Adopted, Layout, Tensors, adopt, as_named, layout_of, plain, unmatched
from xbar_cli.nn.layers import bias_rows
from xbar_cli.nn.shapes import LayerShape, parameters, set_parameters
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.results import MODEL
from xbar_cli.tasks import MetricName
from xbar_cli.trained import build
from xbar_cli.trained.network_file import keep_network_file
from xbar_cli.trained.opening import network_measure, save_weights

GUESSING = 2.0
"""An accuracy below so many times that of guessing is a network that was not meant, or not read as it was trained."""


def run(config: ImportConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Bring the tensors of `config` into `run` and measure them; returns the summary of a train run."""
    if graph_file(config.file) is not None:
        return of_graph(config, run)
    tensors = read_foreign(Path(config.file))
    data = build.dataset(config.dataset.name, data_dir=config.dataset.data_dir)
    try:
        tensors = plain(tensors)
        layout = layout_of(tensors) if config.layout == "auto" else config.layout
        network = with_padding(config.network, layout)
        assumed, config = network is not config.network, config.model_copy(update={"network": network})
        net, shapes, adopted = adopted_network(config, tensors, layout, data)
    except ValueError as error:
        raise RunError(f"{config.file}: {error}") from None
    keep_network_file(config.network, run.path)
    write_toml(run.path / CONFIG, config)
    save_weights(run.path / MODEL, net)
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    found = summary(config, layout, adopted, shapes, net, data) | {"out": str(run.final)}
    tell(adopted, found, reporter, padded=assumed, classes=data.outputs)
    return found


def of_graph(config: ImportConfig, run: Run) -> dict[str, Any]:
    """The network of an ONNX file, with its weights. ConfigError for what belongs to tensors alone."""
    given = {"name", "mean", "std"} & config.network.model_fields_set
    if config.layout != "auto" or config.pairs or config.network.model_fields_set - given:
        raise ConfigError(
            "an ONNX file says its network itself: only network.mean and network.std can be given beside it"
        )
    network = config.network.model_copy(update={"name": config.file})
    config = config.model_copy(update={"network": network})
    data = build.dataset(config.dataset.name, data_dir=config.dataset.data_dir)
    keep_network_file(network, run.path)
    net = build.network(network, data, seed=0)
    return as_it_is(config, "onnx", net, data, run) | {"out": str(run.final)}


def as_it_is(
    config: ImportConfig, layout: str, net: nnx.Module, data: Dataset, run: Run, *, metric: MetricName | None = None
) -> dict[str, Any]:
    """Write a network that is whole already into `run`; returns the summary but for `out`."""
    shapes = build.shapes_of(net, data)
    write_toml(run.path / CONFIG, config)
    save_weights(run.path / MODEL, net)
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    return summary(config, layout, unmatched([shape.name for shape in shapes]), shapes, net, data, metric=metric)


def add_data(config: DataConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Keep a data set of one's own in `run`, which is the `dataset.data_dir` of what takes it; returns the summary."""
    file = Path(config.file)
    if config.sha256 not in (None, digest_of(file)):
        raise ConfigError(f"{file} holds something else than when the experiment began")
    write_toml(run.path / CONFIG, config)
    added = add(config.name, file, config.ingest(), data_dir=run.path, overwrite=True)
    if added.facts["note"]:
        reporter.note(added.facts["note"])
    environment.write(run.path / "env.json", environment.describe(seed=config.seed))
    told = ("name", "task", "train", "test", "shape", "dtype", "outputs", "identical", "source_sha256")
    return {"command": "data add", **{key: added.facts[key] for key in told}, "out": str(run.final)}


def with_padding(network: NetworkSection, layout: Layout) -> NetworkSection:
    """The network with its convolutions padded as where the tensors come from, unless that was said."""
    if layout != "torch" or not network.strided or "padding" in network.model_fields_set:
        return network
    return network.model_copy(update={"padding": "torch"})


def adopted_network(
    config: ImportConfig, tensors: Tensors, layout: Layout, data: Dataset
) -> tuple[nnx.Module, list[LayerShape], Adopted]:
    """The network of `config` with the tensors as its parameters; torch's biases become rows of the arrays where asked for."""
    stacked = layout == "torch" and config.network.bias == "row"
    section = config.network.model_copy(update={"bias": "digital"}) if stacked else config.network
    net = build.network(section, data, seed=0)
    wanted = {name: value.shape for name, value in parameters(net).items()}
    layers = [layer.name for layer in build.shapes_of(net, data)]
    adopted = (as_named(tensors, wanted, layers=layers) if layout == "xbar" and not config.pairs else None) or adopt(
        tensors, wanted, layers=layers, layout=layout, channels=build.input_shape(data)[-1], given=config.pairs
    )
    set_parameters(net, adopted.parameters)
    if stacked:
        bias_rows(net)
    return net, build.shapes_of(net, data), adopted


def summary(
    config: ImportConfig, layout: str, adopted: Adopted, shapes: list[LayerShape], net: nnx.Module, data: Dataset, *,
    metric: MetricName | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The summary, as summary.json holds it but for `out`; the data set's own metric where none is given."""
    network, metric = config.network, build.metric_of(data, metric, key="metric")
    tested = network_measure(net, data.test_images, data.test_labels, metric=metric)
    return {
        "command": "train",
        "method": "import",
        "file": Path(config.file).name,
        "layout": layout,
        "matched_by": adopted.how,
        "sources": adopted.sources,
        "norm_sources": adopted.norms,
        "padding": network.padding if network.strided else None,
        "mean": network.mean,
        "std": network.std,
        "norm_epsilon": network.norm_epsilon if network.normed else None,
        "network": network.name,
        "dataset": config.dataset.name,
        "dataset_note": data.note,
        "layers": [layer.name for layer in shapes],
        "weights": [int(np.prod(layer.kernel)) for layer in shapes],
        f"test_{metric}": tested,
        f"train_{metric}": network_measure(net, data.train_images, data.train_labels, metric=metric),
        "task": data.task,
        "metric": metric,
        "metric_value": tested,
        "epochs": 0,
        "vg_volt": None,
        "in_range_fraction": None,
    }


def tell(adopted: Adopted, found: dict[str, Any], reporter: Reporter, *, padded: bool, classes: int) -> None:
    """Note what was assumed, and an accuracy that says that something of it is wrong."""
    for layer in adopted.without_bias:
        reporter.note(f"{adopted.sources[layer]} has no bias: that of {layer} is 0")
    if adopted.how == "order":
        reporter.note("not all names are ours: matched by shape and by the numbers in the names, see the table")
    if padded:
        reporter.note("convolutions of stride 2 are padded as torch does, (1, 1); network.padding = same for (0, 1)")
    if found["metric"] == "accuracy" and found["test_accuracy"] < GUESSING / classes:
        reporter.note(
            f"a test accuracy of {found['test_accuracy']:.4f} is near guessing: check the table of layers, `layout`, "
            "network.padding, network.norm_epsilon, and network.mean and network.std if it was trained on normalised images"
        )
