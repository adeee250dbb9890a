"""From a chip's devices to its circuit: folded, with the ranges of its converters, calibrated where that is asked for."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from xbar_cli.chip.calibration import adc_full_scales, make_calibrator
from xbar_cli.chip.fold import Folder, Residuals, judge, make_folder
from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.sample import Prepare
from xbar_cli.config.hardware import EvaluateConfig
from xbar_cli.nn.reading import Circuit, Correction
from xbar_cli.trained.opening import Trained
from xbar_cli.trained.parts import held_out


def make_preparer(config: EvaluateConfig, trained: Trained, hardware: Hardware) -> tuple[Prepare, int]:
    """The function from a chip's devices and key to its circuit, calibrated if asked for, and the images it is fitted to."""
    fold = make_folder(hardware)
    full_scales: dict[str, float] = {}
    if config.converters.path == "tiled":
        alike = make_folder(replace(hardware, mismatch=None)) if hardware.mismatch else fold
        nominal = {name: jnp.asarray(layer.conductance) for name, layer in hardware.network.layers.items()}

        def unvaried() -> Circuit:
            # the scales are not known yet; they are no part of the layers
            circuit, residuals = alike(nominal, jax.random.key(0), dict.fromkeys(nominal, 1.0))
            judge(residuals)
            return circuit

        full_scales = adc_full_scales(trained, hardware, unvaried, images=config.calibration.images)
    if config.decoding.calibrate is None:
        return partial(_prepare, fold, None, full_scales), 0
    pictures, _ = held_out(trained, images=config.calibration.images)
    calibrate = make_calibrator(trained, config.decoding, pictures=pictures)
    return partial(_prepare, fold, calibrate, full_scales), len(pictures)


def _prepare(
    fold: Folder,
    calibrate: Callable[[Circuit, Array], dict[str, Correction]] | None,
    full_scales: dict[str, float],
    conductances: dict[str, Array],
    key: Array,
) -> tuple[Circuit, Residuals]:
    circuit, residuals = fold(conductances, key, full_scales)
    return circuit if calibrate is None else replace(circuit, corrections=calibrate(circuit, key)), residuals
