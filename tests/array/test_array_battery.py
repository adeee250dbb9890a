"""What every array model owes, each folded as a configuration asks for it: limits, order, symmetry, maps, a dense twin.

A model that is new fails `test_every_model_is_in_the_battery` until it has its line in `CASES`, or its reason in `UNFOLDED`.
"""

from typing import NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from tests import circuit
from xbar_cli.config.arrays import ArrayModel, section_of, tile_fold

SHAPE = (6, 6)
WIRES = {"source": 60.0, "neuron": 30.0, "word": 4.0, "bit": 2.5}
ENDS = {"source": 60.0, "neuron": 30.0}
KEYS = {"source": "r_source_ohm", "neuron": "r_neuron_ohm", "word": "r_wire_word_ohm", "bit": "r_wire_bit_ohm"}


class Case(NamedTuple):
    """A model: its resistances, how near it is to the circuit, whether inputs and outputs can be exchanged; shared neurons."""

    resistances: dict[str, float]
    error: float = 1e-12
    reciprocal: bool = True
    shared: bool = False


CASES = {
    "lumped": Case(ENDS),
    "lumped, shared neurons": Case(ENDS, shared=True),
    "published": Case(ENDS, error=2e-3, reciprocal=False),
    "published, shared neurons": Case(ENDS, error=2e-3, reciprocal=False, shared=True),
    "nodal": Case(WIRES),
}
UNFOLDED = {"ideal": "acts as its devices", "gated": "is not linear in its inputs, and solved at every read"}
every_case = pytest.mark.parametrize("name", CASES)
linear = pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.shared])


def model_of(name):
    return name.split(",")[0]


def fold_of(name, resistances):
    """The fold of one tile, as the section of the model makes it."""
    given = {KEYS[key]: ohm for key, ohm in resistances.items()}
    if CASES[name].shared:
        given["neuron"] = "shared"
    return tile_fold(section_of(model_of(name))(**given))


def folded(name, g, resistances=None):
    """In double precision; of shared neurons the signed currents of pairs, which are all that there is."""
    with jax.enable_x64(True):
        found = fold_of(name, CASES[name].resistances if resistances is None else resistances)(jnp.asarray(g))
        assert float(found.residual) < 1e-12
        return signed(name, np.asarray(found.g_eff))


def signed(name, g):
    return g[:, 0::2] - g[:, 1::2] if CASES[name].shared else g


def conductances(seed=0, absent=0.2):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(SHAPE) < absent, 0, 10 ** rng.uniform(-5, -3.3, SHAPE))


def pairs_by_nodes(g, *, source, neuron):
    """Two arrays, the second driven with the opposite voltages, that share the neuron of each pair of columns."""
    rows, out = g.shape[0], g.shape[1] // 2
    found = np.empty((rows, out))
    for i in range(rows):
        parts = []
        for k in range(rows):
            for sign in (0, 1):
                parts.append((("in", k, sign), ("row", k, sign), 1 / source))
                parts += [(("row", k, sign), ("pair", j), g[k, 2 * j + sign]) for j in range(out)]
        parts += [(("pair", j), ("ground", j), 1 / neuron) for j in range(out)]
        volts = {("in", k, sign): (1.0, -1.0)[sign] * (k == i) for k in range(rows) for sign in (0, 1)}
        volts |= {("ground", j): 0.0 for j in range(out)}
        found[i] = [circuit.currents(parts, volts, ("ground", j)) for j in range(out)]
    return found


def twin(name, g, resistances=None):
    given = CASES[name].resistances if resistances is None else resistances
    return pairs_by_nodes(g, **given) if CASES[name].shared else circuit.effective(g, **given)


def test_every_model_is_in_the_battery():
    assert {model_of(name) for name in CASES} | set(UNFOLDED) == set(get_args(ArrayModel))
    for model in UNFOLDED:
        assert tile_fold(section_of(model)()) is None
    for name, case in CASES.items():
        keys = section_of(model_of(name)).model_fields
        assert set(case.resistances) == {resistance for resistance, key in KEYS.items() if key in keys}


@every_case
def test_an_array_is_a_circuit_of_resistors(name):
    g = conductances()
    np.testing.assert_allclose(folded(name, g), twin(name, g), atol=CASES[name].error * g.max())
    wrong = {key: 1.5 * ohm for key, ohm in CASES[name].resistances.items()}
    assert np.abs(folded(name, g) - twin(name, g, wrong)).max() > 5 * CASES[name].error * g.max()


@pytest.mark.parametrize("known", ["word", "bit", "source", "neuron"])
def test_without_one_of_its_resistances_a_solved_array_is_the_circuit_without_it(known):
    g, rest = conductances(), {key: ohm for key, ohm in WIRES.items() if key != known}
    np.testing.assert_allclose(folded("nodal", g, rest), circuit.effective(g, **rest), rtol=1e-11, atol=1e-18)


@every_case
def test_without_resistances_devices_are_all_that_there_is(name):
    g, case = conductances(), CASES[name]
    np.testing.assert_allclose(folded(name, g, dict.fromkeys(case.resistances, 0.0)), signed(name, g), rtol=1e-15)
    near = folded(name, g, dict.fromkeys(case.resistances, 1e-7))
    np.testing.assert_allclose(near, signed(name, g), atol=1e-9 * g.max())


@linear
def test_an_array_is_passive_and_every_resistance_takes_current(name):
    g, given = conductances(), CASES[name].resistances
    base = folded(name, g)
    assert (base >= 0).all()
    assert (base.sum(axis=0) <= g.sum(axis=0)).all()
    for key, ohm in given.items():
        more = folded(name, g, given | {key: 1.5 * ohm})
        assert (more.sum(axis=0) < base.sum(axis=0)).all(), key
        assert (more.sum(axis=1) < base.sum(axis=1)).all(), key


@linear
def test_more_conductance_anywhere_is_more_current_in_all(name):
    g = conductances()
    base = folded(name, g).sum()
    for place in ((0, 0), (2, 3), (5, 5)):
        more = g.copy()
        more[place] += 1e-4
        assert folded(name, more).sum() > base


@linear
def test_inputs_and_outputs_are_exchanged_with_their_resistances(name):
    """A circuit of resistors is reciprocal: the transposed array in reverse order, sources for neurons, words for bits."""
    g, given = conductances(), CASES[name].resistances
    other = {"source": "neuron", "neuron": "source", "word": "bit", "bit": "word"}
    turned = {other[key]: ohm for key, ohm in given.items()}
    error = np.abs(folded(name, g[::-1, ::-1].T, turned)[::-1, ::-1].T - folded(name, g)).max() / g.max()
    assert (error < 1e-13) == CASES[name].reciprocal
    assert error < 10 * CASES[name].error


@every_case
def test_ohms_and_siemens_scale_against_each_other(name):
    g, given = conductances(), CASES[name].resistances
    scaled = folded(name, 8 * g, {key: ohm / 8 for key, ohm in given.items()})
    np.testing.assert_allclose(scaled, 8 * folded(name, g), rtol=1e-12, atol=1e-18)


@every_case
def test_an_absent_row_takes_no_current_and_an_absent_column_gives_none(name):
    g = conductances(absent=0)
    g[2] = 0
    g[:, 4:] = 0
    found = folded(name, g)
    assert (found[2] == 0).all()
    assert (found[:, found.shape[1] - (1 if CASES[name].shared else 2) :] == 0).all()
    assert (np.abs(found).sum(axis=1)[[0, 1, 3, 4, 5]] > 0).all()


@every_case
def test_tiles_by_vmap_or_one_after_the_other_are_tiles_one_by_one(name):
    tiles = np.stack([conductances(seed) for seed in range(3)]).astype(np.float32)
    fold = fold_of(name, CASES[name].resistances)
    loop = np.stack([signed(name, np.asarray(fold(jnp.asarray(g)).g_eff)) for g in tiles])
    assert loop.dtype == np.float32
    for mapped in (jax.vmap(fold), lambda x: jax.lax.map(fold, x)):
        found = np.asarray(jax.jit(mapped)(jnp.asarray(tiles)).g_eff)
        np.testing.assert_allclose([signed(name, g) for g in found], loop, rtol=1e-5, atol=1e-6 * tiles.max())


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n == "nodal" else n for n in CASES])
def test_gradients_with_respect_to_devices_are_differences(name):
    fold = jax.jit(fold_of(name, CASES[name].resistances))

    def scaled(g):
        return 1e3 * fold(1e-3 * jnp.asarray(g)).g_eff

    with jax.enable_x64(True):
        check_grads(scaled, (1e3 * jnp.asarray(conductances()),), order=1, modes=["rev"], rtol=1e-5, atol=1e-7)
