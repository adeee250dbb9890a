"""Weights onto devices, layer by layer: scale, place, observe."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xbar_cli.chip.full_scales import row_full_scales
from xbar_cli.chip.limits import full_weights
from xbar_cli.chip.mapped import LayerMapping, MappedNetwork
from xbar_cli.chip.observe import observe
from xbar_cli.chip.resolve import Gates, fitting
from xbar_cli.config.converters import ReadSection
from xbar_cli.device.cell import Cell
from xbar_cli.errors import ConfigError, RunError
from xbar_cli.mapping.placing import (
    Placed,
    Placement,
    Span,
    place,
    place_groups,
    place_shares,
    place_slices,
    programmed,
    span_of,
)
from xbar_cli.mapping.readout import Readout
from xbar_cli.mapping.window import scale_top
from xbar_cli.nn.layers import groups_in
from xbar_cli.nn.sites.crossbar import regroup
from xbar_cli.reporter import SILENT, Reporter
from xbar_cli.runs.seal import ANEW
from xbar_cli.trained.fixed import DEVICES, Fixed
from xbar_cli.trained.opening import Trained


def map_network(
    trained: Trained,
    placement: Placement,
    gates: Gates | None = None,
    *,
    read: ReadSection | None = None,
    images: int,
    reporter: Reporter = SILENT,
    keep_activity: bool = False,
) -> MappedNetwork:
    """Put the weights of a train run on devices.

    Args:
        trained: the run.
        placement: how: see `resolve_mapping`.
        gates: the cell and each layer's gate voltage: see `resolve_cell`; None on resistive arrays.
        read: how rows will be read, which cells are programmed for; as amplitudes when absent.
        images: training images whose activations set the row voltages' full scale, where training did not.
        reporter: is told of gate voltages without a linear range, and of what was cut.
        keep_activity: whether the network holds how some of these images drive its rows.
    """
    read = read or ReadSection()
    names, devices = layers_on_arrays(trained, placement), placement.devices
    vg: Mapping[str, float] = {} if gates is None else gates.vg
    tell_ranges(devices.cell, vg.values(), reporter)
    placements = own_placements(trained, placement, names)
    regroup(trained.net, {name: groups_left(trained, placements[name], name) for name in names})
    w_max = full_weights(trained, placements)
    seen = observe(trained, images=images, sampled=keep_activity)
    drives = row_full_scales(trained, seen.ranges, names, read, images=images)
    layers = {
        name: on_devices(
            trained.fixed, placements[name], name, trained.kernels[name], vg=vg.get(name), w_max=w_max[name],
            groups=groups_in(getattr(trained.net, name)),
            full_scale=drives[name], signed=seen.ranges[name][0] < 0,
        )
        for name in names
    }  # fmt: skip
    tell_cut(layers, devices.target, reporter)
    bits = {read.dac_bits} if read.dac_bits else set()
    return MappedNetwork(
        layers=layers, scheme=placement.scheme, technology=devices.technology, cell=devices.cell, g_off=devices.g_off,
        g_on=devices.g_on, tile=placement.tile, read=read,
        activity=seen.activity(layers, devices.cell, bits=bits) if keep_activity else {},
    )  # fmt: skip


def layers_on_arrays(trained: Trained, placement: Placement) -> list[str]:
    """The layers that are on arrays, in the order they compute.

    Raises:
        ConfigError: none is.
    """
    return fitting(trained, placement.layers, key="mapping.layers")


def own_placements(trained: Trained, placement: Placement, names: Sequence[str]) -> dict[str, Placement]:
    """How each of the layers `names` is put on devices: as the first of `placement.own` whose pattern fits it says, else as all.

    Raises:
        ConfigError: a pattern fits no layer of the network.
    """
    taken = [(fitting(trained, pattern, key="mapping.per_layer"), own) for pattern, own in placement.own]
    return {name: next((own for fits, own in taken if name in fits), placement) for name in names}


def groups_left(trained: Trained, placement: Placement, name: str) -> int:
    """The groups of a layer after packing."""
    layer = getattr(trained.net, name)
    *window, outputs = layer.kernel.shape
    return placement.groups(groups_in(layer), rows=math.prod(window), outputs=outputs)


def on_devices(
    fixed: Fixed,
    placement: Placement,
    name: str,
    kernel: NDArray[np.float32],
    *,
    vg: float | None,
    w_max: NDArray[np.float64],
    full_scale: float,
    signed: bool,
    groups: int = 1,
) -> LayerMapping:
    """One layer on its devices, at gate voltage `vg` [V] (None: resistive arrays).

    `w_max` is the weight at full scale, one number or one per output; `full_scale` the activation that gives the largest row
    voltage; `signed` whether activations have both signs; `groups` equal parts of its outputs that see other inputs, each on
    arrays of its own. Conductances that training fixed are taken as they are.
    """
    span = span_of(placement.devices, placement.scheme, vg=vg, w_max=w_max)
    placed = placed_in(span, fixed, placement, name, kernel, groups)
    found = programmed(placement.devices, placed.wanted, vg=vg)
    return LayerMapping(
        conductance=found.g.astype(np.float32),
        kernel=tuple(kernel.shape),
        readout=placed.readout,
        slope=placed.slope,
        digital=placed.digital,
        bottom=span.bottom,
        top=span.top,
        scale_kept=placed.scale_kept,
        full_scale=full_scale,
        signed=signed,
        vg=vg,
        clipped_fraction=placed.clipped_fraction,
        beyond_fraction=found.beyond,
    )


def placed_in(
    span: Span, fixed: Fixed, placement: Placement, name: str, kernel: NDArray[np.float32], groups: int = 1
) -> Placed:
    """A layer on its columns: its trained conductances, its slices, or its weights."""
    if fixed.devices is not None and fixed.m_max is not None:
        shares, m_max = fixed.devices[name], fixed.m_max[name]
        columns = Readout(placement.scheme, factors=fixed.factors).columns(kernel.shape[-1])
        if shares.shape != (*kernel.shape[:-1], columns):
            raise RunError(f"{DEVICES}: devices of {name} are not those of its weights; {ANEW}")
        return place_shares(
            shares.reshape(-1, shares.shape[-1]), placement.scheme, m_max=m_max, bottom=span.bottom, top=span.top,
            factors=fixed.factors,
        )  # fmt: skip
    weights = kernel.reshape(-1, kernel.shape[-1])
    try:
        fmt = (
            None
            if placement.slices is None
            else placement.slices.fitted(weights, fixed.point_of(name, placement.slices))
        )
    except ValueError as error:
        raise ConfigError(
            f"mapping.scheme = bitslice: {error} (mapping.weight_bits, mapping.fraction_bits, mapping.bits)"
        ) from None

    def one(weights: NDArray[np.float32], number: int) -> Placed:
        if fmt is not None:
            return place_slices(fmt, weights, bottom=span.bottom, top=span.top)
        slope = span.slope
        return place(
            placement.scheme, weights, span._replace(slope=np.split(slope, groups)[number] if slope.ndim else slope)
        )

    return place_groups(one, weights, groups)


def tell_ranges(cell: Cell | None, gates: Iterable[float], reporter: Reporter) -> None:
    """Say at which gate voltages [V] the cell has no linear range."""
    if cell is None:
        return
    for vg in sorted({*gates, float(cell.vg[scale_top(cell)])}):
        if not cell.has_range(cell.index(vg)):
            reporter.note(f"the cell has no linear range at V_g {vg:g} V: weights span G_off … G_on there")


def tell_cut(layers: Mapping[str, LayerMapping], target: str, reporter: Reporter) -> None:
    """Say which layers' weights or devices were cut at an end of their range."""
    cut = [f"{name} {layer.clipped_fraction:.2%}" for name, layer in layers.items() if layer.clipped_fraction > 0]
    if cut:
        reporter.note(f"weights cut at the top of the scale: {', '.join(cut)}")
    beyond = [f"{name} {layer.beyond_fraction:.2%}" for name, layer in layers.items() if layer.beyond_fraction > 0]
    if beyond:
        reporter.note(
            f"devices cut at an end of the memristor's range (mapping.map_target = {target}): {', '.join(beyond)}"
        )
