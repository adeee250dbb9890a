"""`xbar evaluate`, also `xbar eval`."""

from pathlib import Path
from typing import Any

import click

from .shared.console import print_table
from .shared.options import common, mapping_settings, read_settings, setting, with_config


def _config() -> Any:
    from xbar_cli.config.hardware import EvaluateConfig

    return EvaluateConfig


@click.command(
    epilog="Example: xbar eval runs/net --variation 0.15 --samples 25",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.argument("run", metavar="RUN")
@setting("--variation", "variation.amount", metavar="X", help="Standard deviation of the variation (default 0).")
@setting(
    "--variation-model", "variation.model", type=click.Choice(["additive", "proportional"]),
    help="additive: σ = X (G_on − G_off), the default; proportional: σ = X G.",
)  # fmt: skip
@setting(
    "--effect",
    "variation.effects",
    multiple=True,
    metavar="MODEL:KEY=VALUE,…",
    default=None,
    help="Another effect on the devices, may be repeated: write_verify, pcm_programming, lognormal, states, smooth, "
    "chip_corner, chip_to_chip, drift, pcm_drift, stuck, mismatch, read_noise, pcm_read; they act in physical order.",
)
@setting(
    "--negative", "variation.negative", type=click.Choice(["clamp", "reflect", "allow"]),
    help="What becomes of conductances below 0 (default clamp).",
)  # fmt: skip
@setting("--samples", "monte_carlo.samples", metavar="N", help="Chips (default 25).")
@setting(
    "--ci-width", "monte_carlo.ci_width", metavar="W",
    help="Instead: chips until their mean's 95 % interval, whatever their distribution, is no wider; 3.7/W or more.",
)  # fmt: skip
@setting("--max-samples", "monte_carlo.max_samples", metavar="N", help="With --ci-width: at most (default 1000).")
@setting("--yield-at", "monte_carlo.yield_at", metavar="ACCURACY", help="Share of the chips that reach this accuracy.")
@setting(
    "--per-layer", "monte_carlo.per_layer", is_flag=True, flag_value="true", default=None,
    help="Each layer alone on arrays besides: whose non-ideality costs the most.",
)  # fmt: skip
@setting("--images", "monte_carlo.images", metavar="N", help="Test images used (default all).")
@setting(
    "--array", "array.model", type=click.Choice(["ideal", "lumped", "published", "nodal", "gated"]),
    help="Array model (default gated where there is a cell, else ideal).",
)  # fmt: skip
@setting("--r-source", "array.r_source_ohm", metavar="OHM", help="Each source, but in ideal arrays (default 0).")
@setting("--r-neuron", "array.r_neuron_ohm", metavar="OHM", help="Each neuron, but in ideal arrays (default 0).")
@setting(
    "--neuron", "array.neuron", type=click.Choice(["separate", "shared"]),
    help="lumped, published: a neuron a column (default), or one for the pair of columns of a weight (tat).",
)  # fmt: skip
@setting("--r-wire", "array.r_wire_ohm", metavar="OHM", help="nodal, gated: every wire segment (default 0).")
@setting("--r-wire-word", "array.r_wire_word_ohm", metavar="OHM", help="nodal, gated: word-line segments alone.")
@setting("--r-wire-bit", "array.r_wire_bit_ohm", metavar="OHM", help="nodal, gated: bit-line segments alone.")
@read_settings("converters")
@setting("--adc-bits", "converters.adc_bits", metavar="N", help="Bits of the converters of every tile (default none).")
@setting(
    "--adc-range", "converters.adc_range", metavar="max|percentile:P|VALUE|levels",
    help="Their full scale in each layer: what reads of the calibration images give (default max), a share of the most that "
    "a read gives, or with bitslice a code per level.",
)  # fmt: skip
@setting(
    "--columns-per-adc", "converters.columns_per_adc", metavar="N",
    help="Neighbouring columns of a tile that share a converter, and its errors (default 1).",
)  # fmt: skip
@setting(
    "--rows-at-once", "converters.rows_at_once", metavar="N",
    help="Rows of a tile driven in one read; codes of reads are added (default all).",
)  # fmt: skip
@setting(
    "--adc-input", "converters.adc_input", type=click.Choice(["column", "pair"]),
    help="What is converted: each column (default), or the difference of the two of a weight, with signed codes (de).",
)  # fmt: skip
@setting("--adc-gain-error", "converters.adc_gain_error", metavar="SIGMA", help="Spread of the converters' gains.")
@setting(
    "--adc-offset-error",
    "converters.adc_offset_error",
    metavar="SIGMA",
    help="Spread of their offsets, over full scale.",
)
@setting(
    "--calibrate", "decoding.calibrate", type=click.Choice(["gain", "affine"]),
    help="Fit each chip's decoded outputs to the floating-point network's (default: decoded at the nominal scale).",
)  # fmt: skip
@setting(
    "--calibrate-per",
    "decoding.per",
    type=click.Choice(["layer", "column"]),
    help="One fit a layer (default) or column.",
)
@mapping_settings
@setting("--data-dir", "data_dir", metavar="DIR", help="Where imported data sets are.")
@common
@with_config(_config, argument="run")
def evaluate(config: Any, out: Path | None, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Monte-Carlo accuracy of a train or map run on non-ideal arrays."""
    from xbar_cli.workflows.evaluate import run

    from .shared.running import execute

    execute("evaluate", config, workflow=run, show=show, out=out, overwrite=overwrite, as_json=as_json, quiet=quiet)


def show(summary: dict[str, Any]) -> None:
    """Print the summary as a table, and one of the layers where they were evaluated alone."""
    rows = [
        ("floating point", f"{summary['ideal_accuracy']:.4f}"),
        (f"mean of {summary['samples']} chips", f"{summary['accuracy_mean']:.4f}"),
        *chip_intervals(summary),
        ("the same over test sets of this size too", interval(summary["accuracy_with_test_set_ci95"])),
        ("standard deviation", f"{summary['accuracy_std']:.4f}"),
        (f"worst chip (number {summary['worst_sample']})", f"{summary['accuracy_worst']:.4f}"),
        *yield_rows(summary),
        *mapping_rows(summary),
        ("devices clamped at 0", f"{summary['clamped_fraction']:.2%}"),
        ("devices beyond the cell's table", f"{summary['off_table_fraction']:.2%}"),
        *converter_rows(summary),
        ("seconds per chip", f"{summary['seconds_per_sample']:.3f}"),
        ("seconds to fold a chip", f"{summary['fold_seconds']:.3f}"),
    ]
    if summary["dataset_note"]:
        rows.append(("data set", summary["dataset_note"]))
    variation = f"{summary['variation'] * 100:g} % {summary['variation_model']} variation"
    title = f"Accuracy on {summary['images']} images, {summary['array']} array ({summary['path']}), {variation}"
    print_table(title, ["", ""], rows)
    if "per_layer" in summary:
        show_layers(summary)


def interval(ci: list[float] | None) -> str:
    """An interval as the table shows it."""
    return "–" if ci is None else f"{ci[0]:.4f} … {ci[1]:.4f}"


def mapping_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What the mapping lost of the weights: nothing where it lost nothing."""
    rows: list[tuple[str, str]] = []
    if summary["clipped_fraction"]:
        rows.append(("weights cut at the top of the scale", f"{summary['clipped_fraction']:.2%}"))
    if summary["scale_kept"] < 1:
        rows.append(("scale kept, so that running sums fit", f"{summary['scale_kept']:.2f}"))
    return rows


def chip_intervals(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The intervals of the mean over chips: one where it is the same."""
    student, any_kind = summary["accuracy_ci95"], summary["accuracy_bounded_ci95"]
    rows = [("95 % interval of the mean over chips", interval(student))]
    if student != any_kind:
        rows.append(("the same, whatever the chips' distribution", interval(any_kind)))
    return rows


def yield_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The yield, and whether the interval is as narrow as it should be."""
    rows: list[tuple[str, str]] = []
    if "yield_at" in summary:
        low, high = summary["yield_ci95"]
        value = f"{summary['yield_fraction']:.1%} (95 %: {low:.1%} … {high:.1%})"
        rows.append((f"chips with {summary['yield_at']:g} or more", value))
    if summary.get("ci_width_reached") is False:
        rows.append((f"interval of {summary['ci_width']:g}", "not reached: --max-samples"))
    return rows


def show_layers(summary: dict[str, Any]) -> None:
    """Print what each layer costs alone on arrays, the costliest first."""
    layers = sorted(summary["per_layer"].items(), key=lambda item: -item[1]["cost"])
    rows = [(n, f"{v['accuracy_mean']:.4f}", f"{v['cost']:+.4f}", interval(v["cost_ci95"])) for n, v in layers]
    print_table("Each layer alone on arrays", ["layer", "accuracy", "cost", "95 % interval over chips"], rows)


def converter_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What the table says of inputs, converters and calibration: nothing where there are none."""
    rows: list[tuple[str, str]] = []
    if summary["dac_bits"] is not None:
        rows.append((f"{summary['dac_bits']}-bit inputs", summary["input"]))
    if summary["adc_bits"] is not None:
        rows.append((f"{summary['adc_bits']}-bit converters", converters(summary)))
    for kind, name in (("dac", "inputs beyond the full drive"), ("adc", "ADC beyond its range")):
        share = summary[f"{kind}_saturated_fraction"]
        if share is not None:
            rows.append((name, f"{share:.3%}"))
    if summary["calibration"] is not None:
        gains = ", ".join(f"{gain:.4f}" for gain in summary["calibration"]["gain"])
        rows.append((f"gain a {summary['calibration']['per']}", gains))
    return rows


def converters(summary: dict[str, Any]) -> str:
    """What the converters of a tile convert, and how they are shared."""
    signal = "pair" if summary["adc_input"] == "pair" else "column"
    shared, rows = summary["columns_per_adc"] or 1, summary["rows_at_once"]
    of = f"one a {signal}" if shared <= (2 if signal == "pair" else 1) else f"one for {shared} columns"
    return of if rows is None else f"{of}, {rows} rows at once"
