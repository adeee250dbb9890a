import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xbar_cli.nn.crossbar import Routed, to_crossbar
from xbar_cli.nn.shapes import layer_shapes, parameters
from xbar_cli.train.neat import restrict_kernels


class Own(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Conv(1, 4, (3, 3), strides=2, padding="SAME", rngs=rngs)
        self.blocks = nnx.List([nnx.Linear(64, 6, rngs=rngs), nnx.Linear(6, 3, use_bias=False, rngs=rngs)])

    def __call__(self, x):
        x = nnx.relu(self.first(x)).reshape(x.shape[0], -1)
        return self.blocks[1](nnx.relu(self.blocks[0](x)))


IMAGES = jax.random.uniform(jax.random.key(0), (5, 8, 8, 1))


def test_the_same_outputs_and_every_product_where_it_is_sent():
    own = Own(nnx.Rngs(0))
    net = to_crossbar(own)
    np.testing.assert_allclose(net(IMAGES), own(IMAGES), rtol=1e-5, atol=1e-6)
    shapes = layer_shapes(net, shape=(8, 8, 1))
    assert [(s.name, s.kernel) for s in shapes] == [
        ("first", (3, 3, 1, 4)), ("blocks_0", (64, 6)), ("blocks_1", (6, 3)),
    ]  # fmt: skip
    doubled = net(IMAGES, lambda name, x, kernel, contract: contract(x, kernel * (1 + (name == "blocks_1"))))
    np.testing.assert_allclose(doubled, 2 * own(IMAGES), rtol=1e-5, atol=1e-6)
    assert {n for n in parameters(net) if n.endswith("kernel")} == {f"{s.name}.kernel" for s in shapes}


def test_training_methods_take_it_and_the_original_stays():
    own = Own(nnx.Rngs(0))
    net = to_crossbar(own)
    found, before = restrict_kernels({"blocks_0": net.blocks_0.kernel[...]}, {"blocks_0": 0.01})
    net.blocks_0.kernel[...] = found["blocks_0"]
    assert before["blocks_0"] < 1
    assert float(jnp.abs(net.blocks_0.kernel[...]).max()) == pytest.approx(0.01)
    assert float(jnp.abs(net(IMAGES) - own(IMAGES)).max()) > 1e-3
    assert float(jnp.abs(own.blocks[0].kernel[...]).max()) > 0.05


def test_what_arrays_cannot_hold_is_said():
    with pytest.raises(ValueError, match="must have an nnx"):
        to_crossbar(nnx.BatchNorm(3, rngs=nnx.Rngs(0)))

    class Grouped(nnx.Module):
        def __init__(self):
            self.conv = nnx.Conv(4, 4, (3, 3), feature_group_count=2, padding="CIRCULAR", rngs=nnx.Rngs(0))

    with pytest.raises(ValueError, match="one group, padding"):
        to_crossbar(Grouped())


class Holder(nnx.Module):
    """One layer, or what else is given as attributes."""

    def __init__(self, **layers):
        for name, layer in layers.items():
            setattr(self, name, layer)

    def __call__(self, x):
        return self.layer(x)


def linear(n_in=3, n_out=3, **options):
    return nnx.Linear(n_in, n_out, rngs=nnx.Rngs(0), **options)


def conv(size=(3, 3), **options):
    return nnx.Conv(1, 2, size, rngs=nnx.Rngs(0), **options)


class Halved(nnx.Linear):
    def __call__(self, x):
        return super().__call__(x) / 2


class Wide(nnx.Conv):
    pass


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: conv(mask=jnp.zeros((3, 3, 1, 2))), "layer: a convolution .* no mask"),
        (lambda: conv(size=(3,), strides=(2,)), "layer: a convolution .* two dimensions"),
        (lambda: Halved(3, 3, rngs=nnx.Rngs(0)), "layer: .* got its subclass Halved"),
        (lambda: Wide(1, 2, (3, 3), rngs=nnx.Rngs(0)), "layer: .* got its subclass Wide"),
        (lambda: nnx.LoRALinear(3, 3, lora_rank=1, rngs=nnx.Rngs(0)), "layer: .* got its subclass LoRALinear"),
        (lambda: linear(dtype=jnp.bfloat16), "layer: .* must have dtype None or float32, got bfloat16"),
        (lambda: conv(dtype=jnp.float16), "layer: .* must have dtype None or float32, got float16"),
        (lambda: linear(preferred_element_type=jnp.bfloat16), "layer: .* preferred_element_type None or float32"),
        (lambda: linear(dot_general=lambda *a, **k: jax.lax.dot_general(*a, **k)), "layer: .* flax's own dot_general"),
        (lambda: linear(promote_dtype=lambda xs, **_: xs), "layer: .* flax's own promote_dtype"),
        (
            lambda: conv(conv_general_dilated=lambda *a, **k: jax.lax.conv_general_dilated(*a, **k)),
            "layer: .* flax's own conv_general_dilated",
        ),
    ],
)
def test_a_layer_that_is_more_than_its_product_is_refused(layer, message):
    with pytest.raises(ValueError, match=message):
        to_crossbar(Holder(layer=layer()))


def test_float32_asked_for_by_name_is_taken():
    own = Holder(layer=linear(dtype=jnp.float32, preferred_element_type=jnp.float32))
    np.testing.assert_allclose(to_crossbar(own)(IMAGES[0, :, :3, 0]), own(IMAGES[0, :, :3, 0]), rtol=1e-5, atol=1e-6)


def test_names_that_clash_are_refused():
    with pytest.raises(ValueError, match=r"a\.b_c and a_b\.c would both be called a_b_c"):
        to_crossbar(Holder(a=Holder(b_c=linear()), a_b=Holder(c=linear())))
    with pytest.raises(ValueError, match=r"module must have another name .* got module"):
        to_crossbar(Holder(module=linear()))
    with pytest.raises(ValueError, match=r"than module and the methods of nnx\.Module, got eval"):
        to_crossbar(Holder(eval=linear()))


@pytest.mark.parametrize("layer", [linear, conv, lambda: Halved(3, 3, rngs=nnx.Rngs(0))])
def test_a_module_that_is_a_layer_is_refused(layer):
    with pytest.raises(ValueError, match="module is itself a layer; put it in a module"):
        to_crossbar(layer())


@pytest.mark.parametrize("name", ["a", "zz_module", "zzz"])
def test_no_name_is_before_another(name):
    """nnx visits attributes by their names, and gives what is held twice the name that it meets first."""
    own = Holder(**{name: linear(), "norm": nnx.BatchNorm(3, rngs=nnx.Rngs(0))})
    own.layer = own.norm
    found = parameters(to_crossbar(own))
    assert {f"{name}.kernel", f"{name}.bias"} <= set(found)
    assert {key for key in found if not key.startswith(f"{name}.")} == {
        f"module.layer.{key}" for key in ("scale", "bias", "mean", "var")
    }


class Twice(nnx.Module):
    """One layer under two names and once more in `others`."""

    def __init__(self, container):
        self.a = linear()
        self.b = self.a
        self.others = container(self.a)

    def __call__(self, x):
        third = self.others["x"] if isinstance(self.others, dict | nnx.Dict) else self.others[0]
        return third(nnx.relu(self.b(nnx.relu(self.a(x)))))


CONTAINERS = {
    "nnx.List": (lambda layer: nnx.List([layer]), 3),
    "nnx.Dict": (lambda layer: nnx.Dict(x=layer), 3),
    "list": (lambda layer: nnx.data([layer]), 3),
    "dict": (lambda layer: nnx.data({"x": layer}), 3),
    "nested": (lambda layer: nnx.List([nnx.Sequential(layer, nnx.relu, layer)]), 4),
}


@pytest.mark.parametrize(("container", "uses"), CONTAINERS.values(), ids=CONTAINERS)
def test_a_layer_used_at_several_places_has_one_name_and_every_use_is_sent(container, uses):
    own, x = Twice(container), IMAGES[0, :, :3, 0]
    net, seen = to_crossbar(own), []

    def watching(name, x, kernel, contract):
        seen.append(name)
        return contract(x, kernel)

    np.testing.assert_allclose(net(x, watching), own(x), rtol=1e-5, atol=1e-6)
    assert seen == ["a"] * uses
    assert set(parameters(net)) == {"a.kernel", "a.bias"}
    assert isinstance(own.b, nnx.Linear)


def test_a_layer_in_a_tuple_is_refused():
    with pytest.raises(ValueError, match=r"others\.0: a layer on arrays must be held by a module, a list or a dict"):
        to_crossbar(Twice(lambda layer: nnx.data((layer,))))


def test_a_module_that_refers_to_itself_is_taken():
    own = Holder(layer=linear())
    own.me = own
    net, x = to_crossbar(own), IMAGES[0, :, :3, 0]
    np.testing.assert_allclose(net(x), own(x), rtol=1e-5, atol=1e-6)


OTHERS = {
    "nnx.ConvTranspose": lambda rngs: nnx.ConvTranspose(3, 3, (3, 3), rngs=rngs),
    "nnx.LinearGeneral": lambda rngs: nnx.LinearGeneral(3, 3, rngs=rngs),
    "nnx.Einsum": lambda rngs: nnx.Einsum("ab,bc->ac", (3, 3), rngs=rngs),
    "attention": lambda rngs: nnx.MultiHeadAttention(num_heads=1, in_features=3, decode=False, rngs=rngs),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_stays_digital_is_named_in_the_docstring(kind):
    net = to_crossbar(Holder(layer=linear(), other=OTHERS[kind](nnx.Rngs(0))))
    assert {name for name, value in vars(net).items() if isinstance(value, Routed)} == {"layer"}
    assert kind in (to_crossbar.__doc__ or "")
