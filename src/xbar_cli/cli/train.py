"""`xbar train`."""

from pathlib import Path
from typing import Any

import click

from xbar_cli.errors import ConfigError

from .console import print_table
from .options import common, setting, with_config


def _config() -> Any:
    from xbar_cli.config.train import TrainConfig

    return TrainConfig


@click.command(
    epilog="Example: xbar train --method neat --vg 0.8 --network lenet5 --dataset fashion_mnist_mini --cell runs/cell",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@setting("--method", "method", metavar="ideal|neat|tat", help="Training method (default ideal).")
@setting(
    "--network",
    "network.name",
    metavar="NAME",
    help="mlp, lenet5, cnn, vgg9, vgg11, resnet18 or resnet20 (default lenet5).",
)
@setting("--width", "network.width", metavar="X", help="Multiplies hidden units and channels (default 1).")
@setting(
    "--activation",
    "network.activation",
    type=click.Choice(["relu", "sigmoid"]),
    help="Of mlp's hidden layer (default relu).",
)
@setting("--dataset", "dataset.name", metavar="NAME", help="Data set (default fashion_mnist_mini; see xbar data ls).")
@setting("--data-dir", "dataset.data_dir", metavar="DIR", help="Where imported data sets are.")
@setting("--epochs", "training.epochs", metavar="N", help="Epochs of plain training (default 15).")
@setting("--batch-size", "training.batch_size", metavar="N", help="Images of one step (default 64).")
@setting("--learning-rate", "training.learning_rate", metavar="X", help="Adam's learning rate (default 2e-3).")
@setting("--cell", "neat.cell", metavar="RUN", help="neat: the characterize run.")
@setting("--vg", "neat.vg", metavar="VOLT", help="neat: gate voltage of every layer.")
@setting("--start", "neat.start", metavar="RUN", help="neat: start from this train run instead of training first.")
@setting("--rounds", "neat.rounds", metavar="N", help="neat: rounds of restrict and retrain (default 30).")
@setting("--epochs-per-round", "neat.epochs_per_round", metavar="N", help="neat: epochs of a round (default 2).")
@setting("--retrain-learning-rate", "neat.learning_rate", metavar="X", help="neat: Adam's rate (default 1e-5).")
@setting(
    "--weight-scale", "neat.weight_scale", type=click.Choice(["network", "layer"]), help="neat: whose maximum is W_max."
)
@setting("--array", "tat.array", type=click.Choice(["published", "lumped", "nodal"]), help="tat: array model.")
@setting("--technology", "tat.technology", metavar="NAME|FILE", help="tat: device technology.")
@setting("--bits", "tat.bits", metavar="B", help="tat: bits of a weight's magnitude (default 4).")
@setting(
    "--weight-limit", "tat.weight_limit", metavar="max|VALUE", help="tat: weight at the highest level (default max)."
)
@setting("--r-source", "tat.r_source_ohm", metavar="OHM", help="tat: each source (default 0).")
@setting("--r-neuron", "tat.r_neuron_ohm", metavar="OHM", help="tat: each neuron (default 0).")
@setting("--r-wire", "tat.r_wire_ohm", metavar="OHM", help="tat, nodal: every wire segment (default 0).")
@setting("--tile", "tat.tile", metavar="ROWSxOUTPUTS", help="tat: size of one array (default the layer's).")
@setting("--corner", "tat.corner", metavar="K", help="tat: chip-to-chip corner in sigmas (default 0).")
@setting("--layers", "tat.layers", type=click.Choice(["all", "dense"]), help="tat: layers on arrays (default all).")
@setting("--inject", "inject.sigma", metavar="X", help="Noise on the weights of every step (default 0).")
@setting(
    "--inject-model",
    "inject.model",
    type=click.Choice(["additive", "proportional"]),
    help="additive: in units of the layer's largest weight, the default; proportional: to each weight.",
)
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Continue this interrupted run.")
@common
@with_config(_config, resumable=True)
def train(config: Any, out: Path | None, overwrite: bool, as_json: bool, quiet: bool, resume: Path | None) -> None:
    """Train a network: plainly, inside the linear range of a 1T-1R cell (neat), or through non-ideal arrays (tat)."""
    from xbar_cli.workflows.train import run

    from .running import execute

    if resume is not None and (out is not None or overwrite):
        raise ConfigError("--resume names the run directory itself; leave --out and --overwrite away")
    execute(
        "train", config, workflow=run, show=show, out=out, overwrite=overwrite, as_json=as_json, quiet=quiet,
        resume=resume, keep_partial=True,
    )  # fmt: skip


def show(summary: dict[str, Any]) -> None:
    """Print the summary as tables."""
    rows = [(f"{part} accuracy", f"{summary[f'{part}_accuracy']:.4f}") for part in ("train", "validation", "test")]
    if summary["method"] == "neat":
        rows.insert(0, ("test accuracy before restriction", f"{summary['start_accuracy']:.4f}"))
        rows.insert(1, ("test accuracy, restricted only", f"{summary['restricted_accuracy']:.4f}"))
    if summary["method"] == "tat":
        rows.append(("test accuracy without arrays", f"{summary['test_accuracy_without_arrays']:.4f}"))
    if summary["dataset_note"]:
        rows.append(("data set", summary["dataset_note"]))
    print_table(f"{summary['method']}: {summary['network']} on {summary['dataset']}", ["", ""], rows)
    if summary["method"] == "neat":
        names = ["layers", "vg_volt", "w_max", "w_cut", "in_range_fraction_at_start", "in_range_fraction"]
        layers = zip(*(summary[name] for name in names), strict=True)
        print_table(
            "Linear range of the weights",
            ["layer", "V_g [V]", "W_max", "W_cut", "in range at start", "before last restriction"],
            [(n, f"{v:g}", f"{m:.4f}", f"{c:.4f}", f"{a:.2%}", f"{b:.2%}") for n, v, m, c, a, b in layers],
        )
