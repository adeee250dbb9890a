"""`xbar evaluate`: Monte-Carlo accuracy of a network on non-ideal arrays."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from xbar_cli.chip.certificates.wired import settle, told
from xbar_cli.chip.conversion.learned import as_learned, taken
from xbar_cli.chip.counting import Batch
from xbar_cli.chip.executor import Strategy
from xbar_cli.chip.floating import floating_value
from xbar_cli.chip.full_scales import with_drive_range
from xbar_cli.chip.hardware import Hardware
from xbar_cli.chip.life.aged import Aged, at_ages, life, when_new
from xbar_cli.chip.mapped import ORIGIN, MappedNetwork, load_mapped, read_voltage, seen
from xbar_cli.chip.mismatch import gate_shifts
from xbar_cli.chip.place import map_network
from xbar_cli.chip.prepare import make_sampler
from xbar_cli.chip.programming.writer import writer_of
from xbar_cli.chip.repair.asked import check_repair, spare_lines
from xbar_cli.chip.repair.told import repair_told
from xbar_cli.chip.resolve import Gates, on_trained_arrays, own_converters, resolve_cell, resolve_mapping
from xbar_cli.chip.result import ages
from xbar_cli.chip.result import summary as evaluate_summary
from xbar_cli.chip.result.drawing import draw
from xbar_cli.chip.result.notes import effects_in_order, programmed_first, tell
from xbar_cli.chip.sample import Tally, sample
from xbar_cli.chip.sensitivity import each_alone
from xbar_cli.config.arrays import AnyArrayModel, check_neurons, tile_fold
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.converters import ConvertersSection
from xbar_cli.config.effect_list import steps_of
from xbar_cli.config.effects import read_spread_of
from xbar_cli.config.hardware import CalibrationSection, CellReference, MapConfig, MappingSection
from xbar_cli.config.load import stored, write_toml
from xbar_cli.data.batches import eval_batches
from xbar_cli.energy.policies import with_costs
from xbar_cli.errors import ConfigError
from xbar_cli.nn.sites.crossbar import regroup
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs import environment
from xbar_cli.runs.directory import CONFIG, Run
from xbar_cli.runs.opening import open_run
from xbar_cli.runs.results import RESULTS, write_fields
from xbar_cli.statistics import enough
from xbar_cli.trained.opening import CELL, Trained, open_trained


def run(config: EvaluateConfig, run: Run, *, reporter: Reporter = SILENT) -> dict[str, Any]:
    """Evaluate as `config` says into `run`; returns the summary."""
    if (unusual := environment.drawing_note(config.seed)) is not None:
        reporter.note(unusual)
    reporter.doing(f"opening {config.run}")
    config, trained, network = open_network(config, reporter)
    write_toml(run.path / CONFIG, config)
    reporter.doing("compiling the network in floating point, and how a chip is made")
    hardware, result, tally = measured(config, trained, network, reporter=reporter)
    result |= evaluate_summary.origin(trained, network, *test_part(trained, config.monte_carlo.images))
    if (skewed := evaluate_summary.skew_note(result)) is not None:
        reporter.note(skewed)
    if result.get("ci_width_reached") is False:
        reporter.note(
            f"monte_carlo.ci_width = {config.monte_carlo.ci_width:g} was not reached with {result['samples']} chips"
        )
    metric = result["metric"]
    fields = evaluate_summary.results(result[f"{metric}_samples"], tally, metric=metric, first=config.first_chip)
    if "ages" in result:
        fields |= ages.age_fields(result["ages"], metric=metric)
    write_fields(run.path / RESULTS, fields, attributes={"xbar_kind": metric})
    caption = (
        f"{trained.network} on {trained.dataset}, {result['images']} test images, {hardware.model} array, "
        f"{result['samples']} chips: {config.variation.said()}"
    )
    draw(run.figures, result, caption=caption)
    if "ages" in result:
        ages.draw_ages(run.figures / "ages.png", result, caption=caption)
    devices = [str(device) for device in jax.devices()]
    environment.write(run.path / "env.json", environment.describe(seed=config.seed, devices=devices))
    return result | {"out": str(run.final)}


def measured(
    config: EvaluateConfig, trained: Trained, network: MappedNetwork, *, reporter: Reporter
) -> tuple[Hardware, dict[str, Any], Tally]:
    """The chips as `measure` finds them; where times are given those of the last, and `ages` with what they are at each."""
    if config.ageing.at is None:
        hardware = build_hardware(config, trained, network, reporter=reporter)
        return hardware, *measure(config, trained, hardware, reporter=reporter)
    chips = life(config, network)
    first = build_hardware(chips[0].configured(config), trained, network, reporter=reporter)
    found = []
    for number, aged in enumerate(chips):
        now, hardware = aged.configured(config), aged.reading(first, age=aged.moment.age)
        said = SILENT if number else reporter
        found.append(measure(now, trained, hardware, reporter=said, aged=aged))
        reporter.progress("times", number + 1, len(chips))
    result, tally = found[-1]
    known = at_ages([result for result, _ in found], chips)
    if config.ageing.recalibrate is not None:
        lives = [aged.moment for aged in chips]
        known = with_costs(known, config, trained, network, result, lives, reporter=reporter)
    return first, result | {"ages": known}, tally


def open_network(
    config: EvaluateConfig, reporter: Reporter = SILENT, *, keep_activity: bool = False
) -> tuple[EvaluateConfig, Trained, MappedNetwork]:
    """The trained network and its devices: what was mapped, or mapped on the fly from a train run, as `map` with `keep_activity`.

    Rows are read as a mapped run says where `config` does not: the configuration returned has it all.
    """
    path = Path(config.run)
    _, summary = open_run(path, commands=("train", "map"), use="xbar evaluate")
    if summary["command"] == "map":
        # earlier versions wrote it into every evaluation
        former = {"tile": None} if config.mapping.tile == "128x128" else {}
        if (config.mapping.model_copy(update=former), config.cell) != (MappingSection(), CellReference()):
            raise ConfigError(f"{path} is mapped already: mapping and cell options apply to train runs")
        if config.calibration != CalibrationSection() and not config.observes:
            raise ConfigError(
                f"{path} is mapped already: without converters or decoding.calibrate no images calibrate anything"
            )
        trained, network = open_trained(path / ORIGIN, use="xbar evaluate", data_dir=config.data_dir), load_mapped(path)
        regroup(trained.net, {name: layer.groups for name, layer in network.layers.items()})
        config = config.model_copy(
            update={
                "converters": config.converters.over(
                    network.read, drive_ends=array_of(config, network).model == "gated"
                )
            }
        )
        config = as_learned(trained, config, scheme=network.scheme, mapped=True, reporter=reporter)
        if (arrays := trained.fixed.arrays) is not None and config.array.model is None:
            reporter.note(
                f"{path}: its weights were trained through {arrays.array.model} arrays, and ideal ones are evaluated: give "
                "array.model and its resistances, or evaluate the train run"
            )
        return config, trained, read_anew(path, trained, network, config.converters, reporter)
    trained = open_trained(path, use="xbar evaluate", data_dir=config.data_dir)
    gates, read = resolve_cell(trained, config.cell, config.mapping.per_layer), config.converters.read
    config = on_trained_arrays(trained, config, reporter=reporter)
    config = as_learned(trained, config, scheme=config.mapping.chosen, mapped=False, reporter=reporter)
    placement = resolve_mapping(trained, config.mapping, gates, read=read, reporter=reporter)
    network = map_network(
        trained, placement, gates, read=read, images=config.calibration.images, reporter=reporter, keep_activity=keep_activity
    )  # fmt: skip
    return config, trained, network


def read_anew(
    path: Path, trained: Trained, network: MappedNetwork, converters: ConvertersSection, reporter: Reporter
) -> MappedNetwork:
    """The mapped network, its cells programmed anew where rows are read at other voltages than it was mapped for."""
    if network.cell is None or read_voltage(network.cell, converters) == network.read_volt:
        return network
    reporter.note(
        f"{path} was mapped for rows that see {seen(network.read_volt)}; its cells are programmed anew for "
        f"{seen(read_voltage(network.cell, converters))}"
    )
    mapped = stored(MapConfig, path)
    found = [layer.vg for layer in network.layers.values() if layer.vg is not None]
    own = {name: layer.vg for name, layer in network.layers.items()}
    vg = {name: own.get(name) or found[0] for name in trained.layers}
    gates, read = Gates(path / CELL, network.cell, vg, asked=mapped.cell.run is not None), converters.read
    placement = resolve_mapping(trained, mapped.mapping, gates, read=read, reporter=SILENT)
    return map_network(trained, placement, gates, read=read, images=mapped.calibration.images, reporter=SILENT)


def array_of(config: EvaluateConfig, network: MappedNetwork) -> AnyArrayModel:
    """The array asked for: `gated` where no model is and there is a cell, else `ideal`."""
    return config.array.known("gated" if network.cell is not None else "ideal")


def check_array(array: AnyArrayModel, config: EvaluateConfig, network: MappedNetwork) -> None:
    """Raise ConfigError where the network's devices, its columns or the converters do not go with the array."""
    gated = array.model == "gated"
    if gated and network.cell is None:
        raise ConfigError(
            "array.model = gated needs a 1T-1R cell: cell.run and cell.vg, or a network trained or mapped with one"
        )
    if gated and config.variation.negative == "allow":
        raise ConfigError(
            "variation.negative = allow belongs to resistive arrays: a 1T-1R cell has no conductance below 0"
        )
    converters = config.converters
    columns = converters.adc_bits is not None and converters.adc_input != "pair"
    widths = {name: layer.conductance.shape[1] for name, layer in network.layers.items()}
    check_neurons(array, scheme=network.scheme, adc=columns, tile=network.tile, widths=widths)
    converters.check_pairs(network.tile, widths=widths)


def build_hardware(
    config: EvaluateConfig, trained: Trained, network: MappedNetwork, *, reporter: Reporter = SILENT
) -> Hardware:
    """What the network's devices are built into, the range of the row drive with it."""
    array = array_of(config, network)
    check_array(array, config, network)
    config.converters.check(model=array.model, scheme=network.scheme, cell=network.cell is not None)
    network = with_drive_range(trained, network, config.converters.read, images=config.calibration.images)
    hardware = Hardware(
        network, model=array.model, fold=tile_fold(array), wires=array.wires(), converters=config.converters,
        own=own_converters(trained, network, config.converters),
        noises=tuple(read_spread_of(noise, network) for noise in config.variation.read_noises()),
        mismatch=gate_shifts(config.variation.mismatch(), network),
        spare=spare_lines(network, config.repair.wanted),
    )  # fmt: skip
    check_repair(config.repair.wanted, hardware, config.variation, reporter=reporter)
    if hardware.wired and hardware.mismatch:
        raise ConfigError(
            "effect mismatch takes 1T-1R arrays without resistances: leave out array.r_wire_ohm, array.r_source_ohm, "
            "array.r_neuron_ohm"
        )
    return settle(trained, hardware, array, reporter=reporter)


def measure(
    config: EvaluateConfig,
    trained: Trained,
    hardware: Hardware,
    *,
    reporter: Reporter,
    strategy: Strategy | None = None,
    aged: Aged | None = None,
) -> tuple[dict[str, Any], Tally]:
    """The metric of every sampled chip (at a moment of its life) and in floating point, and what else the chips were."""
    wanted, network = config.monte_carlo, hardware.network
    images, labels = test_part(trained, wanted.images)
    measure = evaluate_summary.measure_of(config, trained, labels)
    parts = batched(images, labels, size=wanted.batch_size)
    steps = steps_of(config.variation.on_devices(), network) if aged is None else aged.steps(network)
    order = programmed_first(config, effects_in_order(config.variation, steps))
    tell(config, trained, hardware, order, reporter)
    ideal = floating_value(trained, parts, measure)
    most = (wanted.samples or wanted.max_samples or 1) if config.differing else 1
    preparer = None if aged is None else aged.preparer(config, trained, hardware)
    new = when_new(config.variation, hardware)
    writer = writer_of(config.programming, new) if aged is None else aged.writer(config, hardware)
    sampler, fitted_to = make_sampler(
        config, trained, hardware, steps, parts, measure, most=most, strategy=strategy, preparer=preparer, writer=writer
    )
    tally = sample(
        sampler,
        most,
        first=config.first_chip,
        enough=lambda samples: wanted.ci_width is not None and enough(samples, width=wanted.ci_width),
        alone=each_alone(sampler, {name: trained.kernels[name] for name in network.layers} if wanted.per_layer else {}),
        warm=not hardware.solved,  # such arrays take so long that compilation is lost in it
        reporter=reporter,
    )
    found = (
        {
            "command": "evaluate",
            "images": len(labels),
            "dataset_note": trained.data.note,
            "task": trained.data.task,
            f"ideal_{measure.metric}": ideal,
            "effects": order,
            "effects_said": config.variation.said(),
        }
        | where_there({"wired": told(hardware), "learned_ranges": taken(trained, hardware)})
        | repair_told(config.repair, network, tally)
    )
    return found | evaluate_summary.summarise(
        config, hardware, tally, measure, ideal=ideal, images=len(labels), fitted_to=fitted_to
    ), tally


def where_there(parts: dict[str, Any]) -> dict[str, Any]:
    """The parts of a summary that are not empty."""
    return {key: part for key, part in parts.items() if part}


def batched(images: np.ndarray, labels: np.ndarray, *, size: int) -> list[Batch]:
    """Images and labels in batches of one size, `size` at most."""
    parts = eval_batches(images, labels, batch_size=min(size, len(labels)))
    return [jax.tree.map(jnp.asarray, part) for part in parts]


def test_part(trained: Trained, images: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The test images and labels used: the first `images`, or all."""
    data = trained.data
    if images is not None and images > len(data.test_labels):
        raise ConfigError(
            f"monte_carlo.images = {images} is more than the {len(data.test_labels)} test images there are"
        )
    return data.test_images[:images], data.test_labels[:images]
