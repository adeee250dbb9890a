"""The preset `neat`: gain of a homogeneous gate voltage over 1.0 V for normally distributed weights, in closed form.

A weight sits on a pair of cells: one at G_off, the other at `G_off + |w| / W_max (G_cut(1.0 V) − G_off)`. Restricting clips
|w| where that exceeds `G_cut(V_g)`, and takes nothing from the other weights. Uniform inputs give the mean of V² as V_in² / 3.
Cells are their memristors here: what the transistor takes from G_eff at a lower V_g is in mapped runs alone (`baseline`).
"""

from statistics import NormalDist
from typing import Any

from xbar_cli.config.energy import EnergyConfig
from xbar_cli.energy.constants import Constants
from xbar_cli.energy.models import resparc
from xbar_cli.energy.models.tree import Component, as_json, group


def neat(config: EnergyConfig, k: Constants, p: dict[str, Any]) -> dict[str, Any]:
    """Energy of the pair of cells of a weight in one read at every gate voltage, and its gain in two parts."""
    del config
    gates = {float(vg): float(g) for vg, g in p["g_cut_siemens"].items()}
    base = p["baseline_volt"]
    table: dict[str, Any] = {}
    trees: list[Component] = []
    for sigmas in p["w_max_sigmas"]:
        pairs = {vg: pair(k, p, vg=vg, cut=g, top=gates[base], sigmas=sigmas) for vg, g in gates.items()}
        whole = pairs[base].energy_joule
        table[f"{sigmas:g}"] = {
            f"{vg:g}": {
                "energy_joule": tree.energy_joule,
                "saved": 1 - tree.energy_joule / whole,
                "by_gate_voltage": (pairs[base].part_joule("gate_lines") - tree.part_joule("gate_lines")) / whole,
                "by_conductances": (pairs[base].part_joule("cells") - tree.part_joule("cells")) / whole,
            }
            for vg, tree in pairs.items()
        }
        trees.append(pairs[base])
    return {
        "source": p["source"],
        "baseline_volt": base,
        "table": table,
        "paper": p["paper"],
        "energy_joule": trees[0].energy_joule,
        "area_m2": trees[0].area_m2,
        "latency_seconds": trees[0].latency_seconds,
        "breakdown": as_json(trees[0]),
    }


def pair(k: Constants, p: dict[str, Any], *, vg: float, cut: float, top: float, sigmas: float) -> Component:
    """Two cells of a weight in one read: mean over weights and inputs."""
    g_off, seconds = 1 / p["r_off_ohm"], k["read.seconds"]
    gate, area = resparc.cell_figures(k, width_m=p["width_m"], length_m=p["length_m"])
    limit = sigmas * (cut - g_off) / (top - g_off)
    g = 2 * g_off + clipped_mean(limit) / sigmas * (top - g_off)
    parts = [
        Component("cells", p["v_in_volt"] ** 2 / 3 * g * seconds, 2 * area),
        Component("gate_lines", 2 * gate * vg**2),
    ]
    return group("weight", parts, latency_seconds=seconds)


def clipped_mean(limit: float) -> float:
    """The mean of min(|w|, limit) of a standard normal w: 2 (φ(0) − φ(limit)) + 2 limit (1 − Φ(limit))."""
    normal = NormalDist()
    return 2 * (normal.pdf(0) - normal.pdf(limit)) + 2 * limit * (1 - normal.cdf(limit))
