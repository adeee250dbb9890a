"""`xbar train`."""

from pathlib import Path
from typing import Any

import click

from xbar_cli.config.train import TrainConfig
from xbar_cli.errors import ConfigError

from .shared.console import print_table
from .shared.groups import Grouped
from .shared.options import options
from .shared.running import execute
from .shared.tracking import track_option


@click.command(
    cls=Grouped,
    epilog="Example: xbar train --method neat --vg 0.8 --network lenet5 --dataset fashion_mnist_mini --cell runs/cell",
)
@options(TrainConfig)
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Continue this interrupted run.")
@track_option
def train(config: TrainConfig, resume: Path | None, **output: Any) -> None:
    """Train a network: plainly, or by the method of a paper.

    neat: inside the linear range of a 1T-1R cell; tat: through non-ideal arrays; periphery: conductances behind a fixed
    matrix (acm); biased: important columns in favourable states; insitu: the devices themselves by stochastic pulses.
    """
    from xbar_cli.workflows.train import run

    if resume is not None and (output["out"] is not None or output["overwrite"]):
        raise ConfigError("--resume names the run directory itself; leave --out and --overwrite away")
    execute("train", config, workflow=run, show=show, resume=resume, keep_partial=True, **output)


def show(summary: dict[str, Any]) -> None:
    """Print the summary as tables."""
    metric = summary["metric"]
    rows = [(f"{part} {metric}", f"{summary[f'{part}_{metric}']:.4f}") for part in ("train", "validation", "test")]
    if summary["method"] == "neat":
        rows.insert(0, (f"test {metric} before restriction", f"{summary[f'start_{metric}']:.4f}"))
        rows.insert(1, (f"test {metric}, restricted only", f"{summary[f'restricted_{metric}']:.4f}"))
    if summary["method"] == "tat":
        rows.append((f"test {metric} without arrays", f"{summary[f'test_{metric}_without_arrays']:.4f}"))
    if summary["method"] == "biased":
        rows.insert(0, (f"test {metric} at the start", f"{summary[f'start_{metric}']:.4f}"))
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
    if learned := summary.get("learned_ranges"):
        kinds = [kind for kind in ("inputs", "outputs") if learned[kind]]
        bits = {"inputs": learned.get("dac_bits"), "outputs": learned.get("adc_bits")}
        print_table(
            "Learned ranges of converters",
            ["layer", *(f"{kind}, {bits[kind]} bits" for kind in kinds)],
            [(name, *(f"{learned[kind][name]:.4g}" for kind in kinds)) for name in summary["layers"]],
        )
    if summary["method"] == "neat":
        names = ["layers", "vg_volt", "w_max", "w_cut", "in_range_fraction_at_start", "in_range_fraction"]
        layers = zip(*(summary[name] for name in names), strict=True)
        print_table(
            "Linear range of the weights",
            ["layer", "V_g [V]", "W_max", "W_cut", "in range at start", "before last restriction"],
            [(n, f"{v:g}", f"{m:.4f}", f"{c:.4f}", f"{a:.2%}", f"{b:.2%}") for n, v, m, c, a, b in layers],
        )
