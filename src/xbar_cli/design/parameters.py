"""Parameters of a design: where each starts, between which bounds it moves, and the values of it that can be built."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.config.chips.design import DesignConfig, parse_over
from xbar_cli.config.converters import parse_range
from xbar_cli.config.hardware import R_OFF_OHM, R_ON_OHM
from xbar_cli.config.ranges import parse_weight_limit
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.placing import LimitShare

TILES = (16, 32, 64, 128, 256, 512)
"""Rows and columns of arrays that are built."""
DesignValues = Mapping[str, Array]
"""Parameters by name, in their units; traced where gradients are wanted."""


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes:
        name: of it; that of a layer's gate voltage ends in `:LAYER`.
        start: where the evaluation has it.
        low: lower bound.
        high: upper bound.
        unit: of all three.
        log: whether equal steps are equal ratios.
        built: the values that can be built, ascending; None where any of so many digits can.
        digits: significant ones, of a value without a list.
    """

    name: str
    start: float
    low: float
    high: float
    unit: str
    log: bool = False
    built: tuple[float, ...] | None = None
    digits: int = 3

    def share(self, value: float) -> float:
        """Where between its bounds a value is, 0 … 1."""
        low, high, value = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return (value - low) / (high - low)

    def at(self, share: Any) -> Any:
        """The value at a share of the way between the bounds, a number or an array of JAX."""
        if not self.log:
            return self.low + (self.high - self.low) * share
        return self.low * (self.high / self.low) ** share

    @property
    def inside(self) -> list[float]:
        """The values between the bounds that can be built, where there is a list."""
        return [v for v in self.built or () if self.low * (1 - 1e-9) <= v <= self.high * (1 + 1e-9)]

    def nearest(self, value: float) -> tuple[float, ...]:
        """The values on both sides that can be built, or the one."""
        value = min(max(value, self.low), self.high)
        if self.built is None:
            return (float(f"{value:.{self.digits}g}"),)
        inside = self.inside
        below = [v for v in inside if v <= value * (1 + 1e-9)]
        above = [v for v in inside if v >= value * (1 - 1e-9)]
        return tuple(sorted({*below[-1:], *above[:1]}))


def parameters(config: DesignConfig, network: MappedNetwork) -> list[Parameter]:
    """The parameters that are designed. ConfigError for one that the evaluation does not have, or bounds without its start."""
    found: list[Parameter] = []
    for text in config.design.over:
        name, bounds = parse_over(text)
        found += _of_name(name, bounds, config, network)
    for parameter in found:
        inside = parameter.low * (1 - 1e-9) <= parameter.start <= parameter.high * (1 + 1e-9)
        if not inside or parameter.low >= parameter.high:
            raise ConfigError(
                f"design.over: {parameter.name} starts at {parameter.start:g}, and its bounds are {parameter.low:g} and "
                f"{parameter.high:g} {parameter.unit}: take in the start, or start elsewhere"
            )
        if parameter.built is not None and not parameter.nearest(parameter.start):
            raise ConfigError(
                f"design.over: no {parameter.name} between {parameter.low:g} and {parameter.high:g} is built"
            )
    return found


def _of_name(
    name: str, bounds: tuple[float, float] | None, config: DesignConfig, network: MappedNetwork
) -> Iterable[Parameter]:
    """The parameter of a name; `vg_layers` is one a layer."""
    array, mapping, cells = config.array, config.mapping, network.cell is not None
    match name:
        case "vg" | "vg_layers":
            return _gates(name, bounds, network)
        case "v_read":
            return [_voltage(bounds, network)]
        case "r_on" | "r_off":
            start = (mapping.r_on_ohm or R_ON_OHM) if name == "r_on" else (mapping.r_off_ohm or R_OFF_OHM)
            if cells or mapping.technology is not None or not math.isfinite(start):
                raise ConfigError(f"design.over: {name} is of resistive devices that mapping.{name}_ohm gives")
            low, high = bounds or (start / 4, start * 4)
            return [Parameter(name, start, low, high, "ohm", log=True)]
        case "wire_width":
            wires = array.wires()
            if cells or config.design.cost_model != "resparc" or not float(wires.word) + float(wires.bit) > 0:
                raise ConfigError(
                    "design.over: wire_width is of resistive arrays with array.r_wire_ohm, that of the narrowest wires, and "
                    "of design.cost_model = resparc, which knows what width costs"
                )
            low, high = bounds or (1.0, 10.0)
            return [Parameter(name, max(low, 1.0), low, high, "narrowest wires", log=True, digits=2)]
        case "r_source" | "r_neuron":
            start = getattr(array, f"{name}_ohm")
            if not start:
                raise ConfigError(f"design.over: {name} needs array.{name}_ohm, where it starts")
            low, high = bounds or (start / 10, start * 10)
            return [Parameter(name, start, low, high, "ohm", log=True)]
        case "weight_limit":
            low, high = bounds or (0.3, 1.0)
            percent = tuple(round(x * 0.01, 2) for x in range(1, 101))
            return [Parameter(name, limit_share(mapping.weight_limit), low, high, "of the largest", built=percent)]
        case "adc_bits" | "adc_range":
            return [_converters(name, bounds, config)]
        case _:
            rows, columns = network.tile
            if rows != columns or rows not in TILES:
                raise ConfigError(
                    f"design.over: tile starts at a mapping.tile of {', '.join(f'{t}x{t}' for t in TILES)}, not {rows}x{columns}"
                )
            low, high = bounds or (32.0, 128.0)
            return [
                Parameter("tile", float(rows), low, high, "rows and columns", log=True, built=tuple(map(float, TILES)))
            ]


def _converters(name: str, bounds: tuple[float, float] | None, config: DesignConfig) -> Parameter:
    """Bits or range of the converters."""
    if config.converters.adc_bits is None:
        raise ConfigError(f"design.over: {name} needs converters.adc_bits{', where it starts' * (name == 'adc_bits')}")
    if name == "adc_range":
        share = adc_share(config.converters.adc_range)
        low, high = bounds or (share / 4, min(share * 4, 1.0))
        return Parameter(name, share, low, high, "of the most a column sends", log=True)
    start = float(config.converters.adc_bits)
    low, high = bounds or (2.0, max(start, 8.0))
    return Parameter(name, start, low, high, "bits", built=tuple(float(b) for b in range(1, 17)))


def _gates(name: str, bounds: tuple[float, float] | None, network: MappedNetwork) -> list[Parameter]:
    """The gate voltage of all layers, or one of each."""
    cell = network.cell
    if cell is None:
        raise ConfigError(f"design.over: {name} is of 1T-1R cells: give cell.run and cell.vg")
    usable = usable_gates(network)
    low, high = bounds or (usable[0], usable[-1])
    if low < usable[0] - 1e-9 or high > usable[-1] + 1e-9:
        raise ConfigError(
            f"design.over: {name} from {low:g} to {high:g} V is beyond the cell's linear ranges, which go from {usable[0]:g} "
            f"to {usable[-1]:g} V"
        )
    starts = {layer: found.vg for layer, found in network.layers.items() if found.vg is not None}
    if name == "vg_layers":
        return [Parameter(f"vg:{layer}", vg, low, high, "V", built=usable) for layer, vg in starts.items()]
    if len(set(starts.values())) > 1:
        raise ConfigError("design.over: vg is one gate voltage, and layers start at several: design vg_layers")
    return [Parameter("vg", next(iter(starts.values())), low, high, "V", built=usable)]


def _voltage(bounds: tuple[float, float] | None, network: MappedNetwork) -> Parameter:
    """The one voltage of the driven rows of cells."""
    start, cell = network.read_volt, network.cell
    if start is None or cell is None:
        raise ConfigError(
            "design.over: v_read is the one voltage of the rows of 1T-1R cells: give cell.run and "
            "converters.input = bitserial or pwm"
        )
    low, high = bounds or (start / 5, start)
    if high > cell.v_max:
        raise ConfigError(
            f"design.over: v_read up to {high:g} V is beyond the cell's table, which ends at {cell.v_max:g} V"
        )
    return Parameter("v_read", start, low, high, "V")


def usable_gates(network: MappedNetwork) -> tuple[float, ...]:
    """The gate voltages of the cell that have a linear range and a surrogate [V]."""
    assert network.cell is not None
    found = tuple(float(v) for n, v in enumerate(network.cell.vg) if network.cell.is_usable(n))
    if len(found) < 3:
        raise ConfigError(
            f"a design follows the cell between gate voltages, and {len(found)} have a linear range: 3 are needed"
        )
    return found


def limit_share(text: Any) -> float:
    """The share of the largest weight that is at full scale. ConfigError for another rule."""
    rule = parse_weight_limit(text) if isinstance(text, str) else text
    if rule in ("max", "largest"):
        return 1.0
    if isinstance(rule, LimitShare):
        return rule.share
    raise ConfigError(
        f"design.over: weight_limit starts at a share of the largest weight, not at mapping.weight_limit = {text}"
    )


def adc_share(rule: str | None) -> float:
    """The share of what a column can send that converters take. ConfigError for a range that is found on images."""
    kind, value = parse_range(rule) if rule is not None else ("max", None)
    if kind != "value" or value is None:
        raise ConfigError(
            "design.over: adc_range starts at a share of the most that a column can send: give converters.adc_range as a number, "
            "such as 0.1"
        )
    return float(value)


def starts(chosen: Sequence[Parameter]) -> dict[str, np.ndarray]:
    """Where each parameter is between its bounds at the start."""
    return {p.name: np.asarray(min(max(p.share(p.start), 0.0), 1.0)) for p in chosen}


def tile_shares(values: DesignValues, tiles: tuple[int, ...]) -> list[Array]:
    """What each of two neighbouring sizes of tile counts, by octaves from the design to the other; one alone counts whole."""
    if len(tiles) < 2:
        return [jnp.ones(())]
    share = jnp.log(values["tile"] / tiles[0]) / np.log(tiles[1] / tiles[0])
    return [1 - share, share]


def traced(values: Mapping[str, float]) -> dict[str, Array]:
    """Parameters as arrays."""
    return {name: jnp.asarray(value, float) for name, value in values.items()}
