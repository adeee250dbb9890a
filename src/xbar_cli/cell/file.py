"""Characterised cells as files: `Cell` from results.nc, which `results` writes."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from xbar_cli.device.cell import Cell, Sampled
from xbar_cli.device.transistor import BitLineSeparable, Separable
from xbar_cli.runs.opening import open_run
from xbar_cli.runs.results import RESULTS, opened

if TYPE_CHECKING:
    import xarray as xr

LARGEST_SIEMENS = 1e3
"""Of a cell."""
LARGEST_LEAF = 1e9
"""Of a surrogate's numbers, which are about 1: products of a few of them are no numbers beyond."""


def _arrays(dataset: "xr.Dataset", name: str, index: int) -> dict[str, jax.Array]:
    # not isel: it imports dask, a second before anything is computed
    at = {n: dataset[f"{name}_{n}"].values[index] for n in ("rank", "degree", "base", "factors", "polynomials")}
    rank, degree = int(at["rank"]), int(at["degree"])
    return {
        "g_knots": jnp.asarray(dataset["g_knot"].values),
        "base": jnp.asarray(at["base"]),
        "factors": jnp.asarray(at["factors"][:, :, :rank]),
        "polynomials": jnp.asarray(at["polynomials"][..., :rank, : degree + 1]),
        "v_min": jnp.asarray(float(dataset["v_min"])),
        "v_max": jnp.asarray(float(dataset["v_max"])),
    }


def _surrogate(dataset: "xr.Dataset", name: str, index: int) -> Separable:
    with jax.enable_x64(True):
        return Separable(**_arrays(dataset, name, index), log_g=bool(dataset["g_knot_log"]))


def _line_surrogate(dataset: "xr.Dataset", index: int) -> BitLineSeparable:
    with jax.enable_x64(True):
        ends = {name: jnp.asarray(float(dataset[name])) for name in ("line_min", "line_max")}
        return BitLineSeparable(**_arrays(dataset, "bit_line", index), **ends, log_g=bool(dataset["g_knot_log"]))


def _sampled(dataset: "xr.Dataset") -> Sampled:
    """The sampled transistors; runs from before the spread itself was kept have its estimate over the samples."""
    shift = dataset["vth_shift"].values
    sigma = float(dataset["vth_sigma"]) if "vth_sigma" in dataset else float(np.sqrt(np.mean(shift**2)))
    return Sampled(sigma, shift, dataset["mismatch_g"].values, dataset["mismatch_g_eff"].values)


def cell_of(dataset: "xr.Dataset") -> Cell:
    """The cell that a dataset of results.nc describes. Raises KeyError where something is missing."""
    count, vin = dataset.sizes["vg"], dataset["vin"].values
    fits = dataset["surrogate_fits"].values if "surrogate_fits" in dataset else np.ones(count)  # once all had to fit
    return Cell(
        vg=dataset["vg"].values,
        g=dataset["g"].values,
        vin=vin[np.abs(vin) >= float(dataset["vin_min"]) * (1 - 1e-9)],
        width_m=float(dataset["width"]),
        length_m=float(dataset["length"]),
        g_off=float(dataset["g_off"]),
        g_on=float(dataset["g_on"]),
        mean_effective=dataset["mean_effective_conductance"].values,
        g_lo=dataset["g_lo"].values,
        g_cut=dataset["g_cut"].values,
        current=tuple(_surrogate(dataset, "current", i) for i in range(count)),
        power=tuple(_surrogate(dataset, "power", i) for i in range(count)),
        bit_line=tuple(_line_surrogate(dataset, i) for i in range(count)) if "bit_line_base" in dataset else None,
        marked=frozenset(np.flatnonzero(fits == 0).tolist()),
        sampled=_sampled(dataset) if "vth_shift" in dataset else None,
    )


def load_cell(path: Path) -> Cell:
    """The cell in a results.nc of a characterize run (or a copy of it); RunError where it is missing, damaged, or holds none."""
    with opened(path, kind="cell") as dataset:
        return require_sound(cell_of(dataset))


def require_sound(cell: Cell) -> Cell:
    """The cell itself. Raises ValueError where its tables hold what no cell has: axes that do not ascend, boundless numbers."""
    for name in ("vg", "g", "vin"):
        values = getattr(cell, name)
        if not (np.isfinite(values).all() and (np.diff(values) > 0).all()):
            raise ValueError(f"{name} does not ascend")
    if not (np.abs(cell.mean_effective) <= LARGEST_SIEMENS).all():
        raise ValueError("mean_effective_conductance is not finite, or beyond all bounds")
    fitted = [part for n in range(len(cell.vg)) if n not in cell.marked for part in (cell.current[n], cell.power[n])]
    if not all((np.abs(leaf) <= LARGEST_LEAF).all() for leaf in jax.tree.leaves(fitted)):
        raise ValueError("a surrogate is not finite, or beyond all bounds")
    return cell


def copy_cell(run: Path, target: Path) -> None:
    """Copy the cell of the characterize run at `run`, so that what depends on it stays whole when the run moves.

    RunError where it is missing or damaged.
    """
    found, _ = open_run(run, commands=("characterize",), use="a cell")
    load_cell(found.path / RESULTS)
    part = target.with_name(target.name + ".part")
    shutil.copyfile(found.path / RESULTS, part)
    part.replace(target)
