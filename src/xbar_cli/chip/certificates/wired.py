"""Which layers of wired 1T-1R arrays are products, which are swept: the first whose measured error is small enough."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from xbar_cli.chip.conversion.observed import training_parts
from xbar_cli.chip.hardware import Hardware, bit_lines
from xbar_cli.chip.layers import solved_layer
from xbar_cli.chip.mapped import LayerMapping
from xbar_cli.config.arrays import AnyArrayModel, GatedArray
from xbar_cli.config.base import require
from xbar_cli.nn.contracts import rows_of
from xbar_cli.nn.shapes import layer_inputs
from xbar_cli.nn.wired.certificate import WiredCertificate, certify
from xbar_cli.nn.wired.folded import FoldedWiredLayer, fold_wired_layers
from xbar_cli.nn.wired.solved import WiredLayer
from xbar_cli.nn.wired.swept import SweptWiredLayer
from xbar_cli.reporter import Reporter
from xbar_cli.trained.opening import Trained

IMAGES, READS = 64, 8
"""Training images that reads are drawn from, and reads of each tile."""
Quick = Callable[[Mapping[str, WiredLayer]], Mapping[str, FoldedWiredLayer | SweptWiredLayer]]
"""Layers that are solved at every read to a quick way to read them."""


def settle(trained: Trained, hardware: Hardware, array: AnyArrayModel, *, reporter: Reporter) -> Hardware:
    """The hardware with the layers of wired cells that are products, those that are swept, and the certificates measured for it.

    Of the chip without variation, on reads of training images. With `array.wired = auto` a layer is folded, or else swept,
    where its largest error is at most `array.wired_error`.

    Raises:
        ConfigError: arrays without resistances are to be computed in one of these ways.
        ModelError: Newton's method does not solve one of the tiles that are compared.
    """
    if not isinstance(array, GatedArray):
        return hardware
    given = [f"array.{key}" for key in ("wired", "wired_error") if getattr(array, key) is not None]
    if not hardware.wired:
        require(not given, f"{', '.join(given)} needs array.r_wire_ohm, array.r_source_ohm or array.r_neuron_ohm")
        return hardware
    require(
        hardware.converters.path == "folded" or array.wired not in ("exact", "sweep"),
        f"array.wired = {array.wired} reads layers as a whole: converters of every tile (converters.adc_bits) take auto or fold",
    )
    if array.wired == "exact":
        require(array.wired_error is None, "array.wired = exact has no array.wired_error")
        return hardware
    layers, limit = list(hardware.network.layers), array.wired_error or GatedArray.WIRED_ERROR
    found: dict[str, WiredCertificate] = {}
    if array.wired != "sweep":
        found = certificates(trained, hardware, layers, fold_wired_layers, reporter=reporter)
    folded = [name for name in found if array.wired == "fold" or found[name].largest <= limit]
    others = [name for name in layers if name not in folded]
    sweeps = certificates(trained, hardware, others, swept_layers, reporter=reporter)
    swept = [name for name in others if array.wired == "sweep" or sweeps[name].largest <= limit]
    tell(found, sweeps, folded=folded, swept=swept, limit=limit, reporter=reporter)
    if hardware.converters.path == "tiled":
        require_products(found, folded, limit=limit)
    return replace(hardware, folded=frozenset(folded), swept=frozenset(swept), certificates=found | sweeps)


def require_products(products: Mapping[str, WiredCertificate], folded: list[str], *, limit: float) -> None:
    """Raise ConfigError where layers with converters at every tile are no products."""
    others = {name: found.largest for name, found in products.items() if name not in folded}
    require(
        not others,
        f"arrays of {', '.join(others)} differ as products by up to {max(others.values(), default=0):.1e} of full scale "
        f"(array.wired_error = {limit:g}), and converters of every tile (converters.adc_bits) take products alone: allow "
        "that error, or give array.wired = fold",
    )


def swept_layers(layers: Mapping[str, WiredLayer]) -> Mapping[str, SweptWiredLayer]:
    """The layers, read by sweeps."""
    return {name: SweptWiredLayer(layer) for name, layer in layers.items()}


def tell(
    products: Mapping[str, WiredCertificate],
    sweeps: Mapping[str, WiredCertificate],
    *,
    folded: list[str],
    swept: list[str],
    limit: float,
    reporter: Reporter,
) -> None:
    """Say which layers are above the limit as products, or by sweeps, and what becomes of them."""
    beyond = [name for name, certificate in products.items() if not certificate.largest <= limit]
    for what, names in (
        ("are folded all the same", [name for name in beyond if name in folded]),
        ("are swept", [name for name in beyond if name in swept]),
        ("are solved at every read", [name for name in beyond if name not in folded and name not in swept]),
    ):
        if names:
            worst = max(products[name].largest for name in names)
            reporter.note(
                f"arrays of {', '.join(names)} {what}: as products they differ by up to {worst:.1e} of full scale "
                f"(array.wired_error = {limit:g})"
            )
    if far := [name for name in swept if not sweeps[name].largest <= limit]:
        worst = max(sweeps[name].largest for name in far)
        reporter.note(
            f"arrays of {', '.join(far)} are swept all the same: they differ by up to {worst:.1e} of full scale "
            f"(array.wired_error = {limit:g})"
        )


def told(hardware: Hardware) -> dict[str, dict[str, Any]]:
    """How each layer of wired cells is computed, and its certificate where one was measured; empty without such cells."""
    if not hardware.wired:
        return {}
    return {
        name: {"computed": "fold" if name in hardware.folded else "sweep" if name in hardware.swept else "exact"}
        | (asdict(hardware.certificates[name]) if name in hardware.certificates else {})
        for name in hardware.network.layers
    }


def drives(hardware: Hardware, layer: LayerMapping, x: Array, seed: int) -> Float[Array, "reads rows"]:
    """The row drive over the full one of some reads of a layer whose rows see `x` [… rows]: of bit-serial inputs a cycle each."""
    dac, rng = hardware.dac(layer), np.random.default_rng(seed)
    codes = np.asarray(dac.codes(x)).reshape(-1, x.shape[-1])
    driven = codes[np.abs(codes).max(axis=1) > 0] if codes.any() else codes
    chosen = jnp.asarray(driven[rng.choice(len(driven), READS, replace=len(driven) < READS)])
    if not hardware.serial or dac.bits is None:
        return chosen / dac.top
    cycles = jnp.asarray(rng.integers(dac.bits, size=READS))
    return jnp.sign(chosen) * dac.cycle(jnp.abs(chosen), cycles[:, None])


def certificates(
    trained: Trained, hardware: Hardware, names: list[str], quick: Quick, *, reporter: Reporter
) -> dict[str, WiredCertificate]:
    """The error of these layers, read in a quick way."""
    if not names:
        return {}
    lines, layers = bit_lines(hardware), hardware.network.layers
    part, _ = next(training_parts(trained, images=IMAGES, batch=IMAGES))
    inputs = layer_inputs(trained.net, part)
    exact = {
        name: solved_layer(
            hardware, layers[name], layers[name].scale, jnp.asarray(layers[name].conductance, jnp.float32), lines[name]
        )
        for name in names
    }
    ready = jax.jit(quick)(exact)
    found: dict[str, WiredCertificate] = {}
    for number, name in enumerate(layers):
        if name not in exact:
            continue
        layer = exact[name]
        reporter.progress("certificates of wires", len(found), len(names))
        values, contract = inputs[name]
        share = drives(hardware, layers[name], rows_of(contract, values, layer.scale.kernel), number)
        found[name] = certify(layer, ready[name], share, name=name)
    reporter.progress("certificates of wires", len(names), len(names))
    return found
