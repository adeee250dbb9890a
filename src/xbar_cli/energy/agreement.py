"""What runs say of how arrays are read, and what they contradict in: a cost is of the hardware that an accuracy is of.

A run states what it fixes; what it leaves open is the cost model's own. What two of them state must be the same, else there is
one line with both values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xbar_cli.array.wires import Wires
from xbar_cli.chip.mapped import seen
from xbar_cli.config.chips.evaluate import EvaluateConfig
from xbar_cli.config.converters import ReadSection
from xbar_cli.config.energy import EnergyConfig
from xbar_cli.config.hardware import MapConfig
from xbar_cli.errors import ConfigError

LABELS = {
    "input": "inputs as",
    "dac_bits": "input bits",
    "v_read_volt": "read voltage",
    "dac_range": "range of the row drive",
    "adc_bits": "ADC bits",
    "columns_per_adc": "columns per ADC",
    "rows_at_once": "rows at once",
    "adc_input": "ADC input",
    "accumulate": "partial sums added as",
    "resistances": "resistances",
}
"""What is stated, in the words of messages."""
ABSENT = {
    "dac_bits": "no DAC",
    "adc_bits": "no ADC",
    "dac_range": "the mapping's range of the row drive",
    "rows_at_once": "all rows at once",
}
"""What None means where it is stated."""
CIRCUITS = ("ideal", "lumped", "nodal", "gated")
"""Array models that solve a circuit; energy refuses others."""
SECTION = {"adc.bits": "adc_bits", "mux.columns": "columns_per_adc", "input.bits": "dac_bits"}
"""Constants that say the same as an option."""


@dataclass(frozen=True)
class Statement:
    """What one run, or the command line, fixes of how arrays are read.

    Attributes:
        by: who says so.
        values: by name, those of `LABELS`; what is not there is left open, None is as `ABSENT` has it.
    """

    by: str
    values: Mapping[str, Any]

    def joined(self, other: "Statement") -> "Statement":
        """What both state together. Raises ConfigError where they contradict each other."""
        for key in LABELS:
            if key in self.values and key in other.values and not same(self.values[key], other.values[key]):
                raise ConfigError(
                    f"{self.by} has {shown(key, self.values[key])}, {other.by} {shown(key, other.values[key])}: "
                    "that is other hardware; make both agree, or leave one of them out"
                )
        by = self.by if not other.values else other.by if not self.values else f"{self.by} and {other.by}"
        return Statement(by, {**self.values, **other.values})


def same(a: Any, b: Any) -> bool:
    """Whether two values are equal, numbers to rounding."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float | int) and isinstance(b, float | int):
        return abs(a - b) <= 1e-9 * max(abs(a), abs(b))
    return bool(a == b)


def shown(key: str, value: Any) -> str:
    """A value in the words of messages."""
    if value is None:
        return ABSENT.get(key, f"no {LABELS[key]}")
    if key == "resistances":
        return Wires(*value).told()
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{LABELS[key]} {text}{' V' if key == 'v_read_volt' else ''}"


def of_evaluation(path: Path, config: EvaluateConfig, summary: Mapping[str, Any]) -> Statement:
    """What an evaluate run fixes. Raises ConfigError for arrays that no energy can be computed of.

    Without an ADC currents add up exactly, whichever rows are read at once; without any converter resistive arrays are the
    same for every coding, which is left open then. ADC errors that were drawn for each column are of an ADC at every column.
    """
    by = f"evaluate run {path}"
    array, c = config.array, config.converters
    if array.model is not None and array.model not in CIRCUITS:
        raise ConfigError(f"{by}: the {array.model} closed form is no circuit and conserves no power")
    if array.neuron == "shared":
        raise ConfigError(f"{by}: its columns share neurons, which xbar energy does not solve")
    if c.per_layer:
        raise ConfigError(f"{by}: layers have converters of their own (converters.per_layer), and one kind is costed")
    if c.adc_range == "lloyd":
        raise ConfigError(
            f"{by}: its codes are looked up in tables (converters.adc_range = lloyd), which no cost model has"
        )
    cells = any(vg is not None for vg in summary["vg_volt"])
    values: dict[str, Any] = {"dac_bits": c.dac_bits, "adc_bits": c.adc_bits, "dac_range": c.dac_range}
    values["resistances"] = list(array.wires().floats())
    if cells or c.dac_bits is not None or c.adc_bits is not None:
        values["input"] = c.input
    if cells and c.input != "amplitude":
        values["v_read_volt"] = summary["v_read_volt"]
    if c.adc_bits is not None:
        values |= {
            "rows_at_once": c.rows_at_once,
            "adc_input": c.adc_input or "column",
            "accumulate": c.accumulate or "digital",
        }
        if c.columns_per_adc is not None or c.differing:
            values["columns_per_adc"] = c.columns_per_adc or (2 if c.adc_input == "pair" else 1)
    return Statement(by, values)


def of_map(path: Path, config: MapConfig) -> Statement:
    """What a map run fixes: how its devices were programmed to be read, where that is not the default."""
    values = {key: getattr(config.read, key) for key in ("input", "v_read_volt", "dac_bits")}
    default = ReadSection()
    return Statement(f"map run {path}", {k: v for k, v in values.items() if v != getattr(default, k)})


def of_energy(path: Path, summary: Mapping[str, Any]) -> Statement:
    """What an energy run fixes: what it took from an evaluation or was asked for; not its model's own constants."""
    if "stated" not in summary:
        raise ConfigError(f"{path} does not say how its arrays are read: an earlier version made it; cost it anew")
    return Statement(f"energy run {path}", summary["stated"])


def of_request(config: EnergyConfig) -> Statement:
    """What options and overridden constants ask for."""
    asked = {
        "adc_bits": config.adc_bits,
        "dac_bits": config.input_bits,
        "columns_per_adc": config.columns_per_adc,
        "rows_at_once": config.rows_at_once,
        "adc_input": config.adc_input,
        "accumulate": config.accumulate,
        "resistances": list(config.array.wires().floats()) if config.array.wires().any else None,
    }
    values = {key: value for key, value in asked.items() if value is not None}
    constants = {SECTION[key]: round(value) for key, value in config.overrides.items() if key in SECTION}
    own = Statement("an overridden constant", constants)
    return own.joined(Statement("xbar energy", values)) if values else own


def programmed_alike(one: tuple[str, float | None], other: tuple[str, float | None]) -> None:
    """Raise ConfigError unless the cells of two runs were programmed for the same voltages of their rows.

    Each is a run (or an evaluation, which programs other cells at another voltage) and the one voltage that its cells are
    programmed for [V], None where rows see all input voltages.
    """
    if not same(one[1], other[1]):
        raise ConfigError(
            f"{one[0]} has cells programmed for rows that see {seen(one[1])}, {other[0]} for {seen(other[1])}: these are other "
            "conductances; map with the read.input and read.v_read_volt that read them, and evaluate that"
        )


def paired(energy: Statement, operation: Mapping[str, Any], evaluation: Statement, *, tile: tuple[int, int]) -> None:
    """Raise ConfigError unless the costs of an energy run and the accuracy of an evaluation are of the same hardware.

    What the evaluation fixes must be what was costed, be it stated or the model's own. Without a converter in the evaluation
    the model's own one may be costed, but none that was asked for.
    """
    own = [k for k in ("dac_bits", "adc_bits") if evaluation.values.get(k) is None and energy.values.get(k) is None]
    costed = {key: value for key, value in operation.items() if key not in own}
    within(evaluation, tile).joined(within(Statement(energy.by, costed), tile))


def within(statement: Statement, tile: tuple[int, int]) -> Statement:
    """The same of arrays of `tile` rows and columns: as many as there are, or more, are all of them."""
    values = dict(statement.values)
    if values.get("columns_per_adc") is not None:
        least = 2 if values.get("adc_input") == "pair" else 1
        values["columns_per_adc"] = min(max(values["columns_per_adc"], least), tile[1])
    if values.get("rows_at_once") is not None and values["rows_at_once"] >= tile[0]:
        values["rows_at_once"] = None
    return Statement(statement.by, values)


def converters_of(statement: Statement) -> dict[str, Any] | None:
    """The converters that an accuracy was evaluated with: bits of inputs and of ADCs; None without any."""
    found = {key: statement.values.get(key) for key in ("dac_bits", "adc_bits")}
    return found if any(bits is not None for bits in found.values()) else None


def wires_of(statement: Statement) -> Wires:
    """The resistances that are stated; none else."""
    return Wires(*statement.values.get("resistances", ()))
