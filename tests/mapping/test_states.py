"""State order, favourable weights against brute force, column importance."""

import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.device.statistics import statistics
from xbar_cli.device.technologies import load_technology
from xbar_cli.mapping.bitslice import ENCODINGS, SliceFormat
from xbar_cli.mapping.states import (
    column_importance,
    error_current,
    favourable_states,
    favourable_table,
    is_favourable,
    nearest_favourable,
    select_columns,
    slice_states,
    state_order,
    weight_mask,
)

F3 = (0b00, 0b01, 0b11)


def fmt(encoding):
    return SliceFormat(weight_bits=8, fraction_bits=6, device_bits=2, encoding=encoding)


def test_default_table_has_the_papers_order():
    states = load_technology("rram2bit").states
    assert states is not None
    order = state_order(states)
    assert order == (0b00, 0b01, 0b11, 0b10)
    assert [favourable_states(order, configuration=n) for n in (1, 2, 3)] == [(0,), (0, 1), F3]
    relative = states.sigma / states.mean  # "despite having a higher variation percentage, G00 and G01 are preferred"
    assert min(relative[:2]) > max(relative[2:])
    assert np.allclose(error_current(states, v_read=0.2), 0.2 * states.sigma)
    biased = statistics([1e-6, 2e-6], [1.6e-6, 2e-6], [1e-7, 5e-7])
    assert state_order(biased) == (1, 0)  # 0.7 µS of bias and spread against 0.5 µS
    for wrong in (0, 4):
        with pytest.raises(ValueError, match="configuration must be from 1 to 3"):
            favourable_states(order, configuration=wrong)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("favourable", [(0, 1), F3, (0, 1, 2)])
@pytest.mark.parametrize("slice_index", [-1, 1])
def test_nearest_favourable_is_the_nearest(encoding, favourable, slice_index):
    table = favourable_table(fmt(encoding), favourable, slice_index)
    integers = np.arange(-128, 128)
    ok = np.isin(slice_states(integers, fmt(encoding), slice_index=slice_index), favourable).all(axis=0)
    allowed = integers[ok]
    assert (table[ok] == integers[ok]).all()
    assert np.isin(table, allowed).all()
    assert (np.abs(table - integers) == np.abs(allowed[None, :] - integers[:, None]).min(axis=1)).all()


def test_the_papers_readings():
    """README §4: which weights each encoding and set forbids, in units of the weight (6 fraction bits)."""
    w = np.arange(-128, 128) / 64

    def forbidden(encoding, favourable):
        return w[~np.isin(slice_states(np.arange(-128, 128), fmt(encoding), slice_index=-1), favourable).all(axis=0)]

    assert (forbidden("offset", F3) == w[(w >= 0) & (w < 1)]).all()
    assert (forbidden("offset", (0, 1, 2)) == w[w >= 1]).all()
    assert (forbidden("twos_complement", F3) == w[w < -1]).all()
    assert (forbidden("twos_complement", (0, 1)) == w[w < 0]).all()


def test_only_restricted_unfavourable_weights_move():
    w = jnp.asarray([[0.3, -0.21, 0.7], [-1.5, 0.49, 1.2]])
    restrict = jnp.asarray([[True, True, False], [True, True, True]])
    kwargs = {"favourable": F3, "slice_index": -1}
    moved = np.asarray(nearest_favourable(w, fmt("offset"), restrict=restrict, **kwargs))
    # Forbidden: [0, 1). −1/64 is the nearest below it, 1 the nearest above.
    assert np.allclose(moved, [[-1 / 64, -0.21, 0.7], [-1.5, -1 / 64, 1.2]])
    assert is_favourable(w, fmt("offset"), **kwargs).tolist() == [[False, True, False], [True, False, True]]
    assert is_favourable(jnp.asarray(moved), fmt("offset"), **kwargs).tolist() == [[True, True, False], [True] * 3]
    with pytest.raises(ValueError, match="no weight of differential"):
        favourable_table(fmt("differential"), (3,), -1)
    with pytest.raises(ValueError, match="favourable must be states from 0 to 3"):
        favourable_table(fmt("offset"), (4,), -1)
    with pytest.raises(ValueError, match="slice_index must name one of 4 slices, got 4"):
        favourable_table(fmt("offset"), F3, 4)


def test_column_importance_and_selection():
    si = np.random.default_rng(3).normal(size=(10, 7)).astype(np.float32)
    for absolute in (False, True):
        hi = column_importance(jnp.asarray(si), tile_rows=4, absolute=absolute)
        parts = np.abs(si) if absolute else si
        assert np.allclose(hi, [parts[k : k + 4].sum(axis=0) for k in (0, 4, 8)], atol=1e-6)
        whole = column_importance(jnp.asarray(si), tile_rows=128, absolute=absolute)
        assert np.allclose(whole, parts.sum(axis=0, keepdims=True), atol=1e-6)
    columns = select_columns(hi, percent=20.0)  # of 21 columns, 4
    best = np.sort(np.asarray(hi).ravel())[-4:]
    assert int(columns.sum()) == 4
    assert np.allclose(np.sort(np.asarray(hi)[np.asarray(columns)]), best)
    mask = np.asarray(weight_mask(columns, rows=10, tile_rows=4))
    assert mask.shape == si.shape
    assert (mask[5] == np.asarray(columns)[1]).all()
    assert (mask[9] == np.asarray(columns)[2]).all()
    assert int(select_columns(hi, percent=0.0).sum()) == 0
    assert bool(select_columns(hi, percent=100.0).all())
    for call, match in [
        (lambda: select_columns(hi, percent=101.0), "percent"),
        (lambda: column_importance(jnp.asarray(si), tile_rows=0, absolute=True), "tile_rows"),
    ]:
        with pytest.raises(ValueError, match=match):
            call()
