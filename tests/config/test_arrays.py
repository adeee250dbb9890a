"""What is asked for of an array becomes the section of its model, and that the fold of a tile."""

from typing import get_args

import jax.numpy as jnp
import numpy as np
import pytest

from tests.circuits import conductances
from xbar_cli.array.lumped import lumped, lumped_dual
from xbar_cli.array.nodal import nodal
from xbar_cli.array.pairs import halves, interleaved
from xbar_cli.array.published import published, published_dual
from xbar_cli.array.wires import Wires
from xbar_cli.config.arrays import (
    AnyArrayModel,
    ArrayModel,
    ArraySection,
    IdealArray,
    NodalArray,
    WiresSection,
    check_neurons,
    section_of,
    tile_fold,
)
from xbar_cli.config.tile import TileSection
from xbar_cli.errors import ConfigError

ENDS = {"r_source_ohm": 300.0, "r_neuron_ohm": 80.0}
OHMS = Wires(source=300.0, neuron=80.0)


def test_every_model_has_its_section():
    assert {section_of(name) for name in get_args(ArrayModel)} == set(get_args(AnyArrayModel))
    for name in get_args(ArrayModel):
        assert ArraySection(model=name).known("ideal").model == name


def test_the_default_is_taken_where_no_model_is_asked_for():
    assert ArraySection().known("ideal") == IdealArray()
    assert ArraySection(r_wire_ohm=2.0).known("nodal") == NodalArray(r_wire_ohm=2.0)
    assert ArraySection(model="ideal").known("gated") == IdealArray()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"model": "ideal", "r_source_ohm": 5}, "array.model = ideal does not use array.r_source_ohm; lumped or pub"),
        ({"model": "lumped", "r_wire_bit_ohm": 1}, "does not use array.r_wire_bit_ohm; nodal or gated does"),
        ({"model": "nodal", "neuron": "separate"}, "does not use array.neuron; lumped or published does"),
        ({"model": "ideal", "neuron": "shared", "r_wire_ohm": 1}, "array.neuron, array.r_wire_ohm; no model does"),
    ],
)
def test_a_key_that_the_model_does_not_use_is_refused_wherever_the_section_is_built(asked, message):
    with pytest.raises(ConfigError) as error:
        ArraySection(**asked)
    assert message in str(error.value)
    later = {key: value for key, value in asked.items() if key != "model"}
    with pytest.raises(ConfigError) as error:
        ArraySection(**later).known(asked["model"])
    assert message in str(error.value)


def test_wires_are_given_together_or_apart():
    assert WiresSection(r_wire_ohm=2.0, **ENDS).wires() == Wires(2.0, 2.0, 300.0, 80.0)
    assert WiresSection(r_wire_word_ohm="1k").wires() == Wires(word=1e3)
    assert TileSection().wires() == Wires(1.0, 1.0)
    assert TileSection(r_wire_bit_ohm=3.0).wires() == Wires(bit=3.0)
    again = TileSection(**TileSection(r_wire_bit_ohm=3.0).in_use())
    assert again.wires() == Wires(bit=3.0)
    with pytest.raises(ConfigError, match="sets both wires"):
        WiresSection(r_wire_ohm=2.0, r_wire_bit_ohm=1.0)


def test_the_fold_of_a_tile_is_that_of_its_model():
    g = jnp.asarray(conductances((6, 8)), jnp.float32)
    signed = jnp.asarray(conductances((6, 4)) - conductances((6, 4), seed=1), jnp.float32)
    assert tile_fold(IdealArray()) is None
    assert tile_fold(section_of("gated")(r_wire_ohm=1.0)) is None
    wires = Wires(2.0, 3.0, 300.0, 80.0)
    cases = {
        "lumped": ({}, lumped(g, OHMS)),
        "published": ({}, published(g, OHMS)),
        "nodal": ({"r_wire_word_ohm": 2.0, "r_wire_bit_ohm": 3.0}, nodal(g, wires)),
    }
    for model, (more, expected) in cases.items():
        fold = tile_fold(ArraySection(model=model, **ENDS, **more).known("ideal"))
        assert fold is not None
        found = fold(g)
        np.testing.assert_array_equal(found.g_eff, expected.g_eff)
        np.testing.assert_array_equal(found.residual, expected.residual)
    for model, dual in (("lumped", lumped_dual), ("published", published_dual)):
        fold = tile_fold(ArraySection(model=model, neuron="shared", **ENDS).known("ideal"))
        assert fold is not None
        np.testing.assert_array_equal(interleaved(fold, *halves(signed)).g_eff, dual(*halves(signed), OHMS).g_eff)


def test_shared_neurons_need_pairs():
    array = ArraySection(model="lumped", neuron="shared").known("ideal")
    good = {"scheme": "de", "adc": False, "tile": (8, 4), "widths": {"a": 6}}
    check_neurons(array, **good)
    check_neurons(array, **(good | {"tile": (8, 7)}))  # wider than the layer
    check_neurons(IdealArray(), **(good | {"scheme": "acm", "adc": True, "tile": (8, 3)}))
    for change, message in (
        ({"scheme": "acm"}, "acm has none"),
        ({"adc": True}, "one current for two columns"),
        ({"tile": (8, 3)}, "tiles of 3 columns part those of a: .* mapping.tile = 8x4"),
    ):
        with pytest.raises(ConfigError, match=message):
            check_neurons(array, **(good | change))
