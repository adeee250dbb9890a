"""What results.nc of a characterisation holds, and that a cell read from it is the cell that was written."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic
from xbar_cli.cell import figures
from xbar_cli.cell.file import load_cell
from xbar_cli.cell.mismatch import SampledCells, mismatch
from xbar_cli.cell.results import KIND, coefficient_fields, mismatch_fields, results, surrogate_fields
from xbar_cli.cell.surrogates import fit
from xbar_cli.cell.tables import Tables
from xbar_cli.config.characterize import CharacterizeConfig
from xbar_cli.errors import RunError
from xbar_cli.runs.directory import new_run
from xbar_cli.runs.results import RESULTS, read_dataset, write_fields

GATES = (0.9, 1.0, 1.2)
CONFIG = CharacterizeConfig.model_validate(
    {"range": {"tolerance": 0.002, "second_tolerance": 0.003, "vdd": "0.25,0.5"}}
)


def half_way(points):
    return (points[1:] + points[:-1]) / 2


@pytest.fixture(scope="module")
def table():
    return analytic.table(GATES)


@pytest.fixture(scope="module")
def fitted(table):
    fresh = analytic.table(GATES, vin=half_way(analytic.V_IN), g=half_way(analytic.G))
    return fit(CONFIG, Tables(table=table, fresh=fresh, cached=False))


@pytest.fixture(scope="module")
def fields(table, fitted):
    return results(CONFIG, table, fitted)


def test_every_field_fits_its_coordinates_and_has_a_unit(fields):
    sizes = {name: field.values.size for name, field in fields.items() if field.dims == (name,)}
    assert {"vg", "g", "vin", "vin_used", "vdd"} <= set(sizes)
    for name, field in fields.items():
        assert field.values.ndim == len(field.dims), name
        for dim, size in zip(field.dims, field.values.shape, strict=True):
            assert sizes.get(dim, size) == size, (name, dim)
        assert field.attrs["units"], name
        assert field.attrs["long_name"], name


def test_tables_and_ranges_are_those_of_the_closed_form(fields):
    g, v = fields["g"].values, fields["vin"].values
    exact = analytic.current(g[:, None], v, 1.0)
    np.testing.assert_allclose(fields["current"].values[1], exact)
    np.testing.assert_allclose(fields["input_current"].values[1], 0.99 * exact)
    np.testing.assert_allclose(fields["mean_effective_conductance"].values[1], (exact / v).mean(axis=-1))
    spread = np.ptp(exact / v, axis=-1) / (exact / v).mean(axis=-1)
    np.testing.assert_allclose(fields["tolerance_metric"].values[1], spread)
    cut, wider = fields["g_cut"].values, fields["g_cut_second"].values
    inside = (g >= analytic.G_OFF) & (g <= cut[1])
    assert (spread[inside] <= 0.002).all()
    assert (wider >= cut).all()
    assert wider[0] > cut[0]
    assert fields["supply_g_cut"].values.shape == (2, 3)


def test_a_marked_gate_voltage_has_certificates_and_no_coefficients(fitted):
    stored = surrogate_fields(fitted, marked=(1,))
    plain = surrogate_fields(fitted, marked=())
    for key in ("current_base", "current_factors", "power_polynomials"):
        assert np.isnan(stored[key].values[1]).all()
        np.testing.assert_array_equal(stored[key].values[[0, 2]], plain[key].values[[0, 2]])
    assert np.isfinite(stored["current_max_error"].values).all()


def test_marked_gate_voltages_set_no_scale(table, fitted):
    whole, marked = (results(CONFIG, table, fitted, at)["w_cut_over_w_max"].values for at in ((), (2,)))
    assert whole[2] == pytest.approx(1)
    assert marked[1] == pytest.approx(1)
    np.testing.assert_allclose(marked / marked[1], whole / whole[1])


def test_coefficients_are_padded_with_zeros_to_the_largest_rank(fitted):
    short = fitted.current.fits[0].truncated(1)
    stored = coefficient_fields("current", [short, fitted.current.fits[1]])
    rank = fitted.current.fits[1].rank
    assert rank > 1
    np.testing.assert_array_equal(stored["current_rank"].values, [1, rank])
    assert stored["current_factors"].values.shape[-1] == rank
    assert (stored["current_factors"].values[0, ..., 1:] == 0).all()
    assert (stored["current_polynomials"].values[0, 1:] == 0).all()
    np.testing.assert_array_equal(stored["current_factors"].values[0, ..., :1], short.arrays()["factors"])


def test_a_cell_read_from_its_file_gives_the_currents_that_were_simulated(tmp_path, fields):
    write_fields(tmp_path / "cell.nc", fields, attributes=KIND)
    cell = load_cell(tmp_path / "cell.nc")
    g, v = np.linspace(analytic.G_OFF, analytic.G_ON, 11, dtype=np.float32), 0.37
    for index, vg in enumerate(GATES):
        surrogate = cell.current[cell.index(vg)].astype(jnp.float32)
        found = surrogate(jnp.asarray(g), jnp.full(11, v, jnp.float32))
        np.testing.assert_allclose(found, analytic.current(g.astype(float), v, vg), rtol=2e-3)
        assert cell.g_cut[index] == pytest.approx(fields["g_cut"].values[index])
    assert (cell.g_off, cell.g_on) == pytest.approx((analytic.G_OFF, analytic.G_ON))
    assert cell.v_max == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("mean_effective_conductance", 1e300, "beyond all bounds"), ("mean_effective_conductance", np.nan, "beyond all bounds"),
        ("g", np.inf, "g does not ascend"), ("vin", -1.0, "vin does not ascend"), ("current_factors", np.inf, "a surrogate"),
        ("power_factors", 1e300, "a surrogate is not finite, or beyond all bounds"),
    ],
)  # fmt: skip
def test_a_cell_with_numbers_that_none_has_is_damaged(tmp_path, fields, name, value, said):
    values = fields[name].values.copy()
    values.flat[values.size // 2] = value
    write_fields(tmp_path / "cell.nc", fields | {name: fields[name]._replace(values=values)}, attributes=KIND)
    with pytest.raises(RunError, match=f"damaged .*{said}"):
        load_cell(tmp_path / "cell.nc")


def test_sampled_transistors_are_written_sample_by_sample(tmp_path):
    shift, g = np.array([-0.02, 0.0, 0.01]), np.linspace(1e-6, 3e-5, 5)
    g_eff = np.arange(30.0).reshape(2, 3, 5)
    edges = np.array([[1e-6, np.nan, 2e-6]] * 2)
    found = SampledCells(sigma=0.02, shift=shift, g=g, g_eff=g_eff, g_lo=edges, g_cut=10 * edges)
    write_fields(tmp_path / RESULTS, mismatch_fields(found), attributes=KIND)
    again = read_dataset(tmp_path / RESULTS)
    assert again["mismatch_g_eff"].dims == ("vg", "sample", "mismatch_point")
    np.testing.assert_array_equal(again["mismatch_g_eff"].values, g_eff)
    np.testing.assert_array_equal(again["mismatch_g_cut"].values, 10 * edges)
    assert float(again["vth_sigma"]) == 0.02


def test_no_threshold_spread_is_no_mismatch():
    assert mismatch(CONFIG) is None


@pytest.mark.spice
def test_sampled_transistors_spread_around_the_nominal_one():
    """A higher threshold conducts less, and sample i is the same however many are drawn."""
    sections = {"sweep": {"vg_range": "0.8", "vin_range": "0.05:0.5:5"}}
    samples = {"vth_sigma_volt": 0.02, "samples": 6, "g_points": 8}
    config = CharacterizeConfig.model_validate(sections | {"mismatch": samples, "seed": 3})
    found = mismatch(config)
    assert found is not None
    assert found.g_eff.shape == (1, 6, 8)
    order = np.argsort(found.shift)
    assert (np.diff(found.g_eff[0][order], axis=0) < 0).all()
    drawn = [0.02 * np.random.default_rng((3, i)).standard_normal() for i in range(6)]
    np.testing.assert_allclose(found.shift, drawn)
    fewer = CharacterizeConfig.model_validate(sections | {"mismatch": samples | {"samples": 3}, "seed": 3})
    np.testing.assert_allclose(mismatch(fewer).g_eff, found.g_eff[:, :3], rtol=1e-6)


def test_the_caption_names_the_cell_and_its_inputs(fields):
    simulated = figures.caption(CONFIG, fields)
    assert "W 90 nm, L 45 nm, 27 °C" in simulated
    assert "R 30 kΩ … 300 kΩ" in simulated
    assert "V_in 0.01 … 0.5 V, 51 points" in simulated
    own = CharacterizeConfig.model_validate({"cell": {"table": "/some/where/devices.csv"}})
    assert figures.caption(own, fields).startswith("measured: devices.csv; R 30")


def test_the_three_figures_are_drawn(tmp_path, fields):
    with new_run(tmp_path / "run", overwrite=False) as run:
        figures.draw(CONFIG, run, fields)
        sizes = {path.name: path.stat().st_size for path in run.figures.iterdir()}
    assert set(sizes) == {"effective_conductance.png", "tolerance.png", "linear_range.png"}
    assert min(sizes.values()) > 5000
