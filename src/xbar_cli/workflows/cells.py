"""Characterised cells as files: `Cell` to and from results.nc."""

import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from xbar_cli.device.cell import Cell
from xbar_cli.device.surrogate import Fit
from xbar_cli.device.transistor import Separable
from xbar_cli.errors import RunError
from xbar_cli.runs.directory import open_run
from xbar_cli.runs.results import RESULTS, read_dataset, variable

QUANTITIES = {"current": "A", "power": "W"}


def surrogate_variables(name: str, fits: list[Fit]) -> dict[str, xr.Variable]:
    """The coefficients of one quantity's surrogates, one for each gate voltage, zero-padded to the largest rank and degree."""
    arrays = [fit.arrays() for fit in fits]
    ranks = [a["polynomials"].shape[0] for a in arrays]
    widths = [a["polynomials"].shape[1] for a in arrays]

    def padded(key: str, shape: tuple[int, ...]) -> list[np.ndarray]:
        return [
            np.pad(a[key], [(0, want - have) for want, have in zip(shape, a[key].shape, strict=True)]) for a in arrays
        ]

    segments, term, unit = arrays[0]["base"].shape[1], f"{name}_term", QUANTITIES[name]
    return {
        f"{name}_base": variable(
            ("vg", "power_of_g", "segment"), [a["base"] for a in arrays], unit=unit,
            long_name=f"cubic coefficients of the {name} at V_in = 0",
        ),
        f"{name}_factors": variable(
            ("vg", "power_of_g", "segment", term), padded("factors", (4, segments, max(ranks))), unit=f"{unit} V-1 S-1",
            long_name=f"cubic coefficients of the conductance factors of the {name}",
        ),
        f"{name}_polynomials": variable(
            ("vg", term, f"{name}_order"), padded("polynomials", (max(ranks), max(widths))), unit="1",
            long_name=f"Chebyshev coefficients of the voltage factors of the {name}",
        ),
        f"{name}_rank": variable(("vg",), ranks, unit="1", long_name=f"rank of the {name} surrogate"),
        f"{name}_degree": variable(
            ("vg",), [width - 1 for width in widths], unit="1", long_name=f"degree of the {name} surrogate"
        ),
    }  # fmt: skip


def _surrogate(dataset: xr.Dataset, name: str, index: int) -> Separable:
    at = dataset.isel(vg=index)
    rank, degree = int(at[f"{name}_rank"]), int(at[f"{name}_degree"])
    with jax.enable_x64(True):
        return Separable(
            g_knots=jnp.asarray(dataset["g"].values),
            base=jnp.asarray(at[f"{name}_base"].values),
            factors=jnp.asarray(at[f"{name}_factors"].values[:, :, :rank]),
            polynomials=jnp.asarray(at[f"{name}_polynomials"].values[:rank, : degree + 1]),
            v_max=jnp.asarray(float(dataset["vin"].values[-1])),
        )


def load_cell(path: Path) -> Cell:
    """The cell in a results.nc of a characterize run (or a copy of it).

    Raises:
        RunError: the file is missing, damaged, or holds no cell.
    """
    dataset = read_dataset(path)
    try:
        count = dataset.sizes["vg"]
        return Cell(
            vg=dataset["vg"].values,
            g=dataset["g"].values,
            vin=dataset["vin"].values,
            width_m=float(dataset["width"]),
            length_m=float(dataset["length"]),
            g_off=float(dataset["g_off"]),
            g_on=float(dataset["g_on"]),
            mean_effective=dataset["mean_effective_conductance"].values,
            g_lo=dataset["g_lo"].values,
            g_cut=dataset["g_cut"].values,
            current=tuple(_surrogate(dataset, "current", i) for i in range(count)),
            power=tuple(_surrogate(dataset, "power", i) for i in range(count)),
        )
    except KeyError as error:
        raise RunError(f"{path} holds no characterised cell ({error} is missing)") from None


def copy_cell(run: Path, target: Path) -> None:
    """Copy the cell of the characterize run at `run`, so that what depends on it stays whole when the run moves."""
    found, _ = open_run(run, commands=("characterize",), use="--cell")
    shutil.copyfile(found.path / RESULTS, target)
