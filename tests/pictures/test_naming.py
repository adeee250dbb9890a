"""The names that a user has for keys and figures."""

import numpy as np
import pytest

from tests.pictures.grids import SEED, TILE, VG, WIRE, grid
from xbar_cli.errors import ConfigError
from xbar_cli.pictures.grid import Swept
from xbar_cli.pictures.naming import figure_called, key_called, selected


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("evaluate.array.r_wire_ohm", WIRE[0]), ("array.r_wire_ohm", WIRE[0]), ("r_wire", WIRE[0]), ("array.r_wire", WIRE[0]),
        ("tile", TILE[0]), ("vg", VG[0]), ("seed", SEED[0]),
    ],
)  # fmt: skip
def test_keys_are_known_by_their_ends_without_units_and_as_they_are_listed(name, key):
    assert key_called(name, grid(SEED, WIRE, TILE, VG), where="x") == key


def test_the_amount_of_variation_is_called_as_it_is_listed():
    assert key_called("variation", grid(("e.variation.amount", [0.1, 0.2])), where="x") == "e.variation.amount"


def test_figures_are_the_chips_own_before_those_that_only_have_the_name():
    made = np.ones(5)
    sweep = grid(WIRE, accuracy=made, accuracy_mean=made, energy_joule=made, before_accuracy_mean=made)
    assert figure_called("accuracy", sweep) == "accuracy_mean"
    assert figure_called("energy", sweep) == "energy_joule"
    assert figure_called("before_accuracy", sweep) == "before_accuracy_mean"
    assert figure_called("accuracy", grid(WIRE, test_accuracy=made)) == "test_accuracy"


def test_a_name_of_two_axes_is_refused_and_one_of_keys_that_vary_together_is_not():
    with pytest.raises(ConfigError, match=r"by = 'bits' may mean a.bits or b.bits: write it in full"):
        key_called("bits", grid(("a.bits", [1, 2]), ("b.bits", [1, 2])), where="by")
    pair = Swept(("a.bits", "b.bits"), (np.asarray([1, 2]), np.asarray([3, 4])), ("1", "1"))
    assert key_called("bits", grid(pair), where="by") == "a.bits"
    assert key_called("b.bits", grid(pair), where="by") == "b.bits"


def test_a_part_of_a_sweep_has_the_figures_of_that_part():
    sweep = grid(SEED, WIRE, TILE)
    part = selected(sweep, ["r_wire=5", "r_wire=10.0", "tile=64x64"])
    np.testing.assert_array_equal(part.figures["accuracy_mean"], sweep.figures["accuracy_mean"][:, 3:, 2:])
    assert part.axes[1].values[0].tolist() == [5.0, 10.0]
    assert part.axes[2].values[0].tolist() == ["64x64"]
