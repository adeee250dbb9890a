"""What every remedy owes: without faults it changes nothing, what it takes for stuck is, less error is left, a key is a chip.

A remedy that is new joins by its line in `CASES`; without one `test_every_remedy_is_in_the_battery` fails.
"""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.chip.fabricate import make_fabricator
from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.mapped import LayerMapping, MappedNetwork
from xbar_cli.chip.repair.asked import grid_of, repairing, spare_lines
from xbar_cli.chip.repair.fabricator import Built
from xbar_cli.config.chips.repair import NAMES, remedies_of
from xbar_cli.config.effect_list import steps_of
from xbar_cli.config.variation import VariationSection
from xbar_cli.mapping.readout import Readout

G_OFF, G_ON = 1e-6, 1e-5
TILE = (8, 6)
SHAPES = {"a": (19, 10), "b": (5, 4)}
KEYS = jax.random.split(jax.random.key(2), 3)
CASES = {
    "sign-flip": "sign-flip",
    "differential": "differential",
    "permute": "permute",
    "code": "code",
    "spares": "spares=2",
    "ensemble": "ensemble=3",
    "copies": "sign-flip,differential,ensemble=2",
    "all": "sign-flip,differential,permute,spares=1",
    "all, code": "sign-flip,differential,permute,code",
}
ALL = pytest.mark.parametrize("text", CASES.values())
KNOWING = pytest.mark.parametrize(
    "text", [text for text in CASES.values() if text != "ensemble=3" and "code" not in text]
)
"""Remedies that know faults, and whose devices are what the layers compute with."""
COUNTING = pytest.mark.parametrize("text", [text for text in CASES.values() if text != "ensemble=3"])


@cache
def network():
    rng = np.random.default_rng(3)
    layers = {}
    for name, (rows, columns) in SHAPES.items():
        weights = rng.uniform(-1, 1, (rows, columns // 2))
        pairs = np.stack([np.maximum(weights, 0), np.maximum(-weights, 0)], axis=-1).reshape(rows, columns)
        layers[name] = LayerMapping(
            conductance=(G_OFF + (G_ON - G_OFF) * pairs).astype(np.float32), kernel=(rows, columns // 2),
            readout=Readout("de"), slope=np.asarray(G_ON - G_OFF), digital=np.zeros(()), bottom=G_OFF, top=G_ON,
            scale_kept=1.0, full_scale=1.0, signed=False, vg=None, clipped_fraction=0.0,
        )  # fmt: skip
    return MappedNetwork(layers, "de", None, None, G_OFF, G_ON, TILE)


def plain():
    variation = VariationSection(
        effects=("proportional:sigma=0.05", "stuck:on=0.1,off=0.08,open=0.04,row=0.05,column=0.05")
    )
    return make_fabricator(network(), steps_of(variation.on_devices(), network()), negative="clamp")


PLAIN = plain()


def with_share(faults, sigma):
    """The chips with a share of the faults and this spread, which may be traced: one program for all tests of a remedy."""
    spread, stuck = PLAIN.steps
    rates = {k: v * faults if k.startswith("rate") else v for k, v in stuck.parameters.items()}
    steps = replace(spread, parameters={"sigma_relative": sigma}), replace(stuck, parameters=rates)
    return replace(PLAIN, steps=steps)


@cache
def program(text):
    """`(key, share of the faults, spread) -> chip, known faults by stream`."""
    remedies = remedies_of(text)
    hardware = Hardware(network(), spare=spare_lines(network(), remedies))

    def run(key, faults, sigma):
        fabricator = repairing(with_share(faults, sigma), hardware, remedies)
        known = {}
        for copy in range(remedies.ensemble if remedies.knowing else 0):
            for name, layer in fabricator.layers.items():
                own = name if copy == 0 else f"{name} copy {copy}"
                known[own] = fabricator.known(key, own, layer, jnp.asarray(network().layers[name].conductance))
        return fabricator(key), known

    return jax.jit(run)


def made(text, key, *, faults=1.0, sigma=0.0):
    return program(text)(key, faults, sigma)[0]


@cache
def grids(text):
    remedies = remedies_of(text)
    return {name: grid_of(network(), network().layers[name], remedies) for name in SHAPES}


@cache
def unrepaired(number):
    """Conductances of an unrepaired chip, as copies of layers."""
    g = jax.jit(lambda key: with_share(1.0, 0.0)(key).conductances)(KEYS[number])
    return [{name: Built(part, part, None) for name, part in g.items()}]


def weights(g):
    g = np.asarray(g, np.float64)
    return (g[:, 0::2] - g[:, 1::2]) / (G_ON - G_OFF)


def wrong(conductances):
    """Mean square of the errors of the weights that copies of layers average."""
    errors = []
    for name, layer in network().layers.items():
        found = np.mean([weights(copy[name].at_home) for copy in conductances], axis=0)
        errors.append(((found - weights(layer.conductance)) ** 2).ravel())
    return np.concatenate(errors).mean()


def test_every_remedy_is_in_the_battery():
    assert set(NAMES) - {"retrain"} == set(CASES) - {
        "copies",
        "all",
        "all, code",
    }  # retraining owes it to test_repair_retrain.py


@ALL
def test_without_faults_every_weight_is_what_was_mapped(text):
    chip = made(text, KEYS[0], faults=0.0)
    for copy in chip.conductances:
        for name, layer in network().layers.items():
            np.testing.assert_allclose(weights(copy[name].at_home), weights(layer.conductance), atol=1e-6)
    if "moved_fraction" in chip.repaired:
        assert chip.repaired["moved_fraction"] == 0  # nothing is moved for nothing


@KNOWING
def test_known_faults_are_those_that_the_devices_have(text):
    """Of the built arrays of every copy, and those of its first are the unrepaired chip's."""
    chip, known = program(text)(KEYS[1], 1.0, 0.0)
    for number, copy in enumerate(chip.conductances):
        for name, grid in grids(text).items():
            faults = known[name if number == 0 else f"{name} copy {number}"]
            g, stuck = np.asarray(copy[name].g), np.asarray(faults.stuck)
            assert g.shape == stuck.shape == grid.built
            assert 0.1 < stuck.mean() < 0.5
            np.testing.assert_array_equal(g[stuck], np.asarray(faults.held)[stuck])
            if number == 0:
                rows, columns = (lines[:, None] if n == 0 else lines[None] for n, lines in enumerate(grid.core))
                core = stuck[rows, columns]
                np.testing.assert_array_equal(np.asarray(unrepaired(1)[0][name].g)[core], g[rows, columns][core])


@ALL
def test_remedies_leave_less_error_than_there_was(text):
    """A checksum alone has nothing to give where every column has faults; see test_repair_code.py for whole columns."""
    share = 1 + 1e-6 if text == "code" else 0.95
    for number, key in enumerate(KEYS):
        assert wrong(made(text, key).conductances) < share * wrong(unrepaired(number))


@COUNTING
def test_what_is_counted_is_what_the_weights_of_each_copy_are(text):
    """By NumPy, from the conductances of the chip."""
    chip = made(text, KEYS[0])
    each = [wrong([copy]) for copy in chip.conductances]
    assert float(chip.repaired["mean_square_after"]) == pytest.approx(np.mean(each), rel=1e-4)
    if len(each) == 1:
        assert float(chip.repaired["mean_square_before"]) == pytest.approx(wrong(unrepaired(0)), rel=1e-4)


@ALL
def test_every_device_has_one_place_on_its_own_tile(text):
    for copy in made(text, KEYS[2]).conductances:
        for name, built in copy.items():
            if built.places is None:
                continue
            places, grid = np.asarray(built.places), grids(text)[name]
            assert len(np.unique(places)) == places.size
            row, column = np.divmod(places, grid.built[1])
            for own, there in grid.bands:
                assert np.isin(row[own], there).all()
            for own, there in grid.strips:
                assert np.isin(column[:, own], there).all()


@ALL
def test_the_same_key_is_the_same_chip_and_another_key_another_one(text):
    one, again, other = (jax.tree.leaves(made(text, key).conductances) for key in (KEYS[0], KEYS[0], KEYS[1]))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_chips_by_vmap_are_the_chips_one_by_one():
    text = "permute,differential"
    many = jax.jit(jax.vmap(program(text), in_axes=(0, None, None)))(KEYS[:2], 1.0, 0.05)[0]
    for number, key in enumerate(KEYS[:2]):
        for a, b in zip(jax.tree.leaves(many), jax.tree.leaves(made(text, key, sigma=0.05)), strict=True):
            np.testing.assert_allclose(a[number], b, rtol=1e-5, atol=1e-12)


@ALL
def test_variation_acts_on_repaired_devices_and_leaves_their_places(text):
    still, varied = (made(text, KEYS[0], sigma=sigma).conductances for sigma in (0.0, 0.05))
    for a, b in zip(still, varied, strict=True):
        for name in SHAPES:
            share = np.asarray(b[name].g) / np.maximum(np.asarray(a[name].g), 1e-12)
            assert 0.02 < share[share > 0].std() < 0.06
            np.testing.assert_array_equal(a[name].target, b[name].target)
            if a[name].places is not None:
                np.testing.assert_array_equal(a[name].places, b[name].places)


def test_copies_of_an_ensemble_have_faults_of_their_own():
    first, second, _ = made("ensemble=3", KEYS[0]).conductances
    for name in SHAPES:
        np.testing.assert_array_equal(first[name].g, unrepaired(0)[0][name].g)
        assert (first[name].g != second[name].g).mean() > 0.1
        assert jnp.asarray(first[name].g).dtype == jnp.float32
