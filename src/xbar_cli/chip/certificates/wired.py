"""Which layers of wired 1T-1R arrays are folded to products: those whose measured error is small enough."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from xbar_cli.chip.full_scales import training_parts
from xbar_cli.chip.hardware import Hardware, bit_lines
from xbar_cli.chip.layers import solved_layer
from xbar_cli.config.arrays import AnyArrayModel, GatedArray
from xbar_cli.config.base import require
from xbar_cli.nn.contracts import rows_of
from xbar_cli.nn.shapes import layer_inputs
from xbar_cli.nn.wired.certificate import WiredCertificate, certify
from xbar_cli.nn.wired.folded import fold_wired_layers
from xbar_cli.reporter import Reporter
from xbar_cli.trained.opening import Trained

IMAGES, READS = 64, 8
"""Training images that reads are drawn from, and reads of each tile."""


def settle(trained: Trained, hardware: Hardware, array: AnyArrayModel, *, reporter: Reporter) -> Hardware:
    """The hardware with the layers of wired cells that are products, and the certificates that were measured for it.

    Of the chip without variation, on reads of training images. With `array.wired = auto` a layer is folded whose largest error
    is at most `array.wired_error`.

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
    if array.wired == "exact":
        require(array.wired_error is None, "array.wired = exact has no array.wired_error")
        return hardware
    limit = array.wired_error or GatedArray.WIRED_ERROR
    found = certificates(trained, hardware, reporter=reporter)
    beyond = [name for name, certificate in found.items() if not certificate.largest <= limit]
    if beyond:
        worst = max(found[name].largest for name in beyond)
        what = "are folded all the same" if array.wired == "fold" else "are solved at every read"
        reporter.note(
            f"arrays of {', '.join(beyond)} {what}: as products they differ by up to {worst:.1e} of full scale "
            f"(array.wired_error = {limit:g})"
        )
    folded = frozenset(name for name in found if array.wired == "fold" or name not in beyond)
    return replace(hardware, folded=folded, certificates=found)


def told(hardware: Hardware) -> dict[str, dict[str, Any]]:
    """How each layer of wired cells is computed, and its certificate where one was measured; empty without such cells."""
    if not hardware.wired:
        return {}
    return {
        name: {"computed": "fold" if name in hardware.folded else "exact"}
        | (asdict(hardware.certificates[name]) if name in hardware.certificates else {})
        for name in hardware.network.layers
    }


def certificates(trained: Trained, hardware: Hardware, *, reporter: Reporter) -> Mapping[str, WiredCertificate]:
    """The error of every layer as products."""
    lines, layers = bit_lines(hardware), hardware.network.layers
    part, _ = next(training_parts(trained, images=IMAGES, batch=IMAGES))
    inputs = layer_inputs(trained.net, part)
    exact = {
        name: solved_layer(hardware, layer, jnp.asarray(layer.conductance, jnp.float32), lines[name])
        for name, layer in layers.items()
    }
    folded = jax.jit(fold_wired_layers)(exact)
    found: dict[str, WiredCertificate] = {}
    for number, (name, layer) in enumerate(exact.items()):
        reporter.progress("wires as products", number, len(layers))
        values, contract = inputs[name]
        share = layer.drive.share(rows_of(contract, values, layer.scale.kernel))
        share = np.asarray(share).reshape(-1, share.shape[-1])
        driven = share[np.abs(share).max(axis=1) > 0] if share.any() else share
        rng = np.random.default_rng(number)
        chosen = driven[rng.choice(len(driven), READS, replace=len(driven) < READS)]
        found[name] = certify(layer, folded[name], jnp.asarray(chosen), name=name)
    reporter.progress("wires as products", len(layers), len(layers))
    return found
