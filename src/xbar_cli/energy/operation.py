"""How the arrays that are costed are read: what runs and options state, and the model's own where they leave it open."""

from typing import Any

from xbar_cli.chip.mapped import MappedNetwork
from xbar_cli.config.converters import ConvertersSection
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.energy.activity import Coding
from xbar_cli.energy.agreement import Statement, shown, wires_of
from xbar_cli.energy.constants import Constants
from xbar_cli.energy.models import isaac
from xbar_cli.energy.opening import Opened
from xbar_cli.energy.reading import InputCoding, Reading
from xbar_cli.errors import ConfigError

NATIVE: dict[str, InputCoding] = {"resparc": "amplitude", "neurosim": "bitserial", "isaac": "bitserial"}
"""How a model drives rows where nothing is stated; those of one bit a cycle know no other way."""


def reading_of(
    config: EnergyConfig, constants: Constants, network: MappedNetwork, stated: Statement, *, device_bits: int | None
) -> Reading:
    """Row drive and converters of the arrays. ConfigError where the model cannot read so, or the mapping has no pairs."""
    values, native = stated.values, NATIVE[config.model]
    coding: InputCoding = values.get("input") or native
    if coding != native and config.model != "resparc":
        raise ConfigError(
            f"{stated.by} has {shown('input', coding)}, model = {config.model} applies them one bit a cycle: "
            "evaluate with converters.input = bitserial and converters.dac_bits, or cost by model = resparc"
        )
    pair, shared, rows = values.get("adc_input") == "pair", values.get("columns_per_adc"), values.get("rows_at_once")
    analog = values.get("accumulate") == "analog"
    if analog and config.model == "neurosim":
        raise ConfigError(
            f"{stated.by} has {shown('accumulate', 'analog')}, and model = neurosim converts what each array gives: "
            "cost by model = isaac or resparc"
        )
    if pair:
        check_pairs(network, shared)
    sums = summed(network, rows, analog=analog)
    bits = values.get("adc_bits") or own_adc_bits(config.model, constants, rows=sums, device_bits=device_bits)
    return Reading(
        coding=coding,
        input_bits=values.get("dac_bits") or round(constants["input.bits"]),
        adc_bits=bits,
        columns_per_adc=shared,
        rows_at_once=rows,
        pair=pair,
        analog=analog,
    )


def summed(network: MappedNetwork, rows: int | None, *, analog: bool) -> int:
    """Rows whose currents one conversion sees, of so many read at once; where charges are added all of the largest layer."""
    if analog:
        return max(layer.conductance.shape[0] for layer in network.layers.values())
    height = network.tile[0]
    return height if rows is None else min(rows, height)


def own_adc_bits(model: str, constants: Constants, *, rows: int, device_bits: int | None) -> int:
    """Bits of the model's own converters: a constant, or for isaac as many as tell the sums of so many rows apart."""
    if model != "isaac":
        return round(constants["adc.bits"])
    return isaac.adc_bits(
        rows=rows,
        device_bits=device_bits or round(constants["crossbar.device_bits"]),
    )


def check_pairs(network: MappedNetwork, shared: int | None) -> None:
    """Raise ConfigError where columns are no pairs that one converter can take the difference of."""
    widths = {name: layer.conductance.shape[1] for name, layer in network.layers.items()}
    try:
        converters = ConvertersSection(adc_bits=8, adc_input="pair", columns_per_adc=shared)
        converters.check(model="ideal", scheme=network.scheme, cell=False)
        converters.check_pairs(network.tile, widths=widths)
    except ConfigError as error:  # a cost has these keys in no section
        raise ConfigError(str(error).replace("converters.", "")) from None


def coding_of(constants: Constants, network: MappedNetwork, reading: Reading, stated: Statement) -> Coding:
    """How activations drive rows: at the cell's voltages (ConfigError beyond its table), on resistive arrays the model's own.

    Voltages are rounded to the bits of a converter that is stated; the model's own leaves the activity as it is.
    """
    bits = reading.input_bits if reading.coding != "amplitude" else stated.values.get("dac_bits")
    if network.cell is None:
        return Coding(reading.coding, bits, constants["read.volt"], {})
    cell = network.cell
    volt = cell.v_max if reading.coding == "amplitude" else stated.values.get("v_read_volt") or cell.v_max
    if volt > cell.v_max:
        raise ConfigError(f"{stated.by}: {volt:g} V is beyond the cell's table, which ends at {cell.v_max:g} V")
    gates = {name: layer.vg for name, layer in network.layers.items() if layer.vg is not None}
    return Coding(reading.coding, bits, volt, {name: cell.power[cell.index(vg)] for name, vg in gates.items()})


def operation(
    opened: Opened, network: MappedNetwork, reading: Reading, coding: Coding, stated: Statement, *, own: int
) -> dict[str, Any]:
    """How the arrays are read, for the summary: every value, stated or the model's own.

    `own` columns share a converter where none are given.
    """
    cells = network.cell is not None
    return {
        "input": reading.coding,
        "dac_bits": reading.input_bits,
        "v_read_volt": coding.volt if cells and coding.single else None,
        "dac_range": stated.values.get("dac_range") or opened.config.read.dac_range,
        "adc_bits": reading.adc_bits,
        "columns_per_adc": reading.shared(network.tile[1], own=own),
        "rows_at_once": reading.rows_at_once,
        "adc_input": "pair" if reading.pair else "column",
        "accumulate": "analog" if reading.analog else "digital",
        "resistances": list(wires_of(stated).floats()),
        "programmed_volt": network.read_volt,
    }


def own_columns(constants: Constants, network: MappedNetwork, model: str) -> int:
    """Columns that share a converter under the model's own constants."""
    return round(constants["mux.columns"]) if model == "neurosim" else network.tile[1]
