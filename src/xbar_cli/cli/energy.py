"""`xbar energy`."""

from functools import partial
from typing import Any

import click

from xbar_cli.config.energy import EnergyConfig

from .shared.completion import runs
from .shared.console import print_table
from .shared.groups import Grouped
from .shared.options import options
from .shared.running import execute


@click.command(cls=Grouped, epilog="Example: xbar energy runs/mapped --model resparc")
@click.argument("run", metavar="[RUN]", shell_complete=runs("map"), required=False)
@options(EnergyConfig, argument="run")
@click.option("--per-layer", is_flag=True, help="Table of the layers in place of the parts.")
def energy(config: EnergyConfig, per_layer: bool, **output: Any) -> None:
    """Energy, area and latency of a map run for one image, or what a paper's table reports (--preset).

    Constants are the model's own, with sources; --set energy.SECTION.NAME=VALUE replaces one (energy.adc.energy_joule=1p).
    """
    if config.preset is not None:  # computes without JAX
        from xbar_cli.energy.presets import run
    else:
        from xbar_cli.workflows.energy import run

    execute("energy", config, workflow=run, show=partial(show, per_layer=per_layer), **output)


def show(summary: dict[str, Any], *, per_layer: bool) -> None:
    """Print the summary as tables."""
    match summary.get("preset"):
        case None:
            show_run(summary, per_layer=per_layer)
        case "acm-table1":
            show_schemes(summary)
        case "neat":
            show_gates(summary)
        case _:
            show_unit(summary)


def show_run(summary: dict[str, Any], *, per_layer: bool) -> None:
    """Parts or layers of a network, and what follows from them."""
    total = summary["energy_joule"]
    of = {"measured": "test images", "calibration": "calibration images"}.get(summary["activity"])
    images = f"mean of {summary['images']} {of}" if of else summary["activity"]
    title = f"{summary['model']}: {engineering(total, 'J')} per image, {images}"
    if per_layer:
        layers = summary["breakdown"]["layers"].items()
        rows = [
            (
                name, layer["tiles"] * summary["copies"][name], engineering(layer["energy_joule"], "J"),
                share(layer["energy_joule"], total), engineering(layer["latency_seconds"], "s"),
                f"{layer['area_m2'] * summary['copies'][name] * 1e12:.4g}",
            )
            for name, layer in layers
        ]  # fmt: skip
        print_table(title, ["layer", "arrays", "energy", "share", "latency", "area [µm²]"], rows)
    else:
        print_table(title, ["part", "energy", "share", "area [µm²]", "share"], parts(summary))
    facts = [
        ("area", f"{summary['area_m2'] * 1e6:.4g} mm² in {summary['tiles']} arrays of {'x'.join(map(str, summary['tile']))}"),
        ("latency", engineering(summary["latency_seconds"], "s")),
        ("time between images", engineering(summary["interval_seconds"], "s")),
    ]  # fmt: skip
    if summary["leakage_watt"]:
        facts.append(("leakage", f"{engineering(summary['leakage_watt'], 'W')}, not in the energy"))
    facts.append(("read as", reading(summary["operation"])))
    if summary["digital_macs"]:
        names = ", ".join(summary["digital_layers"])
        facts.append(("digital", f"{share(summary['digital_joule'], total)} of the energy: {names}"))
    if summary["correct_ops_per_joule"] is not None:
        known = "" if summary["accuracy_from"] == "--accuracy" else f", {converters(summary['accuracy_converters'])}"
        of = f"accuracy {summary['accuracy']:.4f}, {summary['accuracy_from']}{known}"
        facts.append(("correct operations per joule", f"{summary['correct_ops_per_joule']:.4g} ({of})"))
    if summary.get("gain"):
        gain = summary["gain"]
        for name, of in (("saved of all parts", gain), ("saved of the arrays", gain["arrays"])):
            by = f"{of['by_gate_voltage']:.1%} by gate voltage, {of['by_conductances']:.1%} by conductances"
            by += f"; gate lines were {of['gate_lines_share']:.1%}"
            facts.append((name, f"{of['saved']:.1%}: {by}"))
    print_table("image and chip", ["", ""], facts)


def reading(operation: dict[str, Any]) -> str:
    """How the arrays are read, in a line."""
    shared = operation["columns_per_adc"]
    words = [
        f"{operation['input']} of {operation['dac_bits']} bits",
        *([f"{operation['v_read_volt']:g} V"] if operation["v_read_volt"] else []),
        f"ADC of {operation['adc_bits']} bits for {shared} column{'s' if shared > 1 else ''}",
        *(["pairs converted"] if operation["adc_input"] == "pair" else []),
        *(["charges added"] if operation["accumulate"] == "analog" else []),
        *([f"{operation['rows_at_once']} rows at once"] if operation["rows_at_once"] else []),
    ]
    return ", ".join(words)


def converters(known: dict[str, Any] | None) -> str:
    """What converters an accuracy knows of."""
    if known is None:
        return "without converters"
    bits = {"inputs": known["dac_bits"], "ADC": known["adc_bits"]}
    return ", ".join(f"{name} of {n} bits" if n else f"without {name} conversion" for name, n in bits.items())


def parts(summary: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows of the table of parts: energy and area, with shares; a part that has neither, such as sources of 0 Ω, has no row."""
    found: dict[str, list[float]] = {}
    tree = summary["breakdown"]["tree"]
    for name, layer in tree["children"].items():
        for part, figures in (layer.get("children") or {name: layer}).items():
            sums = found.setdefault(part, [0.0, 0.0])
            sums[0] += figures["energy_joule"]
            sums[1] += figures["area_m2"]
    rows = [
        (
            name.replace("_", " "), engineering(e, "J"), share(e, tree["energy_joule"]), f"{a * 1e12:.4g}",
            share(a, tree["area_m2"]),
        )
        for name, (e, a) in found.items() if e or a
    ]  # fmt: skip
    return [
        *rows,
        ("total", engineering(tree["energy_joule"], "J"), "100.0%", f"{tree['area_m2'] * 1e12:.4g}", "100.0%"),
    ]


READINGS = {
    "line_charge_read": "once a read",
    "line_charge_column": "once for each column of it",
    "as_released": "so, with the release's multiplexers and no shared column",
}
"""Readings of acm's Table I."""


def show_schemes(summary: dict[str, Any]) -> None:
    """The twelve figures of acm's Table I."""
    units = {"m2": (1e12, "µm²"), "joule": (1e6, "µJ"), "seconds": (1e3, "ms")}
    rows = []
    for scheme, figures in summary["table"].items():
        for name, value in figures.items():
            scale, unit = units[name.rpartition("_")[2]]
            paper = summary["paper"][scheme][name]
            what = f"{name.rpartition('_')[0].replace('_', ' ')} [{unit}]"
            rows.append((scheme, what, f"{paper * scale:.4g}", f"{value * scale:.4g}", f"{value / paper:.2f}"))
    print_table(f"{summary['source']}, {summary['node_nm']:g} nm", ["scheme", "", "paper", "ours", "ratio"], rows)
    ratios = [
        (name.rpartition("_")[0].replace("_", " "), f"{summary['paper_de_over_acm'][name]:.2f}", f"{value:.2f}")
        for name, value in summary["de_over_acm"].items()
    ]
    print_table("de over acm", ["", "paper", "ours"], ratios)
    readings = [
        (READINGS[name], *(f"{row[f'{s}_read_energy_joule'] * 1e6:.3f}" for s in ("acm", "de")),
         f"{row['energy_de_over_acm']:.2f}", f"{row['delay_de_over_acm']:.2f}")
        for name, row in summary["readings"].items()
    ]  # fmt: skip
    columns = ["word lines and rows are charged", "acm [µJ]", "de [µJ]", "energy de/acm", "delay de/acm"]
    print_table("how NeuroSim counts", columns, readings)


def show_unit(summary: dict[str, Any]) -> None:
    """Biased's Table I beside ISAAC's component table."""
    rows = [
        (
            name, f"{row['accuracy']:.3f}", f"{summary['paper'][name] / 1e9:.1f}",
            f"{row['correct_ops_per_joule'] / 1e9:.2f}", f"{summary['ratio'][name]:.4f}",
        )
        for name, row in summary["table"].items()
    ]  # fmt: skip
    print_table(
        f"{summary['source']}: correct operations per joule [GOP/J]", ["", "accuracy", "paper", "ours", "ratio"], rows
    )
    print_table("one in-situ MAC unit", ["", "energy [pJ]", "area [µm²]"], [
        (summary["source"], f"{summary['energy_joule'] * 1e12:.0f}", f"{summary['area_m2'] * 1e12:.0f}"),
        ("ISAAC, Table I, one cycle", *(f"{summary['component_table'][k] * 1e12:.0f}" for k in ("energy_joule", "area_m2"))),
    ])  # fmt: skip
    click.echo(f"accuracy {summary['accuracy']:g}: {summary['correct_ops_per_joule'] / 1e9:.2f} GOP/J")


def show_gates(summary: dict[str, Any]) -> None:
    """Gain of neat's homogeneous gate voltages, for each W_max."""
    rows = [
        (
            f"{sigmas} σ", vg, f"{row['saved']:.1%}", f"{row['by_gate_voltage']:.1%}", f"{row['by_conductances']:.1%}",
            f"{summary['paper'][vg]:.0%}" if vg in summary["paper"] else "–",
        )
        for sigmas, gates in summary["table"].items()
        for vg, row in gates.items()
    ]  # fmt: skip
    print_table(
        f"{summary['source']}: energy saved against {summary['baseline_volt']:g} V, normal weights",
        ["W_max", "V_g [V]", "saved", "by gate lines", "by conductances", "paper"],
        rows,
    )


def share(value: float, total: float) -> str:
    """A part of the total in per cent."""
    return f"{value / total:.1%}" if total else "–"


def engineering(value: float, unit: str) -> str:
    """A number with an SI prefix."""
    if not value:
        return f"0 {unit}"
    for prefix, scale in (("", 1.0), ("m", 1e3), ("µ", 1e6), ("n", 1e9), ("p", 1e12)):
        if abs(value) * scale >= 1:
            return f"{value * scale:.4g} {prefix}{unit}"
    return f"{value * 1e12:.4g} p{unit}"
