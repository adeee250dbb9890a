"""Sweeps for the tests of pictures, without running anything."""

import numpy as np

from xbar_cli.pictures.grid import SweepGrid, Swept

SEED = ("net.seed", [0, 1, 2])
WIRE = ("evaluate.array.r_wire_ohm", [0.0, 1.0, 2.0, 5.0, 10.0], "ohm")
TILE = ("evaluate.mapping.tile", ["128x128", "32x32", "64x64"])
SCHEME = ("map.mapping.scheme", ["de", "bc", "acm"])
VG = ("evaluate.cell.vg", [0.7, 0.8, 1.0], "V")


def axis(key, values, unit="1"):
    array = np.asarray(values, dtype=object) if isinstance(values[0], str) else np.asarray(values)
    return Swept((key,), (array,), (unit,))


def grid(*axes, units=None, **figures):
    """A sweep over `axes`; a figure is an array, or what makes one of the shape; without any, accuracies at random."""
    swept = tuple(made if isinstance(made, Swept) else axis(*made) for made in axes)
    shape = tuple(one.size for one in swept)
    rng = np.random.default_rng(0)
    figures = figures or {"accuracy_mean": rng.uniform(0.1, 0.9, shape)}
    values = {name: np.asarray(made(shape) if callable(made) else made, float) for name, made in figures.items()}
    return SweepGrid("study", swept, values, {name: (units or {}).get(name, "1") for name in values})
