"""Writes docs/cells.md: what the cell laboratory measures, the built-in cards' surrogates, whole arrays against ngspice."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xbar_cli.cell.range import effective_conductance, ranges
from xbar_cli.cell.surrogates import fit
from xbar_cli.cell.tables import cell_tables
from xbar_cli.config.characterize import ArrayConfig, CharacterizeConfig
from xbar_cli.device.linear_range import tolerance_metric
from xbar_cli.reporter import SILENT
from xbar_cli.runs import environment
from xbar_cli.runs.directory import Run
from xbar_cli.spice.cards import card_names
from xbar_cli.workflows import characterize_array as cell_array

ROOT = Path(__file__).resolve().parents[1]
TEXT = ROOT / "scripts" / "cells_head.md"
TARGET = ROOT / "docs" / "cells.md"
SIZES = ("16x16", "32x32")


def cards() -> list[str]:
    """A table: for each card and gate voltage rank, certificate and linear range."""
    heads = ["card", "V_g [V]", "rank", "largest error", "rms error", "of full scale", "G_lo [µS]", "G_cut [µS]"]
    return markdown(heads, [row for card in card_names() for row in card_rows(card)])


def card_rows(card: str) -> list[list[str]]:
    """One row for each gate voltage."""
    config = CharacterizeConfig.model_validate({"cell": {"card": card}, "sweep": {"vg_range": "0.7:1.3:0.1"}})
    tables = cell_tables(config, reporter=SILENT)
    current, g = fit(config, tables).current, tables.table.g_siemens
    tm = tolerance_metric(effective_conductance(tables.table, config.range.vin_min_volt)[1], metric=config.range.metric)
    found = ranges(g, tm, tolerance=config.range.tolerance, g_off=1 / 300e3, g_on=1 / 30e3)
    rows = []
    for k, vg in enumerate(tables.table.vg_volt):
        c = current.certificates[k]
        edges = [f"{value * 1e6:.2f}" if np.isfinite(value) else "none" for value in (found.g_lo[k], found.g_cut[k])]
        errors = [f"{error:.1e}" for error in (c.max_error, c.rms_error, c.full_scale_error)]
        rows.append([card, f"{vg:.1f}", str(current.fits[k].rank), *errors, *edges])
    return rows


def arrays() -> list[str]:
    """A table: for each size and model its distance from ngspice, and the time that ngspice took."""
    heads = ["size", "model", "NRMSD", "largest relative error", "of full scale", "ngspice [s]", "first input [s]"]
    rows = []
    for size in SIZES:
        config = ArrayConfig.model_validate({"array": {"size": size}})
        with tempfile.TemporaryDirectory() as folder:
            found = cell_array.run(config, Run(path=Path(folder), final=Path(folder)))
        seconds = [f"{found[name]:.2g}" for name in ("oracle_seconds", "oracle_seconds_first_input")]
        for model, distance in found["models"].items():
            names = ("nrmsd", "max_relative_error", "max_full_scale_error")
            rows.append([size, model, *(f"{distance[name]:.3g}" for name in names), *seconds])
    return markdown(heads, rows)


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


MARKS = {
    "<!-- arrays -->": lambda: "\n".join(arrays()),
    "<!-- cards -->": lambda: "\n".join(cards()),
    "<!-- processor -->": environment.processor,
}


def main() -> int:
    """Write the file; the exit code."""
    text = TEXT.read_text(encoding="utf-8")
    for mark, make in MARKS.items():
        if text.count(mark) != 1:
            raise ValueError(f"{TEXT} must hold {mark} once")
        text = text.replace(mark, make())
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
