"""Small mapped networks, of random conductances."""

import numpy as np

from tests import analytic
from xbar_cli.chip.mapped import LayerMapping, MappedNetwork
from xbar_cli.mapping.readout import Readout

G_OFF, G_ON = 1 / 300e3, 1 / 30e3


def layer(rows, out, *, scheme="de", vg=None, signed=False, digital=None, seed=0):
    """A layer of random conductances."""
    readout = Readout(scheme)
    g = np.random.default_rng(seed).uniform(G_OFF, G_ON, (rows, readout.columns(out))).astype(np.float32)
    return LayerMapping(
        conductance=g, kernel=(rows, out), readout=readout, slope=np.asarray(3e-5),
        digital=np.zeros(()) if digital is None else digital, bottom=G_OFF, top=G_ON, scale_kept=1.0, full_scale=1.0,
        signed=signed, vg=vg, clipped_fraction=0.0,
    )  # fmt: skip


def network(*, cells=False, scheme="de", tile=(64, 32), vg=(0.9, 1.0), signed=False):
    """Two layers, on resistive arrays or on cells in closed form."""
    gates = vg if cells else (None, None)
    layers = {
        "a": layer(100, 20, scheme=scheme, vg=gates[0], signed=signed),
        "b": layer(20, 10, scheme=scheme, vg=gates[1], seed=1),
    }
    cell = analytic.cell((0.9, 1.0, 1.2)) if cells else None
    return MappedNetwork(layers, scheme, None, cell, G_OFF, G_ON, tile)
