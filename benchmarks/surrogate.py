"""The gated product of rank K against K + 1 plain matrix products of the same shape, with real tables: at most their time.

The products are taken one after the other and timed together: both sides last about as long, so that what else the
machine does meets both alike.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from xbar_cli.array.gated import Drive, GatedLayer
from xbar_cli.cell.file import load_cell
from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.nn.contracts import dense
from xbar_cli.runs.directory import Run
from xbar_cli.workflows.characterize import run

ROWS, COLS, BATCH, REPEATS = 256, 256, 1024, 100
GATES = "0.7:1.3:0.1"


def share(call: Callable[[], Any], reference: Callable[[], Any]) -> tuple[float, float]:
    """The median of the ratio of two neighbouring runs, and the shortest run of `call` [s]."""
    times = np.empty((REPEATS + 1, 2))
    for row in times:
        for k, work in enumerate((call, reference)):
            start = time.perf_counter()
            jax.block_until_ready(work())
            row[k] = time.perf_counter() - start
    times = times[1:]  # the first run compiles
    return float(np.median(times[:, 0] / times[:, 1])), float(times[:, 0].min())


def main() -> int:
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        run(CharacterizeConfig.model_validate({"sweep": {"vg_range": GATES}}), Run(path=path, final=path))
        cell = load_cell(path / "results.nc")
    keys = jax.random.split(jax.random.key(0), 2)
    g = jax.random.uniform(keys[0], (ROWS, COLS), minval=cell.g_off, maxval=cell.g_on)
    x = jax.random.uniform(keys[1], (BATCH, ROWS))
    multiply, gated = jax.jit(dense), jax.jit(lambda layer, x: layer(x, dense))
    drive = Drive(full_scale=jnp.asarray(1.0), signed=jnp.asarray(0.0))
    for vg, surrogate in zip(cell.vg, cell.current, strict=True):
        single = surrogate.astype(np.float32)
        factors = jnp.moveaxis(single.in_g(g), -1, 0)
        layer = GatedLayer(kernel=factors, leakage=single.at_zero(g).sum(axis=0), surrogate=single, drive=drive)
        kernels = [*factors, g]
        ratio, shortest = share(
            partial(gated, layer, x),
            lambda kernels=kernels: [multiply(x, kernel).block_until_ready() for kernel in kernels],
        )
        worst = max(worst, ratio)
        degree = single.polynomials.shape[1] - 1
        print(
            f"V_g {vg:g} V, K = {single.rank}, degree {degree}: {shortest * 1e3:.1f} ms, {ratio:.2f} of K + 1 products"
        )
    print(f"largest share {worst:.2f} (at most 1)")
    return int(worst > 1.0)


if __name__ == "__main__":
    sys.exit(main())
