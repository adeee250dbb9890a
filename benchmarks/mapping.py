"""Mapping ResNet-20's weights under each scheme, and drawing one chip of its conductances against plain random numbers."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from xbar_cli.device.chip import Step, fabricate
from xbar_cli.device.levels import uniform_levels
from xbar_cli.device.variation import normal_additive
from xbar_cli.mapping.bitslice import SliceFormat
from xbar_cli.mapping.encode import full_scale
from xbar_cli.mapping.placing import Placed, Span, place, place_slices

G_OFF, G_ON, BITS = 1 / 300e3, 1 / 30e3, 3
FORMAT = SliceFormat(weight_bits=8, fraction_bits=6, device_bits=2, encoding="offset")
LIMIT_MAP_SECONDS, LIMIT_SAMPLE_SECONDS = 5.0, 0.020


def resnet20() -> list[tuple[int, int]]:
    """Weight matrices [rows out] of ResNet-20 for CIFAR-10 (He et al. 2016): 3·6 + 2 layers, 0.27 million weights."""
    layers = [(3 * 9, 16)]
    for width, before in ((16, 16), (32, 16), (64, 32)):
        layers += [(before * 9, width)] + [(width * 9, width)] * 5
    return [*layers, (64, 10)]


def seconds(call: Callable[[], object], *, repeats: int) -> np.ndarray:
    """Wall times of `call` [s], after one that is not counted."""
    call()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return np.array(times)


def map_all(scheme: str, weights: list[np.ndarray]) -> list[Placed]:
    """Every layer on its columns."""
    if scheme == "bitslice":
        return [place_slices(FORMAT, w, bottom=G_OFF, top=G_ON) for w in weights]
    levels, span = uniform_levels(BITS, g_min=G_OFF, g_max=G_ON), full_scale(scheme, g_min=G_OFF, g_max=G_ON)
    return [place(scheme, w, Span(levels, G_OFF, G_ON, np.asarray(span / np.abs(w).max()))) for w in weights]


def main() -> int:
    """Print the figures; 1 where a limit is missed."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 1 / np.sqrt(rows), (rows, out)).astype(np.float32) for rows, out in resnet20()]
    print(f"ResNet-20, {sum(w.size for w in weights)} weights; load {os.getloadavg()[0]:.1f}")
    missed = False
    for scheme in ("de", "bc", "acm", "bitslice"):
        times = seconds(partial(map_all, scheme, weights), repeats=5)
        placed = map_all(scheme, weights)
        devices = [jnp.asarray(p.wanted, jnp.float32) for p in placed]
        count = sum(g.size for g in devices)
        step = Step(
            name="variation", stage="device", model=normal_additive,
            parameters={"sigma_siemens": 0.15 * (G_ON - G_OFF)},
        )  # fmt: skip

        def chip(key: jax.Array, devices: list[jax.Array], step: Step = step) -> list[jax.Array]:
            return [
                fabricate(key, g, layer=f"layer{n}", steps=[step], negative="clamp")[0] for n, g in enumerate(devices)
            ]

        sample, plain = jax.jit(chip), jax.jit(partial(jax.random.normal, shape=(count,)))
        key = jax.random.key(0)
        drawn = seconds(lambda: jax.block_until_ready(sample(key, devices)), repeats=20)  # noqa: B023
        normal = seconds(lambda: jax.block_until_ready(plain(key)), repeats=20)  # noqa: B023
        print(
            f"{scheme:8s} map n=5 {times.mean():.3f} ± {times.std(ddof=1):.3f} s (limit {LIMIT_MAP_SECONDS:g}); "
            f"one chip of {count} devices n=20 {drawn.mean() * 1e3:.1f} ± {drawn.std(ddof=1) * 1e3:.1f} ms, "
            f"best {drawn.min() * 1e3:.1f} (limit {LIMIT_SAMPLE_SECONDS * 1e3:g}), "
            f"{np.median(drawn) / np.median(normal):.2f} of as many plain normal numbers"
        )
        missed |= times.mean() > LIMIT_MAP_SECONDS or drawn.min() > LIMIT_SAMPLE_SECONDS
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
