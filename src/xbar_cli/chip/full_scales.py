"""Full scales of the row drive and of the converters, as training images show them, a number says or levels need."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from xbar_cli.array.built.lloyd import lloyd_max
from xbar_cli.array.ideal import Contract
from xbar_cli.chip.conversion.drawn import Range
from xbar_cli.chip.conversion.learned import learned_drive, learned_range
from xbar_cli.chip.conversion.observed import BINS, Observed, counted_values, observed_ranges
from xbar_cli.chip.fold import Hardware
from xbar_cli.chip.layers import rows_at_once
from xbar_cli.chip.mapped import LayerMapping, MappedNetwork
from xbar_cli.config.converters import ReadSection, parse_range
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.bitslice import sufficient_adc_bits
from xbar_cli.nn.reading import Circuit
from xbar_cli.nn.shapes import layer_inputs
from xbar_cli.nn.tiled import Signals, TiledLayer
from xbar_cli.trained import build
from xbar_cli.trained.opening import Trained

BATCH = 500
"""Images at once, where memory allows."""


def with_drive_range(trained: Trained, network: MappedNetwork, read: ReadSection, *, images: int) -> MappedNetwork:
    """The network whose layers' full drive is at the activation that its rule says, or that training learned for its bits.

    Where it says neither, what was mapped stays, but for ranges that were learned for other bits.
    """
    ranges = dict(learned_drive(trained.fixed.learned, read))
    left = not ranges and bool(learned_drive(trained.fixed.learned, network.read))
    if not ranges and (left or read.dac_range != network.read.dac_range):
        ranges = drive_ranges(trained, network.layers, read.dac_range or ("max" if left else None), images=images)
    layers = {
        name: replace(layer, full_scale=ranges.get(name, layer.full_scale)) for name, layer in network.layers.items()
    }
    return replace(network, layers=layers)


def row_full_scales(
    trained: Trained, seen: Mapping[str, tuple[float, float]], names: Iterable[str], read: ReadSection, *, images: int
) -> dict[str, float]:
    """The activation of the full drive of the layers `names`: what `dac_range` says, else what training fixed or was `seen`."""
    fixed = trained.fixed.input_ranges or learned_drive(trained.fixed.learned, read)
    own = {name: fixed.get(name) or max(high, -low) or 1.0 for name, (low, high) in seen.items()}
    return own | drive_ranges(trained, names, read.dac_range, images=images)


def drive_ranges(trained: Trained, names: Iterable[str], rule: str | None, *, images: int) -> dict[str, float]:
    """The activation of the full drive of each of the layers `names`, as `dac_range` says; empty without a rule.

    Layers whose inputs are 0 in every image need no range: they are left out, and keep what they have.
    """
    if rule is None:
        return {}
    kind, value = parse_range(rule)
    if kind == "value":
        return dict.fromkeys(names, value)
    found = observed_ranges(trained, {}, _activations, percentile=value or 100.0, images=images, batch=BATCH)
    return usable({name: found[name] for name in names}, rule=f"dac_range = {rule}")


def adc_ranges(
    trained: Trained, hardware: Hardware, nominal: Callable[[], Circuit], *, images: int
) -> dict[str, Range]:
    """What each layer's converters take, as `adc_range` says or training learned, for rows that floating-point activations drive.

    Currents that are 0 in every image need no range: the converters of such a layer take all that its columns can carry.
    `nominal` gives the circuit of the chip without variation, whose column currents the range is taken from.
    """
    wanted = {name: hardware.of(name) for name in hardware.network.layers}
    fitting = {name: learned_range(trained.fixed.learned, own, name) for name, own in wanted.items()}
    learned = {name: Range(full) for name, full in fitting.items() if full is not None}
    rules = {name: own.converters.adc_range or "max" for name, own in wanted.items() if name not in learned}
    seen = [name for name, rule in rules.items() if parse_range(rule)[0] in ("max", "percentile", "lloyd")]
    found = learned | {name: stated_range(wanted[name], name) for name in rules if name not in seen}
    if not seen:
        return found
    tiled = {name: layer for name, layer in nominal().layers.items() if isinstance(layer, TiledLayer) and name in rules}
    products = products_of(trained)
    # of one image some networks are another program
    batch = max(2, min([BATCH, *(layer.part_size(*products[name]) for name, layer in tiled.items())]))
    for rule in dict.fromkeys(rules[name] for name in seen):
        some = {name: layer for name, layer in tiled.items() if rules[name] == rule}
        observed = observed_ranges(
            trained, some, _signals, percentile=parse_range(rule)[1] or 100.0, images=images, batch=batch
        )
        tops = {name: share_of_most(1.0, wanted[name], hardware.network.layers[name]) for name in some}
        tops |= usable(observed, rule=f"converters.adc_range = {rule}")
        found |= {name: Range(top) for name, top in tops.items()}
        if rule == "lloyd":
            bits = {name: wanted[name].converters.adc_bits or 0 for name in some}
            found |= fitted_ranges(trained, some, tops, bits=bits, images=images, batch=batch)
    return {name: found[name] for name in wanted}


def stated_range(hardware: Hardware, name: str) -> Range:
    """What the converters of a layer take whose range needs no images: a share of the most, or codes for levels."""
    layer = hardware.network.layers[name]
    kind, value = parse_range(hardware.converters.adc_range or "max")
    return Range(level_range(hardware, layer) if kind == "levels" else share_of_most(value, hardware, layer))


def fitted_ranges(
    trained: Trained,
    tiled: dict[str, TiledLayer],
    tops: Mapping[str, float],
    *,
    bits: Mapping[str, int],
    images: int,
    batch: int,
) -> dict[str, Range]:
    """Thresholds and levels that err least on what each layer's converters see, up to `tops` [S]."""
    seen = {name: (layer, jnp.asarray(tops[name], jnp.float32)) for name, layer in tiled.items()}
    counts = counted_values(trained, seen, _shifted, tops=tops, images=images, batch=batch)
    found = {}
    for name, top in tops.items():
        signed = tiled[name].pairs
        codes = 2 ** bits[name] - (1 if signed else 0)
        highest = (codes - 1) // 2 if signed else codes - 1
        low = -float(highest) if signed else 0.0
        centres = low + (np.arange(BINS) + 0.5) * (highest - low) / BINS
        thresholds, levels = lloyd_max(centres, counts[name].astype(np.float64), count=codes)
        found[name] = Range(top, jnp.asarray(thresholds - low, jnp.float32), jnp.asarray(levels, jnp.float32))
    return found


def usable(observed: Mapping[str, Observed], *, rule: str) -> dict[str, float]:
    """The ranges observed, without layers whose values are all 0. ConfigError for a percentile of 0, or infinite values."""
    for name, found in observed.items():
        if not np.isfinite(found.largest):
            raise ConfigError(f"{rule}: layer {name} has values that are no finite numbers on the calibration images")
        if found.largest > 0 and not found.range > 0:
            raise ConfigError(f"{rule}: layer {name} would have the range 0; ask for a higher percentile")
    return {name: found.range for name, found in observed.items() if found.largest > 0}


def share_of_most(share: float, hardware: Hardware, layer: LayerMapping) -> float:
    """A share of the most that a read sends to a converter, of a column or as the difference of two, over full voltage [S]."""
    span = layer.top - (layer.bottom if hardware.converters.adc_input == "pair" else 0.0)
    return share * rows_at_once(hardware, layer) * span


def level_range(hardware: Hardware, layer: LayerMapping) -> float:
    """Full scale at which a code is one level of one device at one step of its input [S], or a power of two of them."""
    fmt, converters = layer.readout.fmt, hardware.converters
    assert fmt is not None
    assert converters.adc_bits is not None
    assert converters.dac_bits is not None
    bits = 1 if hardware.serial else converters.dac_bits
    enough = sufficient_adc_bits(fmt, rows=rows_at_once(hardware, layer), dac_bits=bits)
    unit = (layer.top - layer.bottom) / fmt.top_level / (2**bits - 1)
    return unit * 2.0 ** max(0, enough - converters.adc_bits) * (2**converters.adc_bits - 1)


def products_of(trained: Trained) -> dict[str, tuple[tuple[int, ...], Contract]]:
    """Shape of the inputs for one image, and product, of each layer; nothing is computed."""
    found: dict[str, tuple[tuple[int, ...], Contract]] = {}

    def inputs(x: Array) -> None:
        found.update({name: ((1, *v.shape[1:]), c) for name, (v, c) in layer_inputs(trained.net, x).items()})

    jax.eval_shape(inputs, jax.ShapeDtypeStruct((2, *build.input_shape(trained.data)), build.input_dtype(trained.data)))
    return found


def _activations(layers: Any, name: str, x: Array, contract: Contract, start: Any, step: Callable[..., Any]) -> Any:
    del layers, name, contract
    return step(start, jnp.abs(x))


def _signals(layers: Any, name: str, x: Array, contract: Contract, start: Any, step: Callable[..., Any]) -> Any:
    pairs = layers[name].pairs

    def signals(carry: Any, read: Signals) -> Any:
        return step(carry, jnp.abs(read.i) if pairs else read.i)

    return layers[name].reduce(x, contract, start=lambda shape: start, step=signals)


def _shifted(layers: Any, name: str, x: Array, contract: Contract, start: Any, step: Callable[..., Any]) -> Any:
    """The signals of layers beside the tops of their ranges, from 0 to the top: what has both signs from one end to the other."""
    layer, top = layers[name]

    def signals(carry: Any, read: Signals) -> Any:
        return step(carry, (read.i + top) / 2 if layer.pairs else read.i)

    return layer.reduce(x, contract, start=lambda shape: start, step=signals)
