"""Netlists of cells and arrays, written from the templates of `spice_netlists/`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from string import Template
from typing import Literal

from xbar_cli.errors import ConfigError
from xbar_cli.spice.cards import Card, netlist_folder
from xbar_cli.spice.ngspice import number

Topology = Literal["drain", "source"]


@dataclass(frozen=True, kw_only=True)
class CellCircuit:
    """A 1T-1R cell as a circuit.

    Attributes:
        card: the transistor.
        width_m: its width [m].
        length_m: its length [m].
        topology: the memristor's place: at the transistor's `drain` (input side) or at its `source` (bit-line side).
        temperature_celsius: temperature [°C].

    Raises:
        ValueError: a size is not above 0, or the topology is neither.
    """

    card: Card
    width_m: float
    length_m: float
    topology: Topology
    temperature_celsius: float

    def __post_init__(self) -> None:
        if not (self.width_m > 0 and self.length_m > 0):
            raise ValueError(f"width_m and length_m must be above 0, got {self.width_m} and {self.length_m}")
        if self.topology not in ("drain", "source"):
            raise ValueError(f"topology must be drain or source, got {self.topology!r}")


@cache
def _template(name: str) -> Template:
    text = (netlist_folder() / f"{name}.cir").read_text(encoding="ascii")
    return Template("\n".join(line for line in text.splitlines() if not line.startswith("*")))


def cell_lines(
    cell: CellCircuit, *, name: str, g_siemens: float, top: str, bottom: str, vth_shift_volt: float | None = None
) -> list[str]:
    """One cell between the nodes `top` (input) and `bottom` (bit line), gated by `gate`; its inner node is `x<name>`.

    With BSIM4 the gate and body resistance networks are left out: they move dc currents by less than 5e-7.
    Raises ConfigError when a threshold shift is asked of a subcircuit that takes none.
    """
    card = cell.card
    parameters = ["rgatemod=0 rbodymod=0"] if card.is_bsim4 else []
    if vth_shift_volt is not None:
        if card.kind == "subckt" and "delvto" not in card.parameters:
            raise ConfigError(f"card {card.name}: subcircuit {card.model} takes no delvto, so no threshold shift")
        parameters.append(f"delvto={number(vth_shift_volt)}")
    text = _template(f"cell_{cell.topology}").substitute(
        name=name,
        letter="M" if card.kind == "model" else "X",
        model=card.model,
        input=top,
        gate="gate",
        output=bottom,
        resistance=number(1.0 / g_siemens),
        width=number(cell.width_m),
        length=number(cell.length_m),
        parameters=" ".join(parameters),
    )
    return [line.rstrip() for line in text.splitlines()]


def option_lines(*, temperature_celsius: float) -> list[str]:
    """Tolerances and temperature [°C] of every analysis."""
    return _template("options").substitute(temperature=number(temperature_celsius)).splitlines()


def bench_lines() -> list[str]:
    """Sources of the cell sweep: `vin` at `in`, `vg` at `gate`, `vbl` at `bl`."""
    return _template("bench_cell").substitute().splitlines()


def save_lines(vectors: Sequence[str]) -> list[str]:
    """Keep these vectors and no others."""
    return [".save " + " ".join(vectors[k : k + 40]) for k in range(0, len(vectors), 40)]


def speed_commands(card: Card) -> tuple[str, ...]:
    """Commands that save time and change no dc current: BSIM4's charges are computed in dc sweeps for nothing."""
    if card.is_bsim4 and card.kind == "model" and not card.binned:
        return (f"altermod {card.model} capmod = 0",)
    return ()
