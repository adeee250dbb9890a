"""`xbar demo`."""

from pathlib import Path
from typing import Any

import click

from xbar_cli.cli.shared.console import print_json, print_table, say
from xbar_cli.cli.shared.reporter import TerminalReporter
from xbar_cli.interruption import unwinding

from .shared.typed import way_on


@click.command(epilog="Example: xbar demo --out runs/demo")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of everything random."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/demo"), show_default=True, help="Folder of the runs."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, and nothing else.")
@click.option("--quiet", is_flag=True, help="No progress bar, no notes.")
def demo(seed: int, out: Path, as_json: bool, quiet: bool) -> None:
    """Characterise a cell, train with NEAT at four gate voltages, and against variation, map, evaluate, cost: bundled data.

    Steps that are complete in --out are not computed again; an interrupted training goes on.
    """
    from xbar_cli.workflows.demo import run

    with unwinding(way_on("where it stands")), TerminalReporter(quiet=quiet) as reporter:
        summary = run(out, seed=seed, reporter=reporter)
    if as_json:
        print_json(summary)
    else:
        show(summary)


def show(summary: dict[str, Any]) -> None:
    """Print the table, quantities down, gate voltages across: it fits 80 columns."""
    rows = summary["rows"]
    lines: list[tuple[str, ...]] = [
        ("G_cut [µS]", *("none" if r["g_cut_siemens"] is None else f"{r['g_cut_siemens'] * 1e6:.2f}" for r in rows)),
        ("W_cut / W_max", *(f"{r['w_cut_over_w_max']:.3f}" for r in rows)),
        ("in range at first [%]", *_percent(rows, "in_range_at_start")),
        ("in range at last [%]", *_percent(rows, "in_range")),
        ("restricted only [%]", *_percent(rows, "restricted_accuracy")),
        ("retrained [%]", *_percent(rows, "retrained_accuracy")),
    ]
    for index, first in enumerate(rows[0]["hardware"]):
        name = "1T-1R, no variation [%]"
        if first["variation"]:
            name = f"1T-1R, {first['variation'] * 100:g} % {first['variation_model'][:4]}. [%]"
        lines.append((name, *(_interval(r["hardware"][index]) for r in rows)))
    amount = next(row["robust"] for row in rows if row["robust"])["variation"]
    shown = ("–" if row["robust"] is None else _interval(row["robust"]) for row in rows)
    lines.append((f"--robust, {amount * 100:g} % addi. [%]", *shown))
    lines.append(("arrays, per image [nJ]", *(f"{r['energy_joule'] * 1e9:.2f}" for r in rows)))
    lines.append((f"against {rows[0]['vg_volt']:g} V [%]", *(f"{(r['energy_ratio'] - 1) * 100:+.1f}" for r in rows)))
    print_table("NEAT: LeNet-5, fashion_mnist_mini", ["gate voltage", *(f"{r['vg_volt']:g} V" for r in rows)], lines)
    say(
        f"Test accuracy before any restriction: {rows[0]['start_accuracy']:.1%}. In range: share of the weights, at first\n"
        "and before the last restriction. 1T-1R: mean of 25 chips ± half of its 95 % interval; variation:\n"
        "addi(tive) σ = x (G_on − G_off), prop(ortional) σ = x G. --robust: trained against it."
    )
    click.echo("figures:\n" + "\n".join(f"  {path}" for path in summary["figures"]))


def _percent(rows: list[dict[str, Any]], key: str) -> list[str]:
    return [f"{row[key] * 100:.1f}" for row in rows]


def _interval(result: dict[str, Any]) -> str:
    low, high = result["accuracy_ci95"]
    mean = f"{result['accuracy_mean'] * 100:.1f}"
    return mean if high == low else f"{mean} ±{(high - low) * 50:.1f}"
