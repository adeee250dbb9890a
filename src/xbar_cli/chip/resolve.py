"""What is asked for, and what training fixed where nothing else is asked for, as values: cells, devices, placement."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from xbar_cli.cell.file import load_cell
from xbar_cli.chip.mapped import MappedNetwork, read_voltage
from xbar_cli.config.arrays import ArraySection
from xbar_cli.config.base import parse_quantity
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.converters import ConvertersSection, ReadSection
from xbar_cli.config.effects import ChipCorner, ChipToChip
from xbar_cli.config.hardware import CellReference, MappingSection
from xbar_cli.config.ranges import OwnSettings
from xbar_cli.device.cell import Cell
from xbar_cli.errors import ConfigError, RunError
from xbar_cli.mapping.placing import Placement
from xbar_cli.nn.layers import is_dense
from xbar_cli.nn.shapes import LayerName, chosen_layers
from xbar_cli.outside import quoted
from xbar_cli.reporter import Reporter
from xbar_cli.runs.directory import SUMMARY
from xbar_cli.runs.opening import open_run
from xbar_cli.runs.results import RESULTS
from xbar_cli.runs.seal import ANEW
from xbar_cli.trained.fixed import Fixed
from xbar_cli.trained.opening import CELL, Trained

CHOSEN = ("scheme", "bits", "levels", "weight_limit", "weight_scale", "weight_bits", "fraction_bits", "encoding")
"""Settings of a mapping that trained conductances (periphery) have fixed."""

ASKED = ("scheme", "bits", "levels", "technology", "r_on_ohm", "r_off_ohm")
"""Settings that ask for devices: with one of them none are taken up."""

FORMAT = ("fraction_bits", "bits", "weight_bits", "encoding")
"""How weights are cut into slices."""

DEFAULTS = {key: field.default for key, field in MappingSection.model_fields.items()}


class Gates(NamedTuple):
    """1T-1R cells of a network.

    Attributes:
        file: of the characterised cell.
        cell: in it.
        vg: gate voltage of each layer of the trained network [V].
        asked: whether the cell was asked for, rather than the one that training used.
    """

    file: Path
    cell: Cell
    vg: Mapping[str, float]
    asked: bool


def resolve_cell(
    trained: Trained, reference: CellReference, per_layer: Sequence[OwnSettings] | None = None
) -> Gates | None:
    """The cell asked for, else the one that training used; None without any. `per_layer` may have gate voltages of its own."""
    gates = one_cell(trained, reference)
    own = [(fitting(trained, each.layers, key="mapping.per_layer"), each.vg_volt) for each in per_layer or ()]
    if gates is None:
        if any(vg is not None for _, vg in own):
            raise ConfigError("mapping.per_layer.vg_volt needs cell.run: this network was trained without a cell")
        return None
    first = {name: next((vg for fits, vg in own if name in fits), None) for name in gates.vg}
    return gates._replace(vg={name: first[name] or vg for name, vg in gates.vg.items()})


def fitting(trained: Trained, choice: str, *, key: str) -> list[str]:
    """The layers of a network that a choice takes, in the order they compute. ConfigError with its key where it takes none."""
    layers = [LayerName(name, is_dense(getattr(trained.net, name))) for name in trained.layers]
    try:
        return chosen_layers(layers, choice)
    except ValueError as error:
        raise ConfigError(f"{key} = {quoted(choice)}: {error}") from None


def own_converters(
    trained: Trained, network: MappedNetwork, converters: ConvertersSection
) -> dict[str, ConvertersSection]:
    """The converters of the layers that have some of their own; of the patterns that fit a layer the first counts."""
    found: dict[str, ConvertersSection] = {}
    for own in converters.per_layer or ():
        for name in fitting(trained, own.layers, key="converters.per_layer"):
            if name in network.layers:
                found.setdefault(name, converters.of(own))
    return found


def one_cell(trained: Trained, reference: CellReference) -> Gates | None:
    """The cell asked for with one gate voltage, else the one that training used."""
    own = trained.run.path / CELL
    asked = None if reference.vg is None else gate_voltage(reference.vg)
    fixed = trained.fixed.vg
    if reference.run is not None:
        run, _ = open_run(Path(reference.run), commands=("characterize",), use="cell.run")
        if asked is None and fixed is None:
            raise ConfigError("cell.run needs cell.vg, a gate voltage of the cell's table")
        file = run.path / RESULTS
    elif own.exists():
        file = own
    elif asked is not None:
        raise ConfigError("cell.vg needs cell.run: this network was trained without a cell")
    else:
        return None
    vg = dict.fromkeys(trained.layers, asked) if asked is not None else fixed
    if vg is None:
        raise RunError(f"{trained.run.path}: {SUMMARY} is damaged (it has a cell and no gate voltages); {ANEW}")
    return Gates(file, load_cell(file), vg, asked=reference.run is not None)


def gate_voltage(text: str) -> float:
    """A gate voltage [V] from its text."""
    try:
        return float(parse_quantity(text))
    except ValueError as error:
        raise ConfigError(f"cell.vg: {error}") from None


def resolve_mapping(
    trained: Trained, mapping: MappingSection, gates: Gates | None, *, read: ReadSection, reporter: Reporter
) -> Placement:
    """How the weights of a train run are put on devices: as asked for, else as its training fixed it (the reporter is told).

    Cells are programmed to the conductance that they show when they are `read`; without `gates` arrays are resistive.
    """
    fixed = trained.fixed
    mapping = mapping_of(fixed, mapping, of=trained.run.path, cell=gates is not None and gates.asked, reporter=reporter)
    cell = None if gates is None else gates.cell
    volt = None if cell is None else read_voltage(cell, read)
    return mapping.placement(cell, volt=volt, restricted=fixed.w_max is not None)


def mapping_of(fixed: Fixed, mapping: MappingSection, *, of: Path, cell: bool, reporter: Reporter) -> MappingSection:
    """The mapping with what the training of a run (`of`) has fixed; `cell` says whether 1T-1R cells are asked for.

    Conductances that were trained (periphery, insitu) have a scheme, and a technology where training knew one: ConfigError for a
    setting that says otherwise. Weights trained in slices (biased) or on levels (tat) go onto these where no scheme, device or
    cell is given; the reporter is told.
    """
    if fixed.devices is not None:
        return _as_trained(fixed, mapping, of=of, cell=cell, reporter=reporter)
    offered = _offered(fixed)
    if cell or asks_for_devices(mapping):
        kept = ("layers", *(FORMAT if mapping.scheme == "bitslice" else ()))
        offered = {key: value for key, value in offered.items() if key in kept}
    if mapping.weight_scale is not None:
        offered.pop("fraction_bits", None)
    update = {key: value for key, value in offered.items() if getattr(mapping, key) == DEFAULTS[key] != value}
    if update:
        said = ", ".join(f"{key} {value}" for key, value in update.items())
        reporter.note(f"{of} was trained for these devices, which the mapping takes: {said}")
    return MappingSection(**mapping.model_dump(exclude_unset=True) | update)


def on_trained_arrays(trained: Trained, config: EvaluateConfig, *, reporter: Reporter) -> EvaluateConfig:
    """The evaluation on the arrays that the weights were trained through (tat), as far as nothing else is asked for.

    With another scheme, other devices or a cell none of it is taken up. The reporter is told what is.
    """
    arrays, mapping = trained.fixed.arrays, config.mapping
    if arrays is None or asks_for_devices(mapping) or config.cell.run is not None:
        return config
    update: dict[str, Any] = {}
    said: dict[str, Any] = {}
    if config.array.model is None:
        given = config.array.model_dump(exclude_none=True)
        apart = {"r_wire_ohm"} if given.keys() & {"r_wire_word_ohm", "r_wire_bit_ohm"} else set()
        array = ArraySection(**arrays.array.model_dump(exclude_none=True, exclude=apart) | given)
        said = {key: value for key, value in array.in_use().items() if getattr(config.array, key) is None}
        update["array"] = array
    if mapping.tile == DEFAULTS["tile"] != arrays.tile:
        said["tile"], update["mapping"] = arrays.tile, mapping.model_copy(update={"tile": arrays.tile})
    effects = config.variation.effects
    if arrays.corner is not None and not any(isinstance(effect, ChipCorner | ChipToChip) for effect in effects):
        said["corner"] = arrays.corner.k
        update["variation"] = config.variation.model_copy(update={"effects": (*effects, arrays.corner)})
    if update:
        told = ", ".join(f"{key} {value}" for key, value in said.items())
        reporter.note(f"{trained.run.path} was trained through these arrays, which the evaluation takes: {told}")
    return config.model_copy(update=update)


def asks_for_devices(mapping: MappingSection) -> bool:
    """Whether the mapping asks for devices of its own."""
    return any(getattr(mapping, key) != DEFAULTS[key] for key in ASKED)


def _offered(fixed: Fixed) -> dict[str, Any]:
    """The settings of a mapping that a training of weights leaves."""
    found: dict[str, Any] = {"scheme": fixed.scheme, "technology": fixed.technology, "levels": fixed.levels}
    if fixed.slices is not None:
        found["fraction_bits"] = (
            fixed.slices.fraction_bits if fixed.fraction_bits is None else None
        )  # else of each layer
        found |= {"bits": fixed.slices.device_bits}
        found |= {"weight_bits": fixed.slices.weight_bits, "encoding": fixed.slices.encoding}
    found |= {"bits": fixed.bits, "layers": fixed.layers}
    return {key: value for key, value in found.items() if value is not None}


def _as_trained(fixed: Fixed, mapping: MappingSection, *, of: Path, cell: bool, reporter: Reporter) -> MappingSection:
    """The mapping of trained conductances."""
    if any(own.bits or own.weight_limit for own in mapping.per_layer or ()):
        raise ConfigError(f"{of} trained its conductances: leave out bits and weight_limit of mapping.per_layer")
    given = [
        key for key in CHOSEN if getattr(mapping, key) not in (DEFAULTS[key], fixed.scheme if key == "scheme" else None)
    ]
    if given:
        keys = ", ".join(f"mapping.{key}" for key in given)
        raise ConfigError(f"{of} trained its conductances behind scheme {fixed.scheme}; leave out {keys}")
    update = {"scheme": fixed.scheme}
    if fixed.technology is not None and not cell and not asks_for_devices(mapping.model_copy(update={"scheme": None})):
        reporter.note(f"{of} was trained for these devices, which the mapping takes: technology {fixed.technology}")
        update["technology"] = fixed.technology
    return mapping.model_copy(update=update)
