"""Converters in the forward pass: steps and gradients by hand, sums of tiles, where ranges start, what moves them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from tests.compositions.product import Tiny, trained
from xbar_cli.array.converters import Dac
from xbar_cli.config.chips.learned import TrainConverters
from xbar_cli.nn.contracts import Convolution, MatrixProduct, rows_of
from xbar_cli.train.forward import make_forward
from xbar_cli.train.learned import install, quantised, range_decay, start_of, tile_sums


def exact(contract, x, kernel):
    return contract(x, kernel)


@pytest.mark.parametrize("gradient", ["lsq", "pact"])
@pytest.mark.parametrize(("bits", "low"), [(3, 0), (4, -1), (1, 0)])
def test_values_are_those_of_the_converter_that_an_evaluation_has(gradient, bits, low):
    v = jax.random.normal(jax.random.key(0), (64, 9))
    found = quantised(v, jnp.log(0.8), top=2**bits - 1, low=low, gradient=gradient)
    wanted = Dac(jnp.asarray(0.8), signed=low < 0, bits=bits)(v)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert len(np.unique(np.asarray(found).round(4))) == 2**bits * (1 - low) + low


def test_gradients_are_those_of_the_papers():
    """Range 2 in 4 steps: 0.7 is 1.4 steps (rounds to 1), 1.3 is 2.6 (to 3); 5 and -3 are cut."""
    v, seen = jnp.asarray([[0.7, 1.3, 5.0, -3.0]]), jnp.asarray([[1.0, 10.0, 100.0, 1000.0]])

    def loss(v, log_range, gradient, low):
        return jnp.sum(seen * quantised(v, log_range, top=4, low=low, gradient=gradient))

    def grads(gradient, low):
        to_values, to_log = jax.grad(loss, argnums=(0, 1))(v, jnp.log(2.0), gradient, low)
        np.testing.assert_array_equal(to_values, [[1, 10, 0, 0]])
        return float(to_log) / 2  # d range = range · d log

    ends = 100 * 1 + 1000 * -1
    assert grads("pact", -1) == pytest.approx(ends)
    assert grads("pact", 0) == pytest.approx(100)
    inside = (1 * (1 - 1.4) + 10 * (3 - 2.6)) / 4
    assert grads("lsq", -1) == pytest.approx((inside + ends) / np.sqrt(4 * 4), rel=1e-4)
    assert grads("lsq", 0) == pytest.approx((inside + 100) / np.sqrt(4 * 4), rel=1e-4)


@pytest.mark.parametrize(
    ("contract", "x", "kernel"),
    [
        (MatrixProduct(), (5, 20), (20, 6)),
        (MatrixProduct(2), (5, 40), (20, 6)),
        (Convolution("SAME"), (5, 4, 4, 3), (3, 3, 3, 6)),
        (Convolution("VALID", stride=2, groups=2), (5, 5, 5, 6), (3, 3, 3, 6)),
    ],
)
@pytest.mark.parametrize("height", [8, 9, 100])
def test_sums_of_tiles_are_those_of_their_rows_and_add_up_to_the_product(contract, x, kernel, height):
    x, kernel = (jax.random.normal(jax.random.key(n), shape) for n, shape in enumerate((x, kernel)))
    found = tile_sums(x, kernel, contract, height=height, exact=exact)
    rows, groups = int(np.prod(kernel.shape[:-1])), contract.groups
    seen, w = np.asarray(rows_of(contract, x, kernel.shape)), np.asarray(kernel).reshape(rows, groups, -1)
    seen = seen.reshape(*seen.shape[:-1], groups, rows)
    for band in range(-(-rows // height)):
        part = slice(band * height, (band + 1) * height)
        wanted = np.einsum("...gi,igo->...go", seen[..., part], w[part])
        np.testing.assert_allclose(found[..., band, :], wanted.reshape(*wanted.shape[:-2], -1), atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=-2), contract(x, kernel), atol=1e-5)


def test_ranges_start_where_the_paper_says_or_at_the_largest_value():
    v = jnp.asarray([0.1, -0.2, 0.1, 4.0])
    assert float(jnp.exp(start_of(v, top=3, gradient="lsq"))) == pytest.approx(2 * 1.1 * 3**0.5)
    assert float(jnp.exp(start_of(v, top=255, gradient="lsq"))) == pytest.approx(4)
    assert float(jnp.exp(start_of(v, top=3, gradient="pact"))) == pytest.approx(4)
    assert float(start_of(jnp.zeros(3), top=3, gradient="lsq")) == 0


def between(net, **section):
    data = trained().data
    return install(
        net, TrainConverters(**section), ["conv", "fc"], (data.train_images, data.train_labels), height=8
    )  # fmt: skip


def test_layers_whose_inputs_have_both_signs_are_known_and_read_twice():
    net = Tiny()
    converters = between(net, dac_bits=4, adc_bits=5)
    assert converters.signed == {"fc"}
    x = jnp.asarray([[-1.0, 2.0]])
    assert [list(read[0]) for read in converters.reads("fc", x)] == [[0, 2], [1, 0]]
    assert converters.reads("conv", x)[0] is x


@pytest.mark.parametrize("gradient", ["lsq", "pact"])
def test_a_range_that_is_too_wide_is_brought_in(gradient):
    """One step of 3 bits over a range ten times too wide: learning the ranges alone brings the outputs nearer."""
    net = Tiny()
    images = jnp.asarray(trained().data.train_images, jnp.float32) / 255
    wanted = net(images)
    forward = make_forward(converters=between(net, dac_bits=8, adc_bits=3, range_gradient=gradient))
    net.conv.log_output_range[...] = net.conv.log_output_range[...] + jnp.log(10.0)
    graphdef, ranges, rest = nnx.split(net, lambda path, _: "log_output_range" in path, ...)

    @jax.jit
    @jax.value_and_grad
    def loss(ranges):
        own = nnx.merge(graphdef, ranges, rest)
        decay = jnp.exp(2 * own.conv.log_output_range[...]) * (0.01 if gradient == "pact" else 0.0)
        return jnp.mean((own(images, forward(own, None, None)) - wanted) ** 2) + decay

    first, _ = loss(ranges)
    optimizer = optax.adam(0.05)
    state = optimizer.init(ranges)
    for _ in range(80):
        _, grads = loss(ranges)
        with jax.numpy_dtype_promotion("standard"):
            updates, state = optimizer.update(grads, state)
            ranges = optax.apply_updates(ranges, updates)
    last, _ = loss(ranges)
    assert float(last) < 0.5 * float(first)


def test_l2_acts_on_kernels_and_on_ranges():
    params = {"a": {"kernel": jnp.asarray([2.0]), "log_input_range": jnp.log(3.0), "bias": jnp.asarray([5.0])}}
    updates = jax.tree.map(jnp.zeros_like, params)
    found, _ = range_decay(0.1).update(updates, optax.EmptyState(), params)
    assert float(found["a"]["kernel"][0]) == pytest.approx(0.2)
    assert float(found["a"]["log_input_range"]) == pytest.approx(0.1 * 9)
    assert float(found["a"]["bias"][0]) == 0
