"""The gated product of rank K against plain matrix products of the same shape: at most K + 1 of them; with real tables."""

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from xbar_cli.array.gated import Drive, GatedLayer
from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.nn.layers import dense
from xbar_cli.runs.directory import Run
from xbar_cli.workflows.cells import load_cell
from xbar_cli.workflows.characterize import run

ROWS, COLS, BATCH, REPEATS = 256, 256, 1024, 100


def seconds(*calls: Callable[[], jax.Array]) -> list[float]:
    """The shortest of many runs of each, taken in turn so that all see the same machine."""
    for call in calls:
        call().block_until_ready()
    best = [float("inf")] * len(calls)
    for _ in range(REPEATS):
        for k, call in enumerate(calls):
            start = time.perf_counter()
            call().block_until_ready()
            best[k] = min(best[k], time.perf_counter() - start)
    return best


def main() -> int:
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        run(CharacterizeConfig.model_validate({"sweep": {"vg_range": "0.7:1.0:0.1"}}), Run(path=path, final=path))
        cell = load_cell(path / "results.nc")
    keys = jax.random.split(jax.random.key(0), 2)
    g = jax.random.uniform(keys[0], (ROWS, COLS), minval=cell.g_off, maxval=cell.g_on)
    x = jax.random.uniform(keys[1], (BATCH, ROWS))
    multiply, compute = jax.jit(jnp.matmul), jax.jit(lambda layer, x: layer(x, dense))
    drive = Drive(full_scale=jnp.asarray(1.0), signed=jnp.asarray(0.0))
    for vg, surrogate in zip(cell.vg, cell.current, strict=True):
        single = surrogate.astype(np.float32)
        factors = jnp.moveaxis(single.in_g(g), -1, 0)
        layer = GatedLayer(kernel=factors, leakage=single.at_zero(g).sum(axis=0), surrogate=single, drive=drive)
        plain, gated = seconds(partial(multiply, x, g), partial(compute, layer, x))
        share = gated / plain / (single.rank + 1)
        worst = max(worst, share)
        print(f"V_g {vg:g} V, K = {single.rank}, degree {single.polynomials.shape[1] - 1}: {gated / plain:.2f} products, "
              f"{share:.2f} of K + 1")  # fmt: skip
    return int(worst > 1.0)


if __name__ == "__main__":
    sys.exit(main())
