"""Characterised cells as files: `Cell` to and from results.nc."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from xbar_cli.device.bit_line import LineFit
from xbar_cli.device.cell import Cell
from xbar_cli.device.surrogate import Fit
from xbar_cli.device.transistor import BitLineSeparable, Separable
from xbar_cli.errors import RunError
from xbar_cli.runs.directory import open_run
from xbar_cli.runs.results import RESULTS, read_dataset, variable

QUANTITIES = {"current": "A", "power": "W", "bit_line": "A"}


def surrogate_variables(name: str, fits: Sequence[Fit | LineFit]) -> dict[str, xr.Variable]:
    """The coefficients of one quantity's surrogates, one for each gate voltage, zero-padded to the largest rank and degree.

    That of the bit line's voltage (`bit_line`) has one more axis of Chebyshev coefficients over that voltage.
    """
    arrays = [fit.arrays() for fit in fits]
    ranks = [fit.rank for fit in fits]
    widths = [a["polynomials"].shape[-1] for a in arrays]
    term, unit = f"{name}_term", QUANTITIES[name]
    line = ("line_order",) if arrays[0]["base"].ndim == 3 else ()

    def padded(key: str, shape: tuple[int, ...]) -> list[np.ndarray]:
        return [
            np.pad(a[key], [(0, want - have) for want, have in zip(shape, a[key].shape, strict=True)]) for a in arrays
        ]

    segments, orders = arrays[0]["base"].shape[1], arrays[0]["base"].shape[2:]
    return {
        f"{name}_base": variable(
            ("vg", "power_of_g", "segment", *line), [a["base"] for a in arrays], unit=unit,
            long_name=f"cubic coefficients of the {name} at V_in = {'V_bl' if line else '0'}",
        ),
        f"{name}_factors": variable(
            ("vg", "power_of_g", "segment", term), padded("factors", (4, segments, max(ranks))), unit=f"{unit} V-1 S-1",
            long_name=f"cubic coefficients of the conductance factors of the {name}",
        ),
        f"{name}_polynomials": variable(
            ("vg", *line, term, f"{name}_order"), padded("polynomials", (*orders, max(ranks), max(widths))), unit="1",
            long_name=f"Chebyshev coefficients of the voltage factors of the {name}",
        ),
        f"{name}_rank": variable(("vg",), ranks, unit="1", long_name=f"rank of the {name} surrogate"),
        f"{name}_degree": variable(
            ("vg",), [width - 1 for width in widths], unit="1", long_name=f"degree of the {name} surrogate"
        ),
    }  # fmt: skip


def domain_variables(fit: Fit, line: LineFit | None) -> dict[str, xr.Variable]:
    """The knots and the voltages that all surrogates of a file share."""
    found = {
        "g_knot": variable(("knot",), fit.knots.g, unit="S", long_name="conductances between the surrogate's cubics"),
        "g_knot_log": variable((), int(fit.knots.log_g), unit="1", long_name="1: the logarithms of the knots are even"),
        "v_min": variable((), fit.v_min, unit="V", long_name="lower end of the voltage polynomials"),
        "v_max": variable((), fit.v_max, unit="V", long_name="upper end of the voltage polynomials"),
    }
    if line is not None:
        for name, value in zip(("line_min", "line_max"), line.u_range, strict=True):
            found[name] = variable((), value, unit="V", long_name=f"{name[5:]}imum bit-line voltage of the surrogate")
    return found


def _arrays(dataset: xr.Dataset, name: str, index: int) -> dict[str, jax.Array]:
    at = dataset.isel(vg=index)
    rank, degree = int(at[f"{name}_rank"]), int(at[f"{name}_degree"])
    return {
        "g_knots": jnp.asarray(dataset["g_knot"].values),
        "base": jnp.asarray(at[f"{name}_base"].values),
        "factors": jnp.asarray(at[f"{name}_factors"].values[:, :, :rank]),
        "polynomials": jnp.asarray(at[f"{name}_polynomials"].values[..., :rank, : degree + 1]),
        "v_min": jnp.asarray(float(dataset["v_min"])),
        "v_max": jnp.asarray(float(dataset["v_max"])),
    }


def _surrogate(dataset: xr.Dataset, name: str, index: int) -> Separable:
    with jax.enable_x64(True):
        return Separable(**_arrays(dataset, name, index), log_g=bool(dataset["g_knot_log"]))


def _line_surrogate(dataset: xr.Dataset, index: int) -> BitLineSeparable:
    with jax.enable_x64(True):
        ends = {name: jnp.asarray(float(dataset[name])) for name in ("line_min", "line_max")}
        return BitLineSeparable(**_arrays(dataset, "bit_line", index), **ends, log_g=bool(dataset["g_knot_log"]))


def cell_of(dataset: xr.Dataset) -> Cell:
    """The cell that a dataset of results.nc describes. Raises KeyError where something is missing."""
    count, vin = dataset.sizes["vg"], dataset["vin"].values
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
    )


def load_cell(path: Path) -> Cell:
    """The cell in a results.nc of a characterize run (or a copy of it).

    Raises:
        RunError: the file is missing, damaged, or holds no cell.
    """
    dataset = read_dataset(path)
    try:
        return cell_of(dataset)
    except KeyError as error:
        raise RunError(f"{path} holds no characterised cell ({error} is missing)") from None


def copy_cell(run: Path, target: Path) -> None:
    """Copy the cell of the characterize run at `run`, so that what depends on it stays whole when the run moves."""
    found, _ = open_run(run, commands=("characterize",), use="--cell")
    shutil.copyfile(found.path / RESULTS, target)
