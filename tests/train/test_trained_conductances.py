import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from xbar_cli.config.effect_list import steps_of
from xbar_cli.config.variation import VariationSection
from xbar_cli.device.update import conductance
from xbar_cli.mapping.periphery import combine
from xbar_cli.mapping.placing import DeviceRange
from xbar_cli.nn.contracts import dense
from xbar_cli.nn.layers import bias_rows
from xbar_cli.nn.mlp import Mlp
from xbar_cli.train.forward import add_input_ranges, drop_input_ranges, make_forward
from xbar_cli.train.injection import Fabrication, Injection
from xbar_cli.train.periphery import Periphery, device_steps, he_sigma, initial, install, uninstall, weight_decay
from xbar_cli.train.transforms import Site

TOP = 0.8
SHAPE = (200, 60)


def rule(scheme="acm", bits=None, nu=0.0, **given):
    return Periphery(scheme=scheme, bits=bits, nu=nu, m_max={"a": TOP}, **given)


@pytest.mark.parametrize("scheme", ["de", "bc", "acm"])
@pytest.mark.parametrize(("bits", "nu", "limit"), [(None, 0.0, 4.0), (2, 0.0, 4.0), (3, 3.0, 4.0), (4, 0.0, 2.5)])
def test_every_scheme_starts_from_weights_of_the_same_spread(scheme, bits, nu, limit):
    own = rule(scheme, nu=nu, bits=bits)
    h = initial(jax.random.key(0), own, "a", kernel=(300, 100), sigma=TOP / limit)
    w = own(Site("a"), h)
    assert w.shape == (300, 100)
    assert float(h.min()) >= 0
    assert float(h.max()) <= TOP + 1e-6
    assert float(w.mean()) == pytest.approx(0, abs=0.02 * TOP / limit)
    assert float(w.std()) == pytest.approx(TOP / limit, rel=0.02)


@pytest.mark.parametrize(("initial_of", "middle"), [("pulses", True), ("conductance", False)])
def test_devices_begin_about_the_middle_of_their_pulses_or_of_their_conductances(initial_of, middle):
    """ν = 2, two bits: levels at 0, 0.56, 0.85, 1. About the middle pulse as many devices are below it as above."""
    own = rule("acm", bits=2, nu=2.0, initial=initial_of)
    h = np.asarray(initial(jax.random.key(0), own, "a", kernel=SHAPE, sigma=TOP / 4)) / TOP
    levels = (1 - np.exp(-2 * np.round(3 * h) / 3)) / (1 - np.exp(-2))
    share = {level: float(np.mean(np.isclose(levels, level, atol=1e-3))) for level in (0, 0.5627, 0.8519, 1)}
    assert sum(share.values()) == pytest.approx(1)
    if middle:
        assert share[0.5627] + share[0] == pytest.approx(0.5, abs=0.02)
        assert np.std(levels) == pytest.approx(1 / 4 / 2**0.5, rel=0.03)
    else:
        assert share[0] + share[0.5627] > 0.6
        assert levels.mean() == pytest.approx(0.5, abs=0.02)
    reference = rule("bc", bits=2, nu=2.0, initial=initial_of)
    h = initial(jax.random.key(0), reference, "a", kernel=SHAPE, sigma=TOP / 4)
    assert float(reference(Site("a"), h).mean()) == pytest.approx(0, abs=0.02 * TOP)


@pytest.mark.parametrize("scheme", ["de", "bc", "acm"])
def test_l2_takes_the_signed_weights_to_0(scheme):
    own = rule(scheme)
    h = initial(jax.random.key(0), own, "a", kernel=SHAPE, sigma=TOP / 4)
    params = {"a": {"kernel": h}}
    decay = weight_decay(own, 0.5)
    wanted = jax.grad(lambda x: 0.25 * jnp.sum(own(Site("a"), x) ** 2))(h)
    found, _ = decay.update({"a": {"kernel": jnp.ones_like(h)}}, decay.init(params), params)
    np.testing.assert_allclose(found["a"]["kernel"], 1 + wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("nu", [0.0, 2.0, -2.0])
def test_devices_stand_on_the_levels_of_their_curve(nu):
    own = rule(bits=3, nu=nu)
    m = own.devices("a", jax.random.uniform(jax.random.key(0), SHAPE, maxval=TOP))
    levels = conductance(jnp.arange(8.0), pulses=7.0, nu=nu, g_min=0.0, g_max=TOP)
    assert float(jnp.abs(m.reshape(-1, 1) - levels.reshape(1, -1)).min(axis=1).max()) < 1e-6
    assert len(np.unique(np.asarray(m).round(5))) == 8


def test_the_bias_column_is_the_middle_and_is_not_quantised():
    m = rule("bc", bits=2).devices("a", jnp.full((3, 4), 0.1))
    np.testing.assert_allclose(m[:, -1], TOP / 2)
    assert m.shape == (3, 5)


@pytest.mark.slow
def test_a_step_moves_the_conductance_by_its_slope():
    """Δm = −η·c′(p)·∂L/∂m to first order, and the gradient that reaches h is that of m."""
    own, eta = rule(nu=3.0), 1e-3
    h = jnp.linspace(0.1, 0.7, 12).reshape(4, 3)
    x, y = jax.random.normal(jax.random.key(1), (5, 4)), jax.random.normal(jax.random.key(2), (5, 2))
    loss_of_m = lambda m: jnp.mean((x @ combine("acm", m) - y) ** 2)  # noqa: E731
    gradient = jax.grad(lambda h: jnp.mean((x @ own(Site("a"), h) - y) ** 2))(h)
    m = own.curve(h, TOP)
    np.testing.assert_allclose(gradient, jax.grad(loss_of_m)(m), rtol=1e-5)
    moved = own.curve(h - eta * gradient, TOP) - m
    curve_slope = jax.vmap(jax.grad(lambda v: own.curve(v, TOP)))(h.ravel()).reshape(h.shape)
    np.testing.assert_allclose(moved, -eta * curve_slope * gradient, rtol=0.02, atol=1e-8)


def test_no_step_leads_beyond_the_range_and_down_has_its_own_curve():
    own = rule(nu=3.0)
    params = nnx.State({"a": nnx.State({"kernel": jnp.asarray([0.05, 0.4, 0.75]), "bias": jnp.zeros(1)})})
    down = nnx.State({"a": nnx.State({"kernel": jnp.asarray([-0.1, -1e-4, -1e-4]), "bias": -jnp.ones(1)})})
    alike, _ = device_steps(own, nu_down=None).update(down, optax.EmptyState(), params)
    np.testing.assert_allclose(alike["a"]["kernel"], [-0.05, -1e-4, -1e-4], rtol=1e-3)
    np.testing.assert_allclose(alike["a"]["bias"], [-1.0])
    mirrored, _ = device_steps(own, nu_down=-3.0).update(down, optax.EmptyState(), params)
    same, _ = device_steps(own, nu_down=3.0).update(down, optax.EmptyState(), params)
    np.testing.assert_allclose(same["a"]["kernel"], alike["a"]["kernel"], rtol=1e-4, atol=1e-7)
    m = own.curve(params["a"]["kernel"], TOP)
    change = (own.curve(params["a"]["kernel"] + mirrored["a"]["kernel"], TOP) - m)[1:]
    # the mirrored curve: steepest at the top, with the slope that the upward one has at the bottom
    slopes = 3.0 / (1 - np.exp(-3.0)) - 3.0 * (1 - np.asarray(m / TOP)[1:])
    np.testing.assert_allclose(change, -1e-4 * slopes, rtol=0.02)


def test_weights_and_devices_of_a_network_agree():
    net = Mlp(shape=(6, 6, 1), n_classes=3, hidden=5, activation="relu", rngs=nnx.Rngs(0))
    kernels = {"hidden": (36, 5), "output": (5, 3)}
    own = Periphery(scheme="acm", bits=4, nu=1.0, m_max={n: 4 * he_sigma(s) for n, s in kernels.items()})
    install(net, own, kernels=kernels, seed=1)
    assert net.hidden.kernel.shape == (36, 6)
    x = jax.random.uniform(jax.random.key(0), (7, 6, 6, 1))
    trained = net(x, make_forward(own)(net, None, None))
    devices = uninstall(net, own)
    np.testing.assert_allclose(net(x), trained, rtol=1e-5)
    np.testing.assert_allclose(combine("acm", devices["output"]), net.output.kernel[...], rtol=1e-6)


@pytest.mark.parametrize("scheme", ["de", "bc", "acm"])
def test_biases_that_are_rows_start_at_0(scheme):
    net = Mlp(shape=(6, 6, 1), n_classes=3, hidden=5, activation="relu", rngs=nnx.Rngs(0))
    bias_rows(net)
    kernels = {"hidden": (37, 5), "output": (6, 3)}
    own = Periphery(scheme=scheme, bits=None, nu=2.0, m_max={n: 4 * he_sigma(s) for n, s in kernels.items()})
    install(net, own, kernels=kernels, seed=1, bias_rows=True)
    weights = own(Site("hidden"), net.hidden.kernel[...])
    np.testing.assert_allclose(weights[-1], 0, atol=1e-6)
    assert float(weights[:-1].std()) > 0.1


def test_injected_chips_end_at_0_siemens_and_injected_noise_at_the_lowest_level():
    window = DeviceRange(1 / 300e3, 1 / 30e3)
    steps = tuple(steps_of(VariationSection(effects=["additive:sigma=0.15"]).on_devices(), window))
    chip = Fabrication(steps=steps, top=window.g_on, bottom=window.g_off, paired=False)
    floor = Injection(model="additive", sigma=0.15, floor=0.0)
    site, lowest = Site("a", key=jax.random.key(0), limit=TOP), jnp.zeros(SHAPE)
    assert float(floor(site, lowest).min()) == 0
    assert float(chip(site, lowest).min()) == pytest.approx(
        -TOP * window.g_off / (window.g_on - window.g_off), rel=1e-4
    )


def test_noise_falls_on_every_device():
    noisy = rule("bc", noise=Injection(model="additive", sigma=0.1))
    h = jnp.full((50, 40), TOP / 2)
    w = noisy(Site("a", key=jax.random.key(0)), h)
    np.testing.assert_array_equal(noisy(Site("a"), h), 0 * h)
    shared = w.mean(axis=1)  # the bias column's noise, shared by the outputs of a row
    assert float(shared.std()) == pytest.approx(0.1 * TOP / 2, rel=0.3)


def test_inputs_stand_on_levels_of_the_running_range():
    net = Mlp(shape=(2, 2, 1), n_classes=3, hidden=5, activation="relu", rngs=nnx.Rngs(0))
    add_input_ranges(net, ["hidden"])
    forward = make_forward(activation_bits=3)
    x = jnp.linspace(0.0, 2.0, 100).reshape(-1, 1)
    key, step = jax.random.key(0), jnp.asarray(0)
    y = forward(net, key, step)("hidden", x, jnp.ones((1, 1)), dense)
    np.testing.assert_allclose(y, np.round(np.asarray(x) * 3.5) / 3.5, atol=1e-6)
    forward(net, key, step)("hidden", x / 2, jnp.ones((1, 1)), dense)
    assert float(net.hidden.input_range[...]) == pytest.approx(1.9)
    saturated = forward(net, None, None)("hidden", x, jnp.ones((1, 1)), dense)
    assert float(saturated.max()) == pytest.approx(1.9)
    assert float(net.hidden.input_range[...]) == pytest.approx(1.9)
    drop_input_ranges(net, ["hidden", "output"])
    assert not hasattr(net.hidden, "input_range")
