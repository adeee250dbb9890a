"""Which layers of wired 1T-1R cells are products, and that an evaluation gives the answers of solved arrays."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import analytic
from tests.chip.test_monte_carlo import network
from xbar_cli.chip.certificates.wired import told
from xbar_cli.chip.fold import make_folder
from xbar_cli.chip.place import map_network
from xbar_cli.chip.resolve import Gates
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.errors import ConfigError
from xbar_cli.nn.reading import on_arrays
from xbar_cli.reporter import SILENT
from xbar_cli.workflows.evaluate import build_hardware

VG = 0.9
WIRES = {"r_wire_ohm": 4, "r_source_ohm": 300, "r_neuron_ohm": 30}


class Heard:
    """What a reporter is told."""

    def __init__(self):
        self.notes = []

    def note(self, message):
        self.notes.append(message)

    def doing(self, *_):
        pass

    def progress(self, *_):
        pass


@pytest.fixture(scope="module")
def trained():
    return network("mlp")


def asked(trained, **array):
    """A configuration, and the network on cells that know the voltage of their bit line."""
    tree = {"array": {"model": "gated", **array}, "mapping": {"tile": "64x16"}}
    config = EvaluateConfig.model_validate(tree | {"seed": 3, "monte_carlo": {"samples": 1, "images": 20}})
    cell = replace(analytic.cell((VG,)), bit_line=(analytic.on_a_bit_line(VG),))
    gates = Gates(Path(), cell, dict.fromkeys(("hidden", "output"), VG), asked=True)
    placement = config.mapping.placement(cell=cell)
    return config, map_network(trained, placement, gates, images=20)


def hardware_of(trained, *, reporter=SILENT, **array):
    config, mapped = asked(trained, **array)
    return build_hardware(config, trained, mapped, reporter=reporter)


def test_products_are_taken_where_their_error_is_small_enough_and_a_line_says_where_not(trained):
    heard = Heard()
    usual = hardware_of(trained, **WIRES, reporter=heard)
    assert usual.folded == {"hidden", "output"} == set(usual.certificates)
    assert not usual.solved
    assert not heard.notes
    worst = max(found.largest for found in usual.certificates.values())
    assert 0 < worst < 1e-3
    strict = hardware_of(trained, **WIRES, wired_error=worst / 2, reporter=heard)
    assert strict.swept
    assert (strict.folded | strict.swept, strict.solved) == (usual.folded, False)
    assert "are swept: as products they differ" in heard.notes[-1]
    assert all(strict.certificates[name].largest < 1e-5 for name in strict.swept)
    stricter = hardware_of(trained, **WIRES, wired_error=1e-10, reporter=heard)
    assert (stricter.folded, stricter.swept, stricter.solved) == (frozenset(), frozenset(), True)
    assert "are solved at every read" in heard.notes[-1]
    anyway = hardware_of(trained, **WIRES, wired="fold", wired_error=worst / 2, reporter=heard)
    assert anyway.folded == usual.folded
    assert "are folded all the same" in heard.notes[-1]
    swept = hardware_of(trained, **WIRES, wired="sweep", reporter=heard)
    assert (swept.folded, swept.swept) == (frozenset(), usual.folded)
    exact = hardware_of(trained, **WIRES, wired="exact")
    assert (exact.folded, exact.certificates) == (frozenset(), {})


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ({"wired": "fold"}, "array.wired needs array.r_wire_ohm"),
        ({"wired": "exact", "wired_error": 0.1, **WIRES}, "has no array.wired_error"),
    ],
)
def test_what_says_nothing_is_one_line(trained, array, message):
    with pytest.raises(ConfigError, match=message):
        hardware_of(trained, **array)


def scores(trained, **array):
    """What the network says of a few images on the chip without variation, and what the summary says of the arrays."""
    hardware = hardware_of(trained, **array)
    nominal = {name: jnp.asarray(layer.conductance, jnp.float32) for name, layer in hardware.network.layers.items()}
    circuit, _ = make_folder(hardware)(nominal, jax.random.key(0), {})
    x = jnp.asarray(trained.data.test_images[:6], jnp.float32) / 255
    product = on_arrays(circuit, key=jax.random.key(0), first=jnp.asarray(0))
    return np.asarray(jax.jit(lambda x: trained.net(x, product))(x)), {v["computed"] for v in told(hardware).values()}


@pytest.mark.slow
def test_networks_of_products_say_what_those_of_solved_arrays_say(trained):
    (fold, how), (swept, sweep), (exact, solved), (free, nothing) = (
        scores(trained, **array) for array in (*({"wired": way, **WIRES} for way in ("fold", "sweep", "exact")), {})
    )
    assert (how, sweep, solved, nothing) == ({"fold"}, {"sweep"}, {"exact"}, set())
    moved, apart = np.abs(free - exact).max(), np.abs(fold - exact).max()
    assert moved > 0.02 * np.abs(free).max(), "the resistances matter"
    assert 0 < apart < 0.01 * moved
    assert 0 < np.abs(swept - exact).max() < 1e-4 * moved
