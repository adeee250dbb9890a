"""Which of the values that can be built about a design are taken."""

import numpy as np

from xbar_cli.design.building import best_of

NEAR = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
WIGGLE = np.array([0.3, -0.3, 0.2, -0.2, 0.1, -0.1, 0.3, -0.3])


def test_another_rounding_must_be_better_for_certain():
    assert best_of([NEAR, NEAR - 0.05 + WIGGLE], 0) == 0  # less on average, but not on the same batches
    assert best_of([NEAR, NEAR - 0.5 + WIGGLE], 0) == 1
    assert best_of([NEAR - 0.5 + WIGGLE, NEAR, NEAR - 0.6 + WIGGLE], 1) == 2
    assert best_of([NEAR + 0.5, NEAR], 1) == 1
    assert best_of([NEAR, NEAR], 0) == 0
