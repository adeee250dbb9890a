"""The surrogates of a cell: what is fitted, how well it must fit, and what happens where it does not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbar_cli.cell.tables import Tables
from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.device.surrogate import Certificate, Fit, Knots, Samples, choose_surrogate
from xbar_cli.spice.sweep import CellTable

if TYPE_CHECKING:
    from xbar_cli.device.bit_line import LineFit, LineSamples

POWER_ERROR = 1e-2
"""Relative error asked of the power surrogate: energy constants are known far worse than that."""


@dataclass(frozen=True)
class Fitted:
    """One quantity's surrogates at every gate voltage, with their certificates."""

    fits: "Sequence[Fit | LineFit]"
    certificates: Sequence[Certificate]


@dataclass(frozen=True)
class Surrogates:
    """All surrogates of a cell: current into a bit line at 0 V, power, current into a bit line at any voltage."""

    current: Fitted
    power: Fitted
    bit_line: Fitted | None


def _each(table: CellTable, choose: "Callable[[int], tuple[Fit | LineFit, Certificate]]") -> Fitted:
    """What `choose` finds at every gate voltage."""
    fits, certificates = zip(*map(choose, range(table.vg_volt.size)), strict=True)
    return Fitted(fits, certificates)


def fit(config: CharacterizeConfig, tables: Tables) -> Surrogates:
    """Every surrogate of the smallest rank that reaches its error."""
    error, max_rank = config.surrogate.error, config.surrogate.max_rank
    table, fresh = tables.table, tables.fresh
    knots = surrogate_knots(config, table)

    def plain(samples: Callable[..., Samples], error: float) -> Fitted:
        def choose(index: int) -> tuple[Fit, Certificate]:
            known, checked = (found and samples(config, found, index, knots) for found in (table, fresh))
            assert known is not None
            return choose_surrogate(known, checked, error=error, max_rank=max_rank)

        return _each(table, choose)

    line = None
    if fresh is not None and table.bit_line_volt.size > 1:
        from xbar_cli.device.bit_line import choose_line  # JAX comes with it

        def choose(index: int) -> "tuple[LineFit, Certificate]":
            known, checked = (line_samples(config, found, index, knots) for found in (table, fresh))
            return choose_line(known, checked, error=error, max_rank=max_rank)

        line = _each(table, choose)
    return Surrogates(current=plain(current_samples, error), power=plain(power_samples, POWER_ERROR), bit_line=line)


def surrogate_knots(config: CharacterizeConfig, table: CellTable) -> Knots:
    """The knots of the surrogate's cubics: the simulated conductances, or as many as `g_points`, evenly over measured ones."""
    log_g, g = config.log_spaced, table.g_siemens
    if config.cell.table is None:
        return Knots(g, log_g)
    return Knots((np.geomspace if log_g else np.linspace)(g[0], g[-1], max(config.sweep.g_points, 4 * g.size)), log_g)


def current_samples(config: CharacterizeConfig, table: CellTable, index: int, knots: Knots) -> Samples:
    """The current into a bit line at 0 V [A], at one gate voltage."""
    return Samples(
        g=table.g_siemens, v=table.vin_volt, value=table.plain_current[index], value_at_zero=table.plain_leakage[index],
        v_floor=config.range.vin_min_volt, knots=knots,
    )  # fmt: skip


def power_samples(config: CharacterizeConfig, table: CellTable, index: int, knots: Knots) -> Samples:
    """The power drawn from input and gate [W]: V_in I_in + V_g I_g, I_g what leaves the cell and did not enter at the input."""
    at, vg, vin = table.grounded, table.vg_volt[index], table.vin_volt
    out, into = table.current_ampere[at, index], table.input_current_ampere[at, index]
    gate_at_zero = table.leakage_ampere[at, index] - table.input_leakage_ampere[at, index]
    return Samples(
        g=table.g_siemens, v=vin, value=vin * into + vg * (out - into), value_at_zero=vg * gate_at_zero,
        v_floor=config.range.vin_min_volt, knots=knots,
    )  # fmt: skip


def line_samples(config: CharacterizeConfig, table: CellTable, index: int, knots: Knots) -> "LineSamples":
    """The current into a bit line at any of its voltages [A], at one gate voltage."""
    from xbar_cli.device.bit_line import LineSamples

    return LineSamples(
        u=table.bit_line_volt, g=table.g_siemens, v=table.vin_volt, value=table.current_ampere[:, index],
        at_rest=table.rest_ampere[:, index], v_floor=config.range.vin_min_volt, knots=knots,
    )  # fmt: skip


@dataclass(frozen=True)
class Miss:
    """A gate voltage at which a surrogate of the current does not keep to its error.

    Attributes:
        index: number of the gate voltage.
        vg: gate voltage [V].
        best: error of the best surrogate.
        wanted: error asked for.
        of: which surrogate, for a message.
        key: that allows more.
    """

    index: int
    vg: float
    best: float
    wanted: float
    of: str
    key: str

    def describe(self, config: CharacterizeConfig) -> str:
        """What is missing, and what to do."""
        return (
            f"no surrogate{self.of} of rank up to {config.surrogate.max_rank} reaches error {self.wanted:g} at "
            f"V_g {self.vg:g} V: the best has {self.best:.2g}; {remedy(config)}, or allow more with {self.key}"
        )


def misses(config: CharacterizeConfig, surrogates: Surrogates, vg: NDArray[np.float64]) -> list[Miss]:
    """The gate voltages at which a surrogate of the current misses its error, each once, ascending."""
    wanted, found = config.surrogate, dict[int, Miss]()
    line = " with the bit line's voltage (sweep.vbl_volt)"
    judged = (
        (surrogates.bit_line, line, wanted.line_error, "surrogate.line_error"),
        (surrogates.current, "", wanted.error, "surrogate.error"),
    )
    for fitted, of, error, key in judged:
        for index, certificate in enumerate(fitted.certificates) if fitted else ():
            if not certificate.max_error <= error:
                found[index] = Miss(index, float(vg[index]), certificate.max_error, error, of, key)
    return [found[index] for index in sorted(found)]


def remedy(config: CharacterizeConfig) -> str:
    """What may make a surrogate better."""
    if config.cell.table is not None:
        return "measure more points"
    return "take more sweep.g_points" if config.log_spaced else "take sweep.g_spacing = log or more sweep.g_points"
