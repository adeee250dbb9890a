"""Training against chips: noise on the cells in use, noise that grows, weights that are cut, and what --robust stands for."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests import analytic
from xbar_cli.config.chips.robust import CHOICES, made_robust, said_of
from xbar_cli.config.effect_list import InjectSection
from xbar_cli.config.load import flatten
from xbar_cli.config.train import TrainConfig
from xbar_cli.device.variation import normal_additive
from xbar_cli.errors import ConfigError
from xbar_cli.train.cells import CellCurve, OnCells
from xbar_cli.train.clipping import clipping
from xbar_cli.train.injection import Injection, Ramped, injected, on_cells, ramped
from xbar_cli.train.methods import ramp_steps
from xbar_cli.train.transforms import Site

VG, W_MAX, SIGMA = 1.0, 0.8, 0.1
KERNEL = jnp.asarray(np.random.default_rng(0).uniform(-0.4, 0.4, (4, 5, 3)), jnp.float32)
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def cell():
    return analytic.cell((VG, 1.2))


def noise(cell, **effect):
    section = InjectSection(effects=(effect,))
    return on_cells(section, g_off=cell.g_off, g_on=cell.g_on)


def on_chips(cell, kernels, **effect):
    curve = CellCurve.of(cell, vg=VG, w_max=W_MAX)
    transform = OnCells({"fc": curve}, noise(cell, **effect))
    return jax.jit(jax.vmap(lambda key: transform(Site("fc", key=key, step=jnp.asarray(0)), kernels)))


def test_cells_without_noise_hold_the_weights(cell):
    found = on_chips(cell, KERNEL, model="additive", sigma=0.0)(jax.random.split(KEY, 1))[0]
    np.testing.assert_allclose(found, KERNEL, atol=2e-4)


def means(cell, index, g):
    """The mean over the input voltages of I / V of every cell, by its surrogate: beyond the ends of a device too."""
    current, vin = cell.current[index].astype(jnp.float32), jnp.asarray(cell.vin, jnp.float32)
    return np.asarray(current.in_g(jnp.asarray(g, jnp.float32)) @ jnp.mean(current.in_v(vin) / vin[:, None], axis=0))


def test_memristors_beyond_the_ends_of_a_device_are_seen_as_they_are(cell):
    """A weight of 0 has its memristors at the lowest conductance, and half of any noise is below it."""
    index, curve = cell.index(VG), CellCurve.of(cell, vg=VG, w_max=W_MAX)
    g = np.array([0.2, 0.5, 1.0]) * cell.g_off
    g = np.append(g, np.array([1.0, 1.2]) * cell.g_on)
    np.testing.assert_allclose(curve.mean_of(jnp.asarray(g, jnp.float32)), means(cell, index, g), rtol=2e-3)
    assert (np.diff(curve.mean_of(jnp.asarray(g, jnp.float32))) > 0).all()
    assert float(curve.mean_of(jnp.zeros(()))) == 0


def test_noise_is_that_of_memristors_seen_through_the_cells(cell):
    """By NumPy: a pair of devices, the curve of the cell, the scale of its largest gate voltage."""
    weight = 0.3
    found = np.asarray(
        on_chips(cell, jnp.full((50, 40), weight), model="additive", sigma=SIGMA)(jax.random.split(KEY, 8))
    )
    index, top = cell.index(VG), cell.index(1.2)
    low, high = cell.effective(top, np.array(cell.edges(top)), volt=None)
    slope = (high - low) / W_MAX
    bottom = cell.effective(index, np.array(cell.edges(index)), volt=None)[0]
    rng, spread = np.random.default_rng(0), SIGMA * (cell.g_on - cell.g_off)
    ends = cell.memristor(index, np.array([bottom + weight * slope, bottom]), volt=None)
    drawn = [np.clip(g + spread * rng.normal(size=400_000), 0, None) for g in ends]
    seen = [means(cell, index, g) for g in drawn]
    wanted = (seen[0] - seen[1]) / slope
    assert found.mean() == pytest.approx(wanted.mean(), abs=4 * wanted.std() / np.sqrt(found.size))
    assert found.std() == pytest.approx(wanted.std(), rel=0.02)


def test_chips_differ_gradients_pass_and_measuring_sees_none(cell):
    found = on_chips(cell, KERNEL, model="additive", sigma=SIGMA)(jax.random.split(KEY, 2))
    assert float(jnp.abs(found[0] - found[1]).max()) > 0.05
    transform = OnCells({"fc": CellCurve.of(cell, vg=VG, w_max=W_MAX)}, noise(cell, model="additive", sigma=SIGMA))
    gradient = jax.grad(lambda w: (3 * transform(Site("fc", key=KEY), w)).sum())(KERNEL)
    np.testing.assert_allclose(gradient, 3.0, rtol=1e-6)
    assert transform(Site("fc"), KERNEL) is KERNEL


def test_noise_grows_to_all_of_it():
    whole = Injection(model="additive", sigma=0.1)
    some = Ramped(whole, 10)
    at = [some(Site("fc", key=KEY, step=jnp.asarray(step)), KERNEL) - KERNEL for step in (0, 5, 10, 50)]
    full = (
        normal_additive(jax.random.key(1), KERNEL, sigma_siemens=0.0)
        - KERNEL
        + whole(Site("fc", key=KEY), KERNEL)
        - KERNEL
    )
    for found, share in zip(at, (0, 0.5, 1, 1), strict=True):
        np.testing.assert_allclose(found, share * full, atol=1e-6)
    assert some(Site("fc"), KERNEL) is KERNEL
    assert ramped(whole, None) is whole
    assert ramped(None, 10) is None
    assert isinstance(injected(InjectSection(sigma=0.1), ramp=3), Ramped)


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ({}, None),
        ({"training": {"inject_schedule": "ramp", "epochs": 6}, "inject": "normal:0.1"}, 6 * 15 // 2),
        (
            {
                "method": "neat",
                "neat": {"cell": "c", "vg": "1.0", "rounds": 5, "epochs_per_round": 2, "start": "x"},
                "training": {"inject_schedule": "ramp"},
                "inject": "additive:sigma=0.1",
            },
            10 * 15 // 2,
        ),
    ],
)
def test_noise_is_whole_after_half_of_the_steps(given, steps):
    assert ramp_steps(TrainConfig.model_validate(given), images=1000) == steps


def test_noise_that_cannot_grow_is_refused():
    ramp = {"training": {"inject_schedule": "ramp"}}
    with pytest.raises(ConfigError, match="nothing is injected"):
        ramp_steps(TrainConfig.model_validate(ramp), images=100)
    neat = {"method": "neat", "neat": {"cell": "c", "vg": "1.0"}, "inject": "normal:0.1"}
    with pytest.raises(ConfigError, match=r"needs neat\.start"):
        ramp_steps(TrainConfig.model_validate(ramp | neat), images=100)


def test_weights_are_cut_at_so_many_deviations_and_the_method_comes_after():
    net, seen = (
        SimpleNamespace(
            a=SimpleNamespace(kernel=nnx.Param(10 * KERNEL**3)), b=SimpleNamespace(kernel=nnx.Param(KERNEL))
        ),
        [],
    )
    before, other = np.asarray(net.a.kernel[...]), np.asarray(net.b.kernel[...])
    clipping(["a"], 1.5, lambda net: seen.append(float(jnp.abs(net.a.kernel[...]).max())))(net)
    limit = 1.5 * before.std()
    assert np.abs(before).max() > limit
    np.testing.assert_allclose(net.a.kernel[...], np.clip(before, -limit, limit), rtol=1e-6)
    np.testing.assert_array_equal(net.b.kernel[...], other)
    assert seen == [pytest.approx(limit, rel=1e-6)]
    assert clipping(["a"], None, seen.append) == seen.append


@pytest.mark.parametrize("method", CHOICES)
def test_robust_keeps_what_is_given_and_stands_for_itself_when_read_again(method):
    own = {
        "neat": {"neat": {"cell": "c", "vg": "1.0", "start": "x"}},
        "tat": {"array": "published", "technology": "taox"},
    }
    tree = {"robust": True, "method": method, **own.get(method, {}), "training": {"clip_weights": 3.0}}
    found = TrainConfig.model_validate(tree)
    assert found.training.clip_weights == 3.0
    assert [effect.model_dump(exclude_none=True) for effect in found.inject.effects] == [
        {"model": "additive", "sigma": 0.15}
    ]
    assert TrainConfig.model_validate(found.in_use()) == found
    said = said_of(method, dict(flatten(found.in_use())))
    assert "inject = additive:sigma=0.15" in said
    assert "training.clip_weights = 3.0" in said
    other = TrainConfig.model_validate(tree | {"inject": "normal:0.2"})
    assert (other.inject.sigma, other.inject.effects) == (0.2, None)


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"method": "periphery"}, "contradicts method = periphery"),
        ({"method": "biased", "start": "x"}, "contradicts method = biased"),
        ({"method": "neat", "neat": {"cell": "c", "vg": "1.0"}}, "needs neat.start"),
    ],
)
def test_a_method_that_robust_contradicts_is_refused(tree, said):
    with pytest.raises((ValueError, ConfigError), match=said):
        TrainConfig.model_validate({"robust": True, **tree})
    if tree["method"] != "neat":
        with pytest.raises(ConfigError, match="have a range of their own"):
            TrainConfig.model_validate({"training": {"clip_weights": 2.0}, **tree})


def test_effects_on_cells_need_the_weights_that_set_their_scale():
    tree = {"method": "neat", "neat": {"cell": "c", "vg": "1.0"}, "inject": "additive:sigma=0.1"}
    with pytest.raises(ConfigError, match=r"neat\.start"):
        TrainConfig.model_validate(tree)
    assert TrainConfig.model_validate(tree | {"inject": "normal:0.1"}).inject.sigma == 0.1


def test_only_what_a_method_has_is_chosen():
    with pytest.raises(ValueError, match="contradicts"):
        made_robust({}, "periphery")
    assert made_robust({"training": {"epochs": 3}}, "ideal")["training"] == {
        "epochs": 3,
        "schedule": "cosine",
        "clip_weights": 1.5,
    }
