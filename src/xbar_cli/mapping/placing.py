"""A layer's weights on the columns of its array under any scheme: levels, scale, and what the digital side keeps."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbar_cli.device.levels import nearest

from .bitslice import SliceFormat, cut, to_conductances, to_integers
from .encode import encode
from .readout import Readout


class Conductances(NamedTuple):
    """What the weights of a layer are encoded to.

    Attributes:
        levels: that devices are programmed to [S], ascending; None for any conductance between the ends.
        bottom: lowest [S].
        top: highest [S].
        slope: conductance per unit of weight at the scale asked for [S], one number or one per output.
    """

    levels: NDArray[np.float64] | None
    bottom: float
    top: float
    slope: NDArray[np.float64]


class Placed(NamedTuple):
    """A layer on its columns.

    Attributes:
        wanted: conductances [rows columns] [S].
        readout: the digital side behind the columns.
        slope: conductance per unit of weight [S], one number or one per output.
        digital: weight that the digital side adds: one number, or one per weight [rows out].
        scale_kept: scale over the one asked for; below 1 where ACM's running sums did not fit.
        clipped_fraction: share of the weights beyond what the devices reach.
    """

    wanted: NDArray[np.float64]
    readout: Readout
    slope: NDArray[np.float64]
    digital: NDArray[np.float64]
    scale_kept: float
    clipped_fraction: float

    def decoded(self) -> NDArray[np.float64]:
        """The weights [rows out] that the conductances stand for."""
        return np.asarray(self.readout.combine(self.wanted)) / self.slope + self.digital


def place(scheme: str, weights: NDArray[np.float32], span: Conductances) -> Placed:
    """Weights [rows out] on pairs or neighbours of columns.

    Args:
        scheme: "de", "bc" or "acm".
        weights: signed weights.
        span: levels, ends and scale.
    """
    encoded = encode(scheme, weights, g_min=span.bottom, g_max=span.top, scale=np.asarray(span.slope, np.float32))
    wanted = encoded.g
    if span.levels is not None:
        programmed = nearest(wanted, span.levels)
        # acm, section II: the reference sits between the levels
        if scheme == "bc":
            programmed[:, -1] = wanted[:, -1]
        wanted = programmed
    return Placed(
        wanted=np.asarray(wanted, np.float64),
        readout=Readout(scheme),
        slope=np.asarray(encoded.scale, np.float64),
        digital=np.zeros(()),
        scale_kept=float(encoded.scale_kept),
        clipped_fraction=float(encoded.clipped_share),
    )


def place_slices(fmt: SliceFormat, weights: NDArray[np.float32], *, bottom: float, top: float) -> Placed:
    """Weights [rows out] as slices of fixed-point numbers between `bottom` and `top` [S].

    Neighbouring columns hold the slices of one output; level 0 is `bottom`, which the digital side takes off again.
    """
    integers, clipped = to_integers(weights, fmt)
    sliced = cut(integers, fmt)
    g = to_conductances(sliced.levels, fmt, g_min=bottom, g_max=top)  # [planes rows out]
    step = (top - bottom) / fmt.top_level
    unit = 2.0**-fmt.fraction_bits
    digital = np.asarray(fmt.offset - bottom / step * sum(fmt.radices))
    if sliced.negative is not None:
        digital = digital + fmt.sign_radix * np.asarray(sliced.negative, np.float64)
    return Placed(
        wanted=np.asarray(np.moveaxis(np.asarray(g), 0, -1), np.float64).reshape(weights.shape[0], -1),
        readout=Readout("bitslice", fmt),
        slope=np.asarray(step / unit),
        digital=digital * unit,
        scale_kept=1.0,
        clipped_fraction=float(clipped),
    )
