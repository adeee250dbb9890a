"""Writes docs/cells.md: what the cell laboratory measures, and the surrogates of the five built-in cards."""

import sys
from pathlib import Path

import numpy as np

from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.spice.cards import card_names
from xbar_cli.workflows.cell_range import effective_conductance, ranges
from xbar_cli.workflows.cell_tables import cell_tables
from xbar_cli.workflows.characterize import fit, tolerance_metric
from xbar_cli.workflows.reporter import SILENT

ROOT = Path(__file__).resolve().parents[1]
TEXT = ROOT / "scripts" / "cells_head.md"
TARGET = ROOT / "docs" / "cells.md"


def table(card: str) -> list[str]:
    """One line for each gate voltage: rank, certificate, linear range."""
    config = CharacterizeConfig.model_validate({"cell": {"card": card}, "sweep": {"vg_range": "0.7:1.3:0.1"}})
    tables = cell_tables(config, reporter=SILENT)
    current, g = fit(config, tables).current, tables.table.g_siemens
    tm = tolerance_metric(effective_conductance(tables.table, config.range.vin_min_volt)[1], metric=config.range.metric)
    found = ranges(g, tm, tolerance=config.range.tolerance, g_off=1 / 300e3, g_on=1 / 30e3)
    lines = []
    for k, vg in enumerate(tables.table.vg_volt):
        c = current.certificates[k]
        edges = [f"{value * 1e6:.2f}" if np.isfinite(value) else "none" for value in (found.g_lo[k], found.g_cut[k])]
        errors = " | ".join(f"{error:.1e}" for error in (c.max_error, c.rms_error, c.full_scale_error))
        lines.append(f"| {card} | {vg:.1f} | {current.fits[k].rank} | {errors} | {edges[0]} | {edges[1]} |")
    return lines


def main() -> int:
    """Write the file; the exit code."""
    head = [
        "| card | V_g [V] | rank | largest error | rms error | of full scale | G_lo [µS] | G_cut [µS] |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines = [line for card in card_names() for line in table(card)]
    TARGET.write_text(TEXT.read_text(encoding="utf-8") + "\n".join([*head, *lines]) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
