"""A layer's weights on the columns of its array under any scheme: devices, scale, levels, and what the digital side keeps."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbar_cli.device.cell import Cell
from xbar_cli.device.levels import nearest, uniform_levels

from .bitslice import SliceFormat, cut, filling_bits, to_conductances, to_integers
from .encode import encode, full_scale
from .readout import Readout
from .window import MapTarget, Programmed, cell_window, program


@dataclass(frozen=True)
class DeviceRange:
    """The devices that weights are put on: resistive ones, or 1T-1R cells as their rows are read.

    Attributes:
        g_off: memristor conductance of the high-resistance state [S].
        g_on: memristor conductance of the low-resistance state [S].
        levels: that resistive devices are programmed to [S], ascending; None for any conductance.
        technology: name or file of theirs; None where only the resistances were given.
        cell: the 1T-1R cell; None of resistive devices.
        volt: the one voltage of driven rows that cells are programmed for [V]; None where rows see all input voltages.
        bits: of the levels of cells' effective conductances; None for any conductance.
        top: the end of a cell's scale: the upper edge of its linear range, or its g_on.
        target: the conductance of cells that weights are linear in.
    """

    g_off: float
    g_on: float
    levels: NDArray[np.float64] | None = None
    technology: str | None = None
    cell: Cell | None = None
    volt: float | None = None
    bits: int | None = None
    top: Literal["range", "device"] = "device"
    target: MapTarget = "effective"


@dataclass(frozen=True)
class Slices:
    """Slices that are asked for.

    Attributes:
        weight_bits: of a fixed-point weight, the sign with them.
        fraction_bits: behind the point; None for the most of each layer at which no weight is clipped.
        device_bits: of one device.
        encoding: of negative weights.
        filled: whether a layer without `fraction_bits` has a factor of its own, at which its largest weight is the largest of
            the format, in place of a power of two.
    """

    weight_bits: int
    fraction_bits: int | None
    device_bits: int
    encoding: str
    filled: bool = False

    def fitted(self, weights: NDArray[np.float32], trained: int | float | None = None) -> SliceFormat:
        """The fixed-point format of a layer; `trained` are the fraction bits that it was trained for, where there are any.

        Its fraction bits may be more than there are weight bits, or less than 0: the point is where the layer's weights need
        it. A layer of zeros has its point behind the sign.

        Raises:
            ValueError: slices that do not fit.
        """
        fraction: int | float | None = self.fraction_bits
        if fraction is None and not self.filled:
            fraction = trained
        if fraction is None:
            fraction = filling_bits(weights, weight_bits=self.weight_bits, whole=not self.filled)
        return SliceFormat(
            weight_bits=self.weight_bits, fraction_bits=fraction, device_bits=self.device_bits, encoding=self.encoding
        )


@dataclass(frozen=True)
class LimitShare:
    """A weight limit as a share of the largest weight."""

    share: float


WeightLimitRule = float | LimitShare | Literal["max", "largest", "auto"]


@dataclass(frozen=True)
class Placement:
    """How the weights of a network are put on devices.

    Attributes:
        scheme: "de", "bc", "acm" or "bitslice".
        devices: that hold them.
        slices: of fixed-point weights; None but for "bitslice".
        layers: on arrays, the others being digital.
        weight_scale: what the weight at full scale is the largest of; None for the network with a cell, else the layer.
        weight_limit: that weight: its largest or what training fixed (max), the largest in any case, a number, a share of
            the largest, or that which costs the least accuracy (auto).
        tile: rows and columns of one array.
        pack: whether groups of outputs that see other inputs share arrays, as many as fit, or have one each.
        own: patterns of layers, and how their weights are put on devices instead: the first that fits counts.
    """

    scheme: str
    devices: DeviceRange
    slices: Slices | None
    layers: str
    weight_scale: Literal["network", "layer", "column"] | None
    weight_limit: WeightLimitRule
    tile: tuple[int, int]
    pack: bool = False
    own: tuple[tuple[str, "Placement"], ...] = ()

    @property
    def largest_of(self) -> Literal["network", "layer", "column"]:
        """What the weight at full scale is the largest of."""
        return self.weight_scale or ("layer" if self.devices.cell is None else "network")

    def groups(self, groups: int, *, rows: int, outputs: int) -> int:
        """The groups that are left where `groups` of so many rows each, and so many outputs in all, are packed if asked for."""
        if not self.pack:
            return groups
        fmt = None if self.slices is None else replace(self.slices, fraction_bits=0).fitted(np.zeros(1, np.float32))
        readout = Readout(self.scheme, fmt)
        fitting = [
            each
            for each in range(1, groups + 1)
            if groups % each == 0
            and each * rows <= self.tile[0]
            and readout.columns(each * outputs // groups) <= self.tile[1]
        ]
        return groups // max(fitting, default=1)


class Span(NamedTuple):
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


def span_of(devices: DeviceRange, scheme: str, *, vg: float | None, w_max: float | NDArray[np.float64]) -> Span:
    """Levels, ends and scale of one layer; with a cell they are effective conductances at its gate voltage `vg` [V].

    The top of the scale does not depend on the number of levels. Slices use the whole range, as pairs do.
    """
    cell = devices.cell
    if cell is None or vg is None:
        levels = devices.levels
        bottom, top = (devices.g_off, devices.g_on) if levels is None else (float(levels[0]), float(levels[-1]))
        whole = full_scale("de" if scheme == "bitslice" else scheme, g_min=bottom, g_max=top)
        return Span(levels, bottom, top, whole / np.asarray(w_max, np.float64))
    window = cell_window(cell, vg=vg, w_max=1.0, volt=devices.volt)
    top = window.bottom + window.slope * window.w_cut
    if devices.top == "device":
        top = float(cell.effective(cell.index(vg), np.asarray(cell.g_on), volt=devices.volt))
    levels = None if devices.bits is None else uniform_levels(devices.bits, g_min=window.bottom, g_max=top)
    half = 2 if scheme == "bc" else 1
    return Span(levels, window.bottom, top, window.slope / half / np.asarray(w_max, np.float64))


def programmed(devices: DeviceRange, wanted: NDArray[np.float64], *, vg: float | None) -> Programmed:
    """The memristors of wanted conductances [S]; of cells at gate voltage `vg` [V], those that have them in effect."""
    if devices.cell is None or vg is None:
        return Programmed(wanted, 0.0)
    return program(devices.cell, wanted, vg=vg, target=devices.target, volt=devices.volt)


def place(scheme: str, weights: NDArray[np.float32], span: Span) -> Placed:
    """Weights [rows out] on pairs or neighbours of columns."""
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


def place_shares(
    shares: NDArray[np.float32],
    scheme: str,
    *,
    m_max: float,
    bottom: float,
    top: float,
    factors: tuple[float, ...] = (),
) -> Placed:
    """Trained conductances [rows columns], 0 … 1 of the range from `bottom` to `top` [S]; `m_max` is the whole of it.

    `factors` are those of residual tiles.
    """
    return Placed(
        wanted=bottom + shares.astype(np.float64) * (top - bottom),
        readout=Readout(scheme, factors=factors),
        slope=np.asarray((top - bottom) / m_max),
        digital=np.zeros(()),
        scale_kept=1.0,
        clipped_fraction=0.0,
    )


def place_groups(
    place_one: Callable[[NDArray[np.float32], int], Placed], values: NDArray[np.float32], groups: int
) -> Placed:
    """Groups of outputs on columns of their own, side by side, where `place_one(values of a group, its number)` places one."""
    if groups == 1:
        return place_one(values, 0)
    parts = [place_one(part, number) for number, part in enumerate(np.split(values, groups, axis=-1))]
    each = values.shape[-1] // groups
    slopes = np.concatenate([np.broadcast_to(part.slope, (each,)) for part in parts])
    digital = np.asarray(parts[0].digital)
    if digital.ndim:
        digital = np.concatenate([part.digital for part in parts], axis=-1)
    return Placed(
        wanted=np.concatenate([part.wanted for part in parts], axis=1),
        readout=replace(parts[0].readout, groups=groups),
        slope=slopes[0] if (slopes == slopes[0]).all() else slopes,
        digital=digital,
        scale_kept=min(part.scale_kept for part in parts),
        clipped_fraction=float(np.mean([part.clipped_fraction for part in parts])),
    )
