"""Solved crossbars in JSON: reading and checking the file of cases that `xbar verify` takes.

The file: `{"about": text, "cases": {name: case, …}}`. A case: `resistance_ohm` [rows][cols] (Infinity, or null, is no
device), `applied_v` [rows], `r_word_ohm`, `r_bit_ohm`, perhaps `r_source_ohm` and `r_neuron_ohm` (else 0; each may be 0 or
Infinity), `output_a` [cols], perhaps `word_v` and `bit_v` [rows][cols], perhaps `tolerance` (the error that passes) or `digits`
(significant digits of the figures, of which half a unit of the last passes); with `cell` (`card`, `width_m`, `length_m`,
`vg_volt`, perhaps `topology` and `temperature_celsius`) it is an array of 1T-1R cells.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xbar_cli.array.wires import Wires
from xbar_cli.errors import ConfigError
from xbar_cli.outside import quoted, read_json
from xbar_cli.spice.cards import load_card
from xbar_cli.spice.netlist import CellCircuit, Topology
from xbar_cli.vectors import Matrix, Vector

Note = Callable[[str], None]

MOST_CASES = 10_000
"""Arrays that one file may hold."""
KEYS = frozenset(
    ("resistance_ohm", "applied_v", "r_word_ohm", "r_bit_ohm", "r_source_ohm", "r_neuron_ohm", "output_a", "word_v",
     "bit_v", "cell", "about", "source", "tolerance", "digits")
)  # fmt: skip
CELL_KEYS = frozenset(("card", "width_m", "length_m", "vg_volt", "topology", "temperature_celsius"))
WIRES = {"r_word_ohm": None, "r_bit_ohm": None, "r_source_ohm": 0.0, "r_neuron_ohm": 0.0}
"""The resistances of a case, and what they are when absent."""


@dataclass(frozen=True)
class CellKind:
    """The transistor of the cells of an array."""

    card: str
    width_m: float
    length_m: float
    vg_volt: float
    topology: Topology
    temperature_celsius: float

    def circuit(self) -> CellCircuit:
        """For the simulator. Raises ConfigError where there is no such card."""
        return CellCircuit(
            card=load_card(self.card), width_m=self.width_m, length_m=self.length_m, topology=self.topology,
            temperature_celsius=self.temperature_celsius,
        )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """An array that somebody else solved.

    Attributes:
        name: of the case, with its file.
        g: conductances [rows cols] [S]; 0 is no device.
        v: row voltages [rows] [V].
        wires: resistances; 0 and infinity are allowed.
        output: current into ground of each bit line [cols] [A].
        nodes: voltages of the word-line (`word`) and bit-line (`bit`) nodes [rows cols] [V], where they are known.
        cell: of an array of 1T-1R cells, whose memristors g are; None for resistors.
        tolerance: the error that passes; None where the case does not say.
    """

    name: str
    g: Matrix
    v: Vector
    wires: Wires
    output: Vector
    nodes: dict[str, Matrix]
    cell: CellKind | None
    tolerance: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether no current can flow from a source to ground."""
        return any(map(math.isinf, self.wires.floats())) or not self.g.any()


def read_cases(path: Path, *, note: Note) -> list[Case]:
    """The cases of a file; `note` is told of each key not used. ConfigError says what is wrong, where, and what is allowed."""
    tree = read_json(path)
    cases = tree.get("cases") if isinstance(tree, dict) else None
    if not isinstance(cases, dict) or not cases:
        raise ConfigError(f'{path}: wanted is {{"cases": {{name: case, …}}}} with at least one case')
    if len(cases) > MOST_CASES:
        raise ConfigError(f"{path}: {len(cases)} cases; at most {MOST_CASES} are solved at once")
    return [_case(f"{path}, case {name}", case, note=note) for name, case in cases.items()]


def _case(where: str, tree: Any, *, note: Note) -> Case:
    if not isinstance(tree, dict):
        raise ConfigError(
            f"{where}: must be an object with the keys resistance_ohm, applied_v, r_word_ohm, r_bit_ohm, output_a"
        )
    _unused(where, tree, KEYS, note)
    ohm = _matrix(where, tree, "resistance_ohm", allowed=_positive, rule="above 0 ohm; Infinity or null is no device")
    rows, cols = ohm.shape
    ohms = {key: _get(where, tree, key, default) for key, default in WIRES.items()}
    wires = Wires(*(_number(f"{where}: {key}", r, _not_negative, "of at least 0 ohm") for key, r in ohms.items()))
    word_and_bit = {
        name: _matrix(where, tree, f"{name}_v", allowed=math.isfinite, rule="finite", shape=(rows, cols))
        for name in ("word", "bit")
        if f"{name}_v" in tree
    }
    return Case(
        name=where.rpartition(", case ")[2], g=1 / ohm, v=_vector(where, tree, "applied_v", rows, "row"), wires=wires,
        output=_vector(where, tree, "output_a", cols, "column"), nodes=word_and_bit,
        cell=_cell(where, tree["cell"], note) if "cell" in tree else None, tolerance=_tolerance(where, tree),
    )  # fmt: skip


def _tolerance(where: str, tree: Mapping[str, Any]) -> float | None:
    """The error that passes: as given, or half a unit of the last digit of figures that start with 1, the worst case."""
    if "tolerance" in tree and "digits" in tree:
        raise ConfigError(f"{where}: tolerance and digits both say which error passes; leave out one")
    if "tolerance" in tree:
        return _number(f"{where}: tolerance", tree["tolerance"], lambda x: 0 < x < 1, "above 0 and below 1")
    if "digits" in tree:
        digits = _number(f"{where}: digits", tree["digits"], lambda x: x in range(1, 18), "of digits, 1 to 17")
        return 0.5 * 10.0 ** (1 - digits)
    return None


def _cell(where: str, tree: Any, note: Note) -> CellKind:
    where = f"{where}: cell"
    if not isinstance(tree, dict):
        raise ConfigError(f"{where} must be an object with the keys card, width_m, length_m, vg_volt")
    _unused(where, tree, CELL_KEYS, note)
    card, topology = _get(where, tree, "card"), tree.get("topology", "drain")
    if not isinstance(card, str):
        raise ConfigError(f"{where}: card = {quoted(card)} must be the name of a transistor card, or a file with one")
    if topology not in ("drain", "source"):
        raise ConfigError(f"{where}: topology = {quoted(topology)} must be drain or source")

    def number(key: str, allowed: Callable[[float], bool], rule: str, default: float | None = None) -> float:
        return _number(f"{where}: {key}", _get(where, tree, key, default), allowed, rule)

    return CellKind(
        card=card, width_m=number("width_m", _size, "above 0 m"), length_m=number("length_m", _size, "above 0 m"),
        vg_volt=number("vg_volt", _size, "above 0 V"), topology=topology,
        temperature_celsius=number("temperature_celsius", lambda x: -100 <= x <= 300, "from -100 to 300", 27.0),
    )  # fmt: skip


def _positive(x: float) -> bool:
    return x > 0


def _not_negative(x: float) -> bool:
    return x >= 0


def _size(x: float) -> bool:
    return 0 < x < math.inf


def _unused(where: str, tree: Mapping[str, Any], known: frozenset[str], note: Note) -> None:
    """A resistance that is not known is an error: it would change the result. Anything else is only noted."""
    for key in tree.keys() - known:
        if key.startswith("r_"):
            raise ConfigError(f"{where}: unknown key {quoted(key)}; known are {', '.join(sorted(known))}")
        note(f"{where}: {quoted(key)} is not used")


def _get(where: str, tree: Mapping[str, Any], key: str, default: Any = None) -> Any:
    value = tree.get(key, default)
    if value is None:
        raise ConfigError(f"{where}: {key} is missing")
    return value


def _number(what: str, value: Any, allowed: Callable[[float], bool], rule: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not allowed(value):
        raise ConfigError(f"{what} = {quoted(value)} must be a number {rule}")
    return float(value)


def _vector(where: str, tree: Mapping[str, Any], key: str, length: int, of: str) -> Vector:
    values = _get(where, tree, key)
    if not isinstance(values, list) or len(values) != length:
        has = f"{len(values)} numbers" if isinstance(values, list) else repr(values)
        raise ConfigError(f"{where}: {key} must have one number per {of} of resistance_ohm, {length} in all, got {has}")
    return np.array([_number(f"{where}: {key}[{k}]", x, math.isfinite, "finite") for k, x in enumerate(values)])


def _matrix(
    where: str,
    tree: Mapping[str, Any],
    key: str,
    *,
    allowed: Callable[[float], bool],
    rule: str,
    shape: tuple[int, int] | None = None,
) -> Matrix:
    rows = _get(where, tree, key)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) and row for row in rows):
        raise ConfigError(f"{where}: {key} must be a list of rows, each a list of numbers")
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise ConfigError(
            f"{where}: {key} has rows of {min(lengths)} and of {max(lengths)} numbers; all must have one length"
        )
    found = (len(rows), len(rows[0]))
    if shape not in (None, found):
        raise ConfigError(f"{where}: {key} has {found[0]}×{found[1]} numbers, and resistance_ohm {shape[0]}×{shape[1]}")
    null = math.inf if key == "resistance_ohm" else None
    return np.array(
        [
            [_number(f"{where}: {key}[{i}][{j}]", null if x is None else x, allowed, rule) for j, x in enumerate(row)]
            for i, row in enumerate(rows)
        ]
    )
