"""What a design starts from: the network on devices, as the evaluation that is asked for has it."""

from pathlib import Path

import jax
import numpy as np
from flax import nnx

from xbar_cli.chip.limits import full_weights
from xbar_cli.chip.place import map_network
from xbar_cli.chip.resolve import on_trained_arrays, resolve_cell, resolve_mapping
from xbar_cli.config.chips.design import DesignConfig
from xbar_cli.errors import ConfigError
from xbar_cli.reporter import Reporter
from xbar_cli.trained.opening import open_trained
from xbar_cli.workflows.evaluate import build_hardware

from .chips import Bench
from .parameters import Parameter, parameters, usable_gates
from .placing import Gated
from .weights import full_scale, in_use, require_free


def open_bench(config: DesignConfig, *, reporter: Reporter) -> tuple[Bench, list[Parameter]]:
    """The bench of a design and its parameters. ConfigError where the evaluation is none that gradients can follow."""
    trained = open_trained(Path(config.run), use="xbar design", data_dir=config.data_dir)
    if trained.fixed.devices is not None or trained.fixed.slices is not None:
        raise ConfigError(f"{config.run} fixed its conductances or slices: design a network of weights")
    if config.design.train_weights:
        require_free(trained, config.run)
    gates, read = resolve_cell(trained, config.cell), config.converters.read
    asked = on_trained_arrays(trained, config.evaluation(), reporter=reporter)
    placement = resolve_mapping(trained, asked.mapping, gates, read=read, reporter=reporter)
    network = map_network(
        trained, placement, gates, read=read, images=asked.calibration.images, reporter=reporter, keep_activity=True
    )
    hardware = build_hardware(asked, trained, network, reporter=reporter)
    if hardware.mismatch:
        raise ConfigError("a design follows transistors that are alike: leave out effect mismatch")
    if hardware.wired and (others := [name for name in network.layers if name not in hardware.folded]):
        reporter.note(f"{', '.join(others)} descend as products; the design is evaluated as array.wired says")
    if hardware.converters.adc_bits is not None and hardware.converters.adc_range in ("lloyd", "levels"):
        raise ConfigError("a design follows converters of even steps: leave out converters.adc_range = lloyd or levels")
    if hardware.own or hardware.converters.adc_mismatch or hardware.converters.adc_noise:
        raise ConfigError(
            "a design follows ideal converters, alike in all layers: leave out converters.per_layer, adc_mismatch, adc_noise"
        )
    chosen = parameters(config, network)
    full = full_weights(trained, dict.fromkeys(network.layers, placement))
    limited = "weight_limit" in (p.name for p in chosen)
    limit = next((p.start for p in chosen if p.name == "weight_limit"), 1.0)
    if limit != 1.0 and trained.fixed.w_max is not None:
        raise ConfigError(
            f"{config.run} was restricted to a linear range at its own scale: weight_limit cannot be designed"
        )
    w_max = {name: np.asarray(value) / limit for name, value in full.items()}
    nodes = () if gates is None else usable_gates(network)
    gated = None if gates is None else Gated.of(placement.devices, placement.scheme, nodes)
    graphdef, state = nnx.split(trained.net)
    split = graphdef, jax.tree.map(in_use, state)
    scaled = full_scale(placement, designed=limited)
    return Bench(asked, trained, hardware, placement, trained.kernels, w_max, scaled, gated, split), chosen
