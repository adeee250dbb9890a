from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xbar_cli.array.lumped import lumped_dual
from xbar_cli.array.pairs import halves
from xbar_cli.array.published import published_dual
from xbar_cli.array.tiling import fold_pairs
from xbar_cli.array.wires import Wires
from xbar_cli.config.effect_list import steps_of
from xbar_cli.config.variation import VariationSection
from xbar_cli.device.chip import fabricate
from xbar_cli.device.levels import discretise_ratio
from xbar_cli.mapping.bitslice import Sliced, SliceFormat, cut, join, to_conductances, to_integers, to_levels
from xbar_cli.mapping.placing import DeviceRange
from xbar_cli.nn.contracts import dense
from xbar_cli.train.forward import make_forward
from xbar_cli.train.injection import Fabrication, Injection
from xbar_cli.train.loop import Renewal, renewing
from xbar_cli.train.tat import make_renewal, make_solve
from xbar_cli.train.transforms import OnArrays, Site

G_ON = 1 / 20e3
W = jax.random.normal(jax.random.key(0), (30, 8))
NONE = Wires()


def technology(dual=published_dual, *, wires=NONE, tile=None, **given):
    def fold(model):
        return lambda g: fold_pairs(g, lambda part: model(*halves(part), wires), tile=tile).g_eff

    plain = {"bits": 4, "ratio": 15.0, "limit": None, "g_on": G_ON, "corner": 0.0, "layers": None}
    return OnArrays(**{**plain, "arrays": fold(dual), "cheap": fold(published_dual), **given})


def test_without_resistance_weights_are_only_discretised():
    wanted = discretise_ratio(W, limit=jnp.abs(W).max(), bits=4, ratio=15.0)
    np.testing.assert_allclose(technology()(Site("a"), W), wanted, atol=1e-5)
    half = technology(corner=-0.2)(Site("a"), W)
    np.testing.assert_allclose(half, 0.8 * wanted, atol=1e-5)


@pytest.mark.parametrize("dual", [published_dual, lumped_dual], ids=["published", "lumped"])
def test_resistances_act_on_the_dual_arrays(dual):
    ends = Wires(source=800.0, neuron=200.0)
    limit = jnp.abs(W).max()
    g = discretise_ratio(W, limit=limit, bits=4, ratio=15.0) * (G_ON / limit)
    wanted = dual(jnp.maximum(g, 0), jnp.maximum(-g, 0), ends).g_eff * (limit / G_ON)
    found = technology(dual, wires=ends)(Site("a"), W)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    assert float(jnp.abs(found).sum()) < 0.9 * float(jnp.abs(W).sum())


def test_smaller_arrays_suffer_less():
    loss = {
        tile: float(jnp.abs(technology(wires=Wires(source=800.0, neuron=200.0), tile=tile)(Site("a"), W) - W).mean())
        for tile in [(30, 8), (10, 4), (5, 2)]
    }
    assert loss[(5, 2)] < loss[(10, 4)] < loss[(30, 8)]


def test_an_absent_device_can_come_back():
    small = jnp.zeros((3, 2)).at[0, 0].set(1.0)
    gradient = jax.grad(lambda w: technology()(Site("a"), w).sum())(small)
    np.testing.assert_allclose(gradient, np.ones((3, 2)), rtol=1e-5)


def test_layers_that_are_not_on_arrays_stay_as_they_are():
    np.testing.assert_array_equal(technology(layers=frozenset({"b"}))(Site("a"), W), W)
    assert not np.array_equal(technology(layers=frozenset({"a"}))(Site("a"), W), W)


@pytest.mark.parametrize("model", ["additive", "proportional"])
def test_injected_noise_is_new_at_every_key_and_absent_without(model):
    noise, w = Injection(model=model, sigma=0.1), jnp.linspace(-2.0, 2.0, 40_000).reshape(200, 200)
    np.testing.assert_array_equal(noise(Site("a"), w), w)
    first, second = (noise(Site("a", key=jax.random.key(n)), w) - w for n in (0, 1))
    assert not np.array_equal(first, second)
    scale = 0.1 * 2.0 if model == "additive" else 0.1 * np.sqrt(np.mean(np.square(w)))
    assert float(first.std()) == pytest.approx(scale, rel=0.02)


def test_a_product_transforms_each_layer_by_its_own_stream():
    net = SimpleNamespace(a=None, b=None)
    product = make_forward(Injection(model="additive", sigma=0.1))(net, jax.random.key(0), None)
    x, w = jnp.eye(4), jnp.ones((4, 4))
    assert not np.array_equal(product("a", x, w, dense), product("b", x, w, dense))
    np.testing.assert_array_equal(product("a", x, w, dense), product("a", x, w, dense))


def test_a_chip_shifts_every_layer_alike_and_a_stuck_share_is_0():
    w, key = jnp.ones((200, 50)), jax.random.key(3)
    chip = Injection(model="chip_to_chip", sigma=0.3)
    np.testing.assert_array_equal(chip(Site("a", key=key), w), chip(Site("b", key=key), w))
    assert float(jnp.ptp(chip(Site("a", key=key), w))) == 0
    stuck = Injection(model="stuck", sigma=0.2)(Site("a", key=key), w)
    assert float(jnp.mean(stuck == 0)) == pytest.approx(0.2, abs=0.02)


def on_arrays(kernel) -> SimpleNamespace:
    """A network of one layer, which keeps what its arrays conduct of their closed form."""
    return SimpleNamespace(
        a=SimpleNamespace(kernel=nnx.Param(kernel), fold_ratio=nnx.BatchStat(jnp.ones(kernel.shape)))
    )


def solve_now(net, rule):
    make_renewal(["a"], rule, make_solve(rule), every=None).renew(net)


def test_between_two_folds_the_closed_form_is_corrected_by_the_last_solution():
    ends = Wires(source=2000.0, neuron=2000.0)
    rule, cheap = technology(lumped_dual, kept=True, wires=ends), technology(wires=ends)
    net, other = on_arrays(W), W + 0.1 * jax.random.normal(jax.random.key(1), W.shape)

    def off(seen, w):
        exact = rule(Site("a"), w)
        return float(jnp.linalg.norm(seen(w) - exact) / jnp.linalg.norm(exact))

    def step(w):
        return rule(Site("a", layer=net.a, step=jnp.asarray(4)), w)

    np.testing.assert_array_equal(step(W), cheap(Site("a"), W))  # nothing solved yet
    solve_now(net, rule)
    assert off(step, W) < off(lambda w: cheap(Site("a"), w), W) / 2  # all but what flows past absent devices
    stale = off(step, other)
    assert stale < off(lambda w: cheap(Site("a"), w), other) / 2
    net.a.kernel[...] = other
    solve_now(net, rule)
    assert off(step, other) < stale - 1e-4


def test_a_device_that_goes_conducts_nothing_and_one_that_comes_back_as_much_as_its_neighbours():
    rule = technology(lumped_dual, kept=True, wires=Wires(source=2000.0, neuron=2000.0))
    start = jnp.abs(W).clip(0.5).at[0, 0].set(0.0)
    net = on_arrays(start)
    solve_now(net, rule)
    seen = rule(Site("a", layer=net.a, step=jnp.asarray(1)), start.at[0, 0].set(2.0).at[1, 1].set(0.0))
    exact = rule(Site("a"), start.at[0, 0].set(2.0).at[1, 1].set(0.0))
    assert seen[1, 1] == 0
    assert float(seen[0, 0]) == pytest.approx(float(exact[0, 0]), rel=0.1)
    assert bool(jnp.isfinite(net.a.fold_ratio[...]).all())
    empty = on_arrays(jnp.zeros((3, 2)))
    solve_now(empty, rule)
    assert bool(jnp.isfinite(empty.a.fold_ratio[...]).all())


def test_noise_enters_after_the_levels_and_only_where_a_device_is():
    noisy, plain = (technology(noise=rule) for rule in (Injection(model="additive", sigma=0.3), None))
    site = Site("a", key=jax.random.key(0), step=jnp.asarray(0))
    on_levels, seen = plain(site, W), noisy(site, W)
    assert int(jnp.sum(on_levels == 0)) > 0
    np.testing.assert_array_equal(seen[on_levels == 0], 0)
    assert len(np.unique(np.asarray(seen))) > len(np.unique(np.asarray(on_levels)))
    assert bool((seen * on_levels >= 0).all())
    np.testing.assert_array_equal(noisy(Site("a"), W), plain(Site("a"), W))


def test_a_renewal_comes_before_every_nth_step_and_goes_on_counting():
    graphdef, state = nnx.split((nnx.Linear(2, 2, rngs=nnx.Rngs(0)), nnx.Linear(1, 1, rngs=nnx.Rngs(1))))
    calls, renewed = [], []

    def step(state, images, labels):
        calls.append(float(nnx.merge(graphdef, state)[0].bias[0]))
        return state, labels

    def renew(net):
        renewed.append(len(calls))
        net.bias[...] = jnp.full(2, float(len(calls)))

    after_four = renewing(step, graphdef, Renewal(3, renew), epoch_steps=5, taken=4)
    for _ in range(6):
        state, _ = after_four(state, jnp.zeros(1), jnp.zeros(1))
    assert renewed == [2, 5]
    assert calls == [0, 0, 2, 2, 2, 5]
    assert renewing(step, graphdef, None, epoch_steps=5) is step
    renewed.clear()
    calls.clear()
    once_an_epoch = renewing(step, graphdef, Renewal(None, renew), epoch_steps=4)
    for _ in range(9):
        state, _ = once_an_epoch(state, jnp.zeros(1), jnp.zeros(1))
    assert renewed == [0, 4, 8]


@pytest.mark.slow
def test_gradients_between_two_folds_are_near_those_through_the_solution():
    ends = Wires(source=800.0, neuron=200.0)
    solved, between = technology(lumped_dual, wires=ends), technology(lumped_dual, kept=True, wires=ends)

    net = on_arrays(W)
    solve_now(net, between)

    def loss(w, rule, step):
        return jnp.sum(rule(Site("a", layer=net.a, step=step), w) ** 2)

    exact, near = jax.grad(loss)(W, solved, None), jax.grad(loss)(W, between, jnp.asarray(2))
    cosine = jnp.vdot(exact, near) / jnp.linalg.norm(exact) / jnp.linalg.norm(near)
    assert 0.999 < float(cosine) < 1 - 1e-9


def chips(*effects, paired=True, bottom=1e-6):
    devices = DeviceRange(1e-6, 1e-5)
    steps = tuple(steps_of(VariationSection.model_validate({"effects": effects}).on_devices(), devices))
    return Fabrication(steps=steps, top=devices.g_on, bottom=bottom, paired=paired)


def test_injected_chips_act_on_both_devices_of_a_weight():
    w, site = jnp.linspace(0.5, 1.0, 40_000).reshape(200, 200), Site("a", key=jax.random.key(0))
    rule = chips("additive:sigma=0.02")
    np.testing.assert_array_equal(rule(Site("a"), w), w)
    np.testing.assert_allclose(chips()(site, w), w, rtol=1e-5)
    noise = rule(site, w) - w
    # a device at the bottom of its range loses none of its noise: 0.02 of the range is 0.18 of the least conductance
    assert float(noise.std()) == pytest.approx(0.02 * 2**0.5, rel=0.02)
    assert float(noise.mean()) == pytest.approx(0, abs=1e-3)
    np.testing.assert_array_equal(jax.grad(lambda x: jnp.sum(3 * rule(site, x)))(w), 3.0)
    single = chips("additive:sigma=0.02", paired=False)(site, w) - w
    assert float(single.std()) == pytest.approx(0.02, rel=0.02)
    half = chips("additive:sigma=0.02")(Site("a", key=site.key, limit=2.0), w) - w
    assert float(half.std()) == pytest.approx(2 * 0.02 * 2**0.5, rel=0.02)


def test_injected_chips_act_on_every_slice_of_a_weight():
    """The noise of a slice is weighed by its radix: far more than on one pair of devices for the whole weight."""
    window = DeviceRange(1 / 300e3, 1 / 30e3, technology="rram2bit")
    steps = tuple(steps_of(VariationSection(effects=["states:scale=0.5"]).on_devices(), window))
    fmt = SliceFormat(weight_bits=8, fraction_bits=6, device_bits=2, encoding="offset")
    given = {"steps": steps, "top": window.g_on, "bottom": window.g_off, "paired": True}
    site = Site("a", key=jax.random.key(1), step=jnp.asarray(0))
    w = 0.3 * W
    sliced, pair = (Fabrication(**given, formats=f and {"a": f})(site, w) - w for f in (fmt, None))
    levels = cut(to_integers(w, fmt)[0], fmt).levels
    key = jax.random.key(2)
    g, _ = fabricate(
        key,
        to_conductances(levels, fmt, g_min=window.g_off, g_max=window.g_on),
        layer="a",
        steps=steps,
        negative="clamp",
    )
    chip = join(Sliced(to_levels(g, fmt, g_min=window.g_off, g_max=window.g_on), None), fmt) / 64
    np.testing.assert_allclose(jnp.std(sliced), jnp.std(chip - jnp.round(w * 64) / 64), rtol=0.2)
    assert jnp.std(sliced) > 3 * jnp.std(pair)
    np.testing.assert_array_equal(Fabrication(**given, formats={"a": fmt})(Site("a"), w), w)


def test_absent_devices_stay_absent_on_injected_chips():
    w = jnp.asarray([[0.5, -0.5], [0.0, 1.0]])
    seen = chips("additive:sigma=0.1", bottom=0.0)(Site("a", key=jax.random.key(1)), w)
    assert seen[1, 0] == 0
    assert float(seen[0, 1]) < 0 < float(seen[0, 0])
