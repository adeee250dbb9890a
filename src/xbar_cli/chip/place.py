"""Weights onto devices: cell, scale, levels and scheme of every layer."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbar_cli.cell.file import load_cell
from xbar_cli.chip.calibration import drive_ranges
from xbar_cli.chip.limits import limited, maxima_of, restricted
from xbar_cli.chip.mapped import LayerMapping, MappedNetwork, read_voltage
from xbar_cli.chip.observe import calibrate
from xbar_cli.chip.taken import mapping_of
from xbar_cli.config.base import parse_quantity
from xbar_cli.config.converters import ReadSection
from xbar_cli.config.hardware import CellReference, MappingSection
from xbar_cli.config.ranges import parse_tile
from xbar_cli.device.cell import Cell
from xbar_cli.device.levels import check_levels, ratio_levels, read_levels, uniform_levels
from xbar_cli.device.technologies import Technology, load_technology
from xbar_cli.errors import ConfigError
from xbar_cli.mapping.bitslice import LARGEST_EXPONENT, SliceFormat
from xbar_cli.mapping.encode import full_scale
from xbar_cli.mapping.placing import Conductances, Placed, place, place_slices
from xbar_cli.mapping.readout import Readout
from xbar_cli.mapping.window import Programmed, cell_window, program, scale_top
from xbar_cli.nn.layers import is_dense
from xbar_cli.reporter import Reporter
from xbar_cli.runs.directory import open_run
from xbar_cli.runs.results import RESULTS
from xbar_cli.trained.fixed import Fixed
from xbar_cli.trained.opening import CELL, Trained

R_ON_OHM, R_OFF_OHM = 30e3, 300e3
"""Resistance range of arrays without a cell, unless given (neat)."""


class Gates(NamedTuple):
    """1T-1R cells of a network.

    Attributes:
        file: of the characterised cell.
        vg: gate voltage of each layer of the trained network [V].
        asked: whether the cell was asked for, rather than the one that training used.
    """

    file: Path
    vg: list[float]
    asked: bool


def map_network(
    trained: Trained,
    mapping: MappingSection,
    gates: Gates | None,
    *,
    read: ReadSection,
    calibration_images: int,
    reporter: Reporter,
    keep_activity: bool = False,
) -> MappedNetwork:
    """Put the weights of a train run on devices.

    Args:
        trained: the run.
        mapping: scheme, levels, weight scale, resistances, tile size.
        gates: the cell and each layer's gate voltage: see `resolve_cell`; None on resistive arrays.
        read: how rows will be read: cells are programmed to the conductance that they show then.
        calibration_images: training images whose activations set the row voltages' full scale, where training did not.
        reporter: is told of gate voltages without a linear range.
        keep_activity: whether the network holds how some of these images drive its rows.

    Raises:
        ConfigError: options that exclude each other.
    """
    fixed = trained.fixed
    mapping = mapping_of(fixed, mapping, of=trained.run.path, cell=gates is not None and gates.asked, reporter=reporter)
    names = layers_on_arrays(trained, mapping)
    cell = None if gates is None else load_cell(gates.file)
    volt = None if cell is None else read_voltage(cell, read)
    g_off, g_on = device_range(mapping, cell)
    for vg in [] if cell is None or gates is None else sorted({*gates.vg, float(cell.vg[scale_top(cell)])}):
        if cell is not None and not cell.has_range(cell.index(vg)):
            reporter.note(f"the cell has no linear range at V_g {vg:g} V: weights span G_off … G_on there")
    kernels = {name: trained.kernels[name].reshape(-1, trained.kernels[name].shape[-1]) for name in names}
    maxima = limited(
        trained,
        maxima_of(trained, mapping, names, gated=cell is not None),
        mapping,
        levels=resistive_levels(mapping, g_off=g_off, g_on=g_on) if cell is None else None,
    )
    seen = calibrate(trained, images=calibration_images, sampled=keep_activity)
    full_scales = {
        name: (fixed.input_ranges or {}).get(name) or max(high, -low) or 1.0
        for name, (low, high) in seen.ranges.items()
    }
    full_scales |= drive_ranges(trained, names, read.dac_range, images=calibration_images)
    layers: dict[str, LayerMapping] = {}
    voltages = {} if gates is None else dict(zip(trained.layers, gates.vg, strict=True))
    for name, weights in kernels.items():
        vg = voltages.get(name)
        span = conductances(
            mapping, cell=cell, vg=vg, volt=volt, w_max=maxima[name], g_off=g_off, g_on=g_on, restricted=restricted(trained)
        )  # fmt: skip
        if fixed.devices is not None:
            placed = place_devices(fixed, name, span)
        elif mapping.chosen == "bitslice":
            placed = place_slices(slice_format(mapping, weights), weights, bottom=span.bottom, top=span.top)
        else:
            placed = place(mapping.chosen, weights, span)
        programmed = Programmed(placed.wanted, 0.0)
        if cell is not None and vg is not None:
            programmed = program(cell, placed.wanted, vg=vg, target=mapping.map_target, volt=volt)
        layers[name] = LayerMapping(
            conductance=programmed.g.astype(np.float32),
            kernel=tuple(trained.kernels[name].shape),
            readout=placed.readout,
            slope=placed.slope,
            digital=placed.digital,
            bottom=span.bottom,
            top=span.top,
            scale_kept=placed.scale_kept,
            full_scale=full_scales[name],
            signed=seen.ranges[name][0] < 0,
            vg=vg,
            clipped_fraction=placed.clipped_fraction,
            beyond_fraction=programmed.beyond,
        )
    tell_clipped(layers, mapping, reporter)
    bits = {read.dac_bits} if read.dac_bits else set()
    return MappedNetwork(
        layers=layers, scheme=mapping.chosen, technology=mapping.technology, cell=cell, g_off=g_off, g_on=g_on,
        tile=parse_tile(mapping.tile), read=read,
        activity=seen.activity(layers, cell, bits=bits) if keep_activity else {},
    )  # fmt: skip


def place_devices(fixed: Fixed, name: str, span: Conductances) -> Placed:
    """Trained conductances between the ends of the devices' range; `m_max` is its whole span."""
    assert fixed.devices is not None
    assert fixed.m_max is not None
    devices = fixed.devices[name]
    return Placed(
        wanted=span.bottom + devices.reshape(-1, devices.shape[-1]).astype(np.float64) * (span.top - span.bottom),
        readout=Readout(str(fixed.scheme)),
        slope=np.asarray((span.top - span.bottom) / fixed.m_max[name]),
        digital=np.zeros(()),
        scale_kept=1.0,
        clipped_fraction=0.0,
    )


def tell_clipped(layers: dict[str, LayerMapping], mapping: MappingSection, reporter: Reporter) -> None:
    """Say which layers' weights or devices were cut at an end of their range."""
    cut = [f"{name} {layer.clipped_fraction:.2%}" for name, layer in layers.items() if layer.clipped_fraction > 0]
    if cut:
        reporter.note(f"weights cut at the top of the scale: {', '.join(cut)}")
    beyond = [f"{name} {layer.beyond_fraction:.2%}" for name, layer in layers.items() if layer.beyond_fraction > 0]
    if beyond:
        reporter.note(
            f"devices cut at an end of the memristor's range (--map-target {mapping.map_target}): {', '.join(beyond)}"
        )


def device_range(mapping: MappingSection, cell: Cell | None) -> tuple[float, float]:
    """G_off and G_on [S]: the cell's, the technology's, or those of the resistances given."""
    given = mapping.r_on_ohm is not None or mapping.r_off_ohm is not None
    if cell is not None:
        if given or mapping.technology is not None:
            raise ConfigError(
                "--r-on, --r-off and --technology are the cell's own when there is one; characterize it with others"
            )
        if mapping.levels != "uniform":
            raise ConfigError(f"--levels {mapping.levels} belongs to resistive arrays; 1T-1R cells take --bits alone")
        return cell.g_off, cell.g_on
    if mapping.map_target != "effective":
        raise ConfigError("mapping.map_target = 'memristor' needs a 1T-1R cell (--cell RUN)")
    if mapping.top is not None:
        raise ConfigError(f"--top {mapping.top} needs a 1T-1R cell (--cell RUN): resistive arrays have one range")
    if mapping.technology is not None:
        technology: Technology = load_technology(mapping.technology)
        if given:
            raise ConfigError(f"--technology {mapping.technology} sets the resistances; leave out --r-on and --r-off")
        return technology.g_off, technology.g_on
    return 1 / (mapping.r_off_ohm or R_OFF_OHM), 1 / (mapping.r_on_ohm or R_ON_OHM)


def resistive_levels(mapping: MappingSection, *, g_off: float, g_on: float) -> NDArray[np.float64] | None:
    """The levels of the devices of resistive arrays [S]; None where any conductance can be programmed."""
    match mapping.levels:
        case "uniform":
            return None if mapping.bits is None else uniform_levels(mapping.bits, g_min=g_off, g_max=g_on)
        case "ratio":
            assert mapping.bits is not None
            return ratio_levels(mapping.bits, ratio=g_on / g_off, limit=g_on)
        case path:
            levels = read_levels(path)
            check_levels(levels, g_off=g_off, g_on=g_on, where=f"--levels {path}")
            return levels


def conductances(
    mapping: MappingSection,
    *,
    cell: Cell | None,
    vg: float | None,
    volt: float | None,
    w_max: float | NDArray[np.float64],
    g_off: float,
    g_on: float,
    restricted: bool = False,
) -> Conductances:
    """Levels, ends and scale of one layer; with a cell they are effective conductances at its gate voltage, read at `volt`.

    The top of the scale does not depend on the number of levels: see `MappingSection.top`.
    """
    if cell is None or vg is None:
        levels = resistive_levels(mapping, g_off=g_off, g_on=g_on)
        bottom, top = (g_off, g_on) if levels is None else (float(levels[0]), float(levels[-1]))
        slope = full_scale(_signed(mapping), g_min=bottom, g_max=top) / np.asarray(w_max, np.float64)
        return Conductances(levels, bottom, top, slope)
    window = cell_window(cell, vg=vg, w_max=1.0, volt=volt)
    top = window.bottom + window.slope * window.w_cut
    if (mapping.top or ("range" if restricted or mapping.chosen == "bitslice" else "device")) == "device":
        top = float(cell.effective(cell.index(vg), np.asarray(cell.g_on), volt=volt))
    levels = None if mapping.bits is None else uniform_levels(mapping.bits, g_min=window.bottom, g_max=top)
    half = 2 if mapping.chosen == "bc" else 1
    return Conductances(levels, window.bottom, top, window.slope / half / np.asarray(w_max, np.float64))


def _signed(mapping: MappingSection) -> str:
    """The scheme that sets the full scale; slices use the whole range, as pairs do."""
    return "de" if mapping.chosen == "bitslice" else mapping.chosen


def slice_format(mapping: MappingSection, weights: NDArray[np.float32]) -> SliceFormat:
    """The fixed-point format of a layer: as asked, or with the most fraction bits at which no weight is clipped.

    These may be more than there are weight bits, or less than 0: the point is where the layer's weights need it. A layer of
    zeros has its point behind the sign.
    """
    given = {
        "weight_bits": mapping.weight_bits,
        "device_bits": mapping.bits or DEVICE_BITS,
        "encoding": mapping.encoding,
    }
    try:
        if mapping.fraction_bits is not None:
            return SliceFormat(fraction_bits=mapping.fraction_bits, **given)
        largest = float(np.abs(weights).max()) or 1.0
        fraction = int(np.floor(np.log2((2 ** (mapping.weight_bits - 1) - 1) / largest)))
        return SliceFormat(fraction_bits=min(max(fraction, -LARGEST_EXPONENT), LARGEST_EXPONENT), **given)
    except ValueError as error:
        raise ConfigError(f"--scheme bitslice: {error} (--weight-bits, --fraction-bits, --bits)") from None


DEVICE_BITS = 2
"""Bits of one device of bit-sliced weights, unless given (biased: 8-bit weights in 2-bit devices)."""


def resolve_cell(trained: Trained, reference: CellReference) -> Gates | None:
    """The cell asked for, else the one that training used; None without any."""
    own = trained.run.path / CELL
    count = len(trained.layers)
    asked = None if reference.vg is None else gate_voltage(reference.vg)
    if reference.run is not None:
        run, _ = open_run(Path(reference.run), commands=("characterize",), use="--cell")
        if asked is None and trained.fixed.vg is None:
            raise ConfigError("--cell needs --vg VOLT, a gate voltage of the cell's table")
        file = run.path / RESULTS
    elif own.exists():
        file = own
    elif asked is not None:
        raise ConfigError("--vg needs --cell RUN: this network was trained without a cell")
    else:
        return None
    vg = [asked] * count if asked is not None else list((trained.fixed.vg or {}).values())
    return Gates(file, vg, asked=reference.run is not None)


def gate_voltage(text: str) -> float:
    """A gate voltage [V] from its text."""
    try:
        return float(parse_quantity(text))
    except ValueError as error:
        raise ConfigError(f"--vg: {error}") from None


def layers_on_arrays(trained: Trained, mapping: MappingSection) -> list[str]:
    """The layers that are on arrays, in the order they compute.

    Raises:
        ConfigError: none is.
    """
    names = trained.layers
    if mapping.layers == "dense":
        names = [name for name in names if is_dense(getattr(trained.net, name))]
    if not names:
        raise ConfigError(f"--layers dense: {trained.network} has no fully connected layer")
    return names
