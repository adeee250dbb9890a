"""Conductances and resistances of small arrays, for the tests of every array model."""

import numpy as np

from xbar_cli.array.wires import Wires

WIRES = Wires(word=4.0, bit=2.5, source=60.0, neuron=30.0)


def conductances(shape=(5, 6), seed=0, *, decades=(-5.0, -3.0), absent=0.2):
    """Conductances over some decades, a share of the devices absent [S]."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < absent, 0, 10 ** rng.uniform(*decades, shape))
