"""CMOS gates of a technology node: size, capacitance, resistance, delay and leakage, from geometry and a few card figures.

Widths are in metres; a gate stands in a row of fixed height and folds its transistors where they are too wide for it. Below
22 nm widths come in whole fins.

References:
    Chen, Peng, Yu, NeuroSim, IEEE TCAD 37 (2018) 3067, Section III (layout rules, RC delays); Horowitz, Timing models for MOS
    circuits, Stanford 1983 (the delay of a gate for a ramp at its input).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

GateKind = Literal["inverter", "nand", "nor"]
_LOG_HALF = math.log(0.5)
_LEAKING = {"nand": 0.48, "nor": 0.95}
"""Mean share of a two-input gate's transistors that leak, over its inputs (NeuroSim V3.0, constant.h, 2019)."""


@dataclass(frozen=True)
class Node:
    """A technology node: the constants of its card, and those of layout and junctions.

    Attributes:
        own: constants of the node, by their own names.
        shared: all constants of the model, by dotted key.
    """

    own: Mapping[str, float]
    shared: Mapping[str, float]

    @property
    def feature(self) -> float:
        """Feature size F [m]."""
        return self.own["feature_m"]

    @property
    def vdd(self) -> float:
        """Supply [V]."""
        return self.own["vdd_volt"]

    def rule(self, name: str) -> float:
        """A layout rule [m]."""
        return self.shared[f"gates.{name}_features"] * self.feature

    @property
    def height(self) -> float:
        """Of a row of gates [m]."""
        return self.rule("height")

    @property
    def pitch(self) -> float:
        """From one gate line to the next [m]."""
        return self.rule("poly") + self.rule("poly_gap")

    @property
    def smallest(self) -> tuple[float, float]:
        """Widths of the smallest NMOS and of the PMOS that balances it [m]."""
        n = self.rule("smallest_nmos")
        return n, n * self.own["on_nmos_ampere_per_m"] / self.own["on_pmos_ampere_per_m"]

    @property
    def wire_ohm_per_m(self) -> float:
        """Resistance of a wire of the array [ohm/m]."""
        return self.own["wire_ohm_m"] / (self.own["wire_width_m"] ** 2 * self.own["wire_aspect"])

    def gate_capacitance(self, width: float) -> float:
        """Capacitance of a transistor's gate [F]; that of fins holds overlap and fringe."""
        per_m = self.own["gate_farad_per_m"]
        overlap = 0.0 if self.fins else self.shared["gates.overlap_share"] * per_m
        return (per_m + overlap + self.own["fringe_farad_per_m"]) * width

    @property
    def fins(self) -> bool:
        """Whether transistors are made of fins."""
        return "fin_pitch_m" in self.own

    def on_resistance(self, width: float, *, pmos: bool = False) -> float:
        """Mean resistance of a transistor that switches [ohm]."""
        on = self.own["on_pmos_ampere_per_m" if pmos else "on_nmos_ampere_per_m"]
        return self.own["resistance_multiplier"] * self.vdd / (on * width)

    def pass_widths(self, resistance: float) -> tuple[float, float]:
        """Widths of the NMOS and PMOS of a pass gate of `resistance` [ohm], each twice of it, in parallel."""
        return self.on_resistance(1.0) / (2 * resistance), self.on_resistance(1.0, pmos=True) / (2 * resistance)

    def span(self, width: float) -> float:
        """Height that a transistor of `width` takes [m]."""
        if not self.fins:
            return width
        return (self._fins(width) - 1) * self.own["fin_pitch_m"] + self.own["fin_width_m"]

    def _fins(self, width: float) -> int:
        around = 2 * self.own["fin_height_m"] + self.own["fin_width_m"]
        return max(1, math.ceil(width / around - 1e-9))

    def folds(self, width: float, room: float) -> int:
        """Fingers that a transistor is cut into to stand in `room` [m]."""
        if self.fins:
            most = max(1, math.floor(room / self.own["fin_pitch_m"]) + 1)
            return math.ceil(self._fins(width) / most)
        return max(1, math.ceil(width / room - 1e-9))

    def drain_capacitance(self, width: float, *, fingers: int = 1) -> float:
        """Junction capacitance of a drain of `width` cut into fingers, two of which share one diffusion [F]."""
        s, v = self.shared, self.vdd / self.shared["junction.potential_volt"]
        height, length = width / fingers, self.rule("poly_gap")
        drains = math.ceil((fingers + 1) / 2)
        edge = drains * 2 * length + (height * 2 if fingers % 2 == 0 else height)
        bottom = s["junction.bottom_farad_per_m2"] / (1 + v) ** s["junction.bottom_grading"]
        side = s["junction.sidewall_farad_per_m"] / (1 + v) ** s["junction.sidewall_grading"]
        channel = s["junction.channel_farad_per_m"] / (1 + v) ** s["junction.sidewall_grading"]
        return bottom * drains * length * height + side * edge + channel * width


@dataclass(frozen=True)
class Gate:
    """A static gate.

    Attributes:
        node: its technology.
        kind: inverter, nand or nor.
        inputs: their number.
        n: width of each NMOS [m].
        p: width of each PMOS [m].
    """

    node: Node
    kind: GateKind
    inputs: int
    n: float
    p: float

    def _folds(self) -> int:
        node = self.node
        margin = 2 * (node.rule("poly_extension") + node.rule("field_poly_gap") / 2)
        room = node.height - node.rule("p_to_n") - margin
        share = self.p / (self.p + self.n)
        return max(node.folds(self.p, room * share), node.folds(self.n, room * (1 - share)))

    @property
    def width(self) -> float:
        """Along the row [m]; unfolded transistors of one gate share their diffusions."""
        folds = self._folds()
        lines = self.inputs + 1 if folds == 1 else self.inputs * (folds + 1)
        return lines * self.node.pitch

    @property
    def area(self) -> float:
        """[m²]."""
        return self.width * self.node.height

    @property
    def c_in(self) -> float:
        """Of one input [F]."""
        return self.node.gate_capacitance(self.n) + self.node.gate_capacitance(self.p)

    @property
    def c_out(self) -> float:
        """Of the output [F]: the parallel transistors share drains, the series ones show one."""
        parallel = math.ceil(self.inputs / 2)
        n = parallel if self.kind == "nor" else 1
        p = parallel if self.kind == "nand" else 1
        folds = self._folds()
        drain = self.node.drain_capacitance
        return n * drain(self.n, fingers=folds) + p * drain(self.p, fingers=folds)

    @property
    def leakage(self) -> float:
        """Mean power [W]."""
        off_n = self.node.own["off_nmos_ampere_per_m"] * self.n
        off_p = self.node.own["off_pmos_ampere_per_m"] * self.p
        if self.kind == "inverter":
            return (off_n + off_p) / 2 * self.node.vdd
        leaking = off_p if self.kind == "nand" else off_n
        return _LEAKING[self.kind] * self.inputs * leaking * self.node.vdd

    def resistance(self, *, up: bool) -> float:
        """Of the path that pulls the output up or down [ohm]."""
        series = self.inputs if (self.kind == "nor") == up and self.kind != "inverter" else 1
        return series * self.node.on_resistance(self.p if up else self.n, pmos=up)


def inverter(node: Node, size: float = 1.0) -> Gate:
    """The smallest inverter, or one `size` times as wide."""
    n, p = node.smallest
    return Gate(node, "inverter", 1, n * size, p * size)


def ramp_delay(tau: float, ramp: float = math.inf) -> tuple[float, float]:
    """Delay of a stage of time constant `tau` [s] for an input that rises at `ramp` [1/s], and the ramp of its output.

    `t = τ sqrt(ln² ½ + ½ / (ramp τ))`: for a step ln 2 · τ.

    References:
        Horowitz (1983), eq. 2.40, with β = ½ and a threshold of ½.
    """
    delay = tau * math.sqrt(_LOG_HALF**2 + 0.5 / (ramp * tau)) if tau > 0 else 0.0
    return delay, 0.5 / delay if delay > 0 else math.inf


def chain(stages: list[float]) -> float:
    """Delay of stages of these time constants [s], each driven by the ramp of the one before, the first by a step [s]."""
    total, ramp = 0.0, math.inf
    for tau in stages:
        delay, ramp = ramp_delay(tau, ramp)
        total += delay
    return total


def pass_gate(node: Node, widths: tuple[float, float], *, columns: int = 1) -> tuple[float, float]:
    """Height and width of a pass gate over `columns` gate lines [m]: its transistors stand above each other."""
    n, p = (node.span(width / columns) for width in widths)
    margin = 2 * (node.rule("poly_extension") + node.rule("field_poly_gap") / 2)
    return n + p + node.rule("p_to_n") + margin, (columns + 1) * node.pitch


def flip_flop(node: Node) -> tuple[float, float, float]:
    """Area [m²], energy of a bit that is stored [J] and leakage [W] of a flip-flop.

    Four pass gates take the clock; the bit moves through three drains and four inverters.
    """
    one = inverter(node)
    n, p = node.smallest
    clock = 4 * (node.gate_capacitance(n) + node.gate_capacitance(p))
    data = 3 * one.c_out + 4 * (one.c_in + one.c_out)
    cells = node.shared["gates.flip_flop_cells"]
    return cells * one.area, (clock + data) * node.vdd**2, 8 * one.leakage
