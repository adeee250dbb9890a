import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic
from xbar_cli.errors import ModelError
from xbar_cli.mapping.window import cell_window, program, require_range


def test_the_largest_gate_voltage_covers_the_largest_weight():
    cell = analytic.cell()
    assert cell_window(cell, vg=1.5, w_max=0.7, volt=None).w_cut == pytest.approx(0.7)


def test_cut_off_follows_the_formula_of_the_effective_conductances():
    cell = analytic.cell()
    window = cell_window(cell, vg=1.0, w_max=2.0, volt=None)
    top, index = len(cell.vg) - 1, 1
    span = lambda i: np.diff(cell.effective(i, np.array([cell.g_lo[i], cell.g_cut[i]]), volt=None))[0]  # noqa: E731
    assert window.w_cut == pytest.approx(2.0 * span(index) / span(top))
    assert window.w_cut < 2.0


@pytest.mark.parametrize("volt", [None, 0.2, 0.5])
def test_a_weight_at_the_cut_off_sits_at_the_edge_of_the_range(volt):
    cell = analytic.cell()
    window = cell_window(cell, vg=0.9, w_max=1.0, volt=volt)
    wanted = np.array([window.bottom, window.bottom + window.slope * window.w_cut])
    found = program(cell, wanted, vg=0.9, target="effective", volt=volt)
    np.testing.assert_allclose(found.g, [cell.g_lo[0], cell.g_cut[0]], rtol=1e-6)
    assert found.beyond == 0


def test_rows_of_one_voltage_are_programmed_for_the_current_that_it_drives():
    cell = analytic.cell()
    wanted = np.linspace(1.2 * cell.g_off, 0.4 * cell.g_on, 20)
    found = program(cell, wanted, vg=0.9, target="effective", volt=0.5)
    with jax.enable_x64(True):
        surrogate, g = cell.current[cell.index(0.9)].astype(jnp.float64), jnp.asarray(found.g)
        driven, idle = (np.asarray(surrogate(g, jnp.full(20, v))) for v in (0.5, 0.0))
    np.testing.assert_allclose((driven - idle) / 0.5, wanted, rtol=2e-6)
    assert np.abs(program(cell, wanted, vg=0.9, target="effective", volt=None).g / found.g - 1).max() > 1e-4


def test_what_lies_beyond_the_memristor_is_counted():
    cell = analytic.cell()
    ends = cell.effective(0, np.array([cell.g_off, cell.g_on]), volt=None)
    wanted = np.array([0.5 * ends[0], ends[0], ends.mean(), ends[1], 1.1 * ends[1]])
    assert program(cell, wanted, vg=0.9, target="effective", volt=None).beyond == pytest.approx(0.4)
    assert program(cell, np.array([0.9 * cell.g_off, cell.g_on]), vg=0.9, target="memristor", volt=None).beyond == 0.5


def test_programming_the_memristor_itself_loses_what_the_transistor_takes():
    cell = analytic.cell()
    wanted = np.linspace(1.2 * cell.g_off, 0.5 * cell.g_on, 20)
    through = cell.effective(0, program(cell, wanted, vg=0.9, target="effective", volt=None).g, volt=None)
    direct = cell.effective(0, program(cell, wanted, vg=0.9, target="memristor", volt=None).g, volt=None)
    np.testing.assert_allclose(through, wanted, rtol=1e-6)
    assert (direct < 0.99 * wanted).all()


def test_no_linear_range_is_refused_by_name():
    cell = analytic.cell()
    empty = dataclasses.replace(
        cell, g_cut=np.array([np.nan, *cell.g_cut[1:]]), g_lo=np.array([np.nan, *cell.g_lo[1:]])
    )
    with pytest.raises(ModelError, match=r"no linear range at V_g 0\.9 V.*usable: 1, 1\.2, 1\.5 V"):
        require_range(empty, 0.9)


def test_the_scale_has_its_top_where_the_cell_has_its_last_linear_range():
    cell = analytic.cell()
    short = dataclasses.replace(
        cell, g_cut=np.array([*cell.g_cut[:-1], np.nan]), g_lo=np.array([*cell.g_lo[:-1], np.nan])
    )
    assert cell_window(short, vg=1.2, w_max=0.7, volt=None).w_cut == pytest.approx(0.7)
    assert cell_window(cell, vg=1.2, w_max=0.7, volt=None).w_cut < 0.7
    require_range(short, 1.2)
    with pytest.raises(ModelError, match=r"no linear range at V_g 1\.5 V"):
        require_range(short, 1.5)
