import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from xbar_cli.errors import ModelError
from xbar_cli.nn.lenet import LeNet
from xbar_cli.nn.mlp import Mlp
from xbar_cli.train.augment import augment
from xbar_cli.train.forward import make_forward
from xbar_cli.train.loop import make_optimizer, make_step, run_epoch
from xbar_cli.train.losses import cross_entropy
from xbar_cli.train.optimizers import chain, learning_rate

IMAGES, LABELS = jax.random.uniform(jax.random.key(0), (8, 6, 6, 1)), jnp.arange(8) % 3


def mlp():
    return Mlp(shape=(6, 6, 1), n_classes=3, hidden=5, activation="relu", rngs=nnx.Rngs(0))


def one_step(transformation, **given):
    net = mlp()
    graphdef, state = nnx.split((net, make_optimizer(net, transformation)))
    state, loss = make_step(graphdef, **given)(state, IMAGES, LABELS)
    return nnx.merge(graphdef, state)[0], float(loss)


def test_the_step_of_sgd_is_the_gradient_by_hand():
    w = [mlp().hidden.kernel[...], mlp().output.kernel[...]]

    def loss(w):
        x = jnp.maximum(IMAGES.reshape(8, -1) @ w[0], 0) @ w[1]
        return -jnp.mean(jax.nn.log_softmax(x)[jnp.arange(8), LABELS])

    gradient = jax.grad(loss)(w)
    net, value = one_step(chain("sgd", rate=0.5))
    assert value == pytest.approx(float(loss(w)), rel=1e-5)
    np.testing.assert_allclose(net.hidden.kernel[...], w[0] - 0.5 * gradient[0], atol=1e-6)
    decayed, _ = one_step(chain("sgd", rate=0.5, weight_decay=0.1))
    np.testing.assert_allclose(decayed.output.kernel[...], w[1] - 0.5 * (gradient[1] + 0.1 * w[1]), atol=1e-6)
    np.testing.assert_array_equal(decayed.output.bias[...], net.output.bias[...])
    clipped, _ = one_step(chain("sgd", rate=1.0, clip_norm=1e-3))
    moved = jax.tree.leaves(jax.tree.map(lambda a, b: a - b, nnx.state(clipped), nnx.state(mlp())))
    assert float(optax.tree.norm(moved)) == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize(
    ("losses", "weight", "message"),
    [
        ([1.0, np.inf, 1.0], 0.0, "the loss is not finite at epoch 4, step 2"),
        ([1.0, 1.0], np.nan, "the weights are not finite after epoch 4, step 2"),
    ],
)
def test_an_epoch_that_diverges_is_an_error_that_says_where(losses, weight, message):
    left = iter(losses)

    def step(state, images, labels):
        return {"w": jnp.full(3, weight), "step": jnp.asarray(1)}, jnp.asarray(next(left))

    with pytest.raises(ModelError, match=message):
        run_epoch(step, {}, [(IMAGES, LABELS)] * len(losses), epoch=3)


def test_schedules():
    step = learning_rate("step", rate=1.0, steps=100)
    assert [round(float(step(n)), 6) for n in (0, 49, 51, 74, 76)] == [1, 1, 0.1, 0.1, 0.01]
    cosine = learning_rate("cosine", rate=1.0, steps=100)
    assert [round(float(cosine(n)), 3) for n in (0, 50, 100)] == [1, 0.5, 0]
    assert learning_rate("constant", rate=0.3, steps=9) == 0.3
    for wrong in (lambda: learning_rate("linear", rate=1.0, steps=1), lambda: chain("rmsprop", rate=1.0)):
        with pytest.raises(ValueError, match="must be"):
            wrong()


def test_label_smoothing_spreads_the_target():
    scores = jax.random.normal(jax.random.key(1), (4, 3))
    labels = jnp.asarray([0, 1, 2, 0])
    log = jax.nn.log_softmax(scores)
    wanted = 0.8 * cross_entropy(scores, labels) - 0.2 * log.mean()
    assert float(cross_entropy(scores, labels, smoothing=0.2)) == pytest.approx(float(wanted), rel=1e-5)


def test_augmentation_flips_half_and_shifts_within_four_pixels():
    images = jnp.tile(jnp.arange(1.0, 145.0).reshape(1, 12, 12, 1), (400, 1, 1, 1))
    flipped = augment(images, jax.random.key(0), rule="flip")
    same = np.asarray((flipped == images).all(axis=(1, 2, 3)))
    assert 0.4 < same.mean() < 0.6
    np.testing.assert_array_equal(flipped[~same], images[~same][:, :, ::-1])
    shifted = np.asarray(augment(images, jax.random.key(0), rule="crop"))
    corners = {(int(i), int(j)) for i, j in (np.argwhere(x[..., 0] == 78)[0] for x in shifted)}
    assert corners <= {(i, j) for i in range(2, 11) for j in range(1, 10)}
    assert len(corners) > 60
    assert augment(images, jax.random.key(0), rule="none") is images
    again = augment(images, jax.random.key(0), rule="crop+flip")
    np.testing.assert_array_equal(again, augment(images, jax.random.key(0), rule="crop+flip"))
    assert not np.array_equal(again, augment(images, jax.random.key(1), rule="crop+flip"))


def test_bfloat16_rounds_the_products_alone():
    net = mlp()
    full, half = (net(IMAGES, make_forward(precision=p)(net, None, None)) for p in ("float32", "bfloat16"))
    assert half.dtype == jnp.float32
    assert 1e-4 < float(jnp.abs(half - full).max() / jnp.abs(full).max()) < 3e-2


def test_lenet_of_acm_has_the_layers_it_says():
    net = nnx.eval_shape(lambda: LeNet(shape=(28, 28, 1), n_classes=10, width=1.0, rngs=nnx.Rngs(0)))
    shapes = [getattr(net, n).kernel.shape for n in ("conv1", "conv2", "fc1", "fc2")]
    assert shapes == [(5, 5, 1, 20), (5, 5, 20, 50), (800, 500), (500, 10)]
