import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xbar_cli.mapping.bitslice import SliceFormat
from xbar_cli.nn.mlp import Mlp
from xbar_cli.train.biased import Restriction, make_importance, restrict_columns
from xbar_cli.train.neat import choose_gate

FMT = SliceFormat(weight_bits=8, fraction_bits=6, device_bits=2, encoding="offset")


def restriction(**given):
    plain = {
        "fmt": FMT,
        "favourable": (0, 1, 3),
        "slice_index": -1,
        "important": 0.5,
        "tile_rows": 4,
        "absolute": False,
    }
    return Restriction(**{**plain, **given})


def test_importance_is_the_gradient_of_the_score_of_the_right_class():
    net = Mlp(shape=(3, 3, 1), n_classes=4, hidden=5, activation="relu", rngs=nnx.Rngs(0))
    graphdef, state = nnx.split(net)
    x, y = jax.random.uniform(jax.random.key(0), (6, 3, 3, 1)), jnp.asarray([0, 1, 2, 3, 0, 1])
    found = make_importance(graphdef, ["hidden", "output"])(state, [(x[:2], y[:2]), (x[2:], y[2:])])
    h = jnp.maximum(x.reshape(6, -1) @ net.hidden.kernel[...], 0)
    wanted = h.T @ jax.nn.one_hot(y, 4)
    np.testing.assert_allclose(found["output"], wanted, rtol=1e-5)
    weight = net.hidden.kernel[...]
    nudged = lambda d: jnp.take_along_axis(  # noqa: E731
        jnp.maximum(x.reshape(6, -1) @ weight.at[2, 1].add(d), 0) @ net.output.kernel[...], y[:, None], 1
    ).sum()
    slope = (nudged(1e-2) - nudged(-1e-2)) / 2e-2
    assert float(found["hidden"][2, 1]) == pytest.approx(float(slope), rel=0.02, abs=1e-3)


def test_only_important_columns_move_and_only_their_unfavourable_weights():
    w = jnp.asarray([[0.25, 0.25, -0.5, 1.5]] * 6)  # offset slices of 0.25: 2; of −0.5: 1; of 1.5: 3
    si = jnp.zeros((6, 4)).at[:4, 0].set(1.0).at[4:, 3].set(5.0).at[:4, 2].set(0.5).at[4:, 2].set(0.1)
    out = restriction()(w, si)  # chosen: column 3 below, 0 and 2 above, 2 below
    assert np.array_equal(np.asarray(out[4:]), np.asarray(w[4:]))
    np.testing.assert_allclose(out[:4, 0], -1 / 64, atol=1e-6)  # the nearest weight below [0, 1): its slice is 1
    np.testing.assert_array_equal(out[:, 1:], w[:, 1:])
    assert restriction().favourable_fraction(w) == pytest.approx(0.5)


def test_every_layer_is_restricted_and_what_was_given_stays_as_it_is():
    net = Mlp(shape=(3, 3, 1), n_classes=4, hidden=5, activation="relu", rngs=nnx.Rngs(0))
    rule = restriction(important=1.0)
    kernels = {name: getattr(net, name).kernel[...] for name in ("hidden", "output")}
    found, before = restrict_columns(kernels, {name: jnp.ones_like(w) for name, w in kernels.items()}, rule)
    assert 0.2 < before["hidden"] < 0.8
    assert [rule.favourable_fraction(w) for w in found.values()] == [1, 1]
    assert rule.favourable_fraction(kernels["hidden"]) == before["hidden"]


def test_the_search_for_a_gate_voltage_and_its_two_readings():
    vg, w_cut = (0.7, 0.75, 0.8, 0.85), (0.1, 0.2, 0.3, 0.4)
    pick = lambda largest, rule="previous", offset=0.0: choose_gate(  # noqa: E731
        largest, vg=vg, w_cut=w_cut, rule=rule, offset=offset
    )
    assert [pick(w) for w in (0.05, 0.15, 0.25, 0.35, 0.9)] == [0.7, 0.7, 0.75, 0.8, 0.85]
    assert [pick(w, "covering") for w in (0.05, 0.15, 0.25, 0.35, 0.9)] == [0.7, 0.75, 0.8, 0.85, 0.85]
    assert pick(0.4 * (1 + 1e-15)) == 0.8  # W_cut at the scale's top is W_max, but for rounding
    assert pick(0.35, offset=-0.05) == 0.75
    assert pick(0.05, offset=-0.05) == 0.7
    with pytest.raises(ValueError, match="not in the list"):
        pick(0.35, offset=-0.02)
    with pytest.raises(ValueError, match="rule must be"):
        pick(0.35, rule="first")
