"""`xbar train`."""

from pathlib import Path
from typing import Any

import click

from xbar_cli.errors import ConfigError

from .shared.console import print_table
from .shared.options import common, network_settings, setting, with_config


def _config() -> Any:
    from xbar_cli.config.train import TrainConfig

    return TrainConfig


@click.command(
    epilog="Example: xbar train --method neat --vg 0.8 --network lenet5 --dataset fashion_mnist_mini --cell runs/cell",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@setting("--method", "method", metavar="NAME", help="ideal, neat, tat, periphery or biased (default ideal).")
@setting(
    "--network",
    "network.name",
    metavar="NAME",
    help="mlp, lenet5, lenet, cnn, vgg9, vgg11, resnet18 or resnet20 (default lenet5).",
)
@setting("--width", "network.width", metavar="X", help="Multiplies hidden units and channels (default 1).")
@setting("--hidden", "network.hidden", metavar="N", help="Hidden units of mlp (default 500).")
@setting(
    "--activation",
    "network.activation",
    type=click.Choice(["relu", "sigmoid"]),
    help="Of mlp's hidden layer (default relu).",
)
@setting(
    "--bias",
    "network.bias",
    type=click.Choice(["digital", "row"]),
    help="Biases after the arrays, or as one more row of each layer's (default digital).",
)
@network_settings(padding="same")
@setting("--dataset", "dataset.name", metavar="NAME", help="Data set (default fashion_mnist_mini; see xbar data ls).")
@setting("--data-dir", "dataset.data_dir", metavar="DIR", help="Where imported data sets are.")
@setting("--train-images", "dataset.train_images", metavar="N", help="Only the first training images (default all).")
@setting("--epochs", "training.epochs", metavar="N", help="Epochs of plain training (default 15).")
@setting("--batch-size", "training.batch_size", metavar="N", help="Images of one step (default 64).")
@setting("--learning-rate", "training.learning_rate", metavar="X", help="Default 2e-3 for adam, 0.05 for sgd.")
@setting(
    "--optimizer",
    "training.optimizer",
    type=click.Choice(["adam", "sgd"]),
    help="Default adam; periphery sgd.",
)
@setting("--momentum", "training.momentum", metavar="X", help="sgd: momentum (default 0).")
@setting("--weight-decay", "training.weight_decay", metavar="X", help="L2 on kernels (default 0).")
@setting(
    "--schedule",
    "training.schedule",
    type=click.Choice(["constant", "cosine", "step"]),
    help="Of the learning rate (default constant).",
)
@setting("--label-smoothing", "training.label_smoothing", metavar="X", help="Share over all classes (default 0).")
@setting("--clip-norm", "training.clip_norm", metavar="X", help="Largest global norm of the gradient (default any).")
@setting(
    "--precision",
    "training.precision",
    type=click.Choice(["float32", "bfloat16"]),
    help="Of the products (default float32).",
)
@setting(
    "--augment",
    "training.augment",
    type=click.Choice(["none", "flip", "crop", "crop+flip"]),
    help="Random mirror images and shifts (default none).",
)
@setting("--early-stop", "training.early_stop", metavar="N", help="Stop after N epochs without a better one.")
@setting("--keep", "training.keep", type=click.Choice(["best", "last"]), help="Epoch kept (default best).")
@setting(
    "--fold-norm", "training.fold_norm", is_flag=True, default=None,
    help="ideal: fold batch norm into the weights at the end (default digital, after the arrays).",
)  # fmt: skip
@setting("--start", "start", metavar="RUN", help="neat, tat, biased: start from this train run.")
@setting("--cell", "neat.cell", metavar="RUN", help="neat: the characterize run.")
@setting("--vg", "neat.vg", metavar="VOLT|auto", help="neat: gate voltage of every layer, or each layer its own.")
@setting(
    "--vg-rule",
    "neat.vg_rule",
    type=click.Choice(["previous", "covering"]),
    help="neat, auto: the gate voltage before the first that covers the weights, or that one (default previous).",
)
@setting("--vg-offset", "neat.vg_offset", metavar="VOLT", help="neat, auto: added to every layer's (default 0).")
@setting("--rounds", "neat.rounds", metavar="N", help="neat: rounds of restrict and retrain (default 30).")
@setting("--epochs-per-round", "neat.epochs_per_round", metavar="N", help="neat: epochs of a round (default 2).")
@setting("--retrain-learning-rate", "neat.learning_rate", metavar="X", help="neat: Adam's rate (default 1e-5).")
@setting(
    "--weight-scale", "neat.weight_scale", type=click.Choice(["network", "layer"]), help="neat: whose maximum is W_max."
)
@setting("--array", "array", type=click.Choice(["published", "lumped", "nodal"]), help="tat: array model.")
@setting("--technology", "technology", metavar="NAME|FILE", help="tat, biased: device technology.")
@setting("--bits", "bits", metavar="B", help="tat: bits of a magnitude (default 4); periphery, biased: of a device.")
@setting("--levels", "levels", metavar="N", help="tat: the same as levels besides 0, such as 15.")
@setting(
    "--weight-limit",
    "weight_limit",
    metavar="max|auto|VALUE",
    help="tat: weight at the highest level (default max; auto, with --start: the share of it that costs least); periphery: "
    "range in initial standard deviations (default 4).",
)
@setting("--r-source", "array.r_source_ohm", metavar="OHM", help="tat: each source (default 0).")
@setting("--r-neuron", "array.r_neuron_ohm", metavar="OHM", help="tat: each neuron (default 0).")
@setting("--r-wire", "array.r_wire_ohm", metavar="OHM", help="tat, nodal: every wire segment (default 0).")
@setting(
    "--tile",
    "tile",
    metavar="ROWSxCOLS",
    help="tat: size of one array, two columns an output (default the layer's); biased: crossbar, over whose rows importance "
    "is summed (default 128x128).",
)
@setting("--corner", "tat.corner", metavar="K", help="tat: chip-to-chip corner in sigmas (default 0).")
@setting("--layers", "layers", type=click.Choice(["all", "dense"]), help="tat: layers on arrays (default all).")
@setting(
    "--refold",
    "tat.refold",
    metavar="N",
    help="tat: solve the arrays every N steps (default 256); with 1, gradients pass through.",
)
@setting("--scheme", "scheme", type=click.Choice(["de", "bc", "acm"]), help="periphery: the mapping (default acm).")
@setting("--nonlinearity", "periphery.nonlinearity", metavar="NU", help="periphery: of the weight update (default 0).")
@setting(
    "--nonlinearity-down",
    "periphery.nonlinearity_down",
    metavar="NU",
    help="periphery: of pulses down (default as up).",
)
@setting("--activation-bits", "periphery.activation_bits", metavar="B", help="periphery: of layer inputs (default 8).")
@setting("--important", "biased.important", metavar="M", help="biased: share of columns restricted (default 0.3).")
@setting(
    "--favourable",
    "biased.favourable",
    metavar="STATES|best:N",
    help="biased: states such as 0,1,3 (default best:3; see docs/training.md for those that weights have).",
)
@setting(
    "--encoding",
    "encoding",
    type=click.Choice(["offset", "twos_complement", "differential"]),
    help="biased: code of negative weights (default offset).",
)
@setting(
    "--select",
    "biased.select",
    type=click.Choice(["validation", "test"]),
    help="biased: what chooses the epoch (default validation; the paper's is test).",
)
@setting(
    "--inject",
    "inject",
    metavar="MODEL:X",
    help="Noise on the weights of every step: normal:0.1, proportional, lognormal, chip_to_chip, stuck; or an effect of "
    "xbar evaluate on the devices, a new chip at every step: states:scale=0.5,technology=rram2bit.",
)
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Continue this interrupted run.")
@common
@with_config(_config, resumable=True)
def train(config: Any, out: Path | None, overwrite: bool, as_json: bool, quiet: bool, resume: Path | None) -> None:
    """Train a network: plainly, or by the method of a paper.

    neat: inside the linear range of a 1T-1R cell; tat: through non-ideal arrays; periphery: conductances behind a fixed
    matrix (acm); biased: important columns in favourable states.
    """
    from xbar_cli.workflows.train import run

    from .shared.running import execute

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
    if summary["method"] == "biased":
        rows.insert(0, ("test accuracy at the start", f"{summary['start_accuracy']:.4f}"))
        if summary["selected_on"] == "test":
            rows.append(("selected on", "the test set, as the paper does: biased upwards"))
        for name, key in (
            ("favourable at the start", "favourable_fraction_at_start"),
            ("favourable", "favourable_fraction"),
        ):
            rows.append((name, ", ".join(f"{share:.1%}" for share in summary[key])))
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
