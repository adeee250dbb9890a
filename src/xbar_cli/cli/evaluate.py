"""`xbar evaluate`, also `xbar eval`."""

from typing import Any

import click

from xbar_cli.config.base import duration
from xbar_cli.config.chips.evaluate import EvaluateConfig

from .shared.completion import runs
from .shared.console import print_table
from .shared.groups import Grouped
from .shared.options import options
from .shared.running import execute
from .shared.tracking import track_option


@click.command(cls=Grouped, epilog="Example: xbar eval runs/net --variation 0.15 --samples 25")
@click.argument("run", metavar="RUN", shell_complete=runs("train", "map"))
@options(EvaluateConfig, argument="run")
@track_option
def evaluate(config: EvaluateConfig, **output: Any) -> None:
    """Monte-Carlo accuracy of a train or map run on non-ideal arrays."""
    from xbar_cli.workflows.evaluate import run

    execute("evaluate", config, workflow=run, show=show, **output)


def show(summary: dict[str, Any]) -> None:
    """Print the summary as a table, and one of the layers where they were evaluated alone."""
    metric = summary["metric"]
    rows: list[tuple[str, str]] = [
        ("floating point", f"{summary[f'ideal_{metric}']:.4f}"),
        *chip_rows(summary),
        *yield_rows(summary),
        *mapping_rows(summary),
        *device_rows(summary),
        *converter_rows(summary),
        *repair_rows(summary),
        *programming_rows(summary),
        ("seconds per chip", f"{summary['seconds_per_sample']:.3f}"),
        ("seconds to fold a chip", f"{summary['fold_seconds']:.3f}"),
    ]
    if summary["dataset_note"]:
        rows.append(("data set", summary["dataset_note"]))
    on = f"{summary['images']} images, {summary['array']} array ({summary['path']})"
    title = f"{metric.capitalize()} on {on}: {summary['effects_said']}"
    print_table(title, ["", ""], rows)
    if "per_layer" in summary:
        show_layers(summary)
    if "ages" in summary:
        show_ages(summary)


def chip_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What the chips are: of one its own figure, of several their mean, its intervals, their spread and the worst."""
    metric = summary["metric"]
    mean = f"{summary[f'{metric}_mean']:.4f}"
    if summary["samples"] == 1:
        return [("the one chip", mean)]
    return [
        (f"mean of {summary['samples']} chips", mean),
        *chip_intervals(summary),
        ("standard deviation", f"{summary[f'{metric}_std']:.4f}"),
        (f"worst chip (number {summary['worst_sample']})", f"{summary[f'{metric}_worst']:.4f}"),
    ]


def device_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Devices that left what can be: below 0, where something acts on them; the table of the cell, where there is one."""
    rows: list[tuple[str, str]] = []
    if summary["effects"]:
        rows.append(("devices clamped at 0", f"{summary['clamped_fraction']:.2%}"))
    if any(vg is not None for vg in summary["vg_volt"]):
        rows.append(("devices beyond the cell's table", f"{summary['off_table_fraction']:.2%}"))
    return rows


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
    metric = summary["metric"]
    student, any_kind = summary["metric_ci95"], summary.get(f"{metric}_bounded_ci95")
    rows = [("95 % interval of the mean over chips", interval(student))]
    if any_kind not in (student, None):
        rows.append(("the same, whatever the chips' distribution", interval(any_kind)))
    if f"{metric}_with_test_set_ci95" in summary:
        rows.append(("the same over test sets of this size too", interval(summary[f"{metric}_with_test_set_ci95"])))
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
    metric = summary["metric"]
    rows = [(n, f"{v[f'{metric}_mean']:.4f}", f"{v['cost']:+.4f}", interval(v["cost_ci95"])) for n, v in layers]
    print_table("Each layer alone on arrays", ["layer", metric, "cost", "95 % interval over chips"], rows)


def converter_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What the table says of inputs, converters and calibration: nothing where there are none."""
    rows: list[tuple[str, str]] = []
    if summary["dac_bits"] is not None:
        rows.append((f"{summary['dac_bits']}-bit inputs", summary["input"]))
    if summary["adc_bits"] is not None:
        rows.append((f"{summary['adc_bits']}-bit converters", converters(summary)))
    if learned := {kind: names for kind, names in summary.get("learned_ranges", {}).items() if names}:
        said = "; ".join(f"{kind} of {', '.join(names)}" for kind, names in learned.items())
        rows.append(("ranges learned in training", said))
    for kind, name in (("dac", "inputs beyond the full drive"), ("adc", "ADC beyond its range")):
        share = summary[f"{kind}_saturated_fraction"]
        if share is not None:
            rows.append((name, f"{share:.3%}"))
    if summary["calibration"] is not None:
        gains = ", ".join(f"{gain:.4f}" for gain in summary["calibration"]["gain"])
        rows.append((f"gain a {summary['calibration']['per']}", gains))
    return rows


def repair_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What repair did, left and took: nothing without."""
    if (repair := summary.get("repair")) is None:
        return []
    rows = [
        ("repair", repair["remedies"]),
        ("devices of a chip", f"{repair['devices']} ({repair['devices_factor']:.3g} times)"),
    ]
    if "rms_error_before" in repair:
        left = f"{repair['rms_error_before']:.4f}, {repair['rms_error_after']:.4f} after"
        rows.append(("rms error of weights by faults, of full scale", left))
    if repair["test_reads"]:
        rows.append(("reads, and writes, of the test of a chip", f"{repair['test_reads']}, {repair['test_writes']}"))
    return rows


def programming_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What programming a chip took and left, means over chips."""
    found = summary.get("programming")
    if found is None:
        return []
    took = f"{found['pulses_mean']:.4g} pulses, {found['reads_mean']:.4g} reads"
    return [
        (f"programmed by {found['method']} ({found['device']})", took),
        ("time and energy of it", f"{found['seconds_mean']:.3g} s, {found['joules_mean']:.3g} J"),
        ("devices left beyond the tolerance", f"{found['missed_fraction_mean']:.2%}"),
        ("rms error of products", f"{found['product_error_mean']:.2%}"),
    ]


def converters(summary: dict[str, Any]) -> str:
    """What the converters of a tile convert, and how they are shared."""
    signal = "pair" if summary["adc_input"] == "pair" else "column"
    shared, rows = summary["columns_per_adc"] or 1, summary["rows_at_once"]
    of = f"one a {signal}" if shared <= (2 if signal == "pair" else 1) else f"one for {shared} columns"
    of = of if rows is None else f"{of}, {rows} rows at once"
    built = [kind for kind in (summary["adc_kind"],) if kind not in (None, "ideal")]
    charge = ["charge of all tiles added"] if summary["accumulate"] == "analog" else []
    return ", ".join([*built, of, *charge])


def show_ages(summary: dict[str, Any]) -> None:
    """Print what the chips are at each time, and what was done to them until then."""
    ages, metric = summary["ages"], summary["metric"]
    extra = [key for key in ("programmings", "corrections") if ages[-1][key] > (key == "programmings")]
    spent = ["spent [J]"] if all((age.get("spent") or {}).get("joule") is not None for age in ages) else []
    rows = [
        (
            duration(age["t_seconds"]),
            f"{age['metric_value']:.4f}",
            interval(age["metric_ci95"]),
            f"{age[f'{metric}_std']:.4f}",
            *(str(age[key]) for key in extra),
            *(f"{age['spent']['joule']:.3g}" for _ in spent),
        )
        for age in ages
    ]
    print_table("The same chips over time", ["time", metric, "95 % interval", "std", *extra, *spent], rows)
