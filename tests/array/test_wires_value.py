"""The resistances of an array as one value: known zeros, what is refused, what travels through maps and gradients."""

from dataclasses import fields

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xbar_cli.array.wires import Folded, Wires, exactly, is_zero

NAMES = ("word", "bit", "source", "neuron")


def test_nothing_given_is_no_resistance():
    assert not Wires().any
    assert vars(Wires()) == dict.fromkeys(NAMES, 0.0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ohm", [2.5, 3, jnp.asarray(2.5)])
def test_one_resistance_above_0_is_some(name, ohm):
    assert Wires(**{name: ohm}).any
    assert not Wires(**{name: 0 * ohm}).any


def test_a_traced_resistance_is_not_known_to_be_0():
    seen = []

    def look(ohm):
        seen.append((is_zero(ohm), Wires(source=ohm).any, Wires(source=ohm).require() is not None))
        return ohm

    jax.jit(look)(0.0)
    assert seen == [(False, True, True)]
    assert is_zero(jnp.zeros(()))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ohm", [-1.0, float("inf"), float("nan")])
def test_what_no_resistance_can_be_is_named(name, ohm):
    with pytest.raises(ValueError, match=rf"wires\.{name} must be finite and not below 0 ohm, got"):
        Wires(**{name: ohm}).require()
    good = Wires(**{name: 1.0})
    assert good.require() is good


def test_a_model_with_ideal_wires_takes_the_ends_alone():
    ends = Wires(source=5.0, neuron=2.0)
    assert ends.require_ends() is ends
    for name in ("word", "bit"):
        with pytest.raises(ValueError, match=rf"wires\.{name} must be 0 ohm in a model with ideal wires, got 1"):
            Wires(**{name: 1.0}).require_ends()
    with pytest.raises(ValueError, match=r"wires\.neuron must be finite"):
        Wires(neuron=-2.0).require_ends()


def test_resistances_are_mapped_over_and_differentiated_like_any_tree():
    @jax.vmap
    def total(word, bit):
        leaves = jax.tree.leaves(Wires(word, bit, 5.0))
        assert len(leaves) == 4
        return leaves[0] + 10 * leaves[1] + 100 * leaves[2]

    np.testing.assert_allclose(total(jnp.asarray([1.0, 2.0]), jnp.asarray([3.0, 4.0])), [531, 542])
    slope = jax.grad(lambda wires: wires.word * wires.bit)(Wires(2.0, 3.0, 0.0, 0.0))
    assert (float(slope.word), float(slope.bit), float(slope.source)) == (3, 2, 0)


def test_numbers_become_arrays_of_the_dtype_that_is_solved_in():
    wires = Wires(1, 2.5, jnp.asarray(3.0), 0.0)
    assert {array.dtype for array in wires.arrays(jnp.float32)} == {jnp.dtype(jnp.float32)}
    assert [float(array) for array in wires.arrays(jnp.float32)] == list(wires.floats()) == [1, 2.5, 3, 0]


def test_no_resistance_is_left_out_where_they_travel_as_numbers():
    """A field that `floats` or `arrays` forgot would be lost between an evaluation and its energy."""
    wires = Wires(*range(1, 1 + len(fields(Wires))))
    assert wires.floats() == tuple(vars(wires).values())
    assert [float(array) for array in wires.arrays(jnp.float32)] == list(vars(wires).values())


def test_messages_name_the_resistances_that_there_are():
    assert Wires(2.5, 0.0, 60.0, 0.0).told() == "resistances of word line 2.5 ohm, source 60 ohm"
    assert Wires(bit=1.0, neuron=30).told() == "resistances of bit line 1 ohm, neuron 30 ohm"
    assert Wires().told() == "no resistances"


def test_captions_name_segments_once_where_both_wires_are_alike():
    assert str(Wires(2.5, 2.5, 60.0, 0.0)) == "2.5 Ω a wire segment, sources 60 Ω, neurons 0 Ω"
    assert str(Wires(4.0, 2.5)).startswith("4 Ω (word) and 2.5 Ω (bit) a wire segment")


def test_a_formula_leaves_nothing_over():
    g = jnp.ones((2, 3), jnp.float32)
    found = exactly(g)
    assert isinstance(found, Folded)
    assert found.g_eff is g
    assert (found.residual.dtype, float(found.residual)) == (jnp.float32, 0)
