"""Measured pulses beside the fitted model: conductances over pulses, and steps over the window."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from xbar_cli.device.fitting.moments import PulsePlan
from xbar_cli.device.fitting.pulses import WAYS, SwitchingFit
from xbar_cli.device.update import conductance, pulse_count
from xbar_cli.figures.measured import TrainCurves

BINS = 10
"""Parts of the window in which steps are averaged."""
MOST_RUNS = 40
"""Runs of pulses that are shown one by one, about."""
SHORT_OF_END = 1e-3
"""Of the window: a curve begins no nearer to its end, which a soft bound reaches after endless pulses."""


def pulse_curves(
    reads: Float[np.ndarray, "trains reads"], plan: PulsePlan, found: SwitchingFit
) -> dict[str, TrainCurves]:
    """The pulses up and down of trains, beside what was fitted to them; each device in its own window."""
    raw = found.raw
    low = (raw.low + (found.g_min - raw.low.mean()))[plan.device, None]
    high = (raw.high + (found.g_max - raw.high.mean()))[plan.device, None]
    s, result = (reads - low) / (high - low), {}
    for way, sign in zip(WAYS, (1, -1), strict=True):
        runs = _same_sign(reads, plan.sign, sign)
        length = int(np.median([run.size for run in runs]))
        mean = np.array([np.mean([run[n] for run in runs if run.size > n]) for n in range(length)], np.float64)
        own = plan.sign == sign
        place, step, spread = _binned(s[:, :-1][own], sign * np.diff(s)[own])
        first, nu = (found.figures[f"{name}_{way}"] for name in ("first_step", "nonlinearity"))
        assert first is not None
        assert nu is not None
        line = first * (1 + np.expm1(-nu) * (place if sign > 0 else 1 - place))
        shown = runs[:: max(1, len(runs) // MOST_RUNS)]
        fitted = _curve(found, way, float(mean[0]), length)
        result[way] = TrainCurves(shown, mean, fitted, place, step, spread, line)
    return result


def _binned(place: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middles of the parts of the window, and mean and standard deviation of the steps from there; NaN of one or two."""
    parts = np.linspace(0, 1, BINS + 1)
    where = np.digitize(place, parts) - 1
    each = [step[where == n] if np.sum(where == n) > 2 else np.full(1, np.nan) for n in range(BINS)]
    return (parts[1:] + parts[:-1]) / 2, np.array([x.mean() for x in each]), np.array([x.std() for x in each])


def _same_sign(
    reads: Float[np.ndarray, "trains reads"], signs: Int[np.ndarray, "trains pulses"], sign: int
) -> list[np.ndarray]:
    """The reads of every run of pulses of one sign, with that before it."""
    found = []
    for row, given in zip(reads, signs == sign, strict=True):
        edges = np.flatnonzero(np.diff(given.astype(np.int8), prepend=0, append=0))
        found += [row[first : end + 1] for first, end in edges.reshape(-1, 2)]
    return found


def _curve(found: SwitchingFit, way: str, start: float, length: int) -> Float[np.ndarray, " reads"]:
    """The mean way of a device of the mean window from `start` on [S]."""
    pulses, nu = found.figures[f"pulses_{way}"], found.figures[f"nonlinearity_{way}"]
    assert pulses is not None
    assert nu is not None
    wide, ends = found.g_max - found.g_min, {"pulses": pulses, "nu": nu, "g_min": 0.0, "g_max": 1.0}
    gone = (start - found.g_min if way == "up" else found.g_max - start) / wide
    begun = pulse_count(jnp.asarray(np.clip(gone, 0, 1 - SHORT_OF_END)), **ends)
    share = np.minimum(np.asarray(conductance(begun + jnp.arange(float(length)), **ends), np.float64), 1)
    return found.g_min + wide * (share if way == "up" else 1 - share)
