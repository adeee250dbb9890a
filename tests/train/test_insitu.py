"""In-situ training: coincidences against outer products, pulses against plain SGD, Tiki-Taka where SGD is pulled away."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from xbar_cli.config.train import TrainConfig
from xbar_cli.device.switching.model import PulseBranch, Switching, draw_devices, mean_step, pulsed, symmetry_point
from xbar_cli.errors import ConfigError
from xbar_cli.nn.contracts import Convolution, dense
from xbar_cli.train.insitu.pulses import PulsedProduct, coincidences
from xbar_cli.train.insitu.residual import TILES, Residual
from xbar_cli.train.insitu.updates import Pulsing, pulsed_forward, pulsed_sgd

KEY = jax.random.key(2)
CONSTANT = PulseBranch(pulses=2000.0, nonlinearity=0.0, volt=1.0, seconds=1e-9)
QUIET = Switching(name="quiet", source="test", up=CONSTANT, down=CONSTANT, volt_read=0.1, seconds_read=1e-9)


def rule(model=QUIET, shape=(6, 3), transfer=None, bits=10, **spread):
    model = replace(model, **spread)
    drawn = [
        draw_devices(key, jnp.zeros(shape), model=model, g_min=-1.0, g_max=1.0, floor=-jnp.inf)
        for key in jax.random.split(KEY)
    ]
    weights, fast = ({"a": devices} for devices in drawn)
    return Pulsing(model, 1.0, bits, transfer, weights, fast if transfer else {}, seed=1)


def test_coincidences_are_the_outer_product_on_average_within_what_binomials_spread():
    x, delta = jnp.asarray([[0.5, -1.0, 0.0, 0.2]]), jnp.asarray([[0.3, -0.05]])
    gain, bits = 20.0, 20000
    net, both = coincidences(KEY, x, delta, jnp.asarray(gain * bits / 40), bits=bits)
    mean = np.abs(x.T @ delta) * gain * bits / 40
    assert mean.max() < bits  # no chance beyond 1
    spread = 5 * np.sqrt(mean) + 1e-6
    np.testing.assert_array_less(np.abs(net + (x.T @ delta) * gain * bits / 40), spread + 1e-9 * mean)
    np.testing.assert_allclose(both, jnp.abs(net))  # one product: all its pulses have one sign
    assert (np.asarray(net)[2] == 0).all()
    strong, _ = coincidences(KEY, x, delta, jnp.asarray(1e9), bits=8)
    assert float(jnp.abs(strong).max()) == 8  # a stream has so many bits


@pytest.mark.parametrize("contract", [dense, Convolution("SAME")])
def test_a_pulsed_product_computes_and_hands_back_errors_as_the_plain_one(contract):
    convolved = contract is not dense
    x = jax.random.normal(KEY, (64, 5, 5, 2) if convolved else (64, 6))
    kernel = jax.random.normal(KEY, (3, 3, 2, 4) if convolved else (6, 3)) * 0.1
    target = jax.random.normal(jax.random.key(5), contract(x, kernel).shape)

    def loss(product, x, kernel, tally):
        return jnp.mean((product(x, kernel, tally) - target) ** 2)

    def plain(x, kernel, tally):
        return contract(x, kernel)

    def by_pulses(x, kernel, tally):
        return PulsedProduct(contract, 400)(x, kernel, tally, KEY, jnp.asarray(1e4))

    gradients = [
        jax.value_and_grad(lambda *a, p=product: loss(p, *a), argnums=(0, 1, 2))(x, kernel, jnp.zeros_like(kernel))
        for product in (plain, by_pulses)
    ]
    assert gradients[0][0] == gradients[1][0]
    np.testing.assert_allclose(gradients[0][1][0], gradients[1][1][0], rtol=1e-5, atol=1e-9)
    wanted, net, both = -1e4 * gradients[0][1][1], gradients[1][1][1], gradients[1][1][2]
    assert float(both.min()) >= 0
    assert (jnp.abs(net) <= both).all()
    np.testing.assert_array_less(np.abs(net - wanted), 5 * np.sqrt(both) + 1)


def test_a_step_moves_constant_devices_by_their_net_pulses_and_digital_parameters_by_sgd():
    own = rule()
    params = {"a": {"kernel": jnp.full((6, 3), 0.1), "tally": jnp.zeros((6, 3)), "bias": jnp.ones(3)}}
    net = jnp.asarray(np.random.default_rng(0).integers(-3, 4, (6, 3)), jnp.float32)
    pulses = {"a": {"kernel": net, "tally": jnp.abs(net) + 2, "bias": jnp.full(3, 0.5)}}
    optimizer = pulsed_sgd(own, rate=0.1)
    updates, state = optimizer.update(pulses, optimizer.init(params), params)
    np.testing.assert_allclose(updates["a"]["kernel"], net * 2 / 2000, atol=1e-6)
    np.testing.assert_allclose(updates["a"]["bias"], -0.05)
    np.testing.assert_array_equal(updates["a"]["tally"], 0)
    assert int(state.steps) == 1
    assert own.step == pytest.approx(2 / 2000)


def test_pulsed_sgd_follows_plain_sgd_on_average():
    own = rule(shape=(6, 3), bits=50)
    x, target = jax.random.normal(KEY, (256, 6)), jax.random.normal(jax.random.key(4), (256, 3))
    kernel = jnp.zeros((6, 3))
    net = SimpleNamespace(a=SimpleNamespace(tally=jnp.zeros((6, 3))))
    forward = pulsed_forward(own, rate=0.05)
    optimizer = pulsed_sgd(own, rate=0.05)

    @jax.jit
    def update(key):
        def loss(params):
            net.a.tally = params["a"]["tally"]
            y = forward(net, key, jnp.asarray(0))("a", x, params["a"]["kernel"], dense)
            return jnp.mean((y - target) ** 2)

        params = {"a": {"kernel": kernel, "tally": jnp.zeros_like(kernel)}}
        return optimizer.update(jax.grad(loss)(params), optimizer.init(params), params)[0]["a"]["kernel"]

    moved = jax.lax.map(update, jax.random.split(jax.random.key(7), 200))
    wanted = -0.05 * jax.grad(lambda k: jnp.mean((x @ k - target) ** 2))(kernel)
    error = 5 * np.asarray(moved.std(axis=0)) / 200**0.5 + 1e-7
    np.testing.assert_array_less(np.abs(moved.mean(axis=0) - wanted), error)
    measured = forward(net, None, None)("a", x, kernel + 1, dense)
    np.testing.assert_allclose(measured, x @ (kernel + 1), rtol=1e-5)


@pytest.mark.parametrize("transfer", [None, 0.5])
def test_drift_of_devices_is_weight_decay(transfer):
    """Without pulses weights fade; under the gradient of (w − 0.5)²/2 at rate η they stop at 0.5 η/(η + 1/lifetime)."""
    own, eta, lifetime = replace(rule(transfer=transfer), kept=float(np.exp(-1 / 50))), 0.02, 50
    still = {"a": {"kernel": jnp.zeros((6, 3)), "tally": jnp.zeros((6, 3))}}
    params = {"a": {"kernel": jnp.full((6, 3), 0.4), "tally": jnp.zeros((6, 3))}}
    optimizer = pulsed_sgd(own, rate=eta)

    def step(carry, count):
        params, state = carry
        w = params["a"]["kernel"]
        net = jnp.round(count * eta * (0.5 - w) / own.step)
        grads = {"a": {"kernel": net, "tally": jnp.abs(net)}} if transfer is None else still
        updates, state = optimizer.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), None

    start = (params, optimizer.init(params))
    (faded, _), _ = jax.lax.scan(step, start, jnp.zeros(lifetime))
    np.testing.assert_allclose(faded["a"]["kernel"], 0.4 / np.e, rtol=1e-4)
    if transfer is None:
        (held, _), _ = jax.lax.scan(step, start, jnp.ones(20 * lifetime))
        np.testing.assert_allclose(held["a"]["kernel"], 0.5 * eta / (eta + 1 / lifetime), rtol=0.05)


def soft(pulses=200.0):
    up = PulseBranch(pulses=10 * pulses, nonlinearity=10.0, volt=1.0, seconds=1e-9)
    down = replace(up, pulses=10 * pulses)
    return replace(QUIET, up=up, down=down)


def test_at_the_symmetry_point_pulses_up_and_down_cancel():
    model = replace(soft(), sigma_asymmetry=0.2, sigma_step=0.2)
    devices = draw_devices(KEY, jnp.zeros(500), model=model, g_min=-1.0, g_max=1.0, floor=-jnp.inf)
    point = symmetry_point(devices, model)
    one = jnp.ones(500)
    up = pulsed(KEY, point, one, model=model, devices=devices) - point
    down = pulsed(KEY, point, -one, model=model, devices=devices) - point
    np.testing.assert_allclose(up, -down, atol=2e-6)
    assert float(point.std()) > 0.05
    assert mean_step(model) == pytest.approx(0.5 * (1 - np.exp(-10 / 2000)), rel=1e-2)


def descended(transfer, steps=3000):
    """The error of weights that noisy gradients should lead to 0.6, on devices that pulses pull to their middle."""
    own = rule(soft(), shape=(8, 4), transfer=transfer)
    wanted = jnp.full((8, 4), 0.6)
    params = {"a": {"kernel": jnp.zeros((8, 4)), "tally": jnp.zeros((8, 4))}}
    optimizer = pulsed_sgd(own, rate=0.1)

    def step(carry, key):
        params, state = carry
        noisy = 4 * (wanted - params["a"]["kernel"]) + 3 * jax.random.normal(key, (8, 4))
        net = jnp.round(noisy)
        grads = {"a": {"kernel": net, "tally": jnp.abs(net)}}
        updates, state = optimizer.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), params["a"]["kernel"]

    keys = jax.random.split(KEY, steps)
    _, path = jax.jit(lambda c: jax.lax.scan(step, c, keys))((params, optimizer.init(params)))
    return float(jnp.abs(path[-500:].mean(axis=0) - wanted).mean())


def coarse(algorithm, steps=6000):
    """The error of weights that noisy gradients should lead to 0.33, on devices of 16 pulses from end to end that differ."""
    branch, shape = PulseBranch(pulses=16.0, nonlinearity=1.0, volt=1.0, seconds=1e-9), (64, 2)
    model = replace(QUIET, up=branch, down=branch, sigma_step=0.1, sigma_asymmetry=0.1, sigma_window=0.1)
    layer, params = SimpleNamespace(kernel=jnp.zeros(shape)), {"tally": jnp.zeros(shape)}
    if algorithm == "residual":
        factors = (1.0, 0.25, 0.0625)
        own = rule(model, shape=(len(factors), *shape), transfer=None)
        own = replace(own, residual=Residual(factors, own.weights, model))
        own.residual.begin(layer, "a", limit=1.0)
        params |= {TILES: getattr(layer, TILES)[...]}
    else:
        own = rule(model, shape=shape)
    params = {"a": params | {"kernel": layer.kernel[...]}}
    optimizer = pulsed_sgd(own, rate=0.1)

    def step(carry, key):
        params, state = carry
        noise, dither = jax.random.normal(key, shape), jax.random.uniform(jax.random.fold_in(key, 1), shape)
        net = jnp.round(0.02 * (0.33 - params["a"]["kernel"] + 0.3 * noise) / own.finest + dither - 0.5)
        grads = jax.tree.map(jnp.zeros_like, params["a"]) | {"kernel": net, "tally": jnp.abs(net)}
        updates, state = optimizer.update({"a": grads}, state, params)
        return (optax.apply_updates(params, updates), state), params["a"]["kernel"]

    keys = jax.random.split(KEY, steps)
    (last, _), path = jax.jit(lambda c: jax.lax.scan(step, c, keys))((params, optimizer.init(params)))
    if algorithm == "residual":
        np.testing.assert_allclose(last["a"]["kernel"], own.residual.weights(last["a"][TILES]), atol=1e-4)
    return float(jnp.sqrt(((path[-2000:] - 0.33) ** 2).mean()))


def test_residual_tiles_hold_what_one_device_of_few_states_cannot():
    one, several = coarse("sgd"), coarse("residual")
    assert one > 0.1
    assert several < one / 3


def test_tiki_taka_reaches_what_sgd_on_asymmetric_devices_does_not():
    assert descended(None) > 0.1
    assert descended(0.1) < 0.05


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"training": {"momentum": 0.9}}, "method = insitu does not use training.momentum"),
        ({"training": {"optimizer": "adam"}}, "method = insitu pulses devices by plain sgd, not adam"),
        ({"training": {"schedule": "cosine"}}, "does not use training.schedule"),
        ({"inject": "normal:0.1"}, "does not use inject"),
        ({"array": {"model": "lumped", "r_source_ohm": 5}}, "method = insitu reads array.model = nodal, not lumped"),
        ({"array": "nodal"}, "array.model = nodal of method = insitu reads through resistances: give array.r_wire_ohm"),
        (
            {"tile": "64x64"},
            "method = insitu reads ideal arrays and does not use mapping.tile; array.model = nodal does",
        ),
        ({"refold": 8}, "does not use insitu.refold; array.model = nodal does"),
        ({"array": {"r_wire_ohm": 1}}, "method = insitu reads ideal arrays and does not use array.r_wire_ohm"),
        ({"mapping": {"bits": 4}}, "method = insitu does not use mapping.bits"),
        (
            {"insitu": {"transfer_rate": 0.2}},
            "insitu.transfer_rate belongs to insitu.algorithm = tiki-taka",
        ),
    ],
)
def test_what_in_situ_training_has_no_use_for_is_one_line(given, message):
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        TrainConfig.model_validate({"method": "insitu", **given})
