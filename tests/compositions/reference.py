"""A layer on arrays by NumPy in float64, from the written conductances and the documented formulas: no code of the package.

The arrays are circuits here: Kirchhoff's law is solved for every read of every tile, currents are converted one group of
rows after the other, and codes are added. Written for reading, not for speed.
"""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import xarray as xr
from numpy.polynomial.chebyshev import chebval


@dataclass(frozen=True)
class Cell:
    """The surrogate of a cell's current at one gate voltage: `I(G, V) = base(G) + Σ_k G spline_k(G) V polynomial_k(V)`."""

    knots: np.ndarray
    log: bool
    base: np.ndarray
    factors: np.ndarray
    polynomials: np.ndarray
    v_min: float
    v_max: float
    vin: np.ndarray

    @classmethod
    @cache  # one file for all cases
    def read(cls, path, vg):
        data = xr.load_dataset(path, engine="h5netcdf")
        k = int(np.argmin(np.abs(data["vg"].values - vg)))
        rank, degree = int(data["current_rank"][k]), int(data["current_degree"][k])
        vin = data["vin"].values
        return cls(
            data["g_knot"].values, bool(data["g_knot_log"]), data["current_base"].values[k],
            data["current_factors"].values[k][..., :rank], data["current_polynomials"].values[k][:rank, : degree + 1],
            float(data["v_min"]), float(data["v_max"]), vin[np.abs(vin) >= float(data["vin_min"]) * (1 - 1e-9)],
        )  # fmt: skip

    def _cubics(self, g, coefficients):
        """Cubics between knots of even spacing; `coefficients` [power, segment, …], the highest power first."""
        x = np.log(np.maximum(g, self.knots[0])) if self.log else g
        knots = np.log(self.knots) if self.log else self.knots
        place = (x - knots[0]) / (knots[1] - knots[0])
        segment = np.clip(np.floor(place), 0, coefficients.shape[1] - 1).astype(int)
        t = (place - segment).reshape(*g.shape, *(1,) * (coefficients.ndim - 2))
        return sum(coefficients[n][segment] * t ** (3 - n) for n in range(4))

    def leakage(self, g):
        return self._cubics(g, self.base)

    def __call__(self, g, v):
        """Currents [A] of conductances `g` [S] at voltages `v` [V], broadcast together."""
        x = (2 * v - self.v_max - self.v_min) / (self.v_max - self.v_min)
        factors = g[..., None] * self._cubics(g, self.factors)
        in_v = v[..., None] * np.moveaxis(chebval(x, self.polynomials.T), 0, -1)
        return self.leakage(g) + np.sum(factors * in_v, axis=-1)


def dense_array(g, v, *, source=0.0, neuron=0.0, word=0.0, bit=0.0):
    """Currents [batch columns] into ground of a resistive array, sources at the left and neurons at the bottom, by one matrix.

    A segment of wire lies before every device of a word line and behind every device of a bit line.

    Unknown are the voltage at both ends of every device and the current through every wire, source and neuron: none needs a
    conductance, so that any resistance may be 0.
    """
    rows, columns = g.shape
    top = np.arange(rows * columns).reshape(rows, columns)  # nodes of the word lines
    bottom = top + rows * columns  # of the bit lines
    count = 2 * rows * columns
    branches = []  # (from node or None, to node or None, resistance, row whose source drives it or None)
    for r in range(rows):
        branches.append((None, top[r, 0], source + word, r))
        branches += [(top[r, c], top[r, c + 1], word, None) for c in range(columns - 1)]
    for c in range(columns):
        branches += [(bottom[r, c], bottom[r + 1, c], bit, None) for r in range(rows - 1)]
        branches.append((bottom[-1, c], None, neuron + bit, None))
    scale = np.abs(g).max()  # currents are counted in it, so that all numbers are of one size
    a = np.zeros((count + len(branches),) * 2)
    driven = np.zeros((count + len(branches), rows))
    for p, q, conductance in zip(top.ravel(), bottom.ravel(), g.ravel(), strict=True):
        conductance /= scale
        a[p, p] += conductance
        a[q, q] += conductance
        a[p, q] -= conductance
        a[q, p] -= conductance
    for n, (start, end, resistance, row) in enumerate(branches, start=count):
        a[n, n] = -resistance * scale
        for node, sign in ((start, 1), (end, -1)):
            if node is not None:
                a[node, n], a[n, node] = sign, sign
        if row is not None:
            driven[n, row] = -1
    solved = np.linalg.solve(a, driven @ v.T)
    ends = [n for n, branch in enumerate(branches, start=count) if branch[1] is None]
    return solved[ends].T * scale


@dataclass
class Layer:
    """A mapped layer, as results.nc holds it."""

    g: np.ndarray
    kernel: tuple
    slope: np.ndarray
    digital: np.ndarray
    bottom: float
    top: float
    full_scale: float
    signed: bool
    vg: float | None
    scheme: str
    slices: dict

    @property
    def radices(self):
        """Of the slices of a weight."""
        bits, width = self.slices["weight_bits"], self.slices["device_bits"]
        radices = [2.0 ** (width * k) for k in range(bits // width)]
        if self.slices["encoding"] == "differential":
            return radices + [-r for r in radices]
        if self.slices["encoding"] == "twos_complement" and width == 1:
            radices[-1] *= -1
        return radices

    def combine(self, m):
        """Signed outputs of columns."""
        match self.scheme:
            case "de":
                return m[..., 0::2] - m[..., 1::2]
            case "bc":
                return m[..., :-1] - m[..., -1:]
            case "acm":
                return m[..., :-1] - m[..., 1:]
        return m.reshape(*m.shape[:-1], -1, len(self.radices)) @ np.array(self.radices)


def read_layers(path):
    """The layers of a map run's results.nc, and rows and columns of a tile."""
    data = xr.load_dataset(path, engine="h5netcdf")
    found = {}
    for name in data.attrs["layers"].split():
        array = data[f"{name}_conductance"]
        at = array.attrs
        slices = {key: at[f"slice_{key}"] for key in ("weight_bits", "device_bits", "encoding") if f"slice_{key}" in at}
        found[name] = Layer(
            g=array.values.astype(float), kernel=tuple(int(n) for n in np.atleast_1d(at["kernel_shape"])),
            slope=np.asarray(at["slope_siemens"], float), digital=data[f"{name}_digital"].values.astype(float),
            bottom=float(at["bottom_siemens"]), top=float(at["top_siemens"]), full_scale=float(at["full_scale_activation"]),
            signed=bool(at["signed_activation"]), vg=at.get("vg_volt"), scheme=data.attrs["scheme"], slices=slices,
        )  # fmt: skip
    return found, tuple(int(n) for n in data.attrs["tile"])


@dataclass
class Reading:
    """How arrays are built and read; resistances [ohm]."""

    model: str = "ideal"
    resistances: dict = field(default_factory=dict)
    input: str = "amplitude"
    dac_bits: int | None = None
    v_read: float | None = None
    adc_bits: int | None = None
    adc_range: str | None = None
    pair: bool = False
    at_once: int | None = None
    tile: tuple[int, int] = (128, 128)
    analog: bool = False

    @property
    def limited(self):
        return self.dac_bits is not None or self.model == "gated"

    @property
    def cycles(self):
        return self.dac_bits if self.input == "bitserial" else 1

    @property
    def steps(self):
        """The highest code of an input."""
        return 1 if self.dac_bits is None else 2**self.dac_bits - 1


@dataclass
class Near:
    """How near float32 comes to a code's edge: where a value lies closer to it than that, either code is right.

    Attributes:
        relative: error of a current in float32 over the largest current.
        images: marks of those in which it happened.
        saturated: conversions beyond the range, of each image.
        clipped: activations beyond the row drive, likewise.
    """

    relative: float
    images: np.ndarray
    saturated: np.ndarray
    clipped: np.ndarray

    def mark(self, values, error):
        """Values [images …] in codes, before rounding."""
        self.edges(values - np.floor(values), np.array([0.5]), error)

    def edges(self, values, edges, error):
        """Values [images …] by these edges."""
        off = np.abs(values[..., None] - edges).min(axis=-1) < error
        self.images |= off.reshape(len(off), -1).any(axis=1)


def signals(layer, drive, cell, reading):
    """Column currents over the full voltage [S] of a group of rows, `drive` [… rows of the layer], 0 where not driven.

    The rows that are driven are those of one group; which they are is told by a mask beside the drive.
    """
    share, mask = drive
    batch = share.reshape(-1, share.shape[-1])
    total = np.zeros((len(batch), layer.g.shape[1]))
    for start in range(0, layer.g.shape[0], reading.tile[0]):
        rows = slice(start, start + reading.tile[0])
        if not mask[rows].any():
            continue
        for left in range(0, layer.g.shape[1], reading.tile[1]):
            columns = slice(left, left + reading.tile[1])
            total[:, columns] += tile_currents(layer.g[rows, columns], batch[:, rows], mask[rows], cell, reading)
    return total.reshape(*share.shape[:-1], -1)


def tile_currents(g, share, mask, cell, reading):
    """Of one tile."""
    if reading.model == "gated":
        full = cell.v_max if reading.input == "amplitude" else reading.v_read or cell.vin[-1]
        g, share = g[mask], share[:, mask]
        if reading.input == "amplitude":
            return cell(g[None], (full * share)[..., None] * np.ones_like(g)).sum(axis=1) / full
        on, off = (
            cell(g, np.full_like(g, full)),
            cell.leakage(g),
        )  # a share of the time at the voltage, the rest at none
        return (share @ (on - off) + off.sum(axis=0)) / full
    if cell is not None:
        if reading.input == "amplitude":
            g = np.mean([cell(g, np.full_like(g, v)) / v for v in cell.vin], axis=0)
        else:
            v = reading.v_read or cell.vin[-1]
            g = (cell(g, np.full_like(g, v)) - cell.leakage(g)) / v
    return share @ g if reading.model == "ideal" else dense_array(g, share, **reading.resistances)


def groups(rows, reading):
    """The masks of the rows that are driven at once: of a tile, so many; without converters all rows count as one."""
    masks = []
    if reading.adc_bits is None:
        return [(0, np.ones(rows, bool))]
    for band, start in enumerate(range(0, rows, reading.tile[0])):
        end = min(start + reading.tile[0], rows)
        for first in range(start, end, reading.at_once or reading.tile[0]):
            mask = np.zeros(rows, bool)
            mask[first : min(first + (reading.at_once or reading.tile[0]), end)] = True
            masks.append((band, mask))
    return masks


def windows(x, layer):
    """What the rows see at every position of a convolution without padding, channels fastest; dense inputs as they are."""
    if len(layer.kernel) == 2:
        return x
    height, width = layer.kernel[:2]
    down, across = x.shape[1] - height + 1, x.shape[2] - width + 1
    parts = [x[:, i : i + down, j : j + across] for i in range(height) for j in range(width)]
    return np.concatenate(parts, axis=-1)


def reads(layer, x, cell, reading, near=None):
    """Every read of a layer: (weight of its codes, band, share of the drive summed over the rows, column currents [S])."""
    rows = windows(x, layer)
    share = rows / layer.full_scale
    if reading.limited:
        share = np.clip(share, -1 if layer.signed else 0, 1)
    if reading.dac_bits is not None:
        if near is not None:
            near.mark(share * reading.steps, near.relative * reading.steps)
        share = np.round(share * reading.steps) / reading.steps
    phases = [(1, np.maximum(share, 0)), (-1, np.maximum(-share, 0))] if layer.signed else [(1, share)]
    for sign, magnitude in phases:
        codes = np.round(magnitude * reading.steps).astype(int)
        for cycle in range(reading.cycles):
            drive = (codes >> cycle) & 1 if reading.input == "bitserial" else magnitude
            weight = sign * 2**cycle / (reading.steps if reading.input == "bitserial" else 1)
            parts = []
            for band, mask in groups(rows.shape[-1], reading):
                driven = np.where(mask, drive, 0).astype(float)
                parts.append((weight, band, driven.sum(axis=-1), signals(layer, (driven, mask), cell, reading)))
            if reading.analog:  # one large converter of the sum
                parts = [(weight, 0, sum(part[2] for part in parts), sum(part[3] for part in parts))]
            yield from parts


def beyond_drive(layer, x, reading):
    """How many activations of each image are beyond the row drive, by more than rounding to its end."""
    if not reading.limited:
        return np.zeros(len(x))
    margin = 0 if reading.dac_bits is None else 0.5 / reading.steps
    share = x / layer.full_scale
    outside = (share > 1 + margin) | (share < (-1 if layer.signed else 0) - margin)
    return outside.reshape(len(x), -1).sum(axis=1)


def activations(layer, x, reading):
    """The activations of every row that the drive stands for."""
    share = windows(x, layer) / layer.full_scale
    if reading.limited:
        share = np.clip(share, -1 if layer.signed else 0, 1)
    return (share if reading.dac_bits is None else np.round(share * reading.steps) / reading.steps) * layer.full_scale


def baseline(layer, reading):
    """Conductance whose current the converters leave out [S]."""
    return layer.bottom if reading.adc_range == "levels" else 0.0


def full_scale(layer, x, cell, reading):
    """Of a layer's converters [S], from the activations `x` of the calibration images in floating point."""
    height = min(reading.tile[0], layer.g.shape[0])
    rows = layer.g.shape[0] if reading.analog else min(reading.at_once or height, height)
    if reading.adc_range not in (None, "levels", "lloyd"):
        return float(reading.adc_range) * rows * (layer.top - layer.bottom if reading.pair else layer.top)
    if reading.adc_range == "levels":
        level, bits = 2 ** layer.slices["device_bits"] - 1, 1 if reading.input == "bitserial" else reading.dac_bits
        steps = 2**bits - 1
        enough = int(np.ceil(np.log2(rows * level * steps + 1)))
        unit = (layer.top - layer.bottom) / level / steps
        return unit * 2.0 ** max(0, enough - reading.adc_bits) * (2**reading.adc_bits - 1)
    seen = [i for _, _, _, i in reads(layer, x, cell, reading)]
    return max(float(np.abs(layer.combine(i) if reading.pair else i).max()) for i in seen)


@dataclass
class Converters:
    """What was drawn for the converters of a layer, or fitted: data of the comparison, as the package holds it.

    Attributes:
        gain: relative error behind each signal [bands signals].
        offset: in units of the full scale, likewise.
        weights: of the bits of successive approximation [bands bits signals]; None of others.
        edges: thresholds in steps above the lowest code [bands lists codes]; None where they are even.
        own: list of each signal.
        levels: what codes stand for; None where for themselves.
    """

    gain: np.ndarray
    offset: np.ndarray
    weights: np.ndarray | None = None
    edges: np.ndarray | None = None
    own: np.ndarray | None = None
    levels: np.ndarray | None = None

    @classmethod
    def of(cls, adc):
        found = cls(np.asarray(adc.gain, float), np.asarray(adc.offset, float))
        if hasattr(adc.built, "weights"):
            found.weights = np.asarray(adc.built.weights, float)
        elif adc.built is not None:
            found.edges, found.own = np.asarray(adc.built.steps, float), np.asarray(adc.built.own)
        found.levels = None if adc.levels is None else np.asarray(adc.levels, float)
        return found

    def codes(self, value, band, top, *, signed, near, error):
        """Codes of values in steps [images … signals]."""
        low = -top if signed else 0
        if self.weights is None and self.edges is None:
            near.mark(value, error)
            return np.clip(np.round(value), low, top)
        near.edges(value, np.array([low - 0.5, top + 0.5]), error)
        if self.weights is not None:
            low = -(2 ** (len(self.weights[band]) - 1)) if signed else 0
            kept, found = np.zeros_like(value), np.zeros_like(value)
            for k, weight in reversed(list(enumerate(self.weights[band]))):
                above = value - low + 0.5 - kept - weight
                near.edges(above, np.zeros(1), error)
                kept, found = kept + (above >= 0) * weight, found + (above >= 0) * 2**k
        else:
            found = np.zeros_like(value)
            for n, own in enumerate(self.own):
                edges = self.edges[band if len(self.edges) > 1 else 0, own]
                near.edges(value[..., n] - low, edges, error)
                found[..., n] = np.searchsorted(edges, value[..., n] - low, side="right")
        return np.clip(found + low, -top if signed else 0, top)

    def values(self, codes, top, *, signed):
        """What codes stand for, in steps."""
        return codes if self.levels is None else self.levels[(codes + (top if signed else 0)).astype(int)]


def outputs(layer, x, cell, reading, *, scale=None, adc=None, near):
    """The decoded outputs of a layer.

    Args:
        layer: its conductances and how they are decoded.
        x: activations [images …].
        cell: of its arrays; None for resistive ones.
        reading: how it is read.
        scale: full scale of its converters [S].
        adc: its converters.
        near: what is marked where float32 may round the other way.
    """
    total = 0.0
    near.clipped += beyond_drive(layer, x, reading)
    for weight, band, driven, i in reads(layer, x, cell, reading, near):
        if reading.adc_bits is not None:
            largest = np.abs(i).max()
            i = i - baseline(layer, reading) * driven[..., None]
            i = layer.combine(i) if reading.pair else i
            top = 2 ** (reading.adc_bits - 1) - 1 if reading.pair else 2**reading.adc_bits - 1
            step = scale / top
            value = (i * (1 + adc.gain[band]) + adc.offset[band] * scale) / step
            codes = adc.codes(value, band, top, signed=reading.pair, near=near, error=near.relative * largest / step)
            ends = np.clip(np.round(value), -top if reading.pair else 0, top)
            near.saturated += (ends != np.round(value)).reshape(len(codes), -1).sum(axis=1)
            i = adc.values(codes, top, signed=reading.pair) * step
        total = total + weight * i
    y = (total if reading.pair else layer.combine(total)) / layer.slope * layer.full_scale
    taken = baseline(layer, reading) * layer.combine(np.ones(layer.g.shape[1])) / layer.slope
    digital = np.broadcast_to(layer.digital + taken, (layer.g.shape[0], layer.kernel[-1]))
    return y + activations(layer, x, reading) @ digital
