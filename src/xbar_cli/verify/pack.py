"""The verification pack: every array model against oracles that share no code with it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from xbar_cli.array.lumped import lumped, lumped_dual
from xbar_cli.array.nodal import nodal
from xbar_cli.array.published import published_dual
from xbar_cli.array.wires import Wires
from xbar_cli.config.verify import VerifyConfig
from xbar_cli.reporter import Reporter
from xbar_cli.spice.arraysim import simulate_array
from xbar_cli.spice.backends import find_library
from xbar_cli.vectors import Floats
from xbar_cli.verify.cases import Case, CellKind, read_cases
from xbar_cli.verify.models import (
    FULL_SCALE,
    RELATIVE,
    JudgedCase,
    characterise,
    full_scale_error,
    relative_error,
    solve_case,
    wired_currents,
)
from xbar_cli.verify.sparse import crossbar

FIGURES = Path(__file__).parent / "oracles"
"""Arrays that other programs solved."""
QUCS, SPARSE, CLOSED = 1e-12, 1e-9, 1e-12
"""Relative errors allowed against Qucs, a sparse LU and closed forms."""
MISSING = "ngspice is not there: see xbar doctor"
OHMS = (Wires(10.0, 0.3, 500.0, 40.0), Wires(1.0, 1.0), Wires(0.0, 2.0, 100.0, 50.0), Wires(3.0, 0.0, 100.0, 50.0))
LARGE = (24, 24)
"""Size of the larger random arrays: every size of wired arrays is compiled once, for seconds."""
RANDOM = (((1, 7), OHMS[:1]), ((5, 4), OHMS), (LARGE, OHMS[:2]))
"""Sizes, with the resistances for each."""
CELL = CellKind(card="lp", width_m=90e-9, length_m=45e-9, vg_volt=1.0, topology="drain", temperature_celsius=27.0)


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Attributes:
        model: what is verified.
        oracle: against what.
        n: numbers compared.
        error: the largest error; None where the oracle is missing.
        allowed: the error up to which the check is passed.
        scale: what errors are relative to: each value (`relative`) or the largest (`full scale`).
        note: why it was left out.
    """

    model: str
    oracle: str
    n: int
    error: float | None
    allowed: float
    scale: str = "relative"
    note: str | None = None

    @property
    def passed(self) -> bool | None:
        """None where the oracle is missing."""
        return None if self.error is None else self.error <= self.allowed

    def summary(self) -> dict[str, Any]:
        """The check as the JSON of `verify` lists it."""
        return {
            "model": self.model, "oracle": self.oracle, "n": self.n, "max_error": self.error, "allowed": self.allowed,
            "scale": self.scale, "passed": self.passed, "note": self.note,
        }  # fmt: skip


def run_pack(config: VerifyConfig, *, reporter: Reporter) -> tuple[list[Check], list[JudgedCase]]:
    """Every check of the pack, and the bundled cases with their errors."""
    has_ngspice = find_library() is not None
    steps = 6 + 4 * has_ngspice
    checks: list[Check] = []
    outcomes: list[JudgedCase] = []

    def done(found: list[Check]) -> None:
        checks.extend(found)
        reporter.progress("verify", min(len(checks), steps), steps)

    reporter.progress("verify", 0, steps)
    for name in ("qucs", "ngspice"):
        cases = [c for c in bundled(name) if has_ngspice or c.cell is None]
        solved = [solve_case(case, sweep=config.sweep, reporter=reporter) for case in cases]
        outcomes += solved
        done(list(figures(name, solved)))
    done([against_sparse(config.seed), lumped_against_sparse(config.seed)])
    done(list(closed_forms(config.seed)))
    if has_ngspice:
        done(list(live(config, reporter)))
    else:
        done([Check("gated with wires", "ngspice figures and arrays", 0, None, FULL_SCALE, "full scale", MISSING)])
    return checks, outcomes


def bundled(name: str) -> list[Case]:
    """The solved arrays of `crossbars_<name>.json`."""
    return read_cases(FIGURES / f"crossbars_{name}.json", note=lambda _: None)


def figures(name: str, solved: list[JudgedCase]) -> Iterator[Check]:
    """The bundled arrays: outputs, node voltages, and those of 1T-1R cells."""
    oracle = {"qucs": "Qucs figures", "ngspice": "ngspice figures"}[name]
    linear, gated = ([o for o in solved if (o.case.cell is None) == kind] for kind in (True, False))
    allowed = QUCS if name == "qucs" else RELATIVE
    outputs = sum(o.case.output.size for o in linear)
    yield Check("nodal, currents", oracle, outputs, worst(o.output_error for o in linear), allowed)
    known = [o for o in linear if o.node_error is not None]
    if known:
        n = sum(values.size for o in known for values in o.case.nodes.values())
        yield Check("nodal, node voltages", oracle, n, worst(o.node_error for o in known), allowed)
    if gated:
        n = sum(o.case.output.size for o in gated)
        yield Check("gated with wires", oracle, n, worst(o.output_error for o in gated), FULL_SCALE, "full scale")


def worst(errors: Any) -> float:
    """The largest, NaN where there is one."""
    return float(np.max(np.array(list(errors), dtype=np.float64)))


def random_conductances(rng: np.random.Generator, shape: tuple[int, int], decades: float = 3.0) -> Floats:
    """Conductances over some decades, a tenth of the devices absent [S]."""
    g = 10 ** rng.uniform(-2 - decades, -2, shape)
    return np.where(rng.random(shape) < 0.1, 0.0, g)


def fold(g: Floats, wires: Wires) -> Floats:
    """The effective conductances by the exact fold [S]."""
    return np.asarray(nodal(jnp.asarray(g), wires).g_eff)


def against_sparse(seed: int) -> Check:
    """The fold of random arrays, every effective conductance."""
    rng = np.random.default_rng(seed)
    errors, n = [], 0
    with jax.enable_x64(True):
        for shape, choice in RANDOM:
            for wires in choice:
                g = random_conductances(rng, shape)
                errors.append(relative_error(fold(g, wires), crossbar(g, wires)[0]))
                n += g.size
    return Check("nodal, random arrays", "SciPy sparse LU", n, worst(errors), SPARSE)


def lumped_against_sparse(seed: int) -> Check:
    """The exact matrix form of source and neuron resistance."""
    rng = np.random.default_rng(seed + 1)
    errors, n, ends = [], 0, Wires(source=400.0, neuron=90.0)
    with jax.enable_x64(True):
        for shape, _ in RANDOM:
            g = random_conductances(rng, shape)
            found = np.asarray(lumped(jnp.asarray(g), ends).g_eff)
            errors.append(relative_error(found, crossbar(g, ends)[0]))
            n += g.size
    return Check("lumped, random arrays", "SciPy sparse LU", n, worst(errors), SPARSE)


def closed_forms(seed: int) -> Iterator[Check]:
    """Limits with a closed form."""
    rng = np.random.default_rng(seed + 2)
    g = random_conductances(rng, LARGE)
    lone = rng.uniform(1e-6, 1e-3, 1)
    wires = OHMS[0]
    with jax.enable_x64(True):
        series = lone / (1 + lone * sum(wires.floats()))
        yield _check("nodal, one device", "resistors in series", fold(lone[:, None], wires)[0], series)
        yield _check("nodal without resistance", "G itself", fold(g, Wires()), g)
        tiny = fold(g, replace(wires, word=1e-9, bit=1e-9))
        limit = np.asarray(lumped(jnp.asarray(g), replace(wires, word=0.0, bit=0.0)).g_eff)
        yield _check("nodal, wires of 1 nΩ", "lumped", tiny, limit, allowed=1e-9)
        turned = fold(g[::-1, ::-1].T, Wires(0.3, 10.0, 40.0, 500.0))
        yield _check(
            "nodal, inputs and outputs exchanged", "reciprocity", turned[::-1, ::-1].T, fold(g, wires), allowed=SPARSE
        )
        pair = (jnp.asarray(g), jnp.asarray(g[::-1]))
        for name, one in (("r_source", Wires(source=500.0)), ("r_neuron", Wires(neuron=40.0))):
            found, exact = (np.asarray(model(*pair, one).g_eff) for model in (published_dual, lumped_dual))
            yield _check(f"published, {name} alone", "lumped", found, exact)


def _check(model: str, oracle: str, found: Floats, reference: Floats, allowed: float = CLOSED) -> Check:
    return Check(model, oracle, reference.size, relative_error(found, reference), allowed)


def live(config: VerifyConfig, reporter: Reporter) -> Iterator[Check]:
    """Random arrays that ngspice solves now."""
    rng = np.random.default_rng(config.seed + 3)
    g, v = 1 / rng.uniform(30e3, 300e3, LARGE), rng.uniform(0.0, 0.5, (4, LARGE[0]))
    linear = Wires(2.5, 1.5, 200.0, 100.0)
    reference = simulated(None, g, v, linear, config)
    with jax.enable_x64(True):
        found = v @ fold(g, linear)
    yield Check("nodal, 24×24", "ngspice now", found.size, relative_error(found, reference), RELATIVE)
    g, v = g[:16, :16], v[:, :16]
    for vg, ohm in ((1.0, 2.5), (0.8, 2.5), (1.0, 0.0)):
        kind, wires = replace(CELL, vg_volt=vg), Wires(ohm, ohm)
        surrogate, _ = characterise(kind, g, v, wires, sweep=config.sweep, reporter=reporter)
        currents = wired_currents(surrogate, g, v, wires, name=f"16×16 at V_g {vg:g} V")
        error = full_scale_error(currents, simulated(kind, g, v, wires, config))
        model = f"gated, 16×16, V_g {vg:g} V, {ohm:g} Ω wires"
        yield Check(model, "ngspice now", currents.size, error, FULL_SCALE, "full scale")


def simulated(kind: CellKind | None, g: Floats, v: Floats, wires: Wires, config: VerifyConfig) -> Floats:
    """Column currents [batch cols] [A] from ngspice."""
    r_word, r_bit, r_source, r_neuron = wires.floats()
    found = simulate_array(
        kind and kind.circuit(), g_siemens=g, v_volt=v, vg_volt=kind and kind.vg_volt,
        timeout_s=config.sweep.timeout_seconds, r_word=r_word, r_bit=r_bit, r_source=r_source, r_neuron=r_neuron,
    )  # fmt: skip
    return found.current_ampere
