import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xbar_cli.config.methods import BiasedMethod
from xbar_cli.mapping.bitslice import SliceFormat
from xbar_cli.nn.mlp import Mlp
from xbar_cli.nn.shapes import layer_shapes
from xbar_cli.train.biased import Restriction, StraightThrough, formats_of, make_importance, project, restrict_columns
from xbar_cli.train.neat import choose_gate
from xbar_cli.train.transforms import Site

FMT = SliceFormat(weight_bits=8, fraction_bits=6, device_bits=2, encoding="offset")


def shapes(net):
    return layer_shapes(net, shape=(3, 3, 1))


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
    rules = dict.fromkeys(kernels, rule)
    found, before = restrict_columns(kernels, {name: jnp.ones_like(w) for name, w in kernels.items()}, rules)
    assert 0.2 < before["hidden"] < 0.8
    assert [rule.favourable_fraction(w) for w in found.values()] == [1, 1]
    assert rule.favourable_fraction(kernels["hidden"]) == before["hidden"]


def test_importance_is_summed_over_all_crossbars_of_a_column_unless_each_counts_apart():
    """Column 0 matters most in the upper crossbar, column 1 in all."""
    si = np.array([[3.0, 2, 0, 0]] * 4 + [[-2.0, 2, 0, 0]] * 2)
    apart, whole = (np.asarray(restriction(important=0.25, tile_rows=t).chosen(jnp.asarray(si))) for t in (4, None))
    best = np.argsort(-si.sum(axis=0))[:1]
    np.testing.assert_array_equal(whole, np.isin(np.arange(4), best)[None, :].repeat(6, axis=0))
    sums = np.stack([si[:4].sum(axis=0), si[4:].sum(axis=0)])  # of eight columns the two largest: 12 and 8, above
    tops = (sums >= np.sort(sums, axis=None)[-2]).repeat([4, 2], axis=0)
    np.testing.assert_array_equal(apart, tops)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_no_column_or_every_column_may_be_important(share):
    w = jax.random.uniform(jax.random.key(0), (3, 3, 2, 5), minval=-1.5, maxval=1.5)
    rule = restriction(important=share, tile_rows=None)
    found = rule(w, jax.random.normal(jax.random.key(1), w.shape))
    integers = np.round(np.asarray(w) * 64)
    unfavourable = (integers >= 0) & (integers < 64)  # offset states 10
    nearest = np.where(integers < 32, -1 / 64, 1.0)  # the tie at 32 goes to the smaller magnitude: 33 below, 32 above
    wanted = np.where(unfavourable & (integers != 32) & (share == 1), nearest, w)
    off = integers != 32
    np.testing.assert_allclose(np.asarray(found)[off], wanted[off], atol=1e-6)


@pytest.mark.parametrize(("scale", "whole"), [("layer", False), ("power", True)])
def test_a_layers_format_is_filled_by_its_largest_weight(scale, whole):
    net = Mlp(shape=(3, 3, 1), n_classes=4, hidden=5, activation="relu", rngs=nnx.Rngs(0))
    net.output.kernel[...] *= 1e-2
    section = BiasedMethod(start="x", weight_scale=scale)
    for name, fmt in formats_of(section, net, shapes(net)).items():
        largest = np.abs(np.asarray(getattr(net, name).kernel[...])).max() * 2.0**fmt.fraction_bits
        assert largest == pytest.approx(127, rel=1e-5) if not whole else 63.5 < largest <= 127
        assert fmt.fraction_bits == round(fmt.fraction_bits) or not whole


def test_a_layer_that_fills_the_format_as_it_is_has_the_formats_scale():
    net = Mlp(shape=(3, 3, 1), n_classes=4, hidden=5, activation="relu", rngs=nnx.Rngs(0))
    for name in ("hidden", "output"):
        kernel = getattr(net, name).kernel
        kernel[...] *= 127 / 64 / jnp.abs(kernel[...]).max()
    found = formats_of(BiasedMethod(start="x", weight_scale="layer"), net, shapes(net))
    assert [fmt.fraction_bits for fmt in found.values()] == pytest.approx([6, 6], abs=1e-5)


def test_gradients_pass_straight_through_and_a_step_ends_inside_the_restriction():
    net = Mlp(shape=(3, 3, 1), n_classes=4, hidden=5, activation="relu", rngs=nnx.Rngs(0))
    rules = dict.fromkeys(("hidden", "output"), restriction(tile_rows=None))
    for name, rule in rules.items():
        kernel = getattr(net, name).kernel[...]
        getattr(net, name).important = nnx.BatchStat(rule.chosen(jnp.arange(float(kernel.size)).reshape(kernel.shape)))
    before = {name: getattr(net, name).kernel[...] for name in rules}
    seen = StraightThrough(rules)
    for name, w in before.items():
        site = Site(name, layer=getattr(net, name))
        chosen = np.asarray(site.layer.important[...])
        integers = np.round(w * 64)
        moves = chosen & (integers >= 0) & (integers < 64)
        wanted = np.where(moves, np.where(integers < 32.5, -1 / 64, 1), w)
        np.testing.assert_allclose(seen(site, w), wanted, atol=1e-6)
        np.testing.assert_array_equal(jax.grad(lambda w, s=site: (seen(s, w) * 3).sum())(w), jnp.full_like(w, 3))
    project(rules, net)
    for name, w in before.items():
        layer = getattr(net, name)
        np.testing.assert_allclose(layer.kernel[...], seen(Site(name, layer=layer), w), atol=1e-6)


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
