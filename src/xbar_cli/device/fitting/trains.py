"""Pulse trains from a CSV: the conductance after every pulse, which way each went, what a pulse was."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from xbar_cli.device.fitting.columns import MeasuredTable, column, device_place, read_table
from xbar_cli.device.fitting.moments import PulsePlan
from xbar_cli.device.statistics import check_conductances, span
from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted

SIGNS = {
    **dict.fromkeys(("up", "+", "+1", "1", "set", "potentiation", "ltp"), 1),
    **dict.fromkeys(("down", "-", "-1", "\u22121", "reset", "depression", "ltd"), -1),
    **dict.fromkeys(("", "0", "none", "read"), 0),
}
"""Words of a column `direction`."""
CYCLE = ("cycle", "train")
VOLTS = {"V": 1.0, "volt": 1.0, "mV": 1e-3}
SECONDS = {"s": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "\u03bcs": 1e-6, "ns": 1e-9, "ps": 1e-12}
_VOLT = re.compile(r"(?:volts?()|(?:voltage|amplitude|volt)(?:[\s_\[(]+(\w+)[\s\])]*)?)")
_WIDTH = re.compile(r"(?:seconds()|(?:width|duration)(?:[\s_\[(]+(\w+)[\s\])]*)?)")
LONGEST = 1000
"""Pulses of a train; a longer one counts as several."""
SHORTEST = 2
"""Pulses that a train needs to say anything."""
SAME = 0.01
"""Pulses whose volts or seconds differ by more than this share are not one kind."""
WAYS = {"up": 1, "down": -1}


@dataclass(frozen=True)
class PulseTrains:
    """Measured pulse trains.

    Attributes:
        reads: conductances before the first pulse and after each [S]; NaN beyond the end of a train.
        plan: the pulses.
        names: of the devices.
        volts: of pulses up and down [V], where the file says it.
        seconds: width of pulses up and down [s], likewise.
    """

    reads: Float[np.ndarray, "trains reads"]
    plan: PulsePlan
    names: list[str]
    volts: dict[str, float]
    seconds: dict[str, float]


def read_trains(path: str | Path) -> PulseTrains:
    """Read a CSV of conductances after single pulses, in the order in which they were given.

    Columns: `conductance_siemens` (or another unit), `direction` (up or down) or `volt`, whose sign is the direction; `device`,
    `cycle`, `pulse` (the number of the pulse), `width_ns`, where there are such. A line begins a train where the device or the
    cycle is another than in the line of the device before it, where there was no pulse (`pulse` or `direction` 0), and where
    pulses are missing before it, by their numbers.

    Raises:
        ConfigError: with file and line, for a column that is missing, what is no number or direction, pulses that are not of one
            kind, and where no train of two pulses is left.
    """
    path = Path(path)
    table = read_table(path, wanted="conductance_siemens, and direction or volt")
    found = column(table.header, "conductance", where=table.where)
    g = table.siemens(found)
    check_conductances(g, where=str(path), column=found.name)
    if np.median(g) < 0:
        raise ConfigError(f"{path}: {found.name} spans {span(g)}, most of it below 0: turn the sign")
    volt, width = _quantity(table, _VOLT, VOLTS), _quantity(table, _WIDTH, SECONDS)
    sign = _signs(table, volt)
    place = device_place(table.header)
    names, device = (["all"], np.zeros(g.size, np.int64)) if place is None else table.named(place)
    cycle = next(
        (table.named(n)[1] for n, name in enumerate(table.header) if name.strip() in CYCLE), np.zeros(g.size, np.int64)
    )
    order = np.argsort(device, kind="stable")
    sign = np.where(_begins(table, device, cycle, sign, order), 0, sign)
    reads, plan = _rows(g[order], sign[order], device[order])
    if not plan.device.size:
        raise ConfigError(f"{path}: no device has {SHORTEST} pulses one after the other with a read after each")
    kept = np.unique(plan.device)
    plan = PulsePlan(plan.sign, np.searchsorted(kept, plan.device))
    sizes = ({way: _one_size(path, values, sign == of, f"{what} of pulses {way}") for way, of in WAYS.items()}
             if values is not None else {} for values, what in ((volt, "volts"), (width, "widths")))  # fmt: skip
    volts, seconds = ({way: size for way, size in each.items() if size is not None} for each in sizes)
    return PulseTrains(reads, plan, [names[n] for n in kept], volts, seconds)


def _quantity(
    table: MeasuredTable, head: re.Pattern[str], units: dict[str, float]
) -> Float[np.ndarray, " lines"] | None:
    """A column whose head has one of the units; None without one."""
    for place, name in enumerate(table.header):
        found = head.fullmatch(name.strip())
        if found is None:
            continue
        unit = (found[2] or "").replace("\u00b5", "\u03bc")
        if found[1] is None and unit not in units:
            raise ConfigError(f"{table.where}: {quoted(name)}: {quoted(unit)} is no unit; write {', '.join(units)}")
        values = np.array([table.number(n, place) for n in range(len(table.lines))], np.float64)
        if not np.isfinite(values).all():
            where = table.lines[int(np.flatnonzero(~np.isfinite(values))[0])][0]
            raise ConfigError(f"{where}: {name} is not finite")
        return values * (1.0 if found[1] is not None else units[unit])
    return None


def _signs(table: MeasuredTable, volt: np.ndarray | None) -> Int[np.ndarray, " lines"]:
    """Which way the pulse before each line went; 0 where there was none."""
    place = next((n for n, name in enumerate(table.header) if name.strip() == "direction"), None)
    if place is None and volt is None:
        raise ConfigError(
            f"{table.where}: no column direction or volt; the first line must name direction (up or down), or volt (or "
            "voltage_mV), whose sign is the direction"
        )
    if place is None:
        assert volt is not None
        return np.sign(volt).astype(np.int64)
    found = []
    for where, cells in table.lines:
        text = (cells[place] if place < len(cells) else "").strip()
        if text.casefold() not in SIGNS:
            raise ConfigError(
                f"{where}: direction is {quoted(text)}; write up or down (set, reset, 1, -1 too), 0 for no pulse"
            )
        found.append(SIGNS[text.casefold()])
    return np.array(found, np.int64)


def _begins(
    table: MeasuredTable, device: np.ndarray, cycle: np.ndarray, sign: np.ndarray, order: np.ndarray
) -> np.ndarray:
    """Which lines begin a train."""
    place = next((n for n, name in enumerate(table.header) if name.strip() == "pulse"), None)
    starts = sign == 0
    if place is not None:
        pulse = np.array([table.number(n, place) for n in range(len(table.lines))], np.float64)
        starts |= pulse == 0
        last = np.full(pulse.size, np.nan)
        last[order[1:]] = pulse[order[:-1]]
        starts |= (pulse != last + 1) & (pulse != 1)
    new = np.ones(order.size, bool)
    new[1:] = (np.diff(device[order]) != 0) | (np.diff(cycle[order]) != 0)
    starts[order] |= new
    return starts


def _rows(g: np.ndarray, sign: np.ndarray, device: np.ndarray) -> tuple[np.ndarray, PulsePlan]:
    """The trains as rows, those of two pulses and more."""
    starts = np.flatnonzero(sign == 0)
    pieces: list[tuple[int, int]] = []
    for first, end in zip(starts, [*starts[1:], g.size], strict=True):
        pieces += [(n, min(n + LONGEST + 1, end)) for n in range(first, max(end - SHORTEST, first), LONGEST)]
    longest = max((end - first for first, end in pieces), default=1)
    reads, signs = np.full((len(pieces), longest), np.nan), np.zeros((len(pieces), longest - 1), np.int64)
    for row, (first, end) in enumerate(pieces):
        reads[row, : end - first] = g[first:end]
        signs[row, : end - first - 1] = sign[first + 1 : end]
    return reads, PulsePlan(signs, np.array([device[first] for first, _ in pieces], np.int64))


def _one_size(path: Path, values: np.ndarray, chosen: np.ndarray, what: str) -> float | None:
    """The size of some pulses; ConfigError where they differ."""
    sizes = np.abs(values[chosen])
    if not sizes.size:
        return None
    low, high = float(np.min(sizes)), float(np.max(sizes))
    if high - low > SAME * high or high == 0:
        raise ConfigError(
            f"{path}: {what} are {low:.4g} to {high:.4g}: a switching model is of equal pulses; keep those of one kind"
        )
    return float(np.median(sizes))
