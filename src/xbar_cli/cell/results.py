"""What results.nc of a characterisation holds: tables, linear ranges, surrogates with certificates, sampled transistors."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbar_cli.cell.mismatch import SampledCells
from xbar_cli.cell.range import Ranges, cut_share, edges, effective_conductance, leakage_ranges, supply_ranges
from xbar_cli.cell.surrogates import Surrogates
from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.device.linear_range import tolerance_metric
from xbar_cli.device.surrogate import Fit
from xbar_cli.runs.results import Field, field
from xbar_cli.spice.sweep import CellTable
from xbar_cli.vectors import Vector

if TYPE_CHECKING:
    from xbar_cli.device.bit_line import LineFit

Fields = dict[str, Field]
KIND = {"xbar_kind": "cell"}
"""What marks the file."""
QUANTITIES = {"current": "A", "power": "W", "bit_line": "A"}


def results(
    config: CharacterizeConfig, table: CellTable, surrogates: Surrogates, marked: Collection[int] = ()
) -> Fields:
    """Everything of results.nc but the mismatch; `marked` gate voltages, by number, have no surrogate."""
    vin_used, g_eff = effective_conductance(table, config.range.vin_min_volt)
    tm = tolerance_metric(g_eff, metric=config.range.metric)
    linear = edges(config, table.g_siemens, tm, tolerance=config.range.tolerance)
    fits = np.array([index not in marked for index in range(table.vg_volt.size)])
    found = axis_fields(table, vin_used) | table_fields(table, g_eff, tm, metric=config.range.metric)
    found |= range_fields(config, table, tm, linear)
    found |= use_fields(config, cut_share(config, table, g_eff.mean(axis=-1), linear, fits), fits)
    if config.range.vdd:
        found |= supply_fields(config, table)
    if config.range.leakage_limit_ampere is not None:
        found |= leakage_fields(config, table, linear)
    return found | surrogate_fields(surrogates, marked)


def axis_fields(table: CellTable, vin_used: Vector) -> Fields:
    """The coordinates."""
    return {
        "vg": field(("vg",), np.round(table.vg_volt, 9), unit="V", long_name="gate voltage"),
        "g": field(("g",), table.g_siemens, unit="S", long_name="memristor conductance"),
        "vin": field(("vin",), table.vin_volt, unit="V", long_name="input voltage"),
        "vin_used": field(("vin_used",), vin_used, unit="V", long_name="input voltages at which G_eff is read"),
    }


def table_fields(table: CellTable, g_eff: Vector, tm: Vector, *, metric: str) -> Fields:
    """Currents, effective conductances and how far these are from constant."""
    grid, by_g, drawn = ("vg", "g", "vin"), ("vg", "g"), table.input_current_ampere[table.grounded]
    return {
        "current": field(grid, table.plain_current, unit="A", long_name="current into the bit line"),
        "input_current": field(grid, drawn, unit="A", long_name="current drawn from the input"),
        "effective_conductance": field(
            ("vg", "g", "vin_used"), g_eff, unit="S", long_name="bit-line current over V_in"
        ),
        "leakage": field(by_g, table.plain_leakage, unit="A", long_name="current into the bit line at V_in = 0"),
        "mean_effective_conductance": field(by_g, g_eff.mean(axis=-1), unit="S", long_name="mean of G_eff over V_in"),
        "tolerance_metric": field(by_g, tm, unit="1", long_name=f"{metric} of G_eff over V_in"),
    }


def range_fields(config: CharacterizeConfig, table: CellTable, tm: Vector, linear: Ranges) -> Fields:
    """The edges of the linear range, and what they are edges of."""
    second = edges(config, table.g_siemens, tm, tolerance=config.range.second_tolerance)
    g_off, g_on, least = 1 / config.cell.r_off_ohm, 1 / config.cell.r_on_ohm, config.range.vin_min_volt
    return {
        "g_lo": field(("vg",), linear.g_lo, unit="S", long_name="lower edge of the linear range"),
        "g_cut": field(("vg",), linear.g_cut, unit="S", long_name="upper edge of the linear range"),
        "g_cut_second": field(("vg",), second.g_cut, unit="S", long_name="upper edge at the second tolerance"),
        "g_off": field((), g_off, unit="S", long_name="conductance of the high-resistance state"),
        "g_on": field((), g_on, unit="S", long_name="conductance of the low-resistance state"),
        "vin_min": field((), least, unit="V", long_name="least |V_in| at which G_eff is read"),
    }


def use_fields(config: CharacterizeConfig, share: Vector, fits: NDArray[np.bool_]) -> Fields:
    """What an array can make of the cell, and the transistor's size."""
    known = "1: the surrogates keep to their error; 0: there is none"
    return {
        "w_cut_over_w_max": field(("vg",), share, unit="1", long_name="largest weight inside the linear range"),
        "surrogate_fits": field(("vg",), fits.astype(np.int8), unit="1", long_name=known),
        "width": field((), config.cell.width_m, unit="m", long_name="width of the transistor"),
        "length": field((), config.cell.length_m, unit="m", long_name="length of the transistor"),
    }


def supply_fields(config: CharacterizeConfig, table: CellTable) -> Fields:
    """The linear ranges up to each supply voltage."""
    volts, found, metrics = supply_ranges(config, table)
    by_supply = ("vdd", "vg")
    return {
        "vdd": field(("vdd",), volts, unit="V", long_name="supply voltage"),
        "supply_tolerance_metric": field((*by_supply, "g"), metrics, unit="1", long_name="metric up to V_dd"),
        "supply_g_lo": field(by_supply, [r.g_lo for r in found], unit="S", long_name="lower edge up to V_dd"),
        "supply_g_cut": field(by_supply, [r.g_cut for r in found], unit="S", long_name="upper edge up to V_dd"),
    }


def leakage_fields(config: CharacterizeConfig, table: CellTable, linear: Ranges) -> Fields:
    """The linear ranges within the limit of a bit line's leakage."""
    left, worst = leakage_ranges(config, table, linear)
    return {
        "line_leakage": field(("vg",), worst, unit="A", long_name="largest current of a bit line at V_in = 0"),
        "leakage_g_lo": field(("vg",), left.g_lo, unit="S", long_name="lower edge within the leakage limit"),
        "leakage_g_cut": field(("vg",), left.g_cut, unit="S", long_name="upper edge within the leakage limit"),
    }


def surrogate_fields(surrogates: Surrogates, marked: Collection[int]) -> Fields:
    """Coefficients and certificates of every surrogate.

    At `marked` gate voltages the certificates are those of the best that was tried, and its coefficients are not kept (NaN).
    """
    named = {"current": surrogates.current, "power": surrogates.power, "bit_line": surrogates.bit_line}
    data = domain_fields(surrogates)
    for name, fitted in named.items():
        if fitted is None:
            continue
        coefficients = coefficient_fields(name, fitted.fits)
        for index in marked:
            for key in ("base", "factors", "polynomials"):
                coefficients[f"{name}_{key}"].values[index] = np.nan
        data |= coefficients
        for kind in ("max_error", "rms_error", "full_scale_error"):
            data[f"{name}_{kind}"] = field(
                ("vg",), [getattr(c, kind) for c in fitted.certificates], unit="1",
                long_name=f"{kind.replace('_', ' ')} of the {name} surrogate between the grid's points",
            )  # fmt: skip
    return data


def coefficient_fields(name: str, fits: "Sequence[Fit | LineFit]") -> Fields:
    """The coefficients of one quantity's surrogates, one for each gate voltage, zero-padded to the largest rank and degree.

    That of the bit line's voltage (`bit_line`) has one more axis of Chebyshev coefficients over that voltage.
    """
    arrays = [fit.arrays() for fit in fits]
    ranks = [fit.rank for fit in fits]
    widths = [a["polynomials"].shape[-1] for a in arrays]
    term, unit = f"{name}_term", QUANTITIES[name]
    line = ("line_order",) if arrays[0]["base"].ndim == 3 else ()

    def padded(key: str, shape: tuple[int, ...]) -> list[np.ndarray]:
        return [
            np.pad(a[key], [(0, want - have) for want, have in zip(shape, a[key].shape, strict=True)]) for a in arrays
        ]

    segments, orders = arrays[0]["base"].shape[1], arrays[0]["base"].shape[2:]
    return {
        f"{name}_base": field(
            ("vg", "power_of_g", "segment", *line), [a["base"] for a in arrays], unit=unit,
            long_name=f"cubic coefficients of the {name} at V_in = {'V_bl' if line else '0'}",
        ),
        f"{name}_factors": field(
            ("vg", "power_of_g", "segment", term), padded("factors", (4, segments, max(ranks))), unit=f"{unit} V-1 S-1",
            long_name=f"cubic coefficients of the conductance factors of the {name}",
        ),
        f"{name}_polynomials": field(
            ("vg", *line, term, f"{name}_order"), padded("polynomials", (*orders, max(ranks), max(widths))), unit="1",
            long_name=f"Chebyshev coefficients of the voltage factors of the {name}",
        ),
        f"{name}_rank": field(("vg",), ranks, unit="1", long_name=f"rank of the {name} surrogate"),
        f"{name}_degree": field(
            ("vg",), [width - 1 for width in widths], unit="1", long_name=f"degree of the {name} surrogate"
        ),
    }  # fmt: skip


def domain_fields(surrogates: Surrogates) -> Fields:
    """The knots and the voltages that all surrogates of a file share."""
    fit = surrogates.current.fits[0]
    assert isinstance(fit, Fit)
    found = {
        "g_knot": field(("knot",), fit.knots.g, unit="S", long_name="conductances between the surrogate's cubics"),
        "g_knot_log": field((), int(fit.knots.log_g), unit="1", long_name="1: the logarithms of the knots are even"),
        "v_min": field((), fit.v_min, unit="V", long_name="lower end of the voltage polynomials"),
        "v_max": field((), fit.v_max, unit="V", long_name="upper end of the voltage polynomials"),
    }
    if surrogates.bit_line is not None:
        ends = surrogates.bit_line.fits[0].arrays()
        for name in ("line_min", "line_max"):
            found[name] = field((), ends[name], unit="V", long_name=f"{name[5:]}imum bit-line voltage of the surrogate")
    return found


def mismatch_fields(found: SampledCells) -> Fields:
    """The sampled transistors, as results.nc holds them."""
    by_sample = ("vg", "sample")
    return {
        "vth_sigma": field((), found.sigma, unit="V", long_name="standard deviation of the threshold voltage"),
        "vth_shift": field(("sample",), found.shift, unit="V", long_name="shift of the threshold voltage"),
        "mismatch_g": field(("mismatch_point",), found.g, unit="S", long_name="memristor conductance of the samples"),
        "mismatch_g_eff": field(
            (*by_sample, "mismatch_point"), found.g_eff, unit="S", long_name="mean effective conductance of the samples"
        ),
        "mismatch_g_lo": field(by_sample, found.g_lo, unit="S", long_name="lower edge of each sample's range"),
        "mismatch_g_cut": field(by_sample, found.g_cut, unit="S", long_name="upper edge of each sample's range"),
    }
