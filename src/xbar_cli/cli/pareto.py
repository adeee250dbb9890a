"""`xbar pareto`."""

from pathlib import Path
from typing import Any

import click

from xbar_cli.config.energy import ParetoConfig

from .shared.console import print_fitting
from .shared.options import options
from .shared.running import execute

TOLD = ("mapping.scheme", "mapping.bits", "mapping.tile", "cell.vg")
"""Ends of swept keys that have columns of their own."""
FIGURES = ("accuracy [%]", "energy [nJ]", "area [mm²]")


@click.command(epilog="Example: xbar pareto runs/energy-de runs/energy-acm runs/eval-de runs/eval-acm")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@options(ParetoConfig, argument="runs")
def pareto(config: ParetoConfig, **output: Any) -> None:
    """Accuracy against energy and area: energy runs, each with its own accuracy or that of an evaluate run beside it.

    A RUN may be the folder of a sweep (`xbar run`, `xbar search`), of which every point is one.
    """
    from xbar_cli.workflows.pareto import run

    execute("pareto", config, workflow=run, show=show, **output)


def show(summary: dict[str, Any]) -> None:
    """Print the points, cheapest first."""
    points = summary["points"]
    folder, swept = common(points), swept_names(points)
    rows = [
        (
            "*" if point["on_front"][summary["against"]] else "",
            swept[number] if swept else Path(point["run"]).name if folder else point["run"],
            point["scheme"], point["bits"], gates(point["vg_volt"]), "x".join(map(str, point["tile"])), accuracy(point),
            f"{point['energy_joule'] * 1e9:.4g}", f"{point['area_m2'] * 1e6:.4g}",
        )
        for number, point in enumerate(points)
    ]  # fmt: skip
    columns = ["", "swept" if swept else "run", "scheme", "bits", "V_g [V]", "tile", *FIGURES]
    title = f"{summary['model']}: * no other run beats it in accuracy and {summary['against']}"
    title += f"; runs of {folder}" if folder else ""
    print_fitting(title, columns, rows, least=("scheme", "bits", *FIGURES[:2]), hint="--json has all")
    for said, names in said_of(points).items():
        click.echo(f"{', '.join(names) if len(names) < len(points) else 'all'}: {said}")


def swept_names(points: list[dict[str, Any]]) -> list[str]:
    """What tells points of a sweep apart besides the table's own columns; nothing where not all are of sweeps."""
    from xbar_cli.experiment.naming import short_name, short_names

    if not all(point["values"] for point in points):
        return []
    keys = dict.fromkeys(key for point in points for key in point["values"])
    told = [
        key for key in keys if len({str(point["values"].get(key)) for point in points}) > 1 and not key.endswith(TOLD)
    ]
    own = short_names(list(keys))
    return [
        short_name({key: point["values"][key] for key in told if key in point["values"]}, names=own) for point in points
    ]


def common(points: list[dict[str, Any]]) -> str | None:
    """The folder that all runs are in; None where there are several."""
    folders = {str(Path(point["run"]).parent) for point in points}
    return folders.pop() if len(folders) == 1 and len(points) > 1 else None


def said_of(points: list[dict[str, Any]]) -> dict[str, list[str]]:
    """What is to be said of converters, and of which points."""
    found: dict[str, list[str]] = {}
    for point in points:
        if said := converters(point):
            found.setdefault(said, []).append(point["run"])
    return found


def gates(volts: list[float | None]) -> str | None:
    """Gate voltages of the layers, from the smallest to the largest."""
    found = sorted({v for v in volts if v is not None})
    return None if not found else f"{found[0]:g}" if len(found) == 1 else f"{found[0]:g}…{found[-1]:g}"


def converters(point: dict[str, Any]) -> str | None:
    """What is to be said where converters are costed that the accuracy does not know of; None where it does, or was given."""
    known, costed = point["accuracy_converters"] or {}, point["operation"].get("adc_bits")
    if point["accuracy_from"] == "--accuracy" or known.get("adc_bits") or costed is None:
        return None
    return f"the accuracy is without ADC, of which {costed} bits are costed"


def accuracy(point: dict[str, Any]) -> str:
    """Accuracy and half its confidence interval."""
    text = f"{100 * point['accuracy']:.2f}"
    if point["accuracy_ci95"]:
        low, high = point["accuracy_ci95"]
        text += f" ± {50 * (high - low):.2f}"
    return text
