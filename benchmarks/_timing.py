"""What the benchmarks share: wall times of repeated calls, and what is reported of them."""

import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def timed(function: Callable[[], Any], repeats: int) -> list[float]:
    """Wall time of each repetition [s]."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function())
        seconds.append(time.perf_counter() - start)
    return seconds


def statistics(seconds: list[float]) -> dict[str, float]:
    """What is reported of repeated timings: how many, the best, mean and sample standard deviation [s]."""
    return {
        "n": len(seconds),
        "best_seconds": min(seconds),
        "mean_seconds": float(np.mean(seconds)),
        "std_seconds": float(np.std(seconds, ddof=1)) if len(seconds) > 1 else 0.0,
    }


def measure(
    function: Callable[..., Any], *args: Any, repeats: int, options: dict[str, Any] | None = None
) -> tuple[dict[str, float], Any]:
    """Timings of a function once it is compiled, and its result; `options` are the compiler's.

    With them `compile_seconds` and `temporary_bytes`, what XLA sets aside beside arguments and results.
    """
    start = time.perf_counter()
    compiled = jax.jit(function).lower(*args).compile(compiler_options=options)
    compile_seconds = time.perf_counter() - start
    result = jax.block_until_ready(compiled(*args))
    analysis = compiled.memory_analysis()
    assert analysis is not None
    apart = {"compile_seconds": compile_seconds, "temporary_bytes": analysis.temp_size_in_bytes}
    return statistics(timed(lambda: compiled(*args), repeats)) | apart, result
