"""Energy, latency and area of a mapped network once more in plain NumPy: from written conductances, weights and pictures.

Nothing of the package is used. Formulas are those of docs/energy.md and of the models' own pages; every tile, group of rows and
column is gone over one by one.
"""

import json
import math
import tomllib
from pathlib import Path

import h5py
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.polynomial import chebyshev
from safetensors.numpy import load_file
from scipy.interpolate import CubicSpline

TIE = 2e-6
"""Activations so near to the middle of two codes, as a share of the largest, may be rounded to either: they are float32."""


def lenet_rows(weights, pictures):
    """What the rows of every layer of `lenet` see, [images positions rows], from pictures [n h w 1] in [0, 1]."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    found, x = {}, pictures.astype(np.float64)
    for name in ("conv1", "conv2"):
        kernel = w[f"{name}.kernel"]
        size, outputs = kernel.shape[0], kernel.shape[-1]
        windows = sliding_window_view(x, (size, size), axis=(1, 2))  # [n h2 w2 in kh kw]
        rows = np.moveaxis(windows, 3, 5).reshape(*windows.shape[:3], -1)
        found[name] = rows.reshape(len(x), -1, rows.shape[-1])
        y = np.maximum(rows @ kernel.reshape(-1, outputs) + w[f"{name}.bias"], 0)
        n, h, v, c = y.shape
        x = y[:, : h // 2 * 2, : v // 2 * 2].reshape(n, h // 2, 2, v // 2, 2, c).max(axis=(2, 4))
    x = x.reshape(len(x), -1)
    for name in ("fc1", "fc2"):
        found[name] = x[:, None, :]
        x = np.maximum(x @ w[f"{name}.kernel"] + w[f"{name}.bias"], 0)
    return found


def mlp_rows(weights, pictures):
    """What the rows of both layers of `mlp` see, [images 1 rows], from pictures [n h w 1] in [0, 1]."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    x = pictures.astype(np.float64).reshape(len(pictures), -1)
    hidden = np.maximum(x @ w["hidden.kernel"] + w["hidden.bias"], 0)
    return {"hidden": x[:, None, :], "output": hidden[:, None, :]}


def number(attribute):
    """A number among a file's attributes."""
    return float(np.ravel(attribute)[0])


class Mapped:
    """What a map run wrote."""

    def __init__(self, path: Path):
        with h5py.File(path / "results.nc") as file:
            self.names = str(file.attrs["layers"]).split()
            self.tile = tuple(int(n) for n in file.attrs["tile"])
            self.r_on = 1 / number(file.attrs["g_on_siemens"])
            stored = {name: file[f"{name}_conductance"] for name in self.names}
            self.g = {name: np.asarray(array, np.float64) for name, array in stored.items()}
            self.scale = {name: number(array.attrs["full_scale_activation"]) for name, array in stored.items()}
            self.signed = {name: bool(number(array.attrs["signed_activation"])) for name, array in stored.items()}
            self.vg = {name: number(array.attrs.get("vg_volt", 0.0)) for name, array in stored.items()}
        self.cell = path / "cell.nc" if (path / "cell.nc").exists() else None
        self.weights = load_file(path / "train" / "model.safetensors")


def driven(rows, kind, bits, *, scale, signed):
    """What each row is driven with, mean over images and positions, and how much of it rounding leaves open [rows]."""
    share = np.clip(np.abs(rows) if signed else np.maximum(rows, 0), 0, scale) / scale
    flat = share.reshape(-1, share.shape[-1])
    if bits is None:
        return (flat**2).mean(axis=0), np.zeros(flat.shape[1])
    top = 2**bits - 1
    codes = np.floor(flat * top + 0.5).astype(int)
    near = (np.abs(flat * top % 1 - 0.5) < TIE * top).mean(axis=0)
    match kind:
        case "bitserial":
            return sum((codes >> bit & 1).mean(axis=0) for bit in range(bits)), near * bits
        case "pwm":
            return (codes / top).mean(axis=0), near / top
        case _:
            return ((codes / top) ** 2).mean(axis=0), near * 2 / top


def cell_watt(mapped, name, rows, kind, bits, volt, *, phases):
    """Mean power of the 1T-1R cells of a layer in one product [W]: every cell on every input, from the written surrogate."""
    with h5py.File(mapped.cell) as file:
        at = int(np.argmin(np.abs(file["vg"][:] - mapped.vg[name])))
        g, v = file["g"][:], file["vin"][:]
        table = v * file["input_current"][at]
        get = {key: file[f"power_{key}"][at] for key in ("base", "factors", "polynomials")}
        # knots and ends of the polynomials are the same at every gate voltage, or one for each
        own = {key: np.atleast_1d(file[key][()]) for key in ("g_knot", "v_min", "v_max", "g_knot_log")}
        knots = own["g_knot"] if own["g_knot"].ndim == 1 else own["g_knot"][at]
        low, high = (float(own[k][at] if len(own[k]) > 1 else own[k][0]) for k in ("v_min", "v_max"))
        log = bool(own["g_knot_log"][0])
    rank = int(np.count_nonzero(np.any(get["polynomials"] != 0, axis=1)))

    def cubic(c, x):
        place = np.log(x / knots[0]) / np.log(knots[1] / knots[0]) if log else (x - knots[0]) / (knots[1] - knots[0])
        segment = np.clip(np.floor(place), 0, c.shape[1] - 1).astype(int)
        t = place - segment
        return ((c[0, segment] * t + c[1, segment]) * t + c[2, segment]) * t + c[3, segment]

    def surrogate(x, u):
        total = cubic(get["base"], x)
        y = (2 * u - high - low) / (high - low)
        for k in range(rank):
            total = total + x * cubic(get["factors"][:, :, k], x) * u * chebyshev.chebval(y, get["polynomials"][k])
        return total

    spline = CubicSpline(v, table, axis=1)

    def spice(x, u):
        return float(CubicSpline(g, spline(u))(x).sum()) if u > 0 else 0.0

    flat = np.clip(rows / mapped.scale[name], 0, 1).reshape(-1, rows.shape[-1])
    codes = None if bits is None else np.floor(flat * (2**bits - 1) + 0.5).astype(int)
    exact = table_sum = 0.0
    for r, cells in enumerate(mapped.g[name]):
        idle = float(surrogate(cells, 0.0).sum())
        if kind == "amplitude":
            values, counts = np.unique(flat[:, r] if codes is None else codes[:, r] / (2**bits - 1), return_counts=True)
            for value, count in zip(values, counts, strict=True):
                exact += count * (float(surrogate(cells, volt * value).sum()) + (phases - 1) * idle)
                table_sum += count * spice(cells, volt * value)
            continue
        on = sum(codes[:, r] >> b & 1 for b in range(bits)) if kind == "bitserial" else codes[:, r] / (2**bits - 1)
        whole = bits if kind == "bitserial" else 1
        full = float(surrogate(cells, volt).sum())
        exact += float(np.sum(on * full + (phases * whole - on) * idle))
        table_sum += float(np.sum(on)) * spice(cells, volt)
    return exact / len(flat), table_sum / len(flat)


def conversions(shape, tile, *, at_once, pair, analog=False):
    """Conversions of one pulse of one product, and row drives, over all tiles and groups of rows."""
    converted = held = drives = 0
    for top in range(0, shape[0], tile[0]):
        rows = min(tile[0], shape[0] - top)
        for left in range(0, shape[1], tile[1]):
            columns = min(tile[1], shape[1] - left)
            drives += rows
            for row in range(0, rows, at_once or rows):  # the first row of a group
                held += (columns + 1) // 2 if pair else columns
                if not analog or top + row == 0:
                    converted += (columns + 1) // 2 if pair else columns
    return converted, held, drives


def neurosim_seconds(k, node, mapped, *, adc_bits, at_once, shared):
    """Integration time of NeuroSim's read circuit: `2^bits C V_th / I_max` [s]."""
    n = {key.split(".")[1]: value for key, value in k.items() if key.startswith(f"node_{node}.")}
    feature, vdd = n["feature_m"], n["vdd_volt"]
    rows, columns = mapped.tile
    active = min(rows, at_once or rows)

    def drain(width):
        v, gap = vdd / k["junction.potential_volt"], k["gates.poly_gap_features"] * feature
        bottom = k["junction.bottom_farad_per_m2"] / (1 + v) ** k["junction.bottom_grading"]
        side = k["junction.sidewall_farad_per_m"] / (1 + v) ** k["junction.sidewall_grading"]
        channel = k["junction.channel_farad_per_m"] / (1 + v) ** k["junction.sidewall_grading"]
        return bottom * gap * width + side * (2 * gap + width) + channel * width

    def on(width, kind):
        return n["resistance_multiplier"] * vdd / (n[f"on_{kind}_ampere_per_m"] * width)

    def gate(width):
        overlap = 0.0 if "fin_pitch_m" in n else k["gates.overlap_share"] * n["gate_farad_per_m"]
        return (n["gate_farad_per_m"] + overlap + n["fringe_farad_per_m"]) * width

    cell = mapped.r_on + k["array.access_ohm"]
    access = on(1.0, "nmos") / k["array.access_ohm"]
    column = rows * (k["array.cell_height_features"] * feature * k["wire.farad_per_m"] + drain(access))
    mux = cell / active / 2
    widths = [on(1.0, kind) / (2 * mux) for kind in ("nmos", "pmos")]
    share = min(shared or round(k["mux.columns"]), columns)
    own = k["adc.input_width_features"] * feature
    c = column + sum(map(drain, widths)) * (1 + share) + 2 * drain(own) + gate(own) / 10
    return 2**adc_bits * c * k["read.threshold_share"] / (active / cell)


def constants(run: Path):
    """The constants that an energy run kept, by dotted key."""
    tree = tomllib.loads((run / "constants.toml").read_text(encoding="utf-8"))
    return {f"{section}.{name}": entry["value"] for section, names in tree.items() for name, entry in names.items()}


def summary(run: Path):
    """What an energy run says."""
    return json.loads((run / "summary.json").read_text(encoding="utf-8"))


def expected(mapped, k, model, case, pictures, *, rows_of=lenet_rows):
    """Energy of the parts of every layer [J], latency of an image [s] and area of the converters [m²], by hand.

    Args:
        rows_of: of a network's weights and the pictures, what the rows of its layers see.

    Returns:
        {layer: {part: (joule, of which rounding leaves so much open)}}, seconds, m².
    """
    kind, bits, adc_bits = case["input"], case["dac_bits"], case["adc_bits"]
    at_once, shared, pair = case.get("rows_at_once"), case.get("columns_per_adc"), case.get("adc_input") == "pair"
    rounded = case.get("rounded", True)
    tile = mapped.tile
    cycles = bits if kind == "bitserial" else 1
    layers, latency, area = {}, 0.0, 0.0
    for name, rows in rows_of(mapped.weights, pictures).items():
        g, phases, positions = mapped.g[name], 2 if mapped.signed[name] else 1, rows.shape[1]
        volt = case.get("volt") or k["read.volt"]
        used = bits if rounded or kind != "amplitude" else None
        if mapped.cell is None:
            mean, open_ = driven(rows, kind, used, scale=mapped.scale[name], signed=mapped.signed[name])
            if model == "neurosim":
                g = g / (1 + g * k["array.access_ohm"])
            watt, slack = (volt**2 * float(g.sum(axis=1) @ part) for part in (mean, open_))
        else:
            watt, from_table = cell_watt(mapped, name, rows, kind, used, volt, phases=phases)
            slack = 0.0
            assert abs(watt - from_table) <= 1e-2 * watt  # of the SPICE table itself, to the surrogate's error
        analog = case.get("accumulate") == "analog"
        converted, held, row_drives = conversions(g.shape, tile, at_once=at_once, pair=pair, analog=analog)
        drives = positions * phases * cycles
        turns = math.ceil(min(g.shape[0], tile[0]) / min(tile[0], at_once or tile[0]))
        scale = 2.0 ** (adc_bits - 8)
        tiles = math.ceil(g.shape[0] / tile[0]) * math.ceil(g.shape[1] / tile[1])
        parts = {}
        each = shared or (round(k["mux.columns"]) if model == "neurosim" else tile[1])
        each = min(max(each, 2 if pair else 1), tile[1])
        steps = math.ceil(each / 2) if pair else each
        adcs = math.ceil(tile[1] / each)
        converting = math.ceil(g.shape[1] / tile[1]) if analog else tiles
        match model:
            case "resparc":
                seconds = k["read.seconds"]
                extra = {"amplitude": "dac", "pwm": "dtc"}.get(kind)
                drive = k["driver.energy_joule"]
                if extra:
                    drive += k[f"{extra}.energy_joule"] * 2.0 ** (bits - 8)
                parts["drivers"] = drives * row_drives * drive
                parts["converters"] = drives * converted * k["adc.energy_joule"] * scale
                moved = positions * phases * row_drives * bits + drives * converted * adc_bits
                parts["buffers"] = moved * k["buffer.energy_joule_per_bit"]
                gate = 0.0
                if mapped.cell is not None:
                    w, length, f = 90e-9, 45e-9, k["cell.feature_m"]
                    pitch = math.sqrt(3 * (w / length + 1)) * f
                    gate = k["gate.oxide_farad_per_m2"] * w * length + k["gate.overlap_farad_per_m"] * w
                    gate += k["wire.farad_per_m"] * pitch
                parts["gate_lines"] = drives * g.size * gate * mapped.vg[name] ** 2
                conversion = steps / k["adc.samples_per_second"]
                latency += drives * (max(turns * seconds, conversion) if analog else turns * max(seconds, conversion))
                area += converting * adcs * k["adc.area_m2"] * scale
            case "isaac":
                seconds, whole = k["cycle.seconds"], k["unit.rows"]
                parts["adc"] = drives * converted * k["adc.energy_joule"] * scale
                for part in ("dac", "input_register"):
                    parts[part] = drives * row_drives * k[f"{part}.power_watt"] * seconds / k["unit.arrays"] / whole
                for part, moved in (("sample_hold", held), ("shift_add", converted), ("output_register", converted)):
                    parts[part] = drives * moved * k[f"{part}.power_watt"] * seconds / k["unit.arrays"] / whole
                conversion = steps / k["adc.samples_per_second"]
                latency += drives * (max(turns * seconds, conversion) if analog else turns * max(seconds, conversion))
                area += converting * adcs * k["adc.area_m2"] / k["adc.count"] * scale
            case _:
                seconds = neurosim_seconds(k, 14, mapped, adc_bits=adc_bits, at_once=at_once, shared=shared)
                parts["adc"] = drives * converted * k["adc.energy_joule"] * scale
        name_of_cells = "crossbar" if model == "isaac" else "cells"
        layers[name] = {part: (value, 0.0) for part, value in parts.items()}
        layers[name][name_of_cells] = (watt * seconds * positions, slack * seconds * positions)
    return layers, latency, area
