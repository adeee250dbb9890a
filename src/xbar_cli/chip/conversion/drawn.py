"""The converters behind a layer of one chip: gains and offsets, the parts that they are built of, thermal noise."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from xbar_cli.array.built.sar import Sar, draw_sar
from xbar_cli.array.built.thresholds import Thresholds, draw_flash, draw_ramp, even
from xbar_cli.array.converters import Adc, draw_errors, servers
from xbar_cli.chip.hardware import Hardware, baseline
from xbar_cli.chip.layers import groups_of
from xbar_cli.chip.mapped import LayerMapping
from xbar_cli.numerics import stream


class Range(NamedTuple):
    """What the converters of a layer take.

    Attributes:
        full_scale: current of the highest code, over the full voltage [S].
        thresholds: where codes change, in steps above the lowest; None where they are even.
        levels: what codes stand for, in steps; None where they stand for themselves.
    """

    full_scale: Array | float
    thresholds: Array | None = None
    levels: Array | None = None


class Places(NamedTuple):
    """Where the converters of a layer stand.

    Attributes:
        bands: tiles below each other that have some.
        signals: what is converted: columns, or pairs of them.
        across: signals of a tile.
        shared: neighbouring signals that one converter serves.
        groups: equal parts of the signals on tiles of their own.
    """

    bands: int
    signals: int
    across: int
    shared: int
    groups: int


def places_of(hardware: Hardware, layer: LayerMapping) -> Places:
    """Where the converters of a layer stand."""
    each = 2 if hardware.converters.adc_input == "pair" else 1  # columns of a signal
    return Places(
        bands=1 if hardware.converters.analog else groups_of(hardware, layer).bands,
        signals=layer.conductance.shape[1] // each,
        across=max(hardware.network.tile[1] // each, 1),
        shared=max((hardware.converters.columns_per_adc or each) // each, 1),
        groups=layer.groups,
    )


def draw_adc(hardware: Hardware, name: str, found: Range, key: Array) -> Adc:
    """The converters of a layer of one chip."""
    layer, converters = hardware.network.layers[name], hardware.converters
    assert converters.adc_bits is not None
    own, places = stream(stream(key, "adc"), name), places_of(hardware, layer)
    gain, offset = draw_errors(
        own,
        **places._asdict(),
        gain_error=converters.adc_gain_error or 0.0,
        offset_error=converters.adc_offset_error or 0.0,
    )
    signed = converters.adc_input == "pair"
    codes = 2**converters.adc_bits - (1 if signed else 0)
    return Adc(
        full_scale=jnp.asarray(found.full_scale, jnp.float32),
        gain=gain,
        offset=offset,
        baseline=jnp.asarray(baseline(hardware, layer), jnp.float32),
        bits=converters.adc_bits,
        signed=signed,
        noise=converters.adc_noise or 0.0,
        built=draw_parts(hardware, places, found, stream(own, "parts"), codes=codes),
        levels=found.levels,
    )


def draw_parts(hardware: Hardware, places: Places, found: Range, key: Array, *, codes: int) -> Sar | Thresholds | None:
    """Where the codes of the converters of a layer change, as these were built; None where all are even."""
    kind, mismatch = hardware.converters.adc_kind or "ideal", hardware.converters.adc_mismatch
    bits, bands = hardware.converters.adc_bits, places.bands
    assert bits is not None
    nominal = even(codes - 1) if found.thresholds is None else found.thresholds
    served = servers(places.signals, across=places.across, shared=places.shared, groups=places.groups)
    count = int(served[-1]) + 1
    if not mismatch or kind == "ideal":
        one = jnp.zeros(places.signals, jnp.int32)
        return None if found.thresholds is None else Thresholds(nominal[None, None], one, one=True)
    if kind == "sar":
        return Sar(draw_sar(key, bands=bands, converters=count, bits=bits, mismatch=mismatch)[..., served])
    if kind == "flash":
        lists = draw_flash(key, nominal, bands=bands, converters=count, mismatch=mismatch)
        return Thresholds(lists, jnp.asarray(served))
    tiles = servers(places.signals, across=places.across, shared=places.across, groups=places.groups)
    ramps = draw_ramp(key, nominal, bands=bands, ramps=int(tiles[-1]) + 1, mismatch=mismatch)
    return Thresholds(ramps, jnp.asarray(tiles))
