"""Solving a case with the project's own models: exact linear arrays, arrays of 1T-1R cells, and the errors of both."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from xbar_cli.array.kirchhoff import kirchhoff_residual
from xbar_cli.array.nodal import nodal, solve
from xbar_cli.array.wired.newton import gated_wired, require_solved
from xbar_cli.array.wires import Wires, shared
from xbar_cli.cell.surrogates import line_samples, surrogate_knots
from xbar_cli.cell.tables import ABOVE_ON, BELOW_OFF, cell_tables
from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.config.load import validate
from xbar_cli.config.verify import SimulatorSection
from xbar_cli.device.bit_line import choose_line
from xbar_cli.device.surrogate import Certificate
from xbar_cli.device.transistor import BitLineSeparable
from xbar_cli.errors import ConfigError, ModelError, SpiceError
from xbar_cli.reporter import Reporter
from xbar_cli.vectors import Floats
from xbar_cli.verify.cases import Case, CellKind

OPEN = 1e30
"""What stands for an infinite resistance where node voltages are asked for [ohm]."""
RELATIVE, FULL_SCALE = 1e-8, 1e-3
"""Errors that a linear case and a 1T-1R case of a file may have: the linear ones of a simulator carry its least conductance."""
ZERO = 1e-14
"""A current below this share of what its column's devices carry, signs apart, is 0 to the rounding of who solved the case."""
SURROGATE_ERROR = 3e-4
"""Asked of the cell's surrogate between the points of its table; where no rank reaches it, the best is taken."""
LEAST_LINE = 0.02
"""The bit line's axis reaches at least so far [V]."""


@dataclass(frozen=True)
class Solved:
    """What a model gives for a case: column currents [cols] [A], and node voltages [rows cols] [V] of linear arrays."""

    output: Floats
    nodes: dict[str, Floats]


@dataclass(frozen=True)
class JudgedCase:
    """A case and its error.

    Attributes:
        case: the case.
        output: column currents found [A].
        output_error: relative in a linear case, of the largest output in one of 1T-1R cells.
        node_error: relative error of the node voltages; None where the case has none.
    """

    case: Case
    output: Floats
    output_error: float
    node_error: float | None

    @property
    def error(self) -> float:
        """The larger of the two."""
        return self.output_error if self.node_error is None else float(np.maximum(self.output_error, self.node_error))

    @property
    def passed(self) -> bool:
        """Whether the error is within what is allowed; not so where it is NaN."""
        return self.error <= self.allowed

    @property
    def allowed(self) -> float:
        """The error that passes: the case's own tolerance, or that of its kind."""
        if self.case.tolerance is not None:
            return self.case.tolerance
        return RELATIVE if self.case.cell is None else FULL_SCALE

    def summary(self) -> dict[str, Any]:
        """The case as the JSON of `verify` lists it."""
        linear = self.case.cell is None
        return {
            "case": self.case.name,
            "model": "nodal" if linear else "gated",
            "array": list(self.case.g.shape),
            "max_relative_error": self.error if linear else None,
            "max_full_scale_error": None if linear else self.error,
            "max_node_relative_error": self.node_error,
            "allowed": self.allowed,
            "output_ampere": self.output.tolist(),
            "passed": self.passed,
        }


def relative_error(found: Floats, reference: Floats, *, at_zero: Any = 0.0) -> float:
    """The largest |found − reference| / max(|reference|, 1e-12 max |reference|); 0 where both are 0 throughout.

    Where the reference is 0, to `ZERO` of `at_zero` (which broadcasts with it), the error counts against that.
    """
    size = np.abs(reference)
    scale = np.where(size <= ZERO * at_zero, at_zero, np.maximum(size, 1e-12 * size.max()))
    return _ratio(np.abs(found - reference), scale)


def full_scale_error(found: Floats, reference: Floats, *, at_zero: float = 0.0) -> float:
    """The largest |found − reference| over the largest |reference|, or over `at_zero` where all are 0."""
    return _ratio(np.abs(found - reference), np.abs(reference).max() or at_zero)


def carried(case: Case) -> Floats:
    """What the devices of each column carry, signs apart: Σ |G V|, of the effective conductances [cols] [A].

    A column whose inputs cancel has no current of its own that an error could be relative to. With the wires in G the sum is as
    small as the currents that they let through. Where no reference is 0 the wires are left out: nothing counts against it.
    """
    plain = np.abs(case.v) @ case.g
    if case.cell is not None or case.is_open or not np.any(np.abs(case.output) <= ZERO * plain):
        return plain
    with jax.enable_x64(True):
        return np.abs(case.v) @ np.abs(np.asarray(nodal(jnp.asarray(case.g), case.wires).g_eff))


def _ratio(difference: Floats, size: Any) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.max(np.where(difference == 0, 0.0, difference / size)))


def judged(case: Case, solved: Solved) -> JudgedCase:
    """The errors of what a model gave."""
    scale = carried(case)
    if case.cell is not None:
        error = full_scale_error(solved.output, case.output, at_zero=float(scale.max()))
        return JudgedCase(case, solved.output, error, None)
    volt = float(np.abs(case.v).max())
    errors = [relative_error(solved.nodes[name], known, at_zero=volt) for name, known in case.nodes.items()]
    error = relative_error(solved.output, case.output, at_zero=scale)
    return JudgedCase(case, solved.output, error, float(np.max(errors)) if errors else None)


def solve_case(case: Case, *, sweep: SimulatorSection, reporter: Reporter) -> JudgedCase:
    """Solve a case with the model for it. ModelError, with the case's name, where it does not converge or leaves its domain.

    A case with a cell takes the simulator, which characterises it: SpiceError where that is missing or fails.
    """
    if case.cell is None:
        return judged(case, solve_linear(case))
    if case.is_open:
        return judged(case, Solved(np.zeros_like(case.output), {}))
    try:
        surrogate, _ = characterise(case.cell, case.g, case.v[None], case.wires, sweep=sweep, reporter=reporter)
    except (ConfigError, SpiceError) as error:
        raise type(error)(f"case {case.name}: {error}") from None
    return judged(case, Solved(wired_currents(surrogate, case.g, case.v[None], case.wires, name=case.name)[0], {}))


def solve_linear(case: Case) -> Solved:
    """Column currents and node voltages of an array of resistors, exactly. No source reaches the array: all is at 0."""
    if math.inf in (case.wires.source, case.wires.word):
        return Solved(np.zeros_like(case.output), {name: np.zeros_like(case.g) for name in ("word", "bit")})
    wires = Wires(*(min(r, OPEN) for r in case.wires.floats()))
    with jax.enable_x64(True):
        g, v = jnp.asarray(case.g), jnp.asarray(case.v)
        found = solve(g, v, wires)
        residual = float(kirchhoff_residual(g, v, found.word, found.bit, wires))
    if not residual <= 1e-9:
        raise ModelError(f"case {case.name}: the linear array was not solved (residual {residual:.1e})")
    output = np.zeros_like(case.output) if case.is_open else np.asarray(found.current)
    return Solved(output, {"word": np.asarray(found.word), "bit": np.asarray(found.bit)})


def wired_currents(surrogate: BitLineSeparable, g: Floats, v: Floats, wires: Wires, *, name: str) -> Floats:
    """Column currents [batch cols] [A] of an array of 1T-1R cells for inputs [batch rows] [V]. Raises ModelError."""
    with jax.enable_x64(True):
        found = gated_wired(surrogate, jnp.asarray(g), jnp.asarray(v), wires)
    require_solved(found, tile=f"case {name}", surrogate=surrogate)
    return np.asarray(found.current)


def characterise(
    kind: CellKind, g: Floats, v: Floats, wires: Wires, *, sweep: SimulatorSection, reporter: Reporter
) -> tuple[BitLineSeparable, Certificate]:
    """The surrogate of a cell on its bit line, over what an array asks of it: conductances, inputs and bit-line voltages."""
    config = cell_config(kind, g, v, wires, sweep=sweep)
    tables = cell_tables(config, reporter=reporter)
    assert tables.fresh is not None
    knots = surrogate_knots(config, tables.table)
    table, fresh = (line_samples(config, found, 0, knots) for found in (tables.table, tables.fresh))
    fit, certificate = choose_line(table, fresh, error=SURROGATE_ERROR, max_rank=config.surrogate.max_rank)
    return fit.to_jax(), certificate


def cell_config(kind: CellKind, g: Floats, v: Floats, wires: Wires, *, sweep: SimulatorSection) -> CharacterizeConfig:
    """The characterisation that covers an array; the usual ranges where they do, so that the cache serves many arrays."""
    top = round(max(0.5, math.ceil(float(np.abs(v).max()) / 0.1) * 0.1), 9)
    vin = f"{-top:g}:{top:g}:101" if v.min() < 0 else f"0.01:{top:g}:51"
    line = round(max(LEAST_LINE, math.ceil(bit_line_bound(g, v, wires) / 0.02) * 0.02), 9)
    present = g[g > 0]
    usual = CharacterizeConfig().cell
    on, off = 1 / usual.r_on_ohm, 1 / usual.r_off_ohm
    if present.min() < BELOW_OFF * off or present.max() > ABOVE_ON * on:
        on, off = float(present.max()), min(float(present.min()), 0.5 * float(present.max()))
    tree = {
        "cell": {
            "card": kind.card, "width_m": kind.width_m, "length_m": kind.length_m, "topology": kind.topology,
            "temperature_celsius": kind.temperature_celsius, "r_on_ohm": 1 / on, "r_off_ohm": 1 / off,
        },
        "sweep": {
            "vg_range": repr(kind.vg_volt), "vin_range": vin, "vbl_volt": min(line, 1.0),
            "g_spacing": "log" if on / off > 30 else "linear", "g_points": 96 if on / off > 30 else 64,
            "cache": sweep.cache, "timeout_seconds": sweep.timeout_seconds,
        },
    }  # fmt: skip
    return validate(CharacterizeConfig, tree, {})


def bit_line_bound(g: Floats, v: Floats, wires: Wires) -> float:
    """No bit line of a 1T-1R array reaches a higher |voltage| than with its memristors alone, all at the largest input [V]."""
    _, segment, _, end = wires.floats()
    loaded = shared(g.shape[0], segment=segment, end=end)[::-1, ::-1][None] * g.T[:, None, :]
    reached = np.linalg.solve(np.eye(g.shape[0]) + loaded, loaded.sum(-1, keepdims=True))
    return float(np.abs(v).max() * reached.max())
