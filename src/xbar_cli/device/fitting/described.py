"""What a fit of pulse trains hands on: the file of a switching model, the summary, and remarks."""

from collections.abc import Mapping
from typing import Any

from xbar_cli.device.fitting.pulses import BETWEEN, WAYS, OpenInterval, SwitchingFit
from xbar_cli.device.switching.presets import parse_switching


def switching_table(found: SwitchingFit, sizes: Mapping[str, float], *, source: str) -> dict[str, Any]:
    """The switching model as the table of a file; what the trains do not say is left out, and is 0 then.

    Args:
        found: the fit.
        sizes: of pulses and reads, `volt_up` [V] to `seconds_read` [s].
        source: where the figures come from.

    Raises:
        ConfigError: for figures that no switching model has.
    """
    figures = {name: value for name, value in found.figures.items() if value is not None and "first" not in name}
    table: dict[str, Any] = {"source": source, **figures, **sizes}
    parse_switching("fit", table, where="what the trains give")
    return table


def window_of(found: SwitchingFit) -> tuple[float, float] | None:
    """The ends of the mean window, where weights can be mapped to it [S]; None where the lower one is not above 0."""
    return (found.g_min, found.g_max) if 0 < found.g_min < found.g_max else None


def summary_of(found: SwitchingFit) -> dict[str, Any]:
    """The figures for the summary, each with its interval."""
    figures: dict[str, Any] = {}
    for name, value in found.figures.items():
        ends = found.intervals[name]
        figures |= {name: value, f"{name}_ci95": None if value is None else list(ends)}
    return {
        **figures,
        "spreads_apart": found.apart,
        "soft_bounds": soft_bounds(found),
        "g_min_siemens": found.g_min,
        "g_max_siemens": found.g_max,
        "sigma_read_siemens": found.sigma_read,
    }


def soft_bounds(found: SwitchingFit) -> list[str]:
    """Which pulses, up or down, may be those of a soft bound: their nonlinearity has no upper end."""
    return [way for way in WAYS if None in found.intervals[f"nonlinearity_{way}"]]


def remarks(found: SwitchingFit) -> list[str]:
    """What the trains do not tell, a sentence each."""
    said = []
    for way in soft_bounds(found):
        first, ends = found.figures[f"first_step_{way}"], found.intervals[f"first_step_{way}"]
        said.append(
            f"pulses {way}: steps fade to nothing within what the trains tell, as at a soft bound: nonlinearity_{way} and "
            f"pulses_{way} have no upper end; what is known is the first step, {first:.3g} ({_ends(ends)}) of the window, about "
            "their ratio"
        )
    if not found.apart:
        said.append(
            "steps are too alike, or too few, to tell a spread of the step from one of the window: all of it is in "
            "sigma_cycle_window"
        )
    if found.raw.low.size < 2:
        said.append(
            f"one device says nothing of differences between devices: {', '.join(BETWEEN)} are left out, and are 0 then"
        )
    return said


def _ends(interval: OpenInterval) -> str:
    return " … ".join("no end" if end is None else f"{end:.3g}" for end in interval)
