"""From a chip's devices to its circuit: folded, with the ranges of its converters, calibrated where that is asked for."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from xbar_cli.array.ideal import Contract
from xbar_cli.chip.conversion.drawn import Range
from xbar_cli.chip.counting import Batch
from xbar_cli.chip.executor import Executor, Strategy, make_executor
from xbar_cli.chip.fabricate import make_fabricator
from xbar_cli.chip.fold import Folder, Residuals, judge, make_folder
from xbar_cli.chip.full_scales import adc_ranges
from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.programming.writer import Writer
from xbar_cli.chip.repair.asked import repairing
from xbar_cli.chip.sample import Builder, Prepare, Sampler
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.converters import DecodingSection
from xbar_cli.data.batches import network_inputs
from xbar_cli.device.chip import Step
from xbar_cli.nn.loops import one_by_one
from xbar_cli.nn.reading import Circuit, Correction, layer_outputs
from xbar_cli.nn.score import ACCURACY, Measure
from xbar_cli.numerics import stream
from xbar_cli.trained.opening import Trained
from xbar_cli.trained.parts import held_out


def make_sampler(
    config: EvaluateConfig,
    trained: Trained,
    hardware: Hardware,
    steps: Sequence[Step],
    parts: Sequence[Batch],
    measure: Measure = ACCURACY,
    *,
    most: int,
    strategy: Strategy | None = None,
    preparer: tuple[Prepare, int] | None = None,
    writer: Writer | None = None,
) -> tuple[Sampler, int]:
    """The stages of the chips of an evaluation, on the images `parts`, and the images that each is calibrated to.

    Args:
        config: of the evaluation.
        trained: the network.
        hardware: what its devices are built into.
        steps: the effects on devices, in order.
        parts: images with labels.
        measure: of the answers.
        most: chips that will be asked for.
        strategy: how those of one device are computed; as measured for it when absent.
        preparer: makes circuits of them, and the images that each is fitted to; `make_preparer`'s when absent.
        writer: programs the chips; without one they are at their targets.
    """
    executor = make_executor(most, strategy)
    if preparer is None:
        images = config.calibration.images
        preparer = make_preparer(trained, hardware, config.decoding, images=images, executor=executor)
    prepare, fitted_to = preparer
    fabricate = make_fabricator(hardware.network, steps, negative=config.variation.negative, writer=writer)
    sampler = Sampler(
        executor,
        trained.net,
        parts,
        root=stream(jax.random.key(config.seed), "chip"),
        fabricate=repairing(fabricate, hardware, config.repair.wanted, trained),
        prepare=prepare,
        measure=measure,
        folding=hardware.fold is not None,
    )
    return sampler, fitted_to


def make_preparer(
    trained: Trained, hardware: Hardware, decoding: DecodingSection, *, images: int, executor: Executor | None = None
) -> tuple[Prepare, int]:
    """The function from a chip's devices and key to its circuit, calibrated if asked for, and the images it is fitted to.

    The first `images` training images serve the ranges of converters and the fit; `executor` computes the chips.
    """
    fold = make_folder(hardware)
    ranges = nominal_ranges(trained, hardware, images=images, executor=executor)
    if decoding.calibrate is None:
        return partial(_prepare, fold, None, ranges), 0
    pictures, _ = held_out(trained, images=images)
    calibrate = make_calibrator(trained, decoding, pictures=pictures)
    return partial(_prepare, fold, calibrate, ranges), len(pictures)


def nominal_ranges(
    trained: Trained, hardware: Hardware, *, images: int, executor: Executor | None = None
) -> dict[str, Range]:
    """What each layer's converters take, from the chip without variation; empty without converters.

    It is built by the program of the chips that `executor` computes.
    """
    if hardware.converters.path == "folded":
        return {}
    fold = make_folder(replace(hardware, mismatch=None))
    nominal = {name: jnp.asarray(layer.conductance) for name, layer in hardware.network.layers.items()}
    # the ranges are not known yet; no layer depends on them
    prepare = partial(_prepare, fold, None, dict.fromkeys(nominal, Range(1.0)))

    def unvaried() -> Circuit:
        where = executor or make_executor(1)
        build = Builder(where, prepare, nominal, jax.random.key(0), quick=hardware.fold is not None)
        (_, numbers), *_ = where.chunks(1)
        leaves, residuals, _ = build(numbers, where.alike(nominal, numbers))
        judge({name: residual[0] for name, residual in residuals.items()})
        return build.circuit(leaves, 0)

    return adc_ranges(trained, hardware, unvaried, images=images)


def _prepare(
    fold: Folder,
    calibrate: Callable[[Circuit, Array], dict[str, Correction]] | None,
    ranges: dict[str, Range],
    conductances: Any,
    key: Array,
) -> tuple[Circuit, Residuals]:
    circuit, residuals = fold(conductances, key, ranges)
    return circuit if calibrate is None else replace(circuit, corrections=calibrate(circuit, key)), residuals


def make_calibrator(
    trained: Trained, decoding: DecodingSection, *, pictures: np.ndarray
) -> Callable[[Circuit, Array], dict[str, Correction]]:
    """The jitted function from a circuit and the chip's key to its layers' corrections, fitted to `pictures`, all at once.

    Layer by layer, least squares from the array's outputs to those of the floating-point network; each layer sees the
    corrected outputs of those before it.
    """
    graphdef, state = nnx.split(trained.net)
    images = jnp.asarray(network_inputs(pictures))

    @jax.jit
    def fit(state: Any, images: Array, circuit: Circuit, key: Array) -> dict[str, Correction]:
        net = nnx.merge(graphdef, state)
        wanted: dict[str, Array] = {}
        corrections: dict[str, Correction] = {}
        uses: Counter[str] = Counter()

        def exact(name: str, x: Array, kernel: Array, contract: Contract) -> Array:
            y = contract(x, kernel)
            wanted.setdefault(name, y)
            return y

        def fitted(name: str, x: Array, kernel: Array, contract: Contract) -> Array:
            if name not in circuit.layers:
                return contract(x, kernel)
            use, uses[name] = uses[name], uses[name] + 1
            y = layer_outputs(circuit, name, x, contract, key=key, first=jnp.asarray(0), counts=None, use=use)
            if not use:  # a layer has one correction, that of its first use
                corrections[name] = least_squares(y, wanted[name], decoding)
            return corrections[name](y)

        net(images, one_by_one(exact))
        net(images, one_by_one(fitted))
        return corrections

    def calibrate(circuit: Circuit, key: Array) -> dict[str, Correction]:
        return fit(state, images, circuit, stream(key, "calibrate"))

    return calibrate


def least_squares(y: Array, wanted: Array, decoding: DecodingSection) -> Correction:
    """Gain, or gain and offset, from outputs `y` to `wanted`, for the layer or for each column; 1 where `y` says nothing."""
    axes = tuple(range(y.ndim - (1 if decoding.per == "column" else 0)))
    shape = (1,) * len(axes) + y.shape[len(axes) :]
    affine = decoding.calibrate == "affine"
    centre = y.mean(axis=axes) if affine else jnp.zeros(y.shape[len(axes) :], y.dtype)
    target = wanted.mean(axis=axes) if affine else jnp.zeros_like(centre)
    away = y - centre.reshape(shape)
    power = jnp.square(away).mean(axis=axes)
    gain = jnp.where(
        power > 0, (away * (wanted - target.reshape(shape))).mean(axis=axes) / jnp.where(power > 0, power, 1), 1
    )
    return Correction(gain=gain, offset=target - gain * centre)
