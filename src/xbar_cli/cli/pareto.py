"""`xbar pareto`."""

from pathlib import Path
from typing import Any

import click

from xbar_cli.config.energy import ParetoConfig

from .shared.console import print_fitting, say
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
    folder, swept = common(points), swept_columns(points)
    of_sweep = all(point["values"] for point in points)
    runs = [Path(point["run"]).name if folder else point["run"] for point in points]
    own = swept if of_sweep else {"run": runs}
    rows = [
        (
            "*" if point["on_front"][summary["against"]] else "",
            *(column[number] for column in own.values()),
            point["scheme"], point["bits"], gates(point["vg_volt"]), "x".join(map(str, point["tile"])), accuracy(point),
            f"{point['energy_joule'] * 1e9:.4g}", f"{point['area_m2'] * 1e6:.4g}",
        )
        for number, point in enumerate(points)
    ]  # fmt: skip
    columns = ["", *own, "scheme", "bits", "V_g [V]", "tile", *FIGURES]
    title = f"{summary['model']}: * no other run beats it in accuracy and {summary['against']}"
    title += "; ± half the 95 % interval" if any(point["accuracy_ci95"] for point in points) else ""
    title += f"; runs of {folder}" if folder else ""
    print_fitting(title, columns, rows, least=(*swept, "scheme", "bits", *FIGURES[:2]), hint="--json has all")
    for said, names in said_of(points).items():
        say(f"{', '.join(names) if len(names) < len(points) else 'all'}: {said}")


def swept_columns(points: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Values of each swept key that tells points apart, by its short name, besides the table's own columns.

    Of keys of one name that are never apart, such as an ADC's bits of two stages, there is one.
    """
    from xbar_cli.experiment.naming import said, short_names

    found: dict[str, list[str]] = {}
    for key in dict.fromkeys(key for point in points for key in point["values"]):
        column = [said(point["values"][key]) if key in point["values"] else "–" for point in points]
        known = any(column == other for name, other in found.items() if name.split(".")[-1] == key.split(".")[-1])
        if len(set(column)) > 1 and not key.endswith(TOLD) and not known:
            found[key] = column
    names = short_names(list(found))
    return {names[key]: column for key, column in found.items()}


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
